"""`positions`: the open positions of the account; as they were seen last where the venue is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ..core.types import TradeType
from ..errors import Exit, LatentspeedError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import DOWN, Limit, PairOption, Pairs, SideOption, filter_of, named, named_locally, reading, stale

if TYPE_CHECKING:
    from ..records import PositionList
    from .call import Call
    from .reads import Filter

app = verb_app()


@app.command(cls=VerbCommand)
def positions(
    ctx: typer.Context, names: Pairs = None, pair: PairOption = None, side: SideOption = None, limit: Limit = None
) -> Exit:
    """List open positions. --side buy are the long ones."""
    from ..records import PositionRecord

    call = of(ctx)
    wanted = filter_of(names, pair, side=side, limit=limit)
    output = call.show_as(PositionRecord)
    return output.finish(*call.run(_read(call, wanted)))


async def _read(call: Call, wanted: Filter) -> tuple[PositionList, LatentspeedError | None]:
    from ..records import PositionList, position_record

    async with reading(call, public=False) as connector:
        trouble: LatentspeedError | None = None
        try:
            pairs = frozenset(await named(connector, wanted.names))
            state = await connector.account_state()
        except DOWN as error:
            last = connector.reader.last_account_state()
            if last is None:
                raise
            state, trouble = last, stale(error, "the account as it was seen last")
            pairs = await named_locally(connector, wanted.names)
        kept = [
            one
            for one in sorted(state.positions, key=lambda one: one.trading_pair)
            if wanted.holds(one.trading_pair, state.ts_ns, pairs, TradeType.BUY if one.amount > 0 else TradeType.SELL)
        ]
        records = tuple(
            position_record(
                one, venue=connector.name, network=connector.domain, account=state.account, ts_ns=state.ts_ns
            )
            for one in kept[: wanted.limit]
        )
        return PositionList(items=records, stale=trouble is not None), trouble
