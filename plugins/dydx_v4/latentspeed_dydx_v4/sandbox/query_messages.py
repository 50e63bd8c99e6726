"""Answers of the node's dYdX queries (fact sheet section 3)."""

from __future__ import annotations

from typing import ClassVar

from .node_messages import Page
from .tx_messages import OrderMessage, SubaccountId
from .wire import Field, Message


class PerpetualClobMetadata(Message, frozen=True, kw_only=True):
    perpetual_id: int = 0
    FIELDS: ClassVar = (Field(1, "perpetual_id", "uint32"),)


class ClobPair(Message, frozen=True, kw_only=True):
    id: int = 0
    perpetual_clob_metadata: PerpetualClobMetadata | None = None
    step_base_quantums: int = 0
    subticks_per_tick: int = 0
    quantum_conversion_exponent: int = 0
    status: int = 0
    FIELDS: ClassVar = (
        Field(1, "id", "uint32"),
        Field(2, "perpetual_clob_metadata", PerpetualClobMetadata),
        Field(4, "step_base_quantums", "uint64"),
        Field(5, "subticks_per_tick", "uint32"),
        Field(6, "quantum_conversion_exponent", "sint32"),
        Field(7, "status", "enum"),
    )


class ClobPairResponse(Message, frozen=True, kw_only=True):
    clob_pair: ClobPair | None = None
    FIELDS: ClassVar = (Field(1, "clob_pair", ClobPair),)


class ClobPairsResponse(Message, frozen=True, kw_only=True):
    clob_pair: tuple[ClobPair, ...] = ()
    pagination: Page | None = None
    FIELDS: ClassVar = (Field(1, "clob_pair", ClobPair, repeated=True), Field(2, "pagination", Page))


class EquityTier(Message, frozen=True, kw_only=True):
    usd_tnc_required: bytes = b""
    limit: int = 0
    FIELDS: ClassVar = (Field(1, "usd_tnc_required", "bytes"), Field(2, "limit", "uint32"))


class EquityTiers(Message, frozen=True, kw_only=True):
    short_term_order_equity_tiers: tuple[EquityTier, ...] = ()
    stateful_order_equity_tiers: tuple[EquityTier, ...] = ()
    FIELDS: ClassVar = (
        Field(1, "short_term_order_equity_tiers", EquityTier, repeated=True),
        Field(2, "stateful_order_equity_tiers", EquityTier, repeated=True),
    )


class EquityTiersResponse(Message, frozen=True, kw_only=True):
    equity_tier_limit_config: EquityTiers | None = None
    FIELDS: ClassVar = (Field(1, "equity_tier_limit_config", EquityTiers),)


class RateRule(Message, frozen=True, kw_only=True):
    num_blocks: int = 0
    limit: int = 0
    FIELDS: ClassVar = (Field(1, "num_blocks", "uint32"), Field(2, "limit", "uint32"))


class RateRules(Message, frozen=True, kw_only=True):
    max_stateful_orders_per_n_blocks: tuple[RateRule, ...] = ()
    max_short_term_orders_and_cancels_per_n_blocks: tuple[RateRule, ...] = ()
    max_leverage_updates_per_n_blocks: tuple[RateRule, ...] = ()
    FIELDS: ClassVar = (
        Field(2, "max_stateful_orders_per_n_blocks", RateRule, repeated=True),
        Field(4, "max_short_term_orders_and_cancels_per_n_blocks", RateRule, repeated=True),
        Field(5, "max_leverage_updates_per_n_blocks", RateRule, repeated=True),
    )


class RateRulesResponse(Message, frozen=True, kw_only=True):
    block_rate_limit_config: RateRules | None = None
    FIELDS: ClassVar = (Field(1, "block_rate_limit_config", RateRules),)


class NextClobPairIdResponse(Message, frozen=True, kw_only=True):
    next_clob_pair_id: int = 0
    FIELDS: ClassVar = (Field(1, "next_clob_pair_id", "uint32"),)


class PlacementIndex(Message, frozen=True, kw_only=True):
    block_height: int = 0
    transaction_index: int = 0
    FIELDS: ClassVar = (Field(1, "block_height", "uint32"), Field(2, "transaction_index", "uint32"))


class OrderPlacement(Message, frozen=True, kw_only=True):
    order: OrderMessage | None = None
    placement_index: PlacementIndex | None = None
    FIELDS: ClassVar = (Field(1, "order", OrderMessage), Field(2, "placement_index", PlacementIndex))


class StatefulOrderResponse(Message, frozen=True, kw_only=True):
    order_placement: OrderPlacement | None = None
    fill_amount: int = 0
    triggered: bool = False
    FIELDS: ClassVar = (
        Field(1, "order_placement", OrderPlacement),
        Field(2, "fill_amount", "uint64"),
        Field(3, "triggered", "bool"),
    )


