"""`status`: without ids where this command line stands; with ids the full record of each order, settled if need be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..clock import NS_PER_MS, SystemClock, iso, monotonic_s
from ..core.decimals import plain
from ..core.ids import check_client_order_id
from ..errors import (
    Exit,
    LatentspeedError,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    TransportError,
)
from ..records import OrderList, OrderRecord, StatusRecord, order_record
from .call import of
from .grammar import VerbCommand, verb_app
from .outcome import is_undecided

if TYPE_CHECKING:
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
        list[str] | None, typer.Argument(metavar="[ID]...", help="Client id, a unique prefix of one, or venue id.")
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
    """The way to the venue, the clocks, the account and its orders; from the journal where the venue is down."""
    from ..session import open_connector

    async with open_connector(call.settings, sign=False, notify=call.output.note) as connector:
        started_s = monotonic_s()
        state: AccountState | None = None
        trouble: LatentspeedError | None = None
        latency_ms: int | None = None
        try:
            if connector.account is not None:
                await connector.markets()
                started_s = monotonic_s()
                state = await connector.account_state()
                latency_ms = round((monotonic_s() - started_s) * 1000)
                orders = await connector.open_orders()
            else:
                await connector.markets()
                orders = []
        except (TransportError, RateLimited) as error:
            trouble = error
            orders = [order for order in connector.in_flight_orders.values() if not is_undecided(order)]
        now_ns = SystemClock().now_ns()
        skew_ms = None
        if state is not None and latency_ms is not None:
            skew_ms = (now_ns - state.ts_ns) // NS_PER_MS - latency_ms // 2
        undecided = [order for order in connector.in_flight_orders.values() if is_undecided(order)]
        return (
            StatusRecord(
                venue=call.settings.venue,
                network=call.settings.network,
                profile=call.settings.profile,
                base_url=connector.web_utils.base_url,
                account=connector.account,
                reachable=trouble is None,
                stale=trouble is not None,
                latency_ms=latency_ms,
                clock_skew_ms=skew_ms,
                account_value=plain(state.account_value) if state else None,
                withdrawable=plain(state.withdrawable) if state else None,
                open_orders=tuple(map(order_record, orders)),
                undecided_orders=tuple(map(order_record, undecided)),
                ts_ns=now_ns,
                ts_iso=iso(now_ns),
            ),
            trouble,
        )
