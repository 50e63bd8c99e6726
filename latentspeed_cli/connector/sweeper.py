"""Sweeper: brings the journal and the venue together, and says of every order what that took.

Undecided orders are decided, cancels that were begun are finished, orders of other programs are adopted as external,
and what the journal did not know of its own orders is written down. Nothing is placed.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Iterable, Sequence

import msgspec

from ..clock import NS_PER_S
from ..core.in_flight_order import InFlightOrder
from ..core.types import OrderState
from ..errors import LatentspeedError, OrderRefused, ProtocolError, TransportError, VenueError
from .auth import Auth
from .canceller import Canceller
from .finder import Finder
from .ledger import Ledger
from .parts import Parts
from .reader import Reader
from .reconciler import OVERLAP_NS, Reconciler, is_undecided

log = logging.getLogger(__name__)

# Orders that are settled at the same time.
AT_ONCE = 8
# How long after a look that settled nothing the next one begins.
AGAIN_AFTER_S = 2.0
# Fills of orders made since then are read, whatever the journal believes of these orders: some venues tell late.
LOOK_BACK_NS = 24 * 3600 * NS_PER_S


class Finding(enum.Enum):
    """What a sweep found out about one order."""

    DECIDED = "decided"  # its outcome was open, and is not any more
    UNDECIDED = "undecided"  # its outcome is open
    ADOPTED = "adopted"  # another program's, which the journal did not know
    CHANGED = "changed"  # more had happened to it than the journal knew


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """One order that there is something to say about. before: as the journal had it; None if it did not."""

    finding: Finding
    order: InFlightOrder
    before: InFlightOrder | None


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say, oldest order first. trouble: why not everything could be looked at, if so."""

    found: tuple[Swept, ...]
    trouble: LatentspeedError | None

    @property
    def undecided(self) -> tuple[InFlightOrder, ...]:
        return tuple(item.order for item in self.found if item.finding is Finding.UNDECIDED)


def is_open_question(order: InFlightOrder) -> bool:
    """Whether a request about it was sent, or begun, and nobody knows what became of that."""
    return order.outcome_unknown or order.state in (OrderState.PENDING_SUBMIT, OrderState.PENDING_CANCEL)


def _is_unsettled(order: InFlightOrder) -> bool:
    """Whether there is something to wait for: an open question, or the end of an order that never rests."""
    return is_open_question(order) or (order.is_ioc and not order.is_done and bool(order.attempt))


