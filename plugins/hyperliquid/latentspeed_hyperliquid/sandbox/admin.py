"""Account settings: leverage, isolated margin, dead man's switch, referrer, builders, abstraction, request weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine, ledger, texts
from .actions import (
    Action,
    AgentSetAbstraction,
    ReserveRequestWeight,
    ScheduleCancel,
    SetReferrer,
    TopUpIsolatedOnlyMargin,
    UpdateIsolatedMargin,
    UpdateLeverage,
)
from .drafts import market_of
from .numbers import E6, ShapeError, dollars, parse_decimal
from .state import Account
from .user_actions import ApproveBuilderFee, UserAction, UserSetAbstraction

if TYPE_CHECKING:
    from .world import World

SCHEDULE_VOLUME = 1_000_000 * E6
SCHEDULE_AHEAD_MS = 5_000
SCHEDULES_A_DAY = 10
MAX_BUILDERS = 10
REFERRAL_CODES = frozenset({"CCXT1", "CCXT", "LATENTSPEED"})
ABSTRACTIONS = {"i": "disabled", "u": "unifiedAccount", "p": "portfolioMargin"}
RESERVE_PRICE = 500  # dollars of 1e-6 per request


def accept(world: World, account: Account, action: Action | UserAction, signer: str) -> str | None:
    """Actions that change nothing the sandbox models."""
    return None


def update_leverage(world: World, account: Account, action: UpdateLeverage, signer: str) -> str | None:
    market = market_of(world, action.asset)
    if market is None:
        return texts.INVALID_ASSET
    if not 1 <= action.leverage <= market.spec.max_leverage:
        return texts.LEVERAGE
    position = account.positions.get(action.asset)
    if position is not None and position.isolated == action.isCross:
        return texts.LEVERAGE_SWITCH
    before = account.leverage.get(action.asset)
    old = ledger.leverage_of(account, market.spec)[1]
    account.leverage[action.asset] = (action.isCross, action.leverage)
    if (
        action.leverage < old
        and position is not None
        and not position.isolated
        and ledger.available(world, account) < 0
    ):
        if before is None:
            del account.leverage[action.asset]
        else:
            account.leverage[action.asset] = before
        return texts.LEVERAGE_MARGIN
    world.touch(account)
    return None


def update_isolated_margin(world: World, account: Account, action: UpdateIsolatedMargin, signer: str) -> str | None:
    """Move dollars into (or, negative, out of) an isolated position."""
    market = market_of(world, action.asset)
    position = account.positions.get(action.asset)
    if market is None or position is None or not position.isolated:
        return texts.NOT_ISOLATED
    if action.ntli > 0 and action.ntli > ledger.withdrawable(world, account):
        return texts.LEVERAGE_MARGIN
    value = ledger.value_of(position.size, market.mark(world.elapsed()))
    left = position.isolated_raw + value + action.ntli
    if action.ntli < 0 and left < abs(value) // ledger.leverage_of(account, market.spec)[1]:
        return texts.LEVERAGE_MARGIN
    position.isolated_raw += action.ntli
    account.cash -= action.ntli
    world.touch(account)
    return None


def top_up(world: World, account: Account, action: TopUpIsolatedOnlyMargin, signer: str) -> str | None:
    """Add what margin brings an isolated position to a leverage."""
    market = market_of(world, action.asset)
    position = account.positions.get(action.asset)
    if market is None or position is None or not position.isolated:
        return texts.NOT_ISOLATED
    target = parse_decimal(action.leverage)
    if target == 0:
        raise ShapeError(action.leverage)
    value = ledger.value_of(position.size, market.mark(world.elapsed()))
    missing = abs(value) * 100_000_000 // target - (position.isolated_raw + value)
    if missing > ledger.withdrawable(world, account):
        return texts.LEVERAGE_MARGIN
    if missing > 0:
        position.isolated_raw += missing
        account.cash -= missing
        world.touch(account)
    return None


def schedule_cancel(world: World, account: Account, action: ScheduleCancel, signer: str) -> str | None:
    """The dead man's switch: cancel everything at a time, or (no time) never."""
    if account.volume < SCHEDULE_VOLUME:
        return texts.SCHEDULE_VOLUME.format(volume=dollars(account.volume).removesuffix(".0"))
    if action.time is not None and action.time < world.now_ms + SCHEDULE_AHEAD_MS:
        return texts.SCHEDULE_SOON
    day = world.now_ms // 86_400_000
    if account.schedule_day == day and account.schedule_fired >= SCHEDULES_A_DAY and action.time is not None:
        return texts.SCHEDULE_DAILY
    account.schedule_ms = action.time
    world.touch(account)
    return None


def fire_schedules(world: World) -> None:
    """Cancel the orders of accounts whose scheduled time has come."""
    for account in world.accounts.values():
        if account.schedule_ms is None or account.schedule_ms > world.now_ms:
            continue
        account.schedule_ms = None
        day = world.now_ms // 86_400_000
        account.schedule_fired = account.schedule_fired + 1 if account.schedule_day == day else 1
        account.schedule_day = day
        world.touch(account)
        for order in list(world.user_orders(account.address).live.values()):
            engine.cancel(world, world.markets[order.asset], order, "scheduledCancel")


def set_referrer(world: World, account: Account, action: SetReferrer, signer: str) -> str | None:
    if action.code not in REFERRAL_CODES:
        return texts.REFERRAL
    account.referrer = action.code
    world.touch(account)
    return None


def approve_builder_fee(world: World, account: Account, action: ApproveBuilderFee, signer: str) -> str | None:
    """maxFeeRate is a percentage; the approval is kept in tenths of a basis point."""
    if not action.maxFeeRate.endswith("%"):
        raise ShapeError(action.maxFeeRate)
    fee = parse_decimal(action.maxFeeRate[:-1]) * 1_000 // 100_000_000
    if fee > 1_000:
        return texts.BUILDER_RATE
    if fee == 0:
        account.builders.pop(action.builder, None)
    elif action.builder not in account.builders and len(account.builders) >= MAX_BUILDERS:
        return texts.BUILDERS_MANY
    else:
        account.builders[action.builder] = fee
    world.touch(account)
    return None


def agent_set_abstraction(world: World, account: Account, action: AgentSetAbstraction, signer: str) -> str | None:
    return _set_abstraction(world, account, ABSTRACTIONS[action.abstraction])


def user_set_abstraction(world: World, account: Account, action: UserSetAbstraction, signer: str) -> str | None:
    return _set_abstraction(world, account, action.abstraction)


def _set_abstraction(world: World, account: Account, abstraction: str) -> str | None:
    """Remembered and shown; the sandbox keeps perp and spot dollars apart whatever it says."""
    account.abstraction = abstraction
    world.touch(account)
    return None


def reserve_request_weight(world: World, account: Account, action: ReserveRequestWeight, signer: str) -> str | None:
    """Buy requests at 0.0005 dollars each. Signed by an agent it fails, as on the venue."""
    if signer != account.address and account.master is None:
        return texts.MUST_DEPOSIT.format(address=signer)
    if action.weight < 1:
        return texts.INVALID_SEND
    cost = action.weight * RESERVE_PRICE
    if cost > ledger.withdrawable(world, account):
        return texts.BALANCE
    account.cash -= cost
    account.reserved += action.weight
    world.touch(account)
    return None
