"""`bbo PAIR...`: best bid and best offer as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ..core.market_data import BestBidOffer
from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import PairOption, Pairs, filter_of, named, reading

if TYPE_CHECKING:
    from ..records import BboRecord
    from .call import Call

app = verb_app()


@app.command(cls=VerbCommand)
def bbo(ctx: typer.Context, names: Pairs = None, pair: PairOption = None) -> Exit:
    """Show the best bid and the best offer, of the whole book and uncrossed."""
    from ..records import BboList, BboRecord

    call = of(ctx)
    wanted = filter_of(names, pair)
    if not wanted.names:
        raise UsageError("bbo needs a trading pair", hint="latentspeed bbo BTC-USD")
    output = call.show_as(BboRecord)
    output.show(BboList(items=call.run(_read(call, wanted.names))))
    return Exit.OK


async def _read(call: Call, names: tuple[str, ...]) -> tuple[BboRecord, ...]:
    from ..records import bbo_record

    async with reading(call, public=True) as connector:
        books = [await connector.book(pair) for pair in await named(connector, names)]
        tops = [
            BestBidOffer(
                trading_pair=book.trading_pair,
                ts_ns=book.ts_ns,
                bid=book.bids[0] if book.bids else None,
                ask=book.asks[0] if book.asks else None,
            )
            for book in books
        ]
        return tuple(bbo_record(top, venue=connector.name, network=connector.domain) for top in tops)
