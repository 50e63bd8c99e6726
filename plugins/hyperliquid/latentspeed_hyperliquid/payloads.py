"""What the venue sends, as msgspec Structs: decoding validates the shape. What it takes is in actions.py.

Numbers of money stay text here (`Num`); decode.py makes Decimals of them. Members that the venue adds later are
ignored, members that are absent in older answers have defaults.
Source: the API pages Info endpoint, Exchange endpoint and WebSocket; recorded answers of 2023 to 2026.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Num: TypeAlias = str
Side: TypeAlias = Literal["A", "B"]


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something the venue sends; wire names are the camel case of the field names."""


# Answers of /exchange.


class Resting(Payload, frozen=True, kw_only=True):
    oid: int
    cloid: str | None = None


class Filled(Payload, frozen=True, kw_only=True):
    total_sz: Num
    avg_px: Num
    oid: int
    cloid: str | None = None


class ItemStatus(Payload, frozen=True, kw_only=True):
    """Exactly one member is set."""

    resting: Resting | None = None
    filled: Filled | None = None
    error: str | None = None


class StatusesData(Payload, frozen=True, kw_only=True):
    statuses: tuple[str | ItemStatus, ...]


class ExchangeData(Payload, frozen=True, kw_only=True):
    type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class ExchangeReply(Payload, frozen=True, kw_only=True):
    """response: a text when status is "err", an ExchangeData when it is "ok"."""

    status: Literal["ok", "err"]
    response: str | ExchangeData


# Markets.


class Asset(Payload, frozen=True, kw_only=True):
    name: str
    sz_decimals: int
    max_leverage: int
    margin_table_id: int | None = None
    is_delisted: bool = False
    only_isolated: bool = False
    margin_mode: str | None = None


class MarginTier(Payload, frozen=True, kw_only=True):
    lower_bound: Num
    max_leverage: int


class MarginTable(Payload, frozen=True, kw_only=True):
    description: str
    margin_tiers: tuple[MarginTier, ...]


class Meta(Payload, frozen=True, kw_only=True):
    """An asset's id is its position in universe, delisted ones counted."""

    universe: tuple[Asset, ...]
    margin_tables: tuple[tuple[int, MarginTable], ...] = ()
    collateral_token: int = 0


class AssetContext(Payload, frozen=True, kw_only=True):
    funding: Num
    open_interest: Num
    oracle_px: Num
    mark_px: Num
    prev_day_px: Num
    day_ntl_vlm: Num
    mid_px: Num | None = None
    premium: Num | None = None
    impact_pxs: tuple[Num, ...] | None = None


MetaAndContexts: TypeAlias = tuple[Meta, tuple[AssetContext, ...]]


class SpotPair(Payload, frozen=True, kw_only=True):
    """index, not the position in the universe, makes the asset id."""

    tokens: tuple[int, int]
    name: str
    index: int
    is_canonical: bool = False


class SpotToken(Payload, frozen=True, kw_only=True):
    name: str
    sz_decimals: int
    wei_decimals: int
    index: int
    token_id: str


class SpotMeta(Payload, frozen=True, kw_only=True):
    universe: tuple[SpotPair, ...]
    tokens: tuple[SpotToken, ...]


class SpotContext(Payload, frozen=True, kw_only=True):
    coin: str
    mark_px: Num
    prev_day_px: Num
    day_ntl_vlm: Num
    mid_px: Num | None = None


SpotMetaAndContexts: TypeAlias = tuple[SpotMeta, tuple[SpotContext, ...]]


class PerpDex(Payload, frozen=True, kw_only=True):
    name: str
    full_name: str
    deployer: str


PerpDexs: TypeAlias = tuple[PerpDex | None, ...]
AllPerpMetas: TypeAlias = tuple[Meta, ...]
AllMids: TypeAlias = dict[str, Num]


class Level(Payload, frozen=True, kw_only=True, gc=False):
    px: Num
    sz: Num
    n: int | None = None


class Book(Payload, frozen=True, kw_only=True):
    """levels: bids falling, asks rising."""

    coin: str
    levels: tuple[tuple[Level, ...], tuple[Level, ...]]
    time: int


class Trade(Payload, frozen=True, kw_only=True):
    """side is the aggressor's."""

    coin: str
    side: Side
    px: Num
    sz: Num
    time: int
    tid: int


class CandleRow(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "open_time": "t",
        "close_time": "T",
        "coin": "s",
        "interval": "i",
        "open": "o",
        "close": "c",
        "high": "h",
        "low": "l",
        "volume": "v",
        "trades": "n",
    },
):
    """open_time, close_time: first and last millisecond."""

    open_time: int
    close_time: int
    coin: str
    interval: str
    open: Num
    close: Num
    high: Num
    low: Num
    volume: Num
    trades: int


class FundingRate(Payload, frozen=True, kw_only=True):
    coin: str
    funding_rate: Num
    premium: Num
    time: int


class ExchangeStatus(Payload, frozen=True, kw_only=True):
    time: int


# Accounts.


class Leverage(Payload, frozen=True, kw_only=True):
    type: Literal["cross", "isolated"]
    value: int
    raw_usd: Num | None = None


class PositionRow(Payload, frozen=True, kw_only=True):
    coin: str
    szi: Num
    leverage: Leverage
    entry_px: Num | None = None
    position_value: Num
    unrealized_pnl: Num
    liquidation_px: Num | None = None
    margin_used: Num


class AssetPosition(Payload, frozen=True, kw_only=True):
    type: str
    position: PositionRow


class MarginSummary(Payload, frozen=True, kw_only=True):
    account_value: Num
    total_ntl_pos: Num
    total_raw_usd: Num
    total_margin_used: Num


