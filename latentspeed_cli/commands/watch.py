"""`watch VIEW`: what a read tells now, kept up to date by a stream, on one screen that is drawn anew.

Without a terminal it gives the records of the read, then those of the stream, one a line. No stream tells leverage, or
how one stands altogether: these are read again, whenever a stream tells that they may have changed and now and then.
"""

from __future__ import annotations

from typing import Annotated

import typer

from ..config import parse_duration
from ..connector.streams import Channel
from ..core.words import nearest
from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Pairs
from .words import count_of

# Not here, as asyncio and the records: a shell that completes pairs waits for this module.
app = verb_app()

VIEWS: dict[str, tuple[Channel, ...]] = {
    "book": (Channel.BOOK,),
    "bbo": (Channel.BBO,),
    "trades": (Channel.TRADES,),
    "candles": (Channel.CANDLES,),
    "markets": (Channel.TICKER,),
    "funding": (Channel.FUNDING,),
    "orders": (Channel.ORDERS,),
    "fills": (Channel.FILLS,),
    "positions": (Channel.POSITIONS,),
    "balances": (Channel.BALANCES,),
    "leverage": (Channel.POSITIONS,),
    "status": (Channel.POSITIONS, Channel.BALANCES, Channel.ORDERS, Channel.FILLS),
}


def _views(ctx: object, args: object, incomplete: str) -> list[str]:
    return list(VIEWS)


@app.command(cls=VerbCommand)
def watch(
    ctx: typer.Context,
    view: Annotated[str, typer.Argument(help="A read: " + ", ".join(VIEWS) + ".", autocompletion=_views)],
    pairs: Pairs = None,
    depth: Annotated[str | None, typer.Option(help="Levels of a book, 10 on a terminal.")] = None,
    count: Annotated[str | None, typer.Option(help="End after so many updates.")] = None,
    duration: Annotated[str | None, typer.Option(help="End after this time, as 30s.")] = None,
) -> Exit:
    """Keep a read on the screen, up to date, until Ctrl-C."""
    from ..records import ControlRecord
    from .streaming import Limits
    from .watching import records_of, watched

    call = of(ctx)
    channels = VIEWS.get(view)
    if channels is None:
        raise UsageError(f"{view[:60]!r} cannot be watched", hint=nearest(view, list(VIEWS)))
    names = tuple(dict.fromkeys(pairs or ()))
    if (channels[0].is_public or view == "leverage") and not names and view != "markets":
        raise UsageError(f"watch {view} needs a trading pair", hint=f"latentspeed watch {view} BTC-USD")
    if depth is not None and view != "book":
        raise UsageError("--depth goes with book")
    limits = Limits(
        count=count_of(count, "--count"),
        duration_s=None if duration is None else parse_duration(duration, "--duration"),
        stale_after_s=None,
        depth=count_of(depth, "--depth"),
    )
    call.show_as(*records_of(view, channels), streaming=True, among=ControlRecord)
    call.run(watched(call, view, channels, names, limits))
    return Exit.OK
