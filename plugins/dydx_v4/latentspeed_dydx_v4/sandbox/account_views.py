"""What the indexer says of addresses and subaccounts (sections 7.3 and 7.4)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import pnl as pnls
from . import shapes
from .numbers import text, usdc
from .params import Query, bad, not_found, paged
from .rows import FillRow, OrderRow, SubaccountRow
from .state import Order

if TYPE_CHECKING:
    from .indexer import Indexer

Numbers = tuple[int, ...]
CHILDREN = 128
STATUSES = ("BEST_EFFORT_OPENED", "OPEN", "FILLED", "BEST_EFFORT_CANCELED", "CANCELED", "UNTRIGGERED", "ERROR")
TYPES = (
    "LIMIT",
    "MARKET",
    "STOP_LIMIT",
    "STOP_MARKET",
    "TRAILING_STOP",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TWAP",
    "TWAP_SUBORDER",
)


def children(indexer: Indexer, address: str, parent: int) -> Numbers:
    """The numbers of a parent's subaccounts that exist, the parent's own first."""
    mine = (row.number for row in indexer.subaccounts.values() if row.owner == address)
    return tuple(sorted(number for number in mine if number % CHILDREN == parent))


# ---- subaccounts ---------------------------------------------------------------------------------


def _row(indexer: Indexer, address: str, number: int) -> SubaccountRow:
    row = indexer.subaccounts.get(f"{address}/{number}")
    if row is None:
        raise not_found(f"No subaccount found with address {address} and subaccountNumber {number}")
    return row


def _shown(indexer: Indexer, row: SubaccountRow) -> dict[str, Any]:
    return shapes.subaccount(indexer.world, row, indexer.positions.of(row.owner, row.number), indexer.height)


def addresses(indexer: Indexer, address: str) -> dict[str, Any]:
    mine = sorted((row for row in indexer.subaccounts.values() if row.owner == address), key=lambda row: row.number)
    if not mine:
        raise not_found(f"No subaccounts found for address {address}")
    return {"subaccounts": [_shown(indexer, row) for row in mine], "totalTradingRewards": "0"}


def subaccount(indexer: Indexer, address: str, number: int) -> dict[str, Any]:
    return {"subaccount": _shown(indexer, _row(indexer, address, number))}


def parent_subaccount(indexer: Indexer, address: str, parent: int) -> dict[str, Any]:
    numbers = children(indexer, address, parent)
    if not numbers:
        raise not_found(f"No subaccount found with address {address} and parentSubaccountNumber {parent}")
    mine = [indexer.subaccounts[f"{address}/{number}"] for number in numbers]
    totals = [shapes.equity(indexer.world, row) for row in mine]
    return {
        "subaccount": {
            "address": address,
            "parentSubaccountNumber": parent,
            "equity": text(sum((total for total, _ in totals), Decimal(0))),
            "freeCollateral": text(sum((free for _, free in totals), Decimal(0))),
            "childSubaccounts": [_shown(indexer, row) for row in mine],
        }
    }


def asset_positions(indexer: Indexer, address: str, numbers: Numbers) -> dict[str, Any]:
    found = [_row(indexer, address, number) for number in numbers]
    return {"positions": [shapes.asset(row.number, row.usdc) for row in found if row.usdc]}


def perpetual_positions(indexer: Indexer, address: str, numbers: Numbers, query: Query) -> dict[str, Any]:
    statuses = query.words("status")
    if statuses is not None and not set(statuses) <= {"OPEN", "CLOSED", "LIQUIDATED"}:
        raise bad("status", "status must be a valid Position Status (OPEN, etc)", query.text("status"))
    height, before = query.integer("createdBeforeOrAtHeight"), query.time("createdBeforeOrAt")
    mine = [
        row
        for row in indexer.positions.all()
        if row.owner == address
        and row.number in numbers
        and (statuses is None or row.status in statuses)
        and (height is None or row.created_height <= height)
        and (before is None or row.created_ns <= before)
    ]
    mine.sort(key=lambda row: -row.serial)
    return {"positions": [shapes.rest_position(indexer.world, row) for row in mine[: query.limit()]]}


# ---- orders --------------------------------------------------------------------------------------


def orders(indexer: Indexer, address: str, numbers: Numbers, query: Query) -> list[dict[str, Any]]:
    found = _select(indexer, address, numbers, query)
    # Any given value of returnLatestOrders sorts ascending: the source compares the query's text with a boolean.
    descending = query.text("returnLatestOrders") is None
    return [shown for _, shown in sorted(found, key=lambda pair: _rank(pair[0]), reverse=descending)][: query.limit()]


def _rank(order: Order) -> tuple[int, int, int]:
    """By good-til-block, then good-til-block-time; rows without a block come first when descending."""
    return (order.good_til_block or 1 << 40, order.good_til_block_time or 0, order.client_id)


def _select(indexer: Indexer, address: str, numbers: Numbers, query: Query) -> list[tuple[Order, dict[str, Any]]]:
    statuses = query.words("status")
    if statuses is not None and not set(statuses) <= set(STATUSES):
        raise bad("status", "status must be a valid order status (OPEN, etc)", query.text("status"))
    side, ticker, kind = query.text("side"), query.ticker(), query.text("type")
    if side is not None and side not in ("BUY", "SELL"):
        raise bad("side", "side must be a valid order side (BUY/SELL)", side)
    if kind is not None and kind not in TYPES:
        raise bad("type", "type must be a valid order type (LIMIT/MARKET, etc)", kind)
    include, exclude = query.words("includeTypes"), query.words("excludeTypes")
    blocks = query.integer("goodTilBlockBeforeOrAt"), query.integer("goodTilBlockAfter")
    times = query.time("goodTilBlockTimeBeforeOrAt"), query.time("goodTilBlockTimeAfter")
    world = indexer.world
    found = []
    for order, row in _known(indexer, address, numbers):
        shown = shapes.rest_order(world, order, row)
        if statuses is not None and shown["status"] not in statuses:
            continue
        if (side is not None and shown["side"] != side) or (ticker is not None and shown["ticker"] != ticker):
            continue
        if kind is not None and (shown["type"] != kind or (row is None and kind != "LIMIT")):
            continue
        if row is not None and include is not None and shown["type"] not in include:
            continue
        if row is not None and exclude is not None and shown["type"] in exclude:
            continue
        if _in_window(order.good_til_block, *blocks) and _in_window(
            None if order.good_til_block_time is None else order.good_til_block_time * 1_000_000_000, *times
        ):
            found.append((order, shown))
    return found


def _in_window(value: int | None, before_or_at: int | None, after: int | None) -> bool:
    """A filter by one expiry excludes orders that have the other."""
    if before_or_at is None and after is None:
        return True
    return value is not None and (before_or_at is None or value <= before_or_at) and (after is None or value > after)


def _known(indexer: Indexer, address: str, numbers: Numbers) -> Iterable[tuple[Order, OrderRow | None]]:
    """Orders of the database and the cache; an order in both has the cache's terms."""
    for key, row in indexer.orders.items():
        if row.order.owner == address and row.order.number in numbers:
            yield indexer.live.get(key, row.order), row
    for key, order in indexer.live.items():
        if key not in indexer.orders and order.owner == address and order.number in numbers:
            yield order, None


