"""Long-term and conditional orders: mempool check, delivery, triggers, expiry, and the match after the block."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from . import engine, ledger, limits, validate
from .refusals import Refused, clob, go_id, go_order
from .state import CONDITIONAL, POST_ONLY, STOP_LOSS, TWAP, Gone, Order, Placed, Triggered, order_key
from .tx_messages import MsgCancelOrder, OrderId, SubaccountId

if TYPE_CHECKING:
    from .world import World

EXPIRED = "EXPIRED"
CANCELED = "USER_CANCELED"
FULLY_FILLED = "FULLY_FILLED"
MIN_PRICE_CHANGE_PPM = 1_000


def key_of(message: MsgCancelOrder) -> str:
    order_id = message.order_id or OrderId()
    subaccount = order_id.subaccount_id or SubaccountId()
    return order_key(
        subaccount.owner, subaccount.number, order_id.client_id, order_id.order_flags, order_id.clob_pair_id
    )


# ---- placement -----------------------------------------------------------------------------------


def check_place(world: World, order: Order) -> None:
    """The mempool check of a stateful placement; it waits for its block afterwards. Raises Refused."""
    validate.against_state(world, order)
    if order.flags == TWAP:
        raise clob(49, "this chain takes no TWAP orders")
    key = order.key
    if key in world.stateful_cancels:
        raise clob(
            3008,
            "An uncommitted stateful order cancellation with this OrderId already exists. "
            f"Existing order cancellation GoodTilBlockTime ({world.stateful_cancels[key]}), New order "
            f"GoodTilBlockTime ({order.good_til_block_time}), order: ({go_order(order)})",
        )
    for known, how in ((world.stateful.get(key), "A"), (world.uncommitted.get(key), "An uncommitted")):
        if known is not None:
            raise clob(
                3005,
                f"{how} stateful order with this OrderId already exists and stateful order replacement is not "
                f"supported. Existing order GoodTilBlockTime ({known.good_til_block_time}), New order "
                f"GoodTilBlockTime ({order.good_til_block_time}), order: ({go_order(order)})",
            )
    _admit(world, order)
    world.put("uncommitted", order)


def _admit(world: World, order: Order) -> None:
    """Equity tier, order router, collateral."""
    limits.equity_tier(world, order)
    if order.router and order.router not in world.routers:
        raise Refused("revshare", 8, f"order router address {order.router} is not registered")
    if order.flags == CONDITIONAL:
        return
    result = collateral(world, order)
    if result != ledger.SUCCESS:
        code = 2005 if result == ledger.ISOLATED else 3007
        raise clob(code, f"PlaceStatefulOrder: order ({go_order(order)}), result ({result})")


def collateral(world: World, order: Order) -> str:
    """Whether the subaccount could fill the order wholly at its own price, as a maker."""
    price = order.subticks or world.oracle(order.pair)
    quote = price * order.quantums // ledger.QUOTE_ONE
    fee = ledger.fee(world, order.owner, quote, taker=False)
    subaccount = world.subaccount(order.owner, order.number)
    signed = order.quantums if order.is_buy else -order.quantums
    return ledger.judge(world, subaccount, order.pair, signed, (-quote if order.is_buy else quote) - fee)


def deliver_place(world: World, order: Order, tx_index: int) -> None:
    """A placement in its block. Raises Refused: the transaction is in the block and failed."""
    world.drop("uncommitted", order.key)
    validate.time_window(world, order.good_til_block_time or 0)
    if order.key in world.stateful:
        raise clob(3005, f"A stateful order with this OrderId already exists. order: ({go_order(order)})")
    _admit(world, order)
    order.height, order.tx_index = world.next_height, tx_index
    world.put("stateful", order)
    world.items.append(Placed(copy.copy(order)))
    if order.flags == CONDITIONAL:
        world.markets[order.pair].conditionals += 1
    else:
        world.match_later(order.key)


# ---- cancel --------------------------------------------------------------------------------------


def check_cancel(world: World, message: MsgCancelOrder) -> None:
    """The mempool check of a stateful cancel. Raises Refused."""
    order_id = message.order_id or OrderId()
    validate.market_of(world, order_id.clob_pair_id)
    validate.cancel_time_window(world, message)
    key = key_of(message)
    if key in world.stateful_cancels:
        raise clob(
            32,
            "An uncommitted stateful order cancellation with this OrderId already exists and stateful order "
            f"cancellation replacement is not supported. Existing order cancellation GoodTilBlockTime "
            f"({world.stateful_cancels[key]}), New order cancellation GoodTilBlockTime "
            f"({message.good_til_block_time})",
        )
    order = world.stateful.get(key) or world.uncommitted.get(key)
    if order is None:
        raise clob(3006, f"Order Id to cancel does not exist. OrderId : {_name(message)}")
    _covers(message, order)
    world.stateful_cancel(key, message.good_til_block_time)


def _covers(message: MsgCancelOrder, order: Order) -> None:
    if (message.good_til_block_time or 0) < (order.good_til_block_time or 0):
        raise clob(
            29,
            "cancellation goodTilBlockTime less than stateful order goodTilBlockTime. cancellation "
            f"{message.good_til_block_time}, order {go_order(order)}",
        )


def _name(message: MsgCancelOrder) -> str:
    order_id = message.order_id or OrderId()
    subaccount = order_id.subaccount_id or SubaccountId()
    return go_id(subaccount.owner, subaccount.number, order_id.client_id, order_id.order_flags, order_id.clob_pair_id)


def deliver_cancel(world: World, message: MsgCancelOrder, removed: set[str]) -> None:
    """A cancel in its block. removed: orders that left the state earlier in this block. Raises Refused."""
    key = key_of(message)
    world.stateful_cancel(key, None)
    order = world.stateful.get(key)
    if order is None:
        if key in removed:
            raise clob(3010, f"OrderId: {_name(message)}")
        raise clob(3006, f"Order Id to cancel does not exist. OrderId : {_name(message)}")
    validate.cancel_time_window(world, message)
    _covers(message, order)
    remove(world, order, CANCELED, removed)


# ---- in the block --------------------------------------------------------------------------------


def remove(world: World, order: Order, reason: str, removed: set[str]) -> None:
    """Take an order out of the state and off the book; fully filled ones go without a word."""
    engine.unrest(world, order)
    if world.drop("stateful", order.key) is None:
        return
    removed.add(order.key)
    if order.key in world.to_match:
        world.to_match.remove(order.key)
        world.touch("to_match", order.key, None)
    if order.flags == CONDITIONAL and not order.triggered:
        world.markets[order.pair].conditionals -= 1
    if reason != FULLY_FILLED:
        world.items.append(Gone(copy.copy(order), reason))


def expire(world: World, time_s: int, removed: set[str]) -> None:
    """End of block: orders whose time is over."""
    for order in [order for order in world.stateful.values() if (order.good_til_block_time or 0) <= time_s]:
        remove(world, order, EXPIRED, removed)


def trigger(world: World, traded: dict[int, list[int]]) -> None:
    """End of block: conditional orders whose price was reached. traded: prices of the block's trades by pair.

    Trade prices count within a band of five times the market's min_price_change_ppm around the oracle price.
    """
    for order in world.stateful.values():
        if order.flags != CONDITIONAL or order.triggered:
            continue
        oracle = world.oracle(order.pair)
        band = oracle * 5 * MIN_PRICE_CHANGE_PPM // 1_000_000
        seen = [oracle, *(min(max(price, oracle - band), oracle + band) for price in traded.get(order.pair, []))]
        falls = order.is_buy != (order.condition == STOP_LOSS)
        if (min(seen) <= order.trigger) if falls else (max(seen) >= order.trigger):
            order.triggered = True
            world.touch_order(order)
            world.markets[order.pair].conditionals -= 1
            world.items.append(Triggered(copy.copy(order)))
            world.match_later(order.key)


def match_new(world: World) -> None:
    """After the commit: match what the block brought, post-only orders first. Fills belong to the next block."""
    keys, world.to_match = world.to_match, []
    for key in keys:
        world.touch("to_match", key, None)
    orders = [world.stateful[key] for key in keys if key in world.stateful]
    for order in sorted(orders, key=lambda order: order.time_in_force != POST_ONLY):
        if order.reduce_only and not engine.reducible(world, order):
            world.remove_later(order, engine.REDUCE_ONLY_RESIZE)
            continue
        reason = engine.take(world, order).reason
        world.touch_order(order)
        if reason is not None:
            world.remove_later(order, reason)
