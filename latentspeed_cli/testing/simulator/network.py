"""The network between simulated processes and one venue: requests and frames, with latency and with trouble."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ...clock import NS_PER_S, Clock
from ...core.events import Event
from ...core.flow import Reply, Request
from ...errors import ConnectFailed, LatentspeedError, ReplyLost
from ...sandbox.model import Close, GrpcModel, HttpRequest, Ping, Send, StoredRow, VenueModel
from ...transport.line import Limits, Socket
from .faults import Faults
from .loop import VirtualLoop
from .site import Sent, Site, Truth
from .trace import Trace

NS_PER_US = 1_000
REQUEST_TIMEOUT_S = 15.0
LATENCIES_S = (0.005, 0.02, 0.06, 0.2)
READ_LIES = {"status": "not_found", "open_orders": "incomplete_list", "fills": "fills_lag", "book": "bad_book"}


class Party(Protocol):
    """A process, as the network sees it. peer: its address. frames_lost: meant for it, and lost without a trace."""

    name: str
    peer: str
    dead: bool
    stopped: bool
    frames_lost: int

    @property
    def clock(self) -> Clock: ...

    def check_alive(self) -> None:
        """Raises OSError when the process is no more."""
        ...

    def kill(self, why: str) -> None: ...


class Watcher(Protocol):
    """Who looks at what passes by, to check it."""

    def told(self, process: Party, event: Event) -> None:
        """A process hears of an event."""

    def asked(self, process: Party, request: Request) -> None:
        """A process hands a request to the network."""

    def leaving(self, process: Party, request: Request, sent: Sent) -> None:
        """A process hands a change to the network."""

    def answered(self, process: Party, sent: Sent, *, is_a_lie: bool) -> None:
        """A reply in order is on its way to the process."""


class Venue:
    """The venue's side: the model, its clock, its connections, and its memory over restarts.

    accepted: placements that it took, with their bytes, by twin.
    """

    def __init__(self, site: Site, model: Callable[[], VenueModel], loop: VirtualLoop, trace: Trace, base_ns: int):
        self.site = site
        self.model = model()
        self._node = self.model if isinstance(self.model, GrpcModel) else None  # asking costs time, so once
        self.restarts = 0
        self.accepted: dict[str, list[tuple[Sent, bytes]]] = {}
        self._make = model
        self._loop = loop
        self._trace = trace
        self._base_ns = base_ns
        self._sockets: dict[int, SimulatedSocket] = {}
        self._numbers = count(1)
        self._rows: dict[tuple[str, str], StoredRow] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self.model.load((), self.now_ns())
        self._keep()
        self.tick()

    def now_ns(self) -> int:
        return self._base_ns + int(self._loop.time() * NS_PER_S)

    def request(self, request: Request, sent: Sent, peer: str) -> Reply:
        """What the model answers, at once."""
        now_ns = self.now_ns()
        parts = urlsplit(request.url)
        if parts.scheme == "grpc":
            assert self._node is not None
            status, body = self._node.grpc(parts.path, request.body, now_ns)
            reply = Reply(status=status, body=body, headers={}, received_ns=0)
        else:
            said = self.model.http(
                HttpRequest(
                    method=request.method,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query)),
                    headers={"content-type": request.content_type},
                    body=request.body,
                    peer=peer,
                ),
                now_ns,
            )
            reply = Reply(status=said.status, body=said.body, headers=said.headers, received_ns=0)
        self._settle()
        if sent.twin is not None and self.site.accepts(sent, reply):
            self.accepted.setdefault(sent.twin, []).append((sent, request.body))
        return reply

    def truth(self) -> Truth:
        """What the venue knows about the account now."""
        accepted = {twin: found[-1][0] for twin, found in self.accepted.items()}
        return self.site.truth(self.model, self.now_ns(), accepted)

    def connect(self, socket: SimulatedSocket, path: str, peer: str) -> int:
        """A new connection's number. Raises OSError when the venue refuses it."""
        number = next(self._numbers)
        refusal = self.model.ws_open(number, path, peer, self.now_ns())
        if refusal is not None:
            raise ConnectionRefusedError(f"status {refusal.status}")
        self._sockets[number] = socket
        self._settle()
        return number

    def frame(self, number: int, text: str) -> None:
        if number in self._sockets:
            self.model.ws_frame(number, text, self.now_ns())
            self._settle()

    def disconnect(self, number: int) -> None:
        if self._sockets.pop(number, None) is not None:
            self.model.ws_close(number, self.now_ns())
            self._settle()

    def tick(self) -> None:
        """Let the model do what is due, and come back when more is."""
        now_ns = self.now_ns()
        self._due_ns = max(self.model.tick(now_ns), now_ns + 1)
        self._wake_at(self._due_ns)
        self._deliver()

    def control(self, command: str, arguments: Mapping[str, object]) -> None:
        """The control API of the model: what others do to the venue."""
        self.model.control(command, arguments, self.now_ns())
        self._settle()

    def restart(self) -> None:
        """Everybody is cut off, and the venue comes back with what it had stored."""
        self.restarts += 1
        self._trace.note("venue", "restarts")
        sockets, self._sockets = self._sockets, {}
        for socket in sockets.values():
            socket.break_(ConnectionResetError("the venue went away"))
        self._keep()
        self.model = self._make()
        self._node = self.model if isinstance(self.model, GrpcModel) else None
        self.model.load(list(self._rows.values()), self.now_ns())
        self.tick()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wake_at(self, due_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # A little later than due: a float that is a little earlier would find nothing due, for ever.
        self._timer = self._loop.call_at((due_ns - self._base_ns + NS_PER_US) / NS_PER_S, self.tick)

    def _settle(self) -> None:
        """After a call of the model: it may have work that is due earlier now."""
        if self._due_ns - self.now_ns() > NS_PER_S // 4:
            self._due_ns = self.now_ns() + NS_PER_S // 20
            self._wake_at(self._due_ns)
        self._deliver()

    def _keep(self) -> None:
        for row in self.model.changed_rows():
            if row.value is None:
                self._rows.pop((row.kind, row.key), None)
            else:
                self._rows[row.kind, row.key] = row

    def _deliver(self) -> None:
        for item in self.model.outbox():
            socket = self._sockets.get(item.connection)
            if socket is None:
                continue
            if isinstance(item, Send):
                socket.deliver(item.text)
            elif isinstance(item, Close):
                socket.break_(ConnectionResetError(f"closed with {item.code}"))
            elif isinstance(item, Ping) and self._node is not None:
                self._loop.call_later(0.05, self._node.ws_pong, item.connection, self.now_ns())


class Network:
    """What every process sends through. watcher: sees each request and each reply; set it before the first one."""

    watcher: Watcher

    def __init__(self, venue: Venue, faults: Faults, loop: VirtualLoop, trace: Trace) -> None:
        self.venue = venue
        self.faults = faults
        self.loop = loop
        self.trace = trace
        self.requests_total = 0
        self._latency = faults.chance("latency")

    def latency_s(self) -> float:
        return self._latency.choice(LATENCIES_S)

    def between(self, part: str, low: float, high: float) -> float:
        return self.faults.chance(part).uniform(low, high)


class SimulatedHttp:
    """connector.parts.Http for one process: HTTP and gRPC."""

    def __init__(self, network: Network, process: Party) -> None:
        self._network = network
        self._process = process

    async def send(self, request: Request) -> Reply:
        """As Http.send."""
        network, process, faults = self._network, self._process, self._network.faults
        process.check_alive()
        sent = network.venue.site.read(request)
        network.requests_total += 1
        network.watcher.asked(process, request)
        if request.changes:
            network.watcher.leaving(process, request, sent)
            if faults.strikes("kill_before_send"):
                process.kill("before it sent")
                await asyncio.sleep(0)
        if faults.strikes("connect_failed"):
            network.trace.note(process.name, f"{sent.kind} cannot connect")
            await asyncio.sleep(network.latency_s())
            raise ConnectFailed("no connection to the venue: simulated")
        passage = _Passage(network, process, request, sent)
        passage.leave()
        if request.changes and faults.strikes("kill_after_send"):
            process.kill("after it sent")
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await passage.future
        except TimeoutError:
            raise ReplyLost("the reply was lost: it took too long") from None


class _Passage:
    """One request on its way, whether or not anybody still waits for its reply."""

    def __init__(self, network: Network, process: Party, request: Request, sent: Sent) -> None:
        self._network = network
        self._process = process
        self._request = request
        self._sent = sent
        self._may_come_twice = request.changes is False
        self.future: asyncio.Future[Reply] = network.loop.create_future()

    def leave(self) -> None:
        network, faults = self._network, self._network.faults
        delay_s = network.latency_s()
        what = f"{self._sent.kind} {self._sent.twin or ''} {self._sent.nonce or ''}"
        if faults.strikes("request_lost"):
            network.trace.note(self._process.name, f"{what} is lost")
            return
        if faults.strikes("request_late"):
            delay_s += network.between("late", 2.0, 40.0)
        network.trace.note(self._process.name, f"{what} leaves, to arrive in {delay_s:.3f} s")
        network.loop.call_later(delay_s, self._arrive)
        if faults.strikes("request_twice"):
            network.loop.call_later(delay_s + network.between("late", 0.0, 20.0), self._arrive_again)

    def _arrive_again(self) -> None:
        if not self._may_come_twice:
            return
        reply = self._network.venue.request(self._request, self._sent, self._process.peer)
        self._network.trace.note("venue", f"answers a copy of {self._sent.kind} {self._sent.twin}: {_words(reply)}")

    def _arrive(self) -> None:
        faults, sent, site, is_a_lie = self._network.faults, self._sent, self._network.venue.site, False
        if faults.strikes("refused_for_rate"):
            return self._reply(site.rate_refusal(self._request))
        if faults.strikes("failed_before"):
            return self._reply(site.failure(self._request))
        if sent.kind == "place" and faults.strikes("nonce_refused"):
            reply = site.refusal(sent)
        elif sent.kind == "cancel" and site.loses_cancels and faults.strikes("cancel_lost"):
            reply = site.cancel_taken(sent)
        else:
            reply = self._network.venue.request(self._request, sent, self._process.peer)
            # A refusal is definite, so a copy of what was refused must not be accepted: no such network is known.
            self._may_come_twice = self._may_come_twice or sent.kind != "place" or site.accepts(sent, reply)
            lie = READ_LIES.get(sent.kind)
            if lie is not None and reply.status in (0, 200) and faults.strikes(lie):
                reply, is_a_lie = site.lie(lie, sent, reply, faults.chance("lies")), True
        if self._request.changes:
            self._network.trace.note("venue", f"answers {sent.kind} {sent.twin}: {_words(reply)}")
        if faults.strikes("reply_lost"):
            return self._fail(ReplyLost("the reply was lost: the connection broke"))
        if faults.strikes("failed_after"):
            return self._reply(site.failure(self._request))
        if faults.strikes("garbage"):
            garbage = b"<html>" + reply.body[: len(reply.body) // 2]
            return self._reply(msgspec.structs.replace(reply, body=garbage), is_a_lie=True)
        if faults.strikes("odd_shape"):
            odd = b'{"status":"perhaps","response":[null]}'
            return self._reply(msgspec.structs.replace(reply, body=odd), is_a_lie=True)
        return self._reply(reply, is_a_lie=is_a_lie)

    def _reply(self, reply: Reply, *, is_a_lie: bool = False) -> None:
        network = self._network
        delay_s = network.latency_s()
        if network.faults.strikes("reply_late"):
            delay_s += network.between("late", 2.0, 30.0)
        if reply.status in (0, 200):
            network.watcher.answered(self._process, self._sent, is_a_lie=is_a_lie)
        network.loop.call_later(delay_s, self._deliver, reply)

    def _fail(self, error: LatentspeedError) -> None:
        self._network.loop.call_later(self._network.latency_s(), self._deliver, error)

    def _deliver(self, outcome: Reply | LatentspeedError) -> None:
        if self.future.done():
            return
        if isinstance(outcome, Reply):
            self.future.set_result(msgspec.structs.replace(outcome, received_ns=self._process.clock.now_ns()))
        else:
            self.future.set_exception(outcome)


def _words(reply: Reply) -> str:
    return f"{reply.status} {reply.body[:300]!r}"


class SimulatedSocket:
    """transport.line.Socket: one connection. waiting: frames nobody has read yet."""

    def __init__(self, network: Network, process: Party) -> None:
        self._network = network
        self._process = process
        self._loop = network.loop
        self._next_s = 0.0
        self._is_deaf = False
        self._error: OSError | None = None
        self._news = asyncio.Event()
        self.number = 0
        self.waiting: deque[str] = deque()

    async def send(self, message: str) -> None:
        self._process.check_alive()
        if self._error is not None:
            raise self._error
        if not self._is_deaf:
            self._loop.call_later(self._network.latency_s(), self._network.venue.frame, self.number, message)

    async def recv(self) -> str | bytes:
        while not self.waiting:
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()
        return self.waiting.popleft()

    def deliver(self, text: str) -> None:
        """A frame of the venue's, on its way: in order, unless the network is not."""
        network, faults = self._network, self._network.faults
        if self._is_deaf:
            return
        if faults.strikes("socket_cut"):
            self.break_(ConnectionResetError("cut"))
            return
        if faults.strikes("socket_half_open"):
            self._is_deaf = True
            return
        if network.venue.site.is_ack(text) and faults.strikes("ack_lost"):
            return
        if faults.strikes("frame_lost"):
            self._process.frames_lost += 1
            return
        if faults.strikes("frame_garbage"):
            text = text[: len(text) // 2]
        now_s = self._loop.time()
        at_s = max(self._next_s, now_s + network.latency_s())
        if faults.strikes("frame_late"):
            self._loop.call_at(at_s + network.between("late", 0.1, 5.0), self._arrive, text)
        else:
            self._next_s = at_s
            self._loop.call_at(at_s, self._arrive, text)
        if faults.strikes("frame_twice"):
            self._loop.call_at(at_s + network.between("late", 0.0, 5.0), self._arrive, text)

    def break_(self, error: OSError) -> None:
        """Of a connection that is half open nobody hears that it is no more."""
        if self._error is None and not self._is_deaf:
            self._network.trace.note(self._process.name, f"socket {self.number} breaks: {error}")
            self._error = error
            self._news.set()

    def _arrive(self, text: str) -> None:
        if self._error is None:
            self.waiting.append(text)
            self._news.set()


def opener(network: Network, process: Party) -> Callable[[str, Limits], AbstractAsyncContextManager[Socket]]:
    """transport.line.OpenSocket for one process."""

    @asynccontextmanager
    async def open_socket(url: str, limits: Limits) -> AsyncIterator[SimulatedSocket]:
        process.check_alive()
        await asyncio.sleep(network.latency_s())
        if network.faults.strikes("socket_refused"):
            raise ConnectionRefusedError("simulated")
        socket = SimulatedSocket(network, process)
        socket.number = network.venue.connect(socket, urlsplit(url).path, process.peer)
        network.trace.note(process.name, f"socket {socket.number} is open")
        try:
            yield socket
        finally:
            network.venue.disconnect(socket.number)

    return open_socket
