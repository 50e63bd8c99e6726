"""The requests of /info as typed values. Unknown fields are ignored, missing or mistyped ones are ShapeError."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec

from .numbers import ShapeError
from .texttypes import address, cloid

# Times and ids: no number of the venue's is below zero. (It takes 64 bits; msgspec bounds at 63.)
Unsigned = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Interval = Literal["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M"]


class Request(msgspec.Struct, tag_field="type"):
    """Base of the requests."""


class Dexed(Request):
    dex: str | None = None


class OfUser(Request):
    user: str


class OfUserDex(Request):
    user: str
    dex: str | None = None


class Meta(Dexed, tag="meta"):
    pass


class MetaAndAssetCtxs(Dexed, tag="metaAndAssetCtxs"):
    pass


class AllMids(Dexed, tag="allMids"):
    pass


class SpotMeta(Request, tag="spotMeta"):
    pass


class SpotMetaAndAssetCtxs(Request, tag="spotMetaAndAssetCtxs"):
    pass


class PerpDexs(Request, tag="perpDexs"):
    pass


class AllPerpMetas(Request, tag="allPerpMetas"):
    pass


class PerpsAtOpenInterestCap(Dexed, tag="perpsAtOpenInterestCap"):
    pass


class PredictedFundings(Request, tag="predictedFundings"):
    pass


class ExchangeStatus(Request, tag="exchangeStatus"):
    pass


class L2Book(Request, tag="l2Book"):
    coin: str
    nSigFigs: Unsigned | None = None
    mantissa: Unsigned | None = None


class RecentTrades(Request, tag="recentTrades"):
    coin: str


class CandleRange(msgspec.Struct):
    coin: str
    interval: Interval
    startTime: Unsigned
    endTime: Unsigned


class CandleSnapshot(Request, tag="candleSnapshot"):
    req: CandleRange


class FundingHistory(Request, tag="fundingHistory"):
    coin: str
    startTime: Unsigned
    endTime: Unsigned | None = None


class ClearinghouseState(OfUserDex, tag="clearinghouseState"):
    pass


class SpotClearinghouseState(OfUser, tag="spotClearinghouseState"):
    pass


class ActiveAssetData(Request, tag="activeAssetData"):
    user: str
    coin: str


class OpenOrders(OfUserDex, tag="openOrders"):
    pass


class FrontendOpenOrders(OfUserDex, tag="frontendOpenOrders"):
    pass


class OrderStatus(Request, tag="orderStatus"):
    user: str
    oid: Unsigned | str


class HistoricalOrders(OfUser, tag="historicalOrders"):
    pass


class UserFills(Request, tag="userFills"):
    user: str
    aggregateByTime: bool | None = None


class UserFillsByTime(Request, tag="userFillsByTime"):
    user: str
    startTime: Unsigned
    endTime: Unsigned | None = None
    aggregateByTime: bool | None = None
    reversed: bool | None = None


class UserFunding(Request, tag="userFunding"):
    user: str
    startTime: Unsigned
    endTime: Unsigned | None = None


class UserNonFundingLedgerUpdates(Request, tag="userNonFundingLedgerUpdates"):
    user: str
    startTime: Unsigned
    endTime: Unsigned | None = None


class UserFees(OfUser, tag="userFees"):
    pass


class UserRateLimit(OfUser, tag="userRateLimit"):
    pass


class UserRole(OfUser, tag="userRole"):
    pass


class ExtraAgents(OfUser, tag="extraAgents"):
    pass


class SubAccounts(OfUser, tag="subAccounts"):
    pass


class SubAccounts2(OfUser, tag="subAccounts2"):
    pass


class MaxBuilderFee(Request, tag="maxBuilderFee"):
    user: str
    builder: str


class ApprovedBuilders(OfUser, tag="approvedBuilders"):
    pass


class Referral(OfUser, tag="referral"):
    pass


class Portfolio(OfUser, tag="portfolio"):
    pass


class UserAbstraction(OfUser, tag="userAbstraction"):
    pass


class UserVaultEquities(OfUser, tag="userVaultEquities"):
    pass


class UserToMultiSigSigners(OfUser, tag="userToMultiSigSigners"):
    pass


class PreTransferCheck(Request, tag="preTransferCheck"):
    user: str
    source: str


class UserTwapSliceFills(OfUser, tag="userTwapSliceFills"):
    pass


class TwapHistory(OfUser, tag="twapHistory"):
    pass


class UserTwapSliceFillsByTime(Request, tag="userTwapSliceFillsByTime"):
    user: str
    startTime: Unsigned
    endTime: Unsigned | None = None


class Delegations(OfUser, tag="delegations"):
    pass


class DelegatorSummary(OfUser, tag="delegatorSummary"):
    pass


class DelegatorHistory(OfUser, tag="delegatorHistory"):
    pass


class DelegatorRewards(OfUser, tag="delegatorRewards"):
    pass


class UserDexAbstraction(OfUser, tag="userDexAbstraction"):
    pass


class SpotDeployState(OfUser, tag="spotDeployState"):
    pass


class PerpDeployAuctionStatus(Request, tag="perpDeployAuctionStatus"):
    pass


class SpotPairDeployAuctionStatus(Request, tag="spotPairDeployAuctionStatus"):
    pass


class MarginTable(Request, tag="marginTable"):
    id: Unsigned


class IsVip(OfUser, tag="isVip"):
    pass


class LegalCheck(OfUser, tag="legalCheck"):
    pass


class WebData2(OfUser, tag="webData2"):
    pass


Info = (
    Meta
    | MetaAndAssetCtxs
    | AllMids
    | SpotMeta
    | SpotMetaAndAssetCtxs
    | PerpDexs
    | AllPerpMetas
    | PerpsAtOpenInterestCap
    | PredictedFundings
    | ExchangeStatus
    | L2Book
    | RecentTrades
    | CandleSnapshot
    | FundingHistory
    | ClearinghouseState
    | SpotClearinghouseState
    | ActiveAssetData
    | OpenOrders
    | FrontendOpenOrders
    | OrderStatus
    | HistoricalOrders
    | UserFills
    | UserFillsByTime
    | UserFunding
    | UserNonFundingLedgerUpdates
    | UserFees
    | UserRateLimit
    | UserRole
    | ExtraAgents
    | SubAccounts
    | SubAccounts2
    | MaxBuilderFee
    | ApprovedBuilders
    | Referral
    | Portfolio
    | UserAbstraction
    | UserVaultEquities
    | UserToMultiSigSigners
    | PreTransferCheck
    | UserTwapSliceFills
    | TwapHistory
    | UserTwapSliceFillsByTime
    | Delegations
    | DelegatorSummary
    | DelegatorHistory
    | DelegatorRewards
    | UserDexAbstraction
    | SpotDeployState
    | PerpDeployAuctionStatus
    | SpotPairDeployAuctionStatus
    | MarginTable
    | IsVip
    | LegalCheck
    | WebData2
)

_BY_TAG: dict[object, type[Request]] = {kind.__struct_config__.tag: kind for kind in get_args(Info)}


def read(raw: object) -> Request:
    """The typed request from a JSON object, or from the positional form `["userRole", "0x..."]`."""
    if isinstance(raw, list) and raw:
        kind = _BY_TAG.get(raw[0]) if isinstance(raw[0], str) else None
        if kind is None or len(raw) - 1 > len(kind.__struct_fields__):
            raise ShapeError("type")
        raw = {"type": raw[0], **dict(zip(kind.__struct_fields__, raw[1:], strict=False))}
    try:
        request: Request = msgspec.convert(raw, Info)
    except msgspec.ValidationError as error:
        raise ShapeError(str(error)) from error
    user = getattr(request, "user", None)
    if user is not None:
        request = msgspec.structs.replace(request, user=address(user))
    if isinstance(request, OrderStatus) and isinstance(request.oid, str):
        request.oid = cloid(request.oid)
    if isinstance(request, MaxBuilderFee):
        request.builder = address(request.builder)
    return request
