"""How an order that is known stands against what was asked of it. Pure: a verdict, no action."""

from __future__ import annotations

from ..core.in_flight_order import InFlightOrder
from ..core.types import OrderState
from ..errors import (
    AlreadyFilled,
    EndedShort,
    LatentspeedError,
    NotYet,
    OrderNotFound,
    OrderRejected,
    OutcomeUnknown,
    ProtocolError,
)
from .parts import OrderOutcome, Outcome, WaitFor
from .reconciler import is_undecided, was_seen


def reached(order: InFlightOrder, target: WaitFor) -> bool:
    """Whether there is nothing left to wait for, in the good or the bad."""
    if order.is_done:
        return True
    return target in ("ack", "open") and was_seen(order)


def placed(
    order: InFlightOrder, target: WaitFor, *, refusal: LatentspeedError | None = None, replayed: bool = False
) -> OrderOutcome:
    """The outcome of placing `order`, as the command reports it. refusal: why this run's attempt failed, if it did.

    A replay is judged like a first run that finds the order in its present state.
    """
    error = refusal if order.state is OrderState.FAILED and refusal is not None else _shortfall(order, target)
    outcome: Outcome = "accepted"
    if is_undecided(order):
        outcome = "unknown"
    elif order.was_turned_away:
        outcome = "rejected"
    elif order.state is OrderState.FAILED:
        outcome = "not_sent" if {item.kind for item in order.facts.evidence} <= {"never_sent"} else "rejected"
    if error is not None and error.client_order_id is None:
        error.client_order_id = order.client_order_id
    return OrderOutcome(order=order, outcome="replayed" if replayed else outcome, error=error, replayed=replayed)


def cancelled(
    order: InFlightOrder, *, refusal: LatentspeedError | None = None, proved_absent: bool = False
) -> OrderOutcome:
    """The outcome of cancelling `order`.

    refusal: why the cancel was definitely not accepted. proved_absent: this run proved that the order never landed.
    """
    error: LatentspeedError | None = None
    outcome: Outcome = "accepted"
    if order.state is OrderState.FILLED:
        error = AlreadyFilled("the order is filled: nothing is left to cancel")
    elif order.is_done:
        error = OrderNotFound("the order never reached the book") if proved_absent else None
    elif refusal is not None and not is_undecided(order):
        error, outcome = refusal, "unknown" if isinstance(refusal, OutcomeUnknown) else "rejected"
    else:
        outcome = "unknown"
        hint = "latentspeed reconcile"
        if order.good_til_block is not None:
            hint += f", once the venue is past block {order.good_til_block}, with which it ends"
        error = OutcomeUnknown("whether the order is cancelled is not known; it may be live", hint=hint)
    if error is not None and error.client_order_id is None:
        error.client_order_id = order.client_order_id
    return OrderOutcome(order=order, outcome=outcome, error=error)


def _shortfall(order: InFlightOrder, target: WaitFor) -> LatentspeedError | None:
    state = order.state
    if order.contradiction is not None:
        return ProtocolError(f"the venue contradicted itself: {order.contradiction}")
    if state is OrderState.FILLED:
        return None
    if state is OrderState.FAILED:
        return _refusal(order)
    if is_undecided(order):
        return OutcomeUnknown(
            "the order was sent and its outcome is not known; it may be live",
            hint=f"latentspeed status {order.client_order_id}",
        )
    if order.was_turned_away and target in ("ack", "open"):
        return OrderRejected("the venue took the post-only order off again: it would have met another one at once")
    if state in (OrderState.CANCELLED, OrderState.EXPIRED):
        if target == "done" or (target in ("ack", "open") and (state is OrderState.CANCELLED or order.executed_amount)):
            return None
        why = f" ({order.reason})" if order.reason else ""
        return EndedShort(f"the order ended {state.value}{why} before it was {_WORDS[target]}")
    if reached(order, target):
        return None
    return NotYet(f"the order is {state.value}, not yet {_WORDS[target]}", hint="latentspeed status shows it")


def _refusal(order: InFlightOrder) -> OrderRejected:
    """Why nothing rests: the venue's own words, or that it never got the order and cannot get it any more."""
    if _PROOFS_OF_LOSS.isdisjoint(item.kind for item in order.facts.evidence):
        return OrderRejected(order.reason or "the venue refused the order")
    return OrderRejected(
        f"the order was lost on its way, and is proved never to arrive ({order.reason})",
        hint=f"the same command with --client-id {order.client_order_id} sends it anew",
    )


_PROOFS_OF_LOSS = frozenset({"nonce_burned", "timeout_height_passed"})
_WORDS = {"ack": "executed", "open": "open", "filled": "filled", "done": "done"}
