"""How a command ends: one order's end is judged in connector/judge.py, here many of them become one exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import Exit, LatentspeedError

if TYPE_CHECKING:
    from ..core.in_flight_order import InFlightOrder

# An order whose outcome is open, worst first: these outweigh every other end of a command.
_OPEN_QUESTIONS = (Exit.UNKNOWN, Exit.PROTOCOL)


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


def of_reading(order: InFlightOrder) -> Exit:
    """How `status` ends for one order: with 0, unless the venue contradicts itself or nobody knows."""
    if order.contradiction is not None:
        return Exit.PROTOCOL
    return Exit.UNKNOWN if is_undecided(order) else Exit.OK


def worst(exits: Iterable[Exit]) -> Exit:
    """Of several readings: the one that needs a look first."""
    found = set(exits)
    return next((end for end in (*_OPEN_QUESTIONS, *Exit) if end in found and end is not Exit.OK), Exit.OK)


def is_undecided(order: InFlightOrder) -> bool:
    """Whether a request about this order was sent and nobody knows yet what became of it."""
    from ..core.types import OrderState

    return order.outcome_unknown or order.state is OrderState.PENDING_SUBMIT
