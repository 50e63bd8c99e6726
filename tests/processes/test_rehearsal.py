"""`sandbox run --fault`: commands amid trouble keep their promises and their time; afterwards reconcile is enough."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.rehearsal import FAULTS, SeededFaults, Strike

from .conftest import VENUES, Sandbox, Trader
from .honesty import check, live_through, settle

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
        assert process.wait(timeout=60) == 143


@pytest.mark.parametrize("trouble", TROUBLES)
def test_after_the_trouble_journal_and_venue_are_one(tmp_path: Path, trouble: str) -> None:
    folder = tmp_path / "sandbox"
    environ = Trader.environment(tmp_path)
    with foreground(folder, environ, "--fault", trouble, "--fault-rate", "40", "--seed", "11") as faulty:
        traders = [Trader(tmp_path / venue, faulty, venue) for venue in VENUES]
        ids = {trader.venue: [trader.id(f"n{number}") for number in range(6)] for trader in traders}
        for trader in traders:
            live_through(trader, ids[trader.venue])
    with foreground(folder, environ) as healed:
        traders = [Trader(old.home, healed, old.venue) for old in traders]
        settle(traders)
        for trader in traders:
            check(trader, ids[trader.venue])


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
