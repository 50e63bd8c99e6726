"""What `reconcile` found out about orders."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..core.decimals import plain
from ..core.in_flight_order import InFlightOrder
from .base import Number, Record, Side
from .orders import EvidenceRow, evidence_rows

Finding = Literal["decided", "undecided", "adopted", "changed"]


class DecisionRecord(Record, frozen=True, kw_only=True, tag="decision"):
    """One order that there is something to say about.

    finding: its outcome was open and is `decided`, or is `undecided` still; it is another program's order and was
    `adopted` as external; or more had happened to it than the journal knew, and it `changed`. state_before: as the
    journal had it, null if it did not. may_be_live: it may rest at the venue. next: the command that asks again.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "client_order_id",
        "trading_pair",
        "side",
        "finding",
        "state_before",
        "state",
        "executed_amount",
        "reason",
    )
    id_field: ClassVar[str | None] = "client_order_id"

    venue: str
    network: str
    account: str
    client_order_id: str
    exchange_order_id: str | None
    trading_pair: str
    side: Side
    finding: Finding
    state_before: str | None
    state: str
    executed_amount: Number
    may_be_live: bool
    reason: str | None
    contradiction: str | None
    evidence: tuple[EvidenceRow, ...]
    next: str | None


class DecisionList(Record, frozen=True, kw_only=True, tag="decisions"):
    items: tuple[DecisionRecord, ...]


def decision_record(order: InFlightOrder, finding: Finding, *, before: InFlightOrder | None) -> DecisionRecord:
    """before: the order as the journal had it."""
    return DecisionRecord(
        venue=order.venue,
        network=order.network,
        account=order.account,
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        trading_pair=order.trading_pair,
        side=order.side.value,
        finding=finding,
        state_before=before.state.value if before else None,
        state=order.state.value,
        executed_amount=plain(order.executed_amount),
        may_be_live=order.may_be_live,
        reason=order.reason,
        contradiction=order.contradiction,
        evidence=evidence_rows(order),
        next="latentspeed reconcile" if finding == "undecided" else None,
    )
