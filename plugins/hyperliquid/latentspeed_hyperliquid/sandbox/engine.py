"""Matching on a running market: users' orders, background flow, and what a trade does to both sides."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from latentspeed_cli.sandbox.flow import Touch
from latentspeed_cli.sandbox.matching import Resting

from . import ledger
from .market import TAKERS, Market, Trade, resting_of
from .numbers import dollars, notional, shown
from .state import Account, Fill, Order, Position

if TYPE_CHECKING:
    from .world import World

MAX_STEPS = 40
SWEEP_TICKS = 8


# ---- resting -------------------------------------------------------------------------------------


def rest(world: World, market: Market, order: Order) -> None:
    """Put what is left of an order on the book."""
    market.lay_quotes(world.elapsed()).add(resting_of(order))
    market.resting[order.oid] = order
    _hold(world, order, order.sz)


def unrest(world: World, market: Market, order: Order) -> None:
    """Take an order off the book, whether it lies there or waits as a trigger."""
    market.triggers.pop(order.oid, None)
    if market.book.remove(order.oid) is not None:
        del market.resting[order.oid]
        _hold(world, order, -order.sz)


def shrink(world: World, market: Market, order: Order, by: int) -> None:
    """Make a resting order smaller without a fill."""
    market.book.reduce(order.oid, by)
    order.sz -= by
    _hold(world, order, -by)
    world.touch_order(order)
    if order.sz == 0:
        market.resting.pop(order.oid, None)


def _hold(world: World, order: Order, by: int) -> None:
    """Count an order's size among what may still fill; reduce-only orders need no margin."""
    if order.reduce_only:
        return
    sizes = world.user_orders(order.user).open_sizes
    key = (order.asset, order.is_buy)
    left = sizes.get(key, 0) + by
    if left > 0:
        sizes[key] = left
    else:
        sizes.pop(key, None)


def cancel(world: World, market: Market, order: Order, status: str, *, sz: int | None = None) -> None:
    """End a live order; its status keeps the size that was left."""
    left = order.sz if sz is None else sz
    unrest(world, market, order)
    world.set_status(order, status, sz=left)


# ---- trading -------------------------------------------------------------------------------------


def take(world: World, market: Market, order: Order, limit: int) -> int:
    """Match a user's incoming order against the book down to its limit. The size that traded."""
    book = market.lay_quotes(world.elapsed())
    before = order.sz
    while order.sz > 0 and (maker := book.first_match(order.is_buy, limit)) is not None:
        resting = world.orders.get(maker.order_id)
        if resting is not None and not _maker_stands(world, market, order.user, resting, order.sz):
            continue
        size = min(order.sz, maker.size)
        _execute(world, market, maker, resting, order, maker.price, size)
    return before - order.sz


def _maker_stands(world: World, market: Market, taker: str, resting: Order, size: int) -> bool:
    """Whether a user's resting order may trade now; otherwise it is cancelled."""
    if resting.user == taker:
        cancel(world, market, resting, "selfTradeCanceled")
        return False
    account = world.accounts[resting.user]
    if not resting.reduce_only and not _still_affords(world, market, account, resting, min(size, resting.sz)):
        cancel(world, market, resting, "marginCanceled")
        world.news.events.append((resting.user, {"nonUserCancel": [{"coin": resting.coin, "oid": resting.oid}]}))
        return False
    return True


def _still_affords(world: World, market: Market, account: Account, order: Order, size: int) -> bool:
    """Margin at match time: a resting order may have become too large for what the account is worth."""
    position = account.positions.get(order.asset) or Position()
    after = position.size + (size if order.is_buy else -size)
    if abs(after) <= abs(position.size):
        return True
    summary = ledger.Summary(world, account)
    _, leverage = ledger.leverage_of(account, market.spec)
    grown = notional(market.mark(world.elapsed()), abs(after) - abs(position.size)) // leverage
    return summary.used + grown <= summary.value


def _execute(
    world: World, market: Market, maker: Resting, resting: Order | None, taker: Order, price: int, size: int
) -> None:
    """One trade of a user's incoming order against a resting one."""
    buyer, seller = (taker.oid, maker.order_id) if taker.is_buy else (maker.order_id, taker.oid)
    users = (taker.user, maker.owner) if taker.is_buy else (maker.owner, taker.user)
    trade = Trade(
        market.name,
        "B" if taker.is_buy else "A",
        shown(price),
        shown(size),
        world.now_ms,
        world.action_hash,
        world.trade_id(market.name, buyer, seller),
        users,
    )
    if not market.fresh:
        market.catch_up_tape(world.elapsed(), world.counters.start_ns)
    market.print_trade(trade, price, size, by_user=True)
    _take_from_book(world, market, maker, resting, size)
    if resting is not None:
        fill(world, market, resting, trade, price, size, taker=False)
    fill(world, market, taker, trade, price, size, taker=True)


