"""What the conductor hands the journal before an order may leave, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .in_flight_order import InFlightOrder
from .types import OrderState

# Evidence that an attempt never came to rest anywhere, so that the same id may be sent again. A refusal by the venue
# is not among them: the same order would be refused again.
_NEVER_LANDED = frozenset(
    {"nonce_burned", "never_sent", "expired_before_accept", "block_limit_passed", "timeout_height_passed"}
)
RATE_LIMITED = "not accepted for the rate of requests"


def may_try_again(order: InFlightOrder) -> bool:
    """Whether a known order was proved never to have landed: the same command may send it in a new attempt."""
    if order.state is not OrderState.FAILED:
        return False
    return all(
        item.kind in _NEVER_LANDED or (item.kind == "venue_reply" and item.detail.startswith(RATE_LIMITED))
        for item in order.facts.evidence
    )


class CountedNonces(msgspec.Struct, frozen=True, kw_only=True):
    """Nonces that the venue counts itself, one by one, where they are not taken from the time.

    scope: what shares one count, in the journal. next: the least that the venue can expect now; numbers handed out
    since are not in it. is_exact: the venue has just named it, so what was handed out before counts no more.
    """

    scope: str
    next: int
    is_exact: bool = False


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is about to be sent; its nonce and attempt are the journal's to give.

    signer: whose nonces it takes, unless `sequence` says otherwise. submit_deadline_ns: until then only the writer may
    say what became of it. build: makes the exact bytes from the order with nonce and attempt set. Both are called
    inside the transaction, draft by draft, so that the nonce of one follows that of the draft before it; whatever they
    raise undoes the transaction.
    """

    order: InFlightOrder
    signer: str
    submit_deadline_ns: int
    build: Callable[[InFlightOrder], bytes]
    sequence: Callable[[], CountedNonces | None] = lambda: None


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a draft.

    fresh: its intent and attempt are durable, and its bytes may leave now. That is so for an unknown client order id,
    and for one whose order may_try_again with the same parameters: that gets the next attempt and keeps its facts.
    Otherwise the id was known: nothing was written, order is the journal's, and conflict says that it was asked for
    with other parameters.
    """

    order: InFlightOrder
    fresh: bool
    conflict: bool = False
