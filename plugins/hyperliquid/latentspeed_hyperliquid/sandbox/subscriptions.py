"""The subscriptions of the WebSocket as typed values; what is acknowledged is their normalised form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from . import market_views, universe
from .requests import Interval
from .texttypes import address

if TYPE_CHECKING:
    from .world import World


class Subscription(msgspec.Struct, tag_field="type", frozen=True):
    """Base of the subscriptions."""


class OfUser(Subscription, frozen=True):
    user: str


class OfCoin(Subscription, frozen=True):
    coin: str


class AllMids(Subscription, tag="allMids", frozen=True, omit_defaults=True):
    dex: str | None = None


class L2Book(OfCoin, tag="l2Book", frozen=True):
    nSigFigs: int | None = None
    mantissa: int | None = None
    fast: bool = False


class Trades(OfCoin, tag="trades", frozen=True):
    pass


class Bbo(OfCoin, tag="bbo", frozen=True):
    pass


class Candle(OfCoin, tag="candle", frozen=True):
    interval: Interval


class ActiveAssetCtx(OfCoin, tag="activeAssetCtx", frozen=True):
    pass


class ActiveAssetData(OfUser, tag="activeAssetData", frozen=True):
    coin: str


class OrderUpdates(OfUser, tag="orderUpdates", frozen=True):
    pass


class UserEvents(OfUser, tag="userEvents", frozen=True):
    pass


class UserFills(OfUser, tag="userFills", frozen=True):
    aggregateByTime: bool = False


class UserFundings(OfUser, tag="userFundings", frozen=True):
    pass


class UserNonFundingLedgerUpdates(OfUser, tag="userNonFundingLedgerUpdates", frozen=True):
    pass


class OpenOrders(OfUser, tag="openOrders", frozen=True):
    dex: str = ""


class ClearinghouseState(OfUser, tag="clearinghouseState", frozen=True):
    dex: str = ""


class SpotState(OfUser, tag="spotState", frozen=True):
    isPortfolioMargin: bool = False


class AllDexsClearinghouseState(OfUser, tag="allDexsClearinghouseState", frozen=True):
    pass


class AllDexsAssetCtxs(Subscription, tag="allDexsAssetCtxs", frozen=True):
    pass


class AssetCtxs(Subscription, tag="assetCtxs", frozen=True):
    dex: str = ""


class SpotAssetCtxs(Subscription, tag="spotAssetCtxs", frozen=True):
    pass


class Notification(OfUser, tag="notification", frozen=True):
    pass


class TwapStates(OfUser, tag="twapStates", frozen=True):
    dex: str = ""


class UserTwapSliceFills(OfUser, tag="userTwapSliceFills", frozen=True):
    pass


class UserTwapHistory(OfUser, tag="userTwapHistory", frozen=True):
    pass


class UserHistoricalOrders(OfUser, tag="userHistoricalOrders", frozen=True):
    pass


class WebData2(OfUser, tag="webData2", frozen=True):
    pass


class WebData3(OfUser, tag="webData3", frozen=True):
    pass


AnySubscription = (
    AllMids
    | L2Book
    | Trades
    | Bbo
    | Candle
    | ActiveAssetCtx
    | ActiveAssetData
    | OrderUpdates
    | UserEvents
    | UserFills
    | UserFundings
    | UserNonFundingLedgerUpdates
    | OpenOrders
    | ClearinghouseState
    | SpotState
    | AllDexsClearinghouseState
    | AllDexsAssetCtxs
    | AssetCtxs
    | SpotAssetCtxs
    | Notification
    | TwapStates
    | UserTwapSliceFills
    | UserTwapHistory
    | UserHistoricalOrders
    | WebData2
    | WebData3
)


def read(raw: object) -> Subscription:
    """The normalised subscription. Raises msgspec.ValidationError or ShapeError."""
    found: Subscription = msgspec.convert(raw, AnySubscription)
    if isinstance(found, OfUser):
        found = msgspec.structs.replace(found, user=address(found.user))
    return found


def drops_connection(world: World, subscription: Subscription) -> bool:
    """Whether the venue answers this one by dropping the whole connection: unknown coin, unknown aggregation."""
    coin = getattr(subscription, "coin", None)
    if coin is not None and coin not in world.by_coin and coin not in universe.SPOT_NAMES:
        return True
    return isinstance(subscription, L2Book) and not market_views.aggregation_allowed(
        subscription.nSigFigs, subscription.mantissa
    )
