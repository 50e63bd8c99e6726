"""Worlds of the simulator: the same seed is the same world, and in no world a promise is broken."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from latentspeed_cli.testing.simulator.campaign import play
from latentspeed_cli.testing.simulator.run import SITES, run_seed, site_of

VENUES = sorted(SITES)
SEEDS = 150  # `make test` plays more of each venue beside these tests, `make simulate` any number
TRACES = (
    "from latentspeed_cli.testing.simulator.run import run_seed; print(*(run_seed({!r}, s).digest for s in range(6)))"
)


@pytest.mark.parametrize("venue", VENUES)
def test_the_same_seed_gives_the_same_trace_whatever_the_hash_seed(venue: str) -> None:
    """I20. Two interpreters whose sets and dictionaries of text are ordered differently."""
    traces = [
        subprocess.run(
            [sys.executable, "-c", TRACES.format(venue)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("0", "4242")
    ]
    assert traces[0] == traces[1]
    assert len(set(traces[0].split())) == 6


@pytest.mark.parametrize("venue", VENUES)
def test_nothing_is_broken_where_nothing_goes_wrong(venue: str) -> None:
    for seed in range(20):
        verdict = run_seed(venue, seed, only=frozenset())
        assert not verdict.violations, f"seed {seed}"
        assert not verdict.injected


@pytest.mark.parametrize(("venue", "kind"), [(venue, kind) for venue in VENUES for kind in site_of(venue).kinds])
def test_every_kind_of_fault_strikes_where_it_is_on(venue: str, kind: str) -> None:
    """In some of the first worlds, and it is counted; a kind that can never strike would prove nothing."""
    on = frozenset({kind})
    assert any(run_seed(venue, seed, only=on, sure=on).injected.keys() == on for seed in range(40))


def test_a_campaign_says_what_never_struck() -> None:
    ledger = play("hyperliquid", range(2), jobs=1, only=frozenset({"bad_book", "block_stall", "socket_cut"}))
    unseen = {"bad_book", "socket_cut"} - ledger.injected.keys()
    assert ledger.kinds == ("bad_book", "socket_cut")
    assert [line for line in ledger.lines() if "never struck" in line] == (
        [f"faults that never struck: {', '.join(sorted(unseen))}"] if unseen else []
    )


@pytest.mark.parametrize("venue", VENUES)
def test_no_promise_is_broken(venue: str) -> None:
    ledger = play(venue, range(SEEDS), jobs=1)
    assert ledger.seeds == SEEDS
    assert not ledger.failures, "\n".join(ledger.lines())
