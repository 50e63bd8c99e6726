"""Calls over a real server on loopback: what arrives, what comes back, and how far a failed call had come."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.errors import ConnectFailed, ProtocolError, ReplyLost, UsageError
from latentspeed_cli.transport.grpc import GrpcTransport
from latentspeed_cli.transport.routes import Routes

SERVICE = "some.package.v1.Service"
REFUSALS = {
    "NotFound": (grpc.StatusCode.NOT_FOUND, "tx not found: AB"),
    "Exhausted": (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls"),
    "Unavailable": (grpc.StatusCode.UNAVAILABLE, "try again"),
    "Internal": (grpc.StatusCode.INTERNAL, "panic"),
}


class Service:
    """Answers with the request's bytes reversed, or as the called method is named."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.arrived = asyncio.Event()

    def handlers(self) -> Any:
        names = ("Echo", "Slow", "Large", *REFUSALS)
        methods = {name: grpc.unary_unary_rpc_method_handler(partial(self.answer, name)) for name in names}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def answer(self, name: str, request: bytes, context: Any) -> bytes:
        self.seen.append((name, request))
        self.arrived.set()
        if name in REFUSALS:
            await context.abort(*REFUSALS[name])
        if name == "Slow":
            await asyncio.sleep(30)
        return b"x" * 200_000 if name == "Large" else request[::-1]


class Node:
    """A server that can be stopped and started again on its port."""

    def __init__(self) -> None:
        self.service = Service()
        self.port = 0
        self.server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((self.service.handlers(),))
        self.port = self.server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self.server.start()

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(None)
            self.server = None


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node()
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def transport() -> AsyncIterator[GrpcTransport]:
    async with GrpcTransport(SystemClock(), timeout_s=1.0, connect_timeout_s=0.5, max_reply_bytes=100_000) as transport:
        yield transport


def call(method: str, port: int, *, host: str = "127.0.0.1", body: bytes = b"abc", changes: bool = False) -> Request:
    url = f"grpc://{host}:{port}/{SERVICE}/{method}"
    return Request(method="GRPC", url=url, body=body, changes=changes, content_type="application/grpc")


async def test_bytes_go_out_and_come_back_by_method_path(node: Node, transport: GrpcTransport) -> None:
    reply = await transport.send(call("Echo", node.port))
    assert (reply.status, reply.body) == (0, b"cba")
    assert node.service.seen == [("Echo", b"abc")]
    assert reply.received_ns > 0


async def test_an_empty_message_is_a_message(node: Node, transport: GrpcTransport) -> None:
    assert (await transport.send(call("Echo", node.port, body=b""))).body == b""


@pytest.mark.parametrize(("method", "status"), [("NotFound", 5), ("Exhausted", 8), ("Internal", 13)])
async def test_what_the_server_says_is_the_reply(
    node: Node, transport: GrpcTransport, method: str, status: int
) -> None:
    reply = await transport.send(call(method, node.port))
    assert (reply.status, reply.body.decode()) == (status, REFUSALS[method][1])


@pytest.mark.parametrize("method", ["Unavailable", "Internal", "Exhausted"])
async def test_a_call_leaves_once(node: Node, transport: GrpcTransport, method: str) -> None:
    with suppress(ReplyLost):
        await transport.send(call(method, node.port, changes=True))
    await asyncio.sleep(0.3)  # the library's own retries would come by now
    assert len(node.service.seen) == 1


async def test_no_connection_means_that_no_byte_left(transport: GrpcTransport, raw: SimpleNamespace) -> None:
    with pytest.raises(ConnectFailed) as failed:
        await transport.send(call("Echo", await raw.unused_port(), changes=True))
    assert failed.value.hint


async def test_a_name_that_nobody_has_means_that_no_byte_left(transport: GrpcTransport) -> None:
    with pytest.raises(ConnectFailed):
        await transport.send(call("Echo", 443, host="nobody.invalid"))