def order(indexer: Indexer, key: str) -> dict[str, Any]:
    row, live = indexer.orders.get(key), indexer.live.get(key)
    known = live or (row.order if row else None)
    if known is None:
        raise not_found(f"Unable to find order id {key}")
    return shapes.rest_order(indexer.world, known, row)


def snapshot_orders(indexer: Indexer, address: str, numbers: Numbers) -> list[dict[str, Any]]:
    """The orders a subscription to v4_subaccounts starts with."""
    wanted = {"OPEN", "UNTRIGGERED", "BEST_EFFORT_OPENED"}
    found = []
    for known, row in _known(indexer, address, numbers):
        shown = shapes.rest_order(indexer.world, known, row)
        is_late = shown["status"] == "BEST_EFFORT_CANCELED" and (known.good_til_block or 0) > indexer.height - 20
        if shown["status"] in wanted or is_late:
            found.append((known, shown))
    return [shown for _, shown in sorted(found, key=lambda pair: _rank(pair[0]), reverse=True)]


# ---- fills, transfers, funding, pnl --------------------------------------------------------------


def fills(indexer: Indexer, address: str, numbers: Numbers, query: Query) -> dict[str, Any]:
    market, kind = query.text("market"), query.text("marketType")
    if (market is None) != (kind is None):
        missing = "marketType" if kind is None else "market"
        raise bad(missing, "market and marketType must both be provided", location="query")
    if market is not None and market not in indexer.world.by_ticker:
        raise not_found(f"{market} not found in markets of type {kind}")
    include, exclude = query.words("includeTypes"), query.words("excludeTypes")
    height, before = query.integer("createdBeforeOrAtHeight"), query.time("createdBeforeOrAt")
    mine: list[FillRow] = []
    for number in numbers:
        mine += indexer.fills.get(f"{address}/{number}", ())
    specs = indexer.world.markets
    chosen = [
        fill
        for fill in mine
        if (market is None or specs[fill.pair].spec.ticker == market)
        and (include is None or fill.kind in include)
        and (exclude is None or fill.kind not in exclude)
        and (height is None or fill.height <= height)
        and (before is None or fill.time_ns <= before)
    ]
    chosen.sort(key=lambda fill: fill.event, reverse=query.page() is None)
    shown, paging = paged(chosen, query)
    return {"fills": [shapes.rest_fill(indexer.world, fill) for fill in shown], **paging}


