"""Times buy(): from the call until its signed bytes are ready and journaled, and until the transport is handed them.

Everything of the product runs: rule, price band, id, tracker, journal rows, encoding, signature, and the event loop
between them. Only the wire is cut: a stand-in for the transport answers like the venue, and the book's top is handed
in as a stream would. `buy_to_bytes.py VENUE FOLDER SYNCHRONOUS COUNT` prints {"ready": [...], "handed_over": [...]},
nanoseconds, as JSON. SYNCHRONOUS: FULL as shipped, OFF to leave the fsync out.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Literal, cast

import msgspec
from latentspeed_dydx_v4 import constants, node
from latentspeed_dydx_v4.protowire import data, message, number
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES
from latentspeed_dydx_v4.sandbox.accounts import PRIVATE_KEYS as DYDX_KEYS

from latentspeed_cli import plugins
from latentspeed_cli.clock import NS_PER_S, SystemClock
from latentspeed_cli.connector import reconciler
from latentspeed_cli.connector.parts import Parts
from latentspeed_cli.connector.streams import StreamTransport
from latentspeed_cli.core.drafts import Begun, Draft
from latentspeed_cli.core.events import OrderCreatedEvent, OrderFailureEvent
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.core.pricing import BookTop
from latentspeed_cli.core.types import OrderType
from latentspeed_cli.entropy import SystemEntropy
from latentspeed_cli.journal import Journal
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.accounts import PRIVATE_KEYS

PAIR = "BTC-USD"
WARM_UP = 100
PATIENCE_S = 60.0
HYPERLIQUID_META = {
    "universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56}],
    "marginTables": [],
    "collateralToken": 0,
}
DYDX_MARKET = {
    "clobPairId": "0",
    "ticker": PAIR,
    "status": "ACTIVE",
    "oraclePrice": "84010",
    "priceChange24H": "0",
    "volume24H": "0",
    "trades24H": 0,
    "nextFundingRate": "0",
    "initialMarginFraction": "0.02",
    "maintenanceMarginFraction": "0.012",
    "openInterest": "0",
    "atomicResolution": -10,
    "quantumConversionExponent": -9,
    "tickSize": "1",
    "stepSize": "0.0001",
    "stepBaseQuantums": 1_000_000,
    "subticksPerTick": 100_000,
    "marketType": "CROSS",
}


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """A key that holds nothing, and how the venue answers. answers: from a request to status and body."""

    config: dict[str, str]
    key: str
    answers: Callable[[Request], tuple[int, bytes]]


def hyperliquid_answers(request: Request) -> tuple[int, bytes]:
    """Every order rests."""
    if not request.changes:
        return 200, b'{"role":"user"}' if b"userRole" in request.body else json.dumps(HYPERLIQUID_META).encode()
    statuses = [{"resting": {"oid": perf_counter_ns()}}]
    answer = {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}
    return 200, json.dumps(answer).encode()


def dydx_answers(request: Request) -> tuple[int, bytes]:
    """Every transaction passes the node's check, and every order is in the chain's state when it is looked for."""
    address = ADDRESSES[0].encode()
    if request.method == "GET":
        is_markets = request.url.endswith("/perpetualMarkets")
        answer = {"markets": {PAIR: DYDX_MARKET}} if is_markets else {"errors": [{"msg": "not found"}]}
        return 200 if is_markets else 404, json.dumps(answer).encode()
    moment = message(4, number(1, SystemClock().now_ns() // NS_PER_S))
    return 0, {
        constants.ACCOUNT: message(1, message(2, data(1, address) + number(3, 7))),
        node.LATEST_BLOCK: message(3, message(1, number(3, 50_000_000) + moment)),
        constants.BROADCAST_TX: message(1, data(2, b"0" * 64)),
        node.STATEFUL_ORDER: message(1, b""),
    }[request.url.split("/", 3)[3]]


VENUES = {
    "hyperliquid": Venue(
        config={"base_url": "http://127.0.0.1:1"},
        key=PRIVATE_KEYS[0],
        answers=hyperliquid_answers,
    ),
    "dydx_v4": Venue(
        config={"base_url": "http://127.0.0.1:1", "node_url": "127.0.0.1:1"},
        key=DYDX_KEYS[0],
        answers=dydx_answers,
    ),
}


class CutWire:
    """Answers like a venue, and notes when it was handed an order."""

    def __init__(self, venue: Venue, clock: SystemClock) -> None:
        self.handed_over = asyncio.Event()
        self.handed_over_ns = 0
        self._venue = venue
        self._clock = clock

    async def send(self, request: Request) -> Reply:
        if request.changes:
            self.handed_over_ns = perf_counter_ns()
            self.handed_over.set()
        status, body = self._venue.answers(request)
        return Reply(status=status, body=body, headers={}, received_ns=self._clock.now_ns())


def no_streams() -> StreamTransport:
    raise NotImplementedError("nothing is streamed here")


class StampedJournal(Journal):
    """The journal, which notes when an intent and its bytes were written."""

    ready_ns = 0

    def begin(self, drafts: Sequence[Draft]) -> list[Begun]:
        begun = super().begin(drafts)
        self.ready_ns = perf_counter_ns()
        return begun


async def main(name: str, folder: Path, synchronous: Literal["OFF", "FULL"], count: int) -> dict[str, list[int]]:
    reconciler.FOLLOW_WAITS_S = (0.0,)  # it comes after what is measured, and would only make the run long
    venue, clock = VENUES[name], SystemClock()
    plugin, wire = plugins.load(name), CutWire(venue, clock)
    hook: Any = plugin.hook
    config = plugin.spec.config_type(network="sandbox", key=Secret(venue.key), **venue.config)
    auth = hook.latentspeed_auth(config=config)
    path = folder / f"{name}-{synchronous}.db"
    journal = StampedJournal.open(path, network="sandbox", instance="", clock=clock, synchronous=synchronous)
    parts = Parts(
        venue=name,
        network="sandbox",
        account=auth.account,
        auth=auth,
        web_utils=hook.latentspeed_web_utils(config=config),
        http=wire,
        streams=no_streams,
        order_book_source=lambda symbols: hook.latentspeed_order_book_data_source(
            config=config, symbols=symbols, candle_interval="1m"
        ),
        user_stream_source=lambda symbols: hook.latentspeed_user_stream_data_source(config=config, symbols=symbols),
        journal=journal,
        clock=clock,
        entropy=SystemEntropy(),
        guards=Guards(),
    )
    taken: dict[str, list[int]] = {"ready": [], "handed_over": []}
    async with asyncio.timeout(PATIENCE_S), hook.latentspeed_connector(config=config, parts=parts) as connector:
        settled = asyncio.Event()
        failed: list[OrderFailureEvent] = []

        def fail(event: OrderFailureEvent) -> None:
            failed.append(event)
            wire.handed_over.set()
            settled.set()

        connector.add_listener(OrderCreatedEvent, lambda event: settled.set())
        connector.add_listener(OrderFailureEvent, fail)
        await connector.markets()
        for number_ in range(-WARM_UP, count):
            now_ns = clock.now_ns()
            top = BookTop(bid=Decimal(84_010), ask=Decimal(84_011), ts_ns=now_ns, received_ns=now_ns)
            connector.reader.note_top(PAIR, top)
            await connector.reader.ready()
            wire.handed_over.clear()
            settled.clear()
            before = perf_counter_ns()
            connector.buy(PAIR, Decimal("0.001"), OrderType.LIMIT, Decimal(80_000))
            await wire.handed_over.wait()
            if number_ >= 0:
                taken["ready"].append(journal.ready_ns - before)
                taken["handed_over"].append(wire.handed_over_ns - before)
            await settled.wait()
            if failed:  # a figure of orders that never left would say nothing
                raise SystemExit(f"order {number_} failed: {failed[0].order.reason}")
    journal.close()
    return taken


if __name__ == "__main__":
    synchronous = cast("Literal['OFF', 'FULL']", sys.argv[3])
    json.dump(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), synchronous, int(sys.argv[4]))), sys.stdout)
