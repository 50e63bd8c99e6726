"""`cancel`: end orders by id, or all that match; then report what each one is, as it was read afterwards."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from copy import copy
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from ..clock import NS_PER_S, SystemClock
from ..config import check_may_change, parse_duration
from ..core.ids import check_client_order_id
from ..core.types import OrderState, TradeType
from ..errors import (
    Exit,
    GuardRefused,
    IdConflict,
    LatentspeedError,
    OrderNotFound,
    OutcomeUnknown,
    UsageError,
)
from .call import of
from .complete import open_ids, sides
from .complete import pairs as pairs_of_venue
from .grammar import VerbCommand, verb_app
from .outcome import is_undecided, many_as_error
from .words import side_of

if TYPE_CHECKING:
    import asyncio

    from ..connector.perpetual import PerpetualDerivativeBase
    from ..core.in_flight_order import InFlightOrder
    from ..records import ErrorRecord, OrderRecord
    from .call import Call

app = verb_app()

AT_ONCE = 20  # orders that are cancelled at the same time


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one order that was to be cancelled."""

    record: OrderRecord | ErrorRecord
    error: LatentspeedError | None

    @property
    def end(self) -> Exit:
        return self.error.exit if self.error else Exit.OK


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders `--all` means. older_than_s: by the time they were placed."""

    trading_pair: str | None
    side: TradeType | None
    older_than_s: float | None


@app.command(cls=VerbCommand)
def cancel(
    ctx: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Client id, a unique prefix of one, or venue id.", autocompletion=open_ids
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All open orders that the filters leave.")] = False,
    pair: Annotated[
        str | None, typer.Option(help="With --all: only this trading pair.", autocompletion=pairs_of_venue)
    ] = None,
    side: Annotated[str | None, typer.Option(help="With --all: only buy or sell.", autocompletion=sides)] = None,
    older_than: Annotated[str | None, typer.Option(help="With --all: only orders older than this, as 10m.")] = None,
    exchange_id: Annotated[str | None, typer.Option(help="The venue's id; with an ID, both must fit.")] = None,
    external: Annotated[bool, typer.Option("--external", help="Also orders that were not placed from here.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            help="How long to wait. By default 15s, and longer where only the order's last block proves its end."
        ),
    ] = None,
) -> Exit:
    """Cancel orders and report what they are."""
    from ..records import OrderRecord  # not above, as asyncio: a shell that completes ids waits for this module

    call = of(ctx)
    wanted = list(dict.fromkeys(ids or ()))
    filters = Filters(
        trading_pair=pair,
        side=side_of(side),
        older_than_s=None if older_than is None else parse_duration(older_than, "--older-than"),
    )
    if all_ and (wanted or exchange_id):
        raise UsageError("--all does not go with ids")
    if not all_ and (pair or side or older_than):
        raise UsageError("--pair, --side and --older-than go with --all")
    if not all_ and not wanted and exchange_id is None:
        raise UsageError("which order?", hint="latentspeed cancel ID..., or --all")
    if exchange_id is not None and len(wanted) > 1:
        raise UsageError("--exchange-id goes with one ID at most")
    for text in (*wanted, *([exchange_id] if exchange_id is not None else ())):
        check_client_order_id(text)
    call.options = {"timeout": timeout}
    output = call.show_as(OrderRecord)
    check_may_change(call.settings)
    if all_:
        return _told(call, call.run(_cancel_all(call, filters, external=external)))
    if exchange_id is not None:
        pairs: list[tuple[str, str | None]] = [(wanted[0], exchange_id)] if wanted else [(exchange_id, exchange_id)]
    else:
        pairs = [(text, None) for text in wanted]
    ended = call.run(_cancel_ids(call, pairs, external=external))
    if len(ended) > 1:
        return _told(call, ended)
    [only] = ended
    if isinstance(only.record, OrderRecord):
        return output.finish(only.record, only.error)
    assert only.error is not None  # a record that is no order is an error
    raise only.error


def _told(call: Call, ended: list[Ended]) -> Exit:
    """Show the records of many orders; the exit code speaks for all of them."""
    from ..records import OrderList, OrderRecord, ResultList

    orders = tuple(item.record for item in ended if isinstance(item.record, OrderRecord))
    record: OrderList | ResultList = OrderList(items=orders)
    if len(orders) < len(ended):
        record = ResultList(items=tuple(item.record for item in ended))
    return call.output.finish(record, many_as_error([item.end for item in ended], call.stopped))


async def _cancel_ids(call: Call, pairs: list[tuple[str, str | None]], *, external: bool) -> list[Ended]:
    from ..records import error_record
    from ..session import open_connector

    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:

        async def look_up(text: str, exchange_id: str | None) -> InFlightOrder | Ended:
            try:
                return await _find(connector, text, exchange_id, external=external)
            except LatentspeedError as error:
                return Ended(record=error_record(error), error=error)

        return await _cancel_each(call, connector, [await look_up(*pair) for pair in pairs])


async def _cancel_all(call: Call, filters: Filters, *, external: bool) -> list[Ended]:
    from ..session import open_connector

    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        now_ns = SystemClock().now_ns()
        pair = None
        if filters.trading_pair is not None:
            pair = (await connector.markets()).symbols.find(filters.trading_pair).trading_pair
        orders = [
            order
            for order in await connector.open_orders()
            if (pair is None or order.trading_pair == pair)
            and (filters.side is None or order.side is filters.side)
            and (filters.older_than_s is None or now_ns - order.created_ts_ns >= filters.older_than_s * NS_PER_S)
            and (external or not order.is_external)
        ]
        return await _cancel_each(call, connector, orders)


async def _find(
    connector: PerpetualDerivativeBase, text: str, exchange_id: str | None, *, external: bool
) -> InFlightOrder:
    """The order that `text` names. Raises OrderNotFound, IdConflict, GuardRefused for one that is not ours."""
    order = await connector.find(text)
    if order is None and exchange_id is not None and exchange_id != text:
        order = await connector.find(exchange_id)
    if order is None:
        raise OrderNotFound(f"no order is known as {text}, here or at the venue")
    if exchange_id is not None and (order.exchange_order_id != exchange_id or not _bears(order, text)):
        raise IdConflict(
            f"{text} and exchange id {exchange_id} are not the same order", client_order_id=order.client_order_id
        )
    if order.is_external and not external:
        raise GuardRefused(
            f"order {text} was not placed from here", hint="say --external", client_order_id=order.client_order_id
        )
    return order


def _bears(order: InFlightOrder, text: str) -> bool:
    return order.exchange_order_id == text or order.client_order_id.startswith(text)


async def _cancel_each(
    call: Call, connector: PerpetualDerivativeBase, found: Sequence[InFlightOrder | Ended]
) -> list[Ended]:
    """Cancel every order that was found; what the venue takes together is sent together."""
    import asyncio

    deadline = asyncio.get_running_loop().time() + call.settings.timeout_s
    orders = [one for one in found if not isinstance(one, Ended)]
    together = asyncio.create_task(connector.cancel_together(orders, timeout_s=call.settings.timeout_s))

    async def one(item: InFlightOrder | Ended) -> Ended:
        return item if isinstance(item, Ended) else await _cancel_one(call, connector, item, together, deadline)

    try:
        return await _each(call, [one(item) for item in found])
    finally:
        together.cancel()


async def _cancel_one(
    call: Call, connector: PerpetualDerivativeBase, order: InFlightOrder, together: asyncio.Task[None], deadline: float
) -> Ended:
    """Cancel one order, after `together`. What happens before anything was sent is the order's end too, not the
    command's.
    """
    import asyncio

    from ..records import order_record

    try:
        await together
        left_s = max(deadline - asyncio.get_running_loop().time(), 0.0)
        outcome = await connector.cancel(order, timeout_s=left_s, to_the_end=call.options.get("timeout") is None)
    except asyncio.CancelledError:
        order = connector.order(order.client_order_id) or order
        if call.stopped is None:
            raise
        if is_undecided(order) or order.state is OrderState.PENDING_CANCEL:
            unknown = OutcomeUnknown(
                "stopped by a signal while the cancel's outcome is open",
                hint="latentspeed reconcile",
                client_order_id=order.client_order_id,
            )
            return Ended(record=order_record(order, outcome="unknown"), error=unknown)
        stopped: LatentspeedError = call.stopped("stopped by a signal", client_order_id=order.client_order_id)
        return Ended(record=order_record(order), error=stopped)
    except LatentspeedError as error:
        own = copy(error)  # what prevented them together is the error of each
        own.client_order_id = own.client_order_id or order.client_order_id
        is_unknown = isinstance(own, OutcomeUnknown)
        return Ended(record=order_record(order, outcome="unknown" if is_unknown else "not_sent"), error=own)
    return Ended(record=order_record(outcome.order, outcome=outcome.outcome), error=outcome.error)


async def _each(call: Call, work: list[Coroutine[Any, Any, Ended]]) -> list[Ended]:
    """All of `work`, some at a time, in their order. After a signal nothing new is begun."""
    import asyncio

    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(one: Coroutine[Any, Any, Ended]) -> Ended:
        try:
            async with turns:
                return await one
        finally:
            one.close()

    tasks = [asyncio.create_task(in_turn(one)) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    except asyncio.CancelledError:
        if call.stopped is None:
            raise
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return [item for item in ended if isinstance(item, Ended)]
