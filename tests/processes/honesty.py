"""What every command owes its caller amid trouble, and what has to be true once it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from ..ended import Ended
from .conftest import Trader, finish

TIMEOUT_S = 1.5
# What reading the answer, starting and ending may take beside it, on a busy machine; the usual time would be 15 s.
MARGIN_S = 6.0
# No other end is possible for a legal order: done, refused, unknown, absent, down, limited, guard (an order of unknown
# outcome, or no book), filled, contradiction, alive, ended.
HONEST = {0, 4, 5, 6, 8, 9, 13, 14, 17, 19, 20}


def live_through(trader: Trader, ids: Sequence[str]) -> None:
    """Place an order for each id, cancel some, and give some commands twice."""
    for number, name in enumerate(ids):
        kind = ("--type", "market") if number % 3 == 0 else ("mid-2%", "--post-only")
        words = ("place", "buy", "BTC-USD", "0.01", *kind, "--client-id", name, "--despite-unknown")
        timed(trader, *words)
        if number % 3 == 1:
            timed(trader, "cancel", name)
        if number % 3 == 2:
            timed(trader, *words)  # the same again


def timed(trader: Trader, *words: str) -> Ended:
    began = time.monotonic()
    ended = trader.call(*words, "--timeout", f"{TIMEOUT_S}s")
    took_s = time.monotonic() - began
    assert took_s < TIMEOUT_S + MARGIN_S, (words, took_s, ended.err)
    assert ended.code in HONEST, (words, ended.err)
    for line in (*ended.out.splitlines(), *ended.err.splitlines()):
        json.loads(line)
    return ended


def settle(traders: list[Trader]) -> None:
    """Three times at most: what only time can decide takes its time."""
    for _ in range(3):
        ends = [finish(process) for process in [trader.start("reconcile", "--timeout", "40s") for trader in traders]]
        if all(ended.code == 0 for ended in ends):
            return
    raise AssertionError(f"still undecided: {ends}")


def check(trader: Trader, ids: Sequence[str]) -> None:
    """Journal and venue are one."""
    assert trader.call("reconcile").json["items"] == []
    assert trader.call("journal", "verify").code == 0
    for name in ids:
        _check_order(trader, name)


def _check_order(trader: Trader, name: str) -> None:
    known = trader.call("status", name)
    if known.code == 6:  # it never came as far as the journal
        return
    order: dict[str, Any] = known.json
    found = trader.at_venue(order)
    assert len(found) <= 1, found
    assert (order["state"] in ("OPEN", "FILLED", "CANCELLED", "EXPIRED")) >= bool(found), (order, found)
    assert order["outcome_unknown"] is False
    if order["state"] in ("FAILED", "CANCELLED", "EXPIRED"):
        assert order["evidence"]
    if order["state"] == "FILLED":
        assert order["executed_amount"] == "0.01"
