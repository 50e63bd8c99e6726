"""How many signed orders a second the sandbox takes, in scenario `bench`, the server on a core of its own.

`sandbox_rate.py VENUE FOLDER ORDERS` starts a sandbox there, signs every order before the clock starts, sends them over
five connections, checks every answer, and prints {"orders", "seconds", "per_second", "pinned"} as JSON. On each
connection two accounts trade with each other on a market of their own: one rests a bid, the other sells into it.
Orders go to Hyperliquid over HTTP, to dYdX over gRPC, where they are short-term ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import grpc.aio
import msgspec
from figures import sandbox
from latentspeed_dydx_v4 import chain_state, constants, encode, identifiers, node, tx
from latentspeed_dydx_v4 import markets as dydx_markets
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.markets import DydxV4Market
from latentspeed_dydx_v4.payloads import PerpetualMarkets
from latentspeed_hyperliquid.actions import OrderAction, OrderKind, OrderWire, Tif
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig

from latentspeed_cli.clock import NS_PER_MS, SystemClock
from latentspeed_cli.connector.answers import shape
from latentspeed_cli.core.decimals import plain, round_down
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.home import Home, VenueInfo

CONNECTIONS = 5
NOTIONAL = Decimal(20)
GTC, IOC = OrderKind(limit=Tif("Gtc")), OrderKind(limit=Tif("Ioc"))
GOOD_FOR_BLOCKS = 35


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What every connection sends, signed, and how one connection sends its orders: the next one leaves when the answer
    to the one before is here.
    """

    batches: list[list[bytes]]
    send_all: Callable[[list[bytes]], Awaitable[None]]


