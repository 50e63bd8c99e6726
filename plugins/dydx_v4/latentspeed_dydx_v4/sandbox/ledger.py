"""Money: collateral, margin, fees and fee tiers, and what a trade or a transfer does to a subaccount (section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .numbers import PPM, ceil_div
from .state import Account, Position, Subaccount

if TYPE_CHECKING:
    from .market import Market
    from .world import World

QUOTE_ONE = 10**9  # quantums x subticks of one quote quantum (quantum conversion exponent -9)

SUCCESS = "Success"
NEWLY = "NewlyUndercollateralized"
STILL = "StillUndercollateralized"
ISOLATED = "ViolatesIsolatedSubaccountConstraints"

_M = 1_000_000 * 10**6
FEE_DAYS = 30


class FeeTier(msgspec.Struct, frozen=True):
    """A row of the schedule of section 11.3: 30-day volume in quote quantums, shares of the venue's volume in ppm."""

    volume: int
    maker_ppm: int
    taker_ppm: int
    total_share_ppm: int = 0
    maker_share_ppm: int = 0


FEE_TIERS = (
    FeeTier(0, 100, 500),
    FeeTier(1 * _M, 100, 450),
    FeeTier(5 * _M, 50, 400),
    FeeTier(25 * _M, 0, 350),
    FeeTier(125 * _M, 0, 300),
    FeeTier(125 * _M, -50, 250, 5_000),
    FeeTier(125 * _M, -90, 250, 5_000, 10_000),
    FeeTier(125 * _M, -110, 250, 5_000, 20_000),
    FeeTier(125 * _M, -110, 250, 5_000, 40_000),
)


class Risk(msgspec.Struct, frozen=True):
    """net: collateral; initial, maintenance: what its positions require."""

    net: int
    initial: int
    maintenance: int


def notional(size: int, price: int) -> int:
    """size x price in quote quantums, toward zero."""
    value = abs(size) * price // QUOTE_ONE
    return value if size >= 0 else -value


def imf_ppm(world: World, market: Market, subaccount: Subaccount) -> int:
    """The initial margin fraction that holds for a subaccount in a market."""
    tier = market.initial_ppm(world.hour(), world.oracle(market.pair))
    return max(tier, subaccount.leverage.get(market.pair, 0))


def risk(world: World, subaccount: Subaccount, sizes: dict[int, int], usdc: int) -> Risk:
    """The risk of holding these sizes and that money."""
    net, initial, maintenance = usdc, 0, 0
    for pair, size in sizes.items():
        if not size:
            continue
        market = world.markets[pair]
        price = world.oracle(pair)
        worth = ceil_div(abs(size) * price, QUOTE_ONE)
        net += notional(size, price)
        initial += ceil_div(worth * imf_ppm(world, market, subaccount), PPM)
        tier = market.spec.tier
        base = ceil_div(worth * tier.initial_ppm, PPM)
        maintenance += ceil_div(base * tier.maintenance_ppm, PPM)
    return Risk(net, initial, maintenance)


def risk_of(world: World, subaccount: Subaccount) -> Risk:
    return risk(world, subaccount, sizes_of(subaccount), subaccount.usdc)


def sizes_of(subaccount: Subaccount) -> dict[int, int]:
    return {pair: position.size for pair, position in subaccount.positions.items() if position.size}


def judge(world: World, subaccount: Subaccount, pair: int, size: int, usdc: int) -> str:
    """Whether a change of a position (signed size) and of the money is allowed; the chain's UpdateResult."""
    before = sizes_of(subaccount)
    after = dict(before)
    if size:
        after[pair] = after.get(pair, 0) + size
        if not _isolation_holds(world, after):
            return ISOLATED
    new = risk(world, subaccount, after, subaccount.usdc + usdc)
    if new.net >= new.initial:
        return SUCCESS
    old = risk(world, subaccount, before, subaccount.usdc)
    if old.net >= old.initial:
        return NEWLY
    lighter = new.maintenance <= old.maintenance and new.net * old.maintenance >= old.net * new.maintenance
    return SUCCESS if lighter and new.initial < old.initial else STILL


def _isolation_holds(world: World, sizes: dict[int, int]) -> bool:
    held = [pair for pair, size in sizes.items() if size]
    return len(held) <= 1 or not any(world.markets[pair].spec.isolated for pair in held)


# ---- fees ----------------------------------------------------------------------------------------


def volume(world: World, account: Account | None) -> tuple[int, int]:
    """(maker, taker) quote quantums of the last 30 days."""
    if account is None:
        return 0, 0
    first = world.now_ns // 86_400_000_000_000 - FEE_DAYS
    maker = sum(amount for day, amount in account.maker_days.items() if int(day) > first)
    return maker, sum(amount for day, amount in account.taker_days.items() if int(day) > first)


def fee_tier(world: World, account: Account | None) -> int:
    """Index of the fee tier. Tiers that need a share of the whole volume are out of reach here."""
    traded = sum(volume(world, account))
    return max(index for index, tier in enumerate(FEE_TIERS) if traded >= tier.volume and not tier.total_share_ppm)


def fee(world: World, owner: str, quote: int, *, taker: bool) -> int:
    """Fee of a fill, rounded up; negative is a rebate."""
    tier = FEE_TIERS[fee_tier(world, world.accounts.get(owner))]
    return ceil_div(quote * (tier.taker_ppm if taker else tier.maker_ppm), PPM)


def count_volume(world: World, owner: str, quote: int, *, taker: bool) -> None:
    account = world.accounts.get(owner)
    if account is None:
        return
    days = account.taker_days if taker else account.maker_days
    day = str(world.now_ns // 86_400_000_000_000)
    days[day] = days.get(day, 0) + quote
    if len(days) > FEE_DAYS + 1:
        del days[min(days, key=int)]
    world.touch_account(account)


# ---- changes -------------------------------------------------------------------------------------


def trade(world: World, subaccount: Subaccount, pair: int, size: int, usdc: int) -> None:
    """Change a position by a signed size and the money by what it cost, fee included."""
    position = subaccount.positions.setdefault(pair, Position())
    position.size += size
    subaccount.usdc += usdc
    if not position.size:
        del subaccount.positions[pair]
    world.changed(subaccount)


def pay(world: World, subaccount: Subaccount, usdc: int) -> None:
    """Add money to a subaccount (negative: take it)."""
    subaccount.usdc += usdc
    world.changed(subaccount)
