"""Keeping a read up to date for a verb: how things stand, and then what a stream tells, or the read again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from ..clock import SystemClock
from ..connector.streams import Channel
from ..core.market_data import BestBidOffer
from ..records import LeverageRecord, Record, StatusRecord
from .reads import named, reading
from .refreshed import LeverageView, StatusView, refreshed
from .stream_records import Recorder, shown_in
from .streaming import Limits, screen, until

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from .call import Call

# Views that are read again and again, and what they show. Their channels only tell when.
REFRESHED: dict[str, type[Record]] = {"leverage": LeverageRecord, "status": StatusRecord}
DAY_NS = 86_400 * 10**9
LATEST = 10


def records_of(view: str, channels: Sequence[Channel]) -> Sequence[type[Record]]:
    """What a view shows, beside the controls of its stream."""
    return (REFRESHED[view],) if view in REFRESHED else shown_in(channels)


async def watched(call: Call, view: str, channels: tuple[Channel, ...], names: tuple[str, ...], limits: Limits) -> None:
    """Show a view. channels: of its stream."""
    async with reading(call, public=channels[0].is_public) as connector:
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
