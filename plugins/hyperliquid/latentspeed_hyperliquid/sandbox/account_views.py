"""Accounts as /info and the feeds show them. `user` is always the master or sub-account, never an agent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

from . import history_views, ledger, limits, market_views
from . import requests as r
from .numbers import E6, dollars, nearest, notional, shown
from .state import Account

if TYPE_CHECKING:
    from .world import World

DAYS = 15
EPOCH = date(1970, 1, 1)


def empty_state(now_ms: int) -> dict[str, object]:
    zero = {"accountValue": "0.0", "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": "0.0"}
    return {
        "marginSummary": zero,
        "crossMarginSummary": dict(zero),
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": "0.0",
        "assetPositions": [],
        "time": now_ms,
    }


def clearinghouse_state(world: World, request: r.OfUserDex | r.OfUser) -> dict[str, object]:
    account = world.accounts.get(request.user)
    return empty_state(world.now_ms) if account is None else state_of(world, account)


def state_of(world: World, account: Account) -> dict[str, object]:
    """`clearinghouseState` of an account."""
    s = ledger.Summary(world, account)
    return {
        "marginSummary": _summary(s.value_all, s.notional_all, s.raw_all, s.used_all),
        "crossMarginSummary": _summary(s.value, s.notional, s.cash, s.used),
        "crossMaintenanceMarginUsed": dollars(s.maintenance),
        "withdrawable": dollars(ledger.withdrawable(world, account)),
        "assetPositions": [
            {"type": "oneWay", "position": _position(world, account, asset, s)} for asset in sorted(account.positions)
        ],
        "time": world.now_ms,
    }


def _summary(value: int, total: int, raw: int, used: int) -> dict[str, str]:
    return {
        "accountValue": dollars(value),
        "totalNtlPos": dollars(total),
        "totalRawUsd": dollars(raw),
        "totalMarginUsed": dollars(used),
    }


def _position(world: World, account: Account, asset: int, summary: ledger.Summary) -> dict[str, object]:
    position = account.positions[asset]
    market = world.markets[asset]
    cross, leverage = ledger.leverage_of(account, market.spec)
    mark = market.mark(world.elapsed())
    signed = ledger.value_of(position.size, mark)
    side = 1 if position.size > 0 else -1
    profit = signed - side * position.entry
    shown_leverage: dict[str, object] = {"type": "cross" if cross else "isolated", "value": leverage}
    if not cross:
        shown_leverage["rawUsd"] = dollars(position.isolated_raw)
    margin = position.isolated_raw + signed if position.isolated else abs(signed) // leverage
    liquidation = ledger.liquidation_price(world, account, asset, summary)
    unit = market.spec.px_unit
    entry = position.entry * 10**10 // abs(position.size)
    return {
        "coin": market.name,
        "szi": shown(position.size),
        "leverage": shown_leverage,
        "entryPx": shown((entry + unit // 2) // unit * unit),
        "positionValue": dollars(abs(signed)),
        "unrealizedPnl": dollars(profit),
        "returnOnEquity": shown(nearest(profit * leverage * 10**10, position.entry or 1), 10),
        "liquidationPx": None if liquidation is None else shown(nearest(liquidation, 10**4), 10),
        "marginUsed": dollars(margin),
        "maxLeverage": market.spec.max_leverage,
        "cumFunding": {
            "allTime": dollars(-position.funding_all),
            "sinceOpen": dollars(-position.funding_open),
            "sinceChange": dollars(-position.funding_change),
        },
    }


def spot_state(world: World, request: r.OfUser) -> dict[str, object]:
    account = world.accounts.get(request.user)
    if account is None or account.spot_usdc == 0:
        return {"balances": []}
    total = shown(account.spot_usdc)
    return {"balances": [{"coin": "USDC", "token": 0, "total": total, "hold": "0.0", "entryNtl": "0.0"}]}


def active_asset_data(world: World, request: r.ActiveAssetData) -> dict[str, object]:
    market = world.by_coin.get(request.coin)
    if market is None:
        raise market_views.UnknownCoin(request.coin)
    account = world.accounts.get(request.user) or Account(address=request.user)
    cross, leverage = ledger.leverage_of(account, market.spec)
    mark = market.mark(world.elapsed())
    free = max(ledger.available(world, account), 0)
    position = account.positions.get(market.asset)
    size = position.size if position else 0
    # Trading against a position frees its margin and may open as much again on the other side.
    back = 2 * (notional(mark, abs(size)) // leverage)
    sides = [free + (back if size < 0 else 0), free + (back if size > 0 else 0)]
    lot = market.spec.lot
    shown_leverage: dict[str, object] = {"type": "cross" if cross else "isolated", "value": leverage}
    if not cross:
        shown_leverage["rawUsd"] = dollars(position.isolated_raw if position else 0)
    return {
        "user": request.user,
        "coin": market.name,
        "leverage": shown_leverage,
        "maxTradeSzs": [shown(side * leverage * 10**10 // mark // lot * lot) for side in sides],
        "availableToTrade": [dollars(side) for side in sides],
        "markPx": shown(mark),
    }


# ---- the rest ------------------------------------------------------------------------------------


def user_fees(world: World, request: r.OfUser) -> dict[str, object]:
    account = world.accounts.get(request.user) or Account(address=request.user)
    today = world.now_ms // 86_400_000
    volumes = []
    for day in range(today - DAYS + 1, today + 1):
        cross, add = account.days.get(str(day), (0, 0))
        volumes.append(
            {
                "date": str(EPOCH + timedelta(days=day)),
                "userCross": dollars(cross),
                "userAdd": dollars(add),
                "exchange": "5968404.96",
            }
        )
    return {
        "dailyUserVlm": volumes,
        "feeSchedule": {
            "cross": "0.00045",
            "add": "0.00015",
            "spotCross": "0.0007",
            "spotAdd": "0.0004",
            "tiers": {
                "vip": [
                    {
                        "ntlCutoff": "5000000.0",
                        "cross": "0.0004",
                        "add": "0.00012",
                        "spotCross": "0.0006",
                        "spotAdd": "0.0003",
                    }
                ],
                "mm": [{"makerFractionCutoff": "0.005", "add": "-0.00001"}],
            },
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
        },
        "userCrossRate": "0.00045",
        "userAddRate": "0.00015",
        "userSpotCrossRate": "0.0007",
        "userSpotAddRate": "0.0004",
        "activeReferralDiscount": "0.04" if account.referrer else "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def user_rate_limit(world: World, request: r.OfUser) -> dict[str, object]:
    account = world.accounts.get(request.user) or Account(address=request.user)
    cap = limits.request_cap(world, account)
    return {
        "cumVlm": dollars(account.volume // 10_000 * 10_000),
        "nRequestsUsed": account.requests,
        "nRequestsCap": cap,
        "nRequestsSurplus": 0,
    }


def user_role(world: World, request: r.OfUser) -> dict[str, object]:
    account = world.accounts.get(request.user)
    if account is not None:
        if account.master is not None:
            return {"role": "subAccount", "data": {"master": account.master}}
        return {"role": "user"}
    approved = world.agents.get(request.user)
    if approved is not None:
        return {"role": "agent", "data": {"user": approved[0]}}
    return {"role": "missing"}


def extra_agents(world: World, request: r.OfUser) -> list[object]:
    account = world.accounts.get(request.user)
    return [
        {"name": name, "address": agent.address, "validUntil": agent.valid_until}
        for name, agent in (account.agents.items() if account else ())
        if name
    ]


def sub_accounts(world: World, request: r.OfUser) -> list[dict[str, object]] | None:
    return _subs(world, request.user, lambda state: {"clearinghouseState": state})


def sub_accounts2(world: World, request: r.OfUser) -> list[dict[str, object]] | None:
    return _subs(world, request.user, lambda state: {"dexToClearinghouseState": [["", state]]})


def _subs(
    world: World, user: str, shape: Callable[[dict[str, object]], dict[str, object]]
) -> list[dict[str, object]] | None:
    account = world.accounts.get(user)
    if account is None or not account.subs:
        return None
    return [
        {
            "name": world.accounts[sub].name,
            "subAccountUser": sub,
            "master": user,
            **shape(state_of(world, world.accounts[sub])),
            "spotState": spot_state(world, r.SpotClearinghouseState(user=sub)),
        }
        for sub in account.subs
    ]


def max_builder_fee(world: World, request: r.MaxBuilderFee) -> int:
    account = world.accounts.get(request.user)
    return account.builders.get(request.builder, 0) if account else 0


def approved_builders(world: World, request: r.OfUser) -> list[str]:
    account = world.accounts.get(request.user)
    return list(account.builders) if account else []


def referral(world: World, request: r.OfUser) -> dict[str, object]:
    account = world.accounts.get(request.user)
    referrer = account.referrer if account else None
    return {
        "referredBy": None if referrer is None else {"referrer": "0x" + "0" * 39 + "1", "code": referrer},
        "cumVlm": dollars(account.volume if account else 0),
        "unclaimedRewards": "0.0",
        "claimedRewards": "0.0",
        "builderRewards": "0.0",
        "referrerState": {"stage": "needToCreateCode", "data": None},
        "rewardHistory": [],
    }


def portfolio(world: World, request: r.OfUser) -> list[object]:
    """One point per history: now."""
    account = world.accounts.get(request.user)
    value = dollars(ledger.Summary(world, account).value_all) if account else "0.0"
    part = {
        "accountValueHistory": [[world.now_ms, value]],
        "pnlHistory": [[world.now_ms, "0.0"]],
        "vlm": dollars(account.volume if account else 0),
    }
    names = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
    return [[name, part] for name in names]


def user_abstraction(world: World, request: r.OfUser) -> str:
    account = world.accounts.get(request.user)
    return account.abstraction if account else "default"


def pre_transfer_check(world: World, request: r.PreTransferCheck) -> dict[str, object]:
    account = world.accounts.get(request.user)
    return {
        "fee": "0.0" if account else "1.0",
        "isSanctioned": False,
        "userExists": account is not None,
        "userHasSentTx": account is not None and account.requests > 0,
    }


def web_data2(world: World, request: r.OfUser) -> dict[str, object]:
    """The parts of the front-end object that the sandbox knows."""
    account = world.accounts.get(request.user)
    unnamed = account.agents.get("") if account else None
    meta, contexts = market_views.meta_and_contexts(world)
    return {
        "clearinghouseState": clearinghouse_state(world, request),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": history_views.full_open_orders(world, request.user),
        "agentAddress": unnamed.address if unnamed else None,
        "agentValidUntil": unnamed.valid_until if unnamed else None,
        "cumLedger": dollars(100_000 * E6 if account else 0),
        "meta": meta,
        "assetCtxs": contexts,
        "serverTime": world.now_ms,
        "isVault": False,
        "user": request.user,
        "twapStates": [],
        "spotState": spot_state(world, request),
        "spotAssetCtxs": [],
        "perpsAtOpenInterestCap": [],
    }
