"""Public market data as values. Prices are quote per base, amounts base units, times Unix nanoseconds of the venue."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import msgspec

from .decimals import REMEMBERED, parse
from .types import TradeType


class PriceLevel(msgspec.Struct, frozen=True, array_like=True):
    """One price level of a book. count: resting orders there, when the venue tells."""

    price: Decimal
    amount: Decimal
    count: int | None = None


@lru_cache(REMEMBERED)  # a book repeats most of its levels with every message
def price_level(price: str, amount: str, count: int | None = None) -> PriceLevel:
    """A level as venues spell it. Raises ValueError for what is no number."""
    return PriceLevel(parse(price), parse(amount), count)


class OrderBookSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A whole book as of ts_ns: bids fall, asks rise. sequence: the venue's own number, when it has one."""

    trading_pair: str
    ts_ns: int
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    sequence: int | None = None


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
