"""The sockets, the clock and the latency around the venue models: HTTP and WebSocket on loopback.

The way of every request: the model answers; what it changed is stored; frames go out, then the answer, after the
scenario's latency. What one turn of the event loop changed is stored in one transaction, and nothing of it is told to
anybody before.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import WSMsgType, web
from multidict import CIMultiDict

from ..clock import NS_PER_S, Clock
from ..errors import UsageError
from .connections import Connection
from .faults import AFTER, BEFORE, Fault
from .home import loopback_address
from .model import Close, GrpcModel, HttpRequest, HttpResponse, Ping, Scenario, Send, StoredRow, VenueModel
from .store import Store
from .venue import Site, Venue

if TYPE_CHECKING:
    from .grpc_site import GrpcSite

log = logging.getLogger(__name__)

CONTROL_PREFIX = "/control/"
# Called with what follows the prefix.
ControlHandler: TypeAlias = Callable[[str, web.BaseRequest], Awaitable[web.StreamResponse]]
USUAL_PORT = 3001
_BACKLOG = 1024
# After a request, a model is asked anew when its next work is due, unless that was done within this time.
_STALE_TICK_S = 0.02
_CLOCK_SHIFT = "clock_shift_ns"


class Shell:
    """All venues of one sandbox. Raises StoreUnreadable when what was kept of a venue makes no sense.

    active_at: when the last request came, on the loop's clock. on_control: answers what comes below /control/.
    """

    def __init__(self, models: Iterable[VenueModel], *, scenario: Scenario, store: Store, clock: Clock) -> None:
        self.scenario = scenario
        self.venues: dict[str, Venue] = {}
        self.sites: list[Site] = []
        self.stopping = asyncio.Event()
        self.failure: Exception | None = None
        self.idle_s: float | None = None
        self.active_at = asyncio.get_running_loop().time()
        self._store = store
        self._clock = clock
        self._shift_ns = int(store.meta().get(_CLOCK_SHIFT, "0"))
        self._last_ns = 0
        self._numbers = itertools.count(1)
        self._open = 0
        self.on_control: ControlHandler | None = None
        self._servers: list[tuple[web.Server, asyncio.Server]] = []
        self._nodes: list[GrpcSite] = []
        self._rows: list[tuple[str, StoredRow]] = []
        self._items: list[tuple[Venue, Send | Close | Ping]] = []
        self._stored: asyncio.Future[None] | None = None
        for model in models:
            self._take_in(model)

    def _take_in(self, model: VenueModel) -> None:
        venue = self.venues[model.name] = Venue(model)
        site = next((site for site in self.sites if site.serves(model)), None)
        if site is None:
            site = Site()
            self.sites.append(site)
        site.add(venue)
        model.load(self._store.rows(model.name), self.now_ns())

    def now_ns(self) -> int:
        """The venues' time: the clock, moved by the control API, never backwards."""
        self._last_ns = max(self._last_ns, self._clock.now_ns() + self._shift_ns)
        return self._last_ns

    def advance(self, seconds: float) -> None:
        """Move the venues' clock forward, for good, and let them do what has become due."""
        self._shift_ns += int(seconds * NS_PER_S)
        self._store.set_meta({_CLOCK_SHIFT: str(self._shift_ns)})
        for venue in self.venues.values():
            venue.wake.set()

    async def listen(self, host: str, port: int | None) -> None:
        """Open the first site on `port` (None: 3001 if it is free; 0: the kernel's choice), the others near it.

        Raises UsageError when the host is not loopback or the port cannot be had.
        """
        address = loopback_address(host)
        wanted = (USUAL_PORT, 0) if port is None else (port,)
        for site in self.sites:
            http = web.Server(partial(self.handle, site), access_log=None)
            server = await _bind(http, address, wanted)
            self._servers.append((http, server))
            site.port = server.sockets[0].getsockname()[1]
            site.url = f"http://[{address}]:{site.port}" if ":" in address else f"http://{address}:{site.port}"
            wanted = (site.port % 65535 + 1, 0)
        for venue in self.venues.values():
            if isinstance(venue.model, GrpcModel):
                from .grpc_site import GrpcSite

                node = GrpcSite(self, venue, venue.model)
                self._nodes.append(node)
                venue.node_url = await node.listen(address, wanted)

    async def run(self) -> None:
        """Keep the venues going until stop() or a failure. Raises what a model's tick, or the disk, raised."""
        for venue in self.venues.values():
            self.settle(venue)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._tick(venue)) for venue in self.venues.values()]
            running.append(tasks.create_task(self._watch_idle()))
            await self.stopping.wait()
            for task in running:
                task.cancel()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        for http, server in self._servers:
            server.close()
            for venue in self.venues.values():
                for connection in venue.connections.values():
                    connection.end(None)
                    connection.flush()
            await http.shutdown(timeout=0.2)
        for node in self._nodes:
            await node.close()

    def stop(self) -> None:
        self.stopping.set()

    def settle(self, venue: Venue) -> asyncio.Future[None] | None:
        """Collect what a call of the model changed and wants to send. The future is done once it is stored and sent.

        None: nothing of this turn waits.
        """
        if asyncio.get_running_loop().time() - venue.ticked_at > _STALE_TICK_S:
            venue.wake.set()
        rows, items = venue.model.changed_rows(), venue.model.outbox()
        if rows or items:
            self._rows += [(venue.name, row) for row in rows]
            self._items += [(venue, item) for item in items]
            if self._stored is None:
                loop = asyncio.get_running_loop()
                self._stored = loop.create_future()
                loop.call_soon(self._flush)
        return self._stored

    def _flush(self) -> None:
        rows, items, stored = self._rows, self._items, self._stored
        self._rows, self._items, self._stored = [], [], None
        assert stored is not None
        if rows:
            try:
                self._store.write(rows)
            except Exception as error:  # whatever the disk says: nobody may hear of what is not stored
                self.failure = error
                self.stop()
                return
        touched = {connection: None for venue, item in items if (connection := venue.deliver(item)) is not None}
        for connection in touched:
            connection.flush()
        stored.set_result(None)

    async def _tick(self, venue: Venue) -> None:
        loop = asyncio.get_running_loop()
        while True:
            venue.wake.clear()
            venue.ticked_at = loop.time()
            due_ns = venue.model.tick(self.now_ns())
            self.settle(venue)
            pause_s = max((due_ns - self.now_ns()) / NS_PER_S, 0.001)
            try:
                async with asyncio.timeout(pause_s):
                    await venue.wake.wait()
            except TimeoutError:
                continue

    async def _watch_idle(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self.idle_s is None:
                await asyncio.sleep(60)
                continue
            if self._open:
                self.active_at = loop.time()
            rest_s = self.active_at + self.idle_s - loop.time()
            if rest_s <= 0:
                log.info("no request for %s s", self.idle_s)
                self.stop()
                return
            await asyncio.sleep(min(rest_s, 60) + 0.001)

    async def handle(self, site: Site, request: web.BaseRequest) -> web.StreamResponse:
        """One HTTP request or WebSocket handshake."""
        self.active_at = asyncio.get_running_loop().time()
        path = request.path
        venue = site.ws.get(path)
        if venue is not None and request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(venue, request)
        venue = site.find(path)
        if venue is not None:
            return await self._http(venue, request)
        if path.startswith(CONTROL_PREFIX) and self.on_control is not None:
            return await self.on_control(path.removeprefix(CONTROL_PREFIX), request)
        return web.Response(status=404)

    async def _http(self, venue: Venue, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        text = body.decode(errors="replace") if venue.faults else ""
        before = venue.faults.take(BEFORE, request.path, text) if venue.faults else None
        if before is not None:
            kind, fault = before
            if kind == "drop_request":
                return _abort(request)
            if kind == "status":
                return _refusal(fault)
            await asyncio.sleep(fault.seconds)
        incoming = HttpRequest(
            method=request.method,
            path=request.path,
            query=dict(request.query) if request.query_string else {},
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            peer=request.remote or "",
        )
        response = venue.model.http(incoming, self.now_ns())
        stored = self.settle(venue)
        if stored is not None:
            await stored
        if self.scenario.latency_s:
            await asyncio.sleep(self.scenario.latency_s)
        after = venue.faults.take(AFTER, request.path, text) if venue.faults else None
        return _answer(response) if after is None else await _spoiled(after, response, request)

    async def _websocket(self, venue: Venue, request: web.BaseRequest) -> web.StreamResponse:
        refused = venue.faults.take(("refuse_ws",), request.path, "") if venue.faults else None
        if refused is not None:
            return _refusal(refused[1])
        connection = Connection(next(self._numbers), request.path)
        refusal = venue.model.ws_open(connection.number, request.path, request.remote or "", self.now_ns())
        if refusal is not None:
            self.settle(venue)
            return _answer(refusal)
        venue.connections[connection.number] = connection
        self._open += 1
        self.settle(venue)
        try:
            socket = web.WebSocketResponse(autoping=False, compress=False, timeout=1.0)
            await socket.prepare(request)
            transport = request.transport
            if transport is not None:
                connection.attach(socket, transport)
                await self._read(venue, connection, socket)
                await connection.closed()
            return socket
        finally:
            self._open -= 1
            del venue.connections[connection.number]
            venue.model.ws_close(connection.number, self.now_ns())
            self.settle(venue)

    async def _read(self, venue: Venue, connection: Connection, socket: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        async for message in socket:
            self.active_at = loop.time()
            if message.type is WSMsgType.PING:
                connection.pong(message.data)
            elif message.type is WSMsgType.PONG:
                if isinstance(venue.model, GrpcModel):
                    venue.model.ws_pong(connection.number, self.now_ns())
            elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                text = message.data if isinstance(message.data, str) else message.data.decode(errors="replace")
                if self.scenario.latency_s:
                    loop.call_later(self.scenario.latency_s, self._frame, venue, connection, text)
                else:
                    self._frame(venue, connection, text)

    def _frame(self, venue: Venue, connection: Connection, text: str) -> None:
        if connection.number in venue.connections and not connection.ended:
            venue.model.ws_frame(connection.number, text, self.now_ns())
            self.settle(venue)


async def _bind(http: web.Server, address: str, wanted: tuple[int, ...]) -> asyncio.Server:
    """Listen on the first of the wanted ports that is free. Raises UsageError."""
    loop = asyncio.get_running_loop()
    for port in wanted:
        try:
            return await loop.create_server(http, address, port, backlog=_BACKLOG)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            if not in_use or port == wanted[-1]:
                reason = "is in use" if in_use else f"cannot be used: {error.strerror}"
                raise UsageError(f"port {port} {reason}", hint="choose another one, or none") from error
    raise AssertionError("no port was wanted")


def _answer(response: HttpResponse) -> web.Response:
    headers = CIMultiDict(response.headers)
    if response.body or response.content_type:
        headers["Content-Type"] = response.content_type
    return web.Response(status=response.status, body=response.body, headers=headers)


def _refusal(fault: Fault) -> web.Response:
    return web.Response(status=fault.status, body=fault.body.encode(), headers={"Content-Type": fault.content_type})


def _abort(request: web.BaseRequest) -> web.Response:
    """Drop the connection; the response returned never leaves."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _spoiled(struck: tuple[str, Fault], response: HttpResponse, request: web.BaseRequest) -> web.StreamResponse:
    """What becomes of an answer in trouble. The venue has done its work."""
    kind, fault = struck
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "lose_reply":
        return _abort(request)
    if kind == "status_after":
        return _refusal(fault)
    if kind == "garbage":
        return _answer(HttpResponse(status=200, body=fault.body.encode(), content_type="application/json"))
    if kind == "cut":
        return await _cut(response, request)
    await asyncio.sleep(fault.seconds)
    return _answer(response)


async def _cut(response: HttpResponse, request: web.BaseRequest) -> web.StreamResponse:
    """Half of the body, then the end of the connection."""
    half = web.StreamResponse(status=response.status, headers={"Content-Type": response.content_type})
    half.content_length = len(response.body)
    await half.prepare(request)
    await half.write(response.body[: len(response.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half
