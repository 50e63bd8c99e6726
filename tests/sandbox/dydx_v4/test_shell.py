"""The local chain behind real sockets: gRPC, REST and WebSocket from one shell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import msgspec
import pytest
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2, service_pb2_grpc
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, MNEMONICS, PRIVATE_KEYS
from latentspeed_dydx_v4.sandbox.model import DydxModel
from websockets.asyncio.client import connect

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.sandbox.faults import Fault
from latentspeed_cli.sandbox.model import SCENARIOS
from latentspeed_cli.sandbox.shell import Shell
from latentspeed_cli.sandbox.store import Store

LOT, LOW = 1_000_000, 80_000 * 100_000
FAST = msgspec.structs.replace(SCENARIOS["bench"], block_ns={"hyperliquid": 70_000_000, "dydx_v4": 50_000_000})


class Running:
    def __init__(self, shell: Shell, http: aiohttp.ClientSession, channel: Any, signer: Any) -> None:
        self.venue = shell.venues["dydx_v4"]
        self.info = self.venue.describe()
        self.http = http
        self.service = service_pb2_grpc.ServiceStub(channel)
        signer.model = self.venue.model
        self.signer = signer

    async def send(self, raw: bytes) -> Any:
        request = service_pb2.BroadcastTxRequest(tx_bytes=raw, mode=service_pb2.BROADCAST_MODE_SYNC)
        return (await self.service.BroadcastTx(request)).tx_response

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.info.base_url}/v4/{path}") as answer:
            return await answer.json()

    async def orders(self) -> Any:
        return await self.get(f"orders?address={ADDRESSES[0]}&subaccountNumber=0")


@pytest.fixture
def run(tmp_path: Path, venue: Any) -> Any:
    @asynccontextmanager
    async def started() -> AsyncIterator[Running]:
        store = Store.open(tmp_path / "sandbox.db")
        shell = Shell([DydxModel(FAST)], scenario=FAST, store=store, clock=SystemClock())
        await shell.listen("127.0.0.1", 0)
        node_url = shell.venues["dydx_v4"].describe().node_url
        assert node_url is not None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(shell.run())
            async with aiohttp.ClientSession() as http, grpc.aio.insecure_channel(node_url) as channel:
                yield Running(shell, http, channel, venue)
            shell.stop()
        await shell.close()
        store.close()

    return started


async def test_an_order_goes_in_by_grpc_and_comes_out_by_rest_and_websocket(run: Any) -> None:
    async with run() as running:
        assert running.info.chain_id == "localdydxprotocol"
        assert running.info.accounts[0].mnemonic == MNEMONICS[0]
        assert running.info.accounts[0].private_key == PRIVATE_KEYS[0]
        async with connect(running.info.ws_url, compression=None) as socket:
            assert json.loads(await socket.recv())["type"] == "connected"
            wanted = {"type": "subscribe", "channel": "v4_subaccounts", "id": f"{ADDRESSES[0]}/0"}
            await socket.send(json.dumps(wanted))
            assert json.loads(await socket.recv())["type"] == "subscribed"
            signer = running.signer
            for kind in ("short", "long"):
                answer = await running.send(signer.sign(signer.order("buy", LOT, LOW, kind)))
                assert answer.code == 0, answer.raw_log
            statuses = [json.loads(await socket.recv())["contents"]["orders"][0]["status"] for _ in range(2)]
        assert statuses == ["BEST_EFFORT_OPENED", "OPEN"]
        assert {row["status"] for row in await running.orders()} == {"BEST_EFFORT_OPENED", "OPEN"}
        assert (await running.send(b"x")).code == 2


async def test_a_lost_reply_leaves_the_order_there(run: Any) -> None:
    async with run() as running:
        signer = running.signer
        path = "/cosmos.tx.v1beta1.Service/BroadcastTx"
        running.venue.faults.add("lose_reply", Fault(path=path))
        with pytest.raises(grpc.aio.AioRpcError) as lost:
            await running.send(signer.sign(signer.order("buy", LOT, LOW)))
        assert lost.value.code() is grpc.StatusCode.UNAVAILABLE
        assert len(await running.orders()) == 1
        running.venue.faults.add("status", Fault(status=429, body="slow down"))
        with pytest.raises(grpc.aio.AioRpcError) as limited:
            await running.send(signer.sign(signer.order("buy", LOT, LOW)))
        assert (limited.value.code(), limited.value.details()) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "slow down",
        )
        assert len(await running.orders()) == 1


async def test_unknown_methods_are_unimplemented(run: Any) -> None:
    async with run() as running:
        request = service_pb2.GetTxsEventRequest()
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await running.service.GetTxsEvent(request)
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED
        missing = service_pb2.GetTxRequest(hash="AB")
        with pytest.raises(grpc.aio.AioRpcError) as none:
            await running.service.GetTx(missing)
        assert (none.value.code(), none.value.details()) == (grpc.StatusCode.NOT_FOUND, "tx not found: AB")


async def test_what_is_told_is_stored(run: Any) -> None:
    async with run() as running:
        signer = running.signer
        assert (await running.send(signer.sign(signer.order("buy", LOT, LOW, "long")))).code == 0
        await asyncio.sleep(0.2)
    async with run() as running:
        assert [row["status"] for row in await running.orders()] == ["OPEN"]
        height = int((await running.get("height"))["height"])
        await asyncio.sleep(0.2)
        assert int((await running.get("height"))["height"]) > height
