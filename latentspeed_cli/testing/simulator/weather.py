"""What happens to a world while its users work: markets move, venues restart or lag, clocks step, power fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from ...clock import NS_PER_S
from .faults import REFUSALS
from .world import World

# Within which the first blow of each kind falls, in seconds.
SOON_S = 12.0


class Weather:
    """All that may strike one world. `begin` it with the workload; cancelling what it gives is the end of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.faults.chance("weather")

    def begin(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        world = self._world
        if world.faults.strikes("clock_skew"):
            self._set_clock(self._chance.choice((-20.0, -6.0, -1.5, -0.3, 0.3, 1.5, 6.0, 20.0)))
        kinds: dict[str, Callable[[], Awaitable[None]]] = {
            "clock_step": self._step_clock,
            "power_loss": self._lose_power,
            "venue_restart": self._restart,
        }
        for kind in world.site.troubles:
            if kind not in REFUSALS or kind in world.faults.rates:
                kinds[kind] = partial(self._trouble, kind)
        begun = [tasks.create_task(self._strike(kind, blow)) for kind, blow in kinds.items()]
        begun.append(tasks.create_task(self._trade()))
        return begun

    async def _strike(self, kind: str, blow: Callable[[], Awaitable[None]]) -> None:
        """Let it happen now and then, if this world has it."""
        faults = self._world.faults
        chance = faults.chance(kind) if kind in REFUSALS else Random(self._chance.random())
        if kind not in faults.rates:
            return
        await asyncio.sleep(chance.uniform(0.0, SOON_S))
        while True:
            if faults.strikes(kind):
                self._world.trace.note("weather", kind)
                await blow()
            await asyncio.sleep(chance.uniform(1.0, 40.0))

    async def _trade(self) -> None:
        """Others take from the book, so that resting orders fill, in part or wholly, whatever their users do."""
        chance = Random(self._chance.random())
        world = self._world
        while True:
            await asyncio.sleep(chance.uniform(0.3, 8.0))
            for command, arguments in world.site.market_moves(chance):
                world.venue.control(command, arguments)

    async def _trouble(self, kind: str) -> None:
        world, trouble = self._world, self._world.site.troubles[kind]
        command, arguments = trouble.begin
        world.venue.control(command, arguments)
        if trouble.end is not None:
            await asyncio.sleep(self._chance.uniform(1.0, 25.0))
            command, arguments = trouble.end
            world.venue.control(command, arguments)

    async def _restart(self) -> None:
        self._world.venue.restart()

    async def _step_clock(self) -> None:
        self._set_clock(self._chance.choice((-10.0, -2.0, -0.2, 0.2, 2.0, 10.0)))

    def _set_clock(self, seconds: float) -> None:
        self._world.skew_ns = int(seconds * NS_PER_S)
        self._world.trace.note("weather", f"the clock is off by {seconds:g} s")

    async def _lose_power(self) -> None:
        """Every process ends at once, and what was not synced may be gone."""
        world = self._world
        world.has_power.clear()
        for process in list(world.running):
            process.kill("by a loss of power")
        await world.is_idle.wait()
        world.disk.lose_power()
        await asyncio.sleep(self._chance.uniform(0.5, 5.0))
        world.has_power.set()
