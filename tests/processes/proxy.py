"""A proxy on loopback between the command line and the sandbox that loses, cuts, delays, doubles and garbles bytes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

CHUNK = 65536


class Proxy:
    """Listens for each upstream port. Each chunk of bytes, in either direction, has its chance to meet trouble.

    lost: nothing more gets through, and the connection stays open. cut: half of the chunk, then the end. delayed: two
    seconds late. garbled: bytes that are no text. doubled: a request arrives once more, on a connection of its own.
    """

    def __init__(self, seed: int, rate: float) -> None:
        self.ports: dict[int, int] = {}
        self.rate = rate
        self.struck: Counter[str] = Counter()
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
        with suppress(OSError):
            while data := await source.read(CHUNK):
                what = self._trouble(data, is_request=upstream is not None)
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
                target.write(bytes(byte ^ 0x80 for byte in data) if what == "garbled" else data)
                await target.drain()
        target.close()

    def _trouble(self, data: bytes, *, is_request: bool) -> str | None:
        if self._dice.random() >= self.rate:
            return None
        kinds = ["lost", "cut", "delayed", "garbled"]
        if is_request and data.startswith((b"POST ", b"GET ")) and b"pgrade" not in data:
            kinds.append("doubled")
        what = self._dice.choice(kinds)
        self.struck[what] += 1
        return what

    async def _again(self, data: bytes, upstream: int) -> None:
        await asyncio.sleep(0.05)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", upstream)
            writer.write(data)
            await writer.drain()
            await reader.read(CHUNK)
            writer.close()


@contextmanager
def running(upstreams: set[int], *, seed: int, rate: float) -> Iterator[Proxy]:
    """A proxy in a thread of its own."""
    proxy, ready = Proxy(seed, rate), threading.Event()
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
