"""dYdX messages in two forms, our bytes and the words of the definitions, for v4-proto to compare."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from latentspeed_dydx_v4 import encode, identifiers
from latentspeed_dydx_v4.constants import BATCH_CANCEL, CANCEL_ORDER, PLACE_ORDER
from latentspeed_dydx_v4.markets import DydxV4Market
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType


def market(ticker: str, number: int, resolution: int) -> DydxV4Market:
    return DydxV4Market(
        trading_pair=ticker,
        symbol=ticker,
        asset_id=number,
        size_decimals=4,
        atomic_resolution=resolution,
        quantum_conversion_exponent=-9,
        step_base_quantums=1_000_000,
        subticks_per_tick=100_000,
        initial_margin_fraction=Decimal("0.05"),
    )


ETH = market("ETH-USD", 1, -9)
ADDRESS = ADDRESSES[0]
OWNER, CHILD = encode.subaccount(ADDRESS, 0), encode.subaccount(ADDRESS, 129)
SUBACCOUNT: dict[str, Any] = {"owner": ADDRESS}
END_S = 1_790_000_000


def order(client_id: int, metadata: int, **more: Any) -> InFlightOrder:
    fields: dict[str, Any] = {
        "client_order_id": "x",
        "venue_client_id": identifiers.venue_client_id(client_id, metadata),
        "venue": "dydx_v4",
        "network": "sandbox",
        "account": ADDRESS,
        "trading_pair": "ETH-USD",
        "side": TradeType.BUY,
        "order_type": OrderType.LIMIT,
        "amount": Decimal("1.5"),
        "price": Decimal("3000.1"),
        "created_ts_ns": 0,
        "facts": Facts(),
    }
    return InFlightOrder(**{**fields, **more})


STATEFUL: dict[str, Any] = {"good_til_ts_ns": END_S * NS_PER_S}
LONG_TERM = order(7, 9, post_only=True, side=TradeType.SELL, **STATEFUL)


def order_value(client_id: int, flags: int, pair: int = 1, **more: Any) -> dict[str, Any]:
    name = {"subaccount_id": SUBACCOUNT, "client_id": client_id, "order_flags": flags, "clob_pair_id": pair}
    return {"order": {"order_id": name, "quantums": "1500000000", "subticks": "3000100000", **more}}


# Our bytes, the message's name, and the same message in the words of the definitions.
ENCODED: dict[str, tuple[bytes, str, dict[str, Any]]] = {
    "short-term": (
        encode.place_order(order(2**32 - 1, 0, good_til_block=50_000_123), ETH, OWNER),
        "clob.MsgPlaceOrder",
        order_value(2**32 - 1, 0, side="SIDE_BUY", good_til_block=50_000_123),
    ),
    "immediate, reduce-only": (
        encode.place_order(order(5, 2**32 - 1, tif=TimeInForce.IOC, reduce_only=True, good_til_block=1), ETH, OWNER),
        "clob.MsgPlaceOrder",
        order_value(
            5,
            0,
            side="SIDE_BUY",
            good_til_block=1,
            time_in_force="TIME_IN_FORCE_IOC",
            reduce_only=True,
            client_metadata=2**32 - 1,
        ),
    ),
    "long-term, post-only": (
        encode.place_order(LONG_TERM, ETH, OWNER),
        "clob.MsgPlaceOrder",
        order_value(
            7,
            64,
            side="SIDE_SELL",
            good_til_block_time=END_S,
            time_in_force="TIME_IN_FORCE_POST_ONLY",
            client_metadata=9,
        ),
    ),
    "stop": (
        encode.place_order(
            order(8, 9, order_type=OrderType.STOP, trigger_price=Decimal("3100.2"), **STATEFUL), ETH, OWNER
        ),
        "clob.MsgPlaceOrder",
        order_value(
            8,
            32,
            side="SIDE_BUY",
            good_til_block_time=END_S,
            time_in_force="TIME_IN_FORCE_IOC",
            client_metadata=9,
            condition_type="CONDITION_TYPE_STOP_LOSS",
            conditional_order_trigger_subticks="3100200000",
        ),
    ),
    "take profit with a limit": (
        encode.place_order(
            order(8, 9, order_type=OrderType.TAKE_PROFIT_LIMIT, trigger_price=Decimal("2900"), **STATEFUL), ETH, OWNER
        ),
        "clob.MsgPlaceOrder",
        order_value(
            8,
            32,
            side="SIDE_BUY",
            good_til_block_time=END_S,
            client_metadata=9,
            condition_type="CONDITION_TYPE_TAKE_PROFIT",
            conditional_order_trigger_subticks="2900000000",
        ),
    ),
    "cancel, short-term": (
        encode.cancel_order(
            OWNER, encode.OrderId(client_id=0, order_flags=0, clob_pair_id=0), good_til_block=9, good_til_ts_ns=None
        ),
        "clob.MsgCancelOrder",
        {"order_id": {"subaccount_id": SUBACCOUNT}, "good_til_block": 9},
    ),
    "cancel, long-term": (
        encode.cancel_order(CHILD, encode.id_of(LONG_TERM, ETH), good_til_block=None, good_til_ts_ns=END_S * NS_PER_S),
        "clob.MsgCancelOrder",
        {
            "order_id": {
                "subaccount_id": {"owner": ADDRESS, "number": 129},
                "client_id": 7,
                "order_flags": 64,
                "clob_pair_id": 1,
            },
            "good_til_block_time": END_S,
        },
    ),
    "batch cancel": (
        encode.batch_cancel(OWNER, {0: [1, 2**32 - 1, 300], 1: [3]}, 12_345_678),
        "clob.MsgBatchCancel",
        {
            "subaccount_id": SUBACCOUNT,
            "short_term_cancels": [
                {"client_ids": [1, 2**32 - 1, 300]},
                {"clob_pair_id": 1, "client_ids": [3]},
            ],
            "good_til_block": 12_345_678,
        },
    ),
}
# What goes into a transaction. by: whose key signs; any but the first acts for the first, by AUTHENTICATOR.
SIGNED: tuple[dict[str, Any], ...] = tuple(
    {"type_url": type_url, "message": ENCODED[label][0], "account_number": number, "sequence": sequence, "by": by}
    for type_url, label, number, sequence, by in (
        (PLACE_ORDER, "short-term", 0, 0, 0),
        (PLACE_ORDER, "long-term, post-only", 4567, 1_790_000_000_123, 0),
        (PLACE_ORDER, "stop", 2**40, 89, 3),
        (CANCEL_ORDER, "cancel, long-term", 12, 1, 0),
        (BATCH_CANCEL, "batch cancel", 3, 7, 4),
    )
)
AUTHENTICATOR = 966
