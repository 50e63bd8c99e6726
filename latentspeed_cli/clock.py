"""The only place that reads time. Durations and timeouts inside a running loop use the loop's own clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Wall time as the parts of the product see it; a simulator hands in its own."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()


def monotonic_s() -> float:
    """Seconds on a clock that never steps; for measuring, and for synchronous waiting loops."""
    return time.monotonic()


def sleep_s(seconds: float) -> None:
    """Block this thread. Only for start-up code that runs before an event loop."""
    time.sleep(seconds)


def iso(ts_ns: int) -> str:
    """2026-11-26T00:32:10.123456789Z for a Unix time in nanoseconds."""
    seconds, rest = divmod(ts_ns, NS_PER_S)
    return f"{_whole_seconds(seconds)}.{rest:09d}Z"


@lru_cache(64)  # one second has many records
def _whole_seconds(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
