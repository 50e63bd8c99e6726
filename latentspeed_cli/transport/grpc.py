"""GrpcTransport: calls of a node, bytes in and bytes out by method path. A call leaves once, and an error says how far
it came.

The address of a Request is grpc://host:port/package.Service/Method. It is encrypted unless the host is this machine.
"""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from ..clock import Clock
from ..core.flow import Reply, Request
from ..errors import ConnectFailed, ProtocolError, ReplyLost
from .urls import check_url, is_loopback

if TYPE_CHECKING:
    from grpc.aio import AioRpcError, Channel

SCHEME = "grpc"
MAX_REPLY_BYTES = 50_000_000
MAX_REQUEST_BYTES = 4_000_000
# How the library says that a reply is beyond its bound.
_TOO_LARGE = "Received message larger than max"


class GrpcTransport:
    """Sends calls over channels that are kept. Nothing is retried, no proxy asked, no configuration taken from DNS.

    timeout_s bounds a call, connect_timeout_s the way to a connection. Use it as a context manager, or close it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeout_s: float = 15.0,
        connect_timeout_s: float = 5.0,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._max_reply_bytes = max_reply_bytes
        self._channels: dict[str, Channel] = {}
        self.requests_total = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()

    async def send(self, request: Request) -> Reply:
        """The reply: status is the gRPC code, 0 for success; body the message, or what the server says of a failure.

        Raises ConnectFailed when no byte of the call left, ReplyLost when it may have arrived, ProtocolError for a
        reply beyond max_reply_bytes, UsageError for an address that is none.
        """
        parts = urlsplit(check_url(request.url, schemes=(SCHEME, SCHEME)))
        channel = await self._ready(parts.netloc, encrypted=not is_loopback(parts.hostname or ""))
        from grpc.aio import AioRpcError

        self.requests_total += 1
        call = channel.unary_unary(parts.path)
        try:
            body = await call(request.body, timeout=self._timeout_s, wait_for_ready=False)
        except AioRpcError as error:
            return self._failed(error, parts.netloc)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody stopped this task: the library ends calls so when their channel is closed, as by a call that could
            # not connect any more after the server had said goodbye.
            raise ReplyLost(f"the reply of {parts.netloc} was lost: the connection was closed") from None
        return Reply(status=0, body=body, headers={}, received_ns=self._clock.now_ns())

    async def _ready(self, target: str, *, encrypted: bool) -> Channel:
        """A channel whose connection stands. One that failed is dropped, so that the next call tries afresh."""
        if target not in self._channels:
            self._channels[target] = self._open(target, encrypted=encrypted)
        channel = self._channels[target]
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await _connected(channel)
        except (TimeoutError, ConnectionError) as error:
            if self._channels.get(target) is channel:  # another call may have opened the next one already
                del self._channels[target]
            await channel.close()
            said = "it took too long" if isinstance(error, TimeoutError) else str(error)
            raise ConnectFailed(
                f"no connection to {target}: {said}", hint="check the network, or whether the venue is up"
            ) from error
        return channel

    def _open(self, target: str, *, encrypted: bool) -> Channel:
        # Its C core writes to stderr by itself, and stderr is read by programs. It looks once, when it is imported.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        import grpc.aio  # 0.05 s that commands without a node do not pay

        options: list[tuple[str, Any]] = [
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", self._max_reply_bytes),
            ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
        ]
        if encrypted:
            return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options)
        return grpc.aio.insecure_channel(target, options)

    def _failed(self, error: AioRpcError, target: str) -> Reply:
        """A failure as the server's answer.

        Codes that the library gives by itself when a connection breaks or time runs out cannot be told from a server's:
        they are all taken as the former.
        """
        from grpc import StatusCode

        code, said = error.code(), error.details() or ""
        if code is StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in said:
            raise ProtocolError(f"a reply of more than {self._max_reply_bytes} bytes") from error
        if code in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED):
            raise ReplyLost(
                f"the reply of {target} was lost: {said or code.name}", venue_code=f"grpc {code.value[0]}"
            ) from error
        return Reply(status=code.value[0], body=said.encode(), headers={}, received_ns=self._clock.now_ns())


async def _connected(channel: Channel) -> None:
    """Wait until the channel is connected. Raises ConnectionError when it cannot be."""
    from grpc import ChannelConnectivity

    state = channel.get_state(try_to_connect=True)
    while state is not ChannelConnectivity.READY:
        if state in (ChannelConnectivity.TRANSIENT_FAILURE, ChannelConnectivity.SHUTDOWN):
            raise ConnectionError("it could not be made")
        await channel.wait_for_state_change(state)
        state = channel.get_state(try_to_connect=True)
