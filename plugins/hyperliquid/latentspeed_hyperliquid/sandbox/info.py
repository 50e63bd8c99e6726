"""POST /info: which answer belongs to which request, and what it weighs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import account_views as accounts
from . import history_views as history
from . import market_views as markets
from . import requests as r
from .requests import Request

if TYPE_CHECKING:
    from .world import World


class ServerError(Exception):
    """The venue answers HTTP 500 with `null`; asking again does not help."""


def handle(world: World, request: Request) -> object:
    """The answer as JSON values. Raises ServerError where the venue answers 500."""
    dex = getattr(request, "dex", None)
    if dex:
        return _other_dex(world, request)
    return _HANDLERS[type(request)](world, request)


def _other_dex(world: World, request: Request) -> object:
    """No builder dex exists here: account reads are empty, market reads fail as on the venue."""
    if isinstance(request, r.OpenOrders | r.FrontendOpenOrders):
        return []
    if isinstance(request, r.AllMids):
        return {}
    if isinstance(request, r.ClearinghouseState):
        return accounts.empty_state(world.now_ms)
    raise ServerError(str(request))


def weight(request: Request, answer: object) -> tuple[int, int]:
    """(weight of asking, weight of the rows returned)."""
    rows = len(answer) if isinstance(answer, list) else 0
    if type(request) in _LIGHT:
        return 2, 0
    if isinstance(request, r.UserRole):
        return 60, 0
    if isinstance(request, r.CandleSnapshot):
        return 20, rows // 60
    return 20, rows // 20 if type(request) in _BY_ROWS else 0


_LIGHT = {
    r.L2Book,
    r.AllMids,
    r.ClearinghouseState,
    r.OrderStatus,
    r.SpotClearinghouseState,
    r.ExchangeStatus,
}
_BY_ROWS = {
    r.RecentTrades,
    r.HistoricalOrders,
    r.UserFills,
    r.UserFillsByTime,
    r.FundingHistory,
    r.UserFunding,
    r.UserNonFundingLedgerUpdates,
}


# Nobody stakes here, and nothing is deployed.
NO_STAKE = {"delegated": "0.0", "undelegated": "0.0", "totalPendingWithdrawal": "0.0", "nPendingWithdrawals": 0}
NO_AUCTION = {
    "startTimeSeconds": 0,
    "durationSeconds": 111_600,
    "startGas": "500.0",
    "currentGas": None,
    "endGas": None,
}


def _constant(value: Any) -> Callable[[World, Any], object]:
    return lambda world, request: value


_HANDLERS: dict[type[Request], Callable[[World, Any], object]] = {
    r.Meta: markets.meta,
    r.MetaAndAssetCtxs: markets.meta_and_contexts,
    r.AllMids: markets.all_mids,
    r.SpotMeta: markets.spot_meta,
    r.SpotMetaAndAssetCtxs: markets.spot_meta_and_contexts,
    r.PerpDexs: _constant([None]),
    r.AllPerpMetas: lambda world, request: [markets.meta(world, request)],
    r.PerpsAtOpenInterestCap: _constant([]),
    r.PredictedFundings: markets.predicted_fundings,
    r.ExchangeStatus: lambda world, request: {"time": world.now_ms, "specialStatuses": None},
    r.L2Book: markets.l2_book,
    r.RecentTrades: markets.recent_trades,
    r.CandleSnapshot: markets.candle_snapshot,
    r.FundingHistory: markets.funding_history,
    r.ClearinghouseState: accounts.clearinghouse_state,
    r.SpotClearinghouseState: accounts.spot_state,
    r.ActiveAssetData: accounts.active_asset_data,
    r.OpenOrders: history.open_orders,
    r.FrontendOpenOrders: history.frontend_open_orders,
    r.OrderStatus: history.order_status,
    r.HistoricalOrders: history.historical_orders,
    r.UserFills: history.user_fills,
    r.UserFillsByTime: history.user_fills_by_time,
    r.UserFunding: history.user_funding,
    r.UserNonFundingLedgerUpdates: history.ledger_updates,
    r.UserFees: accounts.user_fees,
    r.UserRateLimit: accounts.user_rate_limit,
    r.UserRole: accounts.user_role,
    r.ExtraAgents: accounts.extra_agents,
    r.SubAccounts: accounts.sub_accounts,
    r.SubAccounts2: accounts.sub_accounts2,
    r.MaxBuilderFee: accounts.max_builder_fee,
    r.ApprovedBuilders: accounts.approved_builders,
    r.Referral: accounts.referral,
    r.Portfolio: accounts.portfolio,
    r.UserAbstraction: accounts.user_abstraction,
    r.UserVaultEquities: _constant([]),
    r.UserToMultiSigSigners: _constant(None),
    r.PreTransferCheck: accounts.pre_transfer_check,
    r.UserTwapSliceFills: _constant([]),
    r.TwapHistory: _constant([]),
    r.UserTwapSliceFillsByTime: _constant([]),
    r.Delegations: _constant([]),
    r.DelegatorSummary: _constant(NO_STAKE),
    r.DelegatorHistory: _constant([]),
    r.DelegatorRewards: _constant([]),
    r.UserDexAbstraction: _constant(False),
    r.SpotDeployState: _constant({"states": [], "gasAuction": NO_AUCTION}),
    r.PerpDeployAuctionStatus: _constant(NO_AUCTION),
    r.SpotPairDeployAuctionStatus: _constant(NO_AUCTION),
    r.MarginTable: markets.margin_table,
    r.IsVip: _constant(False),
    r.LegalCheck: _constant({"ipAllowed": True, "acceptedTerms": True, "userAllowed": True}),
    r.WebData2: accounts.web_data2,
}
