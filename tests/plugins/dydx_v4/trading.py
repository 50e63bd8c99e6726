"""What tests of the whole path share: the way to the local venue with its faults, and orders to send on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from latentspeed_dydx_v4.connector import DydxV4Perpetual
from latentspeed_dydx_v4.node import fields

from latentspeed_cli.connector.parts import OrderOutcome
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import (
    ConnectFailed,
    ReplyLost,
)

from .local_venue import BLOCK_NS, Venue

SETTINGS: dict[str, Any] = {"network": "sandbox", "base_url": "http://127.0.0.1:3001", "node_url": "127.0.0.1:3003"}
USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"


class Way:
    """Http to the venue. faults: what happens to the next broadcasts."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.faults: deque[str] = deque()
        self.clock_offset_ns = 0  # of the machine that asks
        self.asked: list[str] = []
        self.broadcasts: list[bytes] = []
        self.last_reply: Reply | None = None
        self.held, self.overtaken = asyncio.Event(), asyncio.Event()

    async def send(self, request: Request) -> Reply:
        self.asked.append(request.url)
        self.venue.pass_time(BLOCK_NS // 4)
        if not request.changes:
            return self.venue.send(request)
        fault = self.faults.popleft() if self.faults else ""
        if fault == "no connection":
            raise ConnectFailed("refused")
        self.broadcasts.append(request.body)
        if fault == "lost before":
            raise ReplyLost("reset")
        if fault == "exhausted":
            return Reply(status=8, body=b"too many", headers={}, received_ns=self.venue.now_ns)
        if fault == "hollow" and self.last_reply is not None:  # says what it said the last time, and does nothing
            return self.last_reply
        if fault == "late":  # the next one overtakes it
            self.held.set()
            self.overtaken.clear()
            await self.overtaken.wait()
        reply = self.venue.send(request)
        self.last_reply = reply
        self.overtaken.set()
        if fault == "lost after":
            raise ReplyLost("reset")
        if fault == "evicted":
            self.venue.control("drop_mempool")
        if fault == "twice":
            reply = self.venue.send(request)
        return reply

    def sent(self) -> list[tuple[int, int]]:
        """Sequence and timeout height of every transaction that left."""
        found = []
        for body in self.broadcasts:
            raw = member(body, 1)
            signer, timeout = member(member(raw, 2), 1), dict(fields(member(raw, 1))).get(3, 0)
            sequence = dict(fields(signer)).get(3, 0)
            assert isinstance(sequence, int)
            assert isinstance(timeout, int)
            found.append((sequence, timeout))
        return found


def member(body: bytes, field: int) -> bytes:
    found = dict(fields(body))[field]
    assert isinstance(found, bytes)
    return found


class WayClock:
    def __init__(self, way: Way) -> None:
        self.way = way

    def now_ns(self) -> int:
        return self.way.venue.now_ns + self.way.clock_offset_ns


Runs = Callable[..., DydxV4Perpetual]


def limit(price: str = "60000", side: str = "buy", amount: str = "0.001", **more: Any) -> OrderIntent:
    return OrderIntent(
        trading_pair="BTC-USD",
        side=TradeType(side),
        order_type=OrderType.LIMIT,
        amount=Decimal(amount),
        price=Decimal(price),
        **more,
    )


def brief(seconds: int = 10, **more: Any) -> OrderIntent:
    return limit(tif=TimeInForce.GTD, expire_s=seconds, **more)


def market(side: str = "buy", amount: str = "0.001", **more: Any) -> OrderIntent:
    return OrderIntent(
        trading_pair="BTC-USD",
        side=TradeType(side),
        order_type=OrderType.MARKET,
        amount=Decimal(amount),
        tif=TimeInForce.IOC,
        **more,
    )


async def place(connector: DydxV4Perpetual, intent: OrderIntent, name: str = "a", **more: Any) -> OrderOutcome:
    return await connector.place_order(intent, client_order_id=name, is_new_id=True, timeout_s=20, **more)


def lose_journal(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (folder / f"journal.db{suffix}").rename(folder / f"elsewhere.db{suffix}")


def kinds(order: InFlightOrder) -> list[str]:
    return [item.kind for item in order.evidence]
