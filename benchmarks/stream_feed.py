"""A venue that only talks: Hyperliquid's markets, and as many book frames as its listeners take.

`stream_feed.py PAIRS RATE` prints {"port"} and serves /info from the local venue model, with more markets if it has
fewer than PAIRS, and /ws with ready frames of whole books, or of a trade each. They begin when a line has subscribed to
one of these channels of PAIRS markets, in turns over these, RATE a second altogether, or as fast as they are taken when
RATE is 0. Every frame carries the time at which it is sent. GET /sent answers how many that were so far: {"sent"}.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import time_ns

from aiohttp import WSMsgType, web
from latentspeed_hyperliquid.sandbox.model import HyperliquidModel

from latentspeed_cli.sandbox.model import SCENARIOS, HttpRequest

BOOKS = 4_000  # of all markets together; then the same again
LEVELS = 5
BATCH, FULL_BATCH = 10, 50
YIELD_EVERY = 20
TIME_DIGITS = 13
BUFFER_BYTES = 1 << 18
NAP_S = 0.0005


def halves(channel: str, coin: str, number: int) -> tuple[bytes, bytes]:
    """A text frame as a server sends it, without a mask: what stands before the time, and what behind it."""
    if channel == "l2Book":
        before = f'{{"channel":"l2Book","data":{{"coin":"{coin}","time":'.encode()
        behind = f',"levels":{json.dumps(book(number))}}}}}'.encode()
    else:
        before = f'{{"channel":"trades","data":[{{"coin":"{coin}","time":'.encode()
        behind = f",{json.dumps(trade(number))[1:-1]}}}]}}".encode()
    size = len(before) + TIME_DIGITS + len(behind)
    assert 126 <= size < 1 << 16
    return bytes((0x81, 126)) + size.to_bytes(2, "big") + before, behind


def trade(number: int) -> dict[str, object]:
    """A trade but for its market and its time. Its id comes again after BOOKS others."""
    return {
        "side": "AB"[number % 2],
        "px": f"{50_000 + number % 50}.0",
        "sz": f"{number % 997 + 1}.0",
        "tid": 10**12 + number,
        "hash": "0x" + f"{number:064x}",
        "users": [f"0x{number:040x}", f"0x{number + 1:040x}"],
    }


def book(number: int) -> list[list[dict[str, object]]]:
    """A book that differs from the one before in some of its levels, as books do."""
    middle = 50_000 + number // 7 % 50
    return [
        [
            {
                "px": f"{middle + side * (depth + 1)}.0",
                "sz": f"{((number // (depth + 1) + depth * 17) % 997 + 1) / 1000:.3f}",
                "n": depth + 1,
            }
            for depth in range(LEVELS)
        ]
        for side in (-1, 1)
    ]


class Count:
    """How many frames were sent."""

    sent = 0


async def talk(transport: asyncio.Transport, parts: list[tuple[bytes, bytes]], rate: float, count: Count) -> None:
    """Straight to the socket: a server that composes each frame would be what is measured."""
    size = BATCH if rate else FULL_BATCH
    loop = asyncio.get_running_loop()
    sent, turns, began_s = 0, 0, loop.time()
    while not transport.is_closing():
        is_ahead = rate and sent >= (loop.time() - began_s) * rate
        if is_ahead or transport.get_write_buffer_size() > BUFFER_BYTES:
            await asyncio.sleep(NAP_S)
            continue
        now_ms = b"%d" % (time_ns() // 1_000_000)
        first = sent % len(parts)
        transport.write(
            b"".join([piece for before, behind in parts[first : first + size] for piece in (before, now_ms, behind)])
        )
        sent += min(size, len(parts) - first)
        count.sent = sent
        turns += 1
        if not turns % YIELD_EVERY:
            await asyncio.sleep(0)


def widened(body: bytes, pairs: int) -> bytes:
    """An answer of /info with at least so many markets, if it lists them."""
    said = json.loads(body)
    meta, contexts = (said[0], said[1]) if isinstance(said, list) and len(said) == 2 else (said, None)
    if not isinstance(meta, dict) or "universe" not in meta or "tokens" in meta:
        return body
    model = meta["universe"][0]
    for number in range(len(meta["universe"]), pairs + 1):
        meta["universe"].append({**model, "name": f"M{number}"})
        if contexts is not None:
            contexts.append(contexts[0])
    return json.dumps(said).encode()


async def main(pairs: int, rate: float) -> None:
    model = HyperliquidModel(SCENARIOS["bench"])
    model.load([], time_ns())
    count = Count()

    async def info(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        asked = HttpRequest(method="POST", path="/info", query={}, headers=headers, body=body, peer="listener")
        said = model.http(asked, time_ns())
        return web.Response(status=said.status, body=widened(said.body, pairs), content_type=said.content_type)

    async def sent(request: web.Request) -> web.Response:
        return web.json_response({"sent": count.sent})

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        coins: dict[str, list[str]] = {"l2Book": [], "trades": []}
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            if asked.get("method") != "subscribe":
                continue
            await socket.send_json({"channel": "subscriptionResponse", "data": asked})
            channel = asked["subscription"]["type"]
            named = coins.get(channel, [])
            named.append(asked["subscription"].get("coin", ""))
            if channel in coins and len(named) == pairs and request.transport is not None:
                frames = [halves(channel, named[number % pairs], number) for number in range(BOOKS // pairs * pairs)]
                await talk(request.transport, frames, rate, count)
                break
        return socket

    app = web.Application()
    app.router.add_post("/info", info)
    app.router.add_get("/ws", stream)
    app.router.add_get("/sent", sent)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