def transfers(indexer: Indexer, address: str, numbers: Numbers, query: Query) -> dict[str, Any]:
    for number in numbers:
        _row(indexer, address, number)
    found = []
    for row in reversed(indexer.movements.transfers):
        ends = ((row.sender, row.sender_number), (row.recipient, row.recipient_number))
        mine = [number for owner, number in ends if owner == address and number in numbers and number is not None]
        if mine:
            found.append(shapes.rest_transfer(row, address, mine[0]))
    shown, paging = paged(found, query)
    return {"transfers": shown, **paging}


def transfers_between(indexer: Indexer, query: Query) -> dict[str, Any]:
    source = query.address("sourceAddress"), query.subaccount("sourceSubaccountNumber")
    target = query.address("recipientAddress"), query.subaccount("recipientSubaccountNumber")
    found, net = [], 0
    for row in reversed(indexer.movements.transfers):
        ends = (row.sender, row.sender_number), (row.recipient, row.recipient_number)
        if ends in ((source, target), (target, source)):
            found.append(shapes.rest_transfer(row, *source))
            net += row.size if ends == (source, target) else -row.size
    return {"transfersSubset": found[: query.limit()], "totalNetTransfers": usdc(net)}


def funding_payments(indexer: Indexer, address: str, numbers: Numbers, query: Query) -> dict[str, Any]:
    ticker, zero = query.ticker(), query.flag("showZeroPayments")
    found = [
        row
        for row in reversed(indexer.movements.payments)
        if row.owner == address
        and row.number in numbers
        and (ticker is None or indexer.world.markets[row.pair].spec.ticker == ticker)
        and (zero or row.payment)
    ]
    shown, paging = paged(found, query)
    return {"fundingPayments": [shapes.payment(indexer.world, row) for row in shown], **paging}


def pnl(indexer: Indexer, address: str, numbers: Numbers, query: Query, *, old: bool) -> dict[str, Any]:
    for number in numbers:
        _row(indexer, address, number)
    return pnls.shown(indexer.pnl, address, numbers, query, old=old)
