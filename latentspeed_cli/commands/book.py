"""`book PAIR...`: the order book as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import PairOption, Pairs, filter_of, named, reading
from .words import count_of

if TYPE_CHECKING:
    from ..records import BookRecord
    from .call import Call

app = verb_app()

# What fits on a screen.
DEPTH = 10


@app.command(cls=VerbCommand)
def book(
    ctx: typer.Context,
    names: Pairs = None,
    pair: PairOption = None,
    depth: Annotated[str | None, typer.Option(help="Levels of each side; 10 in a table, else all by default.")] = None,
) -> Exit:
    """Show order books: bids fall, asks rise."""
    from ..records import BookList, BookRecord

    call = of(ctx)
    wanted = filter_of(names, pair)
    if not wanted.names:
        raise UsageError("a book needs a trading pair", hint="latentspeed book BTC-USD")
    most = count_of(depth, "--depth")
    output = call.show_as(BookRecord)
    if most is None and output.format == "table":
        most = DEPTH
    records = call.run(_read(call, wanted.names, most))
    return output.finish(records[0] if len(records) == 1 else BookList(items=records), None)


async def _read(call: Call, names: tuple[str, ...], depth: int | None) -> tuple[BookRecord, ...]:
    from ..records import book_record

    async with reading(call, public=True) as connector:
        found = [await connector.book(pair) for pair in await named(connector, names)]
        return tuple(book_record(one, venue=connector.name, network=connector.domain, depth=depth) for one in found)
