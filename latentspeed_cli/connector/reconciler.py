"""Reconciler: asks the venue about orders, and settles those whose outcome is not known.

Nothing here takes silence for an answer: an order that is not found stays undecided until its nonce is proved burned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from ..clock import NS_PER_MS, NS_PER_S
from ..core.in_flight_order import InFlightOrder
from ..core.reports import Report
from ..core.types import OrderState
from ..errors import JournalError, LatentspeedError
from .drive import drive
from .ledger import Ledger
from .parts import Parts
from .reader import Reader
from .venue import FenceVerdict, VenueFlows

T = TypeVar("T")
log = logging.getLogger(__name__)

# The venue's clock may be this far from ours, and fills are asked for from that much earlier.
OVERLAP_NS = 10 * NS_PER_S
# Fills that are still missing after a while may be older than the order, by a clock that was wrong and is right now.
WIDE_OVERLAP_NS, MISSING_AFTER_NS = 3600 * NS_PER_S, 60 * NS_PER_S
# So long after its expiry an order that nobody knows of was never accepted.
EXPIRY_MARGIN_NS = 60 * NS_PER_S
FILL_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
# How long after a nonce turned out to be used the order is looked for again.
USED_NONCE_LOOKS_S = (1.0, 2.0, 4.0)
FENCE_WAITS_S = (0.0, 0.3, 1.0)
# How often an order is looked for that the venue took without saying more, and one that only time can decide.
FOLLOW_WAITS_S: tuple[float, ...] = (*(0.05,) * 8, *(0.1,) * 6, *(0.2,) * 5)
PENDING_WAIT_S = 1.0
LEASE_POLL_S = 0.05


def is_undecided(order: InFlightOrder) -> bool:
    """Whether it may have been sent and nothing has shown yet whether the venue has it."""
    return order.state in (OrderState.PENDING_SUBMIT, OrderState.PENDING_CANCEL) and not was_seen(order)


def was_seen(order: InFlightOrder) -> bool:
    """Whether the venue has or had it."""
    return order.facts.accepted or order.facts.filled or bool(order.facts.executed)


class Reconciler:
    """Looks, fences and proves, for one account."""

    def __init__(self, flows: VenueFlows, parts: Parts, reader: Reader, ledger: Ledger) -> None:
        self._flows = flows
        self._parts = parts
        self._reader = reader
        self._ledger = ledger

    # Asking

    async def refresh(self, order: InFlightOrder) -> InFlightOrder:
        """Read an order's status and fills, and write down what is new. Raises what the reads raise."""
        await self._reader.markets()
        order = await self._read_status(order)
        return order if order.state is OrderState.FAILED else await self.read_fills(order)

    async def try_refresh(self, order: InFlightOrder) -> InFlightOrder:
        """The same, or the order as it is known when the venue cannot be asked."""
        return await self._try("order", partial(self.refresh, order)) or self._ledger.now(order)

    async def read_fills(self, order: InFlightOrder) -> InFlightOrder:
        """Read the account's fills since the order was made; those of other known orders are news as well."""
        ledger, age_ns = self._ledger, self._parts.clock.now_ns() - order.created_ts_ns
        is_missing = not order.fills_complete and abs(age_ns) > MISSING_AFTER_NS
        overlap_ns = WIDE_OVERLAP_NS if is_missing else OVERLAP_NS
        fills = await self._reader.fills(max(order.created_ts_ns - overlap_ns, 0))
        ledger.record([fill for fill in fills if ledger.match(fill) is not None])
        return ledger.now(order)

    async def complete_fills(self, order: InFlightOrder) -> InFlightOrder:
        """Read fills until they explain what the venue says was executed, or patience ends. Trouble is not raised."""
        for wait_s in FILL_WAITS_S:
            if order.fills_complete:
                break
            order = await self._try("fills", partial(self.read_fills, order)) or order
            if not order.fills_complete:
                await asyncio.sleep(wait_s)
        return order

    async def _read_status(self, order: InFlightOrder) -> InFlightOrder:
        updates = await self._reader.ask(lambda: self._flows.order_status_flow(order))
        self._ledger.record(updates, of=order)
        return self._ledger.now(order)

    async def _read_open_orders(self, order: InFlightOrder) -> InFlightOrder:
        ledger = self._ledger
        updates = await self._reader.open_orders()
        ledger.record([update for update in updates if ledger.match(update) is not None])
        return ledger.now(order)

    # Settling

    async def resolve(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        """Decide an order of unknown outcome before `deadline` (the loop's time); it comes back undecided otherwise.

        Never raises for trouble on the way. Raises JournalError.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._try("markets", self._reader.markets)
                order = await self.look(order)
                if is_undecided(order):
                    order = await self._settle_by_fence(order)
                while self._is_doubtful(order):
                    await asyncio.sleep(PENDING_WAIT_S)
                    order = await self._look_again(order)
        except TimeoutError:
            order = self._ledger.now(order)
        return order

    async def follow(self, order: InFlightOrder, *, deadline: float) -> InFlightOrder:
        """Wait until something shows what became of an order that the venue took without saying more.

        A resting order is there when the venue shows it, an immediate one when it has ended. Never raises for trouble
        on the way; when `deadline` (the loop's time) finds it undecided, that is noted. Raises JournalError.
        """
        try:
            async with asyncio.timeout_at(deadline):
                for wait_s in FOLLOW_WAITS_S:
                    await asyncio.sleep(wait_s)
                    order = await self._look_again(order)
                    if self._is_settled(order):
                        return order
                while not self._is_settled(order):
                    order = await self._settle_by_fence(order) if is_undecided(order) else order
                    if not self._is_settled(order):
                        await asyncio.sleep(PENDING_WAIT_S)
                        order = await self._look_again(order)
        except TimeoutError:
            order = self._ledger.now(order)
        if is_undecided(order):
            reason = "the venue took it, and nothing has shown since what became of it"
            order = self._ledger.report(order, Report.UNKNOWN, kind="note", reason=reason)
        return order

    def _is_settled(self, order: InFlightOrder) -> bool:
        """Whether there is nothing more to wait for: it rests, or, where nothing of it can rest, it has ended."""
        return order.is_done or (was_seen(order) and not order.is_ioc and not self._is_doubtful(order))

    def _is_doubtful(self, order: InFlightOrder) -> bool:
        """Whether it was seen resting, by whoever read a list or heard a stream, and may never have rested."""
        return was_seen(order) and not order.is_done and self._flows.may_be_taken_off(order)

    async def _look_again(self, order: InFlightOrder) -> InFlightOrder:
        """The order as a stream has told it meanwhile, else as the venue says when asked for it alone."""
        order = self._ledger.now(order)
        if self._is_settled(order):
            return order
        return await self._try("order status", partial(self._read_status, order)) or order

    async def look(self, order: InFlightOrder) -> InFlightOrder:
        """Look for an order everywhere: the journal (another process may know), status, open orders, fills."""
        return (await self._look(order))[0]

    async def _look(self, order: InFlightOrder) -> tuple[InFlightOrder, bool]:
        """The same, and whether the venue answered every question that was asked."""
        order = self._ledger.reload(order.client_order_id) or order
        all_answered = True
        for what, read in (
            ("order status", self._read_status),
            ("open orders", self._read_open_orders),
            ("fills", self.read_fills),
        ):
            if not is_undecided(order):
                break
            found = await self._try(what, partial(read, order))
            order, all_answered = found or order, all_answered and found is not None
        return order, all_answered

    async def _settle_by_fence(self, order: InFlightOrder) -> InFlightOrder:
        """Decide an order by its nonce. Where time alone tells, this takes that time: the caller bounds it."""
        verdict = await self._fence(order)
        while verdict is not None and verdict.is_pending:
            await asyncio.sleep(PENDING_WAIT_S)
            order = await self._look_again(order)
            if not is_undecided(order):
                return order
            verdict = await self._fence(order)
        if verdict is None:
            return order
        if verdict.burned:
            is_proved = not verdict.may_have_landed
            try:
                order, all_answered = await self._look(order)
                is_proved = is_proved or all_answered
            finally:  # also when time runs out: nobody could prove it again as easily
                order = self._ledger.now(order)
                if is_proved and is_undecided(order):
                    order = self._ledger.fail(order, verdict.evidence, verdict.detail, kind="proof")
        elif verdict.used or verdict.is_there:
            order = await self._look_for_used(order, verdict)
        return order

    async def _look_for_used(self, order: InFlightOrder, verdict: FenceVerdict) -> InFlightOrder:
        """Look for an order whose nonce was consumed, by itself or by a fence of ours whose reply was lost.

        Silence proves nothing about an order that may be new. But when it could no longer be accepted long ago, and
        the venue answers every question about it several times and knows nothing of it, then it never landed.
        """
        waited_s, all_answered = 0.0, True
        for at_s in USED_NONCE_LOOKS_S:
            await asyncio.sleep(at_s - waited_s)
            waited_s = at_s
            order, answered = await self._look(order)
            all_answered = all_answered and answered
            if not is_undecided(order):
                return order
        if verdict.used and all_answered and await self._is_long_over(order):
            detail = f"{verdict.detail}; it could not be accepted since its expiry, and nobody knows of it"
            order = self._ledger.fail(order, verdict.evidence, detail, kind="proof")
        return order

    async def _is_long_over(self, order: InFlightOrder) -> bool:
        """Whether the time until which it could be accepted is well past, by the venue's own clock."""
        if order.expires_after_ms is None:
            return False
        book = await self._try("book", partial(self._reader.book, order.trading_pair))
        return book is not None and book.ts_ns - order.expires_after_ms * NS_PER_MS > EXPIRY_MARGIN_NS

    async def _fence(self, order: InFlightOrder) -> FenceVerdict | None:
        """Try to use up the order's nonce, a few times. None when nothing was learnt.

        Only the signer of the order can do so: another key has nonces of its own, and burning one proves nothing.
        """
        auth = self._parts.auth
        if auth is None or order.nonce is None or self._parts.journal.signer_of(order.client_order_id) != auth.signer:
            return None
        for wait_s in FENCE_WAITS_S:
            await asyncio.sleep(wait_s)
            verdict = await self._try("fence", lambda: drive(self._parts.http, self._flows.fence_flow(order)))
            if verdict is not None and (verdict.burned or verdict.used or verdict.is_there or verdict.is_pending):
                return verdict
        return None

    async def wait_for_writer(self, order: InFlightOrder, *, timeout_s: float) -> InFlightOrder:
        """Wait while another run may still say what became of its order: until it did, its lease or we ran out."""
        clock, journal = self._parts.clock, self._parts.journal
        deadline_ns = clock.now_ns() + int(timeout_s * NS_PER_S)
        while is_undecided(order) and not order.outcome_unknown:
            if clock.now_ns() >= min(journal.submit_deadline_ns(order.client_order_id), deadline_ns):
                break
            await asyncio.sleep(LEASE_POLL_S)
            order = self._ledger.reload(order.client_order_id) or order
        return order

    async def _try(self, what: str, make: Callable[[], Awaitable[T]]) -> T | None:
        """What was asked for, or None when it could not be had; that proves nothing."""
        try:
            return await make()
        except JournalError:
            raise
        except LatentspeedError as error:
            log.info("asking did not work", extra={"what": what, "error": str(error)})
            return None
