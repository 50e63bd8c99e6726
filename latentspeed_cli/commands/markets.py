"""`markets`: what the venue lists, with its rules; from the cache where that is fresh, or where the venue is down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..clock import SystemClock
from ..core.words import nearest
from ..errors import Exit, LatentspeedError, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import DOWN, Limit, PairOption, Pairs, filter_of, reading, stale

if TYPE_CHECKING:
    from ..records import MarketList
    from .call import Call
    from .reads import Filter

app = verb_app()

KINDS = ("perp", "spot", "builder")


@app.command(cls=VerbCommand)
def markets(
    ctx: typer.Context,
    names: Pairs = None,
    pair: PairOption = None,
    kind: Annotated[str | None, typer.Option(help="Only perp, spot or builder; all of them by default.")] = None,
    prices: Annotated[bool, typer.Option("--prices", help="With mark price, funding and volume, read now.")] = False,
    limit: Limit = None,
) -> Exit:
    """List markets and their rules. What was read within ten minutes is not read again."""
    from ..records import MarketRecord

    call = of(ctx)
    wanted = filter_of(names, pair, limit=limit)
    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind: {kind[:60]!r} is not known", hint=nearest(kind, KINDS))
    output = call.show_as(MarketRecord)
    found, error = call.run(_read(call, wanted, kind, prices=prices))
    if wanted.names and len(found.items) == 1 and not found.stale:
        return output.finish(found.items[0], error)
    return output.finish(found, error)


async def _read(
    call: Call, wanted: Filter, kind: str | None, *, prices: bool
) -> tuple[MarketList, LatentspeedError | None]:
    from ..records import MarketList, market_record

    async with reading(call, public=True) as connector:
        trouble: LatentspeedError | None = None
        try:
            known = await connector.reader.all_markets()
        except DOWN as error:
            stored = await connector.reader.stored_markets()
            if stored is None:
                raise
            known, trouble = stored, stale(error, "what was last read of the markets")
        chosen = [known.symbols.find(name) for name in wanted.names] if wanted.names else list(known.symbols)
        chosen = [market for market in chosen if kind in (None, market.kind)]
        if wanted.limit is not None:
            chosen = chosen[: wanted.limit]
        traded = [market.trading_pair for market in chosen if market.trading_pair in known.rules and market.is_active]
        contexts = {}
        if prices and trouble is None and traded:
            contexts = {context.trading_pair: context for context in await connector.context(traded)}
        now_ns = SystemClock().now_ns()
        items = tuple(
            market_record(
                market,
                known.rules.get(market.trading_pair),
                contexts.get(market.trading_pair),
                venue=connector.name,
                network=connector.domain,
                ts_ns=now_ns,
            )
            for market in chosen
        )
        return MarketList(items=items, stale=trouble is not None), trouble
