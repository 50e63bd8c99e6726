"""Trigger orders and TP/SL groups.

Two things the venue leaves unsaid are settled here: an order whose condition already holds fires at the next look, and
a market trigger drops what it cannot fill at once, like an IOC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine, texts
from .actions import OrderSpec
from .drafts import Draft, Refusal, off_tick
from .execution import execute
from .numbers import shown
from .state import Account, Order, Position

if TYPE_CHECKING:
    from .world import World

KINDS = {
    ("sl", True): "Stop Market",
    ("sl", False): "Stop Limit",
    ("tp", True): "Take Profit Market",
    ("tp", False): "Take Profit Limit",
}


def group_refusal(grouping: str, specs: list[OrderSpec]) -> str | None:
    """What is wrong with a TP/SL group as such."""
    if grouping == "na":
        return None
    children = specs[1:] if grouping == "normalTpsl" else specs
    if not children or any(spec.t.trigger is None for spec in children):
        return texts.TPSL_COUNT
    if grouping == "normalTpsl" and specs[0].t.trigger is not None:
        return texts.TPSL_COUNT
    if any(not spec.r for spec in children):
        return texts.TPSL_REDUCE_ONLY
    return None


def refusal(world: World, account: Account, draft: Draft, *, alone: bool = True) -> Refusal | None:
    """Tick, a stop's limit beyond its trigger, and reduce-only without a position to reduce."""
    if draft.trigger is None:
        return None
    if off_tick(draft.px) or off_tick(draft.trigger_px):
        return texts.TICK
    if draft.trigger.tpsl == "sl" and (draft.px < draft.trigger_px if draft.is_buy else draft.px > draft.trigger_px):
        return texts.TRIGGER_PRICE
    if alone and draft.reduce_only:
        position = account.positions.get(draft.market.asset) or Position()
        if position.size == 0 or draft.is_buy == (position.size > 0):
            return texts.REDUCE_ONLY
    return None


def arm(world: World, order: Order, draft: Draft, *, position_tpsl: bool = False, waiting: bool = False) -> object:
    """Remember a trigger order; it waits for the mark, or (a child) for its parent first."""
    if draft.trigger is None:
        raise ValueError("not a trigger order")
    order.is_trigger = True
    order.is_market = draft.trigger.isMarket
    order.trigger_px = draft.trigger_px
    # A buy stop and a sell take-profit fire when the mark rises to the trigger, the other two when it falls to it.
    order.trigger_above = draft.is_buy == (draft.trigger.tpsl == "sl")
    order.kind = KINDS[draft.trigger.tpsl, draft.trigger.isMarket]
    order.tif = None
    order.condition = (
        f"Price {'above' if order.trigger_above else 'below'} {shown(order.trigger_px).removesuffix('.0')}"
    )
    order.is_position_tpsl = position_tpsl
    order.whole_position = draft.size == 0
    order.waiting = waiting
    world.remember(order)
    world.set_status(order, "open")
    draft.market.triggers[order.oid] = order
    if waiting:
        return "waitingForFill"
    if position_tpsl:
        return "waitingForTrigger"
    answer: dict[str, object] = {"oid": order.oid}
    if order.cloid is not None:
        answer["cloid"] = order.cloid
    return {"resting": answer}


def cancel_with_children(world: World, order: Order, status: str) -> None:
    """Cancel an order; children that still wait for it go with it."""
    engine.cancel(world, world.markets[order.asset], order, status)
    for oid in order.children:
        child = world.orders.get(oid)
        if child is not None and child.live and child.waiting:
            engine.cancel(world, world.markets[child.asset], child, "canceled")


def after_fills(world: World) -> None:
    """What follows from complete fills of resting orders: children that waited for them are armed."""
    while world.after_fill:
        order = world.after_fill.pop()
        for oid in order.children:
            child = world.orders.get(oid)
            if child is not None and child.live:
                child.waiting = False
                world.touch_order(child)


def fire(world: World) -> None:
    """Fire every armed trigger whose condition holds."""
    elapsed = world.elapsed()
    for market in world.markets:
        if not market.triggers:
            continue
        mark = market.mark(elapsed)
        for order in list(market.triggers.values()):
            reached = mark >= order.trigger_px if order.trigger_above else mark <= order.trigger_px
            if order.waiting or not order.live or not reached:
                continue
            account = world.accounts[order.user]
            position = account.positions.get(order.asset) or Position()
            del market.triggers[order.oid]
            if order.reduce_only and (position.size == 0 or order.is_buy == (position.size > 0)):
                world.set_status(order, "reduceOnlyCanceled")
                continue
            if order.whole_position:
                order.sz = order.orig_sz = abs(position.size)
            order.created_ms = world.now_ms
            order.condition, order.is_trigger = "Triggered", False
            order.tif = "Ioc" if order.is_market else "Gtc"
            world.set_status(order, "triggered")
            execute(world, account, market, order, announce=False)
            if order.live and not order.is_market:
                world.set_status(order, "open")
            if order.status == "filled":
                engine.end_siblings(world, order)
    after_fills(world)
