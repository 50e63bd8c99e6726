"""What is refused before anything is sent, and what a refusal says."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ...core.decimals import plain
from ...core.guards import Guards
from ...core.types import OrderState, OrderType, TimeInForce, TradeType
from ...errors import GuardRefused, OrderRefused, RateLimited, UsageError
from .expect import equal, holds, raises
from .ground import Ground


async def c34_times_in_force_are_kept_or_refused(ground: Ground) -> None:
    """Each that the connector offers passes all checks, each other one is refused (exit 3) before anything is sent; so
    is what fits no venue, such as an immediate post-only order.

    Holds: what a venue lacks is refused, never imitated.
    """
    async with ground.trader() as trader:
        for tif in TimeInForce:
            expire_s = 60 if tif is TimeInForce.GTD else None
            intent = ground.intent(price_expression="mid-1%", tif=tif, expire_s=expire_s)
            if ground.can(tif.value):
                equal(tif.value, (await trader.dry_run(intent)).outcome, "dry_run")
            else:
                await ground.refused(trader, intent)
        await raises(UsageError, trader.place_order(ground.resting(post_only=True, tif=TimeInForce.IOC)))
        equal("requests sent", ground.sent(), 0)


async def c35_a_number_off_the_grid_is_refused_with_its_neighbours(ground: Ground) -> None:
    """An amount or a price that was typed between two legal ones: refused, and both are named.

    Holds: what a person typed is never changed.
    """
    async with ground.trader() as trader:
        rule = (await trader.markets()).rules[ground.pair]
        below, above = ground.amount, ground.amount + rule.amount_step
        error = await ground.refused(trader, ground.resting(amount=below + rule.amount_step / 2))
        holds("both amounts are named", _names(error, below, above), error.hint)
        price = rule.fit_price((await trader.book(ground.pair)).bids[0].price * Decimal("0.99"), TradeType.BUY)
        step = rule.price_step(price)
        error = await ground.refused(trader, ground.resting(price_expression=None, price=price + step / 2))
        holds("both prices are named", _names(error, price, price + step), error.hint)


async def c36_what_is_too_small_or_unknown_is_refused(ground: Ground) -> None:
    """Amounts of zero and below the minimum, orders worth too little, and markets that do not exist.

    Holds: exit 3 promises that nothing was sent.
    """
    async with ground.trader() as trader:
        rule = (await trader.markets()).rules[ground.pair]
        await ground.refused(trader, ground.resting(amount=Decimal(0)))
        await ground.refused(trader, ground.resting(amount=rule.amount_step / 1000))
        if rule.min_notional:
            await ground.refused(trader, ground.resting(amount=None, notional=rule.min_notional / 2))
        await ground.refused(trader, msgspec.structs.replace(ground.resting(), trading_pair="NO-SUCH"))


async def c37_guards_hold(ground: Ground) -> None:
    """An order worth more than the guards allow, or priced outside their band, is refused (exit 13) before anything is
    sent.

    Holds: guards hold for every venue alike.
    """
    for guards, intent in (
        (Guards(max_order_notional=Decimal(1)), ground.resting()),
        (Guards(price_band_bps=10), ground.resting()),
    ):
        async with ground.trader(guards=guards) as trader:
            await raises(GuardRefused, trader.place_order(intent))
    equal("requests sent", ground.sent(), 0)


async def c38_a_reduce_only_order_opens_nothing(ground: Ground) -> None:
    """Without a position it executes nothing, and leaves nothing resting.

    Holds: a position is only made smaller.
    """
    async with ground.trader() as trader:
        await ground.flatten(trader)
        intent = ground.market(TradeType.SELL, reduce_only=True)
        if not ground.can("reduce_only"):
            await ground.refused(trader, intent)
            return
        outcome = await trader.place_order(intent)
        order = outcome.order
        holds("it has ended", order.is_done, order.state)
        holds("not as asked", outcome.error, outcome)
        equal("executed", order.executed_amount, 0)
        equal("position", await ground.position(trader), 0)
        await ground.at_venue(trader, 0)


async def c39_a_reduce_only_order_stops_at_zero(ground: Ground) -> None:
    """Twice the position is sold, reduce-only: the position is zero, never short.

    Holds: a position is only made smaller.
    """
    async with ground.trader() as trader:
        await ground.flatten(trader)
        if not ground.can("reduce_only"):
            await ground.refused(trader, ground.market(reduce_only=True))
            return
        held = (await trader.place_order(ground.market(), wait="filled")).order
        equal("bought", held.state, OrderState.FILLED)
        intent = ground.market(TradeType.SELL, reduce_only=True, amount=ground.amount * 2)
        order = (await trader.place_order(intent)).order
        holds("it has ended", order.is_done, order.state)
        equal("executed", order.executed_amount, held.amount)
        equal("position", await ground.position(trader), 0)


async def c40_a_venue_that_is_busy_accepted_nothing(ground: Ground) -> None:
    """Too many requests (HTTP 429, or the node's word for it): either that is said at once, or the order is undecided
    until it is proved that it cannot land; never is it taken for live or for lost.

    Holds: unknown is not failed.
    """
    async with ground.trader() as trader:
        ground.trouble("status", status=429, body="slow down")
        try:
            order = (await trader.place_order(ground.resting(), client_order_id="case-40")).order
        except RateLimited:
            order = None
        if order is not None:
            order = order if order.is_done else await trader.resolve(order)
            equal("state", order.state, OrderState.FAILED)
        again = await trader.place_order(ground.resting(), client_order_id="case-40")
        equal("again", (again.replayed, again.order.state), (False, OrderState.OPEN))
        await ground.at_venue(trader, 1)


async def c41_order_kinds_are_kept_or_refused(ground: Ground) -> None:
    """Limit and market orders pass all checks where the connector offers them, and are refused before anything is sent
    where it does not.

    Holds: what a venue lacks is refused, never imitated.
    """
    async with ground.trader() as trader:
        for kind, intent in ((OrderType.LIMIT, ground.resting()), (OrderType.MARKET, ground.market())):
            if ground.can(kind.value):
                equal(kind.value, (await trader.dry_run(intent)).outcome, "dry_run")
            else:
                await ground.refused(trader, intent)
        equal("requests sent", ground.sent(), 0)


def _names(error: OrderRefused, *values: Decimal) -> bool:
    return all(plain(value) in (error.hint or "") for value in values)
