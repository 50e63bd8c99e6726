"""What the indexer sends, as msgspec Structs: decoding validates the shape. What the chain takes is in proto.py.

Numbers of money stay text here (`Num`); decode.py makes Decimals of them. Members that the venue adds later are
ignored. Members that some message leaves out have defaults: the indexer's releases and channels differ in them, and
the removal of an order it no longer knows carries little more than ids.
Source: indexer source of v4-chain, services comlink and socks, March 2026; recorded answers of 2023 to 2025.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Num: TypeAlias = str
# Heights, counters and small ids: text in most places, JSON numbers in some.
Count: TypeAlias = str | int


class Payload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something the indexer sends; wire names are the camel case of the field names."""


# Errors and clocks.


class ErrorRow(Payload, frozen=True, kw_only=True):
    msg: str = ""
    code: str | None = None
    param: str | None = None


class Errors(Payload, frozen=True, kw_only=True):
    """What stands in the body of an answer that is not 200, unless a proxy wrote it."""

    errors: tuple[ErrorRow, ...]


class Height(Payload, frozen=True, kw_only=True):
    """The last block that the indexer has processed."""

    height: Count
    time: str


class Time(Payload, frozen=True, kw_only=True):
    """epoch: seconds."""

    iso: str
    epoch: float


# Markets.


class PerpetualMarket(Payload, frozen=True, kw_only=True):
    """Amounts and prices of the chain are integers: base quantums of 10^atomicResolution, and subticks.

    oracle_price: None before the first one. next_funding_rate: for one hour.
    """

    clob_pair_id: Count
    ticker: str
    status: str
    initial_margin_fraction: Num
    maintenance_margin_fraction: Num
    atomic_resolution: int
    quantum_conversion_exponent: int
    step_base_quantums: int
    subticks_per_tick: int
    oracle_price: Num | None = None
    next_funding_rate: Num | None = None
    open_interest: Num | None = None
    price_change_24h: Num | None = msgspec.field(default=None, name="priceChange24H")
    volume_24h: Num | None = msgspec.field(default=None, name="volume24H")
    trades_24h: int | None = msgspec.field(default=None, name="trades24H")
    tick_size: Num | None = None
    step_size: Num | None = None
    market_type: str = "CROSS"
    open_interest_lower_cap: Num | None = None
    open_interest_upper_cap: Num | None = None
    base_open_interest: Num | None = None
    default_funding_rate_1h: Num | None = msgspec.field(default=None, name="defaultFundingRate1H")


class PerpetualMarkets(Payload, frozen=True, kw_only=True):
    """By ticker. Rows are read one by one: one of a kind not known yet must not hide the others."""

    markets: dict[str, msgspec.Raw]


class TradingUpdate(Payload, frozen=True, kw_only=True):
    """Members of one market that changed; the oracle price is never among them. id: the clob pair's."""

    id: Count | None = None
    ticker: str | None = None
    status: str | None = None
    next_funding_rate: Num | None = None
    open_interest: Num | None = None
    price_change_24h: Num | None = msgspec.field(default=None, name="priceChange24H")
    volume_24h: Num | None = msgspec.field(default=None, name="volume24H")
    trades_24h: int | None = msgspec.field(default=None, name="trades24H")


class OraclePriceUpdate(Payload, frozen=True, kw_only=True):
    oracle_price: Num
    effective_at: str
    effective_at_height: Count


class MarketsUpdate(Payload, frozen=True, kw_only=True):
    """Contents of v4_markets: a snapshot (markets), changes, or new oracle prices."""

    markets: dict[str, msgspec.Raw] | None = None
    trading: dict[str, msgspec.Raw] | None = None
    oracle_prices: dict[str, msgspec.Raw] | None = None


class Level(Payload, frozen=True, kw_only=True):
    price: Num
    size: Num


LevelRow: TypeAlias = Level | tuple[Num, Num]


class Book(Payload, frozen=True, kw_only=True):
    """A snapshot with best levels first, or a change: then sizes are absolute, and 0 deletes. Either side may lack."""

    bids: tuple[LevelRow, ...] = ()
    asks: tuple[LevelRow, ...] = ()


