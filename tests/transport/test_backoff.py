"""Waiting longer each time, never all at once, never for ever."""

from __future__ import annotations

from itertools import islice

from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.transport.backoff import backoff


def test_delays_double_up_to_the_cap_and_are_half_random() -> None:
    bounds = [1, 2, 4, 8, 10, 10, 10]
    for seed in range(50):
        delays = list(islice(backoff(SeededEntropy(seed), first_s=1, cap_s=10), len(bounds)))
        assert all(bound / 2 <= delay <= bound for bound, delay in zip(bounds, delays, strict=True))
    assert len({next(backoff(SeededEntropy(seed))) for seed in range(50)}) > 40


def test_a_first_delay_above_the_cap() -> None:
    assert all(0.5 <= delay <= 1 for delay in islice(backoff(SeededEntropy(1), first_s=9, cap_s=1), 5))
