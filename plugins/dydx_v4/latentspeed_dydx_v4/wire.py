"""How the indexer spells counts and times. Whatever makes no sense is a ProtocolError."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from latentspeed_cli.connector.answers import MAX_TIME_NS
from latentspeed_cli.errors import ProtocolError

NS_PER_MS = 1_000_000
NS_PER_US = 1_000
MAX_COUNT = 2**64 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def count(value: str | int) -> int:
    """A height or another whole number that is not negative. Raises ProtocolError."""
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) <= MAX_COUNT):
        raise ProtocolError("an answer of the venue makes no sense: a count that is none", payload=text)
    return int(text)


def count_32(value: str | int) -> int:
    """The same where the chain has 32 bits for it, as for what names an order. Raises ProtocolError."""
    found = count(value)
    if found >= 2**32:
        raise ProtocolError("an answer of the venue makes no sense: a number of more than 32 bits", payload=str(value))
    return found


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
