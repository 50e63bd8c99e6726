"""Line: one stream over as many connections as it takes. Subscribed and acknowledged anew on every one of them."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from math import inf
from typing import Protocol, TypeAlias

import msgspec

from .. import __version__
from ..clock import NS_PER_S, Clock
from ..connector.streams import (
    Channel,
    Control,
    ControlKind,
    DataSource,
    Gap,
    Heartbeat,
    Resubscribe,
    Subscription,
    SubscriptionAck,
    SubscriptionRefused,
)
from ..errors import ConnectFailed, ProtocolError, StreamLost
from .backoff import Jitter, backoff
from .inbox import Inbox
from .silence import Silence

log = logging.getLogger(__name__)

MAX_FRAME_BYTES = 16 * 2**20
# So many frames without sense among the latest so many end the stream: it is not a hiccup any more.
BAD_FRAMES = 5
BAD_FRAMES_AMONG = 50
# What a source says of the connection itself; everything else is for whoever listens.
_OF_THE_LINE = frozenset({Heartbeat, SubscriptionAck, SubscriptionRefused, Resubscribe, Gap})
# Close codes with which we end a connection: broken frame, broken text, too big.
_OUR_COMPLAINTS = frozenset({1002, 1007, 1009})


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a stream is.

    max_failures: connections in a row that fail or do not stay for steady_s before the stream is given up;
    max_first_failures: the same while there never was a live one. stale_after_s: a public channel that is silent for
    this long is reported; None reports none. waiting_items: how many items may wait for a slow reader.
    """

    connect_timeout_s: float = 10.0
    ack_timeout_s: float = 10.0
    close_timeout_s: float = 0.5
    stale_after_s: float | None = 60.0
    steady_s: float = 30.0
    max_failures: int = 10
    max_first_failures: int = 3
    first_delay_s: float = 0.5
    max_delay_s: float = 30.0
    waiting_items: int = 10_000


class Socket(Protocol):
    """An open connection. Both raise OSError or an error of websockets when it breaks."""

    async def send(self, message: str) -> None: ...

    async def recv(self) -> str | bytes: ...


# Opens a connection to an address; leaving the context closes it. Raises like Socket.
OpenSocket: TypeAlias = Callable[[str, Limits], AbstractAsyncContextManager[Socket]]


