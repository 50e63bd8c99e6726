"""Bugs in placing, settling and cancelling orders: what stands in the place of the product's own functions."""

from __future__ import annotations

import asyncio
import logging
from decimal import Decimal
from typing import Any

import msgspec

from latentspeed_cli.connector.canceller import _Tried
from latentspeed_cli.connector.reconciler import is_undecided
from latentspeed_cli.connector.submitter import Sent
from latentspeed_cli.core.reports import Report
from latentspeed_cli.errors import ConnectFailed, OrderRejected, OutcomeUnknown, ReplyLost

SOON_S = 2.0
LONG_S = 600.0
AT_ONCE = 20

log = logging.getLogger("latentspeed_cli.connector.submitter")


def send_again_with_another_nonce(send: Any) -> Any:
    """For Submitter.send."""

    async def impatient(self: Any, order: Any, *, deadline: float) -> Any:
        try:
            async with asyncio.timeout(SOON_S):
                return await send(self, order, deadline=deadline)
        except TimeoutError:
            failed = self._ledger.fail(order, "never_sent", "no reply came in time", kind="reply")
            return Sent(order=failed, may_go_again=True)

    return impatient


def send_again_when_the_reply_is_lost(send: Any) -> Any:
    """For Throttle.send, below everything: a layer that retries."""

    async def stubborn(self: Any, request: Any) -> Any:
        try:
            return await send(self, request)
        except ReplyLost:
            return await send(self, request)

    return stubborn


def read_a_5xx_as_refused(check: Any) -> Any:
    """For the web_utils of a venue. 14 is gRPC's UNAVAILABLE."""

    def trusting(self: Any, reply: Any, *, changes: bool) -> Any:
        if changes and (reply.status == 14 or reply.status >= 500):
            raise OrderRejected(f"the venue answered {reply.status}")
        return check(self, reply, changes=changes)

    return trusting


def read_a_lost_reply_as_not_sent(drive: Any) -> Any:
    """For the submitter's drive."""

    async def careless(http: Any, flow: Any, *, first: Any = None) -> Any:
        try:
            return await drive(http, flow, first=first)
        except OutcomeUnknown as error:
            raise ConnectFailed(str(error)) from error

    return careless


def believe_not_found(resolve: Any) -> Any:
    """For Reconciler.resolve."""

    async def hasty(self: Any, order: Any, *, deadline: float) -> Any:
        order = await self.look(order)
        if is_undecided(order):
            order = self._ledger.fail(order, "venue_status", "the venue does not know it", kind="proof")
        return order

    return hasty


def take_a_used_nonce_for_a_burned_one(look_for_used: Any) -> Any:
    """For Reconciler._look_for_used."""

    async def optimistic(self: Any, order: Any, verdict: Any) -> Any:
        return self._ledger.fail(order, "nonce_burned", verdict.detail, kind="proof")

    return optimistic


def burn_another_nonce(fence_flow: Any) -> Any:
    """For Hyperliquid's fence_flow."""

    def beside(self: Any, order: Any) -> Any:
        return fence_flow(self, msgspec.structs.replace(order, nonce=order.nonce + 1))

    return beside


def ignore_the_deadline(place_order: Any) -> Any:
    """For ConnectorBase.place_order."""

    async def endless(self: Any, *args: Any, **more: Any) -> Any:
        return await place_order(self, *args, **{**more, "timeout_s": LONG_S})

    return endless


def go_on_after_a_signal(stop: Any) -> Any:
    """For Desk.stop."""

    async def polite(self: Any, client_order_id: str) -> None:
        await self.settle(client_order_id, timeout_s=LONG_S)

    return polite


def send_more_than_typed(prepare: Any) -> Any:
    """For Placer._prepare."""

    async def generous(self: Any, ticket: Any) -> Any:
        order, top = await prepare(self, ticket)
        return msgspec.structs.replace(order, amount=order.amount * 2), top

    return generous


def ask_no_guards(check_guards: Any) -> Any:
    """For the placer's check_guards."""
    return lambda guards, **numbers: None


def believe_any_book(checked: Any) -> Any:
    """For BookTop.checked."""

    def blind(self: Any, *, now_ns: int) -> tuple[Decimal, Decimal]:
        if self.bid is None or self.ask is None:
            there = self.bid or self.ask
            return there, there
        return self.bid, self.ask

    return blind


def read_a_cancel_error_as_cancelled(note: Any) -> Any:
    """For Canceller._refused and Canceller._unknown."""

    def cheerful(self: Any, order: Any, attempt: int, reason: str) -> Any:
        return self._ledger.report(order, Report.CANCELLED, kind="cancel_reply", attempt=attempt, reason=reason)

    return cheerful


def keep_the_signed_request(drive: Any) -> Any:
    """For the submitter's drive: whatever goes wrong is told with the request that did."""

    async def talkative(http: Any, flow: Any, *, first: Any = None) -> Any:
        try:
            return await drive(http, flow, first=first)
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"{error}: {_shown(first)}") from error

    return talkative


def log_the_signed_request(drive: Any) -> Any:
    """For the submitter's drive."""

    async def talkative(http: Any, flow: Any, *, first: Any = None) -> Any:
        log.debug("an order leaves", extra={"request": _shown(first)})
        return await drive(http, flow, first=first)

    return talkative


def _shown(request: Any) -> str:
    shown: str = request.body.hex() if request.method == "GRPC" else request.body.decode()
    return shown


def write_a_cancel_and_send_none(try_once: Any) -> Any:
    """For Canceller._try_once."""

    async def idle(self: Any, order: Any, attempt: int, nonce: int, *, deadline: float) -> Any:
        return _Tried(order=self._ledger.reload(order.client_order_id) or order)

    return idle


def journal_for_another_network(new_order: Any) -> Any:
    """For Placer.new_order."""

    def elsewhere(self: Any, ticket: Any, intent: Any, **numbers: Any) -> Any:
        return msgspec.structs.replace(new_order(self, ticket, intent, **numbers), network="testnet")

    return elsewhere


def ask_many_times_at_once(ask: Any) -> Any:
    """For Reader.ask: whoever answers first."""

    async def hedged(self: Any, make: Any, **more: Any) -> Any:
        answers = await asyncio.gather(*(ask(self, make, **more) for _ in range(AT_ONCE)), return_exceptions=True)
        for answer in answers:
            if not isinstance(answer, BaseException):
                return answer
        raise answers[0]

    return hedged


# dYdX


def call_code_0_open(place_flow: Any) -> Any:
    """For dYdX's place_flow."""

    def eager(self: Any, order: Any) -> Any:
        update = yield from place_flow(self, order)
        return msgspec.structs.replace(update, report=Report.ACCEPTED)

    return eager


def call_it_over_at_once(height_past: Any) -> Any:
    """For dYdX's _height_past."""

    def early(self: Any, limit: int) -> Any:
        yield from height_past(self, limit)
        return limit + 1

    return early


def count_client_ids_from_one(client_numbers: Any) -> Any:
    """For dYdX's client_numbers: every journal begins to count anew, and so does every run."""

    def counted(client_order_id: str, **more: Any) -> tuple[int, int]:
        _, metadata = client_numbers(client_order_id, **more)
        return 1, metadata

    return counted


def cancel_until_too_early(cancel_order: Any) -> Any:
    """For dYdX's encode.cancel_order."""

    def brief(owner: bytes, ids: Any, *, good_til_block: int | None, good_til_ts_ns: int | None) -> Any:
        block = None if good_til_block is None else good_til_block - 5
        return cancel_order(owner, ids, good_til_block=block, good_til_ts_ns=good_til_ts_ns)

    return brief