def pin(pid: int, core: int) -> bool:
    """Keep a process on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(pid, {cores[core % len(cores)]})
    return len(cores) > 1


def turn(number: int) -> tuple[bool, int]:
    """Whether an order is the resting bid, and which of two accounts sends it: both are flat after every fourth."""
    return number % 2 == 0, int(number % 4 in (1, 2))


# HTTP


def as_http(path: str, body: bytes = b"") -> bytes:
    head = (("POST " if body else "GET ") + path + " HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    return "\r\n".join((*head, f"Content-Length: {len(body)}", "", "")).encode() + body


async def reply(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"the sandbox answered {head!r} {body!r}")
    return body


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reply(reader)
    writer.close()
    return answer


# Hyperliquid


class Place(msgspec.Struct, frozen=True):
    """Where one pair of accounts trades. The background flow is off, so the price stays good."""

    asset_id: int
    price: str
    size: str


async def hyperliquid_places(port: int) -> list[Place]:
    """Markets with room for a price between the best bid and the best ask, so that two accounts meet there."""
    meta = json.loads(await ask(port, as_http("/info", b'{"type": "meta"}')))
    found = []
    for number, asset in enumerate(meta["universe"]):
        question = json.dumps({"type": "l2Book", "coin": asset["name"]}).encode()
        book = json.loads(await ask(port, as_http("/info", question)))
        if asset.get("isDelisted") or book is None or not all(book["levels"]):
            continue
        bid, ask_price = (Decimal(side[0]["px"]) for side in book["levels"])
        tick = Decimal(1).scaleb(max(bid.adjusted() - 4, asset["szDecimals"] - 6))
        lot = Decimal(1).scaleb(-asset["szDecimals"])
        if bid + tick < ask_price:
            found.append(Place(number, plain(bid + tick), plain((NOTIONAL / bid).quantize(lot) + lot)))
    return found[:CONNECTIONS]


async def hyperliquid(venue: VenueInfo, port: int, count: int) -> Load:
    auths = [
        HyperliquidAuth(HyperliquidConfig(network="sandbox", key=Secret(account.private_key)))
        for account in venue.accounts
    ]
    first_nonce = SystemClock().now_ns() // NS_PER_MS

    def order(pair: int, place: Place, number: int) -> bytes:
        is_bid, who = turn(number)
        wire = OrderWire(place.asset_id, is_bid, place.price, place.size, False, GTC if is_bid else IOC)
        body = auths[2 * pair + who].sign(OrderAction((wire,), "na"), first_nonce + number)
        return as_http("/exchange", body)

    async def send_all(orders: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, sent in enumerate(orders):
            writer.write(sent)
            body = await reply(reader)
            if (b'"resting"' if turn(number)[0] else b'"filled"') not in body:
                raise RuntimeError(f"order {number}: {body.decode()}")
        writer.close()

    places = await hyperliquid_places(port)
    batches = [[order(pair, place, number) for number in range(count)] for pair, place in enumerate(places)]
    return Load(batches=batches, send_all=send_all)


# dYdX


async def dydx_places(port: int) -> list[tuple[DydxV4Market, Decimal]]:
    """The same as above: markets, and the price at which two accounts meet."""
    listed: PerpetualMarkets = shape(await ask(port, as_http("/v4/perpetualMarkets")), PerpetualMarkets)
    found = []
    for market in dydx_markets.markets(dydx_markets.rows(listed)).symbols:
        if not isinstance(market, DydxV4Market) or market.refusal is not None or market.is_isolated:
            continue
        book = json.loads(await ask(port, as_http(f"/v4/orderbooks/perpetualMarket/{market.symbol}")))
        if book["bids"] and book["asks"]:
            price = Decimal(book["bids"][0]["price"]) + market.price_tick
            if price < Decimal(book["asks"][0]["price"]):
                found.append((market, price))
    return found[:CONNECTIONS]


async def dydx(venue: VenueInfo, port: int, count: int) -> Load:
    assert venue.node_url is not None
    target = venue.node_url
    auths = [DydxV4Auth(DydxV4Config(network="sandbox", key=Secret(account.private_key))) for account in venue.accounts]
    async with grpc.aio.insecure_channel(target) as channel:
        height = chain_state.block(await channel.unary_unary(f"/{node.LATEST_BLOCK}")(b"")).height
        numbers = []
        for auth in auths:
            answer = await channel.unary_unary(f"/{constants.ACCOUNT}")(chain_state.account_query(auth.owner))
            numbers.append(chain_state.account(answer, auth.owner).number)

    def order(pair: int, market: DydxV4Market, price: Decimal, number: int) -> bytes:
        is_bid, who = turn(number)
        auth = auths[2 * pair + who]
        made = InFlightOrder(
            client_order_id="x",
            venue_client_id=identifiers.venue_client_id(number, 1),
            venue="dydx_v4",
            network="sandbox",
            account=auth.owner,
            trading_pair=market.trading_pair,
            side=TradeType.BUY if is_bid else TradeType.SELL,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.GTC if is_bid else TimeInForce.IOC,
            amount=round_down(NOTIONAL / price, market.amount_step) + market.amount_step,
            price=price,
            created_ts_ns=0,
            good_til_block=height + GOOD_FOR_BLOCKS,
            facts=Facts(),
        )
        message = encode.place_order(made, market, encode.subaccount(auth.owner, 0))
        raw = auth.sign(constants.PLACE_ORDER, message, account_number=numbers[2 * pair + who], sequence=0)
        return tx.broadcast_request(raw)

    async def send_all(orders: list[bytes]) -> None:
        async with grpc.aio.insecure_channel(target, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            broadcast = channel.unary_unary(f"/{constants.BROADCAST_TX}")
            for number, sent in enumerate(orders):
                said = tx.broadcast_response(await broadcast(sent))
                if said.code:
                    raise RuntimeError(f"order {number}: {said.name} {said.raw_log}")

    places = await dydx_places(port)
    batches = [
        [order(pair, market, price, number) for number in range(count)] for pair, (market, price) in enumerate(places)
    ]
    return Load(batches=batches, send_all=send_all)


LOADS = {"hyperliquid": hyperliquid, "dydx_v4": dydx}


async def measure(name: str, folder: Path, total: int) -> dict[str, object]:
    running = Home(folder).running()
    assert running is not None
    pinned = pin(running.pid, 0) and pin(0, 1)
    load = await LOADS[name](running.info.venues[name], running.port, total // CONNECTIONS)
    assert len(load.batches) == CONNECTIONS
    before = perf_counter()
    await asyncio.gather(*(load.send_all(orders) for orders in load.batches))
    seconds = perf_counter() - before
    sent = sum(map(len, load.batches))
    return {"orders": sent, "seconds": seconds, "per_second": sent / seconds, "pinned": pinned}


def main(name: str, folder: Path, total: int) -> None:
    with sandbox(folder, "bench"):
        json.dump(asyncio.run(measure(name, folder, total)), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
