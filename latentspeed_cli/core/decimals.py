"""The one place where text becomes a Decimal and a Decimal becomes text."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation
from functools import lru_cache

ZERO = Decimal(0)
MAX_DIGITS = 40
# Exact by construction: an operation that would have to round raises instead of changing money.
EXACT = Context(prec=120, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation, DivisionByZero, Inexact])
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
# What venues send: too short to need too many digits.
_SHORT = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
# How many numbers are kept: most of a book's are in its next message again.
REMEMBERED = 2**14


@lru_cache(REMEMBERED)
def parse(text: str) -> Decimal:
    """The number that `text` spells.

    Accepts ASCII digits with an optional sign, point and exponent ("1e-3" is 0.001). Raises ValueError for anything
    else (NaN, infinities, underscores, commas, hexadecimal, other scripts' digits) and for numbers that need more than
    40 digits written out plainly.
    """
    if _SHORT.fullmatch(text) is not None:
        return Decimal(text)
    if len(text) > 4 * MAX_DIGITS or _NUMBER.fullmatch(text) is None:
        raise ValueError(f"not a decimal number: {text[:60]!r}")
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # the pattern admits finite numbers only
    integer_digits = max(value.adjusted() + 1, 1)
    if integer_digits + max(-exponent, 0) > MAX_DIGITS:
        raise ValueError(f"number needs more than {MAX_DIGITS} digits: {text[:60]!r}")
    return value


@lru_cache(REMEMBERED)
def plain(value: Decimal) -> str:
    """`value` without exponent, without superfluous zeros, "0" for zero."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps. step > 0."""
    return not EXACT.remainder(value, step)


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`. step > 0."""
    rest = EXACT.remainder(value, step)
    if rest < 0:
        rest = EXACT.add(rest, step)
    return EXACT.subtract(value, rest)


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`. step > 0."""
    rest = EXACT.remainder(value, step)
    if rest > 0:
        rest = EXACT.subtract(rest, step)
    return EXACT.subtract(value, rest)


def significant(value: Decimal) -> int:
    """How many significant figures `value` has, without trailing zeros: 1200 has 2, 0.0120 has 2, 0 has 0."""
    digits = "".join(map(str, value.as_tuple().digits)).strip("0")
    return len(digits)
