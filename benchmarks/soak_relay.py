"""A relay on loopback that adds market messages to those of the sandbox, and cuts every connection when it is told to.

What the sandbox says passes unchanged. To reach a rate, the last message about each market's book is sent again, whole:
a state, or levels with their sizes, that holds as long as nothing newer was said. dYdX numbers the messages of a
connection; there every message passes with a number of the relay's own.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from contextlib import suppress

TEXT = 0x81
CHUNK = 1 << 16
TICK_S = 0.005
# Catching up after a cut is no flood: so much above the rate at most.
CATCH_UP = 1.5
# A listener that is so far behind gets nothing more until it has read.
BEHIND_BYTES = 1 << 20
HYPERLIQUID_BOOK = re.compile(rb'\{"channel":"l2Book","data":\{"coin":"([^"]+)"')
DYDX_BOOK = re.compile(rb'\{"type":"channel_(?:batch_)?data".{0,160}"id":"([^"]+)","channel":"v4_orderbook"')
NUMBER = re.compile(rb'"message_id":(\d+)')


def text_frame(payload: bytes) -> bytes:
    """A whole text message as a server sends it: without a mask."""
    size = len(payload)
    if size < 126:
        return bytes((TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((TEXT, 127)) + size.to_bytes(8, "big") + payload


class Socket:
    """One WebSocket of a listener: what passes, and what can be said again."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.books: dict[bytes, bytes] = {}  # by market, in turns
        self.turns: deque[bytes] = deque()
        self._number = 0

    def pass_on(self, payload: bytes) -> None:
        self.writer.write(text_frame(self._numbered(payload)))
        found = HYPERLIQUID_BOOK.match(payload) or DYDX_BOOK.match(payload)
        if found is not None:
            if found[1] not in self.books:
                self.turns.append(found[1])
            self.books[found[1]] = payload

    def say_again(self) -> bytes:
        """The next market's message, framed."""
        market = self.turns[0]
        self.turns.rotate(-1)
        return text_frame(self._numbered(self.books[market]))

    def _numbered(self, payload: bytes) -> bytes:
        found = NUMBER.search(payload, 0, 200)
        if found is None:
            return payload
        if int(found[1]) and b'"type":"error"' not in payload[:40]:  # the greeting is 0; an error repeats a number
            self._number += 1
        return payload[: found.start(1)] + str(self._number).encode() + payload[found.end(1) :]


class Relay:
    """Listens on a port for an upstream port of this machine.

    rate: messages a second to all listeners together. passed: messages of the sandbox; added: said again. refusing:
    new connections are ended at once.
    """

    def __init__(self, upstream: int, rate: float) -> None:
        self.passed = self.added = self.cuts = 0
        self.refusing = False
        self._upstream = upstream
        self._rate = rate
        self._writers: set[asyncio.StreamWriter] = set()
        self._sockets: set[Socket] = set()

    async def listen(self) -> int:
        """The port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """End every connection by force: at one time between two messages with a reset, at the next within one."""
        self.cuts += 1
        for socket in self._sockets if self.cuts % 2 == 0 else ():
            if socket.turns:
                frame = socket.say_again()
                socket.writer.write(frame[: len(frame) // 2])
        for writer in tuple(self._writers):
            if self.cuts % 2:
                writer.transport.abort()
            else:
                writer.close()

    async def keep_rate(self) -> None:
        """Add what is missing from the rate, for as long as it runs."""
        loop = asyncio.get_running_loop()
        began_s = before_s = loop.time()
        already = self.passed
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            most = max(round((now_s - before_s) * self._rate * CATCH_UP), 1)
            due = min(most, round((now_s - began_s) * self._rate) - (self.passed - already) - self.added)
            before_s = now_s
            ready = [socket for socket in self._sockets if socket.turns and _listens(socket.writer)]
            for number, socket in enumerate(ready):
                share = due // len(ready) + (number < due % len(ready))
                if share > 0:
                    socket.writer.write(b"".join([socket.say_again() for _ in range(share)]))
                    self.added += share

    # Connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        there: asyncio.StreamWriter | None = None
        self._writers.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                back, there = await asyncio.open_connection("127.0.0.1", self._upstream)
                self._writers.add(there)
                there.write(head)
                is_socket = b"\r\nupgrade: websocket" in head.lower()
                answers = self._messages(back, writer) if is_socket else _pump(back, writer)
                await asyncio.gather(_pump(reader, there), answers)
        finally:
            for one in (writer, there):
                if one is not None:
                    self._writers.discard(one)
                    one.close()

    async def _messages(self, source: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a WebSocket's messages to its listener, which ends when either does."""
        writer.write(await source.readuntil(b"\r\n\r\n"))
        socket = Socket(writer)
        self._sockets.add(socket)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    head = await source.readexactly(2)
                    size = head[1]
                    if size >= 126:
                        long = await source.readexactly(2 if size == 126 else 8)
                        head, size = head + long, int.from_bytes(long, "big")
                    payload = await source.readexactly(size)
                    if writer.is_closing():  # it was cut while this message came
                        break
                    if head[0] == TEXT:
                        self.passed += 1
                        socket.pass_on(payload)
                    else:
                        writer.write(head + payload)
                    await writer.drain()
        finally:
            self._sockets.discard(socket)
            writer.close()


def _listens(writer: asyncio.StreamWriter) -> bool:
    return not writer.is_closing() and writer.transport.get_write_buffer_size() < BEHIND_BYTES


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    target.close()
