"""Money: positions, margin, fees and funding. Dollars are integers of 1e-6, prices and sizes of 1e-8.

The arithmetic is that of recorded accounts: accountValue = totalRawUsd + sum of size x mark; fees are truncated to six
decimals; maintenance margin is half the initial margin at the (tiered) maximum leverage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .numbers import E6, notional, toward_zero
from .state import Account, Position
from .universe import PerpSpec, tiers

if TYPE_CHECKING:
    from .world import World

TAKER_RATE = 45  # in 1e-5
MAKER_RATE = 15
RATE_ONE = 100_000
REFERRAL_PERCENT = 4
DEFAULT_LEVERAGE = 20


def leverage_of(account: Account, spec: PerpSpec) -> tuple[bool, int]:
    """(cross?, leverage) set on an asset; untouched: cross, 20 or the asset's maximum."""
    return account.leverage.get(spec.asset) or (True, min(DEFAULT_LEVERAGE, spec.max_leverage))


def value_of(size: int, mark: int) -> int:
    """size x mark, signed."""
    return notional(mark, size) if size >= 0 else -notional(mark, -size)


def maintenance(spec: PerpSpec, value: int) -> int:
    """Maintenance margin of a position's value, over the margin tiers."""
    deduction = 0
    rows = tiers(spec)
    rate = 2 * rows[0][1]
    for (bound, leverage), (_, before) in zip(rows[1:], rows, strict=False):
        if value < bound * E6:
            break
        # lower bound x (rate(n) - rate(n-1)), rates being 1 / (2 x leverage)
        deduction += bound * E6 * (before - leverage) // (2 * leverage * before)
        rate = 2 * leverage
    return value // rate - deduction


class Summary:
    """The margin figures of one account at this moment's marks."""

    def __init__(self, world: World, account: Account) -> None:
        self.cash = account.cash
        self.raw_all = account.cash
        self.value = account.cash
        self.value_all = account.cash
        self.notional = self.notional_all = 0
        self.used = self.used_all = 0
        self.maintenance = 0
        elapsed = world.elapsed()
        for asset, position in account.positions.items():
            market = world.markets[asset]
            signed = value_of(position.size, market.mark(elapsed))
            value = abs(signed)
            self.notional_all += value
            if position.isolated:
                self.raw_all += position.isolated_raw
                self.value_all += position.isolated_raw + signed
                self.used_all += position.isolated_raw + signed
            else:
                margin = value // leverage_of(account, market.spec)[1]
                self.value += signed
                self.value_all += signed
                self.notional += value
                self.used += margin
                self.used_all += margin
                self.maintenance += maintenance(market.spec, value)


def orders_margin(world: World, account: Account, asset: int, *, buy: int = 0, sell: int = 0) -> int:
    """Margin that an asset needs beyond its position if its resting orders, and `buy` or `sell` more, were to fill."""
    market = world.markets[asset]
    position = account.positions.get(asset)
    size = position.size if position else 0
    mine = world.user_orders(account.address).open_sizes
    buys = mine.get((asset, True), 0) + buy
    sells = mine.get((asset, False), 0) + sell
    worst = max(abs(size + buys), abs(size - sells), abs(size))
    mark = market.mark(world.elapsed())
    return notional(mark, worst - abs(size)) // leverage_of(account, market.spec)[1]


def available(world: World, account: Account) -> int:
    """Dollars that new exposure may use."""
    summary = Summary(world, account)
    held = sum(
        orders_margin(world, account, asset)
        for asset in {asset for asset, _ in world.user_orders(account.address).open_sizes}
    )
    return summary.value - summary.used - held


