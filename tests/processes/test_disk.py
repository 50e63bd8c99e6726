"""A disk that is full or fails: nothing is sent that is not written down, and the journal stays whole."""

from __future__ import annotations

import pytest

from .conftest import RESTING, Trader


@pytest.mark.parametrize("seam", ["full:1", "eio:1", "sync:1", "full:3", "eio:3"])
def test_before_the_intent_is_durable_nothing_is_sent(trader: Trader, seam: str) -> None:
    assert trader.call("reconcile").code == 0  # the journal is there
    name = trader.id("disk")
    ended = trader.run(*RESTING, "--client-id", name, "--timeout", "5s", seam=seam)
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