class ClearinghouseState(Payload, frozen=True, kw_only=True):
    margin_summary: MarginSummary
    cross_margin_summary: MarginSummary
    withdrawable: Num
    asset_positions: tuple[AssetPosition, ...]
    time: int = 0


class SpotBalance(Payload, frozen=True, kw_only=True):
    coin: str
    total: Num
    hold: Num


class SpotState(Payload, frozen=True, kw_only=True):
    balances: tuple[SpotBalance, ...]


class ActiveAssetData(Payload, frozen=True, kw_only=True):
    user: str
    coin: str
    leverage: Leverage
    mark_px: Num


class RoleData(Payload, frozen=True, kw_only=True):
    user: str | None = None
    master: str | None = None


class UserRole(Payload, frozen=True, kw_only=True):
    """role: missing, user, vault, agent (data.user is the account) or subAccount (data.master)."""

    role: str
    data: RoleData | None = None


class ExtraAgent(Payload, frozen=True, kw_only=True):
    name: str
    address: str
    valid_until: int


class UserRateLimit(Payload, frozen=True, kw_only=True):
    cum_vlm: Num
    n_requests_used: int
    n_requests_cap: int


class UserFees(Payload, frozen=True, kw_only=True):
    user_cross_rate: Num
    user_add_rate: Num
    active_referral_discount: Num


class SubAccount(Payload, frozen=True, kw_only=True):
    name: str
    sub_account_user: str
    master: str


SubAccounts: TypeAlias = tuple[SubAccount, ...] | None


# Orders and fills.


class OrderRow(Payload, frozen=True, kw_only=True):
    """A basic order; a full order has the members below `orig_sz` too. sz is what remains, as of the row's own time."""

    coin: str
    side: Side
    limit_px: Num
    sz: Num
    oid: int
    timestamp: int
    orig_sz: Num | None = None
    cloid: str | None = None
    reduce_only: bool = False
    order_type: str | None = None
    tif: str | None = None
    is_trigger: bool = False
    trigger_px: Num | None = None


class OrderRecord(Payload, frozen=True, kw_only=True):
    order: OrderRow
    status: str
    status_timestamp: int


class OrderStatusReply(Payload, frozen=True, kw_only=True):
    """status: "order", or "unknownOid" without an order."""

    status: str
    order: OrderRecord | None = None


class FillLiquidation(Payload, frozen=True, kw_only=True):
    liquidated_user: str | None = None
    mark_px: Num
    method: str


class Fill(Payload, frozen=True, kw_only=True):
    """crossed: taker. fee: negative is a rebate. tid is not unique alone; recordings of 2023 have none."""

    coin: str
    px: Num
    sz: Num
    side: Side
    time: int
    oid: int
    crossed: bool
    fee: Num
    fee_token: str = "USDC"
    tid: int = 0
    hash: str = ""
    dir: str = ""
    closed_pnl: Num = "0"
    start_position: Num = "0"
    cloid: str | None = None
    builder_fee: Num | None = None
    liquidation: FillLiquidation | None = None


class FundingDelta(Payload, frozen=True, kw_only=True):
    coin: str
    usdc: Num
    szi: Num
    funding_rate: Num


class FundingRow(Payload, frozen=True, kw_only=True):
    time: int
    hash: str
    delta: FundingDelta


class LedgerRow(Payload, frozen=True, kw_only=True):
    time: int
    hash: str
    delta: dict[str, object]


# WebSocket. A frame is {"channel": ..., "data": ...}; pong has no data.


class Frame(Payload, frozen=True, kw_only=True):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class SubscriptionWire(Payload, frozen=True, kw_only=True):
    """A subscription as the venue echoes it: defaults are added, the user is in lower case."""

    type: str
    coin: str | None = None
    user: str | None = None
    interval: str | None = None


class SubscriptionResponse(Payload, frozen=True, kw_only=True):
    method: str
    subscription: SubscriptionWire


class MidsData(Payload, frozen=True, kw_only=True):
    mids: AllMids


class BboData(Payload, frozen=True, kw_only=True):
    coin: str
    time: int
    bbo: tuple[Level | None, Level | None]


class ContextData(Payload, frozen=True, kw_only=True):
    coin: str
    ctx: AssetContext


class UserFillsData(Payload, frozen=True, kw_only=True):
    user: str
    fills: tuple[msgspec.Raw, ...]
    is_snapshot: bool = False


class LedgerData(Payload, frozen=True, kw_only=True):
    user: str
    non_funding_ledger_updates: tuple[LedgerRow, ...]
    is_snapshot: bool = False


class ClearinghouseData(Payload, frozen=True, kw_only=True):
    user: str
    clearinghouse_state: ClearinghouseState


class SpotData(Payload, frozen=True, kw_only=True):
    user: str
    spot_state: SpotState


class FundingEvent(FundingDelta, frozen=True, kw_only=True):
    time: int


class LiquidationEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The one shape the venue spells with underscores."""

    lid: int
    liquidator: str
    liquidated_user: str
    liquidated_ntl_pos: Num
    liquidated_account_value: Num


class NonUserCancel(Payload, frozen=True, kw_only=True):
    coin: str
    oid: int


class SliceFill(Payload, frozen=True, kw_only=True):
    fill: Fill


class UserEventData(Payload, frozen=True, kw_only=True):
    """One member is set; others (twapHistory) are ignored."""

    fills: tuple[msgspec.Raw, ...] | None = None
    funding: FundingEvent | None = None
    liquidation: LiquidationEvent | None = None
    non_user_cancel: tuple[NonUserCancel, ...] | None = None
    twap_slice_fills: tuple[SliceFill, ...] | None = None