async def test_a_server_that_never_answers_the_handshake_means_that_no_byte_left(
    transport: GrpcTransport, raw: SimpleNamespace
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with raw.serve(silent) as port:
        with pytest.raises(ConnectFailed):
            await transport.send(call("Echo", port, changes=True))


async def test_a_reply_that_does_not_come_may_have_arrived(node: Node, transport: GrpcTransport) -> None:
    with pytest.raises(ReplyLost):
        await transport.send(call("Slow", node.port, changes=True))
    assert len(node.service.seen) == 1


async def test_a_server_that_ends_during_the_call_may_have_executed_it(node: Node, transport: GrpcTransport) -> None:
    sending = asyncio.create_task(transport.send(call("Slow", node.port, changes=True)))
    await node.service.arrived.wait()
    await node.stop()
    with pytest.raises(ReplyLost):
        await sending


async def test_a_call_that_cannot_connect_any_more_does_not_stop_the_one_that_waits(
    node: Node, transport: GrpcTransport
) -> None:
    """The server takes leave: it finishes what it has begun, and takes nothing new."""
    sending = asyncio.create_task(transport.send(call("Slow", node.port, changes=True)))
    await node.service.arrived.wait()
    assert node.server is not None
    leaving = asyncio.create_task(node.server.stop(5))

    async def until_none_is_taken() -> None:
        while True:
            with suppress(ReplyLost):  # the connection may be gone only when the call is on its way
                await transport.send(call("Echo", node.port))

    with pytest.raises(ConnectFailed):
        await until_none_is_taken()
    with pytest.raises(ReplyLost):
        await sending
    leaving.cancel()


async def test_unavailable_is_never_taken_for_not_sent(node: Node, transport: GrpcTransport) -> None:
    with pytest.raises(ReplyLost) as lost:
        await transport.send(call("Unavailable", node.port, changes=True))
    assert lost.value.venue_code == "grpc 14"


async def test_a_server_that_comes_back_is_reached_again(node: Node, transport: GrpcTransport) -> None:
    await transport.send(call("Echo", node.port))
    await node.stop()
    for _ in range(2):  # the first of them may still meet the end of the old connection
        with pytest.raises((ConnectFailed, ReplyLost)):
            await transport.send(call("Echo", node.port))
    with pytest.raises(ConnectFailed):
        await transport.send(call("Echo", node.port))
    await node.start()
    assert (await transport.send(call("Echo", node.port))).body == b"cba"


async def test_a_reply_beyond_the_bound_is_refused(node: Node, transport: GrpcTransport) -> None:
    with pytest.raises(ProtocolError):
        await transport.send(call("Large", node.port))


async def test_calls_share_a_connection_and_wait_for_nobody(node: Node, transport: GrpcTransport) -> None:
    slow = asyncio.create_task(transport.send(call("Slow", node.port)))
    await node.service.arrived.wait()
    replies = await asyncio.gather(*(transport.send(call("Echo", node.port, body=bytes((n,)))) for n in range(50)))
    assert [reply.body for reply in replies] == [bytes((n,)) for n in range(50)]
    slow.cancel()


async def test_a_call_can_be_cancelled(node: Node, transport: GrpcTransport) -> None:
    sending = asyncio.create_task(transport.send(call("Slow", node.port)))
    await node.service.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_another_machine_is_only_talked_to_in_cipher(
    node: Node, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentspeed_cli.transport import grpc as module

    monkeypatch.setattr(module, "is_loopback", lambda host: False)
    with pytest.raises(ConnectFailed):
        await transport.send(call("Echo", node.port, changes=True))
    assert node.service.seen == []


async def test_a_certificate_of_its_own_word_is_refused(
    tls_port: int, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    from latentspeed_cli.transport import grpc as module

    monkeypatch.setattr(module, "is_loopback", lambda host: False)
    with pytest.raises(ConnectFailed):
        await transport.send(call("Echo", tls_port, host="localhost", changes=True))


async def test_no_proxy_is_asked(node: Node, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert (await transport.send(call("Echo", node.port))).status == 0


@pytest.mark.parametrize("url", ["grpc://user:word@127.0.0.1:1/a.B/C", "grpc:///a.B/C", "http://127.0.0.1:1/a.B/C"])
async def test_what_is_no_address_of_a_node_is_refused(transport: GrpcTransport, url: str) -> None:
    with pytest.raises(UsageError):
        await transport.send(Request(method="GRPC", url=url, body=b""))


class Recorder:
    def __init__(self) -> None:
        self.urls: list[str] = []

    async def send(self, request: Request) -> Reply:
        self.urls.append(request.url)
        return Reply(status=0, body=b"", headers={}, received_ns=0)


async def test_requests_go_by_their_scheme() -> None:
    http, calls = Recorder(), Recorder()
    routes = Routes(http, calls)
    for url in ("https://a/grpc://b", "http://127.0.0.1:1/v4/height", "grpc://127.0.0.1:1/a.B/C"):
        await routes.send(Request(url=url, body=b""))
    assert http.urls == ["https://a/grpc://b", "http://127.0.0.1:1/v4/height"]
    assert calls.urls == ["grpc://127.0.0.1:1/a.B/C"]


def test_the_library_is_imported_by_the_first_call_and_says_nothing_on_stderr() -> None:
    script = """
import asyncio, sys
from latentspeed_cli.clock import SystemClock
from latentspeed_cli.core.flow import Request
from latentspeed_cli.errors import ConnectFailed
from latentspeed_cli.transport.grpc import GrpcTransport

async def main():
    async with GrpcTransport(SystemClock(), connect_timeout_s=0.5) as transport:
        assert "grpc" not in sys.modules
        try:
            await transport.send(Request(method="GRPC", url="grpc://127.0.0.1:1/a.B/C", body=b""))
        except ConnectFailed:
            print("refused")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")
