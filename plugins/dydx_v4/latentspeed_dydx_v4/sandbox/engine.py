"""Matching on this node: users' orders, background flow, and what a match does to both sides.

A match takes effect here at once; it is committed, and told to the indexer, with the next block.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from latentspeed_cli.sandbox.flow import Touch
from latentspeed_cli.sandbox.matching import Resting

from . import ledger
from .numbers import PPM, ceil_div
from .state import IOC, POST_ONLY, FillRecord, Match, Order, Removed, Side

if TYPE_CHECKING:
    from .market import Market
    from .world import World

MAX_STEPS = 40
SWEEP_TICKS = 8
SHORT_BLOCK_WINDOW = 40

SELF_TRADE = "SELF_TRADE_ERROR"
UNDERCOLLATERALIZED = "UNDERCOLLATERALIZED"
IOC_REMAINDER = "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
REDUCE_ONLY_RESIZE = "REDUCE_ONLY_RESIZE"
POST_ONLY_CROSSES = "POST_ONLY_WOULD_CROSS_MAKER_ORDER"
VIOLATES_ISOLATED = "VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS"


class Outcome(msgspec.Struct, frozen=True):
    """What became of an incoming order: the removal reason of its rest; None when it is filled or rests."""

    reason: str | None = None


# ---- leaving the book ----------------------------------------------------------------------------


def unrest(world: World, order: Order) -> bool:
    """Take an order off the book; False when it was not there."""
    world.by_book_id.pop(order.book_id, None)
    return world.markets[order.pair].unrest(order.book_id)


def evict(world: World, order: Order, reason: str) -> None:
    """An order leaves the book for a reason of the protocol's."""
    unrest(world, order)
    if order.is_short_term:
        world.drop("short", order.key)
        world.tell(Removed(copy.copy(order), order.key, reason, order.filled))
    else:
        world.remove_later(order, reason)


# ---- an incoming order ---------------------------------------------------------------------------


def take(world: World, order: Order) -> Outcome:
    """Match an order, let its rest lie on the book if it may, and say what else became of the rest."""
    market = world.markets[order.pair]
    if order.time_in_force == POST_ONLY:
        if _would_cross(world, market, order):
            return Outcome(POST_ONLY_CROSSES)
        reason = None
    else:
        reason = _match(world, market, order)
    if not order.left:
        return Outcome()
    if reason is None and order.time_in_force == IOC:
        reason = IOC_REMAINDER
    if reason is None:
        _rest(world, market, order)
    return Outcome(reason)


def _rest(world: World, market: Market, order: Order) -> None:
    order.book_id = world.next_book_id()
    world.by_book_id[order.book_id] = order
    market.rest(order.book_id, order.subaccount, order.is_buy, order.subticks, order.left, world.elapsed())


def _would_cross(world: World, market: Market, order: Order) -> bool:
    """Whether a post-only order meets somebody else's order. Its own ones in the way are removed."""
    book = market.lay_quotes(world.elapsed())
    while (maker := book.first_match(order.is_buy, order.subticks)) is not None:
        resting = world.by_book_id.get(maker.order_id)
        if resting is None or resting.subaccount != order.subaccount:
            return True
        evict(world, resting, SELF_TRADE)
    return False


def _match(world: World, market: Market, order: Order) -> str | None:
    """Trade down to the limit. A removal reason when the rest may not go on."""
    book = market.lay_quotes(world.elapsed())
    while order.left and (maker := book.first_match(order.is_buy, order.subticks)) is not None:
        resting = world.by_book_id.get(maker.order_id)
        if resting is not None and resting.subaccount == order.subaccount:
            evict(world, resting, SELF_TRADE)
            continue
        size = min(order.left, maker.size)
        if order.reduce_only:
            size = min(size, reducible(world, order))
            if not size:
                return REDUCE_ONLY_RESIZE
        result = _judge(world, order, maker.price, size, taker=True)
        if result != ledger.SUCCESS:
            return VIOLATES_ISOLATED if result == ledger.ISOLATED else UNDERCOLLATERALIZED
        if resting is not None and not _maker_stands(world, resting, maker.price, size):
            continue
        _execute(world, market, maker, resting, order, size)
    return REDUCE_ONLY_RESIZE if order.left and order.reduce_only and not reducible(world, order) else None


