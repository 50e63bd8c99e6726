"""How orders end: cancels, ends of their own, and orders that wait for a price."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from ...connector.parts import OrderOutcome
from ...connector.perpetual import PerpetualDerivativeBase
from ...core.in_flight_order import OrderIntent
from ...core.types import OrderState, OrderType, TimeInForce, TradeType
from ...errors import AlreadyFilled
from .expect import equal, holds
from .ground import Ground

EXPIRES_IN_S = 2
TRIGGERED = tuple(kind for kind in OrderType if kind.has_trigger)


async def c17_a_cancel_ends_an_order(ground: Ground) -> None:
    """It is CANCELLED, with evidence, and the venue lists it no more.

    Holds: evidence on every final state.
    """
    async with ground.trader() as trader:
        outcome = await trader.cancel((await trader.place_order(ground.resting())).order)
        equal("outcome", (outcome.outcome, outcome.error), ("accepted", None))
        equal("state", (outcome.order.state, outcome.order.may_be_live), (OrderState.CANCELLED, False))
        holds("evidence", outcome.order.evidence)
        await ground.at_venue(trader, 0)


async def c18_a_cancel_may_be_repeated(ground: Ground) -> None:
    """The second one finds nothing to do, says so with success, and sends nothing.

    Holds: the same command again is safe.
    """
    async with ground.trader() as trader:
        order = (await trader.cancel((await trader.place_order(ground.resting())).order)).order
        sent = ground.sent()
        again = await trader.cancel(order)
        equal("again", (again.order.state, again.error), (OrderState.CANCELLED, None))
        equal("requests sent", ground.sent(), sent)


async def c19_a_filled_order_cannot_be_cancelled(ground: Ground) -> None:
    """The answer is that it is filled (exit 14), and nothing is sent.

    Holds: exit codes that promise what is live.
    """
    async with ground.trader() as trader:
        if not ground.can("market"):
            await ground.refused(trader, ground.market())
            return
        order = (await trader.place_order(ground.market(), wait="filled")).order
        sent = ground.sent()
        outcome = await trader.cancel(order)
        holds("it is filled", isinstance(outcome.error, AlreadyFilled), outcome)
        equal("requests sent", ground.sent(), sent)


async def c20_an_order_is_cancelled_by_the_venues_id(ground: Ground) -> None:
    """A program that knows nothing but the venue's id finds the order by it and ends it.

    Holds: every order can be ended.
    """
    async with ground.trader() as trader:
        order = (await trader.place_order(ground.resting())).order
        async with ground.trader(program="elsewhere") as other:
            found = await other.find(order.exchange_order_id or "")
            if found is None:
                raise AssertionError(f"nothing is found as {order.exchange_order_id}")
            outcome = await other.cancel(found)
            equal("state", (outcome.order.state, outcome.error), (OrderState.CANCELLED, None))
        equal("as its placer sees it", (await trader.refresh(order)).state, OrderState.CANCELLED)


async def c21_many_cancels_at_once_end_all(ground: Ground) -> None:
    """Six orders, cancelled at the same time: each is CANCELLED.

    Holds: no cancel stands in another's way.
    """
    async with ground.trader() as trader:
        intents = [ground.resting(side) for side in (TradeType.BUY, TradeType.SELL) for _ in range(3)]
        placed = await asyncio.gather(*(trader.place_order(intent) for intent in intents))
        equal("placed", {outcome.order.state for outcome in placed}, {OrderState.OPEN})
        ended = await asyncio.gather(*(trader.cancel(outcome.order) for outcome in placed))
        equal("ended", {outcome.order.state for outcome in ended}, {OrderState.CANCELLED})
        await ground.at_venue(trader, 0)


async def c22_an_order_ends_at_its_own_time(ground: Ground) -> None:
    """One that is to end after two seconds rests, and is EXPIRED a little later with evidence; a venue without such
    orders has them refused before they are sent.

    Holds: every order ends.
    """
    async with ground.trader() as trader:
        intent = ground.resting(tif=TimeInForce.GTD, expire_s=EXPIRES_IN_S)
        if not ground.can("gtd"):
            await ground.refused(trader, intent)
            return
        order = (await trader.place_order(intent)).order
        equal("state", order.state, OrderState.OPEN)
        order = (await trader.wait_for(order, "done")).order
        equal("state", order.state, OrderState.EXPIRED)
        holds("evidence", order.evidence)
        await ground.at_venue(trader, 0)


async def c23_orders_wait_for_their_trigger(ground: Ground) -> None:
    """Every kind with a trigger that the connector offers is OPEN without being executed, and can be cancelled; the
    others are refused before they are sent.

    Holds: what a venue lacks is refused, never imitated.
    """
    async with ground.trader() as trader:
        offered = [kind for kind in TRIGGERED if ground.can(kind.value)]
        intents = [await _triggered(ground, trader, kind) for kind in TRIGGERED]
        for intent in intents:
            if intent.order_type not in offered:
                await ground.refused(trader, intent)

        async def life(intent: OrderIntent) -> OrderOutcome:
            order = (await trader.place_order(intent)).order
            equal(f"{intent.order_type.value}", (order.state, order.executed_amount), (OrderState.OPEN, 0))
            return await trader.cancel(order)

        ended = await asyncio.gather(*(life(intent) for intent in intents if intent.order_type in offered))
        for outcome in ended:
            equal(f"{outcome.order.order_type.value}", outcome.order.state, OrderState.CANCELLED)


async def _triggered(ground: Ground, trader: PerpetualDerivativeBase, kind: OrderType) -> OrderIntent:
    """A buy whose trigger is far from the market: above it for a stop, below for taking a profit."""
    mid = (await trader.book(ground.pair)).bids[0].price
    factor = Decimal("1.05") if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else Decimal("0.95")
    trigger = trader.quantize_order_price(ground.pair, mid * factor, TradeType.BUY)
    price = trigger if kind.has_limit else None
    return ground.intent(order_type=kind, trigger_price=trigger, price=price)
