"""From the words of core to what the chain takes. Pure and exact: numbers become integers here, and nothing is rounded.

Source: proto/dydxprotocol/clob of v4-chain, protocol v9.6.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal, Inexact

import msgspec

from latentspeed_cli.core.decimals import EXACT, plain
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import OrderRefused

from . import identifiers
from .constants import (
    CONDITION_NONE,
    CONDITION_STOP_LOSS,
    CONDITION_TAKE_PROFIT,
    CONDITIONAL,
    LONG_TERM,
    MAX_BATCH_CANCEL,
    SHORT_TERM,
    SIDE_BUY,
    SIDE_SELL,
    TIF_GOOD_TIL,
    TIF_IMMEDIATE,
    TIF_POST_ONLY,
)
from .markets import DydxV4Market
from .protowire import data, key, message, number, packed, varint

U32 = 1 << 32
U64 = 1 << 64
U64_DIGITS = 20
NS_PER_S = 1_000_000_000
_PPM = 1_000_000
_CONDITIONS = {
    OrderType.STOP: CONDITION_STOP_LOSS,
    OrderType.STOP_LIMIT: CONDITION_STOP_LOSS,
    OrderType.TAKE_PROFIT: CONDITION_TAKE_PROFIT,
    OrderType.TAKE_PROFIT_LIMIT: CONDITION_TAKE_PROFIT,
}
# The first byte of each field that every order has.
_ORDER_ID, _SUBACCOUNT, _CLIENT_ID, _CLOB_PAIR = key(1, 2), key(1, 2), key(2, 5), key(4, 0)
_QUANTUMS, _SUBTICKS, _BLOCK, _BLOCK_TIME, _TIF = key(3, 0), key(4, 0), key(5, 0), key(6, 5), key(7, 0)
_METADATA, _CONDITION, _TRIGGER = key(9, 0), key(10, 0), key(11, 0)
_CANCEL_BLOCK, _CANCEL_TIME = key(2, 0), key(3, 5)
_SIDES = {TradeType.BUY: number(2, SIDE_BUY), TradeType.SELL: number(2, SIDE_SELL)}
_REDUCE_ONLY = number(8, 1)


class OrderId(msgspec.Struct, frozen=True, kw_only=True):
    """What names an order on the chain, together with the subaccount."""

    client_id: int
    order_flags: int
    clob_pair_id: int


# Ids


def client_numbers(client_order_id: str, *, network: str, account: str, probe: int = 0) -> tuple[int, int]:
    """client_id and client_metadata: the first eight bytes of the SHA-256 of network, account and id, a line each.

    client_id alone names an order, and 32 bits meet by chance: probe counts how many others were met.
    """
    text = "\n".join((network, account.lower(), client_order_id))
    digest = hashlib.sha256(text.encode()).digest()
    return (int.from_bytes(digest[:4], "big") + probe) % U32, int.from_bytes(digest[4:8], "big")


def flags_of(order: InFlightOrder) -> int | None:
    """The kind of an order of ours as the chain counts it; None for one of which we know too little."""
    if order.order_type.has_trigger:
        return CONDITIONAL
    if order.good_til_block is not None:
        return SHORT_TERM
    return LONG_TERM if order.good_til_ts_ns is not None else None


# Numbers


def quantums(amount: Decimal, market: DydxV4Market) -> int:
    """Base quantums of a base amount. Raises OrderRefused unless it is a whole number of steps above zero."""
    found = _units(amount, -market.atomic_resolution)
    if found is None or found % market.step_base_quantums:
        raise OrderRefused(f"amount {plain(amount)} is no whole number of steps of {market.trading_pair}")
    return found


def subticks(price: Decimal, market: DydxV4Market) -> int:
    """Subticks of a price. Raises OrderRefused unless it is a whole number of ticks above zero."""
    found = _units(price, -market.price_exponent)
    if found is None or found % market.subticks_per_tick:
        raise OrderRefused(f"price {plain(price)} is no whole number of ticks of {market.trading_pair}")
    return found


def _units(value: Decimal, places: int) -> int | None:
    """value * 10^places when that is a whole number that the chain can hold and above zero."""
    if not (value.is_finite() and value > 0 and 0 <= value.adjusted() + places < U64_DIGITS):
        return None
    try:
        scaled = EXACT.scaleb(value, places)
    except Inexact:  # more digits than any number of the chain
        return None
    whole = int(scaled)
    return whole if whole == scaled and whole < U64 else None


def margin_fraction_ppm(leverage: int) -> int:
    """The initial margin fraction that allows a leverage, never more than it."""
    return -(-_PPM // leverage)


# Messages


def subaccount(owner: str, number_: int) -> bytes:
    """SubaccountId."""
    return data(1, owner.encode()) + number(2, number_)


def order_id(owner: bytes, ids: OrderId) -> bytes:
    """OrderId. owner: a SubaccountId."""
    return b"".join(
        (
            _SUBACCOUNT,
            varint(len(owner)),
            owner,
            _CLIENT_ID + ids.client_id.to_bytes(4, "little") if ids.client_id else b"",
            number(3, ids.order_flags),
            _CLOB_PAIR + varint(ids.clob_pair_id) if ids.clob_pair_id else b"",
        )
    )


def id_of(order: InFlightOrder, market: DydxV4Market) -> OrderId:
    """Raises OrderRefused for an order whose kind or number is not known."""
    return _id_and_metadata(order, market)[0]


def _id_and_metadata(order: InFlightOrder, market: DydxV4Market) -> tuple[OrderId, int]:
    numbers, flags = identifiers.client_ids(order.venue_client_id), flags_of(order)
    if numbers is None or flags is None:
        raise OrderRefused(f"order {order.client_order_id} cannot be named on the chain: its number or kind is unknown")
    return OrderId(client_id=numbers[0], order_flags=flags, clob_pair_id=market.asset_id), numbers[1]


def place_order(order: InFlightOrder, market: DydxV4Market, owner: bytes) -> bytes:
    """MsgPlaceOrder. owner: a SubaccountId. The order's good_til_block or good_til_ts_ns is set."""
    if order.price is None:
        raise OrderRefused("an order needs a price on this venue: market orders carry their bound")
    ids, metadata = _id_and_metadata(order, market)
    name = order_id(owner, ids)
    parts = [
        _ORDER_ID,
        varint(len(name)),
        name,
        _SIDES[order.side],
        _QUANTUMS,
        varint(quantums(order.amount, market)),
        _SUBTICKS,
        varint(subticks(order.price, market)),
        _good_til(order.good_til_block, order.good_til_ts_ns, _BLOCK, _BLOCK_TIME),
    ]
    tif = time_in_force(order)
    if tif != TIF_GOOD_TIL:
        parts += (_TIF, varint(tif))
    if order.reduce_only:
        parts.append(_REDUCE_ONLY)
    if metadata:
        parts += (_METADATA, varint(metadata))
    condition = _CONDITIONS.get(order.order_type, CONDITION_NONE)
    if condition != CONDITION_NONE:
        if order.trigger_price is None:
            raise OrderRefused("a conditional order needs its trigger price")
        parts += (_CONDITION, varint(condition), _TRIGGER, varint(subticks(order.trigger_price, market)))
    return message(1, b"".join(parts))


