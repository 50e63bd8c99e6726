"""Integers of the chain and the text they have in the indexer. Nothing here is a float.

Sizes are base quantums, prices subticks, money quote quantums (micro-USDC), rates ppm. An oracle price in the chain's
own exponent is the same integer as a price in subticks, in all markets of the local chain.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
PPM = 1_000_000
USDC_EXPONENT = -6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTEXT = Context(prec=60)
_TWENTY = Decimal(1).scaleb(-20)


def plain(value: int, exponent: int) -> str:
    """value x 10^exponent as a plain decimal: no exponent, no superfluous zeros."""
    if exponent >= 0:
        return str(value * 10**exponent)
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole, fraction = divmod(value, 10**-exponent)
    shown = str(fraction).zfill(-exponent).rstrip("0")
    return f"{sign}{whole}.{shown}" if shown else f"{sign}{whole}" if whole else "0"


def usdc(value: int) -> str:
    return plain(value, USDC_EXPONENT)


def text(value: Decimal) -> str:
    """A Decimal as the indexer writes it: no exponent, no superfluous zeros."""
    shown = format(value.normalize(_CONTEXT), "f")
    return "0" if shown == "-0" else shown


def decimal(value: int, exponent: int) -> Decimal:
    return Decimal(value).scaleb(exponent, _CONTEXT)


def divided(numerator: Decimal, denominator: Decimal) -> Decimal:
    """A quotient with 20 decimals, halves up; zero by zero is zero."""
    if not denominator:
        return Decimal(0)
    with localcontext(_CONTEXT):
        return (numerator / denominator).quantize(_TWENTY, rounding=ROUND_HALF_UP)


def units(given: str, exponent: int) -> int:
    """A decimal string in units of 10^exponent. Raises ValueError when it is not a whole number of them."""
    try:
        value = Decimal(given)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {given!r}") from error
    scaled = value.scaleb(-exponent, _CONTEXT) if value.is_finite() else Decimal("0.5")
    if scaled != scaled.to_integral_value():
        raise ValueError(f"too fine, or not finite: {given!r}")
    return int(scaled)


def ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def iso(ns: int) -> str:
    """2025-12-08T16:11:59.450Z"""
    when = _EPOCH + timedelta(milliseconds=ns // NS_PER_MS)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


def from_iso(given: str) -> int:
    """Nanoseconds of an ISO time; without a zone it is UTC. Raises ValueError."""
    when = datetime.fromisoformat(given)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - _EPOCH) // timedelta(microseconds=1) * 1_000
