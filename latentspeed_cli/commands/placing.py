"""Placing one order for a verb: what the connector answers becomes a record and, when it is not as asked, an error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from ..core.in_flight_order import OrderIntent
from ..errors import LatentspeedError, OutcomeUnknown
from ..records import OrderRecord, order_record
from .outcome import is_undecided

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from .call import Call

Wait: TypeAlias = Literal["ack", "open", "filled", "done"]
WAITS: dict[str, Wait] = {"ack": "ack", "open": "open", "filled": "filled", "done": "done"}


class How(msgspec.Struct, frozen=True, kw_only=True):
    """How an order is placed, beside what it is. timeout_s: until when `wait` must be reached."""

    wait: Wait
    timeout_s: float
    dry_run: bool = False
    despite_unknown: bool = False


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The record of an order that was placed, and why it is not as asked, if so."""

    record: OrderRecord
    error: LatentspeedError | None


async def place_one(
    call: Call,
    connector: PerpetualDerivativeBase,
    intent: OrderIntent,
    client_order_id: str,
    how: How,
    *,
    is_new_id: bool,
) -> Placed:
    """Place `intent`. Raises what refused it before anything was sent. is_new_id: the id was made for it just now.

    A signal that stops this run after the intent became durable still gives the order's record: with exit 5 while it
    is undecided, the signal's own code otherwise.
    """
    try:
        if how.dry_run:
            outcome = await connector.dry_run(
                intent,
                client_order_id=client_order_id,
                is_new_id=is_new_id,
                despite_unknown=how.despite_unknown,
            )
        else:
            outcome = await connector.place_order(
                intent,
                client_order_id=client_order_id,
                is_new_id=is_new_id,
                wait=how.wait,
                timeout_s=how.timeout_s,
                despite_unknown=how.despite_unknown,
            )
    except asyncio.CancelledError:
        order = connector.order(client_order_id)
        if order is None or call.stopped is None:
            raise
        error: LatentspeedError = call.stopped(
            "stopped by a signal; the order is known", client_order_id=client_order_id
        )
        if is_undecided(order):
            hint = f"latentspeed status {client_order_id}"
            error = OutcomeUnknown("stopped by a signal while the order's outcome is open", hint=hint)
        return Placed(record=order_record(order), error=error)
    record = order_record(outcome.order, outcome=outcome.outcome, replayed=outcome.replayed, request=outcome.request)
    return Placed(record=record, error=outcome.error)
