"""Nonces that only grow: the next one is the time, or one more than the last when the clock has not moved on."""

from __future__ import annotations


def next_nonce(last: int | None, now_ms: int) -> int:
    """The nonce after `last` of the same signer. now_ms: Unix time in milliseconds."""
    return now_ms if last is None else max(last + 1, now_ms)
