"""Placing, cancelling and modifying: the venue's checks in its order, and its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine, ledger, texts, triggers
from .actions import BatchModify, Builder, CancelByCloid, CancelOrders, ModifyOrder, OrderSpec, PlaceOrders
from .market import Market
from .numbers import E6, E8, notional, parse_decimal, shown
from .state import Account, Order, Position

if TYPE_CHECKING:
    from .world import World

Refusal = tuple[str | None, str]
MIN_NOTIONAL = 10 * E6
MAX_OPEN = 1_000
SPOT_FIRST = 10_000


class Draft:
    """One order as checked: the numbers of its OrderSpec as integers."""

    def __init__(self, spec: OrderSpec, market: Market) -> None:
        self.market = market
        self.is_buy = spec.b
        self.px = parse_decimal(spec.p)
        self.size = parse_decimal(spec.s)
        self.reduce_only = spec.r
        self.cloid = spec.c
        self.tif: str | None = None if spec.t.limit is None else spec.t.limit.tif
        self.trigger = spec.t.trigger
        self.trigger_px = 0 if spec.t.trigger is None else parse_decimal(spec.t.trigger.triggerPx)

    @property
    def immediate(self) -> bool:
        return self.tif in {"Ioc", "FrontendMarket"}


# ---- static checks: any failure refuses the whole batch ------------------------------------------


def market_of(world: World, asset: int) -> Market | None:
    return world.markets[asset] if 0 <= asset < len(world.markets) else None


def static_refusal(world: World, spec: OrderSpec, *, whole_position: bool) -> str | None:
    """What is wrong with an order whatever the book and the account are; no record is kept of it."""
    market = market_of(world, spec.a)
    if market is None:
        return texts.INVALID_SPOT if spec.a >= SPOT_FIRST else texts.INVALID_ASSET
    if market.delisted:
        return texts.DELISTED.format(asset=spec.a)
    draft = Draft(spec, market)
    for price in (draft.px, draft.trigger_px) if draft.trigger else (draft.px,):
        if price == 0 or price % market.spec.px_unit:
            return texts.INVALID_PRICE[1]
    if draft.size == 0 and not (whole_position and draft.trigger):
        return texts.ZERO_SIZE[1]
    if draft.size % market.spec.lot:
        return texts.INVALID_SIZE[1]
    mark = market.mark(world.elapsed())
    if draft.trigger is None and not mark * 5 // 100 <= draft.px <= mark * 195 // 100:
        return texts.PRICE_BAND[1]
    limit = max_value(market, immediate=draft.immediate)
    if notional(draft.px, draft.size) > limit * E6:
        return texts.TOO_LARGE[1].format(limit=limit)
    return None


def max_value(market: Market, *, immediate: bool) -> int:
    """The largest order in dollars, by the asset's maximum leverage; ten times that for limit orders."""
    leverage = market.spec.max_leverage
    value = 30_000_000 if leverage >= 25 else 5_000_000 if leverage >= 20 else 2_000_000 if leverage >= 10 else 500_000
    return value if immediate else 10 * value


def off_tick(price: int) -> bool:
    """More than five significant figures, whole dollars aside."""
    return price % E8 != 0 and len(str(price).rstrip("0")) > 5


# ---- placing -------------------------------------------------------------------------------------


def place(world: World, account: Account, action: PlaceOrders) -> list[object]:
    """The statuses of an `order` action."""
    if not action.orders:
        return [{"error": texts.ORDERS_EMPTY}]
    builder = action.builder
    if builder is not None and account.builders.get(builder.b, -1) < builder.f:
        return [{"error": texts.BUILDER}]
    if not isinstance(action.grouping, str):
        return [{"error": texts.NO_PRIORITY}]
    refusal = triggers.group_refusal(action.grouping, action.orders)
    for spec in action.orders:
        refusal = refusal or static_refusal(world, spec, whole_position=action.grouping == "positionTpsl")
    if refusal is not None:
        return [{"error": refusal}]
    if action.grouping == "normalTpsl":
        return triggers.place_group(world, account, action.orders, builder)
    return [
        place_one(world, account, spec, builder, position_tpsl=action.grouping == "positionTpsl")
        for spec in action.orders
    ]


def place_one(
    world: World, account: Account, spec: OrderSpec, builder: Builder | None, *, position_tpsl: bool = False
) -> object:
    """Place one order that passed the static checks. The status object of its answer."""
    market = world.markets[spec.a]
    engine.advance(world, market)
    draft = Draft(spec, market)
    order = new_order(world, account, draft, builder)
    if world.refusals:
        return _refused(world, order, ("rejected", world.refusals.pop(0)))
    if draft.trigger is not None:
        refusal = triggers.refusal(world, account, draft) or open_refusal(world, account, draft)
        if refusal is not None:
            return _refused(world, order, refusal)
        return triggers.arm(world, order, draft, position_tpsl=position_tpsl)
    refusal = execution_refusal(world, account, draft)
    if refusal is not None:
        return _refused(world, order, refusal)
    return execute(world, account, market, order)


