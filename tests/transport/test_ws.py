"""WsTransport against real WebSocket servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from http import HTTPStatus
from types import SimpleNamespace

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.connector.streams import (
    Channel,
    Control,
    ControlKind,
    Gap,
    Heartbeat,
    Resubscribe,
    Subscription,
    SubscriptionAck,
    SubscriptionRefused,
)
from latentspeed_cli.core.market_data import BestBidOffer, PriceLevel, PublicTrade
from latentspeed_cli.core.reports import TradeUpdate
from latentspeed_cli.core.types import TradeType
from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.errors import ConnectFailed, GuardRefused, ProtocolError, StreamLost, UsageError
from latentspeed_cli.transport.line import Limits
from latentspeed_cli.transport.ws import WsTransport

CONNECTED, RECONNECTED, CLOSED = ControlKind.CONNECTED, ControlKind.RECONNECTED, ControlKind.CLOSED
BOOK = Subscription(key="bbo:BTC", message="want bbo:BTC", channel=Channel.BBO, trading_pair="BTC-USD")
TRADES = Subscription(key="trades:BTC", message="want trades:BTC", channel=Channel.TRADES, trading_pair="BTC-USD")
FILLS = Subscription(key="fills", message="want fills", channel=Channel.FILLS)
QUICK = Limits(
    connect_timeout_s=0.5,
    ack_timeout_s=0.3,
    close_timeout_s=0.1,
    steady_s=0.2,
    max_failures=3,
    max_first_failures=2,
    first_delay_s=0.02,
    max_delay_s=0.04,
)


class Source:
    """A venue whose frames are JSON lists: [kind, what]."""

    heartbeat = "ping"
    max_pairs = 1_000

    def __init__(self, port: int, *, heartbeat_s: float = 5, dead_after_s: float = 5) -> None:
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.heartbeat_s = heartbeat_s
        self.dead_after_s = dead_after_s

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        return [one for one in (BOOK, TRADES, FILLS) if one.channel in channels]

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        try:
            rows = json.loads(frame)
        except ValueError:
            raise ProtocolError("not JSON", payload=frame) from None
        for kind, what in rows:
            match kind:
                case "ack":
                    yield SubscriptionAck(what)
                case "no":
                    yield SubscriptionRefused(what, "because")
                case "not now":
                    yield SubscriptionRefused(what, "because", passing=True)
                case "missing":
                    yield Gap(what, Channel.FILLS)
                case "again":
                    yield Resubscribe(what, (f"leave {what}", f"want {what}"))
                case "pong":
                    yield Heartbeat()
                case "bbo":
                    yield bbo(what)
                case "trade":
                    yield trade(what)
                case "fill":
                    yield fill(what)
                case _:
                    raise ProtocolError("unknown kind", payload=frame)


def bbo(price: int) -> BestBidOffer:
    level = PriceLevel(Decimal(price), Decimal(1))
    return BestBidOffer(trading_pair="BTC-USD", ts_ns=price, bid=level, ask=None)


def trade(number: int) -> PublicTrade:
    return PublicTrade(
        trading_pair="BTC-USD",
        trade_id=str(number),
        ts_ns=number,
        side=TradeType.BUY,
        price=Decimal(1),
        amount=Decimal(1),
    )


def fill(number: int) -> TradeUpdate:
    return TradeUpdate(
        fill_id=str(number),
        exchange_order_id="1",
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        price=Decimal(1),
        amount=Decimal(1),
        fee=Decimal(0),
        fee_currency="USDC",
        ts_ns=number,
    )


Handler = Callable[[ServerConnection, int], Awaitable[None]]
Answer = Callable[[ServerConnection, Request], Response]


@asynccontextmanager
async def venue(handler: Handler, *, process_request: Answer | None = None) -> AsyncIterator[SimpleNamespace]:
    """A server that hands each connection, with its number from 1, to `handler`."""
    seen = SimpleNamespace(port=0, connections=0)

    async def connected(socket: ServerConnection) -> None:
        seen.connections += 1
        with contextlib.suppress(ConnectionClosed):
            await handler(socket, seen.connections)

    async with serve(connected, "127.0.0.1", 0, close_timeout=0.1, process_request=process_request) as server:
        seen.port = next(iter(server.sockets)).getsockname()[1]
        yield seen


async def acknowledge(socket: ServerConnection, count: int) -> None:
    """Answer the first `count` subscriptions."""
    for _ in range(count):
        message = await socket.recv()
        assert isinstance(message, str)
        await socket.send(json.dumps([["ack", message.removeprefix("want ")]]))


async def send(socket: ServerConnection, *rows: tuple[str, object]) -> None:
    await socket.send(json.dumps(rows))


def stream(source: Source, *wanted: Subscription, limits: Limits = QUICK) -> AsyncGenerator[object, None]:
    return WsTransport(SystemClock(), SeededEntropy(1), limits).run((source, wanted))


async def take(items: AsyncIterator[object], count: int) -> list[object]:
    async with asyncio.timeout(3):
        return [await anext(items) for _ in range(count)]


def kinds(items: Sequence[object]) -> list[object]:
    return [item.kind if isinstance(item, Control) else item for item in items]


# A good day


async def test_connected_comes_when_all_is_acknowledged_and_before_all_items() -> None:
    asked = []

    async def handler(socket: ServerConnection, _: int) -> None:
        for _ in range(2):
            asked.append(await socket.recv())
        await send(socket, ("ack", FILLS.key), ("fill", 1))
        await asyncio.sleep(0.05)
        await send(socket, ("bbo", 1), ("ack", "something else"))
        await send(socket, ("ack", BOOK.key), ("fill", 2))
        await socket.wait_closed()

    async with venue(handler) as seen:
        items = stream(Source(seen.port), BOOK, FILLS)
        got = await take(items, 4)
    assert asked == [BOOK.message, FILLS.message]
    assert kinds(got) == [CONNECTED, fill(1), bbo(1), fill(2)]


async def test_nothing_but_the_address_and_our_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    heads = []

    async def handler(socket: ServerConnection, _: int) -> None:
        assert socket.request is not None
        heads.append((socket.request.path, {name.lower(): text for name, text in socket.request.headers.raw_items()}))
        await acknowledge(socket, 1)
        await socket.wait_closed()

    async with venue(handler) as seen:
        await take(stream(Source(seen.port), FILLS), 1)
    path, headers = heads[0]
    assert path == "/ws"
    assert headers["user-agent"].startswith("latentspeed/")
    assert "sec-websocket-extensions" not in headers


async def test_heartbeats_are_sent() -> None:
    beats = []

    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        for number in range(3):
            beats.append(await socket.recv())
            await send(socket, ("pong", None), *([("fill", 1)] if number == 2 else []))
        await socket.wait_closed()

    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port, heartbeat_s=0.05, dead_after_s=0.2), FILLS), 2)
        assert seen.connections == 1
    assert beats == ["ping"] * 3
    assert kinds(got) == [CONNECTED, fill(1)]


async def test_when_the_reader_leaves_the_connection_is_closed() -> None:
    closed = asyncio.Event()

    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        await socket.wait_closed()
        closed.set()

    async with venue(handler) as seen:
        async with contextlib.aclosing(stream(Source(seen.port), FILLS)) as items:
            await take(items, 1)
        async with asyncio.timeout(1):
            await closed.wait()
    assert not [task for task in asyncio.all_tasks() if "Line.run" in repr(task)]


# Lost and found


async def test_after_a_loss_everything_is_asked_and_acknowledged_anew() -> None:
    async def handler(socket: ServerConnection, number: int) -> None:
        await acknowledge(socket, 2)
        await send(socket, ("fill", number))
        if number > 1:
            await socket.wait_closed()

    before = SystemClock().now_ns()
    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port), BOOK, FILLS), 5)
    assert kinds(got) == [CONNECTED, fill(1), CLOSED, RECONNECTED, fill(2)]
    closed, again = got[2], got[3]
    assert isinstance(closed, Control)
    assert isinstance(again, Control)
    assert closed.since_ns == again.since_ns
    assert before <= (again.since_ns or 0) <= again.ts_ns


async def test_a_broken_off_frame_is_a_loss(raw: SimpleNamespace) -> None:
    async def handler(socket: ServerConnection, number: int) -> None:
        await acknowledge(socket, 1)
        if number == 1:
            socket.transport.write(b"\x81\x7e\x10\x00[[")  # says 4096 bytes and sends two
            await asyncio.sleep(0.02)
            raw.reset(SimpleNamespace(get_extra_info=socket.transport.get_extra_info, transport=socket.transport))
            return
        await send(socket, ("fill", 1))
        await socket.wait_closed()

    async with venue(handler) as seen:
        assert kinds(await take(stream(Source(seen.port), FILLS), 4)) == [CONNECTED, CLOSED, RECONNECTED, fill(1)]


async def test_a_silent_line_is_dead() -> None:
    """Half-open: the peer takes our heartbeats and says nothing."""

    async def handler(socket: ServerConnection, number: int) -> None:
        await acknowledge(socket, 1)
        if number > 1:
            await send(socket, ("fill", 1))
        await socket.wait_closed()

    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port, heartbeat_s=0.05, dead_after_s=0.15), FILLS), 4)
    assert kinds(got) == [CONNECTED, CLOSED, RECONNECTED, fill(1)]
    assert isinstance(got[1], Control)
    assert got[1].detail == "nothing was heard for 0.15 s"


async def test_an_acknowledgement_that_is_missing_after_a_reconnect_is_another_loss() -> None:
    """What comes over a connection that is not whole is not passed on."""

    async def handler(socket: ServerConnection, number: int) -> None:
        await acknowledge(socket, 1 if number == 2 else 2)
        await send(socket, ("fill", number))
        if number > 1:
            await socket.wait_closed()

    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port), BOOK, FILLS), 5)
        assert seen.connections == 3
    assert kinds(got) == [CONNECTED, fill(1), CLOSED, RECONNECTED, fill(3)]


async def test_the_budget_of_failures() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)

    async with venue(handler) as seen:
        items = stream(Source(seen.port), FILLS)
        got = await take(items, 6)
        with pytest.raises(StreamLost, match="after 3 attempts") as caught:
            await take(items, 1)
        assert seen.connections == 3
    assert kinds(got) == [CONNECTED, CLOSED, RECONNECTED, CLOSED, RECONNECTED, CLOSED]
    assert caught.value.exit_code == 16


async def test_steady_connections_renew_the_budget() -> None:
    async def handler(socket: ServerConnection, number: int) -> None:
        await acknowledge(socket, 1)
        if number == 5:
            await socket.wait_closed()
        await asyncio.sleep(0.25)

    async with venue(handler) as seen:
        await take(stream(Source(seen.port), FILLS), 9)
        assert seen.connections == 5


# Never there


async def test_nobody_listens(raw: SimpleNamespace) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await take(stream(Source(await raw.unused_port()), FILLS), 1)
    assert caught.value.exit_code == 8


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"SSH-2.0\r\n\r\n"], ids=["close", "http", "ssh"]
)
async def test_no_websocket_behind_the_address(raw: SimpleNamespace, said: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await raw.request_of(reader)
        writer.write(said)

    async with raw.serve(handler) as port:
        with pytest.raises(ConnectFailed):
            await take(stream(Source(port), FILLS), 1)


async def test_a_handshake_that_never_ends(raw: SimpleNamespace) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with raw.serve(handler) as port:
        with pytest.raises(ConnectFailed, match="timed out"):
            await take(stream(Source(port), FILLS), 1)


@pytest.mark.parametrize(
    ("status", "attempts"), [(403, 1), (301, 1), (429, 2), (503, 2)], ids=["refused", "moved", "too many", "down"]
)
async def test_which_refusals_are_worth_another_try(status: int, attempts: int) -> None:
    asked = 0

    def refuse(connection: ServerConnection, request: Request) -> Response:
        nonlocal asked
        asked += 1
        response = connection.respond(HTTPStatus(status), "")
        response.headers["Location"] = "/elsewhere"
        return response

    async def handler(socket: ServerConnection, _: int) -> None:
        raise AssertionError

    async with venue(handler, process_request=refuse) as seen:
        with pytest.raises(ConnectFailed):
            await take(stream(Source(seen.port), FILLS), 1)
    assert asked == attempts


async def test_a_certificate_that_nobody_vouches_for_is_final(tls_port: int) -> None:
    source = Source(tls_port)
    source.url = f"wss://localhost:{tls_port}/ws"
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
        await take(stream(source, FILLS), 1)


async def test_no_acknowledgement_at_all() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        await socket.wait_closed()

    async with venue(handler) as seen:
        with pytest.raises(StreamLost, match="no acknowledgement of fills"):
            await take(stream(Source(seen.port), BOOK, FILLS), 1)


@pytest.mark.parametrize("key", [FILLS.key, None])
async def test_a_refused_subscription(key: str | None) -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await send(socket, ("no", key))
        await socket.wait_closed()

    async with venue(handler) as seen:
        with pytest.raises(StreamLost, match=r"refused .*because"):
            await take(stream(Source(seen.port), FILLS), 1)
        assert seen.connections == 1


async def test_a_refusal_after_a_reconnect_is_tried_again() -> None:
    async def handler(socket: ServerConnection, number: int) -> None:
        if number == 2:
            await send(socket, ("no", FILLS.key))
            await socket.wait_closed()
            return
        await acknowledge(socket, 1)
        if number == 3:
            await socket.wait_closed()

    async with venue(handler) as seen:
        assert kinds(await take(stream(Source(seen.port), FILLS), 3)) == [CONNECTED, CLOSED, RECONNECTED]
        assert seen.connections == 3


async def test_of_several_lines_each_tells_of_its_own() -> None:
    lost = asyncio.Event()

    async def handler(socket: ServerConnection, number: int) -> None:
        message = await socket.recv()
        assert isinstance(message, str)
        key = message.removeprefix("want ")
        await socket.send(json.dumps([["ack", key]]))
        if key == TRADES.key and number <= 2:
            await lost.wait()
            return
        await socket.wait_closed()

    async with venue(handler) as seen:
        transport = WsTransport(SystemClock(), SeededEntropy(1), QUICK)
        items = transport.run((Source(seen.port), [BOOK]), (Source(seen.port), [TRADES]))
        up = await take(items, 2)
        lost.set()
        told = up + await take(items, 2)
    about = [(item.kind, item.channel, item.trading_pair) for item in told if isinstance(item, Control)]
    books, trades = (BOOK.channel, BOOK.trading_pair), (TRADES.channel, TRADES.trading_pair)
    assert sorted(about[:2], key=str) == sorted([(CONNECTED, *books), (CONNECTED, *trades)], key=str)
    assert about[2:] == [(CLOSED, *trades), (RECONNECTED, *trades)]


async def test_a_passing_refusal_is_tried_again_at_once() -> None:
    async def handler(socket: ServerConnection, number: int) -> None:
        if number == 1:
            await send(socket, ("not now", FILLS.key))
        else:
            await acknowledge(socket, 1)
        await socket.wait_closed()

    async with venue(handler) as seen:
        assert kinds(await take(stream(Source(seen.port), FILLS), 1)) == [CONNECTED]
        assert seen.connections == 2


async def test_a_refusal_of_something_else_is_passed_over() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await send(socket, ("no", "another"))
        await acknowledge(socket, 1)
        await send(socket, ("no", None), ("fill", 1))
        await socket.wait_closed()

    async with venue(handler) as seen:
        assert kinds(await take(stream(Source(seen.port), FILLS), 2)) == [CONNECTED, fill(1)]
        assert seen.connections == 1


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ws://api.hyperliquid.xyz/ws", GuardRefused),
        ("wss://user:hunter2@api.hyperliquid.xyz/ws", UsageError),
        ("https://127.0.0.1/", UsageError),
    ],
)
async def test_addresses_that_are_refused(url: str, error: type[Exception]) -> None:
    source = Source(1)
    source.url = url
    with pytest.raises(error):
        await take(stream(source, FILLS), 1)


# Frames without sense


async def test_one_bad_frame_is_a_gap_and_hides_nothing() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        await send(socket, ("fill", 1), ("nonsense", 0))
        await socket.send(b"\xff\xfe")
        await send(socket, ("fill", 2))
        await socket.wait_closed()

    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port), FILLS), 5)
    assert kinds(got) == [CONNECTED, fill(1), ControlKind.GAP, ControlKind.GAP, fill(2)]


async def test_a_gap_in_the_venues_numbers_is_told_with_its_channel() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await send(socket, ("missing", "before there was anything to miss"))
        await acknowledge(socket, 1)
        await send(socket, ("fill", 1), ("missing", "number 7"), ("fill", 2))
        await socket.wait_closed()

    async with venue(handler) as seen:
        connected, first, gap, second = await take(stream(Source(seen.port), FILLS), 4)
    assert kinds([connected, first, second]) == [CONNECTED, fill(1), fill(2)]
    assert isinstance(gap, Control)
    assert (gap.kind, gap.channel, gap.detail) == (ControlKind.GAP, Channel.FILLS, "number 7")
    assert gap.since_ns is not None


async def test_a_source_may_have_a_subscription_asked_for_anew() -> None:
    heard: list[str | bytes] = []

    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        await send(socket, ("again", "another"), ("again", FILLS.key), ("fill", 1))
        heard.extend([await socket.recv(), await socket.recv()])
        await send(socket, ("ack", FILLS.key), ("fill", 2))
        await socket.wait_closed()

    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port), FILLS), 3)
    assert kinds(got) == [CONNECTED, fill(1), fill(2)]
    assert heard == ["leave fills", "want fills"]


async def test_bad_frames_again_and_again_end_the_stream() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        for _ in range(5):
            await socket.send("rubbish")
            await send(socket, ("pong", None))
        await socket.wait_closed()

    async with venue(handler) as seen:
        items = stream(Source(seen.port), FILLS)
        await take(items, 5)
        with pytest.raises(ProtocolError) as caught:
            await take(items, 1)
    assert caught.value.exit_code == 17
    assert caught.value.payload == "rubbish"


async def test_few_bad_frames_among_many_do_not() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        for _ in range(6):
            await socket.send("rubbish")
            for _ in range(12):
                await send(socket, ("pong", None))
        await send(socket, ("fill", 1))
        await socket.wait_closed()

    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port), FILLS), 8)
    assert kinds(got) == [CONNECTED, *[ControlKind.GAP] * 6, fill(1)]


@pytest.mark.parametrize("what", ["too big", "broken text"])
async def test_frames_that_cannot_be_taken_end_the_stream(what: str) -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 1)
        if what == "too big":
            socket.transport.write(b"\x81\x7f" + (100_000_000).to_bytes(8, "big"))
        else:
            await socket.send(b"\xff\xfe", text=True)
        await socket.wait_closed()

    async with venue(handler) as seen:
        items = stream(Source(seen.port), FILLS, limits=Limits(first_delay_s=0.01, max_delay_s=0.01))
        with pytest.raises(ProtocolError):
            await take(items, 100)
        assert seen.connections == 5


# Silence and slowness


async def test_a_silent_public_channel_is_stale_once_until_it_speaks() -> None:
    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 2)
        for price in (1, 2):
            await send(socket, ("bbo", price))
            for _ in range(6):
                await asyncio.sleep(0.05)
                await send(socket, ("pong", None))
        await socket.wait_closed()

    limits = Limits(stale_after_s=0.15, ack_timeout_s=0.3, close_timeout_s=0.1)
    async with venue(handler) as seen:
        got = await take(stream(Source(seen.port), BOOK, FILLS, limits=limits), 5)
    assert kinds(got) == [CONNECTED, bbo(1), ControlKind.STALE, bbo(2), ControlKind.STALE]
    stale = got[2]
    assert isinstance(stale, Control)
    assert (stale.channel, stale.trading_pair) == (Channel.BBO, "BTC-USD")
    assert stale.since_ns is not None
    assert 0.1e9 < stale.ts_ns - stale.since_ns < 0.4e9


async def test_a_slow_reader_misses_market_data_only_and_is_told() -> None:
    done = asyncio.Event()

    async def handler(socket: ServerConnection, _: int) -> None:
        await acknowledge(socket, 3)
        for number in range(100):
            await send(socket, ("bbo", number), ("trade", number))
        await send(socket, ("fill", 1))
        done.set()
        await socket.wait_closed()

    limits = Limits(waiting_items=10, close_timeout_s=0.1)
    async with venue(handler) as seen:
        items = stream(Source(seen.port), BOOK, TRADES, FILLS, limits=limits)
        first = await take(items, 1)
        await done.wait()
        await asyncio.sleep(0.1)
        got = first + await take(items, 12)
    quotes = [item for item in got if isinstance(item, BestBidOffer)]
    trades = [item.trade_id for item in got if isinstance(item, PublicTrade)]
    assert quotes == [*map(bbo, range(len(quotes) - 1)), bbo(99)]
    assert trades == [str(number) for number in range(len(trades))]
    told = [item.detail for item in got if isinstance(item, Control) and item.kind is ControlKind.CONFLATED]
    assert told == [f"{100 - len(quotes)} updates were replaced by later ones: the reader is too slow"]
    gaps = [item for item in got if isinstance(item, Control) and item.kind is ControlKind.GAP]
    assert [(gap.channel, gap.since_ns) for gap in gaps] == [(Channel.TRADES, len(trades))]
    assert got[-1] == fill(1)


async def test_private_news_waits_for_a_slow_reader_and_the_line_stays_alive() -> None:
    count, beats = 3_000, 0

    async def handler(socket: ServerConnection, _: int) -> None:
        nonlocal beats

        async def listen() -> None:
            nonlocal beats
            async for _ in socket:
                beats += 1

        await acknowledge(socket, 1)
        listening = asyncio.create_task(listen())
        for number in range(count):
            await send(socket, ("fill", number))
        await listening

    limits = Limits(waiting_items=20, close_timeout_s=0.1)
    async with venue(handler) as seen:
        items = stream(Source(seen.port, heartbeat_s=0.05, dead_after_s=0.2), FILLS, limits=limits)
        got = await take(items, 1)
        await asyncio.sleep(0.5)
        assert beats >= 5
        got += await take(items, count)
        assert seen.connections == 1
    assert kinds(got) == [CONNECTED, *map(fill, range(count))]
