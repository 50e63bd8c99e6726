"""What somebody is told whose client order id belongs to another order: which one that is, and what differs."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from ..core.decimals import plain
from ..core.ids import typed_parameters
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.reports import OrderUpdate
from ..errors import IdConflict

# What an order is, by the names of `typed_parameters`, with venue and account; "at" is the figure its price came to.
Parameters: TypeAlias = dict[str, str | None]

# What can be compared, as people call it, in the order of telling.
_NAMES = {
    "venue": "venue",
    "account": "account",
    "trading_pair": "pair",
    "side": "side",
    "type": "type",
    "amount": "amount",
    "price": "price",
    "trigger_price": "trigger price",
    "tif": "tif",
    "post_only": "post-only",
    "reduce_only": "reduce-only",
    "slippage_bps": "slippage bps",
}


def of_intent(intent: OrderIntent, *, venue: str, account: str) -> Parameters:
    """An order as it is asked for."""
    words = typed_parameters(intent)
    flags = {name: _yes_or_no(words[name] is not None) for name in ("post_only", "reduce_only")}
    return {**words, **flags, "venue": venue, "account": account.lower()}


def of_order(order: InFlightOrder) -> Parameters:
    """An order that a journal has."""
    price = _text(order.price) if order.order_type.has_limit else None
    return {
        "venue": order.venue,
        "account": order.account.lower(),
        "trading_pair": order.trading_pair,
        "side": order.side.value,
        "type": order.order_type.value,
        "amount": plain(order.amount),
        "price": order.price_expression or price,
        "at": price,
        "trigger_price": _text(order.trigger_price),
        "tif": order.tif.value,
        "post_only": _yes_or_no(order.post_only),
        "reduce_only": _yes_or_no(order.reduce_only),
        "slippage_bps": None if order.slippage_bps is None else str(order.slippage_bps),
    }


def of_told(order: InFlightOrder, update: OrderUpdate) -> Parameters:
    """An order that only the venue has. order: what was to be placed; the venue does not tell all of its own."""
    asked = of_order(order)
    price = _text(update.price) if asked["at"] is not None else None
    told = {
        "trading_pair": update.trading_pair,
        "side": None if update.side is None else update.side.value,
        "amount": _text(update.amount),
        "price": price if order.price_expression is None else None,  # what was computed cannot be compared
        "at": price,
        "reduce_only": None if update.reduce_only is None else _yes_or_no(update.reduce_only),
    }
    return {**asked, **{name: text for name, text in told.items() if text is not None}}


def id_conflict(
    client_order_id: str, known: Parameters, asked: Parameters, *, known_id: str | None = None
) -> IdConflict:
    """The id is known with other parameters. known_id: the known order's own id, where the venue's twin is the same."""
    price = known.get("at") or known.get("price")
    name = "" if known_id in (None, client_order_id) else f"{known_id}, "
    size = known.get("amount") or f"for {known.get('notional')}"
    at = f"at {price}" if price else f"as {known['type']}"
    order = f"{name}{known['side']} {size} {known['trading_pair']} {at} on {known['venue']}"
    differs = [
        f"{word} {known[key]}, not {asked[key]}"
        for key, word in _NAMES.items()
        if known.get(key) is not None and asked.get(key) is not None and known[key] != asked[key]
    ]
    what = "; ".join(differs) or "size, price or end in other words"
    return IdConflict(
        f"client order id {client_order_id} is known with other parameters: {order}",
        hint=f"differs: {what}. Use another id for another order",
        client_order_id=client_order_id,
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)


def _yes_or_no(flag: bool) -> str:
    return "yes" if flag else "no"
