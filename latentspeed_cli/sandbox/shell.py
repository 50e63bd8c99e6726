"""The local exchange's sockets: HTTP and WebSocket on loopback around a venue model, which does all the thinking.

One VenueServer a venue. A request's way: model -> store -> latency -> answer. Whatever the model did in one turn of the
loop is stored in one transaction, and nothing leaves before that transaction is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import msgspec
from aiohttp import WSMsgType, web

from ..clock import NS_PER_S, Clock
from ..errors import LatentspeedError, UsageError
from .faults import Fault, FaultKind, Faults
from .model import Close, HttpRequest, HttpResponse, Scenario, Send, VenueModel
from .store import Store, latest

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
MAX_BODY_BYTES = 2_000_000
MAX_FRAME_BYTES = 1_000_000
# A reader this far behind is dropped, as the venue does it; nothing is ever left out silently.
MAX_QUEUED_FRAMES = 20_000
_MIN_TICK_S = 0.001
_MAX_TICK_S = 1.0


class _Connection:
    """One WebSocket and the frames that wait to leave through it."""

    def __init__(self, socket: web.WebSocketResponse, request: web.BaseRequest) -> None:
        self.socket = socket
        self.request = request
        self.frames: asyncio.Queue[str | Close] = asyncio.Queue(MAX_QUEUED_FRAMES)

    def put(self, frame: str | Close) -> None:
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """Drop the socket without a close frame: the peer sees 1006."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def pump(self) -> None:
        """Send what is put, until the connection ends."""
        while True:
            frame = await self.frames.get()
            try:
                if isinstance(frame, str):
                    await self.socket.send_str(frame)
                elif frame.code is None:
                    return self.cut()
                else:
                    await self.socket.close(code=frame.code, message=frame.reason.encode())
                    return None
            except (ConnectionError, RuntimeError):  # the peer went away; aiohttp tells it in either way
                return None


