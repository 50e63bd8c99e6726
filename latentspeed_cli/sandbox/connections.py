"""WebSocket connections as the shell writes to them: in order, without waiting, bounded.

Frames are written to the socket directly. A reader that does not read is dropped once its unread frames pass a bound;
it never slows down the venue or the other readers.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

# Unread bytes of one connection.
BOUND = 8 * 1024 * 1024
# Time for a peer to take what is still on its way when a connection ends.
LINGER_S = 2.0


def text_frame(text: str) -> bytes:
    """One unmasked, unfragmented text frame (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class Connection:
    """One WebSocket. Frames given before the handshake is through wait for it.

    held: a frame that the next one is to overtake. muted: nothing gets out any more, as on a dead path.
    """

    def __init__(self, number: int, path: str, bound: int = BOUND) -> None:
        self.number = number
        self.path = path
        self.held: str | None = None
        self.muted = False
        self._bound = bound
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._socket: web.WebSocketResponse | None = None
        self._end: tuple[int | None, str] | None = None
        self._closing: asyncio.Task[bool] | None = None

    @property
    def ended(self) -> bool:
        """Whether the venue is done with this connection."""
        return self._end is not None

    def attach(self, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        """The handshake is through."""
        self._socket, self._transport = socket, transport
        self.flush()

    def send(self, text: str) -> None:
        """Put one frame behind the others. flush() sends them."""
        if self._end is None and not self.muted:
            self._unsent.append(text_frame(text))

    def ping(self) -> None:
        """Put a ping of the protocol behind what was sent before. flush() sends it."""
        if self._end is None and not self.muted:
            self._unsent.append(b"\x89\x00")

    def pong(self, data: bytes) -> None:
        """Answer a ping of the protocol, ahead of what is not yet written."""
        if self._transport is not None and self._end is None and not self.muted:
            self._transport.write(b"\x8a" + bytes((len(data),)) + data)

    def end(self, code: int | None, reason: str = "") -> None:
        """End the connection behind what was sent before; code None: without a close frame."""
        if self._end is None:
            self._end = code, reason

    def flush(self) -> None:
        """Write what waits. Drops the connection when its reader is too far behind."""
        transport, socket = self._transport, self._socket
        if transport is None or socket is None or transport.is_closing():
            return
        if self._unsent:
            transport.write(self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent))
            self._unsent.clear()
            if transport.get_write_buffer_size() > self._bound:
                self.end(None)
                transport.abort()
                return
        if self._end is None or self._closing is not None:
            return
        code, reason = self._end
        if code is None:
            transport.close()
            asyncio.get_running_loop().call_later(LINGER_S, transport.abort)
        else:
            self._closing = asyncio.ensure_future(socket.close(code=code, message=reason.encode()))

    async def closed(self) -> None:
        """Wait for a close handshake that was begun."""
        if self._closing is not None:
            await self._closing
