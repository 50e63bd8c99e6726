"""Orders, fills, funding and ledger of an account as /info and the feeds show them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING

from . import requests as r
from .numbers import dollars, shown
from .state import Fill, History, Order
from .views import basic_order, full_order

if TYPE_CHECKING:
    from .world import World

MAX_FILLS = 2_000
MAX_ORDERS = 2_000
MAX_ROWS = 500


# ---- orders --------------------------------------------------------------------------------------


def _live(world: World, user: str) -> list[Order]:
    """Live orders, newest first."""
    found = world.by_user.get(user)
    return sorted(found.live.values(), key=lambda order: -order.oid) if found else []


def open_orders(world: World, request: r.OfUserDex) -> list[object]:
    return [basic_order(order, order.sz) for order in _live(world, request.user)]


def frontend_open_orders(world: World, request: r.OfUserDex) -> list[object]:
    return full_open_orders(world, request.user)


def full_open_orders(world: World, user: str) -> list[object]:
    return [shown_in_full(world, order, order.sz) for order in _live(world, user)]


def shown_in_full(world: World, order: Order, sz: int) -> dict[str, object]:
    """The long form with those children that are still live."""
    children = [world.orders[oid] for oid in order.children if oid in world.orders]
    return full_order(order, sz, [full_order(child, child.sz) for child in children if child.live])


def _recorded(world: World, order: Order) -> dict[str, object]:
    """An order with its status; the size is that of the moment the status was written."""
    return {
        "order": shown_in_full(world, order, order.status_sz),
        "status": order.status,
        "statusTimestamp": order.status_ms,
    }


def order_status(world: World, request: r.OrderStatus) -> dict[str, object]:
    oid = request.oid
    found = world.by_user.get(request.user)
    if isinstance(oid, str):
        oid = found.cloids.get(oid, -1) if found else -1
    order = world.orders.get(oid)
    if order is None or order.user != request.user:
        return {"status": "unknownOid"}
    return {"status": "order", "order": _recorded(world, order)}


def historical_orders(world: World, request: r.OfUser) -> list[object]:
    """Newest first."""
    found = world.by_user.get(request.user)
    if found is None:
        return []
    return [_recorded(world, world.orders[oid]) for oid in list(found.known)[: -MAX_ORDERS - 1 : -1]]


# ---- fills and history ---------------------------------------------------------------------------


def fills_of(world: World, user: str, *, aggregate: bool = False) -> list[Fill]:
    """An account's fills, oldest first."""
    fills = [stored.fill for stored in world.fills.get(user, ())]
    return _aggregated(fills) if aggregate else fills


def _aggregated(fills: list[Fill]) -> list[Fill]:
    """Consecutive fills of one order at one time as one: sums, weighted price, the first one's identity."""
    merged: list[Fill] = []
    for fill in fills:
        last = merged[-1] if merged else None
        if last is None or (last.oid, last.time, last.crossed) != (fill.oid, fill.time, fill.crossed):
            merged.append(Fill(**{name: getattr(fill, name) for name in fill.__struct_fields__}))
            continue
        sizes = Decimal(last.sz) + Decimal(fill.sz)
        price = (Decimal(last.px) * Decimal(last.sz) + Decimal(fill.px) * Decimal(fill.sz)) / sizes
        last.px = shown(int(price.quantize(Decimal("1e-10"), ROUND_HALF_EVEN).scaleb(10)), 10)
        last.sz = shown(int(sizes.scaleb(8)))
        last.fee = dollars(int((Decimal(last.fee) + Decimal(fill.fee)).scaleb(6)))
        last.closedPnl = dollars(int((Decimal(last.closedPnl) + Decimal(fill.closedPnl)).scaleb(6)))
    return merged


def user_fills(world: World, request: r.UserFills) -> list[Fill]:
    """Newest first."""
    return fills_of(world, request.user, aggregate=bool(request.aggregateByTime))[: -MAX_FILLS - 1 : -1]


def user_fills_by_time(world: World, request: r.UserFillsByTime) -> list[Fill]:
    """Oldest first (or newest first when `reversed`), both ends inclusive."""
    end = request.endTime if request.endTime is not None else world.now_ms
    fills = [
        fill
        for fill in fills_of(world, request.user, aggregate=bool(request.aggregateByTime))
        if request.startTime <= fill.time <= end
    ]
    return (fills[::-1] if request.reversed else fills)[:MAX_FILLS]


def user_funding(world: World, request: r.UserFunding) -> list[dict[str, object]]:
    return _happened(world, world.funding.get(request.user, ()), request)


def ledger_updates(world: World, request: r.UserNonFundingLedgerUpdates) -> list[dict[str, object]]:
    return _happened(world, world.ledger.get(request.user, ()), request)


def _happened(
    world: World, rows: Iterable[History], request: r.UserFunding | r.UserNonFundingLedgerUpdates
) -> list[dict[str, object]]:
    """Oldest first, both ends inclusive."""
    end = request.endTime if request.endTime is not None else world.now_ms
    return [
        {"time": row.time, "hash": row.hash, "delta": row.delta} for row in rows if request.startTime <= row.time <= end
    ][:MAX_ROWS]
