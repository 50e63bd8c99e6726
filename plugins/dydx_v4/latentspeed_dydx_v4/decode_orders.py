"""Orders and fills of the indexer in the words of core: what its statuses and reasons mean. Pure, like decode.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from latentspeed_cli.connector.answers import each, number, optional, shape, size
from latentspeed_cli.core.account import Liquidation
from latentspeed_cli.core.decimals import EXACT
from latentspeed_cli.core.reports import TURNED_AWAY, Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import Liquidity
from latentspeed_cli.errors import ProtocolError

from . import identifiers
from .constants import SHORT_TERM
from .decode import COLLATERAL, pair_of, side_of
from .payloads import EventBuffer, Fill, OrderRow
from .wire import count, count_32, time_ns

# Fills of no order of the account, by which the venue took over a position of it.
TAKEN_OVER = frozenset({"LIQUIDATED", "DELEVERAGED", "OFFSETTING"})
LIQUIDITIES = {"TAKER": Liquidity.TAKER, "MAKER": Liquidity.MAKER}
# What the order of a removal reason became. All other reasons are somebody's decision: CANCELLED.
REASON_PREFIX = "ORDER_REMOVAL_REASON_"
_EXPIRED = frozenset({"expired", "indexer_expired"})
_IMMEDIATE = frozenset({"immediate_or_cancel_would_rest_on_book", "fok_order_could_not_be_fully_fulled"})
REPLACED, CROSSES = "replaced", "post_only_would_cross_maker_order"
_NOT_AN_END = frozenset({REPLACED, "fully_filled"})
# A note of this text: the gossip of one node says that the order ends. Fills may follow.
ENDING = "ending"


# Orders


def cause_of(row: OrderRow) -> str | None:
    """Why an order was removed, in lower case; messages of 2023 lack the prefix."""
    reason = row.removal_reason
    if reason is None:
        return None
    cause = reason.removeprefix(REASON_PREFIX).lower()
    return None if cause == "unspecified" else cause


def is_short_term(row: OrderRow) -> bool:
    return count(row.order_flags) == SHORT_TERM


def report_of(row: OrderRow) -> tuple[Report, str | None]:
    """What a row says about its order, and the reason to keep with it.

    The gossip of one node may call an order cancelled while the chain fills it, before or after, so
    BEST_EFFORT_CANCELED is a note. An unknown status is a note too, never a guess.
    """
    match row.status:
        case "OPEN" | "BEST_EFFORT_OPENED":
            return Report.ACCEPTED, None
        case "UNTRIGGERED":
            return Report.ACCEPTED, "untriggered"
        case "FILLED":
            return Report.FILLED, None
        case "BEST_EFFORT_CANCELED":
            return Report.NOTE, REPLACED if cause_of(row) == REPLACED else ENDING
        case "CANCELED":
            return _removed(row)
        case "ERROR":
            return Report.FAILED, "error"
        case status:
            return Report.NOTE, status


def ended_as(row: OrderRow) -> tuple[Report, str | None]:
    """How a short-term order ended that has no final status, once the chain is past its last block.

    What gossip called cancelled was cancelled, unless it says otherwise: expiry is told in words of its own.
    """
    if row.status == "BEST_EFFORT_CANCELED" and cause_of(row) is None and row.time_in_force != "IOC":
        return Report.CANCELLED, "canceled"
    return _removed(row)


def _removed(row: OrderRow) -> tuple[Report, str | None]:
    """Every remainder of an immediate order is EXPIRED; core sees to that where the venue names another reason."""
    cause = cause_of(row)
    if cause in _EXPIRED:
        return Report.EXPIRED, "expired"
    if cause in _IMMEDIATE or (cause is None and row.time_in_force == "IOC"):
        return Report.EXPIRED, cause
    if cause in _NOT_AN_END:
        return Report.NOTE, cause
    if cause == "internal_error":
        was_accepted = row.created_at_height is not None or bool(optional(row.total_filled))
        return (Report.CANCELLED if was_accepted else Report.FAILED), cause
    if cause == CROSSES or (cause is None and _was_turned_away(row)):
        return Report.CANCELLED, TURNED_AWAY
    if cause is not None:
        return Report.CANCELLED, cause
    # Answers of the REST API give no reason. A short-term order is CANCELED there when its last block has passed, and
    # another when its time has, unless somebody was quicker.
    if is_short_term(row) or _is_past(row.good_til_block_time, row.updated_at):
        return Report.EXPIRED, "expired"
    return Report.CANCELLED, "canceled"


def _was_turned_away(row: OrderRow) -> bool:
    """A stateful order is first matched in the block after its own, and one that must not take is removed there.

    Nobody who had seen it rest could cancel it so soon.
    """
    if not row.post_only or is_short_term(row) or row.created_at_height is None or row.updated_at_height is None:
        return False
    return count(row.updated_at_height) == count(row.created_at_height) + 1 and not optional(row.total_filled)


def _is_past(limit: str | None, updated: str | None) -> bool:
    return limit is not None and updated is not None and time_ns(updated) >= time_ns(limit)


def order_update(row: OrderRow, symbols: SymbolMap, received_ns: int) -> OrderUpdate:
    """One order of a list, of a query or of a frame. received_ns: for rows that carry no time of their own."""
    report, reason = report_of(row)
    ts_ns = received_ns if row.updated_at is None else time_ns(row.updated_at)
    return _order(row, symbols, report, reason, ts_ns, kind="venue_status", detail=_said(row))


def order_over(row: OrderRow, symbols: SymbolMap, ts_ns: int, *, height: int) -> OrderUpdate:
    """The same for a short-term order that nobody will speak of again: `height` is beyond its last block."""
    report, reason = ended_as(row)
    detail = f"block {height} is past {row.good_til_block}; {_said(row)}"
    return _order(row, symbols, report, reason, ts_ns, kind="block_limit_passed", detail=detail)


def _said(row: OrderRow) -> str:
    return row.status if row.removal_reason is None else f"{row.status} {row.removal_reason}"


def _order(
    row: OrderRow, symbols: SymbolMap, report: Report, reason: str | None, ts_ns: int, *, kind: str, detail: str
) -> OrderUpdate:
    """A note says what the order is of nobody's: an order that is only known to end is not taken up from it."""
    final = report in (Report.FILLED, Report.CANCELLED, Report.EXPIRED, Report.FAILED)
    known = report is not Report.NOTE and row.side is not None
    amount = None if row.size is None else size(row.size)
    filled = optional(row.total_filled)
    if report is Report.FILLED and amount is not None:
        filled = amount  # it means just this; the sums of some messages lag behind
    metadata = row.client_metadata
    return OrderUpdate(
        report=report,
        trading_pair=pair_of(row.ticker, row.clob_pair_id, symbols),
        ts_ns=ts_ns,
        venue_client_id=None
        if metadata is None
        else identifiers.venue_client_id(count_32(row.client_id), count_32(metadata)),
        exchange_order_id=row.id,
        reason=reason,
        venue_code=row.status,
        venue_filled_amount=filled if filled is not None and filled > 0 else None,
        evidence=Evidence(kind=kind, ts_ns=ts_ns, detail=detail) if final else None,
        side=side_of(row.side) if known else None,
        amount=amount if known else None,
        price=optional(row.price) if known else None,
        reduce_only=row.reduce_only if known else None,
        created_ts_ns=None if row.created_at is None else time_ns(row.created_at),
        good_til_block=count(row.good_til_block) if known and row.good_til_block is not None else None,
        good_til_ts_ns=time_ns(row.good_til_block_time) if known and row.good_til_block_time is not None else None,
    )


