"""UserStreamTracker: private news into the ledger as it arrives, and what was missed fetched after a connect or a gap.

The order on every socket: all acknowledgements (CONNECTED, RECONNECTED), then open orders and fills since the last
news minus an overlap, then BACKFILLED, then live. A little later the fills are read again, since a venue's list may be
behind its stream. Fills are passed on once, whichever way they came. All news says when the frame or the reply that
told it was received, however long it waited for its turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from contextlib import aclosing
from operator import attrgetter
from typing import TypeVar

import msgspec

from ..clock import NS_PER_S, Clock
from ..core.account import Balance, FundingPayment, Liquidation, Position, Transfer
from ..core.in_flight_order import InFlightOrder
from ..core.order_state import Facts
from ..core.reports import OrderUpdate, TradeUpdate
from ..errors import LatentspeedError, StreamLost
from .finder import Finder
from .ledger import Ledger
from .reader import Reader
from .reconciler import OVERLAP_NS, Reconciler
from .streams import Channel, Control, ControlKind, DataSource, SnapshotEnd, StreamTransport, Subscription

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_SEEN_FILLS = 20_000
MAX_SHOWN_ORDERS = 10_000
PRIVATE = frozenset({Channel.ORDERS, Channel.FILLS, Channel.POSITIONS, Channel.BALANCES, Channel.EVENTS})
# How long after a backfill the fills are read again: what the list did not show then, no frame tells any more.
LOOK_AGAIN_S = (3.0, 15.0)
# So long the fills of an order are looked for that has ended, and of which a list of them tells less than was executed.
INCOMPLETE_S = 120.0
_BACKFILLED_AFTER = frozenset({ControlKind.CONNECTED, ControlKind.RECONNECTED, ControlKind.GAP})
_STATE_CHANNELS = (Channel.ORDERS, Channel.FILLS)


_END = object()


class _LookAgain:
    """It is time to read the fills once more."""


class _Heard(msgspec.Struct, frozen=True):
    """News of a frame, and when that was received."""

    news: object
    received_ns: int


_OF_THE_ACCOUNT = (Position, Balance, FundingPayment, Liquidation, Transfer)
_DATED = (OrderUpdate, TradeUpdate, *_OF_THE_ACCOUNT)


class _DatingSource:
    """A source whose news is `_Heard`: while a backfill is made, frames wait for their turn."""

    def __init__(self, source: DataSource) -> None:
        self._source = source
        self.url = source.url
        self.max_pairs = source.max_pairs
        self.heartbeat = source.heartbeat
        self.heartbeat_s = source.heartbeat_s
        self.dead_after_s = source.dead_after_s

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        return self._source.subscriptions(channels, trading_pairs)

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        for item in self._source.decode(frame, received_ns):
            yield _Heard(item, received_ns) if isinstance(item, _DATED) else item


class UserStreamTracker:
    """One private stream of one account. `run` it once."""

    def __init__(
        self,
        source: DataSource,
        transport: StreamTransport,
        reader: Reader,
        ledger: Ledger,
        reconciler: Reconciler,
        finder: Finder,
        clock: Clock,
    ) -> None:
        self._source = source
        self._transport = transport
        self._reader = reader
        self._ledger = ledger
        self._reconciler = reconciler
        self._finder = finder
        self._clock = clock
        self._seen_fills: dict[str, None] = {}
        self._shown: dict[str, int] = {}  # what was passed on of an order, as told_by gives it
        self._since_ns = 0
        self._is_from_now = True
        self._last_news_ns = 0
        self._heard_ns = 0  # when the frame or the reply was received whose news is being told
        self._snapshot_read = False
        self._was_behind = False  # at the latest backfill: orders may have come and ended before it
        # Believed open and not listed, at the latest backfill, or told to have ended in words that leave open how.
        self._doubtful: set[str] = set()
        self._looks_at: list[float] = []  # when to look again, on the loop's clock
        # What to look at: until when, on the loop's clock, and from which venue time on. One for each backfill.
        self._to_look_at: list[tuple[float, int]] = []
        self.is_ready = False

    async def run(
        self, channels: Sequence[Channel], trading_pairs: Sequence[str] = (), *, since_ns: int | None = None
    ) -> AsyncGenerator[object, None]:
        """News of `channels`, all markets or the given ones, and Controls.

        ORDERS gives InFlightOrders, whenever what is known about one grew, and at the start those that are open; FILLS
        gives TradeUpdates, each once; other channels what the source decodes. since_ns: give fills from this venue
        time on; None is from now on. Raises StreamLost when what was missed cannot be fetched, and what the transport
        raises.
        """
        await self._reader.markets()
        now_ns = self._clock.now_ns()
        self._since_ns = now_ns if since_ns is None else since_ns
        self._is_from_now = since_ns is None
        self._last_news_ns = min(self._since_ns, now_ns)
        wanted = frozenset(channels)
        subscribed = tuple(dict.fromkeys((*_STATE_CHANNELS, *channels)))
        pairs = frozenset(trading_pairs)
        source = _DatingSource(self._source)
        transport = self._transport.run((source, source.subscriptions(subscribed, trading_pairs)))
        async with aclosing(transport) as frames, aclosing(self._with_looks(frames)) as items:
            async for item in items:
                async for news in self._take(item):
                    if _is_wanted(news, wanted, pairs):
                        yield news

    async def _with_looks(self, items: AsyncGenerator[object, None]) -> AsyncGenerator[object, None]:
        """`items`, and in between a _LookAgain whenever it is time for one."""
        loop = asyncio.get_running_loop()
        coming: asyncio.Task[object] | None = None
        try:
            while True:
                if coming is None and not self._looks_at:
                    item = await anext(items, _END)
                else:
                    if coming is None:  # a generator cannot be asked with a timeout: that would end it
                        coming = asyncio.create_task(_next(items))
                    left_s = max(self._looks_at[0] - loop.time(), 0.0) if self._looks_at else None
                    await asyncio.wait([coming], timeout=left_s)
                    if not coming.done():
                        self._looks_at.pop(0)
                        yield _LookAgain()
                        continue
                    item, coming = coming.result(), None
                if item is _END:
                    return
                yield item
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])

    async def _take(self, item: object) -> AsyncIterator[object]:
        self._heard_ns = self._clock.now_ns()
        if isinstance(item, _Heard):
            self._heard_ns, item = item.received_ns, item.news
        if isinstance(item, _LookAgain):
            async for news in self._look_again():
                yield news
        elif isinstance(item, Control):
            if item.kind in (ControlKind.STALE, ControlKind.CLOSED):
                self.is_ready = False
            yield item
            if item.kind in _BACKFILLED_AFTER:
                async for news in self._backfill(is_first=item.kind is ControlKind.CONNECTED):
                    yield news
        elif isinstance(item, SnapshotEnd):
            self._snapshot_read = self._snapshot_read or item.channel is Channel.FILLS
            yield Control(kind=ControlKind.SNAPSHOT, ts_ns=self._clock.now_ns(), channel=item.channel)
        elif isinstance(item, OrderUpdate | TradeUpdate):
            self._last_news_ns = max(self._last_news_ns, item.ts_ns)
            live = isinstance(item, OrderUpdate) or self._snapshot_read
            for news in self._learn([item], live=live):
                yield news
        elif isinstance(item, _OF_THE_ACCOUNT):
            yield msgspec.structs.replace(item, received_ts_ns=self._heard_ns)
        else:
            yield item

    async def _backfill(self, *, is_first: bool) -> AsyncIterator[object]:
        """Ask for everything that may have been missed since the last news, or was to be looked at again.

        Orders of other programs and runs that came and ended meanwhile are in no list of open ones; a reader who
        follows from now on has not missed those of before the first connection.
        """
        began_s, since_ns = asyncio.get_running_loop().time(), max(self._last_news_ns - OVERLAP_NS, 0)
        self._to_look_at.append((began_s + LOOK_AGAIN_S[-1], since_ns))
        since_ns = self._look_from_ns()
        try:
            open_orders = await self._heard(self._reader.open_orders())
            listed_ns = self._heard_ns
            fills = await self._heard(self._reader.fills(since_ns))
            for news in self._learn(fills, live=False):
                yield news
            self._heard_ns = listed_ns
            for news in self._learn(open_orders, live=False):
                yield news
            for order in self._missing(open_orders):
                asked = await self._heard(self._reconciler.refresh(order))
                for news in (*self._fills_of(asked), *self._changed([asked])):
                    yield news
            self._was_behind = not (is_first and self._is_from_now)
            ended = await self._heard(self._reader.ended_orders(since_ns)) if self._was_behind else ()
            for news in self._learn(self._unheard(ended), live=False):
                yield news
            for news in self._changed(self._untold([*fills, *ended])):
                yield news
            for news in self._learnt_otherwise():
                yield news
            self._doubtful = {order.client_order_id for order in self._missing(open_orders)}
        except LatentspeedError as error:
            raise StreamLost(f"what was missed could not be fetched: {error}", hint="start the stream again") from error
        self.is_ready = True
        self._looked(began_s)
        now_s = asyncio.get_running_loop().time()
        self._looks_at = [now_s + after_s for after_s in LOOK_AGAIN_S]
        yield Control(kind=ControlKind.BACKFILLED, ts_ns=self._clock.now_ns(), since_ns=since_ns)

    async def _look_again(self) -> AsyncIterator[object]:
        """Pass on what was not in the lists yet: fills, orders of other programs and runs that came and ended, the ends
        of orders that were in no list. That it cannot be read now is no trouble of the stream.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            # Without anything to look at, the look before this one came late enough for both.
            fills = await self._heard(self._reader.fills(self._look_from_ns())) if self._to_look_at else ()
            asks_ends = self._was_behind or any(self._ledger.match(fill) is None for fill in fills)
            is_due = asks_ends and bool(self._to_look_at)
            ended = await self._heard(self._reader.ended_orders(self._look_from_ns())) if is_due else ()
            to_ask = (*self._still_doubtful(), *self._incomplete())
            asked = [await self._heard(self._reconciler.refresh(order)) for order in to_ask]
        except LatentspeedError as error:
            log.info("fills could not be read again", extra={"error": str(error)})
            self._look_after(LOOK_AGAIN_S[-1])
            return
        for news in self._learn([*fills, *self._unheard(ended)], live=False):
            yield news
        for news in self._changed(self._untold([*fills, *ended])):
            yield news
        for order in asked:
            for news in (*self._fills_of(order), *self._changed([order])):
                yield news
        for news in self._learnt_otherwise():
            yield news
        self._doubtful = {order.client_order_id for order in self._still_doubtful()}
        self._looked(began_s)
        if self._incomplete():
            self._look_after(LOOK_AGAIN_S[-1])

    async def _heard(self, reading: Awaitable[T]) -> T:
        """What was read; it is news of this moment."""
        found = await reading
        self._heard_ns = self._clock.now_ns()
        return found

    def _doubt(self, order: InFlightOrder) -> None:
        """A venue's last word was heard. Where the order has not ended by it, as an immediate one that is called filled
        and was in part, and no fill comes that says more, it has to be asked for.
        """
        if order.is_done:
            return
        self._doubtful.add(order.client_order_id)
        self._look_after(LOOK_AGAIN_S[0])

    def _look_after(self, seconds: float) -> None:
        """Look then, unless some other look is later still."""
        at_s = asyncio.get_running_loop().time() + seconds
        if not self._looks_at or self._looks_at[-1] < at_s:
            self._looks_at.append(at_s)

    def _unheard(self, ended: Sequence[OrderUpdate]) -> list[OrderUpdate]:
        """Of these ends, those of orders that we believed open, and of unknown ones since the time the reader named."""
        known = [(update, self._ledger.match(update)) for update in ended]
        return [
            update
            for update, order in known
            if (update.ts_ns >= self._since_ns if order is None else not order.is_done)
        ]

    def _untold(self, items: Sequence[OrderUpdate | TradeUpdate]) -> list[InFlightOrder]:
        """Of the orders that these are about, those that have ended, and of which this stream never told: another run
        has written all of it down while the stream was away.
        """
        late = [self._ledger.match(item) for item in items if item.ts_ns >= self._since_ns]
        found = {order.client_order_id: order for order in late if order is not None and order.is_done}
        return [order for name, order in found.items() if name not in self._shown]

    def _learnt_otherwise(self) -> Iterator[object]:
        """Orders that were passed on, and of which this run has learnt more since then in another way: whoever asks for
        one order reads the fills of all.
        """
        for name, told in list(self._shown.items()):
            order = self._ledger.tracker.get(name)
            if order is not None and told_by(order.facts) != told:
                yield from self._fills_of(order)
                yield from self._changed([order])

    def _still_doubtful(self) -> list[InFlightOrder]:
        return [order for order in self._ledger.tracker.open_orders() if order.client_order_id in self._doubtful]

    def _incomplete(self) -> list[InFlightOrder]:
        """Orders that were passed on as ended not long ago, and of which fills are missing."""
        tracker, since_ns = self._ledger.tracker, self._clock.now_ns() - int(INCOMPLETE_S * NS_PER_S)
        known = [order for name in self._shown if (order := tracker.get(name)) is not None]
        return [one for one in known if one.is_done and not one.fills_complete and one.updated_ts_ns >= since_ns]

    def _look_from_ns(self) -> int:
        return min(from_ns for _, from_ns in self._to_look_at)

    def _looked(self, at_s: float) -> None:
        """Fills were read at that time. A backfill that follows soon after another puts off no look at what that one
        read: each is looked at until its time is over.
        """
        self._to_look_at = [(until_s, from_ns) for until_s, from_ns in self._to_look_at if at_s < until_s]

    def _missing(self, open_orders: Sequence[OrderUpdate]) -> list[InFlightOrder]:
        """Orders that we believed open and the venue does not list: each has to be asked for."""
        listed = {update.exchange_order_id for update in open_orders}
        return [
            order
            for order in self._ledger.tracker.open_orders()
            if order.exchange_order_id is not None and order.exchange_order_id not in listed
        ]

    def _learn(self, items: Sequence[OrderUpdate | TradeUpdate], *, live: bool) -> Iterator[object]:
        """Write news down, and pass on what is news to the reader of this stream.

        live: not part of a snapshot or a backfill, so it happened just now, whatever its time says.
        """
        for item in items:
            before = self._ledger.match(item)
            if before is None and isinstance(item, OrderUpdate):
                self._finder.take_up([item])
            self._ledger.record([item])
            if isinstance(item, TradeUpdate) and self._is_first(item) and (live or item.ts_ns >= self._since_ns):
                yield self._finder.named([item])[0]
            order = self._ledger.match(item)
            if live and isinstance(item, OrderUpdate) and item.evidence is not None and order is not None:
                self._doubt(order)
            if order is not None and (live or not order.is_done or before is None or before.facts != order.facts):
                yield from self._changed([order])

    def _fills_of(self, order: InFlightOrder) -> Iterator[TradeUpdate]:
        """Fills that were read when the order was asked for, later than the list of all of them."""
        for fill in sorted(order.facts.fills.values(), key=lambda fill: fill.ts_ns):
            if fill.ts_ns >= self._since_ns and self._is_first(fill):
                yield self._finder.named([fill])[0]

    def _changed(self, orders: Iterable[InFlightOrder]) -> Iterator[InFlightOrder]:
        """Orders of which more is known than when they were last passed on."""
        for order in orders:
            told = told_by(order.facts)
            if self._shown.pop(order.client_order_id, None) != told:
                yield msgspec.structs.replace(order, received_ts_ns=self._heard_ns)
            self._shown[order.client_order_id] = told
            if len(self._shown) > MAX_SHOWN_ORDERS:
                del self._shown[next(iter(self._shown))]

    def _is_first(self, fill: TradeUpdate) -> bool:
        if fill.fill_id in self._seen_fills:
            return False
        if len(self._seen_fills) >= MAX_SEEN_FILLS:
            del self._seen_fills[next(iter(self._seen_fills))]
        self._seen_fills[fill.fill_id] = None
        return True


_OTHER_FACTS = attrgetter(*(name for name in Facts.__struct_fields__ if name != "fills"))


def told_by(facts: Facts) -> int:
    """What a reader is told by these facts, in a number: a long stream sees many orders. When a fill came to this
    machine is no part of it: a list that is read again says the same fills once more.
    """
    fills = [msgspec.structs.replace(fill, received_ts_ns=None) for fill in facts.fills.values()]
    return hash((_OTHER_FACTS(facts), frozenset(fills)))


async def _next(items: AsyncGenerator[object, None]) -> object:
    return await anext(items, _END)


def _is_wanted(news: object, channels: frozenset[Channel], pairs: frozenset[str]) -> bool:
    if isinstance(news, Control):
        return news.channel is None or news.channel in channels
    trading_pair = getattr(news, "trading_pair", None)
    if pairs and trading_pair is not None and trading_pair not in pairs:
        return False
    if isinstance(news, InFlightOrder):
        return Channel.ORDERS in channels
    if isinstance(news, TradeUpdate):
        return Channel.FILLS in channels
    return True
