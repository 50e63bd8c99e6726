"""What each subscription is sent: the first message, news as it happens, and the timed feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import account_views, history_views, market_views, universe
from . import requests as r
from . import subscriptions as s
from .state import History
from .subscriptions import Subscription

if TYPE_CHECKING:
    from .world import World

NS = 1_000_000

# Channel type -> interval in ns of its timed feed. The default book is slow on the venue too; `fast` is the real feed.
SLOW_BOOK_NS = 5_400 * NS
FAST_BOOK_NS = 540 * NS
FAST_LEVELS = 5
PERIOD_NS: dict[type[Subscription], int] = {
    s.AllMids: 5_000 * NS,
    s.ActiveAssetCtx: 1_000 * NS,
    s.Candle: 1_000 * NS,
    s.ClearinghouseState: 5_000 * NS,
    s.AllDexsClearinghouseState: 5_000 * NS,
    s.AllDexsAssetCtxs: 13_600 * NS,
    s.AssetCtxs: 5_000 * NS,
    s.SpotAssetCtxs: 5_000 * NS,
    s.WebData2: 5_000 * NS,
    s.WebData3: 5_000 * NS,
}

# Sent again, whole, when something about the user changed.
ON_CHANGE = (
    s.OpenOrders,
    s.ClearinghouseState,
    s.AllDexsClearinghouseState,
    s.SpotState,
    s.ActiveAssetData,
    s.WebData2,
)

CHANNELS: dict[type[Subscription], str] = {s.UserEvents: "user"}


def channel_of(subscription: Subscription) -> str:
    kind = type(subscription)
    if isinstance(subscription, s.ActiveAssetCtx) and subscription.coin in universe.SPOT_NAMES:
        return "activeSpotAssetCtx"
    return CHANNELS.get(kind) or str(kind.__struct_config__.tag)


def period_of(subscription: Subscription) -> int | None:
    if isinstance(subscription, s.L2Book):
        return FAST_BOOK_NS if subscription.fast else SLOW_BOOK_NS
    return PERIOD_NS.get(type(subscription))


def state(world: World, subscription: Subscription) -> object | None:
    """The full data of a subscription at this moment; None where the channel has none to send."""
    maker = _STATES.get(type(subscription))
    return None if maker is None else maker(world, subscription)


def first(world: World, subscription: Subscription) -> object | None:
    """The data of the first message after the acknowledgement."""
    maker = _FIRST.get(type(subscription))
    return state(world, subscription) if maker is None else maker(world, subscription)


def _book(world: World, sub: s.L2Book) -> object:
    market = world.by_coin.get(sub.coin)
    if market is None:
        data: dict[str, object] = {"coin": sub.coin, "time": world.now_ms, "levels": [[], []]}
    else:
        depth = FAST_LEVELS if sub.fast else 20
        data = market_views.book(world, market, figures=sub.nSigFigs, mantissa=sub.mantissa, depth=depth)
    if sub.fast:
        data["fast"] = True
    return data


def bbo(world: World, coin: str) -> object:
    market = world.by_coin.get(coin)
    bid, ask = (None, None) if market is None else market.top(world.elapsed())
    sides = [None if item is None else market_views.level(item) for item in (bid, ask)]
    return {"coin": coin, "time": world.now_ms, "bbo": sides}


def _trades(world: World, sub: s.Trades) -> object:
    market = world.by_coin.get(sub.coin)
    return [] if market is None else market.recent_trades(world.elapsed(), world.counters.start_ns)


def _candle(world: World, sub: s.Candle) -> object | None:
    market = world.by_coin.get(sub.coin)
    if market is None:
        return None
    length = market_views.INTERVAL_MS[sub.interval]
    return market_views.candle(world, market, sub.interval, world.now_ms // length * length)


def _context(world: World, sub: s.ActiveAssetCtx) -> object:
    market = world.by_coin.get(sub.coin)
    if market is not None:
        return {"coin": sub.coin, "ctx": market_views.context(world, market)}
    return {"coin": sub.coin, "ctx": next(pair for pair in universe.spot_contexts() if pair["coin"] == sub.coin)}


def _asset_data(world: World, sub: s.ActiveAssetData) -> object | None:
    if sub.coin not in world.by_coin:
        return None
    return account_views.active_asset_data(world, r.ActiveAssetData(user=sub.user, coin=sub.coin))


def _clearinghouse(world: World, user: str) -> object:
    return account_views.clearinghouse_state(world, r.ClearinghouseState(user=user))


def _spot(world: World, user: str) -> object:
    return account_views.spot_state(world, r.SpotClearinghouseState(user=user))


def _contexts(world: World) -> list[object]:
    return [market_views.context(world, market) for market in world.markets]


def _web_data3(world: World, sub: s.WebData3) -> object:
    account = world.accounts.get(sub.user)
    unnamed = account.agents.get("") if account else None
    return {
        "userState": {
            "abstraction": account.abstraction if account else "default",
            "agentAddress": unnamed.address if unnamed else None,
            "agentValidUntil": unnamed.valid_until if unnamed else None,
            "cumLedger": "100000.0" if account else "0.0",
            "serverTime": world.now_ms,
            "isVault": False,
            "user": sub.user,
        },
        "perpDexStates": [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}],
    }


def _ledger_row(row: History) -> dict[str, object]:
    return {"time": row.time, "hash": row.hash, "delta": row.delta}


def _funding_row(row: History) -> dict[str, object]:
    delta = {name: value for name, value in row.delta.items() if name != "type"}
    return {"time": row.time, **delta}


def _fundings(world: World, sub: s.UserFundings) -> object:
    rows = list(world.funding.get(sub.user, ()))[-500:]
    return {"isSnapshot": True, "user": sub.user, "fundings": [_funding_row(row) for row in rows]}


def _ledger(world: World, sub: s.UserNonFundingLedgerUpdates) -> object:
    rows = list(world.ledger.get(sub.user, ()))[-500:]
    updates = [_ledger_row(row) for row in rows]
    return {"isSnapshot": True, "user": sub.user, "nonFundingLedgerUpdates": updates}


def _fills(world: World, sub: s.UserFills) -> object:
    fills = history_views.fills_of(world, sub.user, aggregate=sub.aggregateByTime)[-2_000:]
    return {"isSnapshot": True, "user": sub.user, "fills": fills}


def _history(world: World, sub: s.UserHistoricalOrders) -> object:
    orders = history_views.historical_orders(world, r.HistoricalOrders(user=sub.user))
    return {"isSnapshot": True, "user": sub.user, "orderHistory": orders}


def _mids(world: World, sub: s.AllMids) -> object:
    return {"dex": sub.dex, "mids": {}} if sub.dex else {"mids": market_views.all_mids(world)}


Maker = Callable[["World", Any], object | None]

_STATES: dict[type[Subscription], Maker] = {
    s.AllMids: _mids,
    s.L2Book: _book,
    s.Bbo: lambda world, sub: bbo(world, sub.coin),
    s.Candle: _candle,
    s.ActiveAssetCtx: _context,
    s.ActiveAssetData: _asset_data,
    s.OpenOrders: lambda world, sub: {
        "dex": sub.dex,
        "user": sub.user,
        "orders": [] if sub.dex else history_views.full_open_orders(world, sub.user),
    },
    s.ClearinghouseState: lambda world, sub: {
        "dex": sub.dex,
        "user": sub.user,
        "clearinghouseState": (account_views.empty_state(world.now_ms) if sub.dex else _clearinghouse(world, sub.user)),
    },
    s.AllDexsClearinghouseState: lambda world, sub: {
        "user": sub.user,
        "clearinghouseStates": [["", _clearinghouse(world, sub.user)]],
    },
    s.SpotState: lambda world, sub: {"user": sub.user, "spotState": _spot(world, sub.user)},
    s.AllDexsAssetCtxs: lambda world, sub: {"ctxs": [["", _contexts(world)]]},
    s.AssetCtxs: lambda world, sub: {"dex": sub.dex, "ctxs": [] if sub.dex else _contexts(world)},
    s.SpotAssetCtxs: lambda world, sub: universe.spot_contexts(),
    s.WebData2: lambda world, sub: account_views.web_data2(world, r.WebData2(user=sub.user)),
    s.WebData3: _web_data3,
    s.TwapStates: lambda world, sub: {"dex": sub.dex, "user": sub.user, "states": []},
}
_FIRST: dict[type[Subscription], Maker] = {
    s.Trades: _trades,
    s.UserFills: _fills,
    s.UserFundings: _fundings,
    s.UserNonFundingLedgerUpdates: _ledger,
    s.UserHistoricalOrders: _history,
    s.UserTwapSliceFills: lambda world, sub: {"isSnapshot": True, "user": sub.user, "twapSliceFills": []},
    s.UserTwapHistory: lambda world, sub: {"isSnapshot": True, "user": sub.user, "history": []},
}


def news_of(world: World, subscription: Subscription) -> list[object]:
    """Messages about what happened since the last look, for channels that tell it."""
    news = world.news
    user = getattr(subscription, "user", "")
    if isinstance(subscription, s.OrderUpdates):
        found = news.updates.get(user)
        return [found] if found else []
    if isinstance(subscription, s.UserFills):
        fills = news.fills.get(user)
        return [{"user": user, "fills": fills}] if fills else []
    if isinstance(subscription, s.UserEvents):
        messages: list[object] = [{"fills": news.fills[user]}] if news.fills.get(user) else []
        return messages + [event for owner, event in news.events if owner == user]
    if isinstance(subscription, s.Notification):
        return [{"notification": text} for owner, text in news.notes if owner == user]
    history = [row for row in news.history if row.user == user]
    if isinstance(subscription, s.UserFundings):
        fundings = [_funding_row(row) for row in history if row.kind == "funding"]
        return [{"user": user, "fundings": fundings}] if fundings else []
    if isinstance(subscription, s.UserNonFundingLedgerUpdates):
        updates = [_ledger_row(row) for row in history if row.kind == "ledger"]
        return [{"user": user, "nonFundingLedgerUpdates": updates}] if updates else []
    return []
