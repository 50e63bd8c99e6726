"""Desk: takes orders in, gives each a task of its own, and lets nobody send one id twice at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from ..core.ids import check_client_order_id, new_client_order_id
from ..core.in_flight_order import OrderIntent
from ..core.types import OrderState, PositionAction
from ..errors import GuardRefused, LatentspeedError, OutcomeUnknown
from .conflict import id_conflict
from .ledger import Ledger
from .parts import Parts
from .placer import Placer, Ticket
from .reconciler import is_undecided

log = logging.getLogger(__name__)

MAX_ON_THEIR_WAY = 1_000


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a caller asks for it. typed: the words of a command, where the intent does not hold them all.

    is_new_id: client_order_id was made at random for this very order, so nobody can know it and nobody is asked.
    """

    intent: OrderIntent
    client_order_id: str | None = None
    is_new_id: bool = False
    typed: Mapping[str, str | None] | None = None
    position_action: PositionAction = PositionAction.NIL
    despite_unknown: bool = False
    timeout_s: float


class Desk:
    """Orders on their way, by client order id."""

    def __init__(self, parts: Parts, ledger: Ledger, placer: Placer) -> None:
        self._parts = parts
        self._ledger = ledger
        self._placer = placer
        self._tickets: dict[str, Ticket] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def ticket(self, wish: Wish) -> Ticket:
        """The wish with an id, checked as far as that goes without asking anybody."""
        loop = asyncio.get_running_loop()
        client_order_id = wish.client_order_id
        if client_order_id is None:
            client_order_id = new_client_order_id(self._parts.entropy)
        check_client_order_id(client_order_id)
        is_checked = self._placer.check_words(wish.intent)
        return Ticket(
            intent=wish.intent,
            client_order_id=client_order_id,
            is_checked=is_checked,
            is_chosen=wish.client_order_id is not None and not wish.is_new_id,
            parameters_hash=self._placer.hash_of(wish.intent, wish.typed),
            position_action=wish.position_action,
            despite_unknown=wish.despite_unknown,
            deadline=loop.time() + wish.timeout_s,
            timeout_s=wish.timeout_s,
            settled=loop.create_future(),
        )

    def take(self, wish: Wish, spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]) -> tuple[Ticket, bool]:
        """Start a wish. Its ticket, and whether it is a new one: the same id on its way already is that order.

        Raises IdConflict when that is another order, GuardRefused when too many are on their way.
        """
        ticket = self.ticket(wish)
        same = self._tickets.get(ticket.client_order_id)
        if same is not None:
            if same.parameters_hash != ticket.parameters_hash:
                known, asked = (self._placer.asked(one.intent) for one in (same, ticket))
                raise id_conflict(ticket.client_order_id, known, asked)
            return same, False
        if len(self._tickets) >= MAX_ON_THEIR_WAY:
            raise GuardRefused(f"{MAX_ON_THEIR_WAY} orders are on their way already")
        _ = self._placer.auth  # without a usable key it ends here
        self._track(ticket)
        self._tickets[ticket.client_order_id] = ticket
        self._tasks[ticket.client_order_id] = task = spawn(self._run(ticket))
        task.add_done_callback(lambda _: self._finish(ticket))
        return ticket, True

    async def stop(self, client_order_id: str) -> None:
        """Let an order go no further than it has come, and write down how far that is."""
        task = self._tasks.get(client_order_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def settle(self, client_order_id: str, *, timeout_s: float) -> None:
        """Wait while this order is on its way."""
        ticket = self._tickets.get(client_order_id)
        if ticket is not None:
            await asyncio.wait([ticket.settled], timeout=timeout_s)

    async def settle_all(self) -> None:
        """Wait for every order on its way; each has a deadline of its own."""
        if self._tickets:
            await asyncio.wait([ticket.settled for ticket in self._tickets.values()])

    def _track(self, ticket: Ticket) -> None:
        """Remember the order from now on, unless it is known, or its size depends on a price yet to be read."""
        if ticket.is_chosen and self._parts.journal.order(ticket.client_order_id) is not None:
            return
        self._ledger.tracker.forget(ticket.client_order_id)  # an earlier try that never came as far as the journal
        intent = ticket.intent
        if intent.amount is not None:
            self._ledger.start(self._placer.new_order(ticket, intent, amount=intent.amount, price=intent.price))

    async def _run(self, ticket: Ticket) -> None:
        """One order's whole path. Never raises: whoever waits for the ticket gets everything."""
        try:
            result = await self._placer.place(ticket)
        except asyncio.CancelledError:
            ticket.settled.set_result(self._stopped(ticket))
            raise
        except Exception as error:  # also a bug of ours belongs to whoever waits, and must not stop the others
            self._note_failure(ticket, error)
            ticket.settled.set_result(error)
        else:
            ticket.settled.set_result(result)
        finally:
            self._finish(ticket)

    def _finish(self, ticket: Ticket) -> None:
        """Called at the end of the path, and once more after its task, which may have been stopped before it began."""
        if not ticket.settled.done():
            ticket.settled.set_result(self._stopped(ticket))
        if self._tickets.get(ticket.client_order_id) is ticket:
            del self._tickets[ticket.client_order_id], self._tasks[ticket.client_order_id]

    def _stopped(self, ticket: Ticket) -> LatentspeedError:
        """What those who wait for an order hear when this run is stopped."""
        client_order_id = ticket.client_order_id
        order = self._ledger.tracker.get(client_order_id)
        if order is not None and is_undecided(order):
            return OutcomeUnknown("this run was stopped while the order was sent", client_order_id=client_order_id)
        error = GuardRefused("this run was stopped before the order was sent", client_order_id=client_order_id)
        if order is not None and order.state is OrderState.PENDING_CREATE:
            self._ledger.refuse(order, error)
        return error

    def _note_failure(self, ticket: Ticket, error: Exception) -> None:
        if not isinstance(error, LatentspeedError):
            log.error("an order's path broke", exc_info=error, extra={"client_order_id": ticket.client_order_id})
            error = LatentspeedError(f"internal error: {error}")
        if error.client_order_id is None:
            error.client_order_id = ticket.client_order_id
        order = self._ledger.tracker.get(ticket.client_order_id)
        if order is not None and order.state is OrderState.PENDING_CREATE:
            self._ledger.refuse(order, error)
        self._ledger.trouble(error, ticket.client_order_id)