class VenueServer:
    """Serves one venue. Use `start`, then let the loop run, then `stop`."""

    def __init__(self, model: VenueModel, store: Store, scenario: Scenario, clock: Clock, *, token: str) -> None:
        self.model = model
        self.scenario = scenario
        self.faults = Faults()
        self.base_url = ""
        self.last_active_ns = clock.now_ns()
        self._store = store
        self._clock = clock
        self._token = token
        self._connections: dict[int, _Connection] = {}
        self._next_connection = 1
        self._settling: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._runner: web.ServerRunner | None = None

    @property
    def ws_url(self) -> str:
        return "ws" + self.base_url.removeprefix("http") + self.model.ws_paths[0]

    @property
    def has_listeners(self) -> bool:
        return bool(self._connections)

    async def start(self, port: int) -> None:
        """Take up the stored state and listen. port 0: the kernel's choice. Raises OSError when the port is taken."""
        self.model.load(self._store.rows(self.model.name), self._clock.now_ns())
        await self._settle()
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        await site.start()
        bound = self._runner.addresses[0][1]
        self.base_url = f"http://{HOST}:{bound}"
        self._tick()

    async def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self._connections.values()):
            connection.put(Close(connection=0, code=1001, reason="going away"))
        if self._runner is not None:
            await self._runner.cleanup()
        await self._settle()

    # Time

    def _tick(self) -> None:
        now_ns = self._clock.now_ns()
        due_ns = self.model.tick(now_ns)
        self._settle()
        delay_s = min(max((due_ns - now_ns) / NS_PER_S, _MIN_TICK_S), _MAX_TICK_S)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    # After the model has done something

    def _settle(self) -> asyncio.Future[None]:
        """Done when all that the model has done so far is stored; its frames are on their way then."""
        if self._settling is None:
            loop = asyncio.get_running_loop()
            self._settling = loop.create_future()
            loop.call_soon(self._write)
        return self._settling

    def _write(self) -> None:
        done, self._settling = self._settling, None
        assert done is not None
        rows = self.model.changed_rows()
        try:
            if rows:
                self._store.write(self.model.name, latest(rows))
        except LatentspeedError as error:
            logger.critical("cannot store: %s", error)
            done.set_exception(error)
            done.exception()  # nobody may be waiting; it is logged
            return
        for item in self.model.outbox():
            connection = self._connections.get(item.connection)
            if connection is not None:
                connection.put(item.text if isinstance(item, Send) else item)
        done.set_result(None)

    # HTTP

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith("/control/"):
            return await self._control(request)
        self.last_active_ns = self._clock.now_ns()
        if path in self.model.ws_paths and request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        if path not in self.model.http_paths:
            return web.Response(status=404)
        body = await _read(request)
        if body is None:
            return web.Response(status=413)
        fault = self.faults.take(path)
        if fault is not None and fault.kind is FaultKind.DROP_REQUEST:
            return _cut(request)
        if fault is not None and fault.kind is FaultKind.STATUS:
            return web.Response(status=fault.status, text="")
        answer = self.model.http(
            HttpRequest(
                method=request.method,
                path=path,
                query=request.query,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
                peer=request.remote or HOST,
            ),
            self._clock.now_ns(),
        )
        await self._settle()
        if fault is not None:
            return await self._spoil(request, fault, answer)
        if self.scenario.latency_s:
            await asyncio.sleep(self.scenario.latency_s)
        return _response(answer)

    async def _spoil(self, request: web.BaseRequest, fault: Fault, answer: HttpResponse) -> web.StreamResponse:
        """What comes instead of the answer to a request that the model has carried out."""
        if fault.kind is FaultKind.LOSE_REPLY:
            return _cut(request)
        if fault.kind is FaultKind.STATUS_AFTER:
            return web.Response(status=fault.status, text="")
        if fault.kind is FaultKind.GARBAGE:
            return web.Response(status=200, body=b'{"status":"ok","resp', content_type="application/json")
        await asyncio.sleep(fault.seconds)
        return _response(answer)

    # WebSocket

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        number = self._next_connection
        self._next_connection += 1
        refusal = self.model.ws_open(number, request.path, request.remote or HOST, self._clock.now_ns())
        if refusal is not None:
            return _response(refusal)
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_FRAME_BYTES)
        await socket.prepare(request)
        connection = _Connection(socket, request)
        self._connections[number] = connection
        self._settle()
        pump = asyncio.ensure_future(connection.pump())
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.last_active_ns = self._clock.now_ns()
                    self.model.ws_frame(number, message.data, self.last_active_ns)
                    self._settle()
        finally:
            pump.cancel()
            del self._connections[number]
            self.last_active_ns = self._clock.now_ns()
            self.model.ws_close(number, self.last_active_ns)
            self._settle()
        return socket

    # Control

    async def _control(self, request: web.BaseRequest) -> web.Response:
        """POST /control/COMMAND with a JSON object, for whoever can read sandbox.json."""
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return web.json_response({"error": "wrong or missing control token"}, status=403)
        body = await _read(request) or b"{}"
        command = request.path.removeprefix("/control/")
        try:
            arguments = msgspec.json.decode(body, type=dict[str, object])
            result = self._command(command, arguments)
        except (msgspec.MsgspecError, UsageError) as error:
            return web.json_response({"error": str(error)}, status=400)
        await self._settle()
        return web.Response(body=msgspec.json.encode({"result": result}), content_type="application/json")

    def _command(self, command: str, arguments: Mapping[str, object]) -> object:
        if self.faults.add(command, arguments):
            return None
        if command == "clear_faults":
            self.faults.clear()
            return None
        if command == "disconnect":
            for connection in list(self._connections.values()):
                connection.cut()
            return len(self._connections)
        return self.model.control(command, arguments, self._clock.now_ns())


async def _read(request: web.BaseRequest) -> bytes | None:
    """The body; None when it is too large."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        return None
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


def _cut(request: web.BaseRequest) -> web.Response:
    """End the connection in the middle of a request: the client has no answer and cannot know."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _response(answer: HttpResponse) -> web.Response:
    headers = {**answer.headers, "Content-Type": answer.content_type} if answer.content_type else dict(answer.headers)
    return web.Response(status=answer.status, body=answer.body, headers=headers)
