"""`wait`: what it waits for, and how it ends."""

from __future__ import annotations

import json
import time

import pytest

from .conftest import RESTING, Trader, finish


def test_an_open_order_is_open_at_once_and_not_filled_in_time(trader: Trader) -> None:
    name = trader.call(*RESTING).json["client_order_id"]
    ended = trader.call("wait", name, "--for", "open")
    assert (ended.code, ended.json["state"]) == (0, "OPEN")
    began = time.monotonic()
    ended = trader.call("wait", name, "--for", "filled", "--timeout", "1s")
    assert time.monotonic() - began < 10  # of the 15 s that it waits unless told otherwise
    assert (ended.code, ended.error["code"]) == (19, "not-yet")
    assert ended.json["client_order_id"] == name


@pytest.mark.parametrize(("state", "code"), [("filled", 20), ("done", 0), ("open", 0)])
def test_a_cancelled_order(trader: Trader, state: str, code: int) -> None:
    name = trader.call(*RESTING).json["client_order_id"]
    assert trader.call("cancel", name).code == 0
    assert trader.call("wait", name, "--for", state).code == code


def test_an_order_that_met_nobody_was_never_open(trader: Trader) -> None:
    name = trader.call("place", "buy", "BTC-USD", "0.01", "mid-2%", "--tif", "ioc").json["client_order_id"]
    assert [trader.call("wait", name, "--for", state).code for state in ("open", "filled", "done")] == [20, 20, 0]


def test_a_fill_ends_it_at_once(trader: Trader) -> None:
    """Told by the stream: reading now and then would say nothing, for nobody answers it."""
    placed = trader.call("place", "buy", "BTC-USD", "0.01", "mid-0.1%", "--post-only").json
    process = trader.start("wait", placed["client_order_id"], "--for", "filled", "--timeout", "40s")
    trader.wait_for_stream()
    time.sleep(2.5)  # past the first, quick readings
    trader.control("status", count=1000, status=503)
    trader.trade("sell", placed["price"])
    ended = finish(process)
    assert (ended.code, ended.json["state"]) == (0, "FILLED"), ended.err


def test_without_a_stream_it_is_read_now_and_then(trader: Trader) -> None:
    placed = trader.call("place", "buy", "BTC-USD", "0.01", "mid-0.1%", "--post-only").json
    trader.control("refuse_ws", count=1000, status=503)
    process = trader.start("wait", placed["client_order_id"], "--for", "filled", "--timeout", "40s")
    time.sleep(1.5)
    trader.trade("sell", placed["price"])
    ended = finish(process)
    assert (ended.code, ended.json["state"]) == (0, "FILLED"), ended.err


def test_unknown_orders_and_words(trader: Trader) -> None:
    assert trader.call("wait", trader.id("nobody")).code == 6
    assert trader.call("wait", "x", "--for", "rich").code == 2
    assert trader.call("wait", "../x").code == 3
    assert trader.call("wait").code == 2
    assert trader.call("wait", "x", "--timeout", "soon").code == 2


def test_an_order_of_unknown_outcome_is_settled_first(trader: Trader) -> None:
    name = trader.id("unknown")
    trader.run(*RESTING, "--client-id", name, "--timeout", "6s", seam="send-after:1")
    ended = trader.call("wait", name, "--for", "open", "--timeout", "30s")
    assert (ended.code, json.loads(ended.out)["state"]) == (0, "OPEN"), ended.err
