"""A program that follows the account's fills all the time, through every trouble, and starts its stream anew when it is
lost: in the end it must have been told every fill.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from ...connector.streams import Channel
from ...core.reports import TradeUpdate
from ...errors import LatentspeedError
from .host import BASE_NS
from .process import Process
from .world import World

# Longer than it takes to find out that a socket is dead, and to come back.
PATIENCE_S = 100.0
REST_S = 5.0


class Follower:
    """told: the fills, over all of its runs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs = 1
        self._is_ending = False
        self._ended = asyncio.Event()
        self._news = asyncio.Event()
        self.told: set[str] = set()

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._process = Process(self._world, "follower.1")

    async def end(self) -> set[str]:
        """What it was told. Where news was lost without a trace nobody can know of it: then everything."""
        world = self._world
        deadline = world.loop.time() + (PATIENCE_S if world.faults.injected.keys() & SOCKET_TROUBLE else 2.0)
        wanted = {fill.fill_id for fill in world.truth().fills}
        try:
            async with asyncio.timeout_at(deadline):
                while not wanted <= self.told:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass  # the caller sees what is missing
        self._is_ending = True
        self._process.kill("since the world ends")
        await self._ended.wait()
        is_blind = world.faults.injected["frame_lost"] and not world.site.numbers_frames
        return wanted if is_blind else self.told

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
                news = connector.stream((Channel.FILLS,), since_ns=BASE_NS)
                async with aclosing(news) as items:
                    async for item in items:
                        if isinstance(item, TradeUpdate):
                            self._note(process, item, told)
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
