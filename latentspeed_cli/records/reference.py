"""What a market is and how it went: its rules, its context, its candles, its funding rates."""

from __future__ import annotations

from typing import ClassVar

from .. import clock
from ..core.decimals import plain
from ..core.market_data import Candle, FundingRate, MarketContext, MidPrice
from ..core.symbols import Market
from ..core.trading_rule import TradingRule
from .base import Number, Record, iso, number


class MarketRecord(Record, frozen=True, kw_only=True, tag="market"):
    """One market and its grid. refusal: why it is listed and not traded. Prices are null unless they were asked for.

    amount_step, min_amount: base units. min_notional, max_notional: quote units. price_significant_figures: a price
    uses at most so many figures, except that whole numbers are always allowed. funding_rate: of one hour.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "trading_pair",
        "kind",
        "mark_price",
        "funding_rate",
        "day_volume",
        "max_leverage",
        "price_tick",
        "amount_step",
        "min_notional",
        "refusal",
    )
    id_field: ClassVar[str | None] = "trading_pair"

    venue: str
    network: str
    trading_pair: str
    symbol: str
    kind: str
    is_active: bool
    refusal: str | None
    max_leverage: int
    price_tick: Number | None
    price_significant_figures: int | None
    amount_step: Number | None
    min_amount: Number | None
    min_notional: Number | None
    max_notional: Number | None
    mark_price: Number | None
    index_price: Number | None
    mid_price: Number | None
    funding_rate: Number | None
    open_interest: Number | None
    day_volume: Number | None
    ts_ns: int
    ts_iso: str


class MarketList(Record, frozen=True, kw_only=True, tag="markets"):
    """stale: the venue could not be asked; the metadata are what was last read."""

    items: tuple[MarketRecord, ...]
    stale: bool = False


class TickerRecord(Record, frozen=True, kw_only=True, tag="ticker"):
    """What a market says about itself now. funding_rate: of one hour. ts_ns: when it was received, if nobody says."""

    columns: ClassVar[tuple[str, ...]] = (
        "ts_iso",
        "trading_pair",
        "mark_price",
        "index_price",
        "mid_price",
        "funding_rate",
        "open_interest",
        "day_volume",
    )

    venue: str
    network: str
    trading_pair: str
    mark_price: Number | None
    index_price: Number | None
    mid_price: Number | None
    funding_rate: Number | None
    open_interest: Number | None
    day_volume: Number | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class CandleRecord(Record, frozen=True, kw_only=True, tag="candle"):
    """ts_ns: when it opened; close_ts_ns: its last moment. volume: base units. The last one may still be forming."""

    columns: ClassVar[tuple[str, ...]] = (
        "ts_iso",
        "trading_pair",
        "interval",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "trades",
    )

    venue: str
    network: str
    trading_pair: str
    interval: str
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number
    trades: int
    ts_ns: int
    ts_iso: str
    close_ts_ns: int
    close_ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class CandleList(Record, frozen=True, kw_only=True, tag="candles"):
    items: tuple[CandleRecord, ...]


class FundingRateRecord(Record, frozen=True, kw_only=True, tag="funding-rate"):
    """rate: of one hour; positive, longs pay. is_current: of the hour that runs; else it ended at ts_ns."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "trading_pair", "rate", "is_current")

    venue: str
    network: str
    trading_pair: str
    rate: Number
    is_current: bool
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class FundingRateList(Record, frozen=True, kw_only=True, tag="funding-rates"):
    items: tuple[FundingRateRecord, ...]


def market_record(
    market: Market, rule: TradingRule | None, context: MarketContext | None, *, venue: str, network: str, ts_ns: int
) -> MarketRecord:
    """rule: None for a market that is only listed. context: None where no prices were asked for."""
    return MarketRecord(
        venue=venue,
        network=network,
        trading_pair=market.trading_pair,
        symbol=market.symbol,
        kind=market.kind,
        is_active=market.is_active,
        refusal=market.refusal,
        max_leverage=market.max_leverage,
        price_tick=number(rule.price_tick) if rule else None,
        price_significant_figures=rule.price_significant_figures if rule else None,
        amount_step=number(rule.amount_step) if rule else None,
        min_amount=number(rule.min_amount) if rule else None,
        min_notional=number(rule.min_notional) if rule else None,
        max_notional=number(rule.max_notional_limit) if rule else None,
        mark_price=number(context.mark_price) if context else None,
        index_price=number(context.index_price) if context else None,
        mid_price=number(context.mid_price) if context else None,
        funding_rate=number(context.funding_rate) if context else None,
        open_interest=number(context.open_interest) if context else None,
        day_volume=number(context.day_volume) if context else None,
        ts_ns=ts_ns,
        ts_iso=clock.iso(ts_ns),
    )


def ticker_record(
    context: MarketContext, *, venue: str, network: str, received_ns: int | None = None, seq: int | None = None
) -> TickerRecord:
    return TickerRecord(
        venue=venue,
        network=network,
        trading_pair=context.trading_pair,
        mark_price=number(context.mark_price),
        index_price=number(context.index_price),
        mid_price=number(context.mid_price),
        funding_rate=number(context.funding_rate),
        open_interest=number(context.open_interest),
        day_volume=number(context.day_volume),
        ts_ns=context.ts_ns,
        ts_iso=clock.iso(context.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def mid_record(mid: MidPrice, *, venue: str, network: str, seq: int | None = None) -> TickerRecord:
    """Where a venue streams nothing but the middle prices of all markets together. Its time is when it came here."""
    return TickerRecord(
        venue=venue,
        network=network,
        trading_pair=mid.trading_pair,
        mark_price=None,
        index_price=None,
        mid_price=plain(mid.price),
        funding_rate=None,
        open_interest=None,
        day_volume=None,
        ts_ns=mid.ts_ns,
        ts_iso=clock.iso(mid.ts_ns),
        received_ts_ns=mid.ts_ns,
        received_ts_iso=clock.iso(mid.ts_ns),
        seq=seq,
    )


def candle_record(
    candle: Candle, *, venue: str, network: str, received_ns: int | None = None, seq: int | None = None
) -> CandleRecord:
    return CandleRecord(
        venue=venue,
        network=network,
        trading_pair=candle.trading_pair,
        interval=candle.interval,
        open=plain(candle.open),
        high=plain(candle.high),
        low=plain(candle.low),
        close=plain(candle.close),
        volume=plain(candle.volume),
        trades=candle.trades,
        ts_ns=candle.open_ts_ns,
        ts_iso=clock.iso(candle.open_ts_ns),
        close_ts_ns=candle.close_ts_ns,
        close_ts_iso=clock.iso(candle.close_ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def funding_rate_record(
    rate: FundingRate | MarketContext,
    *,
    venue: str,
    network: str,
    received_ns: int | None = None,
    seq: int | None = None,
) -> FundingRateRecord:
    """Of a past hour, or, from a market's context, of the one that runs."""
    is_current = isinstance(rate, MarketContext)
    return FundingRateRecord(
        venue=venue,
        network=network,
        trading_pair=rate.trading_pair,
        rate=plain(rate.funding_rate if isinstance(rate, MarketContext) else rate.rate),
        is_current=is_current,
        ts_ns=rate.ts_ns,
        ts_iso=clock.iso(rate.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )
