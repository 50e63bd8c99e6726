"""A program that follows the account's orders and fills all the time, through every trouble, and starts its stream anew
when it is lost: in the end it must have been told every fill, and how every order ended.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from ...connector.streams import Channel
from ...core.in_flight_order import InFlightOrder
from ...core.reports import TradeUpdate
from ...errors import LatentspeedError
from .host import BASE_NS
from .invariants import check_stream, ends_untold
from .process import Process
from .world import World

# Longer than it takes to find out that a socket is dead, and to come back.
PATIENCE_S = 100.0
REST_S = 5.0


class Follower:
    """told: the fills, over all of its runs. orders: what it was told of each order last, by the venue's id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs = 1
        self._is_ending = False
        self._ended = asyncio.Event()
        self._news = asyncio.Event()
        self.told: set[str] = set()
        self.orders: dict[str, InFlightOrder] = {}

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._process = Process(self._world, "follower.1")

    async def end(self) -> None:
        """Wait for what it has to be told, and hold against the venue what it was told."""
        world = self._world
        deadline = world.loop.time() + (PATIENCE_S if world.faults.injected.keys() & SOCKET_TROUBLE else 2.0)
        wanted = {fill.fill_id for fill in world.truth().fills}
        try:
            async with asyncio.timeout_at(deadline):
                while not wanted <= self.told or ends_untold(world, self.orders):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass  # it is said below what is missing
        self._is_ending = True
        self._process.kill("since the world ends")
        await self._ended.wait()
        if world.faults.injected["frame_lost"] and not world.site.numbers_frames:
            return  # news was lost without a trace, and nobody can know of it
        check_stream(world, "the follower", self.told)
        for said in ends_untold(world, self.orders):
            world.broken("I3", f"the follower was {said}")

    async def _run(self) -> None:
        while not self._is_ending:
            await self._world.has_power.wait()
            await self._process.run(self._follow)
            await asyncio.sleep(REST_S)
            self._runs += 1
            self._process = Process(self._world, f"follower.{self._runs}")
        self._ended.set()

    async def _follow(self, process: Process) -> None:
        told: set[str] = set()
        try:
            async with process.connector(sign=False) as connector:
                news = connector.stream((Channel.ORDERS, Channel.FILLS), since_ns=BASE_NS)
                async with aclosing(news) as items:
                    async for item in items:
                        if isinstance(item, TradeUpdate):
                            self._note(process, item, told)
                        elif isinstance(item, InFlightOrder) and item.exchange_order_id is not None:
                            self._world.trace.note(process.name, f"is told {item.client_order_id} {item.state.value}")
                            self.orders[item.exchange_order_id] = item
                            self._news.set()
        except LatentspeedError as error:
            self._world.trace.note(process.name, f"loses its stream: {error}")

    def _note(self, process: Process, fill: TradeUpdate, told: set[str]) -> None:
        self._world.trace.note(process.name, f"is told fill {fill.fill_id}")
        if fill.fill_id in told:
            self._world.broken("I3", f"{process.name} is told fill {fill.fill_id} twice")
        told.add(fill.fill_id)
        self.told.add(fill.fill_id)
        self._news.set()


SOCKET_TROUBLE = frozenset(
    {
        "socket_refused",
        "socket_cut",
        "socket_half_open",
        "ack_lost",
        "frame_late",
        "frame_lost",
        "venue_restart",
        "indexer_lag",
    }
)
