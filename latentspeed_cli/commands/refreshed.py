"""Reads that no stream tells, read again: soon after a stream says that they may have changed, and now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from math import inf
from typing import TYPE_CHECKING, Protocol

import msgspec

from ..connector.streams import Control
from ..core.account import Position
from ..errors import ProtocolError, RateLimited, TransportError, VenueError
from ..records import LeverageRecord, Record, StatusRecord
from .leverage import read_leverage
from .status import overview

if TYPE_CHECKING:
    from ..config import Settings
    from ..connector.perpetual import PerpetualDerivativeBase

log = logging.getLogger(__name__)

# A venue counts what is asked of it: while much happens, and while nothing does.
HASTE_S = 2.0
CALM_S = 15.0

_END = object()


class View(Protocol):
    """A read that is kept up to date."""

    def is_news(self, item: object) -> bool:
        """Whether the read may tell something else after this."""
        ...

    async def read(self, *, whole: bool) -> Sequence[Record]:
        """What there is to show now. whole: nothing is taken over from the reading before. Raises what reads raise."""
        ...


async def refreshed(items: AsyncGenerator[object, None], view: View) -> AsyncGenerator[object, None]:
    """What `view` tells now and again, and the Controls of the stream that `items` are; its news is not passed on.

    Read at first, HASTE_S after the last reading when there is news, and wholly every CALM_S.
    """
    loop = asyncio.get_running_loop()
    whole_s = read_s = -inf
    has_news = False
    coming: asyncio.Task[object] | None = None
    async with aclosing(items):
        try:
            while True:
                due_s = min(whole_s + CALM_S, read_s + HASTE_S if has_news else inf)
                if (now_s := loop.time()) >= due_s:
                    whole = now_s >= whole_s + CALM_S
                    for record in await view.read(whole=whole):
                        yield record
                    read_s, has_news = loop.time(), False
                    whole_s = read_s if whole else whole_s
                    continue
                if coming is None:  # a generator cannot be asked with a timeout: that would end it
                    coming = asyncio.create_task(_next(items))
                await asyncio.wait([coming], timeout=due_s - now_s)
                if not coming.done():
                    continue
                item, coming = coming.result(), None
                if item is _END:
                    return
                if isinstance(item, Control):
                    yield item
                has_news = has_news or view.is_news(item)
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.wait([coming])


async def _next(items: AsyncGenerator[object, None]) -> object:
    return await anext(items, _END)


class StatusView:
    """`status` without ids. Between two whole readings the stream keeps the orders, and the account is asked for."""

    def __init__(self, settings: Settings, connector: PerpetualDerivativeBase, pairs: Sequence[str]) -> None:
        self._settings = settings
        self._connector = connector
        self._pairs = frozenset(pairs)
        self._before: StatusRecord | None = None

    def is_news(self, item: object) -> bool:
        return not isinstance(item, Control)

    async def read(self, *, whole: bool) -> Sequence[Record]:
        """A venue that is down is told of in the record."""
        record, _ = await overview(self._settings, self._connector, before=None if whole else self._before)
        self._before = record
        if not self._pairs:
            return (record,)
        kept = {
            name: tuple(row for row in getattr(record, name) if row.trading_pair in self._pairs)
            for name in ("positions", "open_orders", "undecided_orders")
        }
        return (msgspec.structs.replace(record, **kept),)


class LeverageView:
    """`leverage` of some markets: what is set, and again when it is another."""

    def __init__(self, connector: PerpetualDerivativeBase, pairs: Sequence[str]) -> None:
        self._connector = connector
        self._pairs = pairs
        self._told: dict[str, tuple[str, str]] = {}
        self._held: dict[str, tuple[object, ...]] = {}

    def is_news(self, item: object) -> bool:
        """Leverage is set for a market whether or not there is a position; where there is one, news of it may tell."""
        if not isinstance(item, Position):
            return False
        held = (item.amount, item.leverage, item.margin)
        known, self._held[item.trading_pair] = self._held.get(item.trading_pair), held
        return held != known

    async def read(self, *, whole: bool) -> Sequence[Record]:
        """That it cannot be read now is no trouble of the stream, once it was."""
        changed: list[LeverageRecord] = []
        for trading_pair in self._pairs:
            try:
                record = await read_leverage(self._connector, trading_pair)
            except (TransportError, RateLimited, VenueError, ProtocolError) as error:
                if trading_pair not in self._told:
                    raise
                log.info("leverage could not be read again", extra={"error": str(error)})
                continue
            told = record.leverage, record.margin
            if self._told.get(trading_pair) != told:
                self._told[trading_pair] = told
                changed.append(record)
        return changed