class LeverageRow(Message, frozen=True, kw_only=True):
    clob_pair_id: int = 0
    custom_imf_ppm: int = 0
    FIELDS: ClassVar = (Field(1, "clob_pair_id", "uint32"), Field(2, "custom_imf_ppm", "uint32"))


class LeverageResponse(Message, frozen=True, kw_only=True):
    clob_pair_leverage: tuple[LeverageRow, ...] = ()
    FIELDS: ClassVar = (Field(1, "clob_pair_leverage", LeverageRow, repeated=True),)


class AssetPosition(Message, frozen=True, kw_only=True):
    asset_id: int = 0
    quantums: bytes = b""
    index: int = 0
    FIELDS: ClassVar = (
        Field(1, "asset_id", "uint32"),
        Field(2, "quantums", "bytes"),
        Field(3, "index", "uint64"),
    )


class PerpetualPosition(Message, frozen=True, kw_only=True):
    perpetual_id: int = 0
    quantums: bytes = b""
    funding_index: bytes = b""
    quote_balance: bytes = b""
    FIELDS: ClassVar = (
        Field(1, "perpetual_id", "uint32"),
        Field(2, "quantums", "bytes"),
        Field(3, "funding_index", "bytes"),
        Field(4, "quote_balance", "bytes"),
    )


class SubaccountMessage(Message, frozen=True, kw_only=True):
    id: SubaccountId | None = None
    asset_positions: tuple[AssetPosition, ...] = ()
    perpetual_positions: tuple[PerpetualPosition, ...] = ()
    margin_enabled: bool = False
    FIELDS: ClassVar = (
        Field(1, "id", SubaccountId),
        Field(2, "asset_positions", AssetPosition, repeated=True),
        Field(3, "perpetual_positions", PerpetualPosition, repeated=True),
        Field(4, "margin_enabled", "bool"),
    )


class SubaccountResponse(Message, frozen=True, kw_only=True):
    subaccount: SubaccountMessage | None = None
    FIELDS: ClassVar = (Field(1, "subaccount", SubaccountMessage),)


class SubaccountsResponse(Message, frozen=True, kw_only=True):
    subaccount: tuple[SubaccountMessage, ...] = ()
    pagination: Page | None = None
    FIELDS: ClassVar = (Field(1, "subaccount", SubaccountMessage, repeated=True), Field(2, "pagination", Page))


class PerpetualParams(Message, frozen=True, kw_only=True):
    id: int = 0
    ticker: str = ""
    market_id: int = 0
    atomic_resolution: int = 0
    default_funding_ppm: int = 0
    liquidity_tier: int = 0
    market_type: int = 0
    FIELDS: ClassVar = (
        Field(1, "id", "uint32"),
        Field(2, "ticker", "string"),
        Field(3, "market_id", "uint32"),
        Field(4, "atomic_resolution", "sint32"),
        Field(5, "default_funding_ppm", "sint32"),
        Field(6, "liquidity_tier", "uint32"),
        Field(7, "market_type", "enum"),
    )


class Perpetual(Message, frozen=True, kw_only=True):
    params: PerpetualParams | None = None
    funding_index: bytes = b""
    open_interest: bytes = b""
    FIELDS: ClassVar = (
        Field(1, "params", PerpetualParams),
        Field(2, "funding_index", "bytes"),
        Field(3, "open_interest", "bytes"),
    )


class PerpetualResponse(Message, frozen=True, kw_only=True):
    perpetual: Perpetual | None = None
    FIELDS: ClassVar = (Field(1, "perpetual", Perpetual),)


class PerpetualsResponse(Message, frozen=True, kw_only=True):
    perpetual: tuple[Perpetual, ...] = ()
    pagination: Page | None = None
    FIELDS: ClassVar = (Field(1, "perpetual", Perpetual, repeated=True), Field(2, "pagination", Page))


class LiquidityTierMessage(Message, frozen=True, kw_only=True):
    id: int = 0
    name: str = ""
    initial_margin_ppm: int = 0
    maintenance_fraction_ppm: int = 0
    impact_notional: int = 0
    open_interest_lower_cap: int = 0
    open_interest_upper_cap: int = 0
    FIELDS: ClassVar = (
        Field(1, "id", "uint32"),
        Field(2, "name", "string"),
        Field(3, "initial_margin_ppm", "uint32"),
        Field(4, "maintenance_fraction_ppm", "uint32"),
        Field(6, "impact_notional", "uint64"),
        Field(7, "open_interest_lower_cap", "uint64"),
        Field(8, "open_interest_upper_cap", "uint64"),
    )


