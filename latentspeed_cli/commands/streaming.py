"""Following a stream for a verb: what the connector tells becomes records, on lines or in a table, until a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..connector.streams import Channel, Control, ControlKind
from ..core.in_flight_order import InFlightOrder
from ..core.reports import TradeUpdate
from ..cursor import Cursor, Owner
from ..errors import CredentialError, StreamLost
from ..records import Record
from .stream_records import Recorder

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from ..lines import Lines
    from ..output import Output
    from .call import Call

# A reader of our output that takes nothing for so long has stopped.
STALLED_AFTER_S = 30.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a stream ends by itself, and how much of a book it shows. None: never, all."""

    count: int | None
    duration_s: float | None
    stale_after_s: float | None
    depth: int | None


async def follow(
    call: Call, channels: tuple[Channel, ...], pairs: list[str], limits: Limits, file: Path | None, interval: str
) -> None:
    """Show the channels. file: that of a cursor. interval: of candles. Raises StreamLost, UsageError."""
    from ..session import open_connector

    async with open_connector(
        call.settings,
        sign=False,
        public=channels[0].is_public,
        candle_interval=interval,
        notify=call.output.note,
    ) as connector:
        cursor = None if file is None else await _cursor(connector, channels[0], pairs, file)
        items = connector.stream(channels, pairs, since_ns=None if cursor is None else cursor.since_ns)
        if cursor is not None:
            items = _resumed(items, cursor, connector, channels[0])
        recorder = Recorder(connector, channels, depth=limits.depth)
        async with aclosing(items):
            with screen(call.output) as (show, lines):

                def shown(item: object) -> int:
                    records = recorder.records(item)
                    for record in records:
                        show(record)
                    if cursor is not None and isinstance(item, TradeUpdate | InFlightOrder):
                        if lines is not None:
                            lines.flush()  # the cursor is past what the reader has
                        cursor.note(item)
                    return len(records)

                await until(limits, items, shown, lines)


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


@contextmanager
def screen(output: Output, *, is_current: bool = False) -> Iterator[tuple[Callable[[Record], None], Lines | None]]:
    """How to show a record: as lines, which have to be let out, or in a table on a terminal that is redrawn."""
    if output.is_redrawn:
        from ..live import board

        with board(output.stdout, color=output.color, is_current=is_current) as show:
            yield show, None
        return
    with output.patient(STALLED_AFTER_S) as lines:
        yield lines.show, lines


class _Over(Exception):
    """The time that was asked for is over."""


async def until(
    limits: Limits,
    items: AsyncIterator[object],
    show: Callable[[object], int],
    lines: Lines | None,
) -> None:
    """Show the items until a limit is reached. Raises StreamLost when nothing came for too long.

    show: says how many records an item was. lines: where it puts them, if they have to be let out. While their reader
    is slow no item is taken, so that whoever gives the items can leave out what is superseded.
    """
    loop = asyncio.get_running_loop()
    heard_s, is_over = loop.time(), False
    end_s = inf if limits.duration_s is None else heard_s + limits.duration_s
    stale_s = inf if limits.stale_after_s is None else limits.stale_after_s

    async def watch() -> None:
        """One timer for the whole stream: one for each item would cost more than showing it."""
        nonlocal heard_s, is_over
        due_s = min(end_s, heard_s + stale_s)
        while due_s > (now_s := loop.time()):
            await asyncio.sleep(due_s - now_s)
            if lines is not None and lines.is_held_up:
                heard_s = loop.time()  # nobody listens at present
            due_s = min(end_s, heard_s + stale_s)
        is_over = True
        if lines is not None:
            await lines.out()  # to take leave of the venue needs a moment; what was heard does not wait for that
        raise _Over if now_s >= end_s else StreamLost(f"no news for {stale_s:g} s")

    shown = asyncio.Event()

    async def let_out(lines: Lines) -> None:
        """What comes in one burst goes out together: this has its turn when there is nothing more to show."""
        while True:
            await shown.wait()
            shown.clear()
            await lines.out()

    left = limits.count
    try:
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(watch())]
            if lines is not None:
                helpers.append(tasks.create_task(let_out(lines)))
            async for item in items:
                if is_over:
                    continue
                records = show(item)
                shown.set()
                if lines is not None and lines.is_held_up:
                    await lines.out()
                if isinstance(item, Control):
                    continue
                heard_s = loop.time()
                if left is not None:
                    left -= records
                    if left <= 0:
                        break
            for helper in helpers:
                helper.cancel()
    except BaseExceptionGroup as group:  # whichever of them raised first ended the stream
        if not isinstance(group.exceptions[0], _Over):
            raise group.exceptions[0] from None
