"""A clock that stands still until it is told to move."""

from __future__ import annotations

from ..clock import NS_PER_S


class StillClock:
    """Wall time under a test's control. The same start gives the same nonces, expiries and signatures."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += int(seconds * NS_PER_S)
