"""Short-term orders in this node's memory: placement, replacement, cancels as fences, expiry (sections 5.3 to 5.5)."""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING

import msgspec

from . import engine, validate
from .refusals import Refused, clob, go_order
from .state import IOC, Expired, Opened, Order, Removed, order_key
from .tx_messages import MsgBatchCancel, MsgCancelOrder, OrderId, SubaccountId

if TYPE_CHECKING:
    from .world import World

CANCELED = "USER_CANCELED"
REPLACED = "REPLACED"


def place(world: World, order: Order) -> None:
    """Take a short-term order: validate, match, rest. Raises Refused."""
    validate.against_state(world, order)
    gtb = order.good_til_block
    assert gtb is not None
    fence = world.cancels.get(order.key)
    if fence is not None and fence >= gtb:
        raise clob(7, f"Order: {go_order(order)}, Cancellation GoodTilBlock: {fence}")
    old = world.short.get(order.key)
    filled = world.filled(order.key)
    if old is not None:
        _may_replace(old, order)
    order.filled = filled
    market = world.markets[order.pair]
    if order.left < market.spec.step:
        raise clob(
            24,
            f"Order remaining amount is less than `MinOrderBaseQuantums`. Remaining amount: {max(order.left, 0)}. "
            f"Order: {go_order(order)}",
        )
    if order.reduce_only and not engine.reducible(world, order):
        raise clob(2001)
    if order.time_in_force == IOC and filled:
        raise clob(2004, f"Order: {go_order(order)}")
    if old is not None:
        engine.unrest(world, old)
        world.drop("short", old.key)
        world.tell(Removed(copy.copy(old), old.key, REPLACED, old.filled))
    world.fence(order.key, None)
    world.tell(Opened(copy.copy(order)))
    reason = engine.take(world, order).reason
    if reason is None:
        if order.left:
            world.put("short", order)
        return
    world.tell(Removed(copy.copy(order), order.key, reason, order.filled))
    if reason == engine.POST_ONLY_CROSSES:
        raise clob(2003)
    if reason == engine.VIOLATES_ISOLATED:
        raise clob(2005)


def _may_replace(old: Order, new: Order) -> None:
    assert old.good_til_block is not None
    assert new.good_til_block is not None
    earlier = new.good_til_block < old.good_til_block
    if earlier or (new.good_til_block == old.good_til_block and _digest(new) <= _digest(old)):
        raise clob(20, "New order cannot reduce the GoodTilBlock or GoodTilBlockTime of existing order")
    for name, changed in (
        ("Side of", new.is_buy != old.is_buy),
        ("TimeInForce of", new.time_in_force != old.time_in_force),
        ("ReduceOnly field of", new.reduce_only != old.reduce_only),
    ):
        if changed:
            raise clob(20, f"New order cannot change the {name} the existing order")


def _digest(order: Order) -> bytes:
    """Ranks two orders of one OrderId and good-til-block; what matching adds does not count."""
    bare = msgspec.structs.replace(order, book_id=0, filled=0, committed_filled=0)
    return hashlib.sha256(msgspec.msgpack.encode(bare)).digest()


def cancel(world: World, message: MsgCancelOrder) -> None:
    """Take a short-term cancel. Raises Refused."""
    order_id = message.order_id or OrderId()
    subaccount = order_id.subaccount_id or SubaccountId()
    validate.market_of(world, order_id.clob_pair_id)
    assert message.good_til_block is not None
    validate.window(world, message.good_til_block)
    fence(world, subaccount.owner, subaccount.number, order_id.client_id, order_id.clob_pair_id, message.good_til_block)


def fence(world: World, owner: str, number: int, client_id: int, pair: int, gtb: int) -> None:
    """Remember a cancel until gtb and take the order off the book if the cancel reaches it. Raises Refused.

    The indexer is told in any case: it drops the order even when the node does not.
    """
    key = order_key(owner, number, client_id, 0, pair)
    known = world.cancels.get(key)
    if known is not None and known >= gtb:
        raise clob(9)
    world.fence(key, gtb)
    order = world.short.get(key)
    if order is not None and order.good_til_block is not None and gtb >= order.good_til_block:
        engine.unrest(world, order)
        world.drop("short", key)
    world.tell(
        Removed(copy.copy(order) if order else None, key, CANCELED, order.filled if order else world.filled(key))
    )


def batch_cancel(world: World, message: MsgBatchCancel) -> None:
    """Take a batch of cancels. The single results are lost: the chain answers code 0 whatever they are."""
    validate.window(world, message.good_til_block)
    subaccount = message.subaccount_id or SubaccountId()
    for batch in message.short_term_cancels:
        if batch.clob_pair_id not in world.markets:
            continue
        for client_id in batch.client_ids:
            try:
                fence(world, subaccount.owner, subaccount.number, client_id, batch.clob_pair_id, message.good_til_block)
            except Refused:
                continue


def expire(world: World) -> list[Expired]:
    """After a commit: what still rests past its good-til-block goes, old fences and fill records too."""
    height = world.counters.height
    gone = []
    for order in [order for order in world.short.values() if (order.good_til_block or 0) <= height]:
        engine.unrest(world, order)
        world.drop("short", order.key)
        gone.append(Expired(copy.copy(order)))
    for key in [key for key, until in world.cancels.items() if until <= height]:
        world.fence(key, None)
    for key in [key for key, record in world.fill_records.items() if record.until <= height]:
        del world.fill_records[key]
        world.touch("fill_record", key, None)
    return gone
