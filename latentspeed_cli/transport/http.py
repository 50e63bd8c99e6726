"""HttpTransport: a request leaves once, and an error says whether it may have arrived."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from .. import __version__
from ..clock import Clock
from ..core.flow import Reply, Request
from ..errors import ConnectFailed, ProtocolError, ReplyLost, TransportError
from .urls import check_url

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession, TraceConfig

MAX_REPLY_BYTES = 50_000_000
BROKEN = "it breaks off, or cannot be read"


class _Passage(msgspec.Struct):
    """How far one request has come. connected: from here on bytes of it may have left."""

    connected: bool = False


class HttpTransport:
    """Sends requests over connections that are kept. Nothing is retried, no redirect followed, no proxy asked.

    timeout_s bounds a whole request, connect_timeout_s the way to a connection. TLS is always verified. Use it as a
    context manager, or close it.
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
        self._session: ClientSession | None = None
        self.requests_total = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request) -> Reply:
        """The reply, whatever its status; header names in lower case.

        Raises ConnectFailed when no byte of the request left, ReplyLost when it may have arrived, ProtocolError for a
        reply beyond max_reply_bytes, UsageError or GuardRefused for an address that must not be used.
        """
        check_url(request.url, schemes=("https", "http"))
        session = self._session
        if session is None:
            session = self._session = self._open()
        import aiohttp

        self.requests_total += 1
        passage = _Passage()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                session.request(
                    request.method,
                    request.url,
                    data=request.body or None,
                    headers={"Content-Type": request.content_type} if request.body else None,
                    allow_redirects=False,
                    trace_request_ctx=passage,
                ) as response,
            ):
                body = await self._read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(status=response.status, body=body, headers=headers, received_ns=self._clock.now_ns())
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise _lost(error, passage, request.url) from error

    async def _read(self, response: ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._max_reply_bytes:
                raise ProtocolError(f"a reply of more than {self._max_reply_bytes} bytes", payload=chunks[0])
            chunks.append(chunk)
        return b"".join(chunks)

    def _open(self) -> ClientSession:
        import aiohttp  # 0.1 s that commands without a venue do not pay

        return aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"latentspeed/{__version__}", "Accept": "*/*"},
            trace_configs=[_watch()],
            middlewares=(_once,),
            trust_env=False,
        )


def _watch() -> TraceConfig:
    """Notes in the request's _Passage that it has a connection."""
    import aiohttp

    async def connected(session: ClientSession, context: SimpleNamespace, params: object) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Ends a request at its first trouble: aiohttp sends some again when a kept connection turns out to be dead."""
    import aiohttp

    try:
        return await handler(request)
    except aiohttp.ClientConnectorCertificateError as error:
        raise aiohttp.ClientConnectionError(str(error.certificate_error)) from error
    except aiohttp.ClientConnectorError as error:
        raise aiohttp.ClientConnectionError(error.os_error.strerror or str(error.os_error)) from error
    except aiohttp.ClientOSError as error:
        raise aiohttp.ClientConnectionError(str(error)) from error
    except aiohttp.ServerDisconnectedError as error:
        # Its message is what there was of the reply's head, if anything.
        said = error.message if isinstance(error.message, str) else BROKEN
        raise aiohttp.ClientConnectionError(said) from error


def _lost(error: Exception, passage: _Passage, url: str) -> TransportError:
    """What an error of the library means."""
    import aiohttp

    host = url.split("/", 3)[2]
    said = str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        said = "it took too long"
    elif isinstance(error, aiohttp.ClientPayloadError):
        said = BROKEN
    if passage.connected:
        return ReplyLost(f"the reply of {host} was lost: {said}")
    return ConnectFailed(f"no connection to {host}: {said}", hint="check the network, or whether the venue is up")
