"""Nonces that only grow: the next one is the time, or one more than the last when the clock has not moved on.

The same holds for numbers that a venue counts itself: then what it expects stands in the place of the time.
"""

from __future__ import annotations


def next_nonce(last: int | None, least: int) -> int:
    """The nonce after `last` of the same signer. least: Unix time in milliseconds, or what the venue expects."""
    return least if last is None else max(last + 1, least)
