"""kill -9 at every step of an order's way: nothing to repair, no order twice, and reconcile tells how it is."""

from __future__ import annotations

import signal

import pytest

from .conftest import RESTING, SHORT_LIVED, Trader, finish

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


CANCELLING = ("commit-before:1", "commit-after:1", "send-before:1", "send-after:1", "commit-before:2", "commit-after:2")


@pytest.mark.parametrize("seam", CANCELLING)
def test_cancelling(trader: Trader, seam: str) -> None:
    name = trader.id("to-cancel")
    placed = trader.call(*RESTING, "--client-id", name)
    assert placed.code == 0, placed.err
    ended = trader.run("cancel", name, seam=seam)
    assert ended.code == KILLED, ended.err
    order = settle(trader, name)
    assert order is not None
    assert order["state"] == ("OPEN" if seam == "commit-before:1" else "CANCELLED")
    assert trader.state_at_venue(order) == order["state"]


@pytest.mark.parametrize("seam", ["commit-after:1", "send-after:1", "commit-before:2"])
def test_cancelling_again(trader: Trader, seam: str) -> None:
    """The same command is enough: no reconcile in between, and none has anything to do afterwards."""
    name = trader.id("again")
    assert trader.call(*RESTING, "--client-id", name).code == 0
    assert trader.run("cancel", name, seam=seam).code == KILLED
    again = trader.call("cancel", name, "--timeout", "30s")
    assert (again.code, again.json["state"]) == (0, "CANCELLED"), again.err
    assert trader.state_at_venue(again.json) == "CANCELLED"
    assert trader.call("reconcile").json["items"] == []
    assert trader.call("journal", "verify").code == 0


def test_cancelling_several(trader: Trader) -> None:
    """On dYdX they soon end by themselves, so that they are cancelled together."""
    names = [trader.id(f"{which}-of-two") for which in ("one", "other")]
    for name in names:
        placed = trader.call(*RESTING, *SHORT_LIVED[trader.venue], "--client-id", name)
        assert placed.code == 0, placed.err
    assert trader.run("cancel", *names, seam="send-after:1").code == KILLED
    again = trader.call("cancel", *names, "--timeout", "40s")
    assert again.code == 0, again.err
    for order in again.json["items"]:
        assert order["state"] in ("CANCELLED", "EXPIRED")
        assert trader.state_at_venue(order) != "OPEN"
    assert trader.call("reconcile").json["items"] == []
    assert trader.call("journal", "verify").code == 0


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
