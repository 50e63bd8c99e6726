"""What all reads share: their options, the markets that were named, and what happens when the venue is down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from ..clock import SystemClock
from ..core.types import TradeType
from ..errors import CredentialError, OrderRefused, RateLimited, TransportError, UsageError
from .complete import pairs as _pairs
from .complete import sides as _sides
from .words import count_of, moment_of, side_of

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from ..output import Output
    from .call import Call

T = TypeVar("T")

# What a venue that cannot be asked now raises; then some reads have something of their own to show.
DOWN = (TransportError, RateLimited)

Pairs = Annotated[
    list[str] | None, typer.Argument(metavar="[PAIR]...", help="Trading pairs, as BTC-USD.", autocompletion=_pairs)
]
Pair = Annotated[str, typer.Argument(help="Trading pair, as BTC-USD.", autocompletion=_pairs)]
PairOption = Annotated[str | None, typer.Option(help="Only this trading pair.", autocompletion=_pairs)]
SideOption = Annotated[str | None, typer.Option(help="Only buy or sell.", autocompletion=_sides)]
Since = Annotated[str | None, typer.Option(help="Since a time, as 2026-11-26T09:00:00Z, or how long ago, as 24h.")]
Until = Annotated[str | None, typer.Option(help="Until then, the same.")]
Limit = Annotated[str | None, typer.Option(help="At most so many, the latest.")]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted, of rows with a trading pair and a time. names: as a person spelled them, none is all.

    limit: so many of the latest.
    """

    names: tuple[str, ...] = ()
    side: TradeType | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    limit: int | None = None
    now_ns: int

    def latest(self, rows: Sequence[T]) -> Sequence[T]:
        """The last of the rows that are wanted; they are sorted by time."""
        return rows if self.limit is None else rows[-self.limit :]

    def holds(self, trading_pair: str, ts_ns: int, pairs: frozenset[str], side: TradeType | None = None) -> bool:
        """Whether a row is wanted. pairs: the named ones as the venue has them, none is all."""
        return (
            (not pairs or trading_pair in pairs)
            and (self.side is None or side is None or side is self.side)
            and (self.since_ns is None or ts_ns >= self.since_ns)
            and (self.until_ns is None or ts_ns <= self.until_ns)
        )


def filter_of(
    names: Sequence[str] | None = None,
    pair: str | None = None,
    *,
    side: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: str | None = None,
) -> Filter:
    """The options as values. Raises UsageError."""
    now_ns = SystemClock().now_ns()
    found = Filter(
        names=tuple(dict.fromkeys([*(names or ()), *([pair] if pair else ())])),
        side=side_of(side),
        since_ns=moment_of(since, "--since", now_ns=now_ns),
        until_ns=moment_of(until, "--until", now_ns=now_ns),
        limit=count_of(limit, "--limit"),
        now_ns=now_ns,
    )
    if found.since_ns is not None and found.since_ns > (now_ns if found.until_ns is None else found.until_ns):
        end = "now" if found.until_ns is None else "--until"
        raise UsageError(f"--since is later than {end}", hint="24h means 24 hours ago")
    return found


@contextmanager
def progress(output: Output, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """How to say that so many more of `total` are there: a bar on stderr when that is a terminal, else nothing."""
    if not output.shows_progress:
        yield lambda count: None
        return
    from ..live import progress_bar

    with progress_bar(output.stderr, what, total, color=output.color) as advance:
        yield advance


@asynccontextmanager
async def reading(call: Call, *, public: bool) -> AsyncIterator[PerpetualDerivativeBase]:
    """A connector that only asks. public: neither key nor account is looked for; else an account is needed."""
    from ..session import open_connector

    async with open_connector(call.settings, sign=False, public=public, notify=call.output.note) as connector:
        if not public and connector.account is None:
            raise CredentialError("this needs an account, and none is configured", hint="say --account, or add a key")
        yield connector


async def named(connector: PerpetualDerivativeBase, names: Sequence[str]) -> tuple[str, ...]:
    """The trading pairs that were meant, in that order. Raises OrderRefused for one that the venue does not have."""
    return tuple(dict.fromkeys([(await connector.reader.market(name)).trading_pair for name in names]))


async def named_locally(connector: PerpetualDerivativeBase, names: Sequence[str]) -> frozenset[str]:
    """The same while the venue cannot be asked: by what was stored of its markets, else as they were spelled."""
    markets = connector.reader.known_markets or await connector.reader.stored_markets()
    found = set()
    for name in names:
        try:
            found.add(name.upper() if markets is None else markets.symbols.find(name).trading_pair)
        except OrderRefused:
            found.add(name.upper())
    return frozenset(found)


def stale(error: TransportError | RateLimited, source: str) -> TransportError | RateLimited:
    """The reason why what is shown is only our own view of things."""
    error.hint = f"what is shown is {source}, and may be stale"
    return error