class Sweeper:
    """Looks at everything of one account."""

    def __init__(
        self,
        parts: Parts,
        reader: Reader,
        ledger: Ledger,
        reconciler: Reconciler,
        finder: Finder,
        canceller: Canceller,
    ) -> None:
        self._parts = parts
        self._reader = reader
        self._ledger = ledger
        self._reconciler = reconciler
        self._finder = finder
        self._canceller = canceller

    async def sweep(self, auth: Auth, *, deadline: float) -> Sweep:
        """Look at everything before `deadline` (the loop's time). Raises JournalError; other trouble is in the result.

        The trouble of one order hides no other one.
        """
        before = {order.client_order_id: order for order in self._at_stake()}
        trouble: LatentspeedError | None = None
        try:
            async with asyncio.timeout_at(deadline):
                try:
                    await self._catch_up(before.values())
                except (TransportError, VenueError, ProtocolError) as error:
                    trouble = error
                await self._settle_all(before, auth, deadline=deadline)
        except TimeoutError:
            trouble = trouble or TransportError("there was no time to look at everything", hint="say --timeout")
        journal = self._parts.journal
        after = {order.client_order_id: order for order in self._at_stake()}
        after |= {name: journal.order(name) or order for name, order in before.items()}
        found = (_compared(before.get(name), order) for name, order in after.items())
        return Sweep(found=tuple(item for item in found if item is not None), trouble=trouble)

    def _at_stake(self) -> list[InFlightOrder]:
        """The account's orders that are alive, or were made lately, as the journal has them; oldest first."""
        journal, since_ns = self._parts.journal, self._parts.clock.now_ns() - LOOK_BACK_NS
        orders = {
            order.client_order_id: order
            for order in (*journal.orders(states=_ALIVE), *journal.orders(since_ns=since_ns))
            if self._ledger.is_ours(order)
        }
        return sorted(orders.values(), key=lambda order: (order.created_ts_ns, order.client_order_id))

    async def _settle_all(self, names: Iterable[str], auth: Auth, *, deadline: float) -> None:
        """Settle these orders, again and again while there is time: what is proved by time is proved then."""
        loop, journal = asyncio.get_running_loop(), self._parts.journal
        while True:
            orders = [order for name in names if (order := journal.order(name)) is not None and _is_unsettled(order)]
            await self._settle_each(orders, auth, deadline=deadline)
            names = [order.client_order_id for order in orders]
            is_settled = not any(_is_unsettled(self._ledger.now(order)) for order in orders)
            if is_settled or loop.time() + AGAIN_AFTER_S >= deadline:
                return
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _settle_each(self, orders: Sequence[InFlightOrder], auth: Auth, *, deadline: float) -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def in_turn(order: InFlightOrder) -> None:
            async with turns:
                try:
                    await self._settle(order, auth, deadline=deadline)
                except (TransportError, VenueError, ProtocolError, OrderRefused) as error:
                    log.info("an order could not be settled", extra={"error": str(error)})

        tasks = [asyncio.create_task(in_turn(order)) for order in orders]
        try:
            await asyncio.gather(*tasks)
        finally:  # trouble of the journal ends it all
            for task in tasks:
                task.cancel()

    async def _settle(self, order: InFlightOrder, auth: Auth, *, deadline: float) -> None:
        """Decide an order of unknown outcome, and finish a cancel that was begun: it may be sent again."""
        loop = asyncio.get_running_loop()
        order = await self._reconciler.wait_for_writer(self._ledger.start(order), timeout_s=deadline - loop.time())
        if is_undecided(order):
            if self._parts.clock.now_ns() < self._parts.journal.submit_deadline_ns(order.client_order_id):
                return  # only its writer may say what becomes of it
            order = await self._reconciler.resolve(order, deadline=deadline)
        else:
            order = await self._reconciler.try_refresh(order)
        if is_open_question(order) and not is_undecided(order):
            order = (await self._canceller.cancel(order, auth, deadline=deadline)).order
        if order.is_done:
            await self._reconciler.complete_fills(order)

    async def _catch_up(self, orders: Iterable[InFlightOrder]) -> None:
        """Compare with what rests at the venue and with the account's fills, and write down what is new."""
        listed = set()
        for order in self._finder.take_up_all(await self._reader.open_orders()):
            listed.add(order.client_order_id)
            if order.is_external and self._parts.journal.order(order.client_order_id) is None:
                self._parts.journal.adopt(order)
        first_ns = min((order.created_ts_ns for order in orders), default=None)
        if first_ns is not None:
            self._ledger.record(await self._reader.fills(max(first_ns - OVERLAP_NS, 0)))
        for order in orders:
            known = self._ledger.start(self._parts.journal.order(order.client_order_id) or order)
            if is_open_question(known):
                continue
            if not known.is_done and known.client_order_id not in listed:
                await self._reconciler.refresh(known)
            elif known.is_done and not known.fills_complete:
                await self._reconciler.read_fills(known)


_ALIVE = tuple(state for state in OrderState if not state.is_done)


def _compared(before: InFlightOrder | None, now: InFlightOrder) -> Swept | None:
    """What there is to say about an order, if anything."""
    if before is None:
        # One of ours that another run has placed meanwhile is that run's to tell.
        return Swept(finding=Finding.ADOPTED, order=now, before=None) if now.is_external else None
    if is_open_question(now):
        finding = Finding.UNDECIDED
    elif is_open_question(before):
        finding = Finding.DECIDED
    elif (before.state, before.executed_amount, before.contradiction) != (
        now.state,
        now.executed_amount,
        now.contradiction,
    ):
        finding = Finding.CHANGED
    else:
        return None
    return Swept(finding=finding, order=now, before=before)
