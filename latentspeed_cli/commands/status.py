"""`status`: without ids where this command line stands; with ids the full record of each order, settled if need be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..clock import NS_PER_MS, NS_PER_S, SystemClock, iso, monotonic_s
from ..core.decimals import plain
from ..core.ids import check_client_order_id
from ..errors import (
    Exit,
    LatentspeedError,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    TransportError,
    VenueError,
)
from ..records import OrderList, OrderRecord, StatusRecord, order_record, position_record
from .call import of
from .complete import open_ids
from .grammar import VerbCommand, verb_app
from .outcome import is_undecided

if TYPE_CHECKING:
    from ..config import Settings
    from ..connector.perpetual import PerpetualDerivativeBase
    from ..core.account import AccountState
    from ..core.in_flight_order import InFlightOrder
    from .call import Call

app = verb_app()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One order as far as it could be read, and what is wrong with it."""

    record: OrderRecord | None
    error: LatentspeedError | None


@app.command(cls=VerbCommand)
def status(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Client id, a unique prefix of one, or venue id.", autocompletion=open_ids
        ),
    ] = None,
    timeout: Annotated[str | None, typer.Option(help="How long to look, 15s by default.")] = None,
) -> Exit:
    """Show connectivity, account and orders; or the full record of the orders with these ids."""
    call = of(ctx)
    call.options = {"timeout": timeout}
    wanted = [check_client_order_id(text) for text in dict.fromkeys(ids or ())]
    output = call.show_as(OrderRecord if wanted else StatusRecord)
    if not wanted:
        return output.finish(*call.run(_overview(call)))
    readings = call.run(_read_orders(call, wanted))
    records = [reading.record for reading in readings if reading.record is not None]
    errors = [reading.error for reading in readings if reading.error is not None]
    error = min(errors, key=_urgency, default=None)
    if len(wanted) > 1:
        return output.finish(OrderList(items=tuple(records)), error)
    if records:
        return output.finish(records[0], error)
    assert error is not None  # no record: there is a reason
    raise error


def _urgency(error: LatentspeedError) -> int:
    """Of several troubles the one to look at first: an order that may be live, then the venue against itself."""
    order = (Exit.UNKNOWN, Exit.PROTOCOL)
    return order.index(error.exit) if error.exit in order else len(order)


async def _read_orders(call: Call, wanted: list[str]) -> list[Reading]:
    from ..session import open_connector

    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        return [await _read_order(call, connector, text) for text in wanted]


async def _read_order(call: Call, connector: PerpetualDerivativeBase, text: str) -> Reading:
    """Bring one order up to date. When the venue cannot be asked, the journal's view and the reason."""
    try:
        order = await connector.find(text)
    except LatentspeedError as error:
        return Reading(record=None, error=error)
    if order is None:
        return Reading(record=None, error=OrderNotFound(f"no order is known as {text}, here or at the venue"))
    try:
        if is_undecided(order):
            order = await connector.resolve(order, timeout_s=call.settings.timeout_s)
        else:
            order = await connector.refresh(order)
    except (TransportError, RateLimited) as error:
        error.hint = error.hint or "the record shown is the journal's, and may be stale"
        error.client_order_id = order.client_order_id
        return Reading(record=order_record(order), error=error)
    return Reading(record=order_record(order), error=_trouble(order))


def _trouble(order: InFlightOrder) -> LatentspeedError | None:
    if order.contradiction is not None:
        error: LatentspeedError = ProtocolError(f"the venue contradicted itself: {order.contradiction}")
    elif is_undecided(order):
        error = OutcomeUnknown(
            "the order was sent and its outcome is not known; it may be live", hint="ask again in a moment"
        )
    else:
        return None
    error.client_order_id = order.client_order_id
    return error


async def _overview(call: Call) -> tuple[StatusRecord, LatentspeedError | None]:
    from ..session import open_connector

    async with open_connector(call.settings, sign=False, notify=call.output.note) as connector:
        return await overview(call.settings, connector)


async def overview(
    settings: Settings, connector: PerpetualDerivativeBase, *, before: StatusRecord | None = None
) -> tuple[StatusRecord, LatentspeedError | None]:
    """The way to the venue, the clocks, the account and its orders; where the venue is down, what is known here.

    before: the same a moment ago, and a stream has kept the orders up to date since: only the account is asked for.
    """
    trouble: LatentspeedError | None = None
    state: AccountState | None = None
    trip = Trip(latency_ms=None, skew_ms=None)
    orders: list[InFlightOrder] | None = None
    try:
        if before is None:
            await connector.markets()
            trip = await trip_to(connector)
        else:
            trip = Trip(latency_ms=before.latency_ms, skew_ms=before.clock_skew_ms)
        if connector.account is not None:
            state = await connector.account_state()
            if before is None:
                orders = await connector.open_orders()
    except (TransportError, RateLimited) as error:
        trouble = error
        error.hint = error.hint or "what is shown is what is known here, and may be stale"
        state = connector.reader.last_account_state()
    known = connector.in_flight_orders.values()
    if orders is None:
        orders = [order for order in known if not is_undecided(order)]
    undecided = [order for order in known if is_undecided(order)]
    is_stale = trouble is not None
    return _status_record(settings, connector, trip, state, orders, undecided, is_stale=is_stale), trouble


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """How long a question to the venue takes, and how far the clock here is before the venue's. None: not known."""

    latency_ms: int | None
    skew_ms: int | None


async def trip_to(connector: PerpetualDerivativeBase) -> Trip:
    """Ask the venue for its time, and once more: the first question also opens the connection.

    Raises what the read raises; a venue that does not tell its time leaves the skew open.
    """
    best = Trip(latency_ms=None, skew_ms=None)
    for _ in range(2):
        asked_ns, started_s = SystemClock().now_ns(), monotonic_s()
        try:
            venue_ns = await connector.reader.venue_time()
        except (OrderRefused, VenueError, ProtocolError):
            return Trip(latency_ms=round((monotonic_s() - started_s) * 1000), skew_ms=None)
        took_s = monotonic_s() - started_s
        skew_ms = (asked_ns + round(took_s * NS_PER_S / 2) - venue_ns) // NS_PER_MS
        best = Trip(latency_ms=round(took_s * 1000), skew_ms=skew_ms)
    return best


def _status_record(
    settings: Settings,
    connector: PerpetualDerivativeBase,
    trip: Trip,
    state: AccountState | None,
    orders: Sequence[InFlightOrder],
    undecided: Sequence[InFlightOrder],
    *,
    is_stale: bool,
) -> StatusRecord:
    now_ns = SystemClock().now_ns()
    return StatusRecord(
        venue=settings.venue,
        network=settings.network,
        profile=settings.profile,
        base_url=connector.web_utils.base_url,
        account=connector.account,
        reachable=not is_stale,
        stale=is_stale,
        latency_ms=trip.latency_ms,
        clock_skew_ms=trip.skew_ms,
        account_value=plain(state.account_value) if state else None,
        withdrawable=plain(state.withdrawable) if state else None,
        margin_used=plain(state.margin_used) if state else None,
        total_notional=plain(state.total_notional) if state else None,
        account_ts_ns=state.ts_ns if state else None,
        account_ts_iso=iso(state.ts_ns) if state else None,
        positions=tuple(
            position_record(
                one, venue=settings.venue, network=settings.network, account=state.account, ts_ns=state.ts_ns
            )
            for one in state.positions
        )
        if state
        else (),
        open_orders=tuple(map(order_record, orders)),
        undecided_orders=tuple(map(order_record, undecided)),
        ts_ns=now_ns,
        ts_iso=iso(now_ns),
    )
