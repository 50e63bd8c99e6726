"""`watch VIEW`: what a read tells now, kept up to date by a stream, on one screen that is drawn anew.

Without a terminal it gives the records of the read, then those of the stream, one a line. No stream tells leverage, or
how one stands altogether: these are read again, whenever a stream tells that they may have changed and now and then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..clock import SystemClock
from ..connector.streams import Channel
from ..core.market_data import BestBidOffer
from ..core.words import nearest
from ..errors import Exit, UsageError
from ..records import ControlRecord, LeverageRecord, Record, StatusRecord
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Pairs, named, reading
from .refreshed import LeverageView, StatusView, refreshed
from .stream import Limits, screen, until
from .stream_records import PUBLIC, RECORDS, Recorder
from .words import count_of

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from .call import Call

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
# Views that are read again and again, and what they show. Their channels only tell when.
REFRESHED: dict[str, type[Record]] = {"leverage": LeverageRecord, "status": StatusRecord}
DAY_NS = 86_400 * 10**9
LATEST = 10


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
    from ..config import parse_duration

    call = of(ctx)
    channels = VIEWS.get(view)
    if channels is None:
        raise UsageError(f"{view[:60]!r} cannot be watched", hint=nearest(view, list(VIEWS)))
    names = tuple(dict.fromkeys(pairs or ()))
    if (channels[0] in PUBLIC or view == "leverage") and not names and view != "markets":
        raise UsageError(f"watch {view} needs a trading pair", hint=f"latentspeed watch {view} BTC-USD")
    if depth is not None and view != "book":
        raise UsageError("--depth goes with book")
    limits = Limits(
        count=count_of(count, "--count"),
        duration_s=None if duration is None else parse_duration(duration, "--duration"),
        stale_after_s=None,
        depth=count_of(depth, "--depth"),
    )
    shown = (REFRESHED[view],) if view in REFRESHED else [record for one in channels for record in RECORDS[one]]
    call.show_as(*shown, streaming=True, among=ControlRecord)
    call.run(_watch(call, view, names, limits))
    return Exit.OK


async def _watch(call: Call, view: str, names: tuple[str, ...], limits: Limits) -> None:
    channels = VIEWS[view]
    async with reading(call, public=channels[0] in PUBLIC) as connector:
        pairs = await named(connector, names)
        recorder = Recorder(connector, channels, depth=limits.depth)
        with screen(call.output, is_current=True) as (show, lines):

            def shown(item: object) -> int:
                records = (item,) if isinstance(item, Record) else recorder.records(item)
                for record in records:
                    show(record)
                return len(records)

            items = connector.stream(channels, list(pairs))
            if view == "leverage":
                items = refreshed(items, LeverageView(connector, pairs))
            elif view == "status":
                items = refreshed(items, StatusView(call.settings, connector, pairs))
            else:
                async for item in _now(connector, channels, pairs):
                    shown(item)
                if lines is not None:
                    await lines.out()
            async with aclosing(items):
                await until(limits, items, shown, lines)


async def _now(
    connector: PerpetualDerivativeBase, channels: tuple[Channel, ...], pairs: tuple[str, ...]
) -> AsyncIterator[object]:
    """How things stand, as a stream would have told it. Books, quotes and candles come with their streams at once."""
    now_ns = SystemClock().now_ns()
    if Channel.TICKER in channels or Channel.FUNDING in channels:
        traded = [market.trading_pair for market in (await connector.markets()).symbols if market.refusal is None]
        for context in await connector.context(pairs or traded):
            yield context
    if Channel.BBO in channels:
        for pair in pairs:
            book = await connector.book(pair)
            bid, ask = (side[0] if side else None for side in (book.bids, book.asks))
            yield BestBidOffer(trading_pair=pair, ts_ns=book.ts_ns, bid=bid, ask=ask)
    if Channel.POSITIONS in channels or Channel.BALANCES in channels:
        state = await connector.account_state()
        if Channel.BALANCES in channels:
            for balance in state.balances:
                yield msgspec.structs.replace(balance, ts_ns=state.ts_ns)
        if Channel.POSITIONS in channels:
            for position in state.positions:
                if not pairs or position.trading_pair in pairs:
                    yield msgspec.structs.replace(position, ts_ns=state.ts_ns)
    if Channel.FILLS in channels:
        fills = [
            fill for fill in await connector.fills(since_ns=now_ns - DAY_NS) if not pairs or fill.trading_pair in pairs
        ]
        for fill in fills[-LATEST:]:
            yield fill
