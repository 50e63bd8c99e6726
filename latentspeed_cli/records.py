"""What programs read: every JSON record this product prints, as a frozen Struct, and how it is made from a core value.

Every record carries `schema` and `schema_version`. Decimals are plain text, times are integers in Unix nanoseconds with
an ISO twin (`created_ts_ns`, `created_ts_iso`), what is missing is null, a list is never null. Within a schema version
fields are only added.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import msgspec

from . import clock
from .connector.streams import Control
from .core.decimals import plain
from .core.in_flight_order import InFlightOrder
from .core.market_data import BestBidOffer, OrderBookSnapshot, PriceLevel, PublicTrade
from .core.reports import TradeUpdate
from .core.types import OrderState
from .errors import LatentspeedError

Number: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="a decimal, as text")]
Side: TypeAlias = Literal["buy", "sell"]
Outcome: TypeAlias = Literal["accepted", "rejected", "unknown", "not_sent", "replayed", "dry_run"]


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """Base of all records. columns: what a table shows, in this order. id_field: what `-o id` prints."""

    columns: ClassVar[tuple[str, ...]] = ()
    id_field: ClassVar[str | None] = None
    schema_version: int = 1


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
    settles an open question. request: the unsigned request of a dry run.
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
    request: dict[str, Any] | None = None


class OrderList(Record, frozen=True, kw_only=True, tag="orders"):
    items: tuple[OrderRecord, ...]


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
    items: tuple[FillRecord, ...]


class Level(msgspec.Struct, frozen=True, kw_only=True):
    price: Number
    amount: Number
    orders: int | None


class BookRecord(Record, frozen=True, kw_only=True, tag="book"):
    """A whole book: bids fall, asks rise."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "trading_pair", "bids", "asks")

    venue: str
    network: str
    trading_pair: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    ts_ns: int
    ts_iso: str
    seq: int | None = None


class BboRecord(Record, frozen=True, kw_only=True, tag="bbo"):
    columns: ClassVar[tuple[str, ...]] = (
        "ts_iso",
        "trading_pair",
        "bid_price",
        "bid_amount",
        "ask_price",
        "ask_amount",
    )

    venue: str
    network: str
    trading_pair: str
    bid_price: Number | None
    bid_amount: Number | None
    ask_price: Number | None
    ask_amount: Number | None
    ts_ns: int
    ts_iso: str
    seq: int | None = None


class TradeRecord(Record, frozen=True, kw_only=True, tag="trade"):
    """One trade of the market. side: the aggressor's."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "trading_pair", "side", "price", "amount", "trade_id")
    id_field: ClassVar[str | None] = "trade_id"

    venue: str
    network: str
    trading_pair: str
    trade_id: str
    side: Side
    price: Number
    amount: Number
    ts_ns: int
    ts_iso: str
    seq: int | None = None


class ControlRecord(Record, frozen=True, kw_only=True, tag="control"):
    """What a stream says about itself. since_ts_ns: the last news before a gap."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "kind", "channel", "trading_pair", "detail")

    venue: str
    network: str
    kind: Literal["connected", "snapshot", "gap", "backfilled", "stale", "reconnected", "closed"]
    channel: str | None
    trading_pair: str | None
    detail: str | None
    since_ts_ns: int | None
    since_ts_iso: str | None
    ts_ns: int
    ts_iso: str
    seq: int | None = None


