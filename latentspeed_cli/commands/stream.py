"""`stream`: news of a market or of the account, a line each, with records that say what may have been missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..config import parse_duration
from ..connector.streams import Channel, Control, ControlKind
from ..core.in_flight_order import InFlightOrder
from ..core.market_data import BestBidOffer, OrderBookSnapshot, PublicTrade
from ..core.reports import TradeUpdate
from ..core.words import nearest
from ..cursor import Cursor, Owner
from ..errors import CredentialError, Exit, OrderRefused, StreamLost, UsageError
from ..records import (
    BboRecord,
    BookRecord,
    FillRecord,
    OrderRecord,
    Record,
    TradeRecord,
    bbo_record,
    book_record,
    control_record,
    fill_record,
    order_record,
    trade_record,
)
from .call import of
from .grammar import VerbCommand, verb_app
from .words import count_of

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from ..output import Output
    from .call import Call

app = verb_app()

RECORDS: dict[Channel, type[Record]] = {
    Channel.BOOK: BookRecord,
    Channel.BBO: BboRecord,
    Channel.TRADES: TradeRecord,
    Channel.ORDERS: OrderRecord,
    Channel.FILLS: FillRecord,
}
PUBLIC = (Channel.BOOK, Channel.BBO, Channel.TRADES)
MAX_PAIRS = 100
# A reader of our output that takes nothing for so long has stopped.
STALLED_AFTER_S = 30.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a stream ends by itself, and how much of a book it shows. None: never, all."""

    count: int | None
    duration_s: float | None
    stale_after_s: float | None
    depth: int | None


def _channels(ctx: object, args: object, incomplete: str) -> list[str]:
    return [channel.value for channel in RECORDS]


@app.command(cls=VerbCommand)
def stream(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(help="book, bbo, trades, orders or fills", autocompletion=_channels)],
    pairs: Annotated[
        list[str] | None, typer.Argument(metavar="[PAIR]...", help="Trading pairs; all of them for orders and fills.")
    ] = None,
    depth: Annotated[str | None, typer.Option(help="Levels of a book, all by default.")] = None,
    count: Annotated[str | None, typer.Option(help="End after so many records.")] = None,
    duration: Annotated[str | None, typer.Option(help="End after this time, as 30s.")] = None,
    stale_after: Annotated[str | None, typer.Option(help="Exit 16 when nothing comes for this long, as 30s.")] = None,
    cursor: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Go on where the last run with it ended; orders, fills."),
    ] = None,
) -> Exit:
    """Follow a market or your own orders until Ctrl-C, --count or --duration."""
    call = of(ctx)
    wanted = _channel(channel)
    names = list(dict.fromkeys(pairs or ()))
    if wanted in PUBLIC and not names:
        raise UsageError(f"stream {channel} needs a trading pair", hint=f"latentspeed stream {channel} BTC-USD")
    if len(names) > MAX_PAIRS:
        raise OrderRefused(f"{len(names)} trading pairs are too many for one stream; {MAX_PAIRS} are allowed")
    if cursor is not None and wanted in PUBLIC:
        raise UsageError("--cursor goes with orders and fills", hint="what a market did meanwhile is not kept for you")
    limits = Limits(
        count=count_of(count, "--count"),
        duration_s=None if duration is None else parse_duration(duration, "--duration"),
        stale_after_s=None if stale_after is None else parse_duration(stale_after, "--stale-after"),
        depth=count_of(depth, "--depth"),
    )
    call.show_as(RECORDS[wanted], streaming=True)
    call.run(_follow(call, wanted, names, limits, None if cursor is None else Path(cursor).expanduser()))
    return Exit.OK


def _channel(word: str) -> Channel:
    for channel in RECORDS:
        if channel.value == word:
            return channel
    raise UsageError(f"unknown channel {word[:60]!r}", hint=nearest(word, [channel.value for channel in RECORDS]))


