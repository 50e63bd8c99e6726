"""Streams: acknowledged, then backfilled, then live; each fill once; bad books never passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from latentspeed_cli.connector import user_stream_tracker
from latentspeed_cli.connector.listeners import ConnectorErrorEvent
from latentspeed_cli.connector.reader import Reader
from latentspeed_cli.connector.streams import (
    Channel,
    Control,
    ControlKind,
    Conversation,
    SnapshotEnd,
    Subscription,
)
from latentspeed_cli.core.account import Balance
from latentspeed_cli.core.events import OrderCancelledEvent
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.market_data import OrderBookSnapshot, PriceLevel
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.reports import OrderUpdate, TradeUpdate
from latentspeed_cli.core.types import OrderState, TradeType
from latentspeed_cli.errors import CredentialError, LatentspeedError, StreamLost, UsageError

from .conftest import Rig
from .venue import PAIR, Fault, TinyConnector, TinyOrder, limit, market, order_update, trade_update

Step = object | Callable[[], object] | Exception


class Source:
    """Says what to subscribe to; frames are of no concern here."""

    url = heartbeat = ""
    heartbeat_s = dead_after_s = 1.0
    max_pairs = 2

    def __init__(self) -> None:
        self.asked: list[tuple[Channel, ...]] = []
        self.pairs: list[tuple[str, ...]] = []

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        self.asked.append(tuple(channels))
        self.pairs.append(tuple(trading_pairs))
        return [Subscription(key=channel.value, message="", channel=channel) for channel in channels]

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        raise NotImplementedError


class Line:
    """A stream transport that plays a script. A callable is called when its turn comes, and gives one or more items."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.closed = False

    async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
        self.conversations = conversations
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                said = step() if callable(step) else step
                for item in said if isinstance(said, list) else [said]:
                    yield item
        finally:
            self.closed = True


def control(kind: ControlKind, **more: Any) -> Control:
    return Control(kind=kind, ts_ns=1, **more)


CONNECTED = control(ControlKind.CONNECTED)
RECONNECTED = control(ControlKind.RECONNECTED)
SNAPSHOT_OF_FILLS = SnapshotEnd(Channel.FILLS)


def streaming(rig: Rig, *steps: Step, **more: Any) -> tuple[TinyConnector, Source, Line]:
    source, line = Source(), Line(*steps)
    connector = rig.connector(
        streams=lambda: line,
        order_book_source=lambda symbols: source,
        user_stream_source=lambda symbols: source,
        **more,
    )
    return connector, source, line


async def collect(connector: TinyConnector, *channels: Channel, **more: Any) -> list[object]:
    async with connector:
        return [item async for item in connector.stream(channels, **more)]


def kinds(items: list[object]) -> list[object]:
    """Controls by their kind, orders by their state, fills by their id."""
    short: list[object] = []
    for item in items:
        if isinstance(item, Control):
            short.append(item.kind)
        elif isinstance(item, InFlightOrder):
            short.append(item.state)
        elif isinstance(item, TradeUpdate):
            short.append(item.fill_id)
        else:
            short.append(type(item))
    return short


async def put(rig: Rig, **more: Any) -> InFlightOrder:
    """An order that another run places."""
    async with rig.connector() as connector:
        return (await connector.place_order(limit(**more))).order


def tell(rig: Rig, oid: str) -> Callable[[], object]:
    return lambda: order_update(rig.venue.describe(rig.venue.orders[oid]))


def execute(rig: Rig, oid: str, amount: str, *, told: bool = True) -> Callable[[], object]:
    def do() -> object:
        rig.venue.fill(rig.venue.orders[oid], Decimal(amount), Decimal(95))
        return [trade_update(rig.venue.fills[-1])] if told else []

    return do


# Orders and fills


