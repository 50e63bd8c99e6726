"""Taking a limit order: the checks against book and account in the venue's order, matching, resting, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine, ledger, texts
from .drafts import Draft, Refusal, off_tick
from .market import Market
from .numbers import E6, notional, shown
from .state import Account, Order, Position

if TYPE_CHECKING:
    from .world import World

MIN_NOTIONAL = 10 * E6
MAX_OPEN = 1_000


def execution_refusal(world: World, account: Account, draft: Draft) -> Refusal | None:
    """The checks of a limit order, in order: tick, value, reduce-only, post-only, margin."""
    market = draft.market
    if off_tick(draft.px):
        return texts.TICK
    position = account.positions.get(market.asset) or Position()
    against = position.size != 0 and draft.is_buy == (position.size < 0)
    book = market.lay_quotes(world.elapsed())
    crosses = book.crosses(draft.is_buy, draft.px)
    if draft.immediate and not crosses:
        return texts.NO_LIQUIDITY if not market.book.prices(not draft.is_buy) and draft.tif != "Ioc" else texts.IOC
    reference = book.best_price(not draft.is_buy) if draft.immediate else draft.px
    closes = against and (draft.size == abs(position.size) or (draft.reduce_only and draft.size >= abs(position.size)))
    if not closes and notional(reference or draft.px, draft.size) < MIN_NOTIONAL:
        return texts.MIN_NOTIONAL
    if draft.reduce_only and not against:
        return texts.REDUCE_ONLY
    if draft.tif == "Alo" and crosses:
        bid, ask = (book.best_price(side) for side in (True, False))
        status, text = texts.POST_ONLY
        return status, text.replace("{bid}", _bare(bid)).replace("{ask}", _bare(ask))
    refusal = open_refusal(world, account, draft)
    if refusal is not None:
        return refusal
    if draft.reduce_only:
        return None
    if not ledger.affords(world, account, market.asset, is_buy=draft.is_buy, size=draft.size):
        return texts.MARGIN
    after = position.size + (draft.size if draft.is_buy else -draft.size)
    if abs(after) > abs(position.size) and ledger.exceeds_tier(
        account, market.spec, after, market.mark(world.elapsed())
    ):
        return texts.TIER
    return None


def open_refusal(world: World, account: Account, draft: Draft) -> Refusal | None:
    """Limits on open orders: 1000 and one per 5 million dollars traded, at most 5000."""
    factor = world.scenario.limits_factor
    if factor is None or draft.immediate:
        return None
    count = len(world.user_orders(account.address).live)
    limit = min(MAX_OPEN + account.volume // (5_000_000 * E6), 5 * MAX_OPEN) * factor
    if count >= limit or (count >= MAX_OPEN * factor and (draft.reduce_only or draft.trigger is not None)):
        return texts.TOO_MANY_OPEN
    return None


def _bare(price: int | None) -> str:
    text = "0.0" if price is None else shown(price)
    return text[:-2] if text.endswith(".0") else text


def execute(world: World, account: Account, market: Market, order: Order, *, announce: bool = True) -> object:
    """Match an accepted limit order, rest or drop what is left, and answer."""
    if order.reduce_only:
        position = account.positions.get(market.asset) or Position()
        order.sz = min(order.sz, abs(position.size))
    updates = world.news.updates.setdefault(order.user, [])
    place_in_news = len(updates)
    opened = order.sz
    immediate = order.tif in {"Ioc", "FrontendMarket"}
    if order.status == "open":
        world.remember(order)
    traded = 0 if order.tif == "Alo" else engine.take(world, market, order, order.px)
    if immediate and not traded:
        world.set_status(order, "iocCancelRejected")
        return {"error": texts.IOC[1].format(asset=order.asset)}
    if announce:
        entry = world.opened(order, opened)
        world.news.updates.setdefault(order.user, []).insert(place_in_news, entry)
        world.news.users.add(order.user)
    if order.live:
        if order.sz == 0 or immediate:
            order.sz = 0
            world.set_status(order, "filled", sz=0)
        else:
            order.status_sz = opened
            engine.rest(world, market, order)
            if order.reduce_only:
                _limit_reduce_only(world, market, account, order)
    answer: dict[str, object] = {"oid": order.oid}
    if traded:
        unit = market.spec.px_unit
        average = order.cost * 10**10 // order.filled // unit * unit
        answer = {"totalSz": shown(traded).removesuffix(".0"), "avgPx": shown(average), "oid": order.oid}
    if order.cloid is not None:
        answer["cloid"] = order.cloid
    return {"filled" if traded else "resting": answer}


def _limit_reduce_only(world: World, market: Market, account: Account, newest: Order) -> None:
    """Resting reduce-only orders that together exceed the position: the older ones are cancelled."""
    position = account.positions.get(market.asset) or Position()
    mine = [order for order in market.resting.values() if order.reduce_only and order.user == account.address]
    total = sum(order.sz for order in mine)
    for order in mine:
        if total <= abs(position.size) or order is newest:
            return
        total -= order.sz
        engine.cancel(world, market, order, "reduceOnlyCanceled")