def _take_from_book(world: World, market: Market, maker: Resting, resting: Order | None, size: int) -> None:
    market.book.reduce(maker.order_id, size)
    if resting is not None:
        _hold(world, resting, -size)
        if maker.size == 0:
            del market.resting[resting.oid]


def fill(
    world: World,
    market: Market,
    order: Order,
    trade: Trade,
    price: int,
    size: int,
    *,
    taker: bool,
) -> None:
    """Book one side of a trade: position, fee, the order's record and the fill. A maker that is done is filled."""
    account = world.accounts[order.user]
    start, closed, direction = ledger.trade(account, market.spec, is_buy=order.is_buy, price=price, size=size)
    value = notional(price, size)
    fee = ledger.fee_of(account, value, taker=taker)
    builder_fee = value * order.builder_fee // 100_000 if order.builder is not None else 0
    account.cash -= fee + builder_fee
    account.volume += value
    _count_day(world, account, value, taker=taker)
    if builder_fee and order.builder in world.accounts:
        world.accounts[order.builder].cash += builder_fee
        world.touch(world.accounts[order.builder])
    order.sz -= size
    order.filled += size
    order.cost += value
    record = Fill(
        coin=market.name,
        px=shown(price),
        sz=shown(size),
        side="B" if order.is_buy else "A",
        time=trade.time,
        startPosition=shown(start),
        dir=direction,
        closedPnl=dollars(closed),
        hash=trade.hash,
        oid=order.oid,
        crossed=taker,
        fee=dollars(fee + builder_fee),
        tid=trade.tid,
    )
    if order.cloid is not None:
        record.cloid = order.cloid
    if builder_fee:
        record.builderFee = dollars(builder_fee)
    if world.liquidating is not None:
        record.liquidation = world.liquidating
    world.add_fill(order.user, record)
    world.touch(account)
    if order.sz == 0:
        end_siblings(world, order)
    if taker:
        world.touch_order(order)
    elif order.sz == 0:
        world.set_status(order, "filled", sz=0)
        verb = "Bought" if order.is_buy else "Sold"
        text = f"Resting order filled: {verb} {_bare(record.sz)} {market.name} at ${_bare(record.px)}"
        world.news.notes.append((order.user, text))
        world.after_fill.append(order)
    else:
        world.touch_order(order)
    fit_reduce_only(world, market, account)


def end_siblings(world: World, order: Order) -> None:
    """One leg of a TP/SL pair is done: the other is cancelled."""
    for oid in order.siblings:
        other = world.orders.get(oid)
        if other is not None and other.live:
            cancel(world, world.markets[other.asset], other, "siblingFilledCanceled")


def _bare(text: str) -> str:
    return text[:-2] if text.endswith(".0") else text


