"""The shell on real sockets: what it hands to a model, what it lets out, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from latentspeed_cli.clock import NS_PER_S, SystemClock
from latentspeed_cli.errors import UsageError
from latentspeed_cli.sandbox import connections
from latentspeed_cli.sandbox.model import SCENARIOS, Scenario, StoredRow

Start = Callable[..., Any]


def stored_count(running: Any) -> bytes | None:
    rows = list(running.shell._store.rows("counter"))
    return rows[0].value if rows else None


async def test_a_model_sees_the_whole_request(start: Start) -> None:
    async with start() as running:
        status, body = await running.post("/echo?a=1&b=x%20y", b"\xc3\xa4", headers={"X-Some-Header": "Value"})
    seen = msgspec.json.decode(body)
    assert status == 200
    assert seen["method"] == "POST"
    assert seen["query"] == {"a": "1", "b": "x y"}
    assert seen["body"] == "ä"
    assert seen["headers"]["x-some-header"] == "Value"
    assert seen["peer"] == "127.0.0.1"
    assert abs(seen["now_ns"] - SystemClock().now_ns()) < 5 * NS_PER_S


async def test_an_answer_has_the_headers_of_the_model_and_is_not_compressed(start: Start) -> None:
    async with (
        start() as running,
        running.http.post(running.url + "/echo", headers={"Accept-Encoding": "gzip, br"}) as answer,
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Vary"] == "origin, access-control-request-method"
        assert answer.headers["Content-Type"] == "application/json"
        assert "Content-Encoding" not in answer.headers


async def test_paths_belong_to_models_and_the_rest_is_404(start: Start) -> None:
    async with start() as running:
        assert await running.post("/below/all/of/it") == (422, b"no such thing")
        assert (await running.post("/other"))[0] == 404
        assert (await running.post("/countless"))[0] == 404


async def test_what_an_answer_tells_is_stored_before(start: Start) -> None:
    async with start() as running:
        for count in (b"1", b"2", b"3"):
            assert await running.post("/count") == (200, count)
            assert stored_count(running) == count


async def test_what_many_requests_change_at_once_is_stored_in_few_transactions(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as running:
        written: list[int] = []
        write = running.shell._store.write

        def counted(rows: list[tuple[str, StoredRow]]) -> None:
            written.append(len(rows))
            write(rows)

        monkeypatch.setattr(running.shell._store, "write", counted)
        answers = await asyncio.gather(*(running.post("/count") for _ in range(60)))
        assert sorted(int(body) for _, body in answers) == list(range(1, 61))
        assert stored_count(running) == b"60"
        assert sum(written) == 60
        assert len(written) < 60


async def test_nobody_hears_of_what_could_not_be_stored(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(rows: object) -> None:
        raise OSError("disk full")

    async def hear() -> None:
        async with start() as running, connect(running.ws_url, compression=None) as listener:
            assert await listener.recv() == "welcome"
            monkeypatch.setattr(running.shell._store, "write", fail)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await running.post("/count")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await listener.recv()

    with pytest.raises(ExceptionGroup) as caught:
        await hear()
    assert caught.group_contains(OSError, match="disk full")


async def test_a_model_takes_up_what_it_left(start: Start) -> None:
    async with start() as running:
        await running.post("/count")
        await running.post("/count")
    async with start() as running:
        assert await running.post("/count") == (200, b"3")


async def test_the_answer_comes_after_the_latency_of_the_scenario(start: Start) -> None:
    loop = asyncio.get_running_loop()
    async with start(Scenario(name="slow", latency_s=0.08)) as running:
        begun = loop.time()
        await running.post("/count")
        assert loop.time() - begun >= 0.08
        async with connect(running.ws_url) as socket:
            await socket.recv()
            begun = loop.time()
            await socket.send("x")
            await socket.recv()
            assert loop.time() - begun >= 0.08


async def test_frames_of_one_connection_come_in_order(start: Start) -> None:
    async with start(Scenario(name="slow", latency_s=0.003)) as running, connect(running.ws_url) as socket:
        for number in range(200):
            await socket.send(str(number))
        heard = [await socket.recv() for _ in range(201)]
    assert heard == ["welcome", *(f"echo {number}" for number in range(200))]


async def test_everybody_hears_what_one_request_changed(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as one, connect(running.ws_url) as two:
        await running.post("/count")
        assert [await one.recv(), await one.recv()] == ["welcome", "count 1"]
        assert [await two.recv(), await two.recv()] == ["welcome", "count 1"]


async def test_no_compression_is_offered_and_long_frames_arrive(start: Start) -> None:
    async with start() as running, connect(running.ws_url, compression="deflate") as socket:
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
        await socket.recv()
        for size in (125, 126, 65535, 65536, 300_000):
            await socket.send("ä" + "x" * (size - 7))
            assert await socket.recv() == "echo ä" + "x" * (size - 7)


async def test_a_ping_of_the_protocol_is_answered(start: Start) -> None:
    async with start() as running, connect(running.ws_url, ping_interval=None) as socket:
        async with asyncio.timeout(2):
            await (await socket.ping(b"abc"))


async def test_a_connection_ends_without_a_close_frame(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as socket:
        await socket.recv()
        await socket.send("drop")
        assert await socket.recv() == "last words"
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
        assert caught.value.rcvd is None
        assert socket.close_code == 1006
        await running.eventually(lambda: running.model.closed == [1] and running.model.open == [])


async def test_a_connection_ends_with_code_and_reason(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as socket:
        await socket.recv()
        await socket.send("expire")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (1000, "Expired")
        await running.eventually(lambda: running.model.closed == [1])


async def test_a_model_is_told_once_when_a_client_leaves(start: Start) -> None:
    async with start() as running:
        async with connect(running.ws_url):
            await running.eventually(lambda: running.model.open == [1])
        await running.eventually(lambda: running.model.closed == [1])
        assert running.shell.venues["counter"].connections == {}


async def test_a_model_refuses_a_handshake(start: Start) -> None:
    async with start() as running:
        await running.control("refuse")
        with pytest.raises(InvalidStatus) as caught:
            await connect(running.ws_url)
        assert caught.value.response.status_code == 403
        assert running.model.closed == []


async def test_who_does_not_read_is_dropped_and_holds_up_nobody(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.shell.sites[0].port, limit=2**10)
        writer.write(
            b"GET /count/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        await running.eventually(lambda: running.model.open == [1])
        # "flood", masked with zeros; each one asks for 20 MB.
        writer.write(b"\x81\x85\x00\x00\x00\x00flood")
        await running.eventually(lambda: running.model.closed == [1])
        assert await running.post("/count") == (200, b"1")
        writer.close()
        del reader


async def test_the_model_is_ticked_when_work_is_due(start: Start) -> None:
    async with start() as running:
        before = running.model.ticks
        await asyncio.sleep(0.3)
        assert 3 <= running.model.ticks - before <= 16


async def test_a_model_at_rest_is_asked_again_after_a_request(start: Start) -> None:
    async with start() as running:
        running.model.pause_ns = 3600 * NS_PER_S
        await asyncio.sleep(0.1)
        resting = running.model.ticks
        await asyncio.sleep(0.1)
        assert running.model.ticks == resting
        await running.post("/echo")
        await running.eventually(lambda: running.model.ticks == resting + 1)


async def test_advancing_the_clock_is_felt_at_once_and_outlives_a_restart(start: Start) -> None:
    async with start() as running:
        assert (await running.control("advance", seconds=3600))["ok"]
        look = (await running.control("look"))["result"]
        assert look["now_ns"] - SystemClock().now_ns() > 3590 * NS_PER_S
    async with start() as running:
        look = (await running.control("look"))["result"]
        assert look["now_ns"] - SystemClock().now_ns() > 3590 * NS_PER_S


async def test_models_with_the_same_paths_get_listeners_of_their_own(start: Start, counter_venue: ModuleType) -> None:
    first, second = (counter_venue.CounterModel(SCENARIOS["bench"]) for _ in range(2))
    second.name = "second"
    async with start(models=[first, second]) as running:
        one, two = (running.shell.venues[name].describe() for name in ("counter", "second"))
        assert one.base_url != two.base_url
        async with running.http.post(two.base_url + "/count") as answer:
            assert await answer.read() == b"1"
        async with connect(two.ws_url) as socket:
            assert await socket.recv() == "welcome"
        assert (first.count, second.count) == (0, 1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
async def test_only_this_machine_can_be_listened_on(start: Start, host: str) -> None:
    async with start() as running:
        with pytest.raises(UsageError, match="this machine only"):
            await running.shell.listen(host, 0)


async def test_a_port_in_use_is_refused(start: Start) -> None:
    async with start() as running:
        with pytest.raises(UsageError, match="in use"):
            await running.shell.listen("127.0.0.1", running.shell.sites[0].port)


def test_frames_are_those_of_rfc_6455() -> None:
    assert connections.text_frame("Hello") == bytes.fromhex("810548656c6c6f")
    assert connections.text_frame("x" * 256)[:4] == bytes.fromhex("817e0100")
    assert connections.text_frame("x" * 65536)[:10] == bytes.fromhex("817f0000000000010000")