def open_socket(url: str, limits: Limits) -> AbstractAsyncContextManager[Socket]:
    """A connection to a real server."""
    from websockets.asyncio import client

    class Connect(client.connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc  # only the address that was asked for is an address that was checked

    return Connect(
        url,
        proxy=None,
        compression=None,
        user_agent_header=f"latentspeed/{__version__}",
        open_timeout=limits.connect_timeout_s,
        close_timeout=limits.close_timeout_s,
        ping_interval=None,  # the source has a heartbeat of its own, the one that its venue counts
        max_size=MAX_FRAME_BYTES,
    )


class _Lost(Exception):
    """Our own reasons to give a connection up, and to try another one."""


class Line:
    """Puts the items of one stream, and what the stream says about itself, into an inbox. `run` it once."""

    def __init__(
        self,
        clock: Clock,
        jitter: Jitter,
        limits: Limits,
        source: DataSource,
        subscriptions: Sequence[Subscription],
        inbox: Inbox,
        open_socket: OpenSocket = open_socket,
        *,
        is_one_of_several: bool = False,
    ) -> None:
        self._clock = clock
        self._open_socket = open_socket
        self._jitter = jitter
        self._limits = limits
        self._source = source
        self._wanted = {one.key: one for one in subscriptions}
        # What this line is about, for those who hear of other lines too.
        about = [(one.channel, one.trading_pair) for one in subscriptions if one.trading_pair is not None]
        self._scope = about if is_one_of_several else []
        self._inbox = inbox
        self._silence = Silence(subscriptions, limits.stale_after_s)
        self._was_open = False
        self._was_live = False
        self._last_live_ns: int | None = None
        self._frames = 0
        self._bad: deque[int] = deque(maxlen=BAD_FRAMES)
        # Of the present connection: which acknowledgements are missing, what came before them, when it became live.
        self._missing: dict[str, Subscription] = {}
        self._held: list[object] = []
        self._to_send: list[str] = []
        self._live_since_s: float | None = None
        self._due_changed = asyncio.Event()
        self._heard_s = 0.0

    # Over connections

    async def run(self) -> None:
        """Never returns. Raises ConnectFailed, StreamLost or ProtocolError."""
        from websockets.exceptions import ConnectionClosedError, WebSocketException

        failures, delays = 0, self._delays()
        while True:
            try:
                await self._connection()
            except (OSError, WebSocketException, _Lost) as error:  # TimeoutError is an OSError
                if self._has_been_steady():
                    failures, delays = 0, self._delays()
                failures += 1
                self._note_lost(error)
                if isinstance(error, ConnectionClosedError) and error.sent and error.sent.code in _OUR_COMPLAINTS:
                    self._note_bad(f"a frame that cannot be read: {error}", b"")
                allowed = self._limits.max_failures if self._was_live else self._limits.max_first_failures
                if failures >= allowed or not is_retryable(error):
                    raise self._given_up(error, failures) from error
                log.info("a stream lost its connection", extra={"url": self._source.url, "error": words(error)})
            await asyncio.sleep(next(delays))

    def _delays(self) -> Iterator[float]:
        return backoff(self._jitter, first_s=self._limits.first_delay_s, cap_s=self._limits.max_delay_s)

    def _has_been_steady(self) -> bool:
        since_s = self._live_since_s
        return since_s is not None and asyncio.get_running_loop().time() - since_s >= self._limits.steady_s

    def _note_lost(self, error: Exception) -> None:
        if self._live_since_s is not None:
            self._live_since_s = None
            self._silence.stop()
            self._control(ControlKind.CLOSED, since_ns=self._last_live_ns, detail=words(error))

    def _given_up(self, error: Exception, failures: int) -> ConnectFailed | StreamLost:
        host = self._source.url.split("/", 3)[2]
        if not self._was_open:
            return ConnectFailed(
                f"no connection to {host}: {words(error)}", hint="check the network, or whether the venue is up"
            )
        times = "1 attempt" if failures == 1 else f"{failures} attempts"
        return StreamLost(f"the stream from {host} is lost, after {times}: {words(error)}")

    # One connection

    async def _connection(self) -> None:
        """Connect, subscribe, and read until something breaks. Never returns."""
        async with self._open_socket(self._source.url, self._limits) as socket:
            self._was_open = True
            self._missing = dict(self._wanted)
            self._held = []
            self._to_send = []
            for one in self._wanted.values():
                await self._send(socket, one.message)
            if not self._missing:
                self._go_live()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._read(socket))
                    tasks.create_task(self._keep(socket))
            except BaseExceptionGroup as group:  # of two that never return, the first to raise broke the connection
                raise group.exceptions[0] from None

    async def _send(self, socket: Socket, message: str) -> None:
        async with asyncio.timeout(self._source.dead_after_s):  # a peer that reads nothing fills our buffers
            await socket.send(message)

    async def _read(self, socket: Socket) -> None:
        """Take frames. Never returns."""
        inbox, loop = self._inbox, asyncio.get_running_loop()
        while True:
            if not inbox.has_room:  # what must not be lost waits at the venue until the reader comes along
                await inbox.room()
            frame = await socket.recv()
            self._heard_s = loop.time()
            self._take(frame)
            if self._to_send:
                await self._send_waiting(socket)
            if inbox.is_behind:  # under a flood, receiving waits for nothing; the reader must have its turn
                await asyncio.sleep(0)

    async def _keep(self, socket: Socket) -> None:
        """Do what is due while frames are taken: heartbeats, and complaints about silence. Never returns."""
        source, silence, loop = self._source, self._silence, asyncio.get_running_loop()
        self._heard_s = opened_s = loop.time()
        heartbeat_s = opened_s + source.heartbeat_s
        acknowledged_s = opened_s + self._limits.ack_timeout_s
        while True:
            dead_s = self._heard_s + source.dead_after_s
            due_s = min(heartbeat_s, dead_s, acknowledged_s if self._missing else inf, silence.due_s())
            try:
                async with asyncio.timeout_at(due_s if due_s < inf else None):
                    await self._due_changed.wait()
                self._due_changed.clear()
            except TimeoutError:
                pass  # something is due
            now_s = loop.time()
            if not self._inbox.has_room:
                self._heard_s = now_s  # nobody listens at present
            if now_s >= self._heard_s + source.dead_after_s:
                raise _Lost(f"nothing was heard for {source.dead_after_s:g} s")
            if now_s >= acknowledged_s and self._missing:
                raise _Lost(f"no acknowledgement of {', '.join(self._missing)}")
            if now_s >= heartbeat_s:
                heartbeat_s = now_s + source.heartbeat_s
                await self._send(socket, source.heartbeat)
            if now_s >= silence.due_s():
                self._tell_silence(now_s)

    async def _send_waiting(self, socket: Socket) -> None:
        """Send what the latest frame gave reason to send."""
        waiting, self._to_send = self._to_send, []
        for message in waiting:
            await self._send(socket, message)

    def _tell_silence(self, now_s: float) -> None:
        for channel, trading_pair, quiet_s in self._silence.overdue(now_s):
            since_ns = self._clock.now_ns() - round(quiet_s * NS_PER_S)
            self._control(
                ControlKind.STALE,
                channel=channel,
                trading_pair=trading_pair,
                since_ns=since_ns,
                detail=f"silent for {quiet_s:.1f} s",
            )

    # Frames

    def _take(self, frame: str | bytes) -> None:
        received_ns = self._clock.now_ns()
        self._frames += 1
        try:
            for item in self._source.decode(frame, received_ns):
                self._sort(item)
        except ProtocolError as error:
            self._note_bad(error.message, error.payload)
            if self._live_since_s is not None:  # whatever it was going to say is missing now
                self._control(ControlKind.GAP, since_ns=self._last_live_ns, detail=f"unreadable: {error.message}")
        if self._live_since_s is not None:
            self._last_live_ns = received_ns

    def _sort(self, item: object) -> None:
        if type(item) not in _OF_THE_LINE:
            self._pass_on(item)
        elif isinstance(item, SubscriptionAck):
            if self._missing.pop(item.key, None) is not None and not self._missing:
                self._go_live()
        elif isinstance(item, SubscriptionRefused):
            self._note_refusal(item)
        elif isinstance(item, Resubscribe):
            if item.key in self._wanted:
                self._to_send.extend(item.messages)
        elif isinstance(item, Gap):
            self._note_gap(item)

    def _pass_on(self, item: object) -> None:
        if self._live_since_s is not None:
            self._hear(item, self._heard_s)
        elif len(self._held) < self._limits.waiting_items:
            self._held.append(item)
        else:
            raise _Lost("too much came before the acknowledgements")

    def _go_live(self) -> None:
        """All is acknowledged: say so, and let go of what came meanwhile."""
        now_s = asyncio.get_running_loop().time()
        self._live_since_s = now_s
        self._due_changed.set()
        self._silence.start(now_s)
        if self._was_live:
            self._control(ControlKind.RECONNECTED, since_ns=self._last_live_ns)
        else:
            self._control(ControlKind.CONNECTED)
        self._was_live = True
        held, self._held = self._held, []
        for item in held:
            self._hear(item, now_s)

    def _hear(self, item: object, now_s: float) -> None:
        if self._silence.hear(item, now_s):
            self._due_changed.set()
        self._inbox.put(item)

    def _note_gap(self, gap: Gap) -> None:
        """Before the connection is live there is nothing to miss yet: what it missed is fetched when it is."""
        log.info("a stream has a gap", extra={"detail": gap.detail})
        if self._live_since_s is not None:
            self._control(
                ControlKind.GAP,
                channel=gap.channel,
                trading_pair=gap.trading_pair,
                since_ns=self._last_live_ns,
                detail=gap.detail,
            )

    def _note_refusal(self, refused: SubscriptionRefused) -> None:
        """A refusal that does not say of what can only be of what is not acknowledged yet."""
        about = self._wanted.get(refused.key or "")
        if about is None and (refused.key is not None or not self._missing):
            log.warning("the venue refused something else", extra={"reason": refused.reason})
            return
        what = "a stream" if about is None else f"the stream {about.channel.value}"
        if not self._was_live and not refused.passing:
            raise StreamLost(f"the venue refused {what}: {refused.reason}")
        raise _Lost(f"the venue refused {what}: {refused.reason}")

    def _note_bad(self, message: str, payload: bytes | str) -> None:
        log.warning("a frame makes no sense", extra={"reason": message})
        self._bad.append(self._frames)
        if len(self._bad) == BAD_FRAMES and self._frames - self._bad[0] < BAD_FRAMES_AMONG:
            raise ProtocolError(f"{BAD_FRAMES} frames made no sense, the last one: {message}", payload=payload)

    def _control(
        self,
        kind: ControlKind,
        *,
        channel: Channel | None = None,
        trading_pair: str | None = None,
        since_ns: int | None = None,
        detail: str | None = None,
    ) -> None:
        about = self._scope if channel is None and self._scope else [(channel, trading_pair)]
        for told_channel, told_pair in about:
            self._inbox.put(
                Control(
                    kind=kind,
                    ts_ns=self._clock.now_ns(),
                    channel=told_channel,
                    trading_pair=told_pair,
                    since_ns=since_ns,
                    detail=detail,
                )
            )


def is_retryable(error: Exception) -> bool:
    """Whether another connection may fare better."""
    from websockets.exceptions import InvalidStatus, InvalidURI

    if isinstance(error, (ssl.SSLCertVerificationError, InvalidURI)):
        return False
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return status >= 500 or status in (408, 425, 429)
    return True


def words(error: Exception) -> str:
    """What to tell of an error."""
    return "it took too long" if isinstance(error, TimeoutError) and not str(error) else str(error) or repr(error)
