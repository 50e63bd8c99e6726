"""SIGINT, SIGTERM and SIGHUP at every stage of placing and cancelling, also twice: an honest code, and nothing new."""

from __future__ import annotations

import json
import signal

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


@pytest.mark.parametrize("kind", ["delay_request", "delay"])
def test_while_the_cancel_is_on_its_way(trader: Trader, kind: str) -> None:
    name = trader.id("cancel")
    assert trader.call(*RESTING, "--client-id", name).code == 0
    trader.control(kind, path=WRITES[trader.venue], seconds=3, count=2)
    process = trader.start("cancel", name)
    trader.wait_for_strike(2)
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 5, ended.err
    trader.control("clear")
    assert trader.call("reconcile", "--timeout", "30s").code == 0
    assert trader.call("status", name).json["state"] == "CANCELLED"


def test_while_waiting(trader: Trader) -> None:
    """The order is known: that is no doubt."""
    name = trader.call(*RESTING).json["client_order_id"]
    process = trader.start("wait", name, "--for", "filled")
    trader.wait_for_stream()
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert (ended.code, json.loads(ended.out)["state"]) == (130, "OPEN"), ended.err
