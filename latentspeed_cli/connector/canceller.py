"""Canceller: the intent is journaled, the cancel sent, and then the order is read. The reading is what is reported."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import chain, repeat
from typing import Any

import msgspec

from ..core.in_flight_order import InFlightOrder
from ..core.reports import Report
from ..core.types import OrderState
from ..errors import (
    ConnectFailed,
    JournalError,
    LatentspeedError,
    OutcomeUnknown,
    ProtocolError,
    TransportError,
    VenueError,
)
from .auth import Auth
from .drive import drive
from .judge import cancelled
from .ledger import Ledger
from .parts import OrderOutcome, Parts
from .reader import Reader
from .reconciler import Reconciler, is_undecided
from .venue import VenueFlows

# A cancel may be sent again, each time with a nonce of its own, and so it is while the order stays alive.
RETRY_WAITS_S = (0.2, 0.5, 1.0, 2.0)
# How often an order is read whose cancel the venue took, and that ends a little later; and after how many readings
# another cancel is sent when it goes on resting.
WATCH_WAITS_S = (0.1, 0.2, 0.3, 0.5, 1.0)
LOOKS_BEFORE_ANOTHER = 7  # about four seconds
# How often the list of open orders is read for the effect of a request that cancelled several.
LISTED_WAITS_S = (0.1, 0.2, 0.4, 0.8)
REPLY_SHARE = 0.6


class _Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What one cancel attempt came to. refusal: why it was definitely not accepted. is_taken: the venue has the cancel
    and says only later what came of it.
    """

    order: InFlightOrder
    refusal: LatentspeedError | None = None
    is_taken: bool = False


