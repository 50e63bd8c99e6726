"""Rate limits as arithmetic on a given `now`. Nothing here sleeps, and nothing reads a clock.

Times are nanoseconds of any clock that does not step backwards; weights are the venue's own units.
"""

from __future__ import annotations

from collections import deque


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


class TokenBucket:
    """`capacity` tokens, full at the start; one comes back every `refill_ns`."""

    def __init__(self, capacity: int, refill_ns: int) -> None:
        self.capacity = capacity
        self.refill_ns = refill_ns
        self._tokens = capacity
        self._since_ns = 0

    def tokens(self, now_ns: int) -> int:
        """How many tokens there are now."""
        if self._tokens >= self.capacity:
            return self.capacity
        refilled = (now_ns - self._since_ns) // self.refill_ns
        if refilled > 0:
            self._tokens = min(self.capacity, self._tokens + refilled)
            self._since_ns += refilled * self.refill_ns
        return self._tokens

    def take(self, count: int, now_ns: int) -> bool:
        """Take `count` tokens now if they are there, and say whether they were."""
        available = self.tokens(now_ns)
        if count > available:
            return False
        if available == self.capacity:
            self._since_ns = now_ns
        self._tokens = available - count
        return True

    def wait_ns(self, count: int, now_ns: int) -> int | None:
        """How long until `count` tokens are there: 0 for now, None for never (they are more than the capacity)."""
        missing = count - self.tokens(now_ns)
        if missing <= 0:
            return 0
        if count > self.capacity:
            return None
        return self._since_ns + missing * self.refill_ns - now_ns
