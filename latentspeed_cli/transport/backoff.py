"""How long to wait before trying again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Jitter(Protocol):
    """The part of entropy.Entropy that waiting needs."""

    def uniform(self, low: float, high: float) -> float: ...


def backoff(jitter: Jitter, *, first_s: float = 0.5, factor: float = 2.0, cap_s: float = 30.0) -> Iterator[float]:
    """Seconds to wait, for ever: each about `factor` times the last, up to cap_s, and the upper half of it random.

    So clients that lost one server together do not come back together.
    """
    delay_s = min(first_s, cap_s)
    while True:
        yield jitter.uniform(delay_s / 2, delay_s)
        delay_s = min(delay_s * factor, cap_s)
