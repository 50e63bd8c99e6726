"""One simulated process: a run of the command line with a clock, a way to the disk and to the network of its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import lru_cache
from typing import Any

from ... import plugins
from ...connector.parts import Parts
from ...connector.perpetual import PerpetualDerivativeBase
from ...connector.streams import StreamTransport
from ...connector.throttle import Throttle
from ...core.events import Event
from ...core.market_data import DEFAULT_INTERVAL
from ...entropy import SeededEntropy
from ...transport.ws import WsTransport
from .disk import Step
from .host import INSTANCE, open_journal
from .loop import OWNER
from .network import SimulatedHttp, opener
from .site import Site
from .world import World


class Dead(ConnectionError):
    """The process was killed: whatever it still tries has no effect."""


class Process:
    """peer: its address. dead: killed. stopped: it got a signal. die_at_step: the change on disk before which it is
    killed.
    """

    def __init__(self, world: World, name: str, *, die_at_step: int | None = None) -> None:
        self.world = world
        self.name = name
        self.peer = "host"
        self.dead = False
        self.stopped = False
        self.frames_lost = 0
        self.clock = world.clock
        self.entropy = SeededEntropy(f"{world.seed}/{name}")
        self._die_at_step = die_at_step
        self.mount = world.disk.mount(self._before_step)
        self.task: asyncio.Task[Any] | None = None

    def check_alive(self) -> None:
        if self.dead:
            raise Dead("this process is no more")

    async def run(self, work: Callable[[Process], Awaitable[None]]) -> None:
        """Run `work` to its end, or to the process's."""
        self.world.running[self] = None
        self.world.is_idle.clear()
        context = contextvars.copy_context()
        context.run(OWNER.set, self)
        self.task = asyncio.get_running_loop().create_task(_done(work(self)), context=context)
        await asyncio.wait([self.task])
        for _ in range(3):
            left = self.world.loop.owned_by(self)
            if not left:
                break
            await asyncio.wait(left, timeout=60)
        else:
            self.world.broken("I15", f"tasks of {self.name} outlive it: {left}")
        del self.world.running[self]
        if not self.world.running:
            self.world.is_idle.set()
        error = None if self.task.cancelled() else self.task.exception()
        if error is not None and not self.dead:
            self.world.broken("I8", f"{self.name} ends with {error!r}")

    def kill(self, why: str) -> None:
        """As by kill -9: from this moment on nothing it does has an effect."""
        if self.dead:
            return
        self.world.trace.note(self.name, f"is killed {why}")
        self.dead = self.mount.dead = True
        # Not at once: this may be called from the middle of what a real process would never have finished.
        self.world.loop.call_soon(self._end_tasks)

    def _end_tasks(self) -> None:
        for task in self.world.loop.owned_by(self):
            task.cancel()

    def stop(self) -> None:
        """As by a signal: its main task is cancelled, and it may tidy up."""
        if not self.dead and not self.stopped and self.task is not None:
            self.world.trace.note(self.name, "gets a signal")
            self.stopped = True
            self.task.cancel()

    def _before_step(self, step: Step) -> None:
        if self.mount.steps == self._die_at_step:
            self.world.faults.injected["kill_at_disk_step"] += 1
            self.kill(f"before disk step {self.mount.steps}, a {step}")

    @asynccontextmanager
    async def connector(self, *, sign: bool = True) -> AsyncIterator[PerpetualDerivativeBase]:
        """What session.open_connector makes, with parts of this world."""
        world, site = self.world, self.world.site
        hook, config, spec = _plugin(site)
        async with AsyncExitStack() as stack:
            journal = stack.enter_context(closing(open_journal(world.disk, self.mount, self.clock)))
            web_utils = hook.latentspeed_web_utils(config=config)

            def streams() -> StreamTransport:
                return WsTransport(self.clock, self.entropy, open_socket=opener(world.network, self))

            parts = Parts(
                venue=spec.name,
                network="sandbox",
                account=site.account,
                auth=hook.latentspeed_auth(config=config) if sign else None,
                web_utils=web_utils,
                http=Throttle(SimulatedHttp(world.network, self), web_utils.rate),
                streams=streams,
                order_book_source=lambda symbols: hook.latentspeed_order_book_data_source(
                    config=config, symbols=symbols, candle_interval=DEFAULT_INTERVAL
                ),
                user_stream_source=lambda symbols: hook.latentspeed_user_stream_data_source(
                    config=config, symbols=symbols
                ),
                journal=journal,
                clock=self.clock,
                entropy=self.entropy,
                guards=world.guards,
                cache=world.cache,
                instance=INSTANCE,
                connector_type=spec.connector_type,
            )
            connector = hook.latentspeed_connector(config=config, parts=parts)
            connector.add_listener(Event, lambda event: world.network.watcher.told(self, event))
            yield await stack.enter_async_context(connector)


async def _done(work: Awaitable[None]) -> None:
    await work


@lru_cache(maxsize=8)
def _plugin(site: Site) -> tuple[Any, Any, Any]:
    """The hooks of a venue's connector, its settings, and what it says of itself."""
    plugin = plugins.load(site.name)
    fields = {"network": "sandbox", **site.config_fields}
    return plugin.hook, plugin.spec.config_type(**fields), plugin.spec
