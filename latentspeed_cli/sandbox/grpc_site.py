"""The gRPC listener of one venue: bytes in, bytes out by method path, on loopback and in the clear.

Imported only when a venue speaks gRPC. Nothing here knows a message. Trouble on order (faults.py) strikes as it does
over HTTP; what would end a connection there is the status Unavailable here.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any, Protocol

import grpc

from ..errors import UsageError
from .faults import AFTER, BEFORE, Fault
from .model import GrpcModel, Scenario
from .venue import Venue

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_MAX_BYTES = 4 * 1024 * 1024
_UNAVAILABLE = 14
# HTTP statuses as gRPC clients see them when a proxy answers.
_FROM_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 8, 504: 4}


class Host(Protocol):
    """What the shell does for a listener. active_at: when the last request came, on the loop's clock."""

    active_at: float
    scenario: Scenario

    def now_ns(self) -> int: ...

    def settle(self, venue: Venue) -> asyncio.Future[None] | None: ...


class GrpcSite:
    """One listener."""

    def __init__(self, host: Host, venue: Venue, model: GrpcModel) -> None:
        self._host = host
        self._venue = venue
        self._model = model
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _MAX_BYTES)]
        self._server = grpc.aio.server(options=options)
        services: dict[str, dict[str, Any]] = {}
        for method in model.grpc_methods:
            service, _, name = method.removeprefix("/").partition("/")
            services.setdefault(service, {})[name] = grpc.unary_unary_rpc_method_handler(self._answer(method))
        self._server.add_generic_rpc_handlers(
            tuple(grpc.method_handlers_generic_handler(service, handlers) for service, handlers in services.items())
        )

    async def listen(self, address: str, wanted: tuple[int, ...]) -> str:
        """Listen on the first of the wanted ports that is free; host:port. Raises UsageError."""
        host = f"[{address}]" if ":" in address else address
        for port in wanted:
            try:
                found = self._server.add_insecure_port(f"{host}:{port}")
            except RuntimeError as error:
                if port == wanted[-1]:
                    raise UsageError(f"port {port} is in use", hint="choose another one, or none") from error
                continue
            await self._server.start()
            return f"{host}:{found}"
        raise AssertionError("no port was wanted")

    async def close(self) -> None:
        await self._server.stop(0.2)

    def _answer(self, method: str) -> Callable[[bytes, Any], Any]:
        async def answer(request: bytes, context: Any) -> bytes:
            code, body = await self._call(method, request)
            if code:
                await context.abort(_CODES[code], body.decode(errors="replace"))
            return body

        return answer

    async def _call(self, method: str, request: bytes) -> tuple[int, bytes]:
        """(status code, serialised answer or the status message)."""
        host, venue, faults = self._host, self._venue, self._venue.faults
        host.active_at = asyncio.get_running_loop().time()
        text = request.decode(errors="replace") if faults else ""
        before = faults.take(BEFORE, method, text) if faults else None
        if before is not None:
            kind, fault = before
            if kind != "delay_request":
                return _status(kind, fault)
            await asyncio.sleep(fault.seconds)
        answer = self._model.grpc(method, request, host.now_ns())
        stored = host.settle(venue)
        if stored is not None:
            await stored
        if host.scenario.latency_s:
            await asyncio.sleep(host.scenario.latency_s)
        after = faults.take(AFTER, method, text) if faults else None
        return answer if after is None else await _spoiled(after, answer)


async def _spoiled(struck: tuple[str, Fault], answer: tuple[int, bytes]) -> tuple[int, bytes]:
    """What becomes of an answer in trouble. The venue has done its work."""
    kind, fault = struck
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "garbage":
        return 0, fault.body.encode()
    if kind != "delay":
        return _status(kind, fault)
    await asyncio.sleep(fault.seconds)
    return answer


def _status(kind: str, fault: Fault) -> tuple[int, bytes]:
    if kind in ("status", "status_after"):
        return _FROM_HTTP.get(fault.status, _UNAVAILABLE), fault.body.encode()
    return _UNAVAILABLE, b"Socket closed"
