"""Canceller: the intent is journaled, the cancel sent, and then the order is read. The reading is what is reported."""

from __future__ import annotations

import asyncio

from ..core.in_flight_order import InFlightOrder
from ..core.reports import Report
from ..core.types import OrderState
from ..errors import ConnectFailed, JournalError, LatentspeedError, OutcomeUnknown, VenueError
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
REPLY_SHARE = 0.6


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
                attempt, nonce = self._parts.journal.begin_cancel(order, signer=auth.signer)
                sent = True
                order, refusal = await self._try_once(order, attempt, nonce, deadline=deadline)
            except JournalError as error:
                if not sent:
                    raise
                unknown = OutcomeUnknown(f"a cancel was sent and cannot be written down: {error}")
                return cancelled(order, refusal=unknown)
            if refusal is not None:
                break
        return cancelled(order, refusal=refusal)

    def _adopt(self, order: InFlightOrder) -> InFlightOrder:
        """An order of another program that we are told to end: from now on it is in the journal."""
        return self._ledger.start(self._parts.journal.adopt(order))

    async def _settle(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        left_s = deadline - asyncio.get_running_loop().time()
        order = await self._reconciler.wait_for_writer(order, timeout_s=left_s)
        return await self._reconciler.resolve(order, deadline=deadline) if is_undecided(order) else order

    async def _try_once(
        self, order: InFlightOrder, attempt: int, nonce: int, *, deadline: float
    ) -> tuple[InFlightOrder, LatentspeedError | None]:
        """One cancel attempt and one look at the order. The error is why the attempt was definitely not accepted."""
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
            return order, error
        except asyncio.CancelledError:
            self._unknown(order, attempt, "this run was stopped")
            raise
        except (OutcomeUnknown, TimeoutError) as error:
            order = self._unknown(order, attempt, str(error) or "the venue did not answer in time")
        else:
            self._ledger.record([update], kind="cancel_reply", of=order)
            order = self._ledger.tracker[order.client_order_id]
        try:
            async with asyncio.timeout_at(deadline):
                return await self._reconciler.try_refresh(order), None
        except TimeoutError:
            return self._ledger.tracker[order.client_order_id], None

    def _unknown(self, order: InFlightOrder, attempt: int, reason: str) -> InFlightOrder:
        return self._ledger.report(order, Report.CANCEL_UNKNOWN, kind="cancel_reply", attempt=attempt, reason=reason)
