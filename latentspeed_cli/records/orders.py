"""Orders and fills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from .. import clock
from ..core.decimals import plain
from ..core.in_flight_order import InFlightOrder
from ..core.reports import TradeUpdate
from ..core.types import OrderState
from .base import Number, Record, Side, iso, number

Outcome: TypeAlias = Literal["accepted", "rejected", "unknown", "not_sent", "replayed", "dry_run"]


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid in one currency; negative is a rebate."""

    currency: str
    amount: Number


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """Why a state is believed. kind: core/reports.py, Evidence."""

    kind: str
    ts_ns: int
    detail: str


class OrderRecord(Record, frozen=True, kw_only=True, tag="order"):
    """One order: what was asked, what was sent, what became of it.

    outcome says what became of the request of this command, or of the last one known. may_be_live: it may rest at the
    venue now or later. good_til_block, good_til_ts_ns: where the venue ends it by itself. next: the command that
    settles an open question. received_ts_ns, seq: when a stream told it, and as its how manieth record; null outside
    streams. request: the unsigned request of a dry run.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "client_order_id",
        "trading_pair",
        "side",
        "type",
        "amount",
        "price",
        "state",
        "executed_amount",
        "average_price",
        "outcome",
        "reason",
    )
    id_field: ClassVar[str | None] = "client_order_id"

    venue: str
    network: str
    account: str
    trading_pair: str
    side: Side
    type: str
    tif: str
    post_only: bool
    reduce_only: bool
    amount: Number
    price: Number | None
    price_expression: str | None
    reference_price: Number | None
    trigger_price: Number | None
    slippage_bps: int | None
    client_order_id: str
    exchange_order_id: str | None
    venue_client_id: str | None
    state: str
    outcome: Outcome
    outcome_unknown: bool
    may_be_live: bool
    reason: str | None
    executed_amount: Number
    average_price: Number | None
    fees: tuple[Fee, ...]
    fills_complete: bool
    venue_filled_amount: Number | None
    contradiction: str | None
    evidence: tuple[EvidenceRow, ...]
    attempt: int
    replayed: bool
    external: bool
    next: str | None
    created_ts_ns: int
    created_ts_iso: str
    updated_ts_ns: int
    updated_ts_iso: str
    good_til_block: int | None = None
    good_til_ts_ns: int | None = None
    good_til_ts_iso: str | None = None
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None
    request: dict[str, Any] | None = None


class OrderList(Record, frozen=True, kw_only=True, tag="orders"):
    """stale: the venue could not be asked; these are the journal's."""

    items: tuple[OrderRecord, ...]
    stale: bool = False


class FillRecord(Record, frozen=True, kw_only=True, tag="fill"):
    """One fill. seq counts the records of one stream from 1; null outside streams."""

    columns: ClassVar[tuple[str, ...]] = (
        "ts_iso",
        "trading_pair",
        "side",
        "price",
        "amount",
        "fee",
        "fee_currency",
        "liquidity",
        "client_order_id",
    )
    id_field: ClassVar[str | None] = "fill_id"

    venue: str
    network: str
    account: str
    fill_id: str
    client_order_id: str | None
    exchange_order_id: str
    trading_pair: str
    side: Side
    price: Number
    amount: Number
    fee: Number
    fee_currency: str
    liquidity: str | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None
    received_ts_iso: str | None
    seq: int | None = None


class FillList(Record, frozen=True, kw_only=True, tag="fills"):
    """stale: the venue could not be asked; these are the journal's."""

    items: tuple[FillRecord, ...]
    stale: bool = False


def order_record(
    order: InFlightOrder,
    *,
    outcome: Outcome | None = None,
    replayed: bool = False,
    next_command: str | None = None,
    received_ns: int | None = None,
    seq: int | None = None,
    request: Mapping[str, Any] | None = None,
) -> OrderRecord:
    """The record of an order. outcome None: what its facts say became of its last attempt."""
    facts, state = order.facts, order.state
    undecided = order.outcome_unknown or order.state is OrderState.PENDING_SUBMIT
    may_be_live = order.may_be_live
    if outcome == "dry_run":
        undecided = may_be_live = False
    return OrderRecord(
        venue=order.venue,
        network=order.network,
        account=order.account,
        trading_pair=order.trading_pair,
        side=order.side.value,
        type=order.order_type.value,
        tif=order.tif.value,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        amount=plain(order.amount),
        price=number(order.price),
        price_expression=order.price_expression,
        reference_price=number(order.reference_price),
        trigger_price=number(order.trigger_price),
        slippage_bps=order.slippage_bps,
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        venue_client_id=order.venue_client_id or None,
        state=state.value,
        outcome=outcome or _outcome(order),
        outcome_unknown=undecided,
        may_be_live=may_be_live,
        reason=order.reason,
        executed_amount=plain(facts.executed),
        average_price=number(order.average_price),
        fees=tuple(Fee(currency=currency, amount=plain(amount)) for currency, amount in order.fees.items()),
        fills_complete=order.fills_complete,
        venue_filled_amount=number(facts.venue_filled if facts.final_filled is None else facts.final_filled),
        contradiction=order.contradiction,
        evidence=evidence_rows(order),
        attempt=order.attempt,
        replayed=replayed,
        external=order.is_external,
        next=next_command or (_settling(order) if undecided else None),
        created_ts_ns=order.created_ts_ns,
        created_ts_iso=clock.iso(order.created_ts_ns),
        updated_ts_ns=order.updated_ts_ns or order.created_ts_ns,
        updated_ts_iso=clock.iso(order.updated_ts_ns or order.created_ts_ns),
        good_til_block=order.good_til_block,
        good_til_ts_ns=order.good_til_ts_ns,
        good_til_ts_iso=iso(order.good_til_ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
        request=None if request is None else dict(request),
    )


def _settling(order: InFlightOrder) -> str:
    """The command that decides what is open about the order: a cancel that was begun has to be finished."""
    is_cancel = order.state is OrderState.PENDING_CANCEL
    return "latentspeed reconcile" if is_cancel else f"latentspeed status {order.client_order_id}"


def evidence_rows(order: InFlightOrder) -> tuple[EvidenceRow, ...]:
    """Why the order's final state is believed, oldest first."""
    return tuple(EvidenceRow(kind=item.kind, ts_ns=item.ts_ns, detail=item.detail) for item in order.evidence)


def _outcome(order: InFlightOrder) -> Outcome:
    state = order.state
    if state is OrderState.FAILED:
        proofs = {item.kind for item in order.evidence}
        return "not_sent" if proofs and proofs <= {"never_sent"} else "rejected"
    if order.was_turned_away:
        return "rejected"
    if state is OrderState.PENDING_CREATE:
        return "not_sent"
    return "unknown" if state is OrderState.PENDING_SUBMIT else "accepted"


def fill_record(fill: TradeUpdate, *, venue: str, network: str, account: str, seq: int | None = None) -> FillRecord:
    return FillRecord(
        venue=venue,
        network=network,
        account=account,
        fill_id=fill.fill_id,
        client_order_id=fill.client_order_id,
        exchange_order_id=fill.exchange_order_id,
        trading_pair=fill.trading_pair,
        side=fill.side.value,
        price=plain(fill.price),
        amount=plain(fill.amount),
        fee=plain(fill.fee),
        fee_currency=fill.fee_currency,
        liquidity=fill.liquidity.value if fill.liquidity else None,
        ts_ns=fill.ts_ns,
        ts_iso=clock.iso(fill.ts_ns),
        received_ts_ns=fill.received_ts_ns,
        received_ts_iso=iso(fill.received_ts_ns),
        seq=seq,
    )
