"""SIGINT, SIGTERM and SIGHUP at every stage of placing and cancelling, also twice: an honest code, and nothing new."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from .conftest import RESTING, WRITES, Trader, finish

READS = {"hyperliquid": "/info", "dydx_v4": "/v4/orderbooks/perpetualMarket/BTC-USD"}
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


@pytest.mark.parametrize("number", CODES)
def test_before_anything_was_sent(trader: Trader, number: signal.Signals) -> None:
    name = trader.id("early")
    trader.control("delay_request", path=READS[trader.venue], count=100, seconds=5)
    process = trader.start(*RESTING, "--client-id", name)
    trader.wait_for_strike(100)
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == CODES[number], ended.err
    trader.control("clear")
    assert trader.call("journal", "show", name).code == 6
    assert trader.call("wait", name, "--timeout", "5s").code == 6  # the venue has not heard of it either


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", ["delay_request", "delay"])
def test_while_the_order_is_on_its_way(trader: Trader, kind: str, times: int) -> None:
    name = trader.id("sent")
    trader.control(kind, path=WRITES[trader.venue], seconds=3, count=2)
    process = trader.start(*RESTING, "--client-id", name, "--timeout", "8s")
    trader.wait_for_strike(2)
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert ended.code == 5, ended.err
    order = json.loads(ended.out)
    assert (order["client_order_id"], order["may_be_live"], order["outcome"]) == (name, True, "unknown")
    trader.control("clear")
    told = trader.call("reconcile", "--timeout", "30s")
    assert told.code == 0, told.err
    settled = trader.call("status", name).json
    assert settled["state"] in ("OPEN", "FAILED")
    assert len(trader.at_venue(settled)) == (settled["state"] == "OPEN")


def test_before_a_cancel_was_sent(trader: Trader, tmp_path: Path) -> None:
    name = trader.id("kept")
    assert trader.call(*RESTING, "--client-id", name).code == 0
    trader.environ["LATENTSPEED_CACHE_DIR"] = str(tmp_path / "empty")  # so that it reads before it sends
    trader.control("delay_request", count=100, seconds=5)
    process = trader.start("cancel", name)
    trader.wait_for_strike(100)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert (ended.code, ended.json["state"]) == (130, "OPEN"), ended.err
    trader.control("clear")
    assert "cancel_intent" not in trader.kinds_of(name)
    assert trader.state_at_venue(ended.json) == "OPEN"
    assert trader.call("reconcile").json["items"] == []


@pytest.mark.parametrize(
    ("kind", "number", "times"),
    [("delay_request", signal.SIGINT, 1), ("delay_request", signal.SIGTERM, 2), ("delay", signal.SIGTERM, 1)],
)
def test_while_the_cancel_is_on_its_way(trader: Trader, kind: str, number: signal.Signals, times: int) -> None:
    name = trader.id("cancel")
    assert trader.call(*RESTING, "--client-id", name).code == 0
    trader.control(kind, path=WRITES[trader.venue], seconds=3, count=2)
    process = trader.start("cancel", name)
    trader.wait_for_strike(2)
    for _ in range(times):
        process.send_signal(number)
    ended = finish(process)
    assert ended.code == 5, ended.err
    assert (ended.json["outcome"], ended.json["may_be_live"]) == ("unknown", True)
    trader.control("clear")
    assert trader.call("reconcile", "--timeout", "30s").code == 0
    settled = trader.call("status", name).json
    assert (settled["state"], trader.state_at_venue(settled)) == ("CANCELLED", "CANCELLED")


def test_while_the_effect_of_a_cancel_is_awaited(trader: Trader) -> None:
    """The venue has replied: on Hyperliquid that decides, on dYdX the order may live until its end is read."""
    name = trader.id("awaited")
    assert trader.call(*RESTING, "--client-id", name).code == 0
    trader.control("delay", path=WRITES[trader.venue], seconds=2)
    process = trader.start("cancel", name, "--timeout", "30s")
    trader.wait_for_strike()
    trader.control("delay_request", count=100, seconds=20)
    trader.wait_for_strike(100)
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    is_known = trader.venue == "hyperliquid"
    assert ended.code == (143 if is_known else 5), (ended.out, ended.err)
    assert ended.json["state"] == ("CANCELLED" if is_known else "PENDING_CANCEL")
    trader.control("clear")
    assert trader.call("reconcile", "--timeout", "30s").code == 0
    settled = trader.call("status", name).json
    assert (settled["state"], trader.state_at_venue(settled)) == ("CANCELLED", "CANCELLED")


def test_while_waiting(trader: Trader) -> None:
    """The order is known: that is no doubt."""
    name = trader.call(*RESTING).json["client_order_id"]
    process = trader.start("wait", name, "--for", "filled")
    trader.wait_for_stream()
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert (ended.code, json.loads(ended.out)["state"]) == (130, "OPEN"), ended.err
