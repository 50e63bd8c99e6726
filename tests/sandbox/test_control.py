"""Trouble on order: each fault does what it says, as often as it says, and nothing else suffers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from latentspeed_dydx_v4.sandbox import control as dydx_control
from latentspeed_hyperliquid.sandbox import control as hyperliquid_control
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from latentspeed_cli.sandbox.commands import Commands
from latentspeed_cli.sandbox.control import SHELL_COMMANDS

Start = Callable[..., Any]


async def test_without_the_token_nothing_is_done(start: Start) -> None:
    async with start() as running:
        for token in ("", "wrong", "token2", "tokeñ"):
            assert (await running.control("set", token=token, count=5))["status"] == 401
        status, _ = await running.post("/control/counter/set", b'{"count": 5}')
        assert status == 401
        assert running.model.count == 0


async def test_other_commands_are_the_models_own(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as socket:
        assert await running.control("set", count=41) == {"status": 200, "ok": True, "result": 42}
        assert [await socket.recv(), await socket.recv()] == ["welcome", "count 42"]
        assert next(iter(running.shell._store.rows("counter"))).value == b"42"


@pytest.mark.parametrize("commands", [dydx_control.COMMANDS, hyperliquid_control.COMMANDS])
def test_a_venues_own_commands_are_all_reached(commands: Commands[Any]) -> None:
    assert not SHELL_COMMANDS & set(commands.names)


async def test_what_cannot_be_understood_is_said(start: Start) -> None:
    async with start() as running:
        assert (await running.control("fly"))["error"] == "fly: unknown command 'fly'"
        assert (await running.control("lose_reply", colour="red"))["status"] == 400
        assert (await running.control("advance", seconds="soon"))["status"] == 400
        assert (await running.control("look", venue="nowhere"))["status"] == 404
        assert (await running.control("fly", venue="sandbox"))["status"] == 400
        status, _ = await running.post("/control/counter/look", b"[", headers={"Authorization": "Bearer token"})
        assert status == 400


@pytest.mark.parametrize(("command", "counted"), [("drop_request", 0), ("lose_reply", 1)])
async def test_a_lost_reply_and_a_lost_request_look_alike(start: Start, command: str, counted: int) -> None:
    async with start() as running:
        await running.control(command)
        with pytest.raises(aiohttp.ClientConnectionError):
            await running.post("/count")
        assert running.model.count == counted
        assert await running.post("/count") == (200, b"%d" % (counted + 1))


@pytest.mark.parametrize(("command", "counted"), [("status", 0), ("status_after", 1)])
async def test_a_status_before_or_after_the_work(start: Start, command: str, counted: int) -> None:
    async with start() as running:
        await running.control(command, status=503, body="down", content_type="text/plain")
        assert await running.post("/count") == (503, b"down")
        assert running.model.count == counted


async def test_a_fault_strikes_as_often_as_it_was_ordered(start: Start) -> None:
    async with start() as running:
        await running.control("status", status=429, body="null", content_type="application/json", count=2)
        assert await running.post("/count") == (429, b"null")
        assert await running.post("/count") == (429, b"null")
        assert await running.post("/count") == (200, b"1")


async def test_garbage_and_half_an_answer(start: Start) -> None:
    async with start() as running:
        await running.control("garbage", body='{"status":"ok"')
        assert await running.post("/count") == (200, b'{"status":"ok"')
        await running.control("cut")
        with pytest.raises(aiohttp.ClientPayloadError):
            await running.post("/echo")
        assert running.model.count == 1


@pytest.mark.parametrize(("command", "counted"), [("delay_request", 0), ("delay", 1)])
async def test_a_delay_before_or_after_the_work(start: Start, command: str, counted: int) -> None:
    async with start() as running:
        await running.control(command, seconds=0.3)
        request = asyncio.create_task(running.post("/count"))
        faults = running.shell.venues["counter"].faults
        await running.eventually(lambda: not faults)
        assert running.model.count == counted
        assert not request.done()
        assert await request == (200, b"1")


async def test_a_fault_waits_for_its_match(start: Start) -> None:
    async with start() as running:
        await running.control("status", path="/echo", contains='"order"', skip=1, status=500)
        assert (await running.post("/count", b'{"order"}'))[0] == 200
        assert (await running.post("/echo", b'{"cancel"}'))[0] == 200
        assert (await running.post("/echo", b'{"order"}'))[0] == 200
        assert len((await running.control("pending"))["result"]) == 1
        assert (await running.post("/echo", b'{"order"}'))[0] == 500
        assert (await running.control("pending"))["result"] == []


async def test_ordered_trouble_can_be_forgotten(start: Start) -> None:
    async with start() as running:
        await running.control("status", count=100)
        await running.control("clear")
        assert (await running.post("/count"))[0] == 200


async def test_frames_are_dropped_doubled_and_overtaken(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as socket:
        assert await socket.recv() == "welcome"
        await running.control("drop_frame", contains="echo 1")
        await running.control("duplicate_frame", contains="echo 2")
        await running.control("reorder_frames", contains="echo 3")
        for word in "12345":
            await socket.send(word)
        heard = [await socket.recv() for _ in range(5)]
        assert heard == ["echo 2", "echo 2", "echo 4", "echo 3", "echo 5"]


async def test_all_sockets_are_cut(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as one, connect(running.ws_url) as two:
        assert (await running.control("connections"))["result"] == 2
        await running.control("disconnect")
        for socket in (one, two):
            assert await socket.recv() == "welcome"
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1006


async def test_sockets_are_closed_with_a_code(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as socket:
        await running.control("disconnect", code=1000, reason="Inactive")
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1000, "Inactive")


async def test_a_muted_socket_stays_open_and_says_nothing(start: Start) -> None:
    async with start() as running, connect(running.ws_url, ping_interval=None) as muted:
        assert await muted.recv() == "welcome"
        await running.control("mute")
        await muted.send("hello?")
        pong = asyncio.ensure_future(await muted.ping())
        async with connect(running.ws_url) as other:
            await other.send("hello?")
            assert [await other.recv(), await other.recv()] == ["welcome", "echo hello?"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(muted.recv(), 0.1)
        assert not pong.done()
        assert muted.close_code is None


async def test_any_text_can_be_injected(start: Start) -> None:
    async with start() as running, connect(running.ws_url) as socket:
        await running.control("inject", text="{not json")
        assert [await socket.recv(), await socket.recv()] == ["welcome", "{not json"]


async def test_handshakes_are_refused(start: Start) -> None:
    async with start() as running:
        await running.control("refuse_ws", status=502, count=2)
        for _ in range(2):
            with pytest.raises(InvalidStatus) as caught:
                await connect(running.ws_url)
            assert caught.value.response.status_code == 502
        async with connect(running.ws_url) as socket:
            assert await socket.recv() == "welcome"
