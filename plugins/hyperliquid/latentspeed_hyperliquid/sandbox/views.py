"""How the venue shows its objects."""

from __future__ import annotations

import msgspec

from .numbers import shown
from .state import BasicOrder, Order

UNSET = msgspec.UNSET


def basic_order(order: Order, sz: int) -> BasicOrder:
    """The short form, with the remaining size given."""
    return BasicOrder(
        order.coin,
        "B" if order.is_buy else "A",
        shown(order.px),
        shown(sz),
        order.oid,
        order.created_ms,
        shown(order.orig_sz),
        UNSET if order.cloid is None else order.cloid,
        True if order.reduce_only else UNSET,
    )


def full_order(order: Order, sz: int, children: list[dict[str, object]] | None = None) -> dict[str, object]:
    """The long form, with the remaining size given and the children already shown."""
    return {
        "coin": order.coin,
        "side": "B" if order.is_buy else "A",
        "limitPx": shown(order.px),
        "sz": shown(sz),
        "oid": order.oid,
        "timestamp": order.created_ms,
        "triggerCondition": order.condition,
        "isTrigger": order.is_trigger,
        "triggerPx": shown(order.trigger_px) if order.is_trigger else "0.0",
        "children": children or [],
        "isPositionTpsl": order.is_position_tpsl,
        "reduceOnly": order.reduce_only,
        "orderType": order.kind,
        "origSz": shown(order.orig_sz),
        "tif": order.tif,
        "cloid": order.cloid,
    }