async def test_what_another_run_does_is_seen_live_and_written_down(rig: Rig) -> None:
    order = await put(rig)

    def end() -> object:
        rig.venue.orders["1"].status = "cancelled"
        return tell(rig, "1")()

    connector, source, line = streaming(rig, CONNECTED, end)
    items = await collect(connector, Channel.ORDERS)
    assert kinds(items) == [ControlKind.CONNECTED, OrderState.OPEN, ControlKind.BACKFILLED, OrderState.CANCELLED]
    assert {item.client_order_id for item in items if isinstance(item, InFlightOrder)} == {order.client_order_id}
    stored = rig.journal().order(order.client_order_id)
    assert stored is not None
    assert stored.state is OrderState.CANCELLED
    assert source.asked == [(Channel.ORDERS, Channel.FILLS)], "states need both, whatever is shown"
    assert line.closed


async def test_news_that_says_nothing_new_is_not_repeated(rig: Rig) -> None:
    await put(rig)
    connector, _, _ = streaming(rig, CONNECTED, tell(rig, "1"), tell(rig, "1"), execute(rig, "1", "1"), tell(rig, "1"))
    items = await collect(connector, Channel.ORDERS)
    # The fill completes it; the venue's word for that adds evidence, and is told once.
    assert kinds(items)[:3] == [ControlKind.CONNECTED, OrderState.OPEN, ControlKind.BACKFILLED]
    assert kinds(items)[3:] == [OrderState.FILLED, OrderState.FILLED]


def test_when_a_fill_came_here_is_nothing_new_about_an_order() -> None:
    def told(*, received_ts_ns: int, price: str = "95", accepted: bool = True) -> int:
        fill = TradeUpdate(
            fill_id="f1",
            exchange_order_id="1",
            trading_pair="BTC-USD",
            side=TradeType.BUY,
            price=Decimal(price),
            amount=Decimal(1),
            fee=Decimal(0),
            fee_currency="USDC",
            ts_ns=1,
            received_ts_ns=received_ts_ns,
        )
        return user_stream_tracker.told_by(Facts(fills={"f1": fill}, executed=Decimal(1), accepted=accepted))

    assert told(received_ts_ns=5) == told(received_ts_ns=9)
    other = (told(received_ts_ns=5, price="96"), told(received_ts_ns=5, accepted=False))
    assert len({told(received_ts_ns=5), *other}) == 3


class Telling(Source):
    """Whose frames hold what they are told to."""

    def __init__(self, news: Callable[[int], list[object]]) -> None:
        super().__init__()
        self._news = news

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        yield from self._news(received_ns)


