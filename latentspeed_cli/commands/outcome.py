"""How a command ends: one order's end is judged in connector/judge.py, here many of them become one exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..errors import Exit, LatentspeedError, OutcomeUnknown

if TYPE_CHECKING:
    from ..core.in_flight_order import InFlightOrder


class Partial(LatentspeedError):
    """Some of many failed; the records tell which."""

    exit = Exit.PARTIAL


class Interrupted(LatentspeedError):
    """Ctrl-C, and no order is in doubt."""

    exit = Exit.INTERRUPTED


class Terminated(LatentspeedError):
    """A TERM or HUP signal, and no order is in doubt."""

    exit = Exit.TERMINATED


def of_many(exits: Iterable[Exit]) -> Exit:
    """How a batch or `cancel --all` ends: an order that may be live outweighs all, then mixed results are partial."""
    found = set(exits)
    if Exit.UNKNOWN in found:
        return Exit.UNKNOWN
    return Exit.OK if found <= {Exit.OK} else Exit.PARTIAL


def many_as_error(ends: Sequence[Exit], stopped: type[LatentspeedError] | None) -> LatentspeedError | None:
    """Why a command about many orders does not end with 0. stopped: the signal that cut it short."""
    end = of_many(ends)
    if end is Exit.UNKNOWN:
        return OutcomeUnknown("the outcome of at least one order is not decided", hint="latentspeed reconcile")
    if stopped is not None:
        return stopped("stopped by a signal")
    if end is not Exit.OK:
        return Partial(f"{sum(item is not Exit.OK for item in ends)} of {len(ends)} are not as asked")
    return None


def is_undecided(order: InFlightOrder) -> bool:
    """Whether a request about this order was sent and nobody knows yet what became of it."""
    from ..core.types import OrderState

    return order.outcome_unknown or order.state is OrderState.PENDING_SUBMIT
