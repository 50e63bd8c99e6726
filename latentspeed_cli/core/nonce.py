"""Nonces that only grow: the next one is the time, or one more than the last when the clock has not moved on.

The same holds for numbers that a venue counts itself: then what it expects stands in the place of the time.
"""

from __future__ import annotations

# No venue takes a time that is so far ahead: one that was handed out by a clock that was years off must not count, or
# nothing could be signed for these years.
MAX_AHEAD_MS = 24 * 3600 * 1000


def next_nonce(last: int | None, least: int) -> int:
    """The nonce after `last` of the same signer. least: Unix time in milliseconds, or what the venue expects."""
    return least if last is None else max(last + 1, least)


def next_time(last: int | None, now_ms: int) -> int:
    """The nonce after `last` where nonces are times."""
    is_nonsense = last is not None and last > now_ms + MAX_AHEAD_MS
    return next_nonce(None if is_nonsense else last, now_ms)
