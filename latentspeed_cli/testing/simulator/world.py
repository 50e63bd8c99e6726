"""What one simulated world consists of: a machine with its disk and clock, a network, a venue. play.py lets it live."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec

from ...core.guards import Guards
from ...sandbox.model import Scenario
from .disk import Disk
from .faults import Faults
from .host import BASE_NS, HostClock, MemoryCache, template
from .loop import VirtualLoop
from .network import Network, Party, Venue
from .site import Site, Truth
from .trace import Trace

# In most worlds prices stand still but for what weather.py does: a flow of its own costs more than all the rest.
SHARE_WITH_FLOW = 0.1
SHARE_WITH_NEW_JOURNAL = 0.1
# In quote units: some of the orders that users want are above it.
CAP, SHARE_WITH_CAP = Decimal(3000), 0.1


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """One promise that was not kept. invariant: I1 to I22, see invariants.py."""

    invariant: str
    at_s: float
    said: str


class World:
    """Build it inside its loop. skew_ns: how wrong the machine's clock is. running: the processes that live.

    violations: what did not hold so far.
    """

    def __init__(self, site: Site, seed: str, loop: VirtualLoop, faults: Faults, trace: Trace) -> None:
        self.site = site
        self.seed = seed
        self.loop = loop
        self.faults = faults
        self.trace = trace
        self.skew_ns = 0
        has_cap = faults.chance("guards").random() < SHARE_WITH_CAP
        self.guards = Guards(max_order_notional=CAP if has_cap else None)
        self.violations: list[Violation] = []
        draw = faults.chance("world")
        scenario = Scenario(
            seed=draw.randrange(1, 9),
            flow=draw.random() < SHARE_WITH_FLOW,
            limits_factor=100,
            block_ns={"hyperliquid": 500_000_000, "dydx_v4": 1_000_000_000},
            latency_s=0.0,
        )
        self.venue = Venue(site, lambda: site.model(scenario), loop, trace, BASE_NS)
        self.network = Network(self.venue, faults, loop, trace)
        self.disk = Disk(faults, template=None if draw.random() < SHARE_WITH_NEW_JOURNAL else template())
        self.clock = HostClock(loop, lambda: self.skew_ns)
        self.cache = MemoryCache(self.clock)
        self.has_power = asyncio.Event()
        self.has_power.set()
        self.running: dict[Party, None] = {}
        self.is_idle = asyncio.Event()
        self.is_idle.set()

    def broken(self, invariant: str, said: str) -> None:
        """A promise was not kept."""
        self.trace.note("VIOLATION", f"{invariant}: {said}")
        self.violations.append(Violation(invariant=invariant, at_s=self.loop.time(), said=said))

    def truth(self) -> Truth:
        """What the venue knows about the account now."""
        return self.venue.truth()
