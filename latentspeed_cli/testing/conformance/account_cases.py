"""The account: its private stream, orders of other programs, positions and fills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal

from ...connector.streams import Channel, Control, ControlKind
from ...core.in_flight_order import InFlightOrder
from ...core.reports import TradeUpdate
from ...core.types import OrderState, TradeType
from ...errors import OrderRefused
from .expect import becomes, equal, eventually, holds, raises
from .ground import OTHER, Ground


async def c42_the_private_stream_tells_a_life_in_its_order(ground: Ground) -> None:
    """Another run of the program hears that an order is OPEN, then that it is CANCELLED, each once.

    Holds: private events are never dropped.
    """
    async with ground.trader() as trader, _listening(ground) as heard:
        order = (await trader.place_order(ground.resting())).order
        await trader.cancel(order)
        await heard.until(order, OrderState.CANCELLED)
        told = [state for state in heard.told(order) if state in (OrderState.OPEN, OrderState.CANCELLED)]
        equal("states told", told, [OrderState.OPEN, OrderState.CANCELLED])


async def c43_a_stream_that_was_cut_misses_nothing(ground: Ground) -> None:
    """The line breaks, and an order is placed before it is back: the stream says that it was gone, and tells of the
    order.

    Holds: after a reconnect everything that happened meanwhile is fetched.
    """
    async with ground.trader() as trader, _listening(ground) as heard:
        ground.control("disconnect")
        order = (await trader.place_order(ground.resting())).order
        await heard.until(order, OrderState.OPEN)
        await heard.until_said(ControlKind.RECONNECTED)
        await trader.cancel(order)
        await heard.until(order, OrderState.CANCELLED)
        equal("told once each", len(heard.told(order)), len(set(heard.told(order))))


async def c44_fills_are_streamed_as_they_are_read(ground: Ground) -> None:
    """The fills of a market order come over the stream, and a later reading gives the very same ones, with our id.

    Holds: the journal's fills are the venue's.
    """
    async with ground.trader() as trader, _listening(ground, Channel.FILLS) as heard:
        order = (await trader.place_order(ground.market(), wait="filled")).order

        def streamed() -> dict[str, Decimal]:
            return {fill.fill_id: fill.amount for fill in heard.fills if _is_of(fill, order)}

        told = await becomes("streamed", streamed, lambda fills: sum(fills.values()) == order.amount)
        read = [fill for fill in await trader.fills(since_ns=order.created_ts_ns - 10**10) if _is_of(fill, order)]
        equal("read", {fill.fill_id: fill.amount for fill in read}, told)
        equal("whose", {fill.client_order_id for fill in read}, {order.client_order_id})


async def c45_an_order_of_another_program_is_external(ground: Ground) -> None:
    """It is listed and marked as external, under an id that is none of ours, and can be ended all the same.

    Holds: an order is never taken for one of ours.
    """
    async with ground.trader() as trader, ground.trader(program="elsewhere") as other:
        theirs = (await other.place_order(ground.resting())).order
        [listed] = await ground.at_venue(trader, 1)
        equal("external", listed.is_external, True)
        equal("the venue's id", listed.exchange_order_id, theirs.exchange_order_id)
        holds("an id of ours", listed.client_order_id != theirs.client_order_id, listed.client_order_id)
        equal("as sent", (listed.side, listed.amount, listed.price), (theirs.side, theirs.amount, theirs.price))
        equal("ended", (await trader.cancel(listed)).order.state, OrderState.CANCELLED)
        equal("as they see it", (await other.refresh(theirs)).state, OrderState.CANCELLED)


async def c46_an_order_is_found_when_the_journal_is_lost(ground: Ground) -> None:
    """A program without the journal finds the order by its client id, as its own; the same command is replayed, and
    nothing is sent.

    Holds: one venue order per id, for ever.
    """
    async with ground.trader() as trader, ground.trader(program="elsewhere") as other:
        order = (await trader.place_order(ground.resting(), client_order_id="case-46")).order
        sent = ground.sent()
        again = await other.place_order(ground.resting(), client_order_id="case-46")
        equal("again", (again.replayed, again.order.exchange_order_id), (True, order.exchange_order_id))
        equal("whose", again.order.is_external, False)
        equal("requests sent", ground.sent(), sent)


async def c47_an_id_that_nobody_gave_is_not_found(ground: Ground) -> None:
    """Neither by client id nor by what looks like one of the venue's, and asking sends nothing.

    Holds: "not found" is an empty answer, never a failure.
    """
    async with ground.trader() as trader:
        order = (await trader.place_order(ground.resting())).order
        sent = ground.sent()
        equal("by client id", await trader.find("case-47-was-never-placed"), None)
        equal("by the venue's id", await trader.find(_unused(order.exchange_order_id or "")), None)
        equal("requests sent", ground.sent(), sent)


async def c48_accounts_do_not_see_each_other(ground: Ground) -> None:
    """An order of one account is neither listed nor found by the id in another one.

    Holds: an order is never taken for one of ours.
    """
    async with ground.trader() as trader, ground.trader(OTHER, program="elsewhere") as other:
        order = (await trader.place_order(ground.resting(), client_order_id="case-48")).order
        await ground.at_venue(other, 0)
        equal("found by the other", await other.find("case-48"), None)
        equal("found by us", (await ground.at_venue(trader, 1))[0].client_order_id, order.client_order_id)


async def c49_position_fills_and_order_tell_the_same(ground: Ground) -> None:
    """After a market order the position has changed by its amount, the fees of the fills are the order's, and the
    account is worth what it was, but for fees and the market's moves.

    Holds: units are the same everywhere.
    """
    async with ground.trader() as trader:
        before, state = await ground.position(trader), await trader.account_state()
        order = (await trader.place_order(ground.market(TradeType.SELL), wait="filled")).order

        async def grown() -> Decimal:
            return await ground.position(trader) - before

        await eventually("the position changed by", grown, lambda amount: amount == -order.amount)
        fills = [fill for fill in await trader.fills(since_ns=order.created_ts_ns - 10**10) if _is_of(fill, order)]
        equal("fees", sum(fill.fee for fill in fills), sum(order.fees.values()))
        after = await trader.account_state()
        holds("balances", after.balances and all(balance.total >= 0 for balance in after.balances), after.balances)
        drift = abs(after.account_value - state.account_value)
        holds("account value", drift < state.account_value / 20, state.account_value, after.account_value)


async def c50_leverage_is_set_and_read(ground: Ground) -> None:
    """What was set is what is read afterwards; more than the market allows is refused before it is sent.

    Holds: what is reported is what the venue has.
    """
    async with ground.trader() as trader:
        most = (await trader.reader.market(ground.pair)).max_leverage
        await raises(OrderRefused, trader.set_leverage(ground.pair, most + 1))
        equal("requests sent", ground.sent(), 0)
        if ground.can("leverage"):
            await trader.set_leverage(ground.pair, 3)

            async def leverage() -> tuple[Decimal, str]:
                return await trader.get_leverage(ground.pair)

            await eventually("leverage", leverage, lambda found: found == (Decimal(3), "cross"))


class _Heard:
    """What a stream of the account has told so far."""

    def __init__(self) -> None:
        self.orders: list[InFlightOrder] = []
        self.fills: list[TradeUpdate] = []
        self.controls: list[ControlKind] = []

    def hear(self, item: object) -> None:
        if isinstance(item, InFlightOrder):
            self.orders.append(item)
        elif isinstance(item, TradeUpdate):
            self.fills.append(item)
        elif isinstance(item, Control):
            self.controls.append(item.kind)

    def told(self, order: InFlightOrder) -> list[OrderState]:
        return [item.state for item in self.orders if item.exchange_order_id == order.exchange_order_id]

    async def until(self, order: InFlightOrder, state: OrderState) -> None:
        """Wait until the last that was told of the order is `state`."""
        await becomes("states told", lambda: self.told(order), lambda told: told[-1:] == [state])

    async def until_said(self, kind: ControlKind) -> None:
        await becomes("controls", lambda: self.controls, lambda kinds: kind in kinds)


@asynccontextmanager
async def _listening(ground: Ground, *channels: Channel) -> AsyncIterator[_Heard]:
    """A second run of the program that follows the account, once it is up to date."""
    heard = _Heard()
    async with ground.trader(sign=False) as watcher:

        async def follow() -> None:
            async with aclosing(watcher.stream(channels or (Channel.ORDERS,))) as items:
                async for item in items:
                    heard.hear(item)

        following = asyncio.create_task(follow())
        try:
            await heard.until_said(ControlKind.BACKFILLED)
            yield heard
            if following.done():
                following.result()
        finally:
            following.cancel()


def _is_of(fill: TradeUpdate, order: InFlightOrder) -> bool:
    return fill.exchange_order_id == order.exchange_order_id


def _unused(exchange_order_id: str) -> str:
    """What looks like one of the venue's ids and is none: far above this one where they count, else of another end."""
    if exchange_order_id.isdecimal():
        return str(int(exchange_order_id) + 10**9)
    head, end = exchange_order_id[:-8], exchange_order_id[-8:]
    return head + end.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
