"""Inbox: the bounded queue between a socket that must be read and a reader who may be slow."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from ..clock import NS_PER_S, Clock
from ..connector.streams import Channel, Control, ControlKind
from ..core.market_data import (
    BestBidOffer,
    Candle,
    MarketContext,
    MidPrice,
    OrderBookDiff,
    OrderBookSnapshot,
    PublicTrade,
)

# Of these only the latest matters: one that still waits may be replaced.
_LATEST = (OrderBookSnapshot, BestBidOffer, MidPrice, MarketContext, Candle)

# A reader who is no more than so many items behind gets every one of them.
BEHIND = 64
TELL_EVERY_NS = NS_PER_S


class _Cell(msgspec.Struct):
    """One place in the queue. key: under which it can be replaced. must_arrive: it may not be dropped."""

    item: object
    key: object = None
    must_arrive: bool = False


class Inbox:
    """Items in the order of their arrival; of each kind at most about `limit` wait.

    Market data that is superseded while it waits is replaced once the reader is behind, and a CONFLATED control says
    how often; trades and book changes beyond the limit are dropped,
    and one GAP control stands where they are missing. Everything else is private or about the stream itself and is
    never dropped: whoever puts it waits for room instead (`has_room`, `room`).
    """

    def __init__(self, clock: Clock, *, limit: int) -> None:
        self._clock = clock
        self._limit = limit
        self._behind = min(BEHIND, limit)
        self._cells: deque[_Cell] = deque()
        self._replaceable: dict[object, _Cell] = {}
        self._must_arrive = 0
        self._failure: BaseException | None = None
        self._put = asyncio.Event()
        self._taken = asyncio.Event()
        self._untold = 0  # replaced since the reader was last told
        self._told_ns = 0

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def is_behind(self) -> bool:
        """Whether more waits for the reader than a moment brings."""
        return len(self._cells) >= self._behind

    @property
    def has_room(self) -> bool:
        """Whether there is room for what must not be dropped."""
        return self._must_arrive < self._limit

    async def room(self) -> None:
        """Return when there is room."""
        while not self.has_room:
            self._taken.clear()
            await self._taken.wait()

    def put(self, item: object) -> None:
        """Take an item, at once."""
        if isinstance(item, _LATEST):
            key = (type(item), item.trading_pair, item.open_ts_ns if isinstance(item, Candle) else None)
            self._add_or_replace(key, item)
        elif not isinstance(item, (PublicTrade, OrderBookDiff)):
            # What came before a control is not replaced by what came after it.
            self._replaceable.clear()
            self._must_arrive += 1
            self._add(_Cell(item, must_arrive=True))
        elif len(self._cells) < self._limit:
            self._add(_Cell(item))
        else:
            self._leave_gap(Channel.TRADES if isinstance(item, PublicTrade) else Channel.BOOK, item)

    def fail(self, error: BaseException) -> None:
        """Nothing comes any more; `get` raises this when all is taken."""
        self._failure = error
        self._put.set()

    async def get(self) -> object:
        """The next item, waiting for it."""
        if self._untold and (not self._cells or self._clock.now_ns() - self._told_ns >= TELL_EVERY_NS):
            return self._replaced()
        while not self._cells:
            if self._failure is not None:
                raise self._failure
            self._put.clear()
            await self._put.wait()
        cell = self._cells.popleft()
        if cell.key is not None and self._replaceable.get(cell.key) is cell:
            del self._replaceable[cell.key]
        if cell.must_arrive:
            self._must_arrive -= 1
            self._taken.set()
        return cell.item

    def _add(self, cell: _Cell) -> None:
        self._cells.append(cell)
        self._put.set()

    def _add_or_replace(self, key: object, item: object) -> None:
        cell = self._replaceable.get(key)
        if cell is not None and self.is_behind:
            cell.item = item
            self._untold += 1
            return
        cell = self._replaceable[key] = _Cell(item, key)
        self._add(cell)

    def _replaced(self) -> Control:
        """How many items were replaced by later ones before the reader took them."""
        count, self._untold, self._told_ns = self._untold, 0, self._clock.now_ns()
        times = "1 update was" if count == 1 else f"{count} updates were"
        return Control(
            kind=ControlKind.CONFLATED,
            ts_ns=self._told_ns,
            detail=f"{times} replaced by later ones: the reader is too slow",
        )

    def _leave_gap(self, channel: Channel, item: PublicTrade | OrderBookDiff) -> None:
        """Say once, where the first of several is missing, that they are."""
        key = (ControlKind.GAP, channel, item.trading_pair)
        if key in self._replaceable:
            return
        cell = self._replaceable[key] = _Cell(
            Control(
                kind=ControlKind.GAP,
                ts_ns=self._clock.now_ns(),
                channel=channel,
                trading_pair=item.trading_pair,
                since_ns=item.ts_ns,
                detail="the reader is too slow",
            ),
            key,
        )
        self._add(cell)
