"""`trades PAIR...`: trades of a market, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Limit, PairOption, Pairs, SideOption, Since, Until, filter_of, named, reading

if TYPE_CHECKING:
    from ..core.market_data import PublicTrade
    from ..records import TradeRecord
    from .call import Call
    from .reads import Filter

app = verb_app()


@app.command(cls=VerbCommand)
def trades(
    ctx: typer.Context,
    names: Pairs = None,
    pair: PairOption = None,
    side: SideOption = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> Exit:
    """List trades, the latest by default. side is the aggressor's."""
    from ..records import TradeList, TradeRecord

    call = of(ctx)
    wanted = filter_of(names, pair, side=side, since=since, until=until, limit=limit)
    if not wanted.names:
        raise UsageError("trades need a trading pair", hint="latentspeed trades BTC-USD")
    output = call.show_as(TradeRecord)
    output.show(TradeList(items=call.run(_read(call, wanted))))
    return Exit.OK


async def _read(call: Call, wanted: Filter) -> tuple[TradeRecord, ...]:
    from ..records import trade_record

    async with reading(call, public=True) as connector:
        pairs = await named(connector, wanted.names)
        found: list[PublicTrade] = []
        for pair in pairs:
            if wanted.since_ns is None and wanted.until_ns is None:
                found += await connector.trades(pair)
                continue
            since_ns = wanted.since_ns or 0
            rows = await connector.past_trades(pair, start_ns=since_ns, end_ns=wanted.until_ns)
            if not connector.tells_past_trades:
                call.output.note(f"{connector.name} tells only its latest trades; what came before them is not here")
            found += rows
        found.sort(key=lambda trade: (trade.ts_ns, trade.trading_pair, trade.trade_id))
        kept = [trade for trade in found if wanted.holds(trade.trading_pair, trade.ts_ns, frozenset(pairs), trade.side)]
        return tuple(
            trade_record(trade, venue=connector.name, network=connector.domain) for trade in wanted.latest(kept)
        )