class LiquidityTiersResponse(Message, frozen=True, kw_only=True):
    liquidity_tiers: tuple[LiquidityTierMessage, ...] = ()
    pagination: Page | None = None
    FIELDS: ClassVar = (
        Field(1, "liquidity_tiers", LiquidityTierMessage, repeated=True),
        Field(2, "pagination", Page),
    )


class MarketPrice(Message, frozen=True, kw_only=True):
    id: int = 0
    exponent: int = 0
    price: int = 0
    FIELDS: ClassVar = (Field(1, "id", "uint32"), Field(2, "exponent", "sint32"), Field(3, "price", "uint64"))


class MarketPriceResponse(Message, frozen=True, kw_only=True):
    market_price: MarketPrice | None = None
    FIELDS: ClassVar = (Field(1, "market_price", MarketPrice),)


class MarketPricesResponse(Message, frozen=True, kw_only=True):
    market_prices: tuple[MarketPrice, ...] = ()
    pagination: Page | None = None
    FIELDS: ClassVar = (Field(1, "market_prices", MarketPrice, repeated=True), Field(2, "pagination", Page))


class MarketParam(Message, frozen=True, kw_only=True):
    id: int = 0
    pair: str = ""
    exponent: int = 0
    min_exchanges: int = 0
    min_price_change_ppm: int = 0
    FIELDS: ClassVar = (
        Field(1, "id", "uint32"),
        Field(2, "pair", "string"),
        Field(3, "exponent", "sint32"),
        Field(4, "min_exchanges", "uint32"),
        Field(5, "min_price_change_ppm", "uint32"),
    )


class MarketParamResponse(Message, frozen=True, kw_only=True):
    market_param: MarketParam | None = None
    FIELDS: ClassVar = (Field(1, "market_param", MarketParam),)


class FeeTier(Message, frozen=True, kw_only=True):
    name: str = ""
    absolute_volume_requirement: int = 0
    total_volume_share_requirement_ppm: int = 0
    maker_volume_share_requirement_ppm: int = 0
    maker_fee_ppm: int = 0
    taker_fee_ppm: int = 0
    FIELDS: ClassVar = (
        Field(1, "name", "string"),
        Field(2, "absolute_volume_requirement", "uint64"),
        Field(3, "total_volume_share_requirement_ppm", "uint32"),
        Field(4, "maker_volume_share_requirement_ppm", "uint32"),
        Field(5, "maker_fee_ppm", "sint32"),
        Field(6, "taker_fee_ppm", "sint32"),
    )


class UserFeeTierResponse(Message, frozen=True, kw_only=True):
    index: int = 0
    tier: FeeTier | None = None
    FIELDS: ClassVar = (Field(1, "index", "uint32"), Field(2, "tier", FeeTier))


class FeeParams(Message, frozen=True, kw_only=True):
    tiers: tuple[FeeTier, ...] = ()
    FIELDS: ClassVar = (Field(1, "tiers", FeeTier, repeated=True),)


class FeeParamsResponse(Message, frozen=True, kw_only=True):
    params: FeeParams | None = None
    FIELDS: ClassVar = (Field(1, "params", FeeParams),)


class UserStats(Message, frozen=True, kw_only=True):
    taker_notional: int = 0
    maker_notional: int = 0
    FIELDS: ClassVar = (Field(1, "taker_notional", "uint64"), Field(2, "maker_notional", "uint64"))


class UserStatsResponse(Message, frozen=True, kw_only=True):
    stats: UserStats | None = None
    FIELDS: ClassVar = (Field(1, "stats", UserStats),)


class AuthenticatorRow(Message, frozen=True, kw_only=True):
    id: int = 0
    type: str = ""
    config: bytes = b""
    FIELDS: ClassVar = (Field(1, "id", "uint64"), Field(2, "type", "string"), Field(3, "config", "bytes"))


class AuthenticatorsResponse(Message, frozen=True, kw_only=True):
    account_authenticators: tuple[AuthenticatorRow, ...] = ()
    FIELDS: ClassVar = (Field(1, "account_authenticators", AuthenticatorRow, repeated=True),)


class NonceDetails(Message, frozen=True, kw_only=True):
    timestamp_nonces: tuple[int, ...] = ()
    max_ejected_nonce: int = 0
    FIELDS: ClassVar = (
        Field(1, "timestamp_nonces", "uint64", repeated=True),
        Field(2, "max_ejected_nonce", "uint64"),
    )


class AccountState(Message, frozen=True, kw_only=True):
    address: str = ""
    timestamp_nonce_details: NonceDetails | None = None
    FIELDS: ClassVar = (Field(1, "address", "string"), Field(2, "timestamp_nonce_details", NonceDetails))


class AccountStateResponse(Message, frozen=True, kw_only=True):
    account_state: AccountState | None = None
    FIELDS: ClassVar = (Field(1, "account_state", AccountState),)
