"""Seeds of the simulator: the same seed is the same world, and no promise is broken."""

from __future__ import annotations

import pytest

from latentspeed_cli.testing.simulator.run import run_seed


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert run_seed("hyperliquid", seed).digest == run_seed("hyperliquid", seed).digest


def test_other_seeds_give_other_traces() -> None:
    assert len({run_seed("hyperliquid", seed).digest for seed in range(5)}) == 5


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_broken_where_nothing_goes_wrong(seed: int) -> None:
    verdict = run_seed("hyperliquid", seed, only=frozenset())
    assert not verdict.violations
    assert not verdict.injected
