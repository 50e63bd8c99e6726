"""Playing one seed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from .dydx import DydxSite
from .faults import Faults
from .hyperliquid import HyperliquidSite
from .logs import listening
from .loop import Stuck, VirtualLoop
from .play import play
from .site import Site
from .trace import Trace
from .watch import Watch
from .world import Violation, World

SITES: Mapping[str, type[Site]] = {"hyperliquid": HyperliquidSite, "dydx_v4": DydxSite}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one seed. injected: faults that struck, by kind. trace: None unless it was asked for."""

    venue: str
    seed: int
    digest: str
    violations: tuple[Violation, ...]
    injected: dict[str, int]
    virtual_s: float
    steps: int
    requests: int
    orders: int
    trace: tuple[str, ...] | None = None

    @property
    def is_good(self) -> bool:
        return not self.violations


@lru_cache(maxsize=8)
def site_of(venue: str) -> Site:
    return SITES[venue]()


def run_seed(
    venue: str,
    seed: int,
    *,
    keep_trace: bool = False,
    only: frozenset[str] | None = None,
    sure: frozenset[str] = frozenset(),
    size: int = 4,
) -> Verdict:
    """Play the world of one seed. only: kinds of faults that may be on, None for all. sure: kinds that are on for
    certain. size: commands a user gives.
    """
    was_collecting = gc.isenabled()
    gc.disable()  # when generators are closed by it, that is at no certain time
    loop = VirtualLoop()
    name = f"{venue}/{seed}"
    faults = Faults(name, only, sure)
    trace = Trace(loop, keep=keep_trace)
    world: World | None = None
    watch: Watch | None = None
    try:

        async def live() -> None:
            nonlocal world, watch
            world = World(site_of(venue), name, loop, faults, trace)
            watch = Watch(world)
            with listening(watch.hear):
                await play(world, watch, size=size)

        try:
            loop.run_until_complete(live())
        except Stuck as error:
            assert world is not None
            world.broken("I16", str(error))
        except Exception as error:
            error.add_note(f"in the world of {name}")
            raise
        assert world is not None
        assert watch is not None
        return Verdict(
            venue=venue,
            seed=seed,
            digest=trace.digest,
            violations=tuple(world.violations),
            injected=dict(faults.injected),
            virtual_s=loop.time(),
            steps=loop.steps,
            requests=world.network.requests_total,
            orders=len(watch.twins),
            trace=None if trace.lines is None else tuple(trace.lines),
        )
    finally:
        if world is not None:
            world.disk.close()
        for task in list(loop.tasks.values()):
            task.cancel()
        asyncio.set_event_loop(None)
        loop.close()
        if was_collecting:
            gc.enable()
