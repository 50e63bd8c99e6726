"""Public streams: books, best prices, trades, candles and market contexts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from latentspeed_cli.connector.answers import each, shape
from latentspeed_cli.connector.streams import Channel, SnapshotEnd, Subscription
from latentspeed_cli.core.market_data import BestBidOffer, MarketContext, OrderBookSnapshot, PriceLevel
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.errors import OrderRefused, ProtocolError

from . import decode
from .config import DydxV4Config
from .payloads import (
    Book,
    CandleRow,
    Candles,
    MarketsUpdate,
    OraclePriceUpdate,
    PerpetualMarket,
    Trade,
    Trades,
    TradingUpdate,
)
from .raw_book import RawBook
from .streams import HEIGHTS, MARKETS, FrameSource, heights, key_of, subscription
from .web_utils import DydxV4WebUtils

BOOKS, TRADES, CANDLES = "v4_orderbook", "v4_trades", "v4_candles"
NS_PER_S = 1_000_000_000
# As many levels of a side as the venue's own answers have.
VIEW_LEVELS = 100
# A snapshot is taken before its subscription begins, so a change between the two is lost: ask again now and then, and
# soon when the raw book stays crossed for longer than gossip explains.
BOOK_AGE_NS = 60 * NS_PER_S
CROSSED_AGE_NS = 15 * NS_PER_S
# A top that does not change is told again after this long: it is not silence.
SAME_TOP_NS = 15 * NS_PER_S
# Of the trades before the stream began, the latest so many are told.
REPLAYED_TRADES = 30


class DydxV4OrderBookDataSource(FrameSource):
    """Books are whole and uncrossed, whatever the venue sent; they carry its message number, and our time.

    Trades begin with the latest thirty; those of a later snapshot that were told already are left out.
    candle_interval: of the candles channel.
    """

    def __init__(self, config: DydxV4Config, symbols: SymbolMap, *, candle_interval: str = "1m") -> None:
        super().__init__()
        if candle_interval not in decode.RESOLUTIONS:
            raise OrderRefused(f"no candles of {candle_interval!r}", hint="one of: " + " ".join(decode.RESOLUTIONS))
        self.url = DydxV4WebUtils(config).ws_url
        self._symbols = symbols
        self._resolution = decode.RESOLUTIONS[candle_interval][0]
        self._books: dict[str, _Book] = {}
        self._markets: dict[str, PerpetualMarket] = {}
        self._contexts_of: frozenset[str] | None = None  # None is all of them
        self._latest_trade: dict[str, str] = {}

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        """Ticker without pairs is the context of every market. One book serves both book and bbo."""
        pairs = [self._symbols.find(trading_pair).trading_pair for trading_pair in trading_pairs]
        self._contexts_of = frozenset(self._symbols.pair(pair).symbol for pair in pairs) if pairs else None
        self._books = {}
        wanted: list[Subscription] = []
        for channel in channels:
            if channel is Channel.TICKER and not pairs:
                wanted.append(subscription(channel, None, MARKETS, batched=True))
            elif not pairs:
                raise OrderRefused(f"the {channel.value} stream needs a trading pair")
            wanted += [self._one(channel, pair) for pair in pairs]
        return self._ask((*wanted, heights(Channel.EVENTS)))

    def _one(self, channel: Channel, pair: str) -> Subscription:
        symbol = self._symbols.pair(pair).symbol
        match channel:
            case Channel.BOOK | Channel.BBO:
                self._books.setdefault(symbol, _Book(pair)).channels.add(channel)
                return subscription(channel, pair, BOOKS, symbol, batched=True)
            case Channel.TRADES:
                return subscription(channel, pair, TRADES, symbol)
            case Channel.CANDLES:
                return subscription(channel, pair, CANDLES, f"{symbol}/{self._resolution}", batched=True)
            case Channel.TICKER | Channel.FUNDING:
                return subscription(channel, pair, MARKETS, batched=True)
            case _:
                raise OrderRefused(f"{channel.value} is not a public stream of this venue")

    # What happens to the line

    def connected(self) -> None:
        self._markets = {}
        for book in self._books.values():
            book.raw = None

    def gap(self, received_ns: int) -> Iterator[object]:
        """Whatever is built from changes is built anew; what trades were missed comes with their snapshot."""
        for book in self._books.values():
            book.raw = None
        for key in self._asked:
            if key != HEIGHTS:
                yield from self._renew(key)

    # Contents

    def snapshot(
        self, channel: str, name: str | None, contents: msgspec.Raw, message_id: int, received_ns: int
    ) -> Iterator[object]:
        match channel:
            case "v4_orderbook":
                yield from self._take_book(name, [contents], message_id, received_ns, fresh=True)
            case "v4_trades":
                yield from self._trade_snapshot(name, shape(contents, Trades), received_ns)
            case "v4_candles":
                found: Candles = shape(contents, Candles)
                if found.candles:  # newest first: the one that is forming
                    yield decode.candle(found.candles[0], self._symbols, received_ns)
            case "v4_markets":
                yield from self._take_markets([contents], received_ns)
            case _:
                yield from super().snapshot(channel, name, contents, message_id, received_ns)

    def news(
        self, channel: str, name: str | None, changes: Sequence[msgspec.Raw], message_id: int, received_ns: int
    ) -> Iterator[object]:
        match channel:
            case "v4_orderbook":
                yield from self._take_book(name, changes, message_id, received_ns, fresh=False)
            case "v4_trades":
                for change in changes:
                    said: Trades = shape(change, Trades)
                    yield from self._tell_trades(name, said.trades, received_ns)
            case "v4_candles":
                yield from each(changes, lambda raw: decode.candle(shape(raw, CandleRow), self._symbols, received_ns))
            case "v4_markets":
                yield from self._take_markets(changes, received_ns)
            case _:
                yield from super().news(channel, name, changes, message_id, received_ns)

    # Books

    def _take_book(
        self, name: str | None, contents: Sequence[msgspec.Raw], message_id: int, received_ns: int, *, fresh: bool
    ) -> Iterator[object]:
        book = self._books.get(name or "")
        if book is None:
            raise ProtocolError(f"a book of {name!r} was not asked for")
        key = key_of(BOOKS, name)
        try:
            for one in contents:
                said: Book = shape(one, Book)
                book.take(decode.levels(said.bids), decode.levels(said.asks), message_id, received_ns, fresh=fresh)
        except ProtocolError:  # it cannot be known what the book is now
            book.raw = None
            yield from self._renew(key)
            raise
        yield from book.tell(message_id, received_ns)
        if book.needs_snapshot(received_ns):
            yield from self._renew(key)

    # Trades

    def _trade_snapshot(self, name: str | None, said: Trades, received_ns: int) -> Iterator[object]:
        latest = self._latest_trade.get(name or "")
        rows = said.trades if latest is not None else said.trades[:REPLAYED_TRADES]
        yield from self._tell_trades(name, rows[::-1], received_ns, after=latest)
        yield SnapshotEnd(Channel.TRADES, self._pair(name))

    def _tell_trades(
        self, name: str | None, raws: Sequence[msgspec.Raw], received_ns: int, *, after: str | None = None
    ) -> Iterator[object]:
        """Trade ids begin with the block height, all of one length: they grow with time."""
        pair, latest = self._pair(name), self._latest_trade.get(name or "", "")
        trades = each(raws, lambda raw: decode.public_trade(shape(raw, Trade), pair, received_ns))
        for trade in trades:
            if after is None or trade.trade_id > after:
                latest = max(latest, trade.trade_id)
                self._latest_trade[name or ""] = latest
                yield trade

    def _pair(self, name: str | None) -> str:
        return decode.pair_of(name, None, self._symbols)

    # Contexts

    def _take_markets(self, contents: Sequence[msgspec.Raw], received_ns: int) -> Iterator[MarketContext]:
        changed: dict[str, None] = {}
        for one in contents:
            said: MarketsUpdate = shape(one, MarketsUpdate)
            for ticker, raw in (said.markets or {}).items():
                if self._is_wanted(ticker):
                    self._markets[ticker] = shape(raw, PerpetualMarket)
                    changed[ticker] = None
            for ticker, raw in (said.trading or {}).items():
                if (known := self._markets.get(ticker)) is not None:
                    self._markets[ticker] = _merged(known, shape(raw, TradingUpdate))
                    changed[ticker] = None
            for ticker, raw in (said.oracle_prices or {}).items():
                if (known := self._markets.get(ticker)) is not None:
                    price: OraclePriceUpdate = shape(raw, OraclePriceUpdate)
                    self._markets[ticker] = msgspec.structs.replace(known, oracle_price=price.oracle_price)
                    changed[ticker] = None
        rows = [self._markets[ticker] for ticker in changed if self._markets[ticker].oracle_price is not None]
        yield from each(rows, lambda row: decode.context(row, self._symbols, received_ns))

    def _is_wanted(self, ticker: str) -> bool:
        return self._contexts_of is None or ticker in self._contexts_of


def _merged(known: PerpetualMarket, change: TradingUpdate) -> PerpetualMarket:
    """The members that a change names, and the others as they were."""
    names = ("status", "next_funding_rate", "open_interest", "price_change_24h", "volume_24h", "trades_24h")
    found = {name: getattr(change, name) for name in names}
    return msgspec.structs.replace(known, **{name: value for name, value in found.items() if value is not None})


class _Book:
    """One market's book on one stream. raw: None until a snapshot is there."""

    def __init__(self, trading_pair: str) -> None:
        self.trading_pair = trading_pair
        self.channels: set[Channel] = set()
        self.raw: RawBook | None = None
        self._snapshot_ns = 0
        self._crossed_ns: int | None = None
        self._top: tuple[PriceLevel | None, PriceLevel | None] | None = None
        self._top_ns = 0

    def take(
        self,
        bids: tuple[PriceLevel, ...],
        asks: tuple[PriceLevel, ...],
        message_id: int,
        received_ns: int,
        *,
        fresh: bool,
    ) -> None:
        if fresh:
            raw = RawBook()
            raw.load(bids, asks, message_id)
            self.raw, self._snapshot_ns, self._crossed_ns, self._top = raw, received_ns, None, None
        elif self.raw is not None:
            self.raw.change(bids, asks, message_id)

    def tell(self, message_id: int, received_ns: int) -> Iterator[object]:
        if self.raw is None:
            return
        bids, asks = self.raw.view(VIEW_LEVELS)
        if Channel.BOOK in self.channels:
            yield OrderBookSnapshot(
                trading_pair=self.trading_pair,
                ts_ns=received_ns,
                bids=bids,
                asks=asks,
                sequence=message_id,
                received_ns=received_ns,
            )
        if Channel.BBO in self.channels:
            top = bids[0] if bids else None, asks[0] if asks else None
            if top != self._top or received_ns - self._top_ns >= SAME_TOP_NS:
                self._top, self._top_ns = top, received_ns
                yield BestBidOffer(
                    trading_pair=self.trading_pair, ts_ns=received_ns, bid=top[0], ask=top[1], received_ns=received_ns
                )

    def needs_snapshot(self, received_ns: int) -> bool:
        if self.raw is None:
            return False
        if not self.raw.is_crossed:
            self._crossed_ns = None
        elif self._crossed_ns is None:
            self._crossed_ns = received_ns
        crossed_ns = 0 if self._crossed_ns is None else received_ns - self._crossed_ns
        return received_ns - self._snapshot_ns >= BOOK_AGE_NS or crossed_ns >= CROSSED_AGE_NS
