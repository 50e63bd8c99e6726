"""Submitter: drafts become durable in group commits, then leave, each once. What the reply proves is written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from copy import copy

import msgspec

from ..core.drafts import RATE_LIMITED, Begun, Draft
from ..core.flow import Flow, Request
from ..core.in_flight_order import InFlightOrder
from ..core.reports import OrderUpdate, Report
from ..core.types import OrderState
from ..errors import (
    AttemptRefused,
    ConnectFailed,
    LatentspeedError,
    NonceRefused,
    OutcomeUnknown,
    RateLimited,
    VenueError,
)
from .drive import drive
from .ledger import Ledger
from .parts import Parts
from .reconciler import Reconciler, is_undecided
from .venue import VenueFlows

log = logging.getLogger(__name__)

MAX_BATCH = 100
# The share of an order's time in which its reply must come; the rest is for finding out when it does not.
REPLY_SHARE = 0.6


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt. refusal: why it definitely failed. may_go_again: and another try may do better."""

    order: InFlightOrder
    refusal: LatentspeedError | None = None
    may_go_again: bool = False


class _Waiting(msgspec.Struct, eq=False):
    draft: Draft
    begun: asyncio.Future[Begun]


class Submitter:
    """`begin` waits for the disk, `send` for the venue."""

    def __init__(self, flows: VenueFlows, parts: Parts, ledger: Ledger, reconciler: Reconciler) -> None:
        self._flows = flows
        self._parts = parts
        self._ledger = ledger
        self._reconciler = reconciler
        self._waiting: list[_Waiting] = []
        self._conversations: dict[str, tuple[Flow[OrderUpdate], Request]] = {}
        self._build_failed = False
        self.commits_total = 0

    async def begin(
        self, order: InFlightOrder, *, signer: str, submit_deadline_ns: int, check: Callable[[], None]
    ) -> Begun:
        """Make the intent and the first attempt of `order` durable, together with whatever else is waiting.

        check: called inside the transaction, when the order is about to be written: what it asks the journal cannot
        change before the order is there. Raises JournalError, AccountBusy, and what `check` and the venue's encoding
        raise; then nothing was written.
        """

        def build(begun: InFlightOrder) -> bytes:
            return self._build(begun, check)

        draft = Draft(
            order=order,
            signer=signer,
            submit_deadline_ns=submit_deadline_ns,
            build=build,
            sequence=lambda: self._flows.sequence_for(order),
        )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(draft, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._write)
        self._waiting.append(waiting)
        try:
            return await waiting.begun
        except asyncio.CancelledError:
            if waiting.begun.done() and not waiting.begun.cancelled():
                self._never_sent(waiting.begun.result())
            raise

    def _write(self) -> None:
        """Write what is waiting. The loop calls it when everybody who had a turn has put in a draft."""
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            self._commit([waiting for waiting in batch if not waiting.begun.done()])

    async def send(self, order: InFlightOrder, *, deadline: float) -> Sent:
        """Send the attempt that `begin` made durable, and settle what becomes of it before `deadline` (loop time).

        Raises JournalError only. When this task is cancelled the attempt is noted as unknown: its bytes may have left.
        """
        loop = asyncio.get_running_loop()
        flow, request = self._conversations.pop(order.client_order_id)
        reply_by = loop.time() + max(deadline - loop.time(), 0.0) * REPLY_SHARE
        try:
            async with asyncio.timeout_at(reply_by):
                update = await drive(self._parts.http, flow, first=request)
        except asyncio.CancelledError:
            self._ledger.report(order, Report.UNKNOWN, kind="reply", reason="this run was stopped")
            raise
        except ConnectFailed as error:
            return Sent(order=self._ledger.fail(order, "never_sent", str(error), kind="reply"), refusal=error)
        except RateLimited as error:
            detail = f"{RATE_LIMITED}: {error}"
            return Sent(order=self._ledger.fail(order, "venue_reply", detail, kind="reply"), refusal=error)
        except VenueError as error:
            order = self._ledger.fail(order, "venue_reply", str(error), kind="reply")
            return Sent(order=order, refusal=error, may_go_again=isinstance(error, AttemptRefused))
        except (OutcomeUnknown, TimeoutError) as error:
            reason = str(error) or "the venue did not answer in time"
            order = self._ledger.report(order, Report.UNKNOWN, kind="reply", reason=reason)
            order = await self._reconciler.resolve(order, deadline=deadline)
            if isinstance(error, NonceRefused) and order.state is OrderState.FAILED:
                return Sent(order=order, may_go_again=True)
        else:
            self._ledger.record([update], kind="reply", of=order)
            order = self._ledger.now(order)
            if update.report is Report.NOTE:
                order = await self._reconciler.follow(order, deadline=deadline)
        if not is_undecided(order) and not order.fills_complete:
            order = await self._complete_fills(order, deadline)
        return Sent(order=order)

    async def _complete_fills(self, order: InFlightOrder, deadline: float) -> InFlightOrder:
        """A reply that tells of fills is followed by reading them: fees and average come from nowhere else."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._reconciler.complete_fills(order)
        except TimeoutError:
            return self._ledger.now(order)

    # The commit

    def _commit(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        self._build_failed = False
        try:
            begun = self._parts.journal.begin([waiting.draft for waiting in batch])
        except Exception as error:  # whatever it is belongs to those who wait for it
            if self._build_failed and len(batch) > 1:
                for waiting in batch:  # one draft is refused or cannot be encoded: the others must not suffer for it
                    self._commit([waiting])
                return
            for waiting in batch:
                self._conversations.pop(waiting.draft.order.client_order_id, None)
                waiting.begun.set_exception(copy(error))  # each may be told which order it is about
            return
        self.commits_total += 1
        for waiting, result in zip(batch, begun, strict=True):
            if result.fresh:
                self._ledger.start(result.order)
            else:
                self._conversations.pop(waiting.draft.order.client_order_id, None)
            waiting.begun.set_result(result)

    def _build(self, order: InFlightOrder, check: Callable[[], None]) -> bytes:
        """The exact bytes of an attempt, signed once; the conversation waits at its first request."""
        try:
            check()
            flow = self._flows.place_flow(order)
            request = next(flow)
        except BaseException:
            self._build_failed = True
            raise
        self._conversations[order.client_order_id] = (flow, request)
        return request.body

    def _never_sent(self, begun: Begun) -> None:
        self._conversations.pop(begun.order.client_order_id, None)
        if begun.fresh:
            self._ledger.fail(begun.order, "never_sent", "this run was stopped before it sent the order", kind="proof")
