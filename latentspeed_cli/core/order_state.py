"""One function from facts to state. The table in the docs and its test are generated from it; there is no second one.

Facts only accumulate: learning the same news twice, or in another order, ends in the same facts, so an order's state
does not depend on which of the venue's channels happened to be faster.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .decimals import EXACT, ZERO
from .reports import Evidence, OrderUpdate, Report, TradeUpdate
from .types import OrderState

_NONE: frozenset[int] = frozenset()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about what happened to one order.

    attempts, failed, unknown: numbers of the place attempts that were made, that were refused or proved never to
    land, and whose reply is missing. cancels, cancels_refused, cancels_unknown: the same for cancel attempts.
    accepted: the venue has or had it. filled: the venue calls it completely filled; final_filled: how much it said
    was executed when it ended. venue_filled: the most it ever said was executed. fills: by fill id. executed: their
    sum, base units.
    """

    attempts: frozenset[int] = _NONE
    failed: frozenset[int] = _NONE
    unknown: frozenset[int] = _NONE
    accepted: bool = False
    filled: bool = False
    final_filled: Decimal | None = None
    venue_filled: Decimal | None = None
    cancelled: bool = False
    expired: bool = False
    cancels: frozenset[int] = _NONE
    cancels_refused: frozenset[int] = _NONE
    cancels_unknown: frozenset[int] = _NONE
    fills: dict[str, TradeUpdate] = {}
    executed: Decimal = ZERO
    fills_disagree: bool = False
    exchange_order_ids: frozenset[str] = frozenset()
    evidence: frozenset[Evidence] = frozenset()
    reasons: frozenset[tuple[str, str]] = frozenset()


def state_of(facts: Facts, amount: Decimal, *, is_ioc: bool) -> OrderState:
    """The state that this set of facts proves. amount: base units ordered. is_ioc: nothing of it ever rests.

    One precedence, read top to bottom. A venue that calls an IOC "filled" says only that it ended; how much of it was
    executed decides between FILLED and EXPIRED, and until that is known it counts as accepted.
    """
    if facts.executed >= amount or (facts.filled and (not is_ioc or (facts.final_filled or ZERO) >= amount)):
        return OrderState.FILLED
    if facts.cancelled:
        return OrderState.CANCELLED
    if facts.expired or (facts.filled and facts.final_filled is not None):
        return OrderState.EXPIRED
    accepted = facts.accepted or facts.filled
    if facts.failed and facts.failed >= facts.attempts and not (accepted or facts.executed):
        return OrderState.FAILED
    if facts.cancels - facts.cancels_refused:
        return OrderState.PENDING_CANCEL
    if facts.executed:
        return OrderState.PARTIALLY_FILLED
    if accepted:
        return OrderState.OPEN
    return OrderState.PENDING_SUBMIT if facts.attempts else OrderState.PENDING_CREATE
