"""ConnectorBase: the only conductor of an order's path. A venue supplies flows; nothing here knows a venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import aclosing, suppress
from decimal import Decimal
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self

import msgspec

from ..core.events import Event
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.types import OrderState, OrderType, PositionAction, TimeInForce, TradeType
from ..errors import GuardRefused, JournalError, LatentspeedError, OutcomeUnknown
from .canceller import Canceller
from .desk import Desk, Wish
from .judge import placed, reached
from .listeners import ConnectorErrorEvent
from .order_book_tracker import OrderBookTracker
from .parts import Http, OrderOutcome, Parts, WaitFor
from .placer import Placer
from .reconciler import is_undecided
from .streams import Channel
from .submitter import Submitter
from .sweeper import Sweep, Sweeper
from .user_stream_tracker import UserStreamTracker
from .venue import FenceVerdict, Markets, VenueFlows
from .view import ConnectorView

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

DEFAULT_TIMEOUT_S = 15.0
POLL_WAITS_S = (0.2, 0.3, 0.5, 0.8, 1.2, 2.0)


class ConnectorBase(ConnectorView):
    """One account on one venue. Use it with `async with`: that is start and stop, and everything runs inside.

    Leaving the block in peace waits for orders on their way; leaving it by an exception stops them where they are,
    and notes that.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._submitter = Submitter(self, parts, self._ledger, self._reconciler)
        self._placer = Placer(self, parts, self.reader, self._ledger, self._submitter, self._reconciler)
        self._canceller = Canceller(self, parts, self.reader, self._ledger, self._reconciler)
        self._desk = Desk(parts, self._ledger, self._placer)
        self._sweeper = Sweeper(parts, self.reader, self._ledger, self._reconciler, self._finder, self._canceller)
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._followed: list[OrderBookTracker | UserStreamTracker] = []

    # Start and stop

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
    def signer(self) -> str:
        """The address that signs. Raises CredentialError without a key, GuardRefused for a master key on mainnet."""
        return self._placer.auth.signer

    async def __aenter__(self) -> Self:
        """Start: take up orders in flight from the journal, and be ready to submit. Sends nothing."""
        for order in self.parts.journal.orders(states=_ALIVE):
            if self._ledger.is_ours(order):
                self._ledger.start(order)
        group = asyncio.TaskGroup()
        await group.__aenter__()
        self._group = group
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
        try:
            order = await self._wait(result.order, wait, timeout_s=left_s)
        except JournalError as error:
            raise OutcomeUnknown(
                f"the order was sent, and what becomes of it cannot be written down: {error}",
                client_order_id=ticket.client_order_id,
            ) from error
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

    async def cancel(
        self, order: InFlightOrder, *, timeout_s: float = DEFAULT_TIMEOUT_S, to_the_end: bool = False
    ) -> OrderOutcome:
        """Cancel, then read what the order is. Raises only what happens before anything was sent.

        to_the_end: where only the order's own end, a block soon, proves what a cancel did, wait for it all the same.
        """
        self._check_running()
        auth = self._placer.auth
        deadline = asyncio.get_running_loop().time() + timeout_s
        # While it is on its way, what becomes of that decides what there is to cancel.
        await self._desk.settle(order.client_order_id, timeout_s=timeout_s)
        return await self._canceller.cancel(order, auth, deadline=deadline, to_the_end=to_the_end)

    async def cancel_together(self, orders: Sequence[InFlightOrder], *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Cancel as many of the orders as the venue takes in one request; most take one. `cancel` each all the same:
        that reads what became of it, and sends what this has not ended a cancel of its own.
        """
        self._check_running()
        deadline = asyncio.get_running_loop().time() + timeout_s
        await self._canceller.cancel_together(orders, self._placer.auth, deadline=deadline)

    async def resolve(self, order: InFlightOrder, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> InFlightOrder:
        """Settle an order of unknown outcome, or bring any other up to date. Trouble leaves it as it was."""
        self._take_up(order)
        deadline = asyncio.get_running_loop().time() + timeout_s
        order = await self._reconciler.wait_for_writer(order, timeout_s=timeout_s)
        if not is_undecided(order):
            return await self._reconciler.try_refresh(order)
        return await self._reconciler.resolve(order, deadline=deadline)

    async def reconcile(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Sweep:
        """Decide every undecided order of the account, and bring the journal up to what the venue knows of the others.

        Raises CredentialError without a key, GuardRefused for a master key on mainnet, JournalError.
        """
        self._check_running()
        return await self._sweeper.sweep(self._placer.auth, deadline=asyncio.get_running_loop().time() + timeout_s)

    # How

    def _check_running(self) -> None:
        if self._group is None:
            raise GuardRefused("the connector is not running", hint="use it inside `async with connector:`")

    async def _wait(self, order: InFlightOrder, target: WaitFor, *, timeout_s: float) -> InFlightOrder:
        """Wait until the order is what is waited for, or time is up.

        News wakes it at once, whoever brings it (keep_up() does); without any the order is read now and then.
        """
        self._take_up(order)
        ledger = self._ledger
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def is_over() -> bool:
            return reached(ledger.now(order), target)

        def wake(event: Event) -> None:
            news.set()

        self.add_listener(Event, wake)
        try:
            async with asyncio.timeout(timeout_s):
                for wait_s in chain(POLL_WAITS_S, repeat(POLL_WAITS_S[-1])):
                    if not is_over():
                        await self._reconciler.try_refresh(ledger.now(order))
                    read_again_at = loop.time() + wait_s
                    while not is_over() and loop.time() < read_again_at:
                        news.clear()
                        with suppress(TimeoutError):
                            async with asyncio.timeout_at(read_again_at):
                                await news.wait()
                    if is_over():
                        break
        except TimeoutError:
            pass
        finally:
            self.remove_listener(Event, wake)
        return ledger.now(order)


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
