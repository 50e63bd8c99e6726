"""`fills`: the fills of the account, oldest first, as the venue tells them; the journal's where it is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ..clock import NS_PER_S
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
    from ..records import FillList
    from .call import Call
    from .reads import Filter

app = verb_app()

DEFAULT_PERIOD_NS = 7 * 86_400 * NS_PER_S


@app.command(cls=VerbCommand)
def fills(
    ctx: typer.Context,
    names: Pairs = None,
    pair: PairOption = None,
    side: SideOption = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> Exit:
    """List fills of the account, of the last seven days by default."""
    from ..records import FillRecord

    call = of(ctx)
    wanted = filter_of(names, pair, side=side, since=since, until=until, limit=limit)
    output = call.show_as(FillRecord)
    return output.finish(*call.run(_read(call, wanted)))


async def _read(call: Call, wanted: Filter) -> tuple[FillList, LatentspeedError | None]:
    from ..records import FillList, fill_record

    since_ns = wanted.since_ns
    if since_ns is None:
        since_ns = (wanted.now_ns if wanted.until_ns is None else wanted.until_ns) - DEFAULT_PERIOD_NS
    async with reading(call, public=False) as connector:
        account = connector.account or ""
        trouble: LatentspeedError | None = None
        try:
            pairs = frozenset(await named(connector, wanted.names))
            found = await connector.fills(since_ns=since_ns, until_ns=wanted.until_ns)
        except DOWN as error:
            trouble = stale(error, "the journal's view")
            pairs = await named_locally(connector, wanted.names)
            found = connector.known_fills(since_ns=since_ns)
        kept = [fill for fill in found if wanted.holds(fill.trading_pair, fill.ts_ns, pairs, fill.side)]
        records = tuple(
            fill_record(fill, venue=connector.name, network=connector.domain, account=account)
            for fill in wanted.latest(kept)
        )
        return FillList(items=records, stale=trouble is not None), trouble
