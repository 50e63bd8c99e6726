"""A disk that is full or fails: nothing is sent that is not written down, and the journal stays whole."""

from __future__ import annotations

import pytest

from .conftest import RESTING, Trader
from .honesty import check, settle

MARKET = ("place", "buy", "BTC-USD", "0.01", "--type", "market")


@pytest.mark.parametrize("seam", ["full:1", "eio:1", "sync:1", "full:3", "eio:3"])
def test_before_the_intent_is_durable_nothing_is_sent(trader: Trader, seam: str) -> None:
    assert trader.call("reconcile").code == 0  # the journal is there
    name = trader.id("disk")
    ended = trader.run(*RESTING, "--client-id", name, "--timeout", "30s", seam=seam)
    assert ended.code == 11, (ended.out, ended.err)
    assert ended.error["code"] == "journal"
    assert trader.call("journal", "verify").code == 0
    assert trader.call("journal", "show", name).code == 6
    again = trader.call(*RESTING, "--client-id", name)
    assert (again.code, again.json["replayed"]) == (0, False), again.err
    assert len(trader.at_venue(again.json)) == 1


def test_afterwards_it_is_unknown_and_found_again(trader: Trader) -> None:
    """Whichever write fails: an honest code, a whole journal, one order."""
    assert trader.call("reconcile").code == 0
    codes = set()
    for number in (8, 12, 16, 20, 26, 32):
        name = trader.id(f"later-{number}")
        ended = trader.run(*RESTING, "--client-id", name, "--timeout", "8s", "--despite-unknown", seam=f"eio:{number}")
        assert ended.code in (0, 5, 8, 11), (number, ended.err)
        codes.add(ended.code)
        assert trader.call("journal", "verify").code == 0
        told = trader.call("reconcile", "--timeout", "30s")
        assert told.code == 0, told.err
        known = trader.call("status", name)
        if ended.code in (8, 11):  # 8: a venue that is slow, before anything was written down
            assert known.code == 6
        else:
            assert len(trader.at_venue(known.json)) == 1
    assert codes >= {5}


def test_what_came_of_an_order_cannot_be_written_down(trader: Trader) -> None:
    """The attempt is on disk and sent; then the reply, or what shows the order's end, finds no disk."""
    assert trader.call("reconcile").code == 0
    fills_before = len(trader.venue_fills())
    cases = ((RESTING, "full+:1@1"), (RESTING, "sync:1@1"), (MARKET, "eio:1@1"), (MARKET, "full:1@2"))
    names = [trader.id(f"{which}-lost") for which in "abcd"]
    for name, (words, seam) in zip(names, cases, strict=True):
        ended = trader.run(*words, "--client-id", name, "--timeout", "8s", "--despite-unknown", seam=seam)
        assert ended.code == 5, (seam, ended.out, ended.err)
        assert (ended.error["client_order_id"], ended.error["retry"]) == (name, "same-id")
        assert "cannot be written down" in ended.error["message"]
        assert trader.call("journal", "verify").code == 0
    again = trader.call(*RESTING, "--client-id", names[0], "--timeout", "30s", "--despite-unknown")
    assert (again.code, again.json["replayed"]) == (0, True), again.err
    settle([trader])
    check(trader, names)
    orders = [trader.call("status", name).json for name in names]
    assert [order["state"] for order in orders] == ["OPEN", "OPEN", "FILLED", "FILLED"]
    assert [trader.state_at_venue(order) for order in orders] == [order["state"] for order in orders]
    fills = [kind for name in names for kind in trader.kinds_of(name) if kind == "fill"]
    assert len(fills) == len(trader.venue_fills()) - fills_before


@pytest.mark.parametrize("seam", ["full+:1", "sync:1"])
def test_before_the_intent_to_cancel_is_durable_nothing_is_sent(trader: Trader, seam: str) -> None:
    name = trader.call(*RESTING).json["client_order_id"]
    ended = trader.run("cancel", name, seam=seam)
    assert (ended.code, ended.error["code"]) == (11, "journal"), (ended.out, ended.err)
    assert trader.call("journal", "verify").code == 0
    assert "cancel_intent" not in trader.kinds_of(name)
    order = trader.call("status", name).json
    assert (order["state"], trader.state_at_venue(order)) == ("OPEN", "OPEN")
    assert trader.call("cancel", name, "--timeout", "30s").json["state"] == "CANCELLED"


@pytest.mark.parametrize(
    ("seam", "verb"), [("full:1@1", "cancel"), ("eio:1@1", "reconcile"), ("sync+:1@1", "reconcile")]
)
def test_what_came_of_a_cancel_cannot_be_written_down(trader: Trader, seam: str, verb: str) -> None:
    """It may have ended the order: 5, until the same command or reconcile has looked."""
    name = trader.call(*RESTING).json["client_order_id"]
    ended = trader.run("cancel", name, seam=seam)
    assert ended.code == 5, (ended.out, ended.err)
    assert "cannot be written down" in ended.error["message"]
    assert (ended.json["outcome"], ended.json["may_be_live"]) == ("unknown", True)
    assert trader.call("journal", "verify").code == 0
    assert trader.call(verb, *([name] if verb == "cancel" else ()), "--timeout", "30s").code == 0
    order = trader.call("status", name).json
    assert (order["state"], trader.state_at_venue(order)) == ("CANCELLED", "CANCELLED")
    assert trader.call("reconcile").json["items"] == []


@pytest.mark.parametrize(("seam", "code"), [("full+:1", 18), ("full+:1@1", 5)])
def test_a_disk_that_fails_among_several_cancels(trader: Trader, seam: str, code: int) -> None:
    """Of each order it is told what this run did to it."""
    names = [trader.call(*RESTING).json["client_order_id"] for _ in range(2)]
    ended = trader.run("cancel", *names, seam=seam)
    assert ended.code == code, (ended.out, ended.err)
    for item in ended.json["items"]:
        has_begun = "cancel_intent" in trader.kinds_of(item["client_order_id"])
        assert item["outcome"] == ("unknown" if has_begun else "not_sent"), item
    assert trader.call("cancel", *names, "--timeout", "30s").code == 0
    for order in [trader.call("status", name).json for name in names]:
        assert (order["state"], trader.state_at_venue(order)) == ("CANCELLED", "CANCELLED")
    assert trader.call("reconcile").json["items"] == []
    assert trader.call("journal", "verify").code == 0