class StatusRecord(Record, frozen=True, kw_only=True, tag="status"):
    """Where this command line stands: the way to the venue, the clocks, the account, the orders.

    reachable false: the orders are the journal's and `stale`. clock_skew_ms: local minus venue time.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "venue",
        "network",
        "base_url",
        "reachable",
        "latency_ms",
        "clock_skew_ms",
        "account",
        "account_value",
        "withdrawable",
        "open_orders",
        "undecided_orders",
    )

    venue: str
    network: str
    profile: str | None
    base_url: str | None
    account: str | None
    reachable: bool
    stale: bool
    latency_ms: int | None
    clock_skew_ms: int | None
    account_value: Number | None
    withdrawable: Number | None
    open_orders: tuple[OrderRecord, ...]
    undecided_orders: tuple[OrderRecord, ...]
    ts_ns: int
    ts_iso: str


class ConnectorRecord(Record, frozen=True, kw_only=True, tag="connector"):
    """An installed connector, from package metadata alone. problem: why it cannot be used, when that is visible."""

    columns: ClassVar[tuple[str, ...]] = ("name", "distribution", "version", "summary", "problem")
    id_field: ClassVar[str | None] = "name"

    name: str
    distribution: str
    version: str
    summary: str
    target: str
    problem: str | None


class ConnectorList(Record, frozen=True, kw_only=True, tag="connectors"):
    items: tuple[ConnectorRecord, ...]


class ConnectorInfoRecord(Record, frozen=True, kw_only=True, tag="connector-info"):
    """What a connector says about itself, loaded."""

    id_field: ClassVar[str | None] = "name"

    name: str
    title: str
    distribution: str
    version: str
    target: str
    api_version: int
    connector_type: str
    networks: tuple[str, ...]
    order_types: tuple[str, ...]
    tifs: tuple[str, ...]
    channels: tuple[str, ...]
    capabilities: tuple[str, ...]
    key_variables: tuple[str, ...]


class ConnectorCheckRecord(Record, frozen=True, kw_only=True, tag="connector-check"):
    """One connector, loaded and asked for its parts. grade: "ok", or "broken" with the problem."""

    columns: ClassVar[tuple[str, ...]] = ("name", "distribution", "version", "api_version", "grade", "hooks", "problem")
    id_field: ClassVar[str | None] = "name"

    name: str
    distribution: str
    version: str
    api_version: int | None
    grade: Literal["ok", "broken"]
    hooks: int
    problem: str | None


class ConnectorCheckList(Record, frozen=True, kw_only=True, tag="connector-checks"):
    items: tuple[ConnectorCheckRecord, ...]


class SandboxAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published account of the local exchange."""

    address: str
    private_key: str
    mnemonic: str | None = None


class SandboxVenue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one venue of the local exchange listens. node_url, chain_id: of a chain; node_url is a gRPC host:port."""

    base_url: str
    ws_url: str
    node_url: str | None = None
    chain_id: str | None = None
    accounts: tuple[SandboxAccount, ...]


class SandboxRecord(Record, frozen=True, kw_only=True, tag="sandbox"):
    """The local exchange. instance: changes with every reset; null when none runs."""

    id_field: ClassVar[str | None] = "instance"

    running: bool
    instance: str | None
    scenario: str | None
    venues: dict[str, SandboxVenue]


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """code is the name in the table of `latentspeed docs exit-codes`. retry: may the same command be given again?"""

    code: str
    exit_code: int
    message: str
    venue_code: str | None
    retry: Literal["never", "same-id", "safe"]
    retry_after_ms: int | None
    hint: str | None
    client_order_id: str | None


class ErrorRecord(Record, frozen=True, kw_only=True, tag="error"):
    """Why something was not done. line: which line of a batch, counted from 1."""

    error: ErrorBody
    line: int | None = None


class ResultList(Record, frozen=True, kw_only=True, tag="results"):
    """What became of each item of a batch: an order, or the error of a row that never became one."""

    items: tuple[OrderRecord | ErrorRecord, ...]


class DemoStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the guided tour. command: what a person would type for it."""

    title: str
    command: str
    told: str
    held: bool


class DemoRecord(Record, frozen=True, kw_only=True, tag="demo"):
    venue: str
    network: str
    held: bool
    took_ms: int
    steps: tuple[DemoStep, ...]


