"""`orders`: the orders of the account; open ones as the venue tells them now, with --all those of the journal too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..clock import SystemClock
from ..errors import Exit
from ..records import OrderList, OrderRecord, order_record
from .call import of
from .grammar import VerbCommand, verb_app
from .words import count_of, moment_of, side_of

if TYPE_CHECKING:
    from ..core.in_flight_order import InFlightOrder
    from .call import Call

app = verb_app()


@app.command(cls=VerbCommand)
def orders(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also orders that ended, from the journal.")] = False,
    pair: Annotated[str | None, typer.Option(help="Only this trading pair.")] = None,
    side: Annotated[str | None, typer.Option(help="Only buy or sell.")] = None,
    since: Annotated[str | None, typer.Option(help="Placed since: a time, or how long ago, as 24h.")] = None,
    until: Annotated[str | None, typer.Option(help="Placed until: the same.")] = None,
    limit: Annotated[str | None, typer.Option(help="At most so many, the latest.")] = None,
) -> Exit:
    """List open orders as the venue tells them; with --all, or a time, those that ended too."""
    call = of(ctx)
    now_ns = SystemClock().now_ns()
    since_ns, until_ns = moment_of(since, "--since", now_ns=now_ns), moment_of(until, "--until", now_ns=now_ns)
    most, wanted_side = count_of(limit, "--limit"), side_of(side)
    output = call.show_as(OrderRecord)
    found = call.run(_read(call, pair, ended=all_ or since is not None or until is not None))
    kept = [
        order
        for order in sorted(found, key=lambda order: (order.created_ts_ns, order.client_order_id))
        if (wanted_side is None or order.side is wanted_side)
        and (since_ns is None or order.created_ts_ns >= since_ns)
        and (until_ns is None or order.created_ts_ns <= until_ns)
    ]
    output.show(OrderList(items=tuple(map(order_record, kept[-most:] if most else kept))))
    return Exit.OK


async def _read(call: Call, pair: str | None, *, ended: bool) -> list[InFlightOrder]:
    from ..session import open_connector

    async with open_connector(call.settings, sign=False, notify=call.output.note) as connector:
        if pair is not None:
            pair = (await connector.reader.market(pair)).trading_pair
        found = {order.client_order_id: order for order in await connector.open_orders()}
        if ended:
            for order in connector.parts.journal.orders():
                if order.account == connector.account:
                    found.setdefault(order.client_order_id, order)
        return [order for order in found.values() if pair is None or order.trading_pair == pair]