def _count_day(world: World, account: Account, value: int, *, taker: bool) -> None:
    day = str(world.now_ms // 86_400_000)
    cross, add = account.days.get(day, (0, 0))
    account.days[day] = (cross + value, add) if taker else (cross, add + value)
    if len(account.days) > 15:
        del account.days[min(account.days, key=int)]


def fit_reduce_only(world: World, market: Market, account: Account) -> None:
    """Resting reduce-only orders shrink with the position and end when it is closed or turned."""
    mine = [order for order in market.resting.values() if order.reduce_only and order.user == account.address]
    triggers = [order for order in market.triggers.values() if order.user == account.address and not order.waiting]
    if not mine and not triggers:
        return
    position = account.positions.get(market.asset)
    size = position.size if position else 0
    for order in [*mine, *triggers]:
        if order.reduce_only and (size == 0 or order.is_buy == (size > 0)):
            cancel(world, market, order, "reduceOnlyCanceled")
    excess = sum(order.sz for order in mine if order.live) - abs(size)
    for order in mine:
        if excess > 0 and order.live:
            cut = min(order.sz, excess)
            excess -= cut
            if cut == order.sz:
                cancel(world, market, order, "reduceOnlyCanceled")
            else:
                shrink(world, market, order, cut)


# ---- background flow -----------------------------------------------------------------------------


def advance(world: World, market: Market) -> bool:
    """Bring a market to this moment's step. True when something may have changed."""
    elapsed = world.elapsed()
    target = market.flow.step_at(elapsed)
    touch = market.touch
    if touch is not None and touch.step >= target:
        return False
    if not market.watched:
        market.look(elapsed)
        return True
    first = target if touch is None or target - touch.step > MAX_STEPS else touch.step + 1
    for step in range(first, target + 1):
        move_to(world, market, market.flow.touch(step, market.shift))
        _run_trades(world, market, step)
    return True


def move_to(world: World, market: Market, touch: Touch) -> None:
    """The path has moved."""
    market.move_to(touch, partial(_sweep, world, market))


def _sweep(world: World, market: Market, touch: Touch) -> None:
    """Background takers hit the user orders that the path has crossed.

    Just crossed, an order fills by a level's size a step; once the path is well beyond, by all of it. So a large order
    at the touch fills bit by bit, and no order stays far behind the price.
    """
    beyond = SWEEP_TICKS * market.spec.tick_size(touch.mid)
    crossed = [
        order for order in market.resting.values() if (order.px >= touch.ask if order.is_buy else order.px <= touch.bid)
    ]
    for number, order in enumerate(sorted(crossed, key=lambda order: -order.px if order.is_buy else order.px)):
        if not order.live:
            continue
        far = order.px - touch.ask if order.is_buy else touch.bid - order.px
        size = order.sz if far >= beyond else min(order.sz, market.flow.burst(touch.step, number))
        _flow_hits(world, market, order, size, touch.step, 100 + number)


def _run_trades(world: World, market: Market, step: int) -> None:
    """The background trades of a step. Where a user rests in the way, the user trades."""
    touch = market.touch
    if touch is None:
        return
    time = (world.counters.start_ns + market.flow.step_start(step)) // 1_000_000
    for flow_trade in market.flow.trades(step):
        limit = touch.ask if flow_trade.is_buy else touch.bid
        with_users, _ = _sweep_book(world, market, flow_trade.is_buy, limit, flow_trade.size, step, flow_trade.number)
        plain = flow_trade.size - with_users
        if plain > 0:
            trade = market.flow_trade(step, flow_trade.number, flow_trade.is_buy, limit, plain, time)
            market.print_trade(trade, limit, plain, by_user=False)
    market.printed_step(step)


def background_trade(world: World, market: Market, *, is_buy: bool, limit: int, size: int) -> int:
    """A background trade on order of the control API. The size that traded."""
    step = market.flow.step_at(world.elapsed())
    number = 1_000 + world.counters.action
    with_users, with_quotes = _sweep_book(world, market, is_buy, limit, size, step, number)
    if with_quotes:
        trade = market.flow_trade(step, number, is_buy, limit, with_quotes, world.now_ms)
        market.print_trade(trade, limit, with_quotes, by_user=True)
    return with_users + with_quotes


def _sweep_book(
    world: World, market: Market, is_buy: bool, limit: int, size: int, step: int, number: int
) -> tuple[int, int]:
    """A background taker works through the book. (size traded with users, size traded with background quotes)."""
    left, with_users = size, 0
    hit = number * 16
    while left > 0 and (maker := market.book.first_match(is_buy, limit)) is not None:
        resting = world.orders.get(maker.order_id)
        part = min(left, maker.size)
        if resting is None:
            market.book.reduce(maker.order_id, part)
        else:
            hit += 1
            part = _flow_hits(world, market, resting, part, step, hit)
            with_users += part
        left -= part
    return with_users, size - left - with_users


def _flow_hits(world: World, market: Market, order: Order, size: int, step: int, number: int) -> int:
    """A background taker trades with a user's resting order. The size that traded."""
    if not _maker_stands(world, market, "", order, size):
        return 0
    is_buy = not order.is_buy
    model = market.flow_trade(step, number, is_buy, order.px, size, world.now_ms)
    taker = TAKERS[number % len(TAKERS)]
    users = (taker, order.user) if is_buy else (order.user, taker)
    trade = Trade(model.coin, model.side, model.px, model.sz, model.time, model.hash, model.tid, users)
    maker = market.book.orders[order.oid]
    market.print_trade(trade, order.px, size, by_user=False)
    _take_from_book(world, market, maker, order, size)
    fill(world, market, order, trade, order.px, size, taker=False)
    return size
