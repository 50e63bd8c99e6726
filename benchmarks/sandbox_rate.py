"""How many signed orders a second the sandbox takes over HTTP, in scenario `bench`, the server on a core of its own.

`sandbox_rate.py FOLDER ORDERS` starts a sandbox there, signs every order before the clock starts, sends them over five
connections, checks every answer, and prints {"orders", "seconds", "per_second", "pinned"} as JSON. On each connection
two accounts trade with each other on a market of their own: one rests a bid, the other sells into it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import msgspec
from latentspeed_hyperliquid.actions import OrderAction, OrderKind, OrderWire, Tif
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig

from latentspeed_cli.clock import NS_PER_MS, SystemClock
from latentspeed_cli.core.decimals import plain
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Home, Options

CONNECTIONS = 5
GTC, IOC = OrderKind(limit=Tif("Gtc")), OrderKind(limit=Tif("Ioc"))


class Market(msgspec.Struct, frozen=True):
    """Where one pair of accounts trades. The background flow is off, so the price stays good."""

    asset_id: int
    price: str
    size: str


def pin(pid: int, core: int) -> bool:
    """Keep a process on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[core % len(cores)]})
    return len(cores) > 1


async def ask(host: str, port: int, question: dict[str, str]) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(as_http("/info", json.dumps(question).encode()))
    answer = await reply(reader)
    writer.close()
    return answer


def as_http(path: str, body: bytes) -> bytes:
    head = ("POST " + path + " HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", "")).encode() + body


async def reply(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"the sandbox answered {head!r} {body!r}")
    return body


async def markets(host: str, port: int) -> list[Market]:
    """Markets with room for a price between the best bid and the best ask, so that two accounts meet there."""
    meta = json.loads(await ask(host, port, {"type": "meta"}))
    found = []
    for number, asset in enumerate(meta["universe"]):
        book = json.loads(await ask(host, port, {"type": "l2Book", "coin": asset["name"]}))
        if asset.get("isDelisted") or book is None or not all(book["levels"]):
            continue
        bid, ask_price = (Decimal(side[0]["px"]) for side in book["levels"])
        tick = Decimal(1).scaleb(max(bid.adjusted() - 4, asset["szDecimals"] - 6))
        lot = Decimal(1).scaleb(-asset["szDecimals"])
        if bid + tick < ask_price:
            found.append(Market(number, plain(bid + tick), plain((20 / bid).quantize(lot) + lot)))
    return found[:CONNECTIONS]


def signed(auths: tuple[HyperliquidAuth, HyperliquidAuth], market: Market, count: int, first_nonce: int) -> list[bytes]:
    """`count` orders that trade with each other, and leave both accounts flat after every fourth."""
    orders = []
    for number in range(count):
        is_buy = number % 2 == 0
        who = number % 4 in (1, 2)
        wire = OrderWire(market.asset_id, is_buy, market.price, market.size, False, GTC if is_buy else IOC)
        orders.append(as_http("/exchange", auths[who].sign(OrderAction((wire,), "na"), first_nonce + number)))
    return orders


async def send_all(host: str, port: int, orders: list[bytes]) -> None:
    """One connection: the next order leaves when the answer to the one before is here."""
    reader, writer = await asyncio.open_connection(host, port)
    for number, order in enumerate(orders):
        writer.write(order)
        body = await reply(reader)
        expected = b'"resting"' if number % 2 == 0 else b'"filled"'
        if expected not in body:
            raise RuntimeError(f"order {number}: {body.decode()}")
    writer.close()


async def measure(folder: Path, total: int) -> dict[str, object]:
    info = supervisor.start(folder, Options(port=0, scenario="bench"))
    running = Home(folder).running()
    assert running is not None
    venue = info.venues["hyperliquid"]
    host, port = "127.0.0.1", running.port
    pinned = pin(running.pid, 0) and pin(0, 1)
    auths = [
        HyperliquidAuth(HyperliquidConfig(network="sandbox", key=Secret(account.private_key)))
        for account in venue.accounts
    ]
    first_nonce = SystemClock().now_ns() // NS_PER_MS
    count = total // CONNECTIONS
    places = await markets(host, port)
    assert len(places) == CONNECTIONS
    batches = [
        signed((auths[2 * number], auths[2 * number + 1]), market, count, first_nonce)
        for number, market in enumerate(places)
    ]
    before = perf_counter()
    await asyncio.gather(*(send_all(host, port, orders) for orders in batches))
    seconds = perf_counter() - before
    sent = sum(len(orders) for orders in batches)
    return {"orders": sent, "seconds": seconds, "per_second": sent / seconds, "pinned": pinned}


def main(folder: Path, total: int) -> None:
    try:
        json.dump(asyncio.run(measure(folder, total)), sys.stdout)
    finally:
        supervisor.stop(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
