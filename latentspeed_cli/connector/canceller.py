"""Canceller: the intent is journaled, the cancel sent, and then the order is read. The reading is what is reported."""

from __future__ import annotations

import asyncio
from itertools import chain, repeat

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
# How often an order is read whose cancel the venue took, and that ends a little later.
WATCH_WAITS_S = (0.1, 0.2, 0.3, 0.5, 1.0)
REPLY_SHARE = 0.6


class _Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What one cancel attempt came to. refusal: why it was definitely not accepted. is_taken: the venue has the cancel
    and says only later what came of it.
    """

    order: InFlightOrder
    refusal: LatentspeedError | None = None
    is_taken: bool = False


class Canceller:
    """Ends orders, one at a time."""

    def __init__(self, flows: VenueFlows, parts: Parts, reader: Reader, ledger: Ledger, reconciler: Reconciler) -> None:
        self._flows = flows
        self._parts = parts
        self._reader = reader
        self._ledger = ledger
        self._reconciler = reconciler

    async def cancel(self, order: InFlightOrder, auth: Auth, *, deadline: float) -> OrderOutcome:
        """What became of `order`, before `deadline` (loop time).

        An order whose submit is undecided is settled first: a cancel that overtakes it would prove nothing. Raises
        what happens before anything was sent (JournalError, reads of the markets).
        """
        await self._reader.markets()
        order = self._ledger.reload(order.client_order_id) or self._adopt(order)
        if order.is_done:
            return cancelled(order)
        if is_undecided(order):
            order = await self._settle(order, deadline=deadline)
            if order.state is OrderState.FAILED:
                return cancelled(order, proved_absent=True)
        refusal: LatentspeedError | None = None
        sent = False
        for wait_s in (0.0, *RETRY_WAITS_S):
            loop = asyncio.get_running_loop()
            if order.is_done or loop.time() + wait_s >= deadline:
                break
            await asyncio.sleep(wait_s)
            try:
                await self._reader.ready(order=order)
                sequence = self._flows.sequence_for(order)
                attempt, nonce = self._parts.journal.begin_cancel(order, signer=auth.signer, sequence=sequence)
                sent = True
                tried = await self._try_once(order, attempt, nonce, deadline=deadline)
            except JournalError as error:
                if not sent:
                    raise
                unknown = OutcomeUnknown(f"a cancel was sent and cannot be written down: {error}")
                return cancelled(order, refusal=unknown)
            except (TransportError, VenueError, ProtocolError):
                if not sent:
                    raise
                break  # an earlier cancel was sent: what it did is reported
            order, refusal = tried.order, tried.refusal
            if tried.is_taken:
                order = await self._watch(order, deadline=deadline)
                break
            if refusal is not None:
                break
        return cancelled(order, refusal=refusal)

    async def _watch(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        """Read an order until the cancel that the venue took has ended it, or time is up."""
        try:
            async with asyncio.timeout_at(deadline):
                for wait_s in chain(WATCH_WAITS_S, repeat(WATCH_WAITS_S[-1])):
                    if order.is_done:
                        break
                    await asyncio.sleep(wait_s)
                    order = await self._reconciler.try_refresh(self._ledger.tracker[order.client_order_id])
        except TimeoutError:
            order = self._ledger.tracker[order.client_order_id]
        return order

    def _adopt(self, order: InFlightOrder) -> InFlightOrder:
        """An order of another program that we are told to end: from now on it is in the journal."""
        return self._ledger.start(self._parts.journal.adopt(order))

    async def _settle(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        left_s = deadline - asyncio.get_running_loop().time()
        order = await self._reconciler.wait_for_writer(order, timeout_s=left_s)
        return await self._reconciler.resolve(order, deadline=deadline) if is_undecided(order) else order

    async def _try_once(self, order: InFlightOrder, attempt: int, nonce: int, *, deadline: float) -> _Tried:
        """One cancel attempt and one look at the order."""
        is_taken = False
        loop = asyncio.get_running_loop()
        order = self._ledger.reload(order.client_order_id) or order
        reply_by = loop.time() + max(deadline - loop.time(), 0.0) * REPLY_SHARE
        try:
            async with asyncio.timeout_at(reply_by):
                flow = self._flows.cancel_flow(order, nonce=nonce, attempt=attempt)
                update = await drive(self._parts.http, flow)
        except (ConnectFailed, VenueError) as error:
            reason = str(error)
            order = self._ledger.report(
                order, Report.CANCEL_REFUSED, kind="cancel_reply", attempt=attempt, reason=reason
            )
            return _Tried(order=order, refusal=error)
        except asyncio.CancelledError:
            self._unknown(order, attempt, "this run was stopped")
            raise
        except (OutcomeUnknown, TimeoutError) as error:
            order = self._unknown(order, attempt, str(error) or "the venue did not answer in time")
        else:
            is_taken = update.report is Report.NOTE
            self._ledger.record([update], kind="cancel_reply", of=order)
            order = self._ledger.tracker[order.client_order_id]
        try:
            async with asyncio.timeout_at(deadline):
                order = await self._reconciler.try_refresh(order)
        except TimeoutError:
            order = self._ledger.tracker[order.client_order_id]
        return _Tried(order=order, is_taken=is_taken)

    def _unknown(self, order: InFlightOrder, attempt: int, reason: str) -> InFlightOrder:
        return self._ledger.report(order, Report.CANCEL_UNKNOWN, kind="cancel_reply", attempt=attempt, reason=reason)
