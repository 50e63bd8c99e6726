"""OrderBookTracker: keeps books from a public stream, and passes on what may be relied on."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from ..clock import NS_PER_S, Clock
from ..core.market_data import OrderBookDiff, OrderBookSnapshot
from ..core.order_book import BookChange, BookProblem, OrderBook
from ..core.pricing import BookTop
from ..errors import ProtocolError
from .reader import Reader
from .streams import Channel, Control, ControlKind, Conversation, DataSource, SnapshotEnd, StreamTransport

log = logging.getLogger(__name__)

STALE_AFTER_NS = 60 * NS_PER_S
_BOOKS = (OrderBookSnapshot, OrderBookDiff)
_BREAKS = frozenset({ControlKind.RECONNECTED, ControlKind.STALE, ControlKind.CLOSED, ControlKind.GAP})


class OrderBookTracker:
    """Books by trading pair, as one public stream tells them.

    A crossed or empty book is never passed on: a GAP control names it, once until it is good again. After a gap or a
    lost connection the books of the affected markets are dropped until the next snapshot.
    """

    def __init__(
        self, source: Callable[[], DataSource], transport: StreamTransport, reader: Reader, clock: Clock
    ) -> None:
        self._source = source
        self._transport = transport
        self._reader = reader
        self._clock = clock
        self._books: dict[str, OrderBook] = {}
        self._bad: set[str] = set()
        # Which channels of which trading pairs are not connected at present; everything, before the first word.
        self._down: set[tuple[Channel | None, str | None]] = {(None, None)}

    @property
    def is_ready(self) -> bool:
        """Connected, and every book that was heard of can be relied on."""
        return not self._down and not self._bad

    def top(self, trading_pair: str) -> BookTop | None:
        """The top of a book that can be relied on, or None."""
        book = self._books.get(trading_pair)
        if book is None or self._problem(book, self._clock.now_ns()) is not None:
            return None
        return book.top()

    async def run(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> AsyncGenerator[object, None]:
        """Items of the channels and Controls, for as long as the caller asks. Raises what the transport raises."""
        async with aclosing(self._transport.run(*self._conversations(channels, trading_pairs))) as items:
            async for item in items:
                for passed in self._take(item):
                    yield passed

    def _conversations(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> list[Conversation]:
        """As many connections as the venue's limit asks for."""
        source = self._source()
        size = source.max_pairs
        shares = [trading_pairs[start : start + size] for start in range(0, len(trading_pairs), size)] or [()]
        sources = [source, *(self._source() for _ in shares[1:])]
        return [(one, one.subscriptions(channels, share)) for one, share in zip(sources, shares, strict=True)]

    def _take(self, item: object) -> Sequence[object]:
        if isinstance(item, _BOOKS):
            return self._take_book(item)
        if isinstance(item, SnapshotEnd):
            return (
                Control(
                    kind=ControlKind.SNAPSHOT,
                    ts_ns=self._clock.now_ns(),
                    channel=item.channel,
                    trading_pair=item.trading_pair,
                ),
            )
        if isinstance(item, Control):
            self._note(item)
        return (item,)

    def _take_book(self, item: OrderBookSnapshot | OrderBookDiff) -> Sequence[object]:
        now_ns = self._clock.now_ns()
        book = self._books.get(item.trading_pair)
        if book is None:
            book = self._books[item.trading_pair] = OrderBook(item.trading_pair)
        try:
            if isinstance(item, OrderBookSnapshot):
                change = book.apply_snapshot(item, received_ns=now_ns)
            else:
                change = book.apply_diff(item, received_ns=now_ns)
        except ProtocolError as error:  # one bad message costs its book, not the stream
            log.warning("a message about a book makes no sense", extra={"error": str(error)})
            book.drop()
            change = BookChange.GAP
        if change is BookChange.OLD:
            return ()
        problem = BookProblem.MISSING if change is BookChange.GAP else self._problem(book, now_ns)
        if problem is None:
            self._bad.discard(item.trading_pair)
            self._reader.note_top(item.trading_pair, book.top())
            return (item if isinstance(item, OrderBookSnapshot) else book.snapshot(),)
        if item.trading_pair in self._bad:
            return ()
        self._bad.add(item.trading_pair)
        return (
            Control(
                kind=ControlKind.GAP,
                ts_ns=now_ns,
                channel=Channel.BOOK,
                trading_pair=item.trading_pair,
                detail=f"the book is {problem.value}",
            ),
        )

    def _note(self, control: Control) -> None:
        if control.kind in (ControlKind.CONNECTED, ControlKind.RECONNECTED):
            self._down -= {(None, None), (control.channel, control.trading_pair)}
        elif control.kind is ControlKind.CLOSED:
            self._down.add((control.channel, control.trading_pair))
        if control.kind in _BREAKS and control.channel in (None, Channel.BOOK):
            self._reader.drop_tops()
            for trading_pair, book in self._books.items():
                if control.trading_pair in (None, trading_pair):
                    book.drop()

    def _problem(self, book: OrderBook, now_ns: int) -> BookProblem | None:
        return book.problem(now_ns=now_ns, stale_after_ns=STALE_AFTER_NS)