SCHEMAS: dict[str, type[Record]] = {
    "order": OrderRecord,
    "orders": OrderList,
    "fill": FillRecord,
    "fills": FillList,
    "book": BookRecord,
    "bbo": BboRecord,
    "trade": TradeRecord,
    "control": ControlRecord,
    "status": StatusRecord,
    "connector": ConnectorRecord,
    "connectors": ConnectorList,
    "connector-info": ConnectorInfoRecord,
    "connector-check": ConnectorCheckRecord,
    "connector-checks": ConnectorCheckList,
    "results": ResultList,
    "sandbox": SandboxRecord,
    "error": ErrorRecord,
    "demo": DemoRecord,
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of the records called `name`. Raises KeyError.

    Every field is always written, so every field is required.
    """
    schema = msgspec.json.schema(SCHEMAS[name])
    for definition in schema.get("$defs", {}).values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
    return schema


def number(value: Decimal | None) -> str | None:
    """A Decimal as records show it."""
    return None if value is None else plain(value)


def iso(ts_ns: int | None) -> str | None:
    """The ISO twin of a time."""
    return None if ts_ns is None else clock.iso(ts_ns)


def order_record(
    order: InFlightOrder,
    *,
    outcome: Outcome | None = None,
    replayed: bool = False,
    next_command: str | None = None,
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
        evidence=tuple(EvidenceRow(kind=item.kind, ts_ns=item.ts_ns, detail=item.detail) for item in order.evidence),
        attempt=order.attempt,
        replayed=replayed,
        external=order.is_external,
        next=next_command if next_command or not undecided else f"latentspeed status {order.client_order_id}",
        created_ts_ns=order.created_ts_ns,
        created_ts_iso=clock.iso(order.created_ts_ns),
        updated_ts_ns=order.updated_ts_ns or order.created_ts_ns,
        updated_ts_iso=clock.iso(order.updated_ts_ns or order.created_ts_ns),
        good_til_block=order.good_til_block,
        good_til_ts_ns=order.good_til_ts_ns,
        good_til_ts_iso=iso(order.good_til_ts_ns),
        request=None if request is None else dict(request),
    )


def _outcome(order: InFlightOrder) -> Outcome:
    state = order.state
    if state is OrderState.FAILED:
        proofs = {item.kind for item in order.evidence}
        return "not_sent" if proofs and proofs <= {"never_sent"} else "rejected"
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


def _level(level: PriceLevel) -> Level:
    return Level(price=plain(level.price), amount=plain(level.amount), orders=level.count)


def book_record(
    book: OrderBookSnapshot, *, venue: str, network: str, depth: int | None = None, seq: int | None = None
) -> BookRecord:
    return BookRecord(
        venue=venue,
        network=network,
        trading_pair=book.trading_pair,
        bids=tuple(map(_level, book.bids[:depth])),
        asks=tuple(map(_level, book.asks[:depth])),
        ts_ns=book.ts_ns,
        ts_iso=clock.iso(book.ts_ns),
        seq=seq,
    )


def bbo_record(bbo: BestBidOffer, *, venue: str, network: str, seq: int | None = None) -> BboRecord:
    return BboRecord(
        venue=venue,
        network=network,
        trading_pair=bbo.trading_pair,
        bid_price=number(bbo.bid.price) if bbo.bid else None,
        bid_amount=number(bbo.bid.amount) if bbo.bid else None,
        ask_price=number(bbo.ask.price) if bbo.ask else None,
        ask_amount=number(bbo.ask.amount) if bbo.ask else None,
        ts_ns=bbo.ts_ns,
        ts_iso=clock.iso(bbo.ts_ns),
        seq=seq,
    )


def trade_record(trade: PublicTrade, *, venue: str, network: str, seq: int | None = None) -> TradeRecord:
    return TradeRecord(
        venue=venue,
        network=network,
        trading_pair=trade.trading_pair,
        trade_id=trade.trade_id,
        side=trade.side.value,
        price=plain(trade.price),
        amount=plain(trade.amount),
        ts_ns=trade.ts_ns,
        ts_iso=clock.iso(trade.ts_ns),
        seq=seq,
    )


def control_record(control: Control, *, venue: str, network: str, seq: int | None = None) -> ControlRecord:
    return ControlRecord(
        venue=venue,
        network=network,
        kind=control.kind.value,
        channel=control.channel.value if control.channel else None,
        trading_pair=control.trading_pair,
        detail=control.detail,
        since_ts_ns=control.since_ns,
        since_ts_iso=iso(control.since_ns),
        ts_ns=control.ts_ns,
        ts_iso=clock.iso(control.ts_ns),
        seq=seq,
    )


def error_record(error: LatentspeedError, *, line: int | None = None) -> ErrorRecord:
    return ErrorRecord(
        error=ErrorBody(
            code=error.exit.label,
            exit_code=error.exit_code,
            message=str(error),
            venue_code=error.venue_code,
            retry=error.retry.value,
            retry_after_ms=error.retry_after_ms,
            hint=error.hint,
            client_order_id=error.client_order_id,
        ),
        line=line,
    )
