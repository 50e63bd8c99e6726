"""ConnectorView: everything about an account and its venue that sends no order. Reads, streams, listeners."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TypeVar

import msgspec

from ..clock import NS_PER_S
from ..core.account import AccountState, FundingPayment
from ..core.events import Event
from ..core.in_flight_order import InFlightOrder
from ..core.market_data import INTERVALS_S, Candle, FundingRate, MarketContext, OrderBookSnapshot, PublicTrade
from ..core.order_tracker import ClientOrderTracker
from ..core.reports import TradeUpdate
from ..core.symbols import SymbolMap
from ..core.trading_rule import TradingRule
from ..errors import CredentialError, UsageError
from .finder import Finder
from .ledger import Ledger
from .listeners import Listeners
from .order_book_tracker import OrderBookTracker
from .parts import Parts
from .reader import Reader
from .reconciler import Reconciler
from .streams import Channel
from .user_stream_tracker import PRIVATE, UserStreamTracker
from .venue import Markets, VenueFlows

E = TypeVar("E", bound=Event)
# Few enough for a venue to answer at once, and for a progress bar to move.
CANDLES_A_PIECE = 1_000


class ConnectorView(VenueFlows):
    """One account on one venue, looked at."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.auth = parts.auth
        self.web_utils = parts.web_utils
        self.account = parts.account
        self.symbols = SymbolMap(())
        self.tracker = ClientOrderTracker()
        self.listeners = Listeners()
        self.reader = Reader(self, parts)
        self._ledger = Ledger(
            parts.journal, self.tracker, self.listeners, parts.clock, venue=parts.venue, account=parts.account
        )
        self._reconciler = Reconciler(self, parts, self.reader, self._ledger)
        self._finder = Finder(self, parts, self.reader, self._ledger)

    # What it is

    @property
    def name(self) -> str:
        return self.parts.venue

    @property
    def domain(self) -> str:
        """The network."""
        return self.parts.network

    @property
    def connector_type(self) -> str:
        return self.parts.connector_type

    @property
    def rules(self) -> Mapping[str, TradingRule]:
        """Trading rules by trading pair; empty before markets() was awaited."""
        markets = self.reader.known_markets
        return {} if markets is None else markets.rules

    @property
    def in_flight_orders(self) -> dict[str, InFlightOrder]:
        """Orders that are not done, by client order id."""
        return {order.client_order_id: order for order in self.tracker.open_orders()}

    def order(self, client_order_id: str) -> InFlightOrder | None:
        """An order as memory has it; also after the connector was stopped."""
        return self.tracker.get(client_order_id)

    def add_listener(self, event_type: type[E], callback: Callable[[E], object]) -> None:
        """Call `callback` for events of that class and its subclasses. What it raises is logged, and hurts nobody."""
        self.listeners.add(event_type, callback)

    def remove_listener(self, event_type: type[E], callback: Callable[[E], object]) -> None:
        self.listeners.remove(event_type, callback)

    # One order

    async def find(self, text: str) -> InFlightOrder | None:
        """The order a person means: from the journal, else from the venue. None is no proof of absence.

        text: client order id, a prefix of one, or exchange order id. Raises IdConflict for an ambiguous prefix.
        """
        return self._finder.in_journal(text) or await self._finder.at_venue(text)

    def known(self, text: str) -> InFlightOrder | None:
        """The same from the journal alone; the venue is not asked."""
        return self._finder.in_journal(text)

    async def refresh(self, order: InFlightOrder) -> InFlightOrder:
        """Read status and fills of an order and write down what is new. Raises what the reads raise."""
        self._take_up(order)
        return await self._reconciler.refresh(order)

    # Reads

    async def markets(self) -> Markets:
        return await self.reader.markets()

    async def book(self, trading_pair: str) -> OrderBookSnapshot:
        market = await self.reader.market(trading_pair)
        return await self.reader.book(market.trading_pair)

    async def context(self, trading_pairs: Sequence[str]) -> tuple[MarketContext, ...]:
        return await self.reader.context([(await self.reader.market(name)).trading_pair for name in trading_pairs])

    async def trades(self, trading_pair: str) -> tuple[PublicTrade, ...]:
        return await self.reader.trades((await self.reader.market(trading_pair)).trading_pair)

    async def candles(self, trading_pair: str, interval: str, start_ns: int, end_ns: int) -> tuple[Candle, ...]:
        market = await self.reader.market(trading_pair)
        return await self.reader.candles(market.trading_pair, interval, start_ns, end_ns)

    async def candle_pages(
        self, trading_pair: str, interval: str, start_ns: int, end_ns: int
    ) -> AsyncIterator[tuple[Candle, ...]]:
        """The same in pieces, oldest first and no row twice: any number of them without waiting for the last."""
        market = await self.reader.market(trading_pair)
        length_ns = INTERVALS_S.get(interval, 60) * NS_PER_S
        latest_ns = -1
        while start_ns <= end_ns:
            until_ns = min(start_ns + CANDLES_A_PIECE * length_ns - 1, end_ns)
            rows = await self.reader.candles(market.trading_pair, interval, start_ns, until_ns)
            new = tuple(row for row in rows if row.open_ts_ns > latest_ns)
            latest_ns = max((row.open_ts_ns for row in new), default=latest_ns)
            yield new
            start_ns = until_ns + 1

    async def past_trades(
        self, trading_pair: str, *, start_ns: int, end_ns: int | None = None
    ) -> tuple[PublicTrade, ...]:
        """Trades of that time, oldest first; only the latest where the venue tells no more."""
        market = await self.reader.market(trading_pair)
        return await self.reader.past_trades(market.trading_pair, start_ns, end_ns)

    async def funding_rates(self, trading_pair: str, *, start_ns: int, end_ns: int) -> tuple[FundingRate, ...]:
        """The hourly rates of that time, oldest first."""
        market = await self.reader.market(trading_pair)
        return await self.reader.funding_rates(market.trading_pair, start_ns, end_ns)

    async def funding_payments(self, *, start_ns: int, end_ns: int | None = None) -> tuple[FundingPayment, ...]:
        """What the account paid (negative) and was paid for its positions, oldest first."""
        return await self.reader.funding_payments(start_ns, end_ns)

    async def account_state(self) -> AccountState:
        return await self.reader.account_state()

    async def open_orders(self) -> list[InFlightOrder]:
        """Every resting order of the account, those of other programs included; what is new is written down."""
        return self._finder.take_up_all(await self.reader.open_orders())

    async def fills(self, *, since_ns: int, until_ns: int | None = None) -> tuple[TradeUpdate, ...]:
        """Fills of the account, oldest first; those of known orders bear their client order ids."""
        return self._finder.named(await self.reader.fills(since_ns, until_ns))

    def known_fills(self, *, since_ns: int) -> tuple[TradeUpdate, ...]:
        """Fills of the account's orders as the journal has them, oldest first. Nobody is asked."""
        journal = self.parts.journal
        ours = [order for order in journal.orders() if self._ledger.is_ours(order)]
        by_client = {order.client_order_id: order.client_order_id for order in ours}
        by_exchange = {order.exchange_order_id: order.client_order_id for order in ours if order.exchange_order_id}
        found = []
        for fill in journal.fills(since_ns=since_ns):
            name = by_exchange.get(fill.exchange_order_id) or by_client.get(fill.client_order_id or "")
            if name is not None:
                found.append(msgspec.structs.replace(fill, client_order_id=name))
        return tuple(found)

    async def check_identity(self) -> None:
        """Raises AuthRejected when the key may not act for the account."""
        await self.reader.check_identity()

    async def stream(
        self, channels: Sequence[Channel], trading_pairs: Sequence[str] = (), *, since_ns: int | None = None
    ) -> AsyncGenerator[object, None]:
        """News of the channels, and Controls, for as long as the caller asks. Channels are all public or all private.

        BOOK gives OrderBookSnapshots, BBO BestBidOffers, TRADES PublicTrades, CANDLES Candles, TICKER and FUNDING
        MarketContexts, ORDERS InFlightOrders, FILLS TradeUpdates. since_ns: private channels also give what happened
        since then. Raises UsageError, OrderRefused, CredentialError, StreamLost, ProtocolError.
        """
        private = [channel for channel in channels if channel in PRIVATE]
        if private and len(private) != len(channels):
            raise UsageError("public and private channels are two streams")
        pairs = [(await self.reader.market(name)).trading_pair for name in trading_pairs]
        await self.reader.markets()
        if private:
            items = self._user_stream().run(channels, pairs, since_ns=since_ns)
        else:
            items = self._book_stream().run(channels, pairs)
        async with aclosing(items):
            async for item in items:
                yield item

    # How

    def _take_up(self, order: InFlightOrder) -> None:
        if order.client_order_id not in self.tracker:
            self._ledger.start(order)

    def _user_stream(self) -> UserStreamTracker:
        parts = self.parts
        if parts.account is None:
            raise CredentialError("private streams need an account, and none is configured", hint="configure a key")
        return UserStreamTracker(
            parts.user_stream_source(self.symbols),
            parts.streams(),
            self.reader,
            self._ledger,
            self._reconciler,
            self._finder,
            parts.clock,
        )

    def _book_stream(self) -> OrderBookTracker:
        parts = self.parts
        return OrderBookTracker(
            lambda: parts.order_book_source(self.symbols), parts.streams(), self.reader, parts.clock
        )