def new_order(world: World, account: Account, draft: Draft, builder: Builder | None) -> Order:
    """A fresh order with an id, not yet remembered."""
    return Order(
        oid=world.next_oid(),
        user=account.address,
        asset=draft.market.asset,
        coin=draft.market.name,
        is_buy=draft.is_buy,
        px=draft.px,
        sz=draft.size,
        orig_sz=draft.size,
        reduce_only=draft.reduce_only,
        tif=draft.tif,
        created_ms=world.now_ms,
        status_ms=world.now_ms,
        status_sz=draft.size,
        cloid=draft.cloid,
        kind="Market" if draft.tif == "FrontendMarket" else "Limit",
        builder=None if builder is None else builder.b,
        builder_fee=0 if builder is None else builder.f,
    )


def _refused(world: World, order: Order, refusal: Refusal) -> dict[str, str]:
    """A refusal that leaves a record, or none when its status is None."""
    status, text = refusal
    text = text.format(asset=order.asset)
    if status is not None:
        order.status = status
        world.remember(order)
        world.set_status(order, status)
    return {"error": text}


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


# ---- cancelling ----------------------------------------------------------------------------------


def cancel_orders(world: World, account: Account, action: CancelOrders | CancelByCloid) -> list[object]:
    """The statuses of `cancel` and `cancelByCloid`."""
    found: list[tuple[int, Order | None]] = []
    if isinstance(action, CancelOrders):
        found = [(item.a, world.orders.get(item.o)) for item in action.cancels]
    else:
        cloids = world.user_orders(account.address).cloids
        found = [(item.asset, world.orders.get(cloids.get(item.cloid, -1))) for item in action.cancels]
    return [_cancel_one(world, account, asset, order) for asset, order in found]


def _cancel_one(world: World, account: Account, asset: int, order: Order | None) -> object:
    if order is not None and order.asset == asset:
        engine.advance(world, world.markets[asset])
    if order is None or not order.live or order.user != account.address or order.asset != asset:
        return {"error": texts.CANCEL.format(asset=asset)}
    triggers.cancel_with_children(world, order, "canceled")
    return "success"


# ---- modifying -----------------------------------------------------------------------------------


def modify(world: World, account: Account, action: ModifyOrder) -> str | None:
    """The error text of a `modify`, None when it was done."""
    outcome = _modify_one(world, account, action.oid, action.order, always=action.a)
    if isinstance(outcome, dict) and "error" in outcome:
        text = str(outcome["error"])
        if outcome.get("whole"):
            return text
        return texts.MODIFY_FAILED.format(reason=text)
    return None


def batch_modify(world: World, account: Account, action: BatchModify) -> list[object]:
    """The statuses of a `batchModify`."""
    statuses = []
    for item in action.modifies:
        outcome = _modify_one(world, account, item.oid, item.order, always=action.a)
        if isinstance(outcome, dict) and outcome.pop("whole", False):
            outcome = {"error": outcome["error"]}
        statuses.append(outcome)
    return statuses


def _modify_one(world: World, account: Account, target: int | str, spec: OrderSpec, *, always: bool) -> object:
    """Cancel and place anew. Without `a` only a non-trigger ALO, or a GTC turned into one, may replace the order."""
    oid = target if isinstance(target, int) else world.user_orders(account.address).cloids.get(target, -1)
    order = world.orders.get(oid)
    if order is not None:
        engine.advance(world, world.markets[order.asset])
    standing = order is not None and order.live and order.user == account.address and not order.waiting
    if not standing and not always:
        return {"error": texts.MODIFY_GONE, "whole": True}
    if static_refusal(world, spec, whole_position=False) is not None:
        return {"error": texts.MODIFY_INVALID, "whole": True}
    if order is not None and standing:
        other = spec.a != order.asset or spec.b != order.is_buy
        if spec.a != order.asset or (
            not always and (other or spec.t.limit is None or spec.t.limit.tif not in {"Gtc", "Alo"})
        ):
            return {"error": texts.MODIFY_INVALID, "whole": True}
        builder = None if order.builder is None else Builder(order.builder, order.builder_fee)
        if not always and spec.t.limit is not None:
            spec.t.limit.tif = "Alo"
        triggers.cancel_with_children(world, order, "canceled")
        return place_one(world, account, spec, builder)
    return place_one(world, account, spec, None)