# Fills


def trade_updates(rows: Iterable[msgspec.Raw], symbols: SymbolMap, received_ns: int) -> Iterator[TradeUpdate]:
    """Every fill of a list that makes sense, then ProtocolError for the first that did not.

    A fill without an id is told from its equals by its place among them: two of one list may share the trade id.
    """
    equals: Counter[str] = Counter()
    first: ProtocolError | None = None
    for raw in rows:
        try:
            fill: Fill = shape(raw, Fill)
            fill_id = _fill_id(fill)
            if fill.id is None and fill_id.startswith("("):
                equals[fill_id] += 1
                fill_id = f"{fill_id}#{equals[fill_id]}"
            update = trade_update(fill, fill_id, symbols, received_ns)
        except ProtocolError as error:
            first = first or error
            continue
        yield update
    if first is not None:
        raise first


def liquidations(rows: Iterable[msgspec.Raw], account: str, symbols: SymbolMap) -> Iterator[Liquidation]:
    """What of a list of fills was the venue's doing. Nobody tells who took the position, or what the account had."""
    for fill in each(rows, lambda raw: shape(raw, Fill)):
        if fill.type in TAKEN_OVER:
            yield Liquidation(
                account=account,
                ts_ns=time_ns(fill.created_at),
                kind=fill.type.lower(),
                trading_pair=pair_of(fill.market or fill.ticker, fill.clob_pair_id, symbols),
                liquidator=None,
                notional=EXACT.multiply(number(fill.price), number(fill.size)),
                account_value=None,
            )


def _fill_id(fill: Fill) -> str:
    if fill.id is not None:
        return fill.id
    event = fill.event_id
    event_id = bytes(event.data).hex() if isinstance(event, EventBuffer) else event
    if event_id is not None and fill.liquidity in LIQUIDITIES:
        return identifiers.fill_id(event_id, fill.liquidity)
    return f"({fill.order_id},{event_id},{fill.side},{fill.price},{fill.size})"


def trade_update(fill: Fill, fill_id: str, symbols: SymbolMap, received_ns: int) -> TradeUpdate:
    """exchange_order_id is empty for a liquidation: that was no order of the account."""
    return TradeUpdate(
        fill_id=fill_id,
        exchange_order_id=fill.order_id or "",
        trading_pair=pair_of(fill.market or fill.ticker, fill.clob_pair_id, symbols),
        side=side_of(fill.side),
        price=number(fill.price),
        amount=size(fill.size),
        fee=number(fill.fee),
        fee_currency=COLLATERAL,
        ts_ns=time_ns(fill.created_at),
        liquidity=LIQUIDITIES.get(fill.liquidity or ""),
        received_ts_ns=received_ns,
    )
