"""`orders`: the orders of the account; open ones as the venue tells them now, with --all those of the journal too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Exit, LatentspeedError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import (
    DOWN,
    Limit,
    PairOption,
    Pairs,
    SideOption,
    Since,
    Until,
    filter_of,
    named,
    named_locally,
    reading,
    stale,
)

if TYPE_CHECKING:
    from ..records import OrderList
    from .call import Call
    from .reads import Filter

app = verb_app()


@app.command(cls=VerbCommand)
def orders(
    ctx: typer.Context,
    names: Pairs = None,
    all_: Annotated[bool, typer.Option("--all", help="Also orders that ended, from the journal.")] = False,
    pair: PairOption = None,
    side: SideOption = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> Exit:
    """List open orders as the venue tells them; with --all, or a time, those that ended too."""
    from ..records import OrderRecord

    call = of(ctx)
    wanted = filter_of(names, pair, side=side, since=since, until=until, limit=limit)
    output = call.show_as(OrderRecord)
    return output.finish(*call.run(_read(call, wanted, ended=all_ or wanted.since_ns is not None or until is not None)))


async def _read(call: Call, wanted: Filter, *, ended: bool) -> tuple[OrderList, LatentspeedError | None]:
    """Where the venue is down: those that the journal believes open."""
    from ..records import OrderList, order_record

    async with reading(call, public=False) as connector:
        trouble: LatentspeedError | None = None
        try:
            pairs = frozenset(await named(connector, wanted.names))
            found = {order.client_order_id: order for order in await connector.open_orders()}
        except DOWN as error:
            trouble = stale(error, "the journal's view")
            pairs = await named_locally(connector, wanted.names)
            found = dict(connector.in_flight_orders)
        if ended:
            for order in connector.parts.journal.orders():
                if (order.account, order.venue) == (connector.account, connector.name):
                    found.setdefault(order.client_order_id, order)
        kept = [
            order
            for order in sorted(found.values(), key=lambda order: (order.created_ts_ns, order.client_order_id))
            if wanted.holds(order.trading_pair, order.created_ts_ns, pairs, order.side)
        ]
        records = tuple(map(order_record, wanted.latest(kept)))
        return OrderList(items=records, stale=trouble is not None), trouble
