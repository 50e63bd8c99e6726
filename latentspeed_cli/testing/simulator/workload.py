"""What users do in one world: several at once, each with one command after the other, as shell scripts and cron do.

Each command is a process of its own on the one journal; a bot is a longer one, with streams. Everything is drawn from
the seed.
"""

from __future__ import annotations

import asyncio
from random import Random

from ...connector.parts import WaitFor
from .commands import Commands, Work
from .plans import Plans
from .process import Process
from .watch import Watch
from .weather import Weather
from .world import World

_WAITS: tuple[WaitFor, ...] = ("ack", "ack", "ack", "open", "filled", "done")


class Workload:
    """The users of a world. size: commands that each gives at most."""

    def __init__(self, world: World, watch: Watch, *, size: int) -> None:
        self._world = world
        self._commands = Commands(watch)
        self._plans = Plans(world.site)
        self._chance = world.faults.chance("workload")
        self._size = size
        self._signals: list[asyncio.TimerHandle] = []

    async def run(self) -> None:
        """Everything that happens before the world heals."""
        users = self._chance.choice((1, 2, 2, 3))
        async with asyncio.TaskGroup() as tasks:
            weather = Weather(self._world).begin(tasks)
            async with asyncio.TaskGroup() as at_work:
                for number in range(users):
                    at_work.create_task(self._user(number, Random(self._chance.random())))
            for blow in weather:
                blow.cancel()
        self._world.has_power.set()
        for signal in self._signals:
            signal.cancel()

    async def _user(self, number: int, chance: Random) -> None:
        world = self._world
        await asyncio.sleep(chance.choice((0.0, 0.0, 1.0)))
        for turn in range(chance.randrange(2, self._size + 1)):
            work = self._choose(chance)
            await world.has_power.wait()
            die_at = chance.randrange(1, 40) if world.faults.threatens("kill_at_disk_step") else None
            process = Process(world, f"user{number}.{turn}", die_at_step=die_at)
            if world.faults.strikes("stop_signal"):
                self._signals.append(world.loop.call_later(chance.uniform(0.0, 3.0), process.stop))
            await process.run(work)
            await asyncio.sleep(chance.choice((0.0, 0.05, 0.5, 3.0, 20.0)))

    def _choose(self, chance: Random) -> Work:
        fate, wait = chance.random(), chance.choice(_WAITS)
        commands, plans = self._commands, self._plans
        known = chance.choice(plans.known) if plans.known else None
        if known is None or fate < 0.43:
            return commands.place(plans.new(chance), wait)
        if fate < 0.57:
            return commands.place(known, wait)
        if fate < 0.6:
            return commands.place(plans.other(known), wait)
        if fate < 0.75:
            return commands.cancel(known.client_order_id)
        if fate < 0.82:
            return commands.cancel_all()
        if fate < 0.89:
            return commands.status(known.client_order_id)
        return commands.bot([plans.new(chance) for _ in range(chance.randrange(1, 4))], chance)
