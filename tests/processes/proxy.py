"""A proxy on loopback between the command line and the sandbox that loses, cuts, delays, doubles and garbles bytes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from urllib.parse import urlsplit

import msgspec

from latentspeed_cli.sandbox.home import Home, Running, VenueInfo

from .conftest import Sandbox, Trader

CHUNK = 65536
MOVED = ("base_url", "ws_url", "node_url")
# What a chunk of whole frames of a WebSocket may meet.
FRAME_TROUBLES = ("lost", "cut", "delayed", "garbled", "doubled", "scrambled")


class Proxy:
    """Listens for each upstream port. Each chunk of bytes, in either direction, has its chance (`rate`; `frame_rate`
    where it is whole frames of a WebSocket) to meet trouble.

    lost: nothing more gets through, and the connection stays open. cut: half of the chunk, then the end. delayed: two
    seconds late. garbled: bytes that are no text. doubled: a request arrives once more, on a connection of its own, and
    frames of a WebSocket come twice. scrambled: frames that are whole, with text that makes no sense.
    """

    def __init__(self, seed: int, rate: float, frame_rate: float) -> None:
        self.ports: dict[int, int] = {}
        self.rate = rate
        self.frame_rate = frame_rate
        self.struck: Counter[str] = Counter()
        self.struck_frames: Counter[str] = Counter()
        self._dice = Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, upstream: int) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.CancelledError):  # the end of the proxy is no trouble of its own
                there, back = await asyncio.open_connection("127.0.0.1", upstream)
                await asyncio.gather(self._pump(reader, back, upstream), self._pump(there, writer, None))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.ports[upstream] = server.sockets[0].getsockname()[1]
        return server

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, upstream: int | None) -> None:
        """Carry bytes one way. upstream: where to, if they are requests."""
        is_websocket = False
        with suppress(OSError):
            while data := await source.read(CHUNK):
                frames = texts_of(data) if is_websocket else []
                is_websocket = is_websocket or (upstream is None and data.startswith(b"HTTP/1.1 101"))
                what = self._trouble(data, is_request=upstream is not None, is_frames=bool(frames))
                if what == "lost":
                    await asyncio.sleep(3600)
                if what == "cut":
                    target.write(data[: len(data) // 2])
                    await target.drain()
                    break
                if what == "delayed":
                    await asyncio.sleep(2)
                if what == "doubled" and upstream is not None:
                    task = asyncio.create_task(self._again(data, upstream))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                elif what == "doubled":
                    data += data
                elif what == "garbled":
                    data = bytes(byte ^ 0x80 for byte in data)
                elif what == "scrambled":
                    data = scrambled(data, frames)
                target.write(data)
                await target.drain()
        target.close()

    def _trouble(self, data: bytes, *, is_request: bool, is_frames: bool) -> str | None:
        if self._dice.random() >= (self.frame_rate if is_frames else self.rate):
            return None
        kinds = ["lost", "cut", "delayed", "garbled"]
        if is_request and data.startswith((b"POST ", b"GET ")) and b"pgrade" not in data:
            kinds.append("doubled")
        if is_frames:
            kinds = list(FRAME_TROUBLES)
        what = self._dice.choice(kinds)
        self.struck[what] += 1
        if is_frames:
            self.struck_frames[what] += 1
        return what

    async def _again(self, data: bytes, upstream: int) -> None:
        await asyncio.sleep(0.05)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", upstream)
            writer.write(data)
            await writer.drain()
            await reader.read(CHUNK)
            writer.close()


def texts_of(data: bytes) -> list[slice]:
    """Where the texts are in these frames of a server (RFC 6455, section 5.2); none unless all of them are whole."""
    found, at = [], 0
    while at < len(data):
        size = data[at + 1] if at + 1 < len(data) else 0
        begin, longer = at + 2, {126: 2, 127: 8}.get(size, 0)
        if longer:
            size = int.from_bytes(data[begin : begin + longer])
        begin += longer
        if data[at] & 0x0F != 1 or begin + size > len(data):
            return []
        found.append(slice(begin, begin + size))
        at = begin + size
    return found


def scrambled(data: bytes, texts: list[slice]) -> bytes:
    """The same frames with other letters."""
    changed = bytearray(data)
    for text in texts:
        changed[text] = bytes(byte ^ 1 if byte < 0x80 else byte for byte in changed[text])
    return bytes(changed)


@contextmanager
def running(upstreams: set[int], *, seed: int, rate: float, frame_rate: float | None = None) -> Iterator[Proxy]:
    """A proxy in a thread of its own. frame_rate None: the same as rate."""
    proxy, ready = Proxy(seed, rate, rate if frame_rate is None else frame_rate), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        servers = [await proxy.listen(port) for port in sorted(upstreams)]
        ready.set()
        await asyncio.gather(*(server.serve_forever() for server in servers))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(10)


def ports_of(sandbox: Sandbox) -> set[int]:
    addresses = [getattr(venue, name) for venue in sandbox.venues.values() for name in MOVED]
    return {_port(address) for address in addresses if address is not None}


def _port(address: str) -> int:
    return urlsplit(address if "//" in address else f"//{address}").port or 0


def go_through(trader: Trader, sandbox: Sandbox, ports: dict[int, int]) -> Callable[[], None]:
    """Let the trader reach the sandbox through these ports. What is returned undoes that."""
    own = Home(trader.state).info

    def moved(venue: VenueInfo) -> VenueInfo:
        found = {name: getattr(venue, name) for name in MOVED}
        there = {
            name: address.replace(str(_port(address)), str(ports[_port(address)]))
            for name, address in found.items()
            if address is not None
        }
        return msgspec.structs.replace(venue, **there)

    known = msgspec.json.decode(Home(sandbox.folder).info.read_bytes(), type=Running)
    venues = {name: moved(venue) for name, venue in known.info.venues.items()}
    own.unlink()
    info = msgspec.structs.replace(known.info, venues=venues)
    own.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, info=info)))

    def undo() -> None:
        own.unlink()
        Home(sandbox.folder).share(trader.state)

    return undo