async def test_news_says_when_its_frame_came_however_long_it_waited(rig: Rig) -> None:
    await put(rig)
    held = Balance(currency="USDC", total=Decimal(1), available=None)

    def news(received_ns: int) -> list[object]:
        rig.venue.fill(rig.venue.orders["1"], Decimal("0.3"), Decimal(95))
        fill = msgspec.structs.replace(trade_update(rig.venue.fills[-1]), received_ts_ns=received_ns)
        rig.venue.orders["1"].status = "cancelled"
        return [fill, order_update(rig.venue.describe(rig.venue.orders["1"])), held]

    class Busy(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            ((source, _),) = conversations
            yield CONNECTED
            yield SNAPSHOT_OF_FILLS
            came_ns.append(rig.clock.now_ns())
            waiting = list(source.decode("", came_ns[0]))
            rig.clock.advance(5)  # a backfill was made
            for item in waiting:
                yield item

    came_ns: list[int] = []
    connector = rig.connector(streams=Busy, user_stream_source=lambda symbols: Telling(news))
    items = await collect(connector, Channel.ORDERS, Channel.FILLS, Channel.BALANCES)
    told = [item for item in items if isinstance(item, InFlightOrder | TradeUpdate | Balance)][1:]
    assert {type(item) for item in told} == {InFlightOrder, TradeUpdate, Balance}
    assert {item.received_ts_ns for item in told} == set(came_ns)


async def test_what_a_reply_told_came_with_the_reply(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order of the list comes with the list, although fills are read after it."""
    await put(rig)
    read = Reader.fills

    async def slowly(self: Reader, since_ns: int, until_ns: int | None = None) -> tuple[TradeUpdate, ...]:
        rig.clock.advance(5)
        return await read(self, since_ns, until_ns)

    monkeypatch.setattr(Reader, "fills", slowly)
    listed_ns = rig.clock.now_ns()
    connector, _, _ = streaming(rig, CONNECTED)
    items = await collect(connector, Channel.ORDERS)
    (order,) = [item for item in items if isinstance(item, InFlightOrder)]
    assert order.received_ts_ns is not None
    assert listed_ns <= order.received_ts_ns < listed_ns + 1_000_000_000 < rig.clock.now_ns()


async def test_fills_are_told_once_whichever_way_they_come(rig: Rig) -> None:
    await put(rig)
    fill = execute(rig, "1", "0.3")

    def again() -> object:
        return trade_update(rig.venue.fills[-1])

    steps = (CONNECTED, SNAPSHOT_OF_FILLS, fill, again, RECONNECTED, again, SNAPSHOT_OF_FILLS, again)
    connector, _, _ = streaming(rig, *steps)
    items = await collect(connector, Channel.FILLS)
    fills = [item for item in items if isinstance(item, TradeUpdate)]
    assert [item.fill_id for item in fills] == ["f1"]
    assert fills[0].client_order_id is not None
    assert len(rig.journal().fills()) == 1


async def test_old_fills_of_a_snapshot_are_no_news(rig: Rig) -> None:
    await put(rig)
    execute(rig, "1", "0.3")()
    rig.clock.advance(1)
    connector, _, _ = streaming(
        rig, CONNECTED, lambda: trade_update(rig.venue.fills[0]), SNAPSHOT_OF_FILLS, execute(rig, "1", "0.2")
    )
    items = await collect(connector, Channel.FILLS)
    assert kinds(items) == [ControlKind.CONNECTED, ControlKind.BACKFILLED, ControlKind.SNAPSHOT, "f2"]


async def test_a_cursor_gets_what_happened_since(rig: Rig) -> None:
    await put(rig)
    execute(rig, "1", "0.1")()
    rig.clock.advance(100)
    since_ns = rig.clock.now_ns()
    execute(rig, "1", "0.2")()
    rig.clock.advance(100)
    connector, _, _ = streaming(rig, CONNECTED, SNAPSHOT_OF_FILLS)
    items = await collect(connector, Channel.FILLS, since_ns=since_ns)
    assert kinds(items) == [ControlKind.CONNECTED, "f2", ControlKind.BACKFILLED, ControlKind.SNAPSHOT]


async def test_what_was_missed_is_fetched_before_it_goes_on(rig: Rig) -> None:
    await put(rig)
    connector, _, _ = streaming(
        rig,
        CONNECTED,
        SNAPSHOT_OF_FILLS,
        execute(rig, "1", "0.3", told=False),
        control(ControlKind.CLOSED),
        execute(rig, "1", "0.7", told=False),
        RECONNECTED,
    )
    items = await collect(connector, Channel.ORDERS, Channel.FILLS)
    after = kinds(items)[kinds(items).index(ControlKind.RECONNECTED) :]
    assert after[0] is ControlKind.RECONNECTED
    assert [item for item in after if isinstance(item, str)] == ["f1", "f2"]
    assert after[-1] is ControlKind.BACKFILLED
    assert OrderState.FILLED in after


async def test_what_an_unreadable_frame_may_have_held_is_fetched_at_once(rig: Rig) -> None:
    await put(rig)
    fill_unseen = execute(rig, "1", "0.3", told=False)
    connector, _, _ = streaming(rig, CONNECTED, SNAPSHOT_OF_FILLS, fill_unseen, control(ControlKind.GAP))
    told = kinds(await collect(connector, Channel.ORDERS, Channel.FILLS))
    after = told[told.index(ControlKind.GAP) :]
    assert after[0] is ControlKind.GAP
    assert "f1" in after
    assert after[-1] is ControlKind.BACKFILLED


async def test_an_order_that_is_no_longer_listed_is_asked_for(rig: Rig) -> None:
    await put(rig)

    def vanish() -> object:
        rig.venue.orders["1"].status = "cancelled"
        return []

    connector, _, _ = streaming(rig, CONNECTED, vanish, RECONNECTED)
    items = await collect(connector, Channel.ORDERS)
    assert kinds(items)[-3:] == [ControlKind.RECONNECTED, OrderState.CANCELLED, ControlKind.BACKFILLED]


def strange(rig: Rig, oid: str, status: str) -> None:
    """An order that another program places, and that ends at once."""
    rig.venue.orders[oid] = TinyOrder(
        oid=oid,
        cloid=f"strange-{oid}",
        pair=PAIR,
        side="buy",
        amount=Decimal(1),
        price=Decimal(95),
        status="open",
        ts_ns=rig.venue.now_ns(),
        ioc=False,
    )
    if status == "filled":
        rig.venue.fill(rig.venue.orders[oid], Decimal(1), Decimal(95))
    rig.venue.orders[oid].status = status


async def test_orders_of_another_program_that_came_and_ended_while_nobody_listened_are_told(rig: Rig) -> None:
    strange(rig, "1", "cancelled")
    rig.clock.advance(1)

    def meanwhile() -> object:
        strange(rig, "2", "filled")
        strange(rig, "3", "cancelled")
        return control(ControlKind.CLOSED)

    connector, _, _ = streaming(rig, CONNECTED, SNAPSHOT_OF_FILLS, meanwhile, RECONNECTED, RECONNECTED)
    items = await collect(connector, Channel.ORDERS, Channel.FILLS)
    told = [(item.exchange_order_id, item.state) for item in items if isinstance(item, InFlightOrder)]
    assert set(told) == {("2", OrderState.FILLED), ("3", OrderState.CANCELLED)}
    assert [item for item in kinds(items) if isinstance(item, str)] == ["f1"]


@pytest.mark.parametrize("filled", [True, False])
async def test_an_order_that_another_run_placed_and_ended_while_nobody_listened_is_told(rig: Rig, filled: bool) -> None:
    """The journal has all of it already, so nothing about it is new but to the reader of this stream."""
    before = await put(rig, price="90")
    rig.venue.orders["1"].status = "cancelled"
    async with rig.connector() as other:
        await other.refresh(before)
    rig.clock.advance(1)

    class Away(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            yield SNAPSHOT_OF_FILLS
            yield control(ControlKind.CLOSED)
            rig.clock.advance(1)
            async with rig.connector() as other:
                order = (await other.place_order(limit())).order
                if filled:
                    rig.venue.fill(rig.venue.orders["2"], Decimal(1), Decimal(95))
                rig.venue.orders["2"].status = "filled" if filled else "cancelled"
                assert (await other.refresh(order)).is_done
            yield RECONNECTED
            yield RECONNECTED

    connector = rig.connector(streams=Away, user_stream_source=lambda symbols: Source())
    items = await collect(connector, Channel.ORDERS)
    told = [(item.exchange_order_id, item.state) for item in items if isinstance(item, InFlightOrder)]
    assert told == [("2", OrderState.FILLED if filled else OrderState.CANCELLED)]


@pytest.mark.parametrize("filled", [True, False])
async def test_what_this_run_learnt_in_another_way_while_nobody_listened_is_told(rig: Rig, filled: bool) -> None:
    """Also where no list of the venue has the order any more."""
    order = await put(rig)

    class Away(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            yield SNAPSHOT_OF_FILLS
            yield control(ControlKind.CLOSED)
            if filled:
                rig.venue.fill(rig.venue.orders["1"], Decimal(1), Decimal(95))
            rig.venue.orders["1"].status = "filled" if filled else "cancelled"
            assert (await connector.refresh(order)).is_done
            rig.venue.orders.clear()
            yield RECONNECTED
            yield RECONNECTED

    connector = rig.connector(streams=Away, user_stream_source=lambda symbols: Source())
    told = kinds(await collect(connector, Channel.ORDERS, Channel.FILLS))
    news = [item for item in told if not isinstance(item, ControlKind)]
    assert news == ([OrderState.OPEN, "f1", OrderState.FILLED] if filled else [OrderState.OPEN, OrderState.CANCELLED])


async def test_orders_of_another_program_that_ended_before_a_new_cursor_are_no_news(rig: Rig) -> None:
    strange(rig, "1", "filled")
    rig.clock.advance(1)
    connector, _, _ = streaming(rig, CONNECTED, SNAPSHOT_OF_FILLS, RECONNECTED)
    items = await collect(connector, Channel.ORDERS, since_ns=rig.clock.now_ns())
    assert [item for item in items if isinstance(item, InFlightOrder)] == []


async def test_an_order_of_another_program_that_the_lists_show_late_is_told_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_stream_tracker, "LOOK_AGAIN_S", (0.01, 0.03))

    class Quiet(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            await asyncio.Event().wait()

    connector = rig.connector(streams=Quiet, user_stream_source=lambda symbols: Source())
    told: list[object] = []
    async with connector, aclosing(connector.stream((Channel.ORDERS,))) as items:
        async with asyncio.timeout(2):
            async for item in items:
                told += kinds([item])
                if told[-1] is ControlKind.BACKFILLED:
                    strange(rig, "1", "filled")
                if told[-1] is OrderState.FILLED:
                    break
    assert told == [ControlKind.CONNECTED, ControlKind.BACKFILLED, OrderState.FILLED]


async def test_a_list_of_ends_that_was_incomplete_is_read_once_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_stream_tracker, "LOOK_AGAIN_S", (0.01, 0.03))

    class Quiet(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            yield control(ControlKind.CLOSED)
            rig.clock.advance(1)
            strange(rig, "1", "cancelled")
            yield RECONNECTED
            await asyncio.Event().wait()

    connector = rig.connector(streams=Quiet, user_stream_source=lambda symbols: Source())
    whole, asked = connector.reader.ended_orders, []

    async def incomplete_at_first(since_ns: int) -> tuple[OrderUpdate, ...]:
        asked.append(since_ns)
        return () if len(asked) == 1 else await whole(since_ns)

    monkeypatch.setattr(connector.reader, "ended_orders", incomplete_at_first)
    told: list[object] = []
    async with connector, aclosing(connector.stream((Channel.ORDERS,))) as items:
        async with asyncio.timeout(2):
            async for item in items:
                told += kinds([item])
                if told[-1] is OrderState.CANCELLED:
                    break
    assert told[-2:] == [ControlKind.BACKFILLED, OrderState.CANCELLED]


async def test_fills_that_the_list_keeps_back_are_looked_for_until_they_are_all_there(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(rig)
    monkeypatch.setattr(user_stream_tracker, "LOOK_AGAIN_S", (0.01, 0.02))

    class Quiet(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            yield SNAPSHOT_OF_FILLS
            execute(rig, "1", "1", told=False)()
            yield tell(rig, "1")()
            yield control(ControlKind.GAP)
            await asyncio.Event().wait()

    connector = rig.connector(streams=Quiet, user_stream_source=lambda symbols: Source())
    whole, asked = connector.reader.fills, []

    async def behind(since_ns: int, until_ns: int | None = None) -> tuple[TradeUpdate, ...]:
        asked.append(since_ns)
        return () if len(asked) < 9 else await whole(since_ns, until_ns)

    monkeypatch.setattr(connector.reader, "fills", behind)
    told: list[object] = []
    async with connector, aclosing(connector.stream((Channel.ORDERS, Channel.FILLS))) as items:
        async with asyncio.timeout(5):
            async for item in items:
                told += kinds([item])
                if told[-1] == "f1":
                    break
    assert told.index(OrderState.FILLED) < told.index("f1")
    assert told.count(ControlKind.BACKFILLED) == 2


async def test_an_order_whose_end_shows_late_is_asked_for_once_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a chain, where only its last block proves how an order ended that is in no list."""
    monkeypatch.setattr(user_stream_tracker, "LOOK_AGAIN_S", (0.01, 0.03))
    await put(rig)
    rig.venue.hidden.add(rig.venue.orders["1"].cloid)

    class Quiet(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            await asyncio.Event().wait()

    connector = rig.connector(streams=Quiet, user_stream_source=lambda symbols: Source())
    told: list[object] = []
    async with connector, aclosing(connector.stream((Channel.ORDERS,))) as items:
        async with asyncio.timeout(2):
            async for item in items:
                told += kinds([item])
                if told[-1] is ControlKind.BACKFILLED:
                    rig.venue.hidden.clear()
                    rig.venue.orders["1"].status = "cancelled"
                if told[-1] is OrderState.CANCELLED:
                    break
    assert told[-1] is OrderState.CANCELLED


async def test_an_order_that_was_said_to_be_filled_and_is_not_is_asked_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a venue calls an immediate order that was executed in part. Only a question tells how much that was."""
    monkeypatch.setattr(user_stream_tracker, "LOOK_AGAIN_S", (0.01, 0.03))
    rig.venue.depth = Decimal(1)

    class Quiet(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            yield CONNECTED
            rig.lose_next(Fault.LOST_AFTER)
            async with rig.connector() as other:
                assert (await other.place_order(market(amount="3"), timeout_s=0.3)).order.outcome_unknown
            rig.heal()
            yield msgspec.structs.replace(
                order_update(rig.venue.describe(rig.venue.orders["1"])), venue_filled_amount=None
            )
            yield trade_update(rig.venue.fills[0])
            await asyncio.Event().wait()

    connector = rig.connector(streams=Quiet, user_stream_source=lambda symbols: Source())
    told: list[object] = []
    async with connector, aclosing(connector.stream((Channel.ORDERS,))) as items:
        async with asyncio.timeout(2):
            async for item in items:
                told += kinds([item])
                if told[-1] is OrderState.EXPIRED:
                    break
    assert told[-2:] == [OrderState.PARTIALLY_FILLED, OrderState.EXPIRED]


async def test_a_fill_that_shows_when_its_order_is_asked_for_is_told_once(rig: Rig) -> None:
    await put(rig)
    order = rig.venue.orders["1"]

    def vanish() -> object:
        order.status = "cancelled"
        rig.http.seen = show
        return []

    def show(kind: str, body: object) -> None:
        if kind == "status":  # the list of all fills was read before, from a server that lags
            rig.http.seen = None
            rig.venue.fill(order, Decimal("0.3"), Decimal(95))
            order.status = "cancelled"

    def again() -> object:
        return trade_update(rig.venue.fills[-1])

    connector, _, _ = streaming(rig, CONNECTED, SNAPSHOT_OF_FILLS, vanish, RECONNECTED, again)
    told = kinds(await collect(connector, Channel.ORDERS, Channel.FILLS))
    after = told[told.index(ControlKind.RECONNECTED) :]
    assert after == [ControlKind.RECONNECTED, "f1", OrderState.CANCELLED, ControlKind.BACKFILLED]


async def test_a_fill_that_the_list_shows_late_is_told_all_the_same(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame tells of it: it happened before this connection."""
    monkeypatch.setattr(user_stream_tracker, "LOOK_AGAIN_S", (0.01, 0.03))
    await put(rig)

    class Quiet(Line):
        async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
            try:
                yield CONNECTED
                await asyncio.Event().wait()
            finally:
                self.closed = True

    line = Quiet()
    connector = rig.connector(streams=lambda: line, user_stream_source=lambda symbols: Source())
    told: list[object] = []
    async with connector, aclosing(connector.stream((Channel.FILLS,))) as items:
        async with asyncio.timeout(2):
            async for item in items:
                told += kinds([item])
                if told[-1] is ControlKind.BACKFILLED:
                    rig.venue.fill(rig.venue.orders["1"], Decimal("0.3"), Decimal(95))
                if told[-1] == "f1":
                    break
    assert told == [ControlKind.CONNECTED, ControlKind.BACKFILLED, "f1"]
    assert line.closed


async def test_a_backfill_looks_once_more_for_what_the_one_before_it_may_not_have_shown(rig: Rig) -> None:
    """Else every gap would put off the looks at what is older than the latest news, for ever."""
    since_ns = rig.clock.now_ns()
    await put(rig)
    execute(rig, "1", "0.3")()
    rig.venue.hidden.add(rig.venue.orders["1"].cloid)
    rig.clock.advance(100)
    await put(rig)

    def show() -> object:
        rig.venue.hidden.clear()
        return control(ControlKind.GAP)

    connector, _, _ = streaming(rig, CONNECTED, tell(rig, "2"), show)
    told = kinds(await collect(connector, Channel.FILLS, since_ns=since_ns))
    assert told == [
        ControlKind.CONNECTED,
        ControlKind.BACKFILLED,
        ControlKind.GAP,
        "f1",
        ControlKind.BACKFILLED,
    ]


async def test_a_gap_that_cannot_be_fetched_ends_the_stream(rig: Rig) -> None:
    def down() -> object:
        rig.http.faults["open"].extend([Fault.REFUSED] * 9)
        return RECONNECTED

    connector, _, _ = streaming(rig, CONNECTED, down)
    with pytest.raises(StreamLost):
        await collect(connector, Channel.ORDERS)


async def test_an_order_of_another_program_is_shown_and_not_taken_for_ours(rig: Rig) -> None:
    await put(rig)
    journal = rig.journal("another.db")

    def end() -> object:
        rig.venue.orders["1"].status = "cancelled"
        return tell(rig, "1")()

    connector, _, _ = streaming(rig, CONNECTED, end, journal=journal)
    items = await collect(connector, Channel.ORDERS)
    orders = [item for item in items if isinstance(item, InFlightOrder)]
    assert [order.state for order in orders] == [OrderState.OPEN, OrderState.CANCELLED]
    assert all(order.is_external for order in orders)
    assert journal.orders() == []


async def test_only_the_wanted_markets_are_shown(rig: Rig) -> None:
    await put(rig)
    connector, _, _ = streaming(rig, CONNECTED, tell(rig, "1"))
    items = await collect(connector, Channel.ORDERS, trading_pairs=["ETH-USD"])
    assert kinds(items) == [ControlKind.CONNECTED, ControlKind.BACKFILLED]


async def test_private_streams_need_an_account(rig: Rig) -> None:
    connector, _, _ = streaming(rig, CONNECTED, account=None)
    with pytest.raises(CredentialError):
        await collect(connector, Channel.FILLS)


async def test_public_and_private_do_not_mix(rig: Rig) -> None:
    connector, _, _ = streaming(rig, CONNECTED)
    with pytest.raises(UsageError):
        await collect(connector, Channel.FILLS, Channel.BOOK)


# In the background


async def test_keeping_up_tells_listeners_and_makes_ready(rig: Rig) -> None:
    await put(rig)

    def end() -> object:
        rig.venue.orders["1"].status = "cancelled"
        return tell(rig, "1")()

    connector, _, _ = streaming(rig, CONNECTED, end, book(99, 101))
    heard = asyncio.Event()
    async with connector:
        connector.add_listener(OrderCancelledEvent, lambda event: heard.set())
        assert not connector.is_ready
        await connector.keep_up([PAIR])
        await asyncio.wait_for(heard.wait(), 1)
        await asyncio.sleep(0)
        assert connector.status_dict == {"running": True, "markets": True, "streams": True}


async def test_a_lost_stream_is_told_and_breaks_nothing(rig: Rig) -> None:
    connector, _, _ = streaming(rig, CONNECTED, StreamLost("budget spent"))
    told: list[LatentspeedError] = []
    async with connector:
        connector.add_listener(ConnectorErrorEvent, lambda event: told.append(event.error))
        await connector.keep_up()
        await asyncio.sleep(0.05)
        assert (await connector.place_order(limit())).error is None
    assert [type(error) for error in told] == [StreamLost]


# Books


def book(bid: float, ask: float, ts_ns: int = 5) -> OrderBookSnapshot:
    one = Decimal(1)
    return OrderBookSnapshot(
        trading_pair=PAIR,
        ts_ns=ts_ns,
        bids=(PriceLevel(Decimal(str(bid)), one),),
        asks=(PriceLevel(Decimal(str(ask)), one),),
    )


async def test_a_crossed_book_is_named_once_and_never_shown(rig: Rig) -> None:
    connector, _, _ = streaming(
        rig, CONNECTED, book(99, 101), book(102, 101, 6), book(103, 101, 7), book(99, 100, 8), book(98, 99, 2)
    )
    items = await collect(connector, Channel.BOOK, trading_pairs=[PAIR])
    assert kinds(items) == [ControlKind.CONNECTED, OrderBookSnapshot, ControlKind.GAP, OrderBookSnapshot]
    gap = items[2]
    assert isinstance(gap, Control)
    assert (gap.trading_pair, gap.detail) == (PAIR, "the book is crossed")


async def test_a_message_without_sense_costs_its_book_only(rig: Rig) -> None:
    senseless = OrderBookSnapshot(trading_pair=PAIR, ts_ns=6, bids=(PriceLevel(Decimal(-1), Decimal(1)),), asks=())
    connector, _, _ = streaming(rig, CONNECTED, senseless, book(99, 101, 7))
    items = await collect(connector, Channel.BOOK, trading_pairs=[PAIR])
    assert kinds(items) == [ControlKind.CONNECTED, ControlKind.GAP, OrderBookSnapshot]


async def test_a_streamed_book_serves_as_the_reference_for_a_moment(rig: Rig) -> None:
    def fresh() -> object:
        return book(99, 101, rig.clock.now_ns())

    connector, _, _ = streaming(rig, CONNECTED, fresh)
    async with connector:
        async for _ in connector.stream([Channel.BOOK], [PAIR]):
            pass
        await connector.place_order(limit())
        assert rig.http.kinds("book") == []
        rig.clock.advance(3)
        await connector.place_order(limit())
        assert len(rig.http.kinds("book")) == 1


async def test_a_broken_stream_leaves_no_reference_behind(rig: Rig) -> None:
    connector, _, _ = streaming(rig, CONNECTED, lambda: book(99, 101, rig.clock.now_ns()), control(ControlKind.CLOSED))
    async with connector:
        async for _ in connector.stream([Channel.BOOK], [PAIR]):
            pass
        await connector.place_order(market())
        assert len(rig.http.kinds("book")) == 1


async def test_more_markets_than_a_connection_takes_have_several(rig: Rig) -> None:
    connector, source, line = streaming(rig, CONNECTED)
    source.max_pairs = 1
    await collect(connector, Channel.BOOK, trading_pairs=[PAIR, "ETH-USD"])
    assert source.pairs == [(PAIR,), ("ETH-USD",)]
    assert len(line.conversations) == 2
