"""`stream`: news of a market or of the account, a line each, with records that say what may have been missed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..config import parse_duration
from ..connector.streams import Channel
from ..core.market_data import DEFAULT_INTERVAL, INTERVALS_S
from ..core.words import nearest
from ..errors import Exit, OrderRefused, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Pairs
from .words import count_of

# Not here, as asyncio and the records: a shell that completes pairs waits for this module.
app = verb_app()

MAX_PAIRS = 500


def _channels(ctx: object, args: object, incomplete: str) -> list[str]:
    """Names of channels, also behind those of a list that is begun."""
    begun, comma, _ = incomplete.rpartition(",")
    return [f"{begun}{comma}{channel.value}" for channel in Channel]


@app.command(cls=VerbCommand)
def stream(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(help="One channel, or several as book,trades.", autocompletion=_channels)],
    pairs: Pairs = None,
    interval: Annotated[str, typer.Option(help="Of candles, 1m to 1M.")] = DEFAULT_INTERVAL,
    depth: Annotated[str | None, typer.Option(help="Levels of a book, all by default.")] = None,
    count: Annotated[str | None, typer.Option(help="End after so many records.")] = None,
    duration: Annotated[str | None, typer.Option(help="End after this time, as 30s.")] = None,
    stale_after: Annotated[str | None, typer.Option(help="Exit 16 when nothing comes for this long, as 30s.")] = None,
    cursor: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Go on where the last run with it ended; orders, fills."),
    ] = None,
) -> Exit:
    """Follow markets or your own account until Ctrl-C, --count or --duration.

    Of markets: book bbo trades candles ticker funding. Of the account: orders fills positions balances events.
    """
    from ..records import ControlRecord
    from .stream_records import shown_in
    from .streaming import Limits, follow

    call = of(ctx)
    channels = _parse(channel)
    names = list(dict.fromkeys(pairs or ()))
    if channels[0].is_public and not names and channels != (Channel.TICKER,):
        raise UsageError(f"stream {channel} needs a trading pair", hint=f"latentspeed stream {channel} BTC-USD")
    if len(names) > MAX_PAIRS:
        raise OrderRefused(f"{len(names)} trading pairs are too many for one stream; {MAX_PAIRS} are allowed")
    if cursor is not None and channels not in ((Channel.ORDERS,), (Channel.FILLS,)):
        raise UsageError("--cursor goes with orders or fills", hint="one cursor, one of these channels")
    if interval not in INTERVALS_S:
        raise UsageError(f"--interval: {interval[:60]!r} is not known", hint=nearest(interval, list(INTERVALS_S)))
    if interval != DEFAULT_INTERVAL and Channel.CANDLES not in channels:
        raise UsageError("--interval goes with candles")
    if depth is not None and Channel.BOOK not in channels:
        raise UsageError("--depth goes with book")
    limits = Limits(
        count=count_of(count, "--count"),
        duration_s=None if duration is None else parse_duration(duration, "--duration"),
        stale_after_s=None if stale_after is None else parse_duration(stale_after, "--stale-after"),
        depth=count_of(depth, "--depth"),
    )
    call.show_as(*shown_in(channels), streaming=True, among=ControlRecord)
    file = None if cursor is None else Path(cursor).expanduser()
    call.run(follow(call, channels, names, limits, file, interval))
    return Exit.OK


def _parse(words: str) -> tuple[Channel, ...]:
    """The channels of a list with commas; all of them of markets, or all of the account."""
    known = {channel.value: channel for channel in Channel}
    found = []
    for word in words.split(","):
        if word not in known:
            raise UsageError(f"unknown channel {word[:60]!r}", hint=nearest(word, list(known)))
        found.append(known[word])
    channels = tuple(dict.fromkeys(found))
    if len({channel.is_public for channel in channels}) > 1:
        raise UsageError(
            f"{words[:60]} mixes channels of markets with those of the account", hint="use two commands, one for each"
        )
    return channels
