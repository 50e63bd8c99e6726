"""Public market data."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .. import clock
from ..core.decimals import plain
from ..core.market_data import BestBidOffer, OrderBookSnapshot, PriceLevel, PublicTrade
from .base import Number, Record, Side, iso, number


class Level(msgspec.Struct, frozen=True, gc=False):
    price: Number
    amount: Number
    orders: int | None


class BookRecord(Record, frozen=True, kw_only=True, tag="book"):
    """A whole book: bids fall, asks rise."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "trading_pair", "bids", "asks")

    venue: str
    network: str
    trading_pair: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None

    def ladder(self) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]]:
        rows: list[tuple[str, ...]] = []
        for index in range(max(len(self.bids), len(self.asks))):
            bid = self.bids[index] if index < len(self.bids) else None
            ask = self.asks[index] if index < len(self.asks) else None
            left = (bid.amount, bid.price) if bid else ("", "")
            rows.append((*left, *((ask.price, ask.amount) if ask else ("", ""))))
        return f"{self.trading_pair}  {self.ts_iso}", ("bid amount", "bid", "ask", "ask amount"), rows


class BboRecord(Record, frozen=True, kw_only=True, tag="bbo"):
    columns: ClassVar[tuple[str, ...]] = (
        "ts_iso",
        "trading_pair",
        "bid_price",
        "bid_amount",
        "ask_price",
        "ask_amount",
    )

    venue: str
    network: str
    trading_pair: str
    bid_price: Number | None
    bid_amount: Number | None
    ask_price: Number | None
    ask_amount: Number | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class TradeRecord(Record, frozen=True, kw_only=True, tag="trade"):
    """One trade of the market. side: the aggressor's."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "trading_pair", "side", "price", "amount", "trade_id")
    id_field: ClassVar[str | None] = "trade_id"

    venue: str
    network: str
    trading_pair: str
    trade_id: str
    side: Side
    price: Number
    amount: Number
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class BookList(Record, frozen=True, kw_only=True, tag="books"):
    items: tuple[BookRecord, ...]


class BboList(Record, frozen=True, kw_only=True, tag="bbos"):
    items: tuple[BboRecord, ...]


class TradeList(Record, frozen=True, kw_only=True, tag="trades"):
    items: tuple[TradeRecord, ...]


def _levels(levels: tuple[PriceLevel, ...]) -> tuple[Level, ...]:
    return tuple([Level(plain(level.price), plain(level.amount), level.count) for level in levels])


def book_record(
    book: OrderBookSnapshot,
    *,
    venue: str,
    network: str,
    depth: int | None = None,
    received_ns: int | None = None,
    seq: int | None = None,
) -> BookRecord:
    return BookRecord(
        venue=venue,
        network=network,
        trading_pair=book.trading_pair,
        bids=_levels(book.bids[:depth]),
        asks=_levels(book.asks[:depth]),
        ts_ns=book.ts_ns,
        ts_iso=clock.iso(book.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def bbo_record(
    bbo: BestBidOffer, *, venue: str, network: str, received_ns: int | None = None, seq: int | None = None
) -> BboRecord:
    return BboRecord(
        venue=venue,
        network=network,
        trading_pair=bbo.trading_pair,
        bid_price=number(bbo.bid.price) if bbo.bid else None,
        bid_amount=number(bbo.bid.amount) if bbo.bid else None,
        ask_price=number(bbo.ask.price) if bbo.ask else None,
        ask_amount=number(bbo.ask.amount) if bbo.ask else None,
        ts_ns=bbo.ts_ns,
        ts_iso=clock.iso(bbo.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def trade_record(
    trade: PublicTrade, *, venue: str, network: str, received_ns: int | None = None, seq: int | None = None
) -> TradeRecord:
    return TradeRecord(
        venue=venue,
        network=network,
        trading_pair=trade.trading_pair,
        trade_id=trade.trade_id,
        side=trade.side.value,
        price=plain(trade.price),
        amount=plain(trade.amount),
        ts_ns=trade.ts_ns,
        ts_iso=clock.iso(trade.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )
