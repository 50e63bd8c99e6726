"""An order's way to the venue, and what it may come to there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...connector.perpetual import PerpetualDerivativeBase
from ...core.events import OrderCompletedEvent, OrderCreatedEvent, OrderEvent, OrderFilledEvent
from ...core.in_flight_order import InFlightOrder, OrderIntent
from ...core.types import OrderState, OrderType, TimeInForce, TradeType
from ...errors import EndedShort, OrderRejected
from .expect import becomes, equal, holds
from .ground import Ground

AT_ONCE_S = 0.05


async def c07_an_order_is_tracked_before_anything_is_sent(ground: Ground) -> None:
    """buy() returns an id at once, and under it the order is known, while nothing has reached the venue yet.

    Holds: tracking starts before the call of the venue.
    """
    async with ground.trader() as trader:
        await trader.markets()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        resting = ground.resting()
        client_order_id = trader.buy(
            ground.pair, ground.amount, price_expression=resting.price_expression, post_only=resting.post_only
        )
        took_s = loop.time() - began_s
        order = trader.order(client_order_id)
        holds("buy() waited", took_s < AT_ONCE_S, took_s)
        equal("state", order and order.state, OrderState.PENDING_CREATE)
        equal("requests sent", ground.sent(), 0)
        await becomes("the order", _state_of(trader, client_order_id), lambda state: state is OrderState.OPEN)
        equal("requests sent", ground.sent(), 1)


async def c08_an_intent_is_on_disk_before_it_is_sent(ground: Ground) -> None:
    """While the request is held up on its way, another program of the same machine finds the order, and it is
    PENDING_SUBMIT.

    Holds: the intent is durable before a byte leaves.
    """
    async with ground.trader() as trader:
        await trader.place_order(ground.resting(TradeType.SELL))  # whatever has to be read first is known from here
        ground.trouble("delay_request", seconds=0.5)
        client_order_id = trader.submit(ground.resting())
        async with ground.trader(sign=False) as other:
            found = await becomes("the journal", lambda: other.known(client_order_id), lambda order: order is not None)
            equal("state", found and found.state, OrderState.PENDING_SUBMIT)
        await becomes("the order", _state_of(trader, client_order_id), lambda state: state is OrderState.OPEN)


async def c09_an_order_goes_by_its_client_id(ground: Ground) -> None:
    """The id that was chosen names the order in memory, in the journal and at the venue, and the venue's own ids lead
    to the same order.

    Holds: the client order id is the primary key.
    """
    async with ground.trader() as trader:
        order = (await trader.place_order(ground.resting(), client_order_id="case-09")).order
        equal("id", order.client_order_id, "case-09")
        holds("it has the venue's ids", order.exchange_order_id and order.venue_client_id, order)
        twin = trader.venue_client_id("case-09", network=order.network, account=order.account)
        equal("the venue's twin of the id", order.venue_client_id, twin)
        for text in ("case-09", "case", str(order.exchange_order_id)):
            found = await trader.find(text)
            equal(f"found by {text}", found and found.client_order_id, "case-09")


async def c10_a_post_only_order_rests(ground: Ground) -> None:
    """It is OPEN, nothing of it is executed, and the venue lists it as it was sent.

    Holds: what is reported is what the venue has.
    """
    async with ground.trader() as trader:
        outcome = await trader.place_order(ground.resting())
        order = outcome.order
        equal("outcome", (outcome.outcome, outcome.error), ("accepted", None))
        equal("state", (order.state, order.may_be_live, order.executed_amount), (OrderState.OPEN, True, 0))
        [listed] = await ground.at_venue(trader, 1)
        sent = (order.client_order_id, order.side, order.amount, order.price)
        equal("as listed", (listed.client_order_id, listed.side, listed.amount, listed.price), sent)


async def c11_a_post_only_order_never_takes(ground: Ground) -> None:
    """Priced to cross, it is refused by the venue, or before it is sent where there is no such order; either way
    nothing is executed and nothing rests. The same while the private stream is followed, which may be quicker.

    Holds: exit 4, nothing is live.
    """
    intent = ground.intent(price_expression="mid+1%", post_only=True)
    async with ground.trader() as trader:
        if not ground.can("post_only"):
            await ground.refused(trader, intent)
            return
        await _check_turned_away(ground, trader, intent)
        await trader.keep_up()
        await becomes("the private stream", lambda: trader.is_ready, bool)
        await _check_turned_away(ground, trader, intent)


async def c12_an_immediate_order_that_meets_nobody_expires(ground: Ground) -> None:
    """It ends EXPIRED, with evidence, a reason, and exit 20; nothing rests.

    Holds: evidence on every final state, and exit codes that promise what is live.
    """
    async with ground.trader() as trader:
        intent = ground.intent(price_expression="mid-1%", tif=TimeInForce.IOC)
        if not ground.can("ioc"):
            await ground.refused(trader, intent)
            return
        outcome = await trader.place_order(intent)
        holds("it ended short", isinstance(outcome.error, EndedShort), outcome)
        equal("state", outcome.order.state, OrderState.EXPIRED)
        equal("reason", outcome.order.reason, "ioc_unmatched")
        holds("evidence", outcome.order.evidence)
        await ground.at_venue(trader, 0)


async def c13_a_market_order_fills(ground: Ground) -> None:
    """It is FILLED for its whole size, at an average within its bound, with fees, by fills that explain all of it.

    Holds: amounts, fees and averages come from fills only.
    """
    async with ground.trader() as trader:
        if not ground.can("market"):
            await ground.refused(trader, ground.market())
            return
        outcome = await trader.place_order(ground.market(), wait="filled")
        order = outcome.order
        equal("outcome", (outcome.outcome, outcome.error), ("accepted", None))
        equal("state", order.state, OrderState.FILLED)
        equal("executed", (order.executed_amount, order.fills_complete), (order.amount, True))
        holds("within its bound", (order.average_price or 0) <= (order.price or 0), order.average_price, order.price)
        holds("a fee is known", order.fees, order.fees)
        holds("evidence", order.evidence)


async def c14_a_part_that_was_taken_stays_taken(ground: Ground) -> None:
    """Another account takes a part of a resting order, and the rest is cancelled: PARTIALLY_FILLED, then CANCELLED with
    the part still executed.

    Holds: executed never falls.
    """
    async with ground.trader() as trader:
        order = await ground.partly_filled(trader)
        equal("state", order.state, OrderState.PARTIALLY_FILLED)
        taken = order.executed_amount
        outcome = await trader.cancel(order)
        equal("after the cancel", (outcome.order.state, outcome.error), (OrderState.CANCELLED, None))
        equal("executed", outcome.order.executed_amount, taken)


async def c15_events_tell_each_thing_once(ground: Ground) -> None:
    """Listeners hear that an order was created, of each of its fills, and that it was completed, in this order and
    once, however often the venue tells it.

    Holds: each fill is journaled and told once.
    """
    heard: list[OrderEvent] = []
    async with ground.trader() as trader:
        trader.add_listener(OrderEvent, heard.append)
        await trader.keep_up()
        await becomes("the private stream", lambda: trader.is_ready, bool)
        client_order_id = trader.buy(ground.pair, ground.amount, OrderType.MARKET)
        await becomes("the order", _state_of(trader, client_order_id), lambda state: state is OrderState.FILLED)
        order = await trader.refresh(_known(trader, client_order_id))
        await asyncio.sleep(0.3)
    told = [event for event in heard if event.order.client_order_id == client_order_id]
    kinds = [
        type(event) for event in told if isinstance(event, OrderCreatedEvent | OrderFilledEvent | OrderCompletedEvent)
    ]
    fills = [event.trade for event in told if isinstance(event, OrderFilledEvent)]
    equal("created", kinds.count(OrderCreatedEvent), 1)
    equal("completed", kinds.count(OrderCompletedEvent), 1)
    equal("created comes first", kinds[0], OrderCreatedEvent)
    equal("fills told", sum(fill.amount for fill in fills), order.executed_amount)
    equal("fills told twice", len(fills), len({fill.fill_id for fill in fills}))


async def c16_a_dry_run_sends_nothing(ground: Ground) -> None:
    """All checks are made, the request is shown without a signature, and nothing is tracked, written or sent.

    Holds: a dry run leaves no trace.
    """
    async with ground.trader() as trader:
        outcome = await trader.dry_run(ground.resting(), client_order_id="case-16")
        equal("outcome", outcome.outcome, "dry_run")
        holds("the request", outcome.request)
        holds("a signature", "signature" not in str(outcome.request), outcome.request)
        equal("known", (trader.known("case-16"), trader.order("case-16")), (None, None))
        equal("requests sent", ground.sent(), 0)


def _known(trader: PerpetualDerivativeBase, client_order_id: str) -> InFlightOrder:
    order = trader.order(client_order_id)
    if order is None:
        raise AssertionError(f"order {client_order_id} is not tracked")
    return order


def _state_of(trader: PerpetualDerivativeBase, client_order_id: str) -> Callable[[], OrderState]:
    return lambda: _known(trader, client_order_id).state


async def _check_turned_away(ground: Ground, trader: PerpetualDerivativeBase, intent: OrderIntent) -> None:
    outcome = await trader.place_order(intent)
    holds("it is refused", isinstance(outcome.error, OrderRejected), outcome)
    order = outcome.order
    holds("it has ended", order.is_done and not order.may_be_live, order.state)
    equal("executed", order.executed_amount, 0)
    holds("evidence", order.evidence)
    await ground.at_venue(trader, 0)
