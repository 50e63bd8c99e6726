"""Placing, cancelling and modifying: the venue's checks in its order, and its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine, texts, triggers
from .actions import BatchModify, Builder, CancelByCloid, CancelOrders, ModifyOrder, OrderSpec, PlaceOrders
from .drafts import Draft, Refusal, new_order, static_refusal
from .execution import execute, execution_refusal, open_refusal
from .state import Account, Order

if TYPE_CHECKING:
    from .world import World

# ---- placing -------------------------------------------------------------------------------------


def place(world: World, account: Account, action: PlaceOrders) -> list[object]:
    """The statuses of an `order` action."""
    if not action.orders:
        return [{"error": texts.ORDERS_EMPTY}]
    builder = action.builder
    if builder is not None and account.builders.get(builder.b, -1) < builder.f:
        return [{"error": texts.BUILDER}]
    if not isinstance(action.grouping, str):
        return [{"error": texts.NO_PRIORITY}]
    refusal = triggers.group_refusal(action.grouping, action.orders)
    for spec in action.orders:
        refusal = refusal or static_refusal(world, spec, whole_position=action.grouping == "positionTpsl")
    if refusal is not None:
        return [{"error": refusal}]
    if action.grouping == "normalTpsl":
        return _place_group(world, account, action.orders, builder)
    return [
        place_one(world, account, spec, builder, position_tpsl=action.grouping == "positionTpsl")
        for spec in action.orders
    ]


def place_one(
    world: World, account: Account, spec: OrderSpec, builder: Builder | None, *, position_tpsl: bool = False
) -> object:
    """Place one order that passed the static checks. The status object of its answer."""
    market = world.markets[spec.a]
    engine.advance(world, market)
    draft = Draft(spec, market)
    order = new_order(world, account, draft, builder)
    if world.refusals:
        return _refused(world, order, ("rejected", world.refusals.pop(0)))
    if draft.trigger is not None:
        refusal = triggers.refusal(world, account, draft) or open_refusal(world, account, draft)
        if refusal is not None:
            return _refused(world, order, refusal)
        return triggers.arm(world, order, draft, position_tpsl=position_tpsl)
    refusal = execution_refusal(world, account, draft)
    if refusal is not None:
        return _refused(world, order, refusal)
    return execute(world, account, market, order)


def _place_group(world: World, account: Account, specs: list[OrderSpec], builder: Builder | None) -> list[object]:
    """A normalTpsl group: the parent, then children that live and die with it."""
    drafts = [Draft(spec, world.markets[spec.a]) for spec in specs[1:]]
    for draft in drafts:
        wrong = triggers.refusal(world, account, draft, alone=False)
        if wrong is not None:
            return [{"error": wrong[1].format(asset=draft.market.asset)}]
    first = place_one(world, account, specs[0], builder)
    statuses = [first]
    if not isinstance(first, dict) or "error" in first:
        text = first["error"] if isinstance(first, dict) else ""
        return statuses + [{"error": text}] * len(drafts)
    [body] = first.values()
    parent = world.orders[body["oid"]]
    done = parent.status == "filled"
    complete = done and parent.filled == parent.orig_sz
    if done and not complete:
        return statuses + [{"error": texts.REDUCE_ONLY[1].format(asset=parent.asset)}] * len(drafts)
    children = [new_order(world, account, draft, builder) for draft in drafts]
    for order, draft in zip(children, drafts, strict=True):
        order.siblings = [other.oid for other in children if other is not order]
        order.parent = parent.oid
        answer = triggers.arm(world, order, draft, waiting=not complete)
        statuses.append("waitingForTrigger" if complete else answer)
    if not complete:
        parent.children = [order.oid for order in children]
        world.touch_order(parent)
    return statuses


def _refused(world: World, order: Order, refusal: Refusal) -> dict[str, str]:
    """A refusal that leaves a record, or none when its status is None."""
    status, text = refusal
    text = text.replace("{asset}", str(order.asset))
    if status is not None:
        order.status = status
        world.remember(order)
        world.set_status(order, status)
    return {"error": text}


# ---- cancelling ----------------------------------------------------------------------------------


def cancel_orders(world: World, account: Account, action: CancelOrders | CancelByCloid) -> list[object]:
    """The statuses of `cancel` and `cancelByCloid`."""
    found: list[tuple[int, Order | None]] = []
    if isinstance(action, CancelOrders):
        found = [(item.a, world.orders.get(item.o)) for item in action.cancels]
    else:
        cloids = world.user_orders(account.address).cloids
        found = [(item.asset, world.orders.get(cloids.get(item.cloid, -1))) for item in action.cancels]
    return [_cancel_one(world, account, asset, order) for asset, order in found]


def _cancel_one(world: World, account: Account, asset: int, order: Order | None) -> object:
    if order is not None and order.asset == asset:
        engine.advance(world, world.markets[asset])
    if order is None or not order.live or order.user != account.address or order.asset != asset:
        return {"error": texts.CANCEL.format(asset=asset)}
    triggers.cancel_with_children(world, order, "canceled")
    return "success"


# ---- modifying -----------------------------------------------------------------------------------


def modify(world: World, account: Account, action: ModifyOrder) -> str | None:
    """The error text of a `modify`, None when it was done."""
    outcome = _modify_one(world, account, action.oid, action.order, always=action.a)
    if isinstance(outcome, dict) and "error" in outcome:
        text = str(outcome["error"])
        if outcome.get("whole"):
            return text
        return texts.MODIFY_FAILED.format(reason=text)
    return None


def batch_modify(world: World, account: Account, action: BatchModify) -> list[object]:
    """The statuses of a `batchModify`."""
    statuses = []
    for item in action.modifies:
        outcome = _modify_one(world, account, item.oid, item.order, always=action.a)
        if isinstance(outcome, dict) and outcome.pop("whole", False):
            outcome = {"error": outcome["error"]}
        statuses.append(outcome)
    return statuses


def _modify_one(world: World, account: Account, target: int | str, spec: OrderSpec, *, always: bool) -> object:
    """Cancel and place anew. Without `a` only a non-trigger ALO, or a GTC turned into one, may replace the order."""
    oid = target if isinstance(target, int) else world.user_orders(account.address).cloids.get(target, -1)
    order = world.orders.get(oid)
    if order is not None:
        engine.advance(world, world.markets[order.asset])
    standing = order is not None and order.live and order.user == account.address and not order.waiting
    if not standing and not always:
        return {"error": texts.MODIFY_GONE, "whole": True}
    if static_refusal(world, spec, whole_position=False) is not None:
        return {"error": texts.MODIFY_INVALID, "whole": True}
    if order is not None and standing:
        other = spec.a != order.asset or spec.b != order.is_buy
        if spec.a != order.asset or (
            not always and (other or spec.t.limit is None or spec.t.limit.tif not in {"Gtc", "Alo"})
        ):
            return {"error": texts.MODIFY_INVALID, "whole": True}
        builder = None if order.builder is None else Builder(order.builder, order.builder_fee)
        if not always and spec.t.limit is not None:
            spec.t.limit.tif = "Alo"
        triggers.cancel_with_children(world, order, "canceled")
        return place_one(world, account, spec, builder)
    return place_one(world, account, spec, None)
