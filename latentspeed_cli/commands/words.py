"""Words that several verbs share -> values. A word that is none of ours is exit 2."""

from __future__ import annotations

from datetime import UTC, datetime

from ..clock import NS_PER_S
from ..config import parse_duration
from ..core.types import TradeType
from ..core.words import nearest
from ..errors import UsageError

MAX_LIMIT = 100_000


def side_of(text: str | None) -> TradeType | None:
    """buy or sell."""
    if text is None:
        return None
    for side in TradeType:
        if side.value == text:
            return side
    raise UsageError(f"--side: {text[:60]!r} is not known", hint=nearest(text, [side.value for side in TradeType]))


def count_of(text: str | None, what: str) -> int | None:
    """A whole number above zero."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:12]) <= MAX_LIMIT):
        raise UsageError(f"{what}: {text[:60]!r} is not a whole number from 1 to {MAX_LIMIT:,}")
    return int(text)


def moment_of(text: str | None, what: str, *, now_ns: int) -> int | None:
    """Unix nanoseconds of a time such as 2026-11-26T09:00:00Z (UTC where nothing is said), or of so long ago."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now_ns - int(parse_duration(text, what) * NS_PER_S)
        except UsageError:
            hint = "a time such as 2026-11-26T09:00:00Z, or how long ago, such as 24h"
            raise UsageError(f"{what}: {text[:60]!r} is not a time", hint=hint) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NS_PER_S + moment.microsecond * 1000
