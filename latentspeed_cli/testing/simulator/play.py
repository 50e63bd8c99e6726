"""How a world goes: its users work under faults; then everything heals, is reconciled, ended and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias

from ...connector.perpetual import PerpetualDerivativeBase
from ...connector.streams import Channel, Control, ControlKind
from ...core.reports import TradeUpdate
from ...errors import LatentspeedError
from .follower import Follower
from .host import BASE_NS
from .invariants import check_end, check_equal, check_quiet, check_stream
from .process import Process
from .watch import Watch
from .workload import Workload
from .world import World

# After the faults have ended: longer than anything that is still on its way, and than any expiry.
DRAIN_S = 65.0
MAX_RECONCILES = 3
RECONCILE_S = 60.0
BETWEEN_RECONCILES_S = 30.0
SHARE_WITH_FOLLOWER = 0.3

Job: TypeAlias = Callable[[World, PerpetualDerivativeBase], Awaitable[None]]


async def play(world: World, watch: Watch, *, size: int) -> None:
    """Everything. What did not hold is in world.violations. size: commands that a user gives at most."""
    world.network.watcher = watch
    follower = Follower(world) if world.faults.chance("world").random() < SHARE_WITH_FOLLOWER else None
    if follower is not None:
        follower.begin()
    await Workload(world, watch, size=size).run()
    _heal(world)
    await asyncio.sleep(DRAIN_S)
    check_quiet(world, watch)
    for number in range(1, MAX_RECONCILES + 1):
        await _run(world, f"reconcile{number}", _reconcile)
        if not check_equal(world):
            break
        await asyncio.sleep(BETWEEN_RECONCILES_S)
    world.violations += check_equal(world)
    await _run(world, "ending", _end_all)
    check_end(world, watch)
    if follower is not None:
        await follower.end()
    await _run(world, "listener", _listen)
    world.venue.stop()


def _heal(world: World) -> None:
    world.faults.heal()
    world.skew_ns = 0
    for trouble in world.site.troubles.values():
        if trouble.end is not None:
            world.venue.control(*trouble.end)
    world.trace.note("world", "is healed")


async def _run(world: World, name: str, job: Job) -> None:
    """As a process of its own, which must not fail."""

    async def work(process: Process) -> None:
        try:
            async with process.connector() as connector:
                await job(world, connector)
        except LatentspeedError as error:
            world.broken("I10", f"{name} fails in a healed world: {type(error).__name__}: {error}")

    await Process(world, name).run(work)


async def _reconcile(world: World, connector: PerpetualDerivativeBase) -> None:
    sweep = await connector.reconcile(timeout_s=RECONCILE_S)
    if sweep.trouble is not None:
        world.broken("I10", f"reconciling fails in a healed world: {sweep.trouble}")


async def _end_all(world: World, connector: PerpetualDerivativeBase) -> None:
    for order in reversed(connector.parts.journal.orders()):
        if not order.is_done:
            await connector.cancel(order)


async def _listen(world: World, connector: PerpetualDerivativeBase) -> None:
    """A stream that begins now and looks back tells everything."""
    streamed: list[str] = []
    news = connector.stream((Channel.FILLS,), since_ns=BASE_NS)
    async with asyncio.timeout(60), aclosing(news) as items:
        async for item in items:
            if isinstance(item, TradeUpdate):
                streamed.append(item.fill_id)
            elif isinstance(item, Control) and item.kind is ControlKind.BACKFILLED:
                break
    if len(set(streamed)) != len(streamed):
        world.broken("I3", "a stream told a fill twice")
    check_stream(world, "a late listener", streamed)