def withdrawable(world: World, account: Account) -> int:
    """Dollars that may leave: value less the larger of initial margin and a tenth of notional, less orders' hold."""
    summary = Summary(world, account)
    held = sum(
        orders_margin(world, account, asset)
        for asset in {asset for asset, _ in world.user_orders(account.address).open_sizes}
    )
    return max(summary.value - max(summary.used, summary.notional // 10) - held, 0)


def affords(world: World, account: Account, asset: int, *, is_buy: bool, size: int) -> bool:
    """Whether an order of that size may be placed: what it adds to the worst case fits what is free."""
    more = orders_margin(world, account, asset, buy=size if is_buy else 0, sell=0 if is_buy else size)
    extra = more - orders_margin(world, account, asset)
    return extra <= 0 or extra <= available(world, account)


def exceeds_tier(account: Account, spec: PerpSpec, size_after: int, mark: int) -> bool:
    """Whether a position would be larger than its leverage allows."""
    _, leverage = leverage_of(account, spec)
    value = notional(mark, abs(size_after))
    allowed = spec.max_leverage
    for bound, maximum in tiers(spec):
        if value >= bound * E6:
            allowed = maximum
    return leverage > allowed


def fee_of(account: Account, value: int, *, taker: bool) -> int:
    """The venue's fee on a perp fill, truncated to 1e-6."""
    rate = TAKER_RATE if taker else MAKER_RATE
    if account.referrer is not None and account.master is None:
        return value * rate * (100 - REFERRAL_PERCENT) // (RATE_ONE * 100)
    return value * rate // RATE_ONE


def trade(account: Account, spec: PerpSpec, *, is_buy: bool, price: int, size: int) -> tuple[int, int, str]:
    """Book one fill on an account's position, without its fee. (position before, closed profit, direction)."""
    position = account.positions.get(spec.asset)
    if position is None:
        cross, _ = leverage_of(account, spec)
        position = account.positions[spec.asset] = Position(isolated=not cross)
    start = position.size
    signed = size if is_buy else -size
    cost = notional(price, size)
    closing = min(abs(start), size) if start * signed < 0 else 0
    opening = size - closing
    closed = 0
    if closing:
        entry_part = position.entry * closing // abs(start)
        gain = notional(price, closing) - entry_part
        closed = gain if start > 0 else -gain
        position.entry -= entry_part
    opened = notional(price, opening)
    position.entry += opened
    position.size = start + signed
    flow = -cost if is_buy else cost
    if position.isolated:
        _isolated_flow(account, spec, position, start, price, closing, opened, flow)
    else:
        account.cash += flow
    if closing and opening:
        position.funding_open = position.funding_change = 0
        direction = "Long > Short" if start > 0 else "Short > Long"
    elif closing:
        direction = "Close Long" if start > 0 else "Close Short"
    else:
        direction = "Open Long" if is_buy else "Open Short"
    if opening:
        position.funding_change = 0
    if position.size == 0:
        account.cash += position.isolated_raw
        del account.positions[spec.asset]
    return start, closed, direction


def _isolated_flow(
    account: Account, spec: PerpSpec, position: Position, start: int, price: int, closing: int, opened: int, flow: int
) -> None:
    """Money of an isolated position: margin comes in with what opens, equity leaves with what closes."""
    equity = position.isolated_raw + value_of(start, price)
    position.isolated_raw += flow
    released = toward_zero(equity * closing, abs(start)) if closing else 0
    margin = opened // leverage_of(account, spec)[1]
    position.isolated_raw += margin - released
    account.cash += released - margin


def funding_payment(position: Position, oracle: int, rate: int) -> int:
    """What an hour's funding adds to the cash: -size x oracle x rate, toward zero."""
    return -toward_zero(value_of(position.size, oracle) * rate, 10**10)


def liquidation_price(world: World, account: Account, asset: int, summary: Summary) -> int | None:
    """The mark at which the position's margin falls to maintenance, in 1e-14; None when there is none above zero.

    mark - side x available / |size| / (1 - l x side), with l of the tier that applies at that price.
    """
    position = account.positions[asset]
    spec = world.markets[asset].spec
    mark = world.markets[asset].mark(world.elapsed())
    side = 1 if position.size > 0 else -1
    value = abs(value_of(position.size, mark))
    if position.isolated:
        free = position.isolated_raw + value_of(position.size, mark) - maintenance(spec, value)
    else:
        free = summary.value - summary.maintenance
    leverage = tiers(spec)[0][1]
    scale = 10**14
    # 1 - side / (2 leverage) = (2 leverage - side) / (2 leverage)
    offset = free * 10**2 * scale * 2 * leverage // (abs(position.size) * (2 * leverage - side))
    price = mark * 10**6 - side * offset
    return price if price > 0 else None