class Trade(Payload, frozen=True, kw_only=True):
    """side is the taker's. id: 24 hex digits of block height, transaction and event, so it grows with time."""

    id: str
    side: str
    size: Num
    price: Num
    created_at: str
    type: str = "LIMIT"
    created_at_height: Count | None = None


class Trades(Payload, frozen=True, kw_only=True):
    trades: tuple[msgspec.Raw, ...]


class CandleRow(Payload, frozen=True, kw_only=True):
    started_at: str
    ticker: str
    resolution: str
    low: Num
    high: Num
    open: Num
    close: Num
    base_token_volume: Num
    usd_volume: Num
    trades: int
    starting_open_interest: Num | None = None
    orderbook_mid_price_open: Num | None = None
    orderbook_mid_price_close: Num | None = None


class Candles(Payload, frozen=True, kw_only=True):
    """Newest first."""

    candles: tuple[CandleRow, ...]


class FundingRate(Payload, frozen=True, kw_only=True):
    """rate: of one hour, which ended at effective_at."""

    ticker: str
    rate: Num
    price: Num
    effective_at: str
    effective_at_height: Count


class HistoricalFunding(Payload, frozen=True, kw_only=True):
    historical_funding: tuple[FundingRate, ...]


# Accounts.


class FundingPaymentRow(Payload, frozen=True, kw_only=True):
    """payment: USDC, negative was paid. side: LONG or SHORT."""

    created_at: str
    ticker: str
    size: Num
    side: str
    rate: Num
    payment: Num


class FundingPayments(Payload, frozen=True, kw_only=True):
    """Newest first."""

    funding_payments: tuple[FundingPaymentRow, ...]


class PerpetualPosition(Payload, frozen=True, kw_only=True):
    """size is signed: a SHORT is negative. Frames about a fill leave both pnl out, and may be one step behind."""

    market: str
    status: str
    side: str
    size: Num
    entry_price: Num | None = None
    exit_price: Num | None = None
    max_size: Num | None = None
    realized_pnl: Num | None = None
    unrealized_pnl: Num | None = None
    net_funding: Num | None = None
    sum_open: Num | None = None
    sum_close: Num | None = None
    created_at: str | None = None
    created_at_height: Count | None = None
    closed_at: str | None = None
    subaccount_number: int | None = None
    address: str | None = None
    position_id: str | None = None


class PerpetualPositions(Payload, frozen=True, kw_only=True):
    positions: tuple[PerpetualPosition, ...]


class AssetPosition(Payload, frozen=True, kw_only=True):
    """size is never negative; side SHORT is debt."""

    symbol: str
    side: str
    size: Num
    asset_id: Count
    subaccount_number: int | None = None
    address: str | None = None
    position_id: str | None = None


class AssetPositions(Payload, frozen=True, kw_only=True):
    positions: tuple[AssetPosition, ...]


class Subaccount(Payload, frozen=True, kw_only=True):
    """equity and free_collateral: USDC at oracle prices."""

    address: str
    subaccount_number: int
    equity: Num
    free_collateral: Num
    open_perpetual_positions: dict[str, PerpetualPosition] = {}
    asset_positions: dict[str, AssetPosition] = {}
    margin_enabled: bool = True
    updated_at_height: Count | None = None
    latest_processed_block_height: Count | None = None


class SubaccountReply(Payload, frozen=True, kw_only=True):
    subaccount: Subaccount


class ParentSubaccount(Payload, frozen=True, kw_only=True):
    address: str
    parent_subaccount_number: int
    equity: Num
    free_collateral: Num
    child_subaccounts: tuple[Subaccount, ...] = ()


class Addresses(Payload, frozen=True, kw_only=True):
    subaccounts: tuple[Subaccount, ...]
    total_trading_rewards: Num | None = None


class Party(Payload, frozen=True, kw_only=True):
    """One end of a transfer; a wallet has no subaccount number."""

    address: str
    subaccount_number: int | None = None


class Transfer(Payload, frozen=True, kw_only=True):
    """type: TRANSFER_IN, TRANSFER_OUT, DEPOSIT or WITHDRAWAL, seen from the subaccount that was asked about."""

    sender: Party
    recipient: Party
    size: Num
    symbol: str
    type: str
    created_at: str
    created_at_height: Count
    transaction_hash: str
    id: str | None = None


