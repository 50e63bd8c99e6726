"""Orders and fills in the words of core: what replies, statuses and rows say became of them. Pure, like decode.py.

Whatever does not make sense raises ProtocolError. Error texts: refusals.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from latentspeed_cli.connector.answers import each, number, shape, size
from latentspeed_cli.connector.venue import FenceVerdict
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import Liquidity
from latentspeed_cli.errors import ProtocolError

from .constants import LIVE_STATUSES, UNMATCHED_STATUSES
from .decode import moment_ns, pair_of, side_of
from .payloads import ExchangeData, ExchangeReply, Fill, ItemStatus, OrderRecord, OrderRow, StatusesData
from .refusals import Meaning, Refusal, understand

# Replies to changes


def answer(body: bytes) -> ExchangeData | Refusal:
    """The venue's answer to an action, or its refusal of the whole action."""
    reply: ExchangeReply = shape(body, ExchangeReply)
    if reply.status == "err" and isinstance(reply.response, str):
        return understand(reply.response)
    if reply.status == "ok" and isinstance(reply.response, ExchangeData):
        return reply.response
    raise ProtocolError("an answer of the venue is neither done nor refused", payload=body)


def statuses(body: bytes, expected: int) -> tuple[str | ItemStatus | Refusal, ...]:
    """One answer per item of an action. A refusal of the whole, or a lone error for all, counts for every item."""
    said = answer(body)
    if isinstance(said, Refusal):
        return (said,) * expected
    found: StatusesData = shape(said.data, StatusesData)
    items: list[str | ItemStatus | Refusal] = []
    for item in found.statuses:
        error = item.error if isinstance(item, ItemStatus) else None
        items.append(item if error is None else understand(error))
    if len(items) == 1 and isinstance(items[0], Refusal):
        items *= expected
    if len(items) != expected:
        raise ProtocolError(f"{len(items)} statuses answer {expected} items", payload=body)
    return tuple(items)


def placed(order: InFlightOrder, body: bytes, received_ns: int) -> OrderUpdate:
    """What the reply to a placement says.

    An immediate order that found nobody is EXPIRED, one that came too late is FAILED with its proof; other refusals
    raise OrderRejected, AuthRejected or RateLimited; a used nonce raises OutcomeUnknown.
    """
    (said,) = statuses(body, 1)
    if isinstance(said, Refusal):
        if said.meaning is Meaning.UNMATCHED:
            return _reply(order, Report.EXPIRED, received_ns, said.text, reason="ioc_unmatched", code=said.code)
        if said.meaning is Meaning.EXPIRED:
            kind = "expired_before_accept"
            return _reply(order, Report.FAILED, received_ns, said.text, kind=kind, reason=kind, code=said.code)
        raise said.error()
    if isinstance(said, str):
        if said not in ("waitingForFill", "waitingForTrigger"):
            raise ProtocolError(f"unknown answer to an order: {said!r}", payload=body)
        return _reply(order, Report.ACCEPTED, received_ns, said)
    if said.resting is not None:
        _check_cloid(order, said.resting.cloid, body)
        return _reply(order, Report.ACCEPTED, received_ns, "resting", oid=said.resting.oid)
    if said.filled is not None:
        _check_cloid(order, said.filled.cloid, body)
        total = number(said.filled.total_sz)
        if total <= 0:
            raise ProtocolError("the venue calls an order filled for nothing", payload=body)
        short = total < order.amount
        # A limit order that is not immediate and filled in part may rest with the remainder: it is accepted, no more.
        report = Report.ACCEPTED if short and not order.is_ioc else Report.FILLED
        reason = "ioc_remainder" if short and order.is_ioc else None
        return _reply(order, report, received_ns, "filled", oid=said.filled.oid, filled=total, reason=reason)
    raise ProtocolError("an answer to an order says nothing", payload=body)


def cancelled(order: InFlightOrder, body: bytes, received_ns: int, attempt: int) -> OrderUpdate:
    """What the reply to a cancel says. A success is final; a refusal proves nothing about the order."""
    (said,) = statuses(body, 1)
    if isinstance(said, Refusal):
        if said.meaning in (Meaning.NOT_LIVE, Meaning.REJECTED, Meaning.EXPIRED):
            return _reply(
                order, Report.CANCEL_REFUSED, received_ns, said.text, reason=said.text, code=said.code, attempt=attempt
            )
        raise said.error()
    if said != "success":
        raise ProtocolError("unknown answer to a cancel", payload=body)
    return _reply(order, Report.CANCELLED, received_ns, "success", reason="canceled", attempt=attempt)


def done(body: bytes) -> None:
    """The reply to an action without items. Raises what a refusal means."""
    said = answer(body)
    if isinstance(said, Refusal):
        raise said.error()
    if said.type != "default":
        raise ProtocolError(f"unknown answer to an action: {said.type!r}", payload=body)


def fence_verdict(body: bytes) -> FenceVerdict:
    """What became of a noop with an order's nonce.

    Success used the nonce up. One that is too low can never be used again, and may have been, as a duplicate was: by
    something, perhaps by the order. Any other refusal shows nothing.
    """
    said = answer(body)
    if isinstance(said, Refusal):
        low, used = said.meaning is Meaning.NONCE_LOW, said.meaning is Meaning.NONCE_USED
        if said.meaning in (Meaning.AUTH, Meaning.RATE):
            raise said.error()
        return FenceVerdict(burned=low, used=used, may_have_landed=low, detail=said.text)
    if said.type != "default":
        raise ProtocolError(f"unknown answer to a noop: {said.type!r}", payload=body)
    return FenceVerdict(burned=True, used=False, detail="noop accepted")


