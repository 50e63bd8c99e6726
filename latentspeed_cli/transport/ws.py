"""WsTransport: streams over WebSocket. It knows no venue: a data source says what to send and what frames mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from ..clock import Clock
from ..connector.streams import Conversation
from ..errors import StreamLost
from .backoff import Jitter
from .inbox import Inbox
from .line import Limits, Line, OpenSocket, open_socket
from .urls import check_url


class WsTransport:
    """Streams over WebSocket: no proxy, no compression, no redirect, frames up to 16 MiB, TLS always verified.

    open_socket: how a connection is made; a simulator brings its own.
    """

    def __init__(
        self, clock: Clock, jitter: Jitter, limits: Limits | None = None, *, open_socket: OpenSocket = open_socket
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._limits = Limits() if limits is None else limits
        self._open_socket = open_socket

    async def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
        """Items of the sources and Controls, for as long as the caller asks. A connection for each source.

        CONNECTED comes first, when every subscription is acknowledged; CLOSED when the line is lost (since_ns: its
        last frame), RECONNECTED when it is back and everything acknowledged again, GAP when a frame made no sense or
        the reader was too slow, STALE when a public channel is silent. Of several lines, each says so of its own
        channels and trading pairs.

        Raises ConnectFailed when there never was a connection, StreamLost when the budget of failures is spent or the
        venue refuses a subscription, ProtocolError when frames repeatedly make no sense, UsageError or GuardRefused
        for an address that must not be used.
        """
        for source, _ in conversations:
            check_url(source.url, schemes=("wss", "ws"))
        inbox = Inbox(self._clock, limit=self._limits.waiting_items)
        is_one_of_several = len(conversations) > 1
        # Sockets are read whether or not the caller is ready, so these are tasks; they live as long as this generator.
        tasks = [
            asyncio.create_task(
                Line(
                    self._clock,
                    self._jitter,
                    self._limits,
                    source,
                    subscriptions,
                    inbox,
                    self._open_socket,
                    is_one_of_several=is_one_of_several,
                ).run()
            )
            for source, subscriptions in conversations
        ]
        for task in tasks:
            task.add_done_callback(lambda done: None if done.cancelled() else inbox.fail(_failure(done)))
        try:
            while True:
                yield await inbox.get()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def _failure(task: asyncio.Task[None]) -> BaseException:
    return task.exception() or StreamLost("the stream ended")
