"""Rate limits as arithmetic on a given `now`. Nothing here sleeps, and nothing reads a clock.

Times are nanoseconds of any clock that does not step backwards; weights are the venue's own units.
"""

from __future__ import annotations

from collections import deque

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue takes from one address: at most `weight` in any stretch of `window_s`."""

    weight: int
    window_s: int


class WindowLimit:
    """At most `limit` weight in any stretch of `window_ns`."""

    def __init__(self, limit: int, window_ns: int) -> None:
        self.limit = limit
        self.window_ns = window_ns
        self._spent: deque[tuple[int, int]] = deque()
        self._used = 0

    def used(self, now_ns: int) -> int:
        """Weight spent in the window that ends now."""
        while self._spent and self._spent[0][0] <= now_ns - self.window_ns:
            self._used -= self._spent.popleft()[1]
        return self._used

    def spend(self, weight: int, now_ns: int) -> bool:
        """Spend `weight` now if it fits, and say whether it did."""
        if self.used(now_ns) + weight > self.limit:
            return False
        self._spent.append((now_ns, weight))
        self._used += weight
        return True

    def wait_ns(self, weight: int, now_ns: int) -> int | None:
        """How long until `weight` fits: 0 for now, None for never (it is more than the whole limit)."""
        excess = self.used(now_ns) + weight - self.limit
        if excess <= 0:
            return 0
        for spent_ns, spent in self._spent:
            excess -= spent
            if excess <= 0:
                return spent_ns + self.window_ns - now_ns
        return None
