"""Reader: everything that is only asked. Reads may be repeated, so they are, a little."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import inf
from typing import TypeVar

import msgspec

from ..clock import NS_PER_S
from ..core.account import AccountState, Allowance, FundingPayment
from ..core.flow import Flow, Reply, Request
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.market_data import Candle, FundingRate, MarketContext, OrderBookSnapshot, PublicTrade
from ..core.pricing import MAX_BOOK_AGE_S, BookTop
from ..core.reports import OrderUpdate, TradeUpdate
from ..core.symbols import Market, pairs_key
from ..errors import (
    ConnectFailed,
    LatentspeedError,
    OrderRefused,
    ProtocolError,
    RateLimited,
    ReplyLost,
    TransportError,
    VenueError,
)
from .drive import CachedHttp, drive
from .parts import Http, Parts
from .venue import Markets, VenueFlows

T = TypeVar("T")
log = logging.getLogger(__name__)

READ_TIMEOUT_S = 10.0
DETAIL_TIMEOUT_S = 3.0
# Waits before a read that was refused for its rate, or lost its reply, is asked again.
RETRY_WAITS_S = (0.25, 0.75)
STORED_MAX_AGE_S = 600.0


class _Nobody:
    """Http where nobody is to be asked."""

    async def send(self, request: Request) -> Reply:
        raise ConnectFailed("nothing of this is stored")


class Reader:
    """Market data and account reads of one venue, and the latest top of every book that was seen in this run."""

    def __init__(self, flows: VenueFlows, parts: Parts) -> None:
        self._flows = flows
        self._parts = parts
        self._markets: Markets | None = None
        self._markets_lock = asyncio.Lock()
        self._ready_lock = asyncio.Lock()
        self._identity_lock = asyncio.Lock()
        self._knows_identity = not flows.takes_any_key
        self._tops: dict[str, BookTop] = {}

    async def ask(self, make: Callable[[], Flow[T]], *, timeout_s: float = READ_TIMEOUT_S) -> T:
        """Drive a flow that changes nothing, at most three times.

        Raises what the last one raised: RateLimited, ConnectFailed, ReplyLost (also when time ran out), ProtocolError.
        """
        try:
            async with asyncio.timeout(timeout_s):
                for wait_s in RETRY_WAITS_S:
                    try:
                        return await drive(self._parts.http, make())
                    except (RateLimited, ReplyLost) as error:
                        log.info("a read is asked again", extra={"error": str(error)})
                        await asyncio.sleep(self._parts.entropy.uniform(wait_s / 2, wait_s))
                return await drive(self._parts.http, make())
        except TimeoutError:
            raise ReplyLost(f"the venue did not answer within {timeout_s:g} s") from None

    # Markets

    @property
    def known_markets(self) -> Markets | None:
        """What markets() read, if it was called."""
        return self._markets

    async def markets(self, *, fresh: bool = False) -> Markets:
        """Markets and rules, read once; up to ten minutes old from the cache unless `fresh`."""
        if self._markets is not None and not fresh:
            return self._markets
        async with self._markets_lock:
            if self._markets is None or fresh:
                self._take(await self._read_markets(self._flows.markets_flow, fresh=fresh))
            assert self._markets is not None  # _take has just set it
            return self._markets

    async def all_markets(self) -> Markets:
        """Also what the venue lists and we do not trade; cached for as long."""
        markets = await self._read_markets(self._flows.all_markets_flow, fresh=False)
        self._take(markets)
        return markets

    async def stored_markets(self) -> Markets | None:
        """What was last read of the markets, however old it is; None when nothing is stored. Nobody is asked."""
        for make in (self._flows.all_markets_flow, self._flows.markets_flow):
            try:
                markets = await drive(self._stored(inf, http=_Nobody()), make())
            except LatentspeedError:
                continue
            self._take(markets)
            return markets
        return None

    async def market(self, name: str) -> Market:
        """The market a person means, by trading pair or the venue's spelling. Raises OrderRefused.

        A name that is unknown among the markets we trade is looked for among all, since the reason why it is not
        traded says more than "unknown".
        """
        markets = await self.markets()
        try:
            return markets.symbols.find(name)
        except OrderRefused as unknown:
            try:
                markets = await self.all_markets()
            except (TransportError, VenueError, ProtocolError):
                raise unknown from None
            return markets.symbols.find(name)

    async def _read_markets(self, make: Callable[[], Flow[Markets]], *, fresh: bool) -> Markets:
        markets, is_new = await self._ask_stored(make, fresh=fresh)
        if is_new and self._parts.cache is not None:
            names = "\n".join(market.trading_pair for market in markets.symbols).encode()
            self._parts.cache.put(pairs_key(self._parts.venue, self._parts.network), names)
        return markets

    async def _ask_stored(self, make: Callable[[], Flow[T]], *, fresh: bool = False) -> tuple[T, bool]:
        """`ask`, with replies that may be ten minutes old unless `fresh`; and whether what was read is newly stored."""
        if self._parts.cache is not None:
            for max_age_s in (0.0,) if fresh else (STORED_MAX_AGE_S, 0.0):
                http = self._stored(max_age_s, http=self._parts.http)
                try:
                    found = await drive(http, make())
                except LatentspeedError:
                    if http.used:
                        continue  # what was stored makes no sense any more: read it afresh
                    break
                return found, http.keep()
        return await self.ask(make), False

    def _stored(self, max_age_s: float, *, http: Http) -> CachedHttp:
        """Replies that were stored, up to that age, and behind them `http`."""
        cache = self._parts.cache
        if cache is None:
            raise ConnectFailed("nothing is stored")
        now_ns = self._parts.clock.now_ns()
        return CachedHttp(http, cache, scope=self._parts.instance, max_age_s=max_age_s, now_ns=now_ns)

    def _take(self, markets: Markets) -> None:
        self._markets = markets
        self._flows.symbols = markets.symbols

    async def ready(self, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None) -> None:
        """Know what has to be known before something is signed. Raises what the reads raise."""
        async with self._ready_lock:  # many orders at once read it once
            await self._learn(None, intent)
        if order is not None:
            await self._learn(order, intent)

    async def _learn(self, order: InFlightOrder | None, intent: OrderIntent | None) -> None:
        flows, now_ns = self._flows, self._parts.clock.now_ns()
        if not flows.can_sign(now_ns, order=order, intent=intent):
            reads = flows.ready_to_sign_flows(now_ns, order=order, intent=intent)
            ends = await asyncio.gather(*map(self.ask, reads), return_exceptions=True)
            for error in filter(None, ends):
                raise error

    # Books and other public data

    async def book(self, trading_pair: str) -> OrderBookSnapshot:
        await self.markets()
        book = await self.ask(lambda: self._flows.book_flow(trading_pair))
        self.note_top(trading_pair, BookTop.of(book, received_ns=self._parts.clock.now_ns()))
        return book

    def note_top(self, trading_pair: str, top: BookTop) -> None:
        """A book was read or streamed: its top may serve as a reference for a moment."""
        self._tops[trading_pair] = top

    def drop_tops(self) -> None:
        """A stream broke: what it told is not to be relied on."""
        self._tops.clear()

    async def top(self, trading_pair: str) -> BookTop:
        """Best bid and ask, at most a second old when they are returned, so that an order can be priced by them."""
        known = self._tops.get(trading_pair)
        if known is not None and 0 <= self._parts.clock.now_ns() - known.received_ns < MAX_BOOK_AGE_S * NS_PER_S // 2:
            return known
        await self.book(trading_pair)
        return self._tops[trading_pair]

    async def top_when_ready(self, trading_pair: str, intent: OrderIntent) -> BookTop:
        """`top`, and meanwhile what is needed to sign an order. Raises what the reads raise."""
        if self._knows_identity and self._flows.can_sign(self._parts.clock.now_ns(), intent=intent):
            return await self.top(trading_pair)
        top, *ready = await asyncio.gather(
            self.top(trading_pair), self.ready(intent=intent), self.know_identity(), return_exceptions=True
        )
        for found in (top, *ready):
            if isinstance(found, BaseException):
                raise found
        assert isinstance(top, BookTop)  # the errors were raised
        return top

    async def context(self, trading_pairs: Sequence[str]) -> tuple[MarketContext, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.context_flow(trading_pairs))

    async def trades(self, trading_pair: str) -> tuple[PublicTrade, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.trades_flow(trading_pair))

    async def candles(self, trading_pair: str, interval: str, start_ns: int, end_ns: int) -> tuple[Candle, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.candles_flow(trading_pair, interval, start_ns, end_ns))

    async def past_trades(self, trading_pair: str, start_ns: int, end_ns: int | None) -> tuple[PublicTrade, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.past_trades_flow(trading_pair, start_ns, end_ns))

    async def funding_rates(self, trading_pair: str, start_ns: int, end_ns: int) -> tuple[FundingRate, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.funding_rates_flow(trading_pair, start_ns, end_ns))

    async def venue_time(self) -> int:
        """The venue's clock, Unix nanoseconds."""
        return await self.ask(self._flows.venue_time_flow)

    # The account

    async def account_state(self) -> AccountState:
        """The account now; what it is told is remembered for last_account_state.

        What only another source tells of positions is absent while that is silent.
        """
        await self.markets()
        state = await self.ask(self._flows.account_flow)
        if any(one.leverage is None for one in state.positions):
            known = state
            try:
                state = await self.ask(lambda: self._flows.with_leverage_flow(known), timeout_s=DETAIL_TIMEOUT_S)
            except (TransportError, VenueError, ProtocolError) as error:
                log.info("leverage is not known", extra={"error": str(error)})
        if self._parts.cache is not None:
            self._parts.cache.put(self._account_key, msgspec.json.encode(state))
        return state

    def last_account_state(self) -> AccountState | None:
        """The account as this machine saw it last, at its ts_ns; None when it never did. Nobody is asked."""
        if self._parts.cache is None:
            return None
        data = self._parts.cache.get(self._account_key, max_age_s=inf)
        try:
            return None if data is None else msgspec.json.decode(data, type=AccountState)
        except msgspec.DecodeError:
            return None  # kept by a version that spelled it differently

    @property
    def _account_key(self) -> str:
        parts = self._parts
        return (
            f"{parts.instance} account {parts.venue} {parts.network} {self._flows.web_utils.base_url} {parts.account}"
        )

    async def funding_payments(self, start_ns: int, end_ns: int | None = None) -> tuple[FundingPayment, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.funding_payments_flow(start_ns, end_ns))

    async def open_orders(self) -> tuple[OrderUpdate, ...]:
        await self.markets()
        return await self.ask(self._flows.open_orders_flow)

    async def ended_orders(self, since_ns: int) -> tuple[OrderUpdate, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.ended_orders_flow(since_ns))

    async def fills(self, since_ns: int, until_ns: int | None = None) -> tuple[TradeUpdate, ...]:
        await self.markets()
        return await self.ask(lambda: self._flows.fills_flow(since_ns, until_ns))

    async def leverage(self, trading_pair: str) -> tuple[Decimal, str]:
        await self.markets()
        return await self.ask(lambda: self._flows.read_leverage_flow(trading_pair))

    async def allowance(self) -> Allowance:
        return await self.ask(self._flows.allowance_flow)

    async def know_identity(self) -> None:
        """`check_identity` before something new is signed, where the venue takes any key."""
        async with self._identity_lock:
            if not self._knows_identity:
                await self._ask_stored(self._flows.identity_flow)
                self._knows_identity = True

    async def check_identity(self) -> None:
        """Raises AuthRejected when the key may not act for the account."""
        await self.ask(self._flows.identity_flow)