def reducible(world: World, order: Order) -> int:
    """How much of the position an order on the other side may take away."""
    position = world.subaccount(order.owner, order.number).positions.get(order.pair)
    size = position.size if position else 0
    return abs(size) if size and (size < 0) == order.is_buy else 0


def _cost(world: World, order: Order, price: int, size: int, *, taker: bool) -> tuple[int, int, int]:
    """(quote, fee with the builder's part, builder fee) of a fill."""
    quote = price * size // ledger.QUOTE_ONE
    builder_fee = ceil_div(quote * order.builder_fee_ppm, PPM)
    return quote, ledger.fee(world, order.owner, quote, taker=taker) + builder_fee, builder_fee


def _judge(world: World, order: Order, price: int, size: int, *, taker: bool) -> str:
    quote, fee, _ = _cost(world, order, price, size, taker=taker)
    subaccount = world.subaccount(order.owner, order.number)
    signed = size if order.is_buy else -size
    return ledger.judge(world, subaccount, order.pair, signed, (-quote if order.is_buy else quote) - fee)


def _maker_stands(world: World, resting: Order, price: int, size: int) -> bool:
    """Whether a resting order may trade now; otherwise it is removed."""
    result = _judge(world, resting, price, size, taker=False)
    if result == ledger.SUCCESS:
        return True
    evict(world, resting, VIOLATES_ISOLATED if result == ledger.ISOLATED else UNDERCOLLATERALIZED)
    return False


def liquidate(world: World, order: Order) -> None:
    """Sell a position into the book, whatever that does to the subaccount."""
    market = world.markets[order.pair]
    book = market.lay_quotes(world.elapsed())
    while order.left and (maker := book.first_match(order.is_buy, order.subticks)) is not None:
        resting = world.by_book_id.get(maker.order_id)
        if resting is not None and resting.subaccount == order.subaccount:
            evict(world, resting, SELF_TRADE)
            continue
        size = min(order.left, maker.size)
        if resting is None or _maker_stands(world, resting, maker.price, size):
            _execute(world, market, maker, resting, order, size, kind="LIQUIDATED")


