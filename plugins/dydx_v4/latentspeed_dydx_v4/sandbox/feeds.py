"""Market data for subscribers: books, trades, markets, candles and block heights, as time goes by (section 8.2)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from . import channels, market_views
from .numbers import iso

if TYPE_CHECKING:
    from .chain import Committed
    from .indexer import Indexer
    from .market import Market
    from .sockets import Sockets

Sides = dict[bool, dict[int, int]]
MIN_ORACLE_CHANGE_PPM = 200
WHOLE_BOOK = 1 << 20


class Feeds:
    """Turns what the node committed into updates, after the indexer's lag.

    keep_stale: tickers whose book keeps levels that are gone, as the gossip's does: their views cross (control API).
    gaps: tickers whose next snapshot is taken before the subscription is registered: what changes in between is lost.
    """

    def __init__(self, indexer: Indexer, sockets: Sockets) -> None:
        self.indexer = indexer
        self.world = indexer.world
        self.sockets = sockets
        self.keep_stale: set[str] = set()
        self.gaps: set[str] = set()
        self._blocks: deque[tuple[int, Committed]] = deque()
        self._books: dict[str, Sides] = {}
        self._oracles: dict[int, int] = {}

    @property
    def due_ns(self) -> int | None:
        """When the indexer processes its next block."""
        return self._blocks[0][0] if self._blocks else None

    def committed(self, block: Committed) -> None:
        self._blocks.append((self.world.now_ns + self.world.lag_ns, block))

    def run(self) -> None:
        """Process the blocks that have arrived."""
        while self._blocks and self._blocks[0][0] <= self.world.now_ns:
            self._block(self._blocks.popleft()[1])
        self._book_changes()

    def blocks_before(self, height: int) -> None:
        """Process the blocks before one whose news is about to be told: a message names the height before its own."""
        while self._blocks and self._blocks[0][1].height < height:
            self._block(self._blocks.popleft()[1])

    def _block(self, block: Committed) -> None:
        indexer, sockets = self.indexer, self.sockets
        for update in indexer.reached(block.height, block.time_ns):
            sockets.publish_account(update)
        if not sockets.connections:
            return
        contents = {"blockHeight": str(block.height), "time": iso(block.time_ns)}
        sockets.publish(channels.HEIGHT, channels.HEIGHT, contents)
        for ticker in sockets.topics(channels.TRADES):
            market = self.world.by_ticker[ticker]
            made = block.trades.get(market.pair)
            if made:
                shown = [market_views.trade(market, item, with_height=False) for item in made]
                sockets.publish(channels.TRADES, ticker, {"trades": shown})
        for given in sockets.topics(channels.CANDLES):
            self._candle(given, block)
        if sockets.has(channels.MARKETS):
            self._oracle_prices(block)

    def _candle(self, given: str, block: Committed) -> None:
        ticker, _, resolution = given.partition("/")
        market = self.world.by_ticker[ticker]
        if block.trades.get(market.pair):
            length = market_views.RESOLUTIONS[resolution]
            opened_ns = self.world.now_ns // length * length
            shown = market_views.candle(self.world, market, resolution, opened_ns)
            self.sockets.publish(channels.CANDLES, given, shown)

    def _oracle_prices(self, block: Committed) -> None:
        changed: dict[str, Any] = {}
        for pair, market in self.world.markets.items():
            price = self.world.oracle(pair)
            known = self._oracles.get(pair)
            if known is None or abs(price - known) * 1_000_000 >= known * MIN_ORACLE_CHANGE_PPM:
                self._oracles[pair] = price
                changed[market.spec.ticker] = {
                    "oraclePrice": market.spec.price(price),
                    "effectiveAt": iso(block.time_ns),
                    "effectiveAtHeight": str(block.height),
                    "marketId": pair,
                }
        if changed:
            self.sockets.publish(channels.MARKETS, channels.MARKETS, {"oraclePrices": changed})

    def market_changed(self, market: Market) -> None:
        """Something of a market that v4_markets tells under `trading` has changed."""
        shown = market_views.market(self.world, market)
        told = {key: shown[key] for key in ("status", "clobPairId", "ticker")}
        update = {"trading": {market.spec.ticker: {"id": str(market.pair), "marketId": market.pair, **told}}}
        self.sockets.publish(channels.MARKETS, channels.MARKETS, update)

    # ---- books -----------------------------------------------------------------------------------

    def subscribed(self, ticker: str) -> None:
        """Somebody has got a snapshot: changes are counted from here."""
        if ticker not in self._books:
            self._books[ticker] = self._book(self.world.by_ticker[ticker])

    def _book(self, market: Market) -> Sides:
        bids, asks = market.levels(self.world.elapsed(), WHOLE_BOOK)
        return {True: {x.price: x.size for x in bids}, False: {x.price: x.size for x in asks}}

    def _book_changes(self) -> None:
        wanted = self.sockets.topics(channels.BOOK)
        for ticker in [ticker for ticker in self._books if ticker not in wanted]:
            del self._books[ticker]
        for ticker in wanted:
            if ticker in self.gaps and ticker not in self._books:
                self.gaps.discard(ticker)
                continue
            self.subscribed(ticker)
            market = self.world.by_ticker[ticker]
            now, before = self._book(market), self._books[ticker]
            contents: dict[str, Any] = {}
            for is_buy, name in ((True, "bids"), (False, "asks")):
                changed = {price: size for price, size in now[is_buy].items() if before[is_buy].get(price) != size}
                gone = [] if ticker in self.keep_stale else [p for p in before[is_buy] if p not in now[is_buy]]
                pairs = [[market.spec.price(price), market.spec.size(size)] for price, size in changed.items()]
                pairs += [[market.spec.price(price), "0"] for price in gone]
                if pairs:
                    contents[name] = pairs
                if ticker in self.keep_stale:
                    now[is_buy] = {**before[is_buy], **now[is_buy]}
            self._books[ticker] = now
            if contents:
                self.sockets.publish(channels.BOOK, ticker, contents)
