"""`sandbox run --fault`: commands amid trouble keep their promises and their time; afterwards reconcile is enough."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.rehearsal import FAULTS, SeededFaults, Strike

from .conftest import VENUES, Ended, Sandbox, Trader, finish

TIMEOUT_S = 1.5
# What reading the answer, starting and ending may take beside it, on a busy machine.
MARGIN_S = 2.5
# No other end is possible for a legal order: done, refused, unknown, absent, down, limited, guard (an order of unknown
# outcome, or no book), filled, contradiction, alive, ended.
HONEST = {0, 4, 5, 6, 8, 9, 13, 14, 17, 19, 20}
TROUBLES = (
    "reply-lost,failed-after,cut",
    "request-lost,rate-limited,unavailable",
    "garbage,reads-lost,late",
    "reply-lost,block-stall,indexer-lag,evicted",
)


@contextmanager
def foreground(folder: Path, environ: dict[str, str], *words: str) -> Iterator[Sandbox]:
    """A sandbox as a user runs it; what it says on stderr goes to a file."""
    with (folder.parent / "sandbox.err").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "latentspeed_cli", "sandbox", "run", "--port", "0", "--scenario", "brisk", *words],
            env={**environ, "LATENTSPEED_STATE_DIR": str(folder), "LATENTSPEED_OUTPUT": "json"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["running"]
        yield Sandbox(folder, supervisor.status(folder).venues, supervisor.control(folder))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143


def timed(trader: Trader, *words: str) -> Ended:
    began = time.monotonic()
    ended = trader.call(*words, "--timeout", f"{TIMEOUT_S}s")
    took_s = time.monotonic() - began
    assert took_s < TIMEOUT_S + MARGIN_S, (words, took_s, ended.err)
    assert ended.code in HONEST, (words, ended.err)
    for line in (*ended.out.splitlines(), *ended.err.splitlines()):
        json.loads(line)
    return ended


@pytest.mark.parametrize("trouble", TROUBLES)
def test_after_the_trouble_journal_and_venue_are_one(tmp_path: Path, trouble: str) -> None:
    folder = tmp_path / "sandbox"
    environ = Trader.environment(tmp_path)
    with foreground(folder, environ, "--fault", trouble, "--fault-rate", "40", "--seed", "11") as faulty:
        traders = [Trader(tmp_path / venue, faulty, venue) for venue in VENUES]
        ids = {trader.venue: [trader.id(f"n{number}") for number in range(6)] for trader in traders}
        for trader in traders:
            for number, name in enumerate(ids[trader.venue]):
                kind = ("--type", "market") if number % 3 == 0 else ("mid-2%", "--post-only")
                words = ("place", "buy", "BTC-USD", "0.01", *kind, "--client-id", name, "--despite-unknown")
                timed(trader, *words)
                if number % 3 == 1:
                    timed(trader, "cancel", name)
                if number % 3 == 2:
                    timed(trader, *words)  # the same again
    with foreground(folder, environ) as healed:
        traders = [Trader(old.home, healed, old.venue) for old in traders]
        settle(traders)
        for trader in traders:
            assert trader.call("reconcile").json["items"] == []
            assert trader.call("journal", "verify").code == 0
            for name in ids[trader.venue]:
                check(trader, name)


def settle(traders: list[Trader]) -> None:
    """Three times at most: what only time can decide takes its time."""
    for _ in range(3):
        ends = [finish(process) for process in [trader.start("reconcile", "--timeout", "40s") for trader in traders]]
        if all(ended.code == 0 for ended in ends):
            return
    raise AssertionError(f"still undecided: {ends}")


def check(trader: Trader, name: str) -> None:
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


def test_names_are_told_and_wrong_ones_refused(trader: Trader) -> None:
    told = trader.call("sandbox", "run", "--list-faults")
    assert told.code == 0
    assert [line.split()[0] for line in told.out.splitlines()] == list(FAULTS)
    for words in (("--fault", "rain"), ("--fault", "reply-lost", "--fault-rate", "101"), ("--fault", "")):
        assert trader.call("sandbox", "run", *words).code == 2


def test_a_seed_fixes_what_strikes() -> None:
    strikes = {name: fault for name, fault in FAULTS.items() if isinstance(fault, Strike)}

    def struck(seed: int) -> list[bool]:
        faults = SeededFaults("hyperliquid", strikes, seed=seed, rate=25)
        return [faults.take(("lose_reply",), "/exchange", "") is not None for _ in range(200)]

    assert struck(1) == struck(1) != struck(2)
    assert 25 <= sum(struck(1)) <= 75