def time_in_force(order: InFlightOrder) -> int:
    """A market order is an immediate one with a bound: the chain has no other, also when it waits for a trigger."""
    if order.tif is TimeInForce.IOC or not order.order_type.has_limit:
        return TIF_IMMEDIATE
    return TIF_POST_ONLY if order.post_only else TIF_GOOD_TIL


def cancel_order(owner: bytes, ids: OrderId, *, good_til_block: int | None, good_til_ts_ns: int | None) -> bytes:
    """MsgCancelOrder. Its end must not be before the order's own: else the order rests on, and code 0 hides it."""
    return message(1, order_id(owner, ids)) + _good_til(good_til_block, good_til_ts_ns, _CANCEL_BLOCK, _CANCEL_TIME)


def _good_til(block: int | None, ts_ns: int | None, block_key: bytes, time_key: bytes) -> bytes:
    if block is not None:
        return block_key + varint(block)
    if ts_ns is None:
        raise OrderRefused("an order needs a block or a time at which it ends")
    return time_key + (ts_ns // NS_PER_S).to_bytes(4, "little")


def batch_cancel(owner: bytes, client_ids: Mapping[int, Sequence[int]], good_til_block: int) -> bytes:
    """MsgBatchCancel of short-term orders. client_ids: by clob pair id.

    The chain answers code 0 even when every single cancel failed. Raises OrderRefused for none or too many.
    """
    count = sum(map(len, client_ids.values()))
    if not count or count > MAX_BATCH_CANCEL or not all(client_ids.values()):
        raise OrderRefused(f"a batch cancels 1 to {MAX_BATCH_CANCEL} orders, not {count}")
    if any(len(set(ids)) != len(ids) for ids in client_ids.values()):
        raise OrderRefused("a batch names each order once")
    batches = [message(2, number(1, pair) + packed(2, tuple(ids))) for pair, ids in client_ids.items()]
    return message(1, owner) + b"".join(batches) + number(3, good_til_block)


def update_leverage(owner: bytes, clob_pair_id: int, leverage: int) -> bytes:
    """MsgUpdateLeverage of one market."""
    entry = number(1, clob_pair_id) + number(2, margin_fraction_ppm(leverage))
    return message(1, owner) + message(2, entry)
