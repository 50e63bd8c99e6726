"""DydxV4MarketReads: what anybody may ask of the indexer, as flows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from latentspeed_cli.connector.answers import each, kept, shape
from latentspeed_cli.connector.venue import Markets, VenueFlows
from latentspeed_cli.core.account import Allowance
from latentspeed_cli.core.flow import Flow, Reply, Request
from latentspeed_cli.core.market_data import Candle, FundingRate, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.errors import OrderRefused

from . import decode, markets
from .payloads import Book, Candles, HistoricalFunding, PerpetualMarkets, Time, Trade, Trades
from .raw_book import RawBook
from .web_utils import DydxV4WebUtils, words
from .wire import NS_PER_MS, iso, time_ns

NS_PER_S = 1_000_000_000
CANDLES_PAGE = 1_000
TRADES_PAGE = 100
PAST_PAGE = 1_000
MAX_PAGES = 20


class DydxV4MarketReads(VenueFlows):
    """Reads that need neither a key nor an account."""

    web_utils: DydxV4WebUtils
    tells_past_trades = True

    def markets_flow(self) -> Flow[Markets]:
        listed: PerpetualMarkets = yield from self._get(PerpetualMarkets, "perpetualMarkets")
        return markets.markets(markets.rows(listed))

    def book_flow(self, trading_pair: str) -> Flow[OrderBookSnapshot]:
        """The venue takes crossed levels out itself; what it leaves is taken out here. Its time is the answer's."""
        market = self._market(trading_pair)
        reply = yield self.web_utils.get("orderbooks", "perpetualMarket", market.symbol)
        body = self.web_utils.found(reply)
        if body is None:
            raise OrderRefused(f"the venue has no market {market.symbol!r}")
        said: Book = shape(body, Book)
        raw = RawBook()
        raw.load(decode.levels(said.bids), decode.levels(said.asks), 0)
        bids, asks = raw.view()
        return OrderBookSnapshot(trading_pair=market.trading_pair, ts_ns=_answered_ns(reply), bids=bids, asks=asks)

    def context_flow(self, trading_pairs: Sequence[str]) -> Flow[tuple[MarketContext, ...]]:
        symbols = [self._market(pair).symbol for pair in trading_pairs]
        reply = yield self.web_utils.get("perpetualMarkets", ticker=symbols[0] if len(symbols) == 1 else None)
        listed: PerpetualMarkets = shape(self.web_utils.check(reply, changes=False), PerpetualMarkets)
        rows = {row.ticker: row for row in kept(markets.rows(listed))}
        found = []
        for symbol in symbols or rows:
            row = rows.get(symbol)
            if row is not None and row.oracle_price is not None:
                found.append(decode.context(row, self.symbols, reply.received_ns))
            elif symbols:
                raise OrderRefused(f"the venue has no price of {symbol} now")
        return tuple(found)

    def trades_flow(self, trading_pair: str) -> Flow[tuple[PublicTrade, ...]]:
        """The latest, oldest first."""
        market = self._market(trading_pair)
        said: Trades = yield from self._get(Trades, "trades", "perpetualMarket", market.symbol, limit=TRADES_PAGE)
        trades = kept(each(said.trades, lambda raw: decode.public_trade(shape(raw, Trade), market.trading_pair)))
        return trades[::-1]

    def candles_flow(self, trading_pair: str, interval: str, start_ns: int, end_ns: int) -> Flow[tuple[Candle, ...]]:
        """Oldest first. The row that holds start_ns is included, the last may still be forming."""
        known = decode.RESOLUTIONS.get(interval)
        if known is None:
            raise OrderRefused(f"no candles of {interval!r}", hint="one of: " + " ".join(decode.RESOLUTIONS))
        resolution, length_ms = known
        symbol, length_ns = self._market(trading_pair).symbol, length_ms * NS_PER_MS
        start = iso(max(start_ns, 0) // length_ns * length_ns)
        end = iso(end_ns // length_ns * length_ns + NS_PER_MS)  # exclusive at the venue
        found: dict[int, Candle] = {}
        for _ in range(MAX_PAGES):
            asked: dict[str, str | int] = {
                "resolution": resolution,
                "limit": CANDLES_PAGE,
                "fromISO": start,
                "toISO": end,
            }
            said: Candles = yield from self._get(Candles, "candles", "perpetualMarkets", symbol, **asked)
            rows = [decode.candle(row, self.symbols) for row in said.candles]
            found.update((row.open_ts_ns, row) for row in rows)
            if len(rows) < CANDLES_PAGE or (first_ns := min(row.open_ts_ns for row in rows)) <= start_ns:
                break
            end = iso(first_ns)
        return tuple(found[time] for time in sorted(found))

    def past_trades_flow(
        self, trading_pair: str, start_ns: int, end_ns: int | None = None
    ) -> Flow[tuple[PublicTrade, ...]]:
        """Answers come newest first and include their bound, so pages overlap and are joined by id."""
        market = self._market(trading_pair)
        found: dict[str, PublicTrade] = {}
        before = None if end_ns is None else iso(end_ns)
        for _ in range(MAX_PAGES):
            said: Trades = yield from self._get(
                Trades, "trades", "perpetualMarket", market.symbol, limit=PAST_PAGE, createdBeforeOrAt=before
            )
            rows = kept(each(said.trades, lambda raw: decode.public_trade(shape(raw, Trade), market.trading_pair)))
            new = [row for row in rows if row.trade_id not in found]
            found.update((row.trade_id, row) for row in new)
            if len(said.trades) < PAST_PAGE or not new or new[-1].ts_ns < start_ns:
                break
            before = iso(min(row.ts_ns for row in new))
        trades = (row for row in found.values() if row.ts_ns >= start_ns)
        return tuple(sorted(trades, key=lambda row: (row.ts_ns, row.trade_id)))

    def funding_rates_flow(self, trading_pair: str, start_ns: int, end_ns: int) -> Flow[tuple[FundingRate, ...]]:
        """Answers come newest first and include their bound."""
        market = self._market(trading_pair)
        found: dict[int, FundingRate] = {}
        before = iso(end_ns)
        for _ in range(MAX_PAGES):
            said: HistoricalFunding = yield from self._get(
                HistoricalFunding, "historicalFunding", market.symbol, limit=PAST_PAGE, effectiveBeforeOrAt=before
            )
            rows = [decode.funding_rate(row, self.symbols) for row in said.historical_funding]
            new = [row for row in rows if row.ts_ns not in found]
            found.update((row.ts_ns, row) for row in new)
            if len(rows) < PAST_PAGE or not new or new[-1].ts_ns < start_ns:
                break
            before = iso(min(row.ts_ns for row in new))
        return tuple(found[time] for time in sorted(found) if time >= start_ns)

    def venue_time_flow(self) -> Flow[int]:
        said: Time = yield from self._get(Time, "time")
        return time_ns(said.iso)

    def allowance_flow(self) -> Flow[Allowance]:
        """Of reads from this address in ten seconds, as the headers of an answer say."""
        reply = yield self.web_utils.get("time")
        self.web_utils.check(reply, changes=False)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        try:
            most, left = int(headers["ratelimit-limit"]), int(headers["ratelimit-remaining"])
        except (KeyError, ValueError):
            raise OrderRefused("the venue does not tell how much of its limits is used") from None
        return Allowance(used=most - left, most=most, of="reads from this address in ten seconds")

    # Small parts

    def _get(self, kind: Any, *path: str | int, **parameters: str | int | None) -> Generator[Request, Reply, Any]:
        """One read of the indexer, as a value of `kind`."""
        reply = yield self.web_utils.get(*path, **parameters)
        if reply.status == 400:
            raise OrderRefused(f"the venue does not take this question: {words(reply)}")
        return shape(self.web_utils.check(reply, changes=False), kind)

    def _market(self, trading_pair: str) -> markets.DydxV4Market:
        return markets.of(self.symbols, trading_pair)


def _answered_ns(reply: Reply) -> int:
    """When the venue answered, to the second; when the answer was received where it does not say."""
    for name, value in reply.headers.items():
        if name.lower() == "date":
            try:
                return int(parsedate_to_datetime(value).timestamp()) * NS_PER_S + NS_PER_S // 2
            except ValueError:
                break
    return reply.received_ns