class Canceller:
    """Ends orders: one at a time, or several with one request where the venue has such a thing."""

    def __init__(self, flows: VenueFlows, parts: Parts, reader: Reader, ledger: Ledger, reconciler: Reconciler) -> None:
        self._flows = flows
        self._parts = parts
        self._reader = reader
        self._ledger = ledger
        self._reconciler = reconciler
        self._ended_together: set[str] = set()  # what `cancel` has only to watch

    async def cancel_together(self, orders: Sequence[InFlightOrder], auth: Auth, *, deadline: float) -> None:
        """Cancel as many of the orders as the venue takes in one request, before `deadline` (loop time).

        `cancel` is to be called for each of them all the same: it reports what became of it, and sends a cancel of its
        own where this one has shown no effect. Raises what happens before anything was sent, as `cancel` does, and
        OutcomeUnknown when what was sent cannot be written down.
        """
        await _in_time(self._reader.markets(), deadline)
        known = [self._latest(order) for order in orders]
        alive = [order for order in known if not order.is_done and not is_undecided(order)]
        if len(alive) < 2:
            return
        await _in_time(self._reader.ready(), deadline)
        sent = False
        try:
            for group in self._flows.cancels_together(alive):
                if len(group) > 1:
                    begun = [(order, self._parts.journal.begin_cancel(order, signer=auth.signer)[0]) for order in group]
                    sent = True
                    await self._send_together(begun, deadline=deadline)
        except JournalError as error:
            if not sent:
                raise
            raise OutcomeUnknown(f"cancels were sent and cannot be written down: {error}") from error

    async def _send_together(self, begun: Sequence[tuple[InFlightOrder, int]], *, deadline: float) -> None:
        """One request for all of these orders, whose cancel attempts have these numbers. Only those that the venue
        lists no longer are taken to be on their way out.
        """
        orders = [self._latest(order) for order, _ in begun]
        note, reason = self._unknown, "a cancel together with others has shown no effect"
        listed = {order.exchange_order_id for order in orders}
        try:
            async with asyncio.timeout_at(self._reply_by(deadline)):
                await drive(self._parts.http, self._flows.cancel_together_flow(orders))
            listed = await self._still_listed(listed, deadline=deadline)
        except (ConnectFailed, VenueError) as error:
            note, reason = self._refused, str(error)
        except (OutcomeUnknown, TimeoutError) as error:
            reason = str(error) or "the venue did not answer in time"
        except asyncio.CancelledError:
            reason = "this run was stopped"
            raise
        finally:
            for order, attempt in begun:
                if order.exchange_order_id in listed:
                    note(order, attempt, reason)
                else:
                    self._ended_together.add(order.client_order_id)

    async def _still_listed(self, wanted: set[str | None], *, deadline: float) -> set[str | None]:
        """Which of these orders, by exchange order id, rest after a moment; all of them when that cannot be read."""
        listed = wanted
        async with asyncio.timeout_at(deadline):
            for wait_s in LISTED_WAITS_S:
                await asyncio.sleep(wait_s)
                try:
                    updates = await self._reader.open_orders()
                except (TransportError, VenueError, ProtocolError):
                    continue
                listed = wanted & {update.exchange_order_id for update in updates}
                if not listed:
                    break
        return listed

    async def cancel(
        self, order: InFlightOrder, auth: Auth, *, deadline: float, to_the_end: bool = False
    ) -> OrderOutcome:
        """What became of `order`, before `deadline` (loop time).

        to_the_end: where only the order's own end proves what a cancel did, wait for that beyond the deadline. An
        order whose submit is undecided is settled first: a cancel that overtakes it would prove nothing. Raises what
        happens before anything was sent (JournalError, reads of the markets, OrderRefused for one that we do not know).
        """
        await _in_time(self._reader.markets(), deadline)
        self._flows.symbols.find(order.trading_pair)  # what is not among our markets cannot be named to the venue
        order = self._ledger.reload(order.client_order_id) or self._adopt(order)
        if order.is_done:
            return cancelled(order)
        if is_undecided(order):
            order = await self._settle(order, deadline=deadline)
            if order.state is OrderState.FAILED:
                return cancelled(order, proved_absent=True)
        refusal: LatentspeedError | None = None
        sent = order.client_order_id in self._ended_together
        self._ended_together.discard(order.client_order_id)
        try:
            if sent:
                order = await self._watch(order, deadline=deadline)
            for wait_s in (0.0, *RETRY_WAITS_S):
                loop, order = asyncio.get_running_loop(), self._latest(order)
                if order.is_done or loop.time() + wait_s >= deadline:
                    break
                await asyncio.sleep(wait_s)
                await _in_time(self._reader.ready(order=order), deadline)
                sequence = self._flows.sequence_for(order)
                attempt, nonce = self._parts.journal.begin_cancel(order, signer=auth.signer, sequence=sequence)
                is_first, sent = not sent, True
                tried = await self._try_once(order, attempt, nonce, deadline=deadline)
                order = tried.order
                if tried.refusal is not None:  # of this one: what an earlier one did is not known
                    refusal = tried.refusal if is_first else None
                    break
                if tried.is_taken:
                    order = await self._watch(order, deadline=deadline)
            if to_the_end and sent and refusal is None and not order.is_done:
                order = await self._outwait(order)
            order = self._latest(order)
        except JournalError as error:
            if not sent:
                raise
            refusal = OutcomeUnknown(f"a cancel was sent and cannot be written down: {error}")
        except (TransportError, VenueError, ProtocolError):
            if not sent:
                raise  # else what an earlier cancel did is reported
        return cancelled(order, refusal=refusal)

    async def _watch(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        """Read an order until the cancel that the venue took has ended it, or time is up.

        A cancel may be lost on its way into a block: when the venue goes on listing the order, another one is due.
        """
        try:
            async with asyncio.timeout_at(deadline):
                for look, wait_s in enumerate(chain(WATCH_WAITS_S, repeat(WATCH_WAITS_S[-1])), 1):
                    if order.is_done:
                        break
                    await asyncio.sleep(wait_s)
                    order = await self._reconciler.try_refresh(self._ledger.now(order))
                    if look % LOOKS_BEFORE_ANOTHER == 0 and not order.is_done and await self._is_listed(order):
                        break
        except TimeoutError:
            order = self._ledger.now(order)
        return order

    async def _outwait(self, order: InFlightOrder) -> InFlightOrder:
        """Read an order until it has ended by itself, where the venue proves a cancel in no other way."""
        left_s = self._flows.ends_within_s(order, self._parts.clock.now_ns())
        deadline = asyncio.get_running_loop().time() + left_s
        while not order.is_done and asyncio.get_running_loop().time() < deadline:
            order = await self._watch(order, deadline=deadline)
        return order

    async def _is_listed(self, order: InFlightOrder) -> bool:
        try:
            updates = await self._reader.open_orders()
        except (TransportError, VenueError, ProtocolError):
            return False
        return order.exchange_order_id in {update.exchange_order_id for update in updates}

    def _adopt(self, order: InFlightOrder) -> InFlightOrder:
        """An order of another program that we are told to end: from now on it is in the journal."""
        return self._ledger.start(self._parts.journal.adopt(order))

    def _latest(self, order: InFlightOrder) -> InFlightOrder:
        """The order as the journal has it by now: once it is proved absent, another run may send it again."""
        return self._ledger.reload(order.client_order_id) or order

    async def _settle(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        while True:
            left_s = deadline - asyncio.get_running_loop().time()
            settled = await self._reconciler.wait_for_writer(order, timeout_s=left_s)
            if is_undecided(settled):
                settled = await self._reconciler.resolve(settled, deadline=deadline)
            settled = self._latest(settled)
            if settled.attempt == order.attempt:
                return settled
            order = settled

    async def _try_once(self, order: InFlightOrder, attempt: int, nonce: int, *, deadline: float) -> _Tried:
        """One cancel attempt and one look at the order."""
        is_taken = False
        order = self._latest(order)
        try:
            async with asyncio.timeout_at(self._reply_by(deadline)):
                flow = self._flows.cancel_flow(order, nonce=nonce, attempt=attempt)
                update = await drive(self._parts.http, flow)
        except (ConnectFailed, VenueError) as error:
            return _Tried(order=self._refused(order, attempt, str(error)), refusal=error)
        except asyncio.CancelledError:
            self._unknown(order, attempt, "this run was stopped")
            raise
        except (OutcomeUnknown, TimeoutError) as error:
            order = self._unknown(order, attempt, str(error) or "the venue did not answer in time")
        else:
            is_taken = update.report is Report.NOTE
            self._ledger.record([update], kind="cancel_reply", of=order)
            order = self._ledger.now(order)
        try:
            async with asyncio.timeout_at(deadline):
                order = await self._reconciler.try_refresh(order)
        except TimeoutError:
            order = self._ledger.now(order)
        return _Tried(order=order, is_taken=is_taken)

    def _reply_by(self, deadline: float) -> float:
        """By when a reply must come, so that there is time to read what it did not tell."""
        now = asyncio.get_running_loop().time()
        return now + max(deadline - now, 0.0) * REPLY_SHARE

    def _refused(self, order: InFlightOrder, attempt: int, reason: str) -> InFlightOrder:
        return self._ledger.report(order, Report.CANCEL_REFUSED, kind="cancel_reply", attempt=attempt, reason=reason)

    def _unknown(self, order: InFlightOrder, attempt: int, reason: str) -> InFlightOrder:
        return self._ledger.report(order, Report.CANCEL_UNKNOWN, kind="cancel_reply", attempt=attempt, reason=reason)


async def _in_time(read: Coroutine[Any, Any, object], deadline: float) -> None:
    """Read what a cancel needs. Raises ConnectFailed when `deadline` (loop time) comes first."""
    try:
        async with asyncio.timeout_at(deadline):
            await read
    except TimeoutError:
        raise ConnectFailed("the venue did not answer in time to send a cancel", hint="say --timeout") from None
