"""Orders before they are taken: their numbers, and the checks that need neither book nor account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import texts
from .actions import Builder, OrderSpec
from .market import Market
from .numbers import E6, E8, notional, parse_decimal
from .state import Account, Order

if TYPE_CHECKING:
    from .world import World

Refusal = tuple[str | None, str]
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
