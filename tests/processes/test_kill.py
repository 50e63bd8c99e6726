"""kill -9 at every step of an order's way: nothing to repair, no order twice, and reconcile tells how it is."""

from __future__ import annotations

import signal

import pytest

from .conftest import RESTING, Trader, finish

KILLED = -signal.SIGKILL
OUTCOMES = {"OPEN", "FAILED"}


def settle(trader: Trader, client_order_id: str) -> dict[str, object] | None:
    """Reconcile, look that the journal is whole and equals the venue, and give the order; None where there is none."""
    told = trader.call("reconcile", "--timeout", "30s")
    assert told.code == 0, told.err
    assert trader.call("reconcile").json["items"] == []
    assert trader.call("journal", "verify").code == 0
    known = trader.call("journal", "show", client_order_id)
    if known.code != 0:
        return None
    order = trader.call("status", client_order_id).json
    at_venue = trader.at_venue(order)
    assert len(at_venue) == (0 if order["state"] == "FAILED" else 1), (order, at_venue)
    if order["state"] == "FAILED":
        assert order["evidence"]
    return dict(order)


@pytest.mark.parametrize(
    "seam", ["commit-before:1", "commit-after:1", "send-before:1", "send-after:1", "commit-before:2", "commit-after:2"]
)
def test_placing(trader: Trader, seam: str) -> None:
    name = trader.id("killed")
    words = (*RESTING, "--client-id", name, "--timeout", "6s")
    ended = trader.run(*words, seam=seam)
    assert ended.code == KILLED, ended.err
    order = settle(trader, name)
    has_left = seam in ("send-after:1", "commit-before:2", "commit-after:2")
    if seam == "commit-before:1":
        assert order is None
    else:
        assert order is not None
        assert order["state"] == ("OPEN" if has_left else "FAILED"), order
    again = trader.call(*words)  # the same command is safe, whatever became of the first one
    assert again.code == 0, again.err
    assert again.json["replayed"] is has_left
    assert len(trader.at_venue(again.json)) == 1


@pytest.mark.parametrize(
    "seam", ["commit-before:1", "commit-after:1", "send-before:1", "send-after:1", "commit-after:2"]
)
def test_cancelling(trader: Trader, seam: str) -> None:
    name = trader.id("to-cancel")
    placed = trader.call(*RESTING, "--client-id", name)
    assert placed.code == 0, placed.err
    ended = trader.run("cancel", name, seam=seam)
    assert ended.code == KILLED, ended.err
    order = settle(trader, name)
    assert order is not None
    assert order["state"] == ("OPEN" if seam == "commit-before:1" else "CANCELLED")


def test_a_request_that_arrives_after_its_sender_died_is_fenced_off_or_found(trader: Trader) -> None:
    trader.trouble("delay_request", seconds=8)
    name = trader.id("late")
    process = trader.start(*RESTING, "--client-id", name, "--timeout", "6s")
    trader.wait_for_strike()
    process.kill()
    assert finish(process).code == KILLED
    order = settle(trader, name)
    assert order is not None
    assert order["state"] in OUTCOMES
