"""Decimal strings and integers. Prices and sizes are integers of 1e-8, dollars integers of 1e-6.

On a perp, price decimals plus size decimals are at most six, so price x size is a whole number of 1e-6 dollars.
"""

from __future__ import annotations

E8 = 100_000_000
E6 = 1_000_000


class ShapeError(Exception):
    """The request does not have the shape the endpoint takes: HTTP 422."""


def parse_decimal(text: str, decimals: int = 8) -> int:
    """ "0.0147" -> 1470000. Raises ShapeError for signs, exponents, empty text and more than `decimals` decimals."""
    whole, point, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if not whole.isascii() or not whole.isdecimal() or (point and text[-1] == ".") or len(whole) > 20:
        raise ShapeError(text)
    if fraction and not (fraction.isascii() and fraction.isdecimal() and len(fraction) <= decimals):
        raise ShapeError(text)
    return int(whole + fraction.ljust(decimals, "0"))


def wire(value: int, decimals: int = 8) -> str:
    """The canonical form that is hashed: no superfluous zeros, no trailing point."""
    text = shown(value, decimals)
    return text[:-2] if text.endswith(".0") else text


def shown(value: int, decimals: int = 8) -> str:
    """The form in answers: always at least one decimal, no zeros beyond that."""
    if value < 0:
        return "-" + shown(-value, decimals)
    whole, fraction = divmod(value, 10**decimals)
    return f"{whole}.{str(fraction).zfill(decimals).rstrip('0') or '0'}"


def dollars(value: int) -> str:
    """Dollars of 1e-6 as text."""
    return shown(value, 6)


def notional(price: int, size: int) -> int:
    """price x size (both 1e-8) in dollars of 1e-6, toward zero."""
    return price * size // 10_000_000_000


def toward_zero(numerator: int, denominator: int) -> int:
    """Integer division that truncates; the denominator is positive."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


def nearest(numerator: int, denominator: int) -> int:
    """Integer division that rounds to nearest, halves away from zero; the denominator is positive."""
    half = denominator // 2
    return (numerator + half) // denominator if numerator >= 0 else -((half - numerator) // denominator)
