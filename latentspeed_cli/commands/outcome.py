"""What became of an order, and what was asked for -> the exit code. Pure; one place for it.

cli.md section 4 and decisions.md sections 2 and 5 in code: the table in the docs is generated from errors.Exit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import AlreadyFilled, EndedShort, Exit, LatentspeedError, NotYet

if TYPE_CHECKING:
    from ..core.in_flight_order import InFlightOrder

WAITS = ("ack", "open", "filled", "done")


class Rejected(LatentspeedError):
    """The venue refused the order earlier; nothing rests."""

    exit = Exit.REJECTED


class Undecided(LatentspeedError):
    """A request about the order was sent, and nobody knows yet what became of it."""

    exit = Exit.UNKNOWN


class Contradicted(LatentspeedError):
    """The venue contradicted itself about the order."""

    exit = Exit.PROTOCOL


class Partial(LatentspeedError):
    """Some of many failed; the records tell which."""

    exit = Exit.PARTIAL


class Interrupted(LatentspeedError):
    """Ctrl-C, and no order is in doubt."""

    exit = Exit.INTERRUPTED


class Terminated(LatentspeedError):
    """A TERM or HUP signal, and no order is in doubt."""

    exit = Exit.TERMINATED


def of_placing(order: InFlightOrder, wait: str) -> Exit:
    """How `place` ends when the order is in this state. wait: ack, open, filled or done.

    The same for a first run and for a replay: only the present state counts.
    """
    from ..core.types import OrderState as S
    from ..records import is_undecided

    state = order.state
    if order.contradiction:
        return Exit.PROTOCOL
    if state is S.FAILED:
        return Exit.REJECTED
    if state is S.FILLED:
        return Exit.OK
    if state in (S.PENDING_CREATE, S.PENDING_SUBMIT):
        return Exit.UNKNOWN
    if state in (S.CANCELLED, S.EXPIRED):
        if wait == "done":
            return Exit.OK if order.executed_amount >= order.amount else Exit.ENDED
        if wait == "filled":
            return Exit.ENDED
        return Exit.OK if order.executed_amount or state is S.CANCELLED else Exit.ENDED
    if wait in ("ack", "open"):
        return Exit.UNKNOWN if is_undecided(order) else Exit.OK
    return Exit.NOT_YET


def of_cancelling(order: InFlightOrder) -> Exit:
    """How `cancel` ends when the order, read after the cancel, is in this state."""
    from ..core.types import OrderState as S

    if order.contradiction:
        return Exit.PROTOCOL
    if order.state is S.FILLED:
        return Exit.FILLED
    if order.state.is_done:
        return Exit.OK
    return Exit.UNKNOWN


def of_many(exits: Iterable[Exit]) -> Exit:
    """How a batch ends: unknown outweighs everything, then mixed results are partial."""
    found = set(exits)
    if Exit.UNKNOWN in found:
        return Exit.UNKNOWN
    return Exit.OK if found <= {Exit.OK} else Exit.PARTIAL


def explain(order: InFlightOrder, end: Exit) -> LatentspeedError | None:
    """An error that says in words why a command about `order` does not end with 0."""
    from ..core.decimals import plain

    state = order.state.value
    identity = order.client_order_id
    known = {
        Exit.REJECTED: (Rejected, order.reason or "the order was refused", None),
        Exit.UNKNOWN: (
            Undecided,
            f"order {identity}: outcome not decided; it may be live",
            f"latentspeed status {identity}",
        ),
        Exit.PROTOCOL: (Contradicted, f"contradiction about order {identity}: {order.contradiction}", None),
        Exit.ENDED: (
            EndedShort,
            f"order {identity} ended {state} with {plain(order.executed_amount)} executed",
            order.reason,
        ),
        Exit.NOT_YET: (NotYet, f"order {identity} is {state} and not there yet", f"latentspeed status {identity}"),
        Exit.FILLED: (AlreadyFilled, f"order {identity} is filled; nothing left to cancel", None),
    }
    if end not in known:
        return None
    kind, message, hint = known[end]
    return kind(message, hint=hint, client_order_id=identity)