def _check_cloid(order: InFlightOrder, cloid: str | None, body: bytes) -> None:
    if cloid is not None and cloid.lower() != order.venue_client_id:
        raise ProtocolError("the venue answers for another order", payload=body)


def _reply(
    order: InFlightOrder,
    report: Report,
    ts_ns: int,
    detail: str,
    *,
    kind: str = "venue_reply",
    oid: int | None = None,
    filled: Decimal | None = None,
    reason: str | None = None,
    code: str | None = None,
    attempt: int | None = None,
) -> OrderUpdate:
    final = report not in (Report.ACCEPTED, Report.CANCEL_REFUSED)
    return OrderUpdate(
        report=report,
        trading_pair=order.trading_pair,
        ts_ns=ts_ns,
        client_order_id=order.client_order_id,
        venue_client_id=order.venue_client_id,
        exchange_order_id=order.exchange_order_id if oid is None else str(oid),
        attempt=order.attempt if attempt is None else attempt,
        reason=reason,
        venue_code=code,
        venue_filled_amount=filled,
        evidence=Evidence(kind=kind, ts_ns=ts_ns, detail=detail) if final else None,
    )


# Orders and fills as queries and streams tell them


def report_of(status: str) -> tuple[Report, str | None]:
    """What an order status says, and the reason to keep with it.

    New statuses appear over time. The rule that fits all known ones: the ending Rejected is looked for before any
    spelling of cancel, because iocCancelRejected holds both; what fits nothing is a note, never a guess.
    """
    if status in LIVE_STATUSES:
        return Report.ACCEPTED, None if status == "open" else status
    if status == "filled":
        return Report.FILLED, None
    if status in UNMATCHED_STATUSES:
        return Report.EXPIRED, "ioc_unmatched"
    if status.endswith("Rejected") or status == "rejected":
        return Report.FAILED, status
    if status.endswith(("Canceled", "Cancel", "canceled")):
        return Report.CANCELLED, status
    return Report.NOTE, status


def order_update(record: OrderRecord, symbols: SymbolMap, *, filled: Decimal | None = None) -> OrderUpdate:
    """One entry of orderStatus, historicalOrders or orderUpdates.

    filled: how much of it fills say was executed. `sz` is never used for that: a resting order's may be stale, and a
    reduce-only order's is cut to the position.
    """
    row = record.order
    report, reason = report_of(record.status)
    ts_ns = moment_ns(record.status_timestamp)
    final = report in (Report.FILLED, Report.EXPIRED, Report.FAILED, Report.CANCELLED)
    evidence = Evidence(kind="venue_status", ts_ns=ts_ns, detail=record.status) if final else None
    return _row(row, symbols, report, ts_ns, reason=reason, code=record.status, evidence=evidence, filled=filled)


def open_order(row: OrderRow, symbols: SymbolMap, received_ns: int) -> OrderUpdate:
    """One entry of the list of open orders: alive now, so what is missing from its size was executed.

    Unless it is reduce-only: then its size shrinks with the position too.
    """
    filled = None
    if row.orig_sz is not None and not row.reduce_only:
        filled = number(row.orig_sz) - number(row.sz)
    reason = f"trigger order: {row.order_type} at {row.trigger_px}" if row.is_trigger else None
    return _row(row, symbols, Report.ACCEPTED, received_ns, reason=reason, code="open", filled=filled)


def _row(
    row: OrderRow,
    symbols: SymbolMap,
    report: Report,
    ts_ns: int,
    *,
    reason: str | None = None,
    code: str | None = None,
    evidence: Evidence | None = None,
    filled: Decimal | None = None,
) -> OrderUpdate:
    return OrderUpdate(
        report=report,
        trading_pair=pair_of(row.coin, symbols),
        ts_ns=ts_ns,
        venue_client_id=None if row.cloid is None else row.cloid.lower(),
        exchange_order_id=str(row.oid),
        reason=reason,
        venue_code=code,
        venue_filled_amount=filled if filled is not None and filled > 0 else None,
        evidence=evidence,
        side=side_of(row.side),
        amount=size(row.sz if row.orig_sz is None else row.orig_sz),
        price=number(row.limit_px),
        reduce_only=row.reduce_only,
        created_ts_ns=moment_ns(row.timestamp),
    )


def trade_update(fill: Fill, symbols: SymbolMap, received_ns: int | None = None) -> TradeUpdate:
    """One fill. Its id joins what the venue's documentation calls unique: time, coin, trade id, and the order."""
    return TradeUpdate(
        fill_id=f"{fill.time}-{fill.coin}-{fill.tid}-{fill.oid}",
        exchange_order_id=str(fill.oid),
        trading_pair=pair_of(fill.coin, symbols),
        side=side_of(fill.side),
        price=number(fill.px),
        amount=size(fill.sz),
        fee=number(fill.fee),
        fee_currency=fill.fee_token,
        ts_ns=moment_ns(fill.time),
        liquidity=Liquidity.TAKER if fill.crossed else Liquidity.MAKER,
        venue_client_id=None if fill.cloid is None else fill.cloid.lower(),
        received_ts_ns=received_ns,
    )


def trade_updates(rows: Iterable[msgspec.Raw], symbols: SymbolMap, received_ns: int) -> Iterator[TradeUpdate]:
    """Every fill of a list that makes sense, then ProtocolError for the first that did not."""
    return each(rows, lambda raw: trade_update(shape(raw, Fill), symbols, received_ns))