def _execute(
    world: World,
    market: Market,
    maker: Resting,
    resting: Order | None,
    taker: Order | None,
    size: int,
    kind: str = "LIMIT",
) -> None:
    """One trade, at the maker's price. taker None: background flow."""
    price, is_buy = maker.price, not maker.is_buy
    market.book.reduce(maker.order_id, size)
    market.traded(is_buy, price, size, world.now_ns // 60_000_000_000, kind)
    maker_side = _fill(world, resting, price, size, taker=False) if resting is not None else None
    taker_side = _fill(world, taker, price, size, taker=True) if taker is not None else None
    world.propose(
        Match(
            number=world.next_match(),
            pair=market.pair,
            is_buy=is_buy,
            price=price,
            size=size,
            quote=price * size // ledger.QUOTE_ONE,
            taker=taker_side,
            maker=maker_side,
            kind=kind,
        )
    )


def _fill(world: World, order: Order, price: int, size: int, *, taker: bool) -> Side:
    """Book one side of a trade: position, fee, the OrderId's fill record."""
    quote, fee, builder_fee = _cost(world, order, price, size, taker=taker)
    signed = size if order.is_buy else -size
    subaccount = world.subaccount(order.owner, order.number)
    ledger.trade(world, subaccount, order.pair, signed, (-quote if order.is_buy else quote) - fee)
    ledger.count_volume(world, order.owner, quote, taker=taker)
    order.filled += size
    if order.is_short_term and order.good_til_block is not None:
        record = FillRecord(order.filled, order.good_til_block + SHORT_BLOCK_WINDOW)
        world.fill_records[order.key] = record
        world.touch("fill_record", order.key, record)
    if not order.left:
        unrest(world, order)
        if order.is_short_term:
            world.drop("short", order.key)
    world.touch_order(order)
    return Side(copy.copy(order), order.filled, fee, builder_fee)


# ---- background flow -----------------------------------------------------------------------------


def advance(world: World, market: Market) -> None:
    """Bring a market to this moment's step."""
    elapsed = world.elapsed()
    target = market.flow.step_at(elapsed)
    touch = market.touch
    if touch is not None and touch.step >= target:
        return
    if not market.watched:
        market.look(elapsed)
        return
    first = target if touch is None or target - touch.step > MAX_STEPS else touch.step + 1
    for step in range(first, target + 1):
        move_to(world, market, market.flow.touch(step, market.shift))
        _run_trades(world, market, step)


def move_to(world: World, market: Market, touch: Touch) -> None:
    """The path has moved."""
    market.move_to(touch, partial(_sweep, world, market))


def _sweep(world: World, market: Market, touch: Touch) -> None:
    """Background takers hit user orders that the path has crossed: by a level's size, wholly once well beyond."""
    beyond = SWEEP_TICKS * market.spec.tick
    mine = [world.by_book_id[book_id] for book_id in market.resting]
    crossed = [
        order for order in mine if (order.subticks >= touch.ask if order.is_buy else order.subticks <= touch.bid)
    ]
    for number, order in enumerate(sorted(crossed, key=lambda o: (-o.subticks if o.is_buy else o.subticks, o.book_id))):
        far = order.subticks - touch.ask if order.is_buy else touch.bid - order.subticks
        size = order.left if far >= beyond else min(order.left, market.flow.burst(touch.step, number))
        _flow_hits(world, market, order, size)


def _run_trades(world: World, market: Market, step: int) -> None:
    """The background trades of a step. Where a user rests in the way, the user trades."""
    touch, counters = market.touch, world.counters
    if touch is None or not market.begin_step(step, counters.start_ns, counters.start_height):
        return
    for flow_trade in market.flow.trades(step):
        limit = touch.ask if flow_trade.is_buy else touch.bid
        with_users, _ = _sweep_book(world, market, flow_trade.is_buy, limit, flow_trade.size)
        if flow_trade.size > with_users:
            market.traded(flow_trade.is_buy, limit, flow_trade.size - with_users, None)


def background_trade(world: World, market: Market, *, is_buy: bool, limit: int, size: int) -> int:
    """A background trade on order of the control API. The size that traded."""
    with_users, with_quotes = _sweep_book(world, market, is_buy, limit, size)
    if with_quotes:
        market.traded(is_buy, limit, with_quotes, world.now_ns // 60_000_000_000)
    return with_users + with_quotes


def _sweep_book(world: World, market: Market, is_buy: bool, limit: int, size: int) -> tuple[int, int]:
    """A background taker works through the book. (size with users, size with background quotes)."""
    left, with_users = size, 0
    while left > 0 and (maker := market.book.first_match(is_buy, limit)) is not None:
        resting = world.by_book_id.get(maker.order_id)
        part = min(left, maker.size)
        if resting is None:
            market.book.reduce(maker.order_id, part)
        else:
            part = _flow_hits(world, market, resting, part)
            with_users += part
        left -= part
    return with_users, size - left - with_users


def _flow_hits(world: World, market: Market, order: Order, size: int) -> int:
    """A background taker trades with a user's resting order. The size that traded."""
    if order.book_id not in market.resting or not _maker_stands(world, order, order.subticks, size):
        return 0
    _execute(world, market, market.book.orders[order.book_id], order, None, size)
    return size
