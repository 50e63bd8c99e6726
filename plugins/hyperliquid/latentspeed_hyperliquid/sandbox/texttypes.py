"""Addresses and client order ids as text: what is accepted, and its canonical form."""

from __future__ import annotations

from .numbers import ShapeError

HEX = frozenset("0123456789abcdef")


def address(text: str) -> str:
    """Lower case with 0x. Accepts upper-case digits and a missing 0x, as the venue does."""
    digits = (text[2:] if text.startswith("0x") else text).lower()
    if len(digits) != 40 or not HEX.issuperset(digits):
        raise ShapeError(text)
    return "0x" + digits


def cloid(text: str) -> str:
    """Lower case with 0x, 32 hex digits."""
    digits = (text[2:] if text.startswith("0x") else text).lower()
    if len(digits) != 32 or not HEX.issuperset(digits):
        raise ShapeError(text)
    return "0x" + digits
