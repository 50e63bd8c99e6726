"""Times buy(): from the call until its signed bytes are ready and journaled, and until the transport is handed them.

Everything of the product runs: rule, price band, id, tracker, journal rows, encoding, signature, and the event loop
between them. Only the wire is cut: a stand-in for the transport answers like the venue, and the book's top is handed
in as a stream would. `buy_to_bytes.py FOLDER SYNCHRONOUS COUNT` prints {"ready": [...], "handed_over": [...]},
nanoseconds, as JSON. SYNCHRONOUS: FULL as shipped, OFF to leave the fsync out.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns
from typing import Literal, cast

from latentspeed_hyperliquid import plugin
from latentspeed_hyperliquid.config import HyperliquidConfig

from latentspeed_cli.clock import SystemClock
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
META = {
    "universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40, "marginTableId": 56}],
    "marginTables": [],
    "collateralToken": 0,
}


class CutWire:
    """Answers every order with "resting", and notes when it was asked."""

    def __init__(self, clock: SystemClock) -> None:
        self.handed_over = asyncio.Event()
        self.handed_over_ns = 0
        self._orders = 0
        self._clock = clock

    async def send(self, request: Request) -> Reply:
        handed_over_ns = perf_counter_ns()
        answer: object = META
        if request.changes:
            self.handed_over_ns = handed_over_ns
            self.handed_over.set()
            self._orders += 1
            status = {"resting": {"oid": self._orders}}
            answer = {"status": "ok", "response": {"type": "order", "data": {"statuses": [status]}}}
        return Reply(status=200, body=json.dumps(answer).encode(), headers={}, received_ns=self._clock.now_ns())


def no_streams() -> StreamTransport:
    raise NotImplementedError("nothing is streamed here")


class StampedJournal(Journal):
    """The journal, which notes when an intent and its bytes were written."""

    ready_ns = 0

    def begin(self, drafts: Sequence[Draft]) -> list[Begun]:
        begun = super().begin(drafts)
        self.ready_ns = perf_counter_ns()
        return begun


async def main(folder: Path, synchronous: Literal["OFF", "FULL"], count: int) -> dict[str, list[int]]:
    clock = SystemClock()
    wire = CutWire(clock)
    config = HyperliquidConfig(network="sandbox", base_url="http://127.0.0.1:1", key=Secret(PRIVATE_KEYS[0]))
    auth = plugin.latentspeed_auth(config)
    journal = StampedJournal.open(
        folder / f"{synchronous}.db", network="sandbox", instance="", clock=clock, synchronous=synchronous
    )
    parts = Parts(
        venue="hyperliquid",
        network="sandbox",
        account=auth.account,
        auth=auth,
        web_utils=plugin.latentspeed_web_utils(config),
        http=wire,
        streams=no_streams,
        order_book_source=lambda symbols: plugin.latentspeed_order_book_data_source(config, symbols),
        user_stream_source=lambda symbols: plugin.latentspeed_user_stream_data_source(config, symbols),
        journal=journal,
        clock=clock,
        entropy=SystemEntropy(),
        guards=Guards(),
    )
    taken: dict[str, list[int]] = {"ready": [], "handed_over": []}
    async with plugin.latentspeed_connector(parts) as connector:
        settled = asyncio.Event()
        failed: list[OrderFailureEvent] = []

        def fail(event: OrderFailureEvent) -> None:
            failed.append(event)
            wire.handed_over.set()
            settled.set()

        connector.add_listener(OrderCreatedEvent, lambda event: settled.set())
        connector.add_listener(OrderFailureEvent, fail)
        await connector.markets()
        for number in range(-WARM_UP, count):
            now_ns = clock.now_ns()
            top = BookTop(bid=Decimal(84_010), ask=Decimal(84_011), ts_ns=now_ns, received_ns=now_ns)
            connector.reader.note_top(PAIR, top)
            wire.handed_over.clear()
            settled.clear()
            before = perf_counter_ns()
            connector.buy(PAIR, Decimal("0.001"), OrderType.LIMIT, Decimal(80_000))
            await wire.handed_over.wait()
            if number >= 0:
                taken["ready"].append(journal.ready_ns - before)
                taken["handed_over"].append(wire.handed_over_ns - before)
            await settled.wait()
            if failed:  # a figure of orders that never left would say nothing
                raise SystemExit(f"order {number} failed: {failed[0].order.reason}")
    journal.close()
    return taken


if __name__ == "__main__":
    synchronous = cast("Literal['OFF', 'FULL']", sys.argv[2])
    json.dump(asyncio.run(main(Path(sys.argv[1]), synchronous, int(sys.argv[3]))), sys.stdout)