class Transfers(Payload, frozen=True, kw_only=True):
    transfers: tuple[Transfer, ...]


class TradingReward(Payload, frozen=True, kw_only=True):
    trading_reward: Num
    created_at: str
    created_at_height: Count


# Orders and fills.


class OrderRow(Payload, frozen=True, kw_only=True):
    """An order, of the REST API or of a frame.

    good_til_block is set for short-term orders, good_til_block_time for the others. total_filled: absent while an
    order is known from the gossip of one node alone. total_optimistic_filled proves nothing. removal_reason: frames
    only. size, total_filled: base units.
    """

    id: str
    client_id: Count
    status: str
    order_flags: Count
    subaccount_id: str | None = None
    clob_pair_id: Count | None = None
    ticker: str | None = None
    side: str | None = None
    size: Num | None = None
    price: Num | None = None
    type: str | None = None
    time_in_force: str | None = None
    post_only: bool | None = None
    reduce_only: bool | None = None
    good_til_block: Count | None = None
    good_til_block_time: str | None = None
    trigger_price: Num | None = None
    client_metadata: Count | None = None
    total_filled: Num | None = None
    total_optimistic_filled: Num | None = None
    removal_reason: str | None = None
    created_at: str | None = None
    created_at_height: Count | None = None
    updated_at: str | None = None
    updated_at_height: Count | None = None
    subaccount_number: int | None = None


class EventBuffer(Payload, frozen=True, kw_only=True):
    """How messages of 2023 spelled an event id."""

    type: str
    data: tuple[int, ...]


class Fill(Payload, frozen=True, kw_only=True):
    """One side of one match. fee: USDC, negative is a rebate. REST says market, frames say ticker (or, in 2024, both).

    order_id: absent from liquidations and deleveraging.
    """

    side: str
    size: Num
    price: Num
    created_at: str
    id: str | None = None
    fee: Num = "0"
    liquidity: str | None = None
    type: str = "LIMIT"
    market: str | None = None
    ticker: str | None = None
    clob_pair_id: Count | None = None
    order_id: str | None = None
    event_id: str | EventBuffer | None = None
    client_metadata: Count | None = None
    created_at_height: Count | None = None
    transaction_hash: str | None = None
    subaccount_id: str | None = None
    subaccount_number: int | None = None


class Fills(Payload, frozen=True, kw_only=True):
    fills: tuple[msgspec.Raw, ...]


# WebSocket.


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of every frame.

    message_id counts what the server creates on one connection, over all channels; a "subscribed" may come late with
    the number it was given early. contents: a snapshot, one change, or for channel_batch_data a list of changes.
    """

    type: str
    message_id: int | None = None
    connection_id: str | None = None
    channel: str | None = None
    id: str | None = None
    version: str | None = None
    contents: msgspec.Raw = msgspec.Raw(b"null")
    message: str | None = None
    subaccount_number: int | None = msgspec.field(default=None, name="subaccountNumber")


class BlockHeight(Payload, frozen=True, kw_only=True):
    """Contents of v4_block_height: the snapshot says height, a change says blockHeight."""

    time: str
    height: Count | None = None
    block_height: Count | None = None


class AccountNews(Payload, frozen=True, kw_only=True):
    """A change holds any of these, several together; a snapshot orders and the height.

    transfers: one object, in spite of its name. block_height may be one less than heights inside the same message.
    """

    orders: tuple[msgspec.Raw, ...] = ()
    fills: tuple[msgspec.Raw, ...] = ()
    perpetual_positions: tuple[msgspec.Raw, ...] = ()
    asset_positions: tuple[msgspec.Raw, ...] = ()
    transfers: Transfer | None = None
    trading_reward: TradingReward | None = None
    block_height: Count | None = None


class SubaccountNews(AccountNews, frozen=True, kw_only=True):
    """Contents of v4_subaccounts. The snapshot of an address without history is empty."""

    subaccount: Subaccount | None = None


class ParentSubaccountNews(AccountNews, frozen=True, kw_only=True):
    """Contents of v4_parent_subaccounts."""

    subaccount: ParentSubaccount | None = None
