"""HttpTransport against real servers on loopback: what arrives, and what each kind of trouble is called."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from aiohttp import web

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.core.flow import Request
from latentspeed_cli.errors import ConnectFailed, GuardRefused, LatentspeedError, ProtocolError, ReplyLost, UsageError
from latentspeed_cli.transport.http import HttpTransport

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(url: str, body: bytes = b"{}", content_type: str = "application/json") -> Request:
    return Request(url=url, body=body, changes=True, content_type=content_type)


@pytest.fixture
async def http() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(SystemClock(), timeout_s=0.5, connect_timeout_s=0.5, max_reply_bytes=1_000_000) as http:
        yield http


@pytest.fixture
async def server() -> AsyncIterator[SimpleNamespace]:
    """An HTTP server that tells what it saw."""
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen.append((request.method, request.raw_path, headers, await request.read()))
        match request.path:
            case "/echo":
                return web.Response(body=await request.read(), headers={"X-Weight": "20"})
            case "/big":
                return web.Response(body=b"x" * 2_000_000)
            case "/bomb":
                response = web.Response(body=b"\0" * 2_000_000)
                response.enable_compression()
                return response
            case "/moved":
                raise web.HTTPFound("/echo")
            case "/cookie":
                reply = web.Response()
                reply.set_cookie("session", "1")
                return reply
            case path:
                return web.Response(status=int(path[1:]), text="no")

    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{any:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{runner.addresses[0][1]}", seen=seen)
    await runner.cleanup()


# What arrives


async def test_the_exact_bytes_go_out_and_come_back(http: HttpTransport, server: SimpleNamespace) -> None:
    body = bytes(range(256))
    before = SystemClock().now_ns()
    reply = await http.send(post(f"{server.url}/echo?a=1&b=x%20y", body, content_type="application/x-protobuf"))
    assert (reply.status, reply.body, reply.headers["x-weight"]) == (200, body, "20")
    assert before <= reply.received_ns <= SystemClock().now_ns()
    ((method, path, headers, received),) = server.seen
    assert (method, path, received) == ("POST", "/echo?a=1&b=x%20y", body)
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["user-agent"].startswith("latentspeed/")


@pytest.mark.parametrize("status", [400, 404, 422, 429, 500, 503])
async def test_every_status_is_a_reply(http: HttpTransport, server: SimpleNamespace, status: int) -> None:
    reply = await http.send(post(f"{server.url}/{status}"))
    assert (reply.status, reply.body) == (status, b"no")
    assert len(server.seen) == 1


async def test_a_redirect_is_a_reply_and_not_followed(http: HttpTransport, server: SimpleNamespace) -> None:
    reply = await http.send(post(f"{server.url}/moved"))
    assert (reply.status, reply.headers["location"]) == (302, "/echo")
    assert len(server.seen) == 1


async def test_cookies_are_not_kept(http: HttpTransport, server: SimpleNamespace) -> None:
    await http.send(post(f"{server.url}/cookie"))
    await http.send(post(f"{server.url}/echo"))
    assert "cookie" not in server.seen[1][2]


async def test_proxies_of_the_environment_are_not_asked(
    http: HttpTransport, server: SimpleNamespace, raw: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await raw.unused_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    assert (await http.send(post(f"{server.url}/echo"))).status == 200


@pytest.mark.parametrize("path", ["/big", "/bomb"])
async def test_a_reply_beyond_the_bound_is_refused(http: HttpTransport, server: SimpleNamespace, path: str) -> None:
    with pytest.raises(ProtocolError, match="more than 1000000 bytes") as caught:
        await http.send(Request(url=server.url + path, body=b"", method="GET"))
    assert len(caught.value.payload) <= 512
    assert (await http.send(post(f"{server.url}/echo"))).status == 200


async def test_connections_are_kept_and_shared(http: HttpTransport, raw: SimpleNamespace) -> None:
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await raw.request_of(reader)
            writer.write(OK)

    async with raw.serve(handle) as port:
        for _ in range(3):
            assert (await http.send(post(f"http://127.0.0.1:{port}/"))).body == b"ok"
    assert connections == 1


# Nothing left: ConnectFailed


async def test_nobody_listens(http: HttpTransport, raw: SimpleNamespace) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await http.send(post(f"http://127.0.0.1:{await raw.unused_port()}/"))
    assert caught.value.exit_code == 8
    assert str(caught.value).count("127.0.0.1") <= 2, "the address, and the system's own words at most"


async def test_a_name_that_does_not_exist(http: HttpTransport) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await http.send(post("https://venue.invalid/exchange"))
    assert str(caught.value).count("venue.invalid") == 1


async def test_no_tls_behind_https(http: HttpTransport, raw: SimpleNamespace) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(OK)

    async with raw.serve(handle) as port:
        with pytest.raises(ConnectFailed):
            await http.send(post(f"https://127.0.0.1:{port}/"))


async def test_a_handshake_that_never_ends(http: HttpTransport, raw: SimpleNamespace) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with raw.serve(handle) as port:
        with pytest.raises(ConnectFailed):
            await http.send(post(f"https://127.0.0.1:{port}/"))


async def test_a_certificate_that_nobody_vouches_for(http: HttpTransport, tls_port: int) -> None:
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
        await http.send(post(f"https://localhost:{tls_port}/"))


# It may have arrived: ReplyLost

LOST = {
    "silence": b"",
    "half a status line": b"HTTP/1.1 2",
    "half the headers": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
    "a bad chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nok",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a broken encoding": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    "an endless header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
}


@pytest.mark.parametrize("said", LOST.values(), ids=LOST)
@pytest.mark.parametrize("ending", ["close", "reset", "hang"])
async def test_a_reply_that_cannot_be_read_is_lost(
    http: HttpTransport, raw: SimpleNamespace, said: bytes, ending: str
) -> None:
    requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await raw.request_of(reader)
        requests += 1
        writer.write(said)
        await writer.drain()
        if ending == "hang":
            await asyncio.sleep(5)
        elif ending == "reset":
            raw.reset(writer)

    async with raw.serve(handle) as port:
        with pytest.raises(ReplyLost) as raised:
            await http.send(post(f"http://127.0.0.1:{port}/exchange"))
    assert "<" not in str(raised.value), "a library's own notation"
    assert requests == 1


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_a_kept_connection_that_dies_repeats_nothing(
    http: HttpTransport, raw: SimpleNamespace, method: str
) -> None:
    """A venue that takes a request on a kept connection and then goes away may have acted on it."""
    requests = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await raw.request_of(reader)
        requests += 1
        writer.write(OK)
        await raw.request_of(reader)
        requests += 1

    async with raw.serve(handle) as port:
        url = f"http://127.0.0.1:{port}/"
        await http.send(Request(url=url, body=b"", method=method))
        with pytest.raises(ReplyLost):
            await http.send(Request(url=url, body=b"", method=method))
    assert requests == 2


async def test_a_connection_closed_before_anything_was_read_counts_as_sent(
    http: HttpTransport, raw: SimpleNamespace
) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw.reset(writer)

    async with raw.serve(handle) as port:
        with pytest.raises(ReplyLost):
            await http.send(post(f"http://127.0.0.1:{port}/"))


async def test_random_bytes_are_always_one_of_our_errors(http: HttpTransport, raw: SimpleNamespace) -> None:
    dice = random.Random(7)
    whole = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw.request_of(reader)
        said = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            said[dice.randrange(len(said))] = dice.randrange(256)
        writer.write(said)

    outcomes: set[type] = set()
    async with raw.serve(handle) as port:
        for _ in range(300):
            try:
                outcomes.add(type(await http.send(post(f"http://127.0.0.1:{port}/"))))
            except LatentspeedError as error:
                outcomes.add(type(error))
    assert ReplyLost in outcomes
    assert ConnectFailed not in outcomes


async def test_cancelling_passes_through(http: HttpTransport, raw: SimpleNamespace) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with raw.serve(handle) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await http.send(post(f"http://127.0.0.1:{port}/"))


# Addresses that are not used at all


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://api.hyperliquid.xyz/info", GuardRefused),
        ("http://192.168.1.2/", GuardRefused),
        ("http://127.0.0.1.example.com/", GuardRefused),
        ("http://[2001:db8::1]/", GuardRefused),
        ("https://user:hunter2@api.hyperliquid.xyz/", UsageError),
        ("http://user@127.0.0.1/", UsageError),
        ("ftp://127.0.0.1/", UsageError),
        ("https:///info", UsageError),
        ("https://host:port/", UsageError),
        ("https://ho st/", UsageError),
        ("http://127.0.0.1\\@example.com/", UsageError),
        ("https://ex\u0430mple.com/", UsageError),
        ("127.0.0.1:3001", UsageError),
    ],
)
async def test_addresses_that_are_refused(http: HttpTransport, url: str, error: type[LatentspeedError]) -> None:
    with pytest.raises(error) as caught:
        await http.send(post(url))
    assert "hunter2" not in str(caught.value)
    assert http.requests_total == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_plain_http_on_this_machine(http: HttpTransport, server: SimpleNamespace, host: str) -> None:
    assert (await http.send(post(server.url.replace("127.0.0.1", host) + "/echo"))).status == 200
