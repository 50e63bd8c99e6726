"""How the indexer spells things: JSON shapes, numbers, counts, times. Whatever makes no sense is a ProtocolError."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from latentspeed_cli.core.decimals import parse
from latentspeed_cli.errors import ProtocolError

NS_PER_MS = 1_000_000
NS_PER_US = 1_000
MAX_COUNT = 2**64 - 1
MAX_TIME_NS = 2**63 - 1  # in the year 2262
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

T = TypeVar("T")
Row = TypeVar("Row")


@lru_cache(maxsize=64)
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
    return None if text is None else number(text)


def count(value: str | int) -> int:
    """A height or another whole number that is not negative. Raises ProtocolError."""
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) <= MAX_COUNT):
        raise ProtocolError("an answer of the venue makes no sense: a count that is none", payload=text)
    return int(text)


def time_ns(text: str) -> int:
    """Unix nanoseconds of an ISO 8601 time with its zone. Raises ProtocolError, also for what no journal could hold."""
    try:
        found = (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND * NS_PER_US
    except (ValueError, TypeError, OverflowError):  # a time without a zone cannot be compared with one that has it
        found = -1
    if not 0 <= found <= MAX_TIME_NS:
        raise ProtocolError("an answer of the venue makes no sense: a time that is none", payload=text)
    return found


def iso(ts_ns: int) -> str:
    """`ts_ns` as the indexer's parameters want it, in whole milliseconds, rounded up."""
    moment = _EPOCH + timedelta(milliseconds=-(-ts_ns // NS_PER_MS))
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


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
