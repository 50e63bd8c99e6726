"""ConnectorBase: the only conductor of an order's path. A venue supplies flows; nothing here knows a venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from ..core.account import AccountState
from ..core.events import Event
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.market_data import Candle, MarketContext, OrderBookSnapshot, PublicTrade
from ..core.order_tracker import ClientOrderTracker
from ..core.reports import TradeUpdate
from ..core.symbols import SymbolMap
from ..core.trading_rule import TradingRule
from ..core.types import OrderState, OrderType, PositionAction, TimeInForce, TradeType
from ..errors import CredentialError, GuardRefused, LatentspeedError, UsageError
from .canceller import Canceller
from .desk import Desk, Wish
from .finder import Finder
from .judge import placed, reached
from .ledger import Ledger
from .listeners import ConnectorErrorEvent, Listeners
from .order_book_tracker import OrderBookTracker
from .parts import Http, OrderOutcome, Parts, WaitFor
from .placer import Placer
from .reader import Reader
from .reconciler import Reconciler, is_undecided
from .streams import Channel
from .submitter import Submitter
from .user_stream_tracker import PRIVATE, UserStreamTracker
from .venue import FenceVerdict, Markets, VenueFlows

__all__ = [
    "ConnectorBase",
    "ConnectorErrorEvent",
    "FenceVerdict",
    "Http",
    "Markets",
    "OrderOutcome",
    "Parts",
    "VenueFlows",
    "WaitFor",
]

E = TypeVar("E", bound=Event)
DEFAULT_TIMEOUT_S = 15.0
POLL_WAITS_S = (0.2, 0.3, 0.5, 0.8, 1.2, 2.0)


class ConnectorBase(VenueFlows):
    """One account on one venue. Use it with `async with`: that is start and stop, and everything runs inside.

    Leaving the block in peace waits for orders on their way; leaving it by an exception stops them where they are,
    and notes that.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.auth = parts.auth
        self.web_utils = parts.web_utils
        self.account = parts.account
        self.symbols = SymbolMap(())
        self.tracker = ClientOrderTracker()
        self.listeners = Listeners()
        self.reader = Reader(self, parts)
        self._ledger = Ledger(parts.journal, self.tracker, self.listeners, parts.clock)
        self._reconciler = Reconciler(self, parts, self.reader, self._ledger)
        self._submitter = Submitter(self, parts, self._ledger, self._reconciler)
        self._placer = Placer(self, parts, self.reader, self._ledger, self._submitter, self._reconciler)
        self._canceller = Canceller(self, parts, self.reader, self._ledger, self._reconciler)
        self._finder = Finder(self, parts, self.reader, self._ledger)
        self._desk = Desk(parts, self._ledger, self._placer)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._followed: list[OrderBookTracker | UserStreamTracker] = []

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
    def signer(self) -> str:
        """The address that signs. Raises CredentialError without a key, GuardRefused for a master key on mainnet."""
        return self._placer.auth.signer

    @property
    def rules(self) -> Mapping[str, TradingRule]:
        """Trading rules by trading pair; empty before markets() was awaited."""
        markets = self.reader.known_markets
        return {} if markets is None else markets.rules

    @property
    def status_dict(self) -> dict[str, bool]:
        """What has to be true before it is ready."""
        return {
            "running": self._group is not None,
            "markets": self.reader.known_markets is not None,
            "streams": all(tracker.is_ready for tracker in self._followed),
        }

    @property
    def is_ready(self) -> bool:
        return all(self.status_dict.values())

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

    # Start and stop

    async def __aenter__(self) -> Self:
        """Start: take up orders in flight from the journal, and be ready to submit. Sends nothing."""
        for order in self.parts.journal.orders(states=_ALIVE):
            if order.account == self.account:
                self._ledger.start(order)
        group = asyncio.TaskGroup()
        await group.__aenter__()
        self._group = group
        self._spawn(self._submitter.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        group, self._group = self._group, None  # nothing new from here on
        assert group is not None
        try:
            if kind is None:
                await self._desk.settle_all()
        finally:
            for task in self._tasks:
                task.cancel()
            await group.__aexit__(None, None, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self._group is not None
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def keep_up(self, trading_pairs: Sequence[str] = ()) -> None:
        """Follow the account's private stream, and the books of these markets, until stop: listeners hear at once.

        When a stream is lost for good a ConnectorErrorEvent says so, and is_ready stays false.
        """
        self._check_running()
        pairs = [(await self.reader.market(name)).trading_pair for name in trading_pairs]
        await self.reader.markets()
        user = self._user_stream()
        self._followed.append(user)
        self._spawn(self._follow(user.run((Channel.ORDERS, Channel.FILLS))))
        if pairs:
            books = self._book_stream()
            self._followed.append(books)
            self._spawn(self._follow(books.run((Channel.BOOK,), pairs)))

    async def _follow(self, items: AsyncGenerator[object, None]) -> None:
        try:
            async with aclosing(items):
                async for _ in items:
                    pass
        except LatentspeedError as error:
            self._ledger.trouble(error)

    # Orders

    def buy(
        self,
        trading_pair: str,
        amount: Decimal,
        order_type: OrderType = OrderType.LIMIT,
        price: Decimal | None = None,
        *,
        position_action: PositionAction = PositionAction.NIL,
        client_order_id: str | None = None,
        **more: Any,
    ) -> str:
        """The client order id of a new order, at once; it is submitted in the background. more: fields of OrderIntent.

        Raises what can be known without asking: UsageError, OrderRefused, CredentialError, IdConflict, GuardRefused.
        """
        intent = _intent(TradeType.BUY, trading_pair, amount, order_type, price, position_action, more)
        return self.submit(intent, client_order_id=client_order_id, position_action=position_action)

    def sell(
        self,
        trading_pair: str,
        amount: Decimal,
        order_type: OrderType = OrderType.LIMIT,
        price: Decimal | None = None,
        *,
        position_action: PositionAction = PositionAction.NIL,
        client_order_id: str | None = None,
        **more: Any,
    ) -> str:
        """Like buy."""
        intent = _intent(TradeType.SELL, trading_pair, amount, order_type, price, position_action, more)
        return self.submit(intent, client_order_id=client_order_id, position_action=position_action)

    def submit(
        self,
        intent: OrderIntent,
        *,
        client_order_id: str | None = None,
        typed: Mapping[str, str | None] | None = None,
        position_action: PositionAction = PositionAction.NIL,
        despite_unknown: bool = False,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> str:
        """Check, track and enqueue an order; its client order id. Events and `order()` tell what becomes of it."""
        wish = Wish(
            intent=intent,
            client_order_id=client_order_id,
            typed=typed,
            position_action=position_action,
            despite_unknown=despite_unknown,
            timeout_s=timeout_s,
        )
        self._check_running()
        ticket, _ = self._desk.take(wish, self._spawn)
        return ticket.client_order_id

    async def place_order(
        self,
        intent: OrderIntent,
        *,
        client_order_id: str | None = None,
        is_new_id: bool = False,
        typed: Mapping[str, str | None] | None = None,
        position_action: PositionAction = PositionAction.NIL,
        wait: WaitFor = "ack",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        despite_unknown: bool = False,
    ) -> OrderOutcome:
        """Submit an order and wait for what becomes of it.

        Raises what prevented it as long as nothing was sent. Once it may have left there is an outcome, whose error
        says in what it falls short. Cancelling this call stops the order where it is, and does not take it back:
        `order()` tells how it stands. is_new_id: client_order_id was made at random just now.
        """
        wish = Wish(
            intent=intent,
            client_order_id=client_order_id,
            is_new_id=is_new_id,
            typed=typed,
            position_action=position_action,
            despite_unknown=despite_unknown,
            timeout_s=timeout_s,
        )
        self._check_running()
        ticket, is_ours = self._desk.take(wish, self._spawn)
        try:
            result = await asyncio.shield(ticket.settled)
        except asyncio.CancelledError:
            if is_ours:
                await self._desk.stop(ticket.client_order_id)
            raise
        if isinstance(result, Exception):
            raise result
        if not is_ours and not result.replayed:
            result = msgspec.structs.replace(result, replayed=True, outcome="replayed")
        if wait == "ack" or result.outcome in ("unknown", "not_sent", "rejected"):
            return result
        left_s = ticket.deadline - asyncio.get_running_loop().time()
        order = await self._wait(result.order, wait, timeout_s=left_s)
        return placed(order, wait, replayed=result.replayed)

    async def wait_for(
        self, order: InFlightOrder, target: WaitFor, *, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> OrderOutcome:
        """Wait until `order` is what was waited for, or cannot be any more, or time is up."""
        return placed(await self._wait(order, target, timeout_s=timeout_s), target)

    async def dry_run(
        self,
        intent: OrderIntent,
        *,
        client_order_id: str | None = None,
        is_new_id: bool = False,
        typed: Mapping[str, str | None] | None = None,
        position_action: PositionAction = PositionAction.NIL,
        despite_unknown: bool = False,
    ) -> OrderOutcome:
        """All checks, and the request in `request` without its signature. Nothing is tracked, written or sent."""
        wish = Wish(
            intent=intent,
            client_order_id=client_order_id,
            is_new_id=is_new_id,
            typed=typed,
            position_action=position_action,
            despite_unknown=despite_unknown,
            timeout_s=DEFAULT_TIMEOUT_S,
        )
        return await self._placer.dry_run(self._desk.ticket(wish))

    async def cancel(self, order: InFlightOrder, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> OrderOutcome:
        """Cancel, then read what the order is. Raises only what happens before anything was sent."""
        self._check_running()
        auth = self._placer.auth
        deadline = asyncio.get_running_loop().time() + timeout_s
        # While it is on its way, what becomes of that decides what there is to cancel.
        await self._desk.settle(order.client_order_id, timeout_s=timeout_s)
        return await self._canceller.cancel(order, auth, deadline=deadline)

    async def refresh(self, order: InFlightOrder) -> InFlightOrder:
        """Read status and fills of an order and write down what is new. Raises what the reads raise."""
        self._take_up(order)
        return await self._reconciler.refresh(order)

    async def resolve(self, order: InFlightOrder, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> InFlightOrder:
        """Settle an order of unknown outcome, or bring any other up to date. Trouble leaves it as it was."""
        self._take_up(order)
        order = await self._reconciler.wait_for_writer(order, timeout_s=timeout_s)
        if not is_undecided(order):
            return await self._reconciler.try_refresh(order)
        return await self._reconciler.resolve(order, deadline=asyncio.get_running_loop().time() + timeout_s)

    async def find(self, text: str) -> InFlightOrder | None:
        """The order a person means: from the journal, else from the venue. None is no proof of absence.

        text: client order id, a prefix of one, or exchange order id. Raises IdConflict for an ambiguous prefix.
        """
        return self._finder.in_journal(text) or await self._finder.at_venue(text)

    def known(self, text: str) -> InFlightOrder | None:
        """The same from the journal alone; the venue is not asked."""
        return self._finder.in_journal(text)

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

    async def account_state(self) -> AccountState:
        return await self.reader.account_state()

    async def open_orders(self) -> list[InFlightOrder]:
        """Every resting order of the account, those of other programs included; what is new is written down."""
        return self._finder.take_up_all(await self.reader.open_orders())

    async def fills(self, *, since_ns: int, until_ns: int | None = None) -> tuple[TradeUpdate, ...]:
        """Fills of the account, oldest first; those of known orders bear their client order ids."""
        return self._finder.named(await self.reader.fills(since_ns, until_ns))

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

    def _check_running(self) -> None:
        if self._group is None:
            raise GuardRefused("the connector is not running", hint="use it inside `async with connector:`")

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
        return OrderBookTracker(parts.order_book_source(self.symbols), parts.streams(), self.reader, parts.clock)

    async def _wait(self, order: InFlightOrder, target: WaitFor, *, timeout_s: float) -> InFlightOrder:
        """Read the order until it is what is waited for, or time is up."""
        self._take_up(order)
        client_order_id = order.client_order_id
        try:
            async with asyncio.timeout(timeout_s):
                for wait_s in chain(POLL_WAITS_S, repeat(POLL_WAITS_S[-1])):
                    if reached(self.tracker[client_order_id], target):
                        break
                    await self._reconciler.try_refresh(self.tracker[client_order_id])
                    if reached(self.tracker[client_order_id], target):
                        break
                    await asyncio.sleep(wait_s)
        except TimeoutError:
            pass
        return self.tracker[client_order_id]


_ALIVE = tuple(state for state in OrderState if not state.is_done)


def _intent(
    side: TradeType,
    trading_pair: str,
    amount: Decimal,
    order_type: OrderType,
    price: Decimal | None,
    position_action: PositionAction,
    more: Mapping[str, Any],
) -> OrderIntent:
    """Hummingbot's arguments as an intent. CLOSE means reduce-only."""
    fields = dict(more)
    if order_type is OrderType.MARKET:
        fields.setdefault("tif", TimeInForce.IOC)
        price = None
    if position_action is PositionAction.CLOSE:
        fields["reduce_only"] = True
    return OrderIntent(
        trading_pair=trading_pair, side=side, order_type=order_type, amount=amount, price=price, **fields
    )
