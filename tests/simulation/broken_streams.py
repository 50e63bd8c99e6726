"""Bugs in streams: news that is lost, or told twice."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

from latentspeed_cli.connector.streams import Channel, ControlKind
from latentspeed_cli.core.types import OrderState

LONG_S = 600.0


def drop_early_reports(learn: Any) -> Any:
    """For UserStreamTracker._learn: what comes before the order's reply is not for an order we know."""

    def deaf(self: Any, items: Any, *, live: bool) -> Any:
        known = [item for item in items if not live or not _is_early(self._ledger.match(item))]
        return learn(self, known, live=live)

    return deaf


def _is_early(order: Any) -> bool:
    return order is not None and order.state is OrderState.PENDING_SUBMIT


def subscribe_once(connection: Any) -> Any:
    """For Line._connection: private subscriptions are asked for on the first connection alone."""

    async def forgetful(self: Any) -> None:
        if self._was_live:
            private = (Channel.ORDERS, Channel.FILLS)
            self._wanted = {key: one for key, one in self._wanted.items() if one.channel not in private}
        await connection(self)

    return forgetful


def skip_the_backfill(kinds: Any) -> Any:
    """For user_stream_tracker._BACKFILLED_AFTER."""
    return kinds - {ControlKind.RECONNECTED}


def pass_on_everything(is_first: Any) -> Any:
    """For UserStreamTracker._is_first."""
    return lambda self, fill: True


def believe_in_silence(dead_after_s: Any) -> Any:
    """For a venue's FrameSource.dead_after_s."""
    return inf


def ignore_missing_numbers(hear: Any) -> Any:
    """For dYdX's MessageCount.hear."""
    return lambda self, message_id, *, unanswered: False


def begin_with_the_greeting(begin: Any) -> Any:
    """For dYdX's FrameSource._begin."""
    return lambda self, said: begin(self, said) if said.type == "connected" else None


def look_at_the_latest(look_from_ns: Any) -> Any:
    """For UserStreamTracker._look_from_ns: back to where the latest backfill began, and no further."""
    return lambda self: self._to_look_at[-1][1]


def read_no_ended_orders(ended_orders: Any) -> Any:
    """For Reader.ended_orders."""

    async def read(self: Any, since_ns: int) -> tuple[object, ...]:
        return ()

    return read


def forget_the_untold(untold: Any) -> Any:
    """For UserStreamTracker._untold."""
    return lambda self, items: []


def doubt_nothing(doubt: Any) -> Any:
    """For UserStreamTracker._doubt."""
    return lambda self, order: None


def leave_a_task_behind(run: Any) -> Any:
    """For Line.run: ending the stream does not end what it began."""

    async def untidy(self: Any) -> None:
        self.left = asyncio.ensure_future(asyncio.sleep(LONG_S))
        await run(self)

    return untidy