async def _follow(call: Call, channel: Channel, pairs: list[str], limits: Limits, file: Path | None) -> None:
    from ..session import open_connector

    async with open_connector(
        call.settings, sign=False, public=channel in PUBLIC, notify=call.output.note
    ) as connector:
        cursor = None if file is None else await _cursor(connector, channel, pairs, file)
        items = connector.stream((channel,), pairs, since_ns=None if cursor is None else cursor.since_ns)
        if cursor is not None:
            items = _resumed(items, cursor, connector, channel)
        async with aclosing(items):
            with _screen(call.output) as show:

                def shown(item: object, seq: int) -> None:
                    show(_record(item, connector, seq, limits.depth))
                    if cursor is not None and isinstance(item, TradeUpdate | InFlightOrder):
                        cursor.note(item)

                await _until(limits, items, shown)


async def _cursor(connector: PerpetualDerivativeBase, channel: Channel, pairs: list[str], file: Path) -> Cursor:
    """Where the reader with this file stands. Raises UsageError for a file that is another reader's."""
    if connector.account is None:
        raise CredentialError("private streams need an account, and none is configured", hint="configure a key")
    owner = Owner(
        venue=connector.name,
        network=connector.domain,
        account=connector.account,
        instance=connector.parts.instance,
        channel=channel.value,
        pairs=tuple(sorted({(await connector.reader.market(name)).trading_pair for name in pairs})),
    )
    return Cursor.open(file, owner, now_ns=connector.parts.clock.now_ns())


async def _resumed(
    items: AsyncGenerator[object, None], cursor: Cursor, connector: PerpetualDerivativeBase, channel: Channel
) -> AsyncGenerator[object, None]:
    """The items that were not shown before; after the first catching up also the orders that changed meanwhile."""
    is_behind = channel is Channel.ORDERS and not cursor.is_new
    async with aclosing(items):
        async for item in items:
            if not isinstance(item, TradeUpdate | InFlightOrder):
                yield item
                if is_behind and isinstance(item, Control) and item.kind is ControlKind.BACKFILLED:
                    is_behind = False
                    for order in cursor.missed(connector.parts.journal.orders()):
                        if order.account == connector.account and order.venue == connector.name:
                            yield order
            elif cursor.is_news(item):
                yield item


def _screen(output: Output) -> AbstractContextManager[Callable[[Record], None]]:
    """A table that is redrawn on a terminal, lines everywhere else."""
    if output.is_redrawn:
        from ..live import board

        return board(output.stdout, color=output.color)
    return output.patient(STALLED_AFTER_S)


class _Over(Exception):
    """The time that was asked for is over."""


async def _until(limits: Limits, items: AsyncIterator[object], show: Callable[[object, int], None]) -> None:
    """Show the items, numbered from 1, until a limit is reached. Raises StreamLost when nothing came for too long."""
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    end_s = inf if limits.duration_s is None else heard_s + limits.duration_s
    stale_s = inf if limits.stale_after_s is None else limits.stale_after_s

    async def watch() -> None:
        """One timer for the whole stream: one for each item would cost more than showing it."""
        due_s = min(end_s, heard_s + stale_s)
        while due_s > (now_s := loop.time()):
            await asyncio.sleep(due_s - now_s)
            due_s = min(end_s, heard_s + stale_s)
        raise _Over if now_s >= end_s else StreamLost(f"no news for {stale_s:g} s")

    seq, left = 0, limits.count
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch())
            async for item in items:
                seq += 1
                show(item, seq)
                if isinstance(item, Control):
                    continue
                heard_s = loop.time()
                if left is not None:
                    left -= 1
                    if not left:
                        break
            watching.cancel()
    except BaseExceptionGroup as group:  # whichever of the two raised first ended the stream
        if not isinstance(group.exceptions[0], _Over):
            raise group.exceptions[0] from None


def _record(item: object, connector: PerpetualDerivativeBase, seq: int, depth: int | None) -> Record:
    venue, network = connector.name, connector.domain
    if isinstance(item, OrderBookSnapshot):
        return book_record(item, venue=venue, network=network, depth=depth, seq=seq)
    if isinstance(item, BestBidOffer):
        return bbo_record(item, venue=venue, network=network, seq=seq)
    if isinstance(item, PublicTrade):
        return trade_record(item, venue=venue, network=network, seq=seq)
    if isinstance(item, TradeUpdate):
        return fill_record(item, venue=venue, network=network, account=connector.account or "", seq=seq)
    if isinstance(item, InFlightOrder):
        return order_record(item)
    if isinstance(item, Control):
        return control_record(item, venue=venue, network=network, seq=seq)
    raise TypeError(f"a stream gave {type(item).__name__}")
