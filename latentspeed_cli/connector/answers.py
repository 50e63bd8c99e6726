"""What venues answer, as values: JSON shapes, numbers, rows. Whatever makes no sense is a ProtocolError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from ..core.decimals import parse
from ..errors import ProtocolError

MAX_TIME_NS = 2**63 - 1  # what a journal can hold: a moment of the year 2262
T = TypeVar("T")
Row = TypeVar("Row")


@lru_cache(maxsize=128)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def shape(body: bytes | msgspec.Raw, kind: Any) -> Any:
    """`body` as a value of `kind`. Raises ProtocolError when it is not JSON of that shape."""
    try:
        return _decoder(kind).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"an answer of the venue makes no sense: {error}", payload=bytes(body)) from None


def number(text: str) -> Decimal:
    """A finite decimal number. Raises ProtocolError."""
    try:
        return parse(text)
    except ValueError as error:
        raise ProtocolError(f"an answer of the venue makes no sense: {error}", payload=text) from None


def size(text: str) -> Decimal:
    """An amount of an order or a fill, whose side is told apart. Raises ProtocolError for one below zero."""
    found = number(text)
    if found < 0:
        raise ProtocolError("an answer of the venue makes no sense: a size below zero", payload=text)
    return found


def optional(text: str | None) -> Decimal | None:
    """A number that may be missing."""
    return None if text is None else number(text)


def each(rows: Iterable[Row], convert: Callable[[Row], T]) -> Iterator[T]:
    """Every row that converts, then ProtocolError for the first that did not: one bad row does not hide the others."""
    first: ProtocolError | None = None
    for row in rows:
        try:
            value = convert(row)
        except ProtocolError as error:
            first = first or error
            continue
        yield value
    if first is not None:
        raise first


def kept(values: Iterator[T]) -> tuple[T, ...]:
    """The values before a ProtocolError; raises it when there are none."""
    found: list[T] = []
    try:
        for value in values:
            found.append(value)
    except ProtocolError:
        if not found:
            raise
    return tuple(found)
