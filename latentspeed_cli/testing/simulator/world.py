"""One simulated world: a host with processes, its disk and clock, a network and a venue; played from one seed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...connector.perpetual import PerpetualDerivativeBase
from ...connector.streams import Channel, Control, ControlKind
from ...core.guards import Guards
from ...core.reports import TradeUpdate
from ...errors import LatentspeedError
from ...journal import Journal
from ...sandbox.model import Scenario
from .disk import Disk
from .faults import Faults
from .follower import Follower
from .loop import VirtualLoop
from .network import Network, Venue
from .process import INSTANCE, MemoryCache, Process, ProcessClock
from .site import Site, Truth
from .trace import Trace
from .watch import Planned, Watch
from .workload import Workload

if TYPE_CHECKING:
    from ...core.in_flight_order import InFlightOrder

BASE_NS = 1_790_000_000_000_000_000
NS_PER_S = 1_000_000_000
# After the faults have ended: longer than anything that is still on its way, and than any expiry.
DRAIN_S = 65.0
MAX_RECONCILES = 3
RECONCILE_S = 60.0
BETWEEN_RECONCILES_S = 30.0
# In most worlds prices stand still but for what weather.py does: a flow of its own costs more than all the rest.
SHARE_WITH_FLOW = 0.1
SHARE_WITH_FOLLOWER = 0.3


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One promise that was not kept. invariant: I1 to I22, see invariants.py."""

    invariant: str
    at_s: float
    said: str


class World:
    """Build it inside its loop. run() plays it; violations say what did not hold."""

    def __init__(self, site: Site, seed: str, loop: VirtualLoop, faults: Faults, trace: Trace, *, size: int) -> None:
        self.site = site
        self.seed = seed
        self.loop = loop
        self.faults = faults
        self.trace = trace
        self.base_ns = BASE_NS
        self.skew_ns = 0
        self.guards = Guards()
        self.violations: list[Violation] = []
        draw = faults.chance("world")
        scenario = Scenario(
            seed=draw.randrange(1, 9),
            flow=draw.random() < SHARE_WITH_FLOW,
            limits_factor=100,
            block_ns={"hyperliquid": 500_000_000, "dydx_v4": 1_000_000_000},
            latency_s=0.0,
        )
        self.watch = Watch(self)
        self.venue = Venue(site, lambda: site.model(scenario), loop, trace, BASE_NS)
        self.network = Network(self.venue, faults, loop, trace, self.watch)
        self.disk = Disk(faults, template=None if draw.random() < 0.1 else template())
        self.cache = MemoryCache(ProcessClock(loop, BASE_NS, lambda: self.skew_ns))
        self.has_power = asyncio.Event()
        self.has_power.set()
        self.running: dict[Process, None] = {}
        self.is_idle = asyncio.Event()
        self.is_idle.set()
        self._size = size

    def broken(self, invariant: str, said: str) -> None:
        """A promise was not kept."""
        self.trace.note("VIOLATION", f"{invariant}: {said}")
        self.violations.append(Violation(invariant=invariant, at_s=self.loop.time(), said=said))

    def truth(self) -> Truth:
        """What the venue knows about the account now."""
        return self.venue.truth()

    def expect(self, connector: PerpetualDerivativeBase, planned: Planned) -> None:
        """From now on the venue may meet this order."""
        twin = connector.venue_client_id(planned.client_order_id, network="sandbox", account=self.site.account)
        self.watch.expect(twin, planned)

    async def run(self) -> None:
        """The workload under faults; then everything heals, is reconciled, ended, and checked."""
        from .invariants import check_end, check_equal, check_stream  # they look at a World

        follower = Follower(self) if self.faults.chance("world").random() < SHARE_WITH_FOLLOWER else None
        if follower is not None:
            follower.begin()
        await Workload(self, size=self._size).run()
        self.faults.heal()
        self.skew_ns = 0
        for trouble in self.site.troubles.values():
            if trouble.end is not None:
                self.venue.control(*trouble.end)
        self.trace.note("world", "is healed")
        await asyncio.sleep(DRAIN_S)
        for number in range(1, MAX_RECONCILES + 1):
            await self._as_process(f"reconcile{number}", self._reconcile)
            if not check_equal(self):
                break
            await asyncio.sleep(BETWEEN_RECONCILES_S)
        self.violations += check_equal(self)
        await self._as_process("ending", self._end_all)
        check_end(self)
        if follower is not None:
            check_stream(self, "the follower", await follower.end())
        await self._as_process("listener", self._listen)
        self.venue.stop()

    async def _as_process(self, name: str, work: object) -> None:
        async def run(process: Process) -> None:
            try:
                async with process.connector() as connector:
                    await work(connector)  # type: ignore[operator]
            except LatentspeedError as error:
                self.broken("I10", f"{name} fails in a healed world: {type(error).__name__}: {error}")

        await Process(self, name).run(run)

    async def _reconcile(self, connector: PerpetualDerivativeBase) -> None:
        sweep = await connector.reconcile(timeout_s=RECONCILE_S)
        if sweep.trouble is not None:
            self.broken("I10", f"reconciling fails in a healed world: {sweep.trouble}")

    async def _end_all(self, connector: PerpetualDerivativeBase) -> None:
        for order in self._known(connector):
            if not order.is_done:
                await connector.cancel(order)

    async def _listen(self, connector: PerpetualDerivativeBase) -> None:
        """A stream that begins now and looks back tells everything."""
        from .invariants import check_stream

        streamed: list[str] = []
        news = connector.stream((Channel.FILLS,), since_ns=BASE_NS)
        async with asyncio.timeout(60), aclosing(news) as items:
            async for item in items:
                if isinstance(item, TradeUpdate):
                    streamed.append(item.fill_id)
                elif isinstance(item, Control) and item.kind is ControlKind.BACKFILLED:
                    break
        if len(set(streamed)) != len(streamed):
            self.broken("I3", "a stream told a fill twice")
        check_stream(self, "a late listener", streamed)

    def _known(self, connector: PerpetualDerivativeBase) -> list[InFlightOrder]:
        return list(connector.parts.journal.orders())[::-1]


@lru_cache(maxsize=1)
def template() -> bytes:
    """A journal that holds nothing yet: most worlds start with it, since making the tables takes its time."""
    disk = Disk(Faults("template", frozenset()))
    mount = disk.mount(lambda step: None)
    clock = ProcessClock(VirtualLoop(), BASE_NS, lambda: 0)
    Journal.open(Path(disk.path), network="sandbox", instance=INSTANCE, clock=clock, vfs=mount.name).close()
    data = Path(disk.path).read_bytes()
    disk.close()
    return data
