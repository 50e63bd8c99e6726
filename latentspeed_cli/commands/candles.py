"""`candles PAIR`: how a market went, oldest first; as many pages as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..clock import NS_PER_S
from ..core.market_data import INTERVALS_S
from ..core.words import nearest
from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Limit, PairOption, Pairs, Since, Until, filter_of, progress, reading

if TYPE_CHECKING:
    from ..records import CandleRecord
    from .call import Call
    from .reads import Filter

app = verb_app()

DEFAULT_COUNT = 100


def _intervals(ctx: object, args: object, incomplete: str) -> list[str]:
    return list(INTERVALS_S)


@app.command(cls=VerbCommand)
def candles(
    ctx: typer.Context,
    names: Pairs = None,
    pair: PairOption = None,
    interval: Annotated[str, typer.Option(help="1m to 1M.", autocompletion=_intervals)] = "1h",
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> Exit:
    """List candles: since a time, or the latest 100."""
    from ..records import CandleList, CandleRecord

    call = of(ctx)
    wanted = filter_of(names, pair, since=since, until=until, limit=limit)
    if len(wanted.names) != 1:
        raise UsageError("candles need one trading pair", hint="latentspeed candles BTC-USD --interval 1h --since 7d")
    if interval not in INTERVALS_S:
        raise UsageError(f"--interval: {interval[:60]!r} is not known", hint=nearest(interval, list(INTERVALS_S)))
    output = call.show_as(CandleRecord)
    found = call.run(_read(call, wanted, interval))
    output.show(CandleList(items=tuple(wanted.latest(found))))
    return Exit.OK


async def _read(call: Call, wanted: Filter, interval: str) -> list[CandleRecord]:
    from ..records import candle_record

    length_ns = INTERVALS_S[interval] * NS_PER_S
    end_ns = wanted.now_ns if wanted.until_ns is None else min(wanted.until_ns, wanted.now_ns)
    start_ns = wanted.since_ns
    if start_ns is None:  # the one that runs at the end, and so many before
        start_ns = (end_ns // length_ns - (wanted.limit or DEFAULT_COUNT) + 1) * length_ns
    elif wanted.limit is not None:
        start_ns = max(start_ns, end_ns - wanted.limit * length_ns)
    async with reading(call, public=True) as connector:
        found: list[CandleRecord] = []
        with progress(call.output, "candles", (end_ns - start_ns) // length_ns + 1) as advance:
            async for page in connector.candle_pages(wanted.names[0], interval, max(start_ns, 0), end_ns):
                found += [candle_record(row, venue=connector.name, network=connector.domain) for row in page]
                advance(len(page))
        return found
