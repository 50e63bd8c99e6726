"""Public market data as values. Prices are quote per base, amounts base units, times Unix nanoseconds of the venue.

received_ns: when it came here, by the clock of this machine; of what streams tell.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .types import TradeType


# gc=False here and on what becomes of levels: they are most of what a stream makes, and never part of a cycle.
class PriceLevel(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One price level of a book. count: resting orders there, when the venue tells."""

    price: Decimal
    amount: Decimal
    count: int | None = None


class OrderBookSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book as of ts_ns: bids fall, asks rise. sequence: the venue's own number, when it has one."""

    trading_pair: str
    ts_ns: int
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    sequence: int | None = None
    received_ns: int | None = None


class OrderBookDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Changed levels; amount 0 deletes one. first_sequence..sequence: the venue's numbers of this change."""

    trading_pair: str
    ts_ns: int
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    first_sequence: int
    sequence: int


class BestBidOffer(msgspec.Struct, frozen=True, kw_only=True):
    trading_pair: str
    ts_ns: int
    bid: PriceLevel | None
    ask: PriceLevel | None
    received_ns: int | None = None


class MidPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The middle price of one market, where a venue streams those of all markets together."""

    trading_pair: str
    ts_ns: int
    price: Decimal


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of the market. side: the aggressor's."""

    trading_pair: str
    trade_id: str
    ts_ns: int
    side: TradeType
    price: Decimal
    amount: Decimal
    received_ns: int | None = None


class MarketContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a perpetual market says about itself. funding_rate: the current hourly rate."""

    trading_pair: str
    ts_ns: int
    mark_price: Decimal
    index_price: Decimal
    mid_price: Decimal | None
    funding_rate: Decimal
    open_interest: Decimal | None = None
    day_volume: Decimal | None = None


class FundingRate(msgspec.Struct, frozen=True, kw_only=True):
    """What holders of a market paid for the hour that ended at ts_ns. rate: of one hour; positive, longs paid."""

    trading_pair: str
    ts_ns: int
    rate: Decimal


# Lengths of candles in the words of the command line, in seconds; a month is counted as thirty days.
INTERVALS_S = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
    "3d": 259_200,
    "1w": 604_800,
    "1M": 2_592_000,
}


# Of streamed candles.
DEFAULT_INTERVAL = "1m"


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    trading_pair: str
    interval: str
    open_ts_ns: int
    close_ts_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int
    received_ns: int | None = None
