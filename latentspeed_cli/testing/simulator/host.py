"""The simulated machine that all processes of a world share: its clock, its cache of replies, its journal."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ...clock import NS_PER_S, Clock
from ...journal import Journal
from .disk import Disk, Mount
from .faults import Faults
from .loop import VirtualLoop

BASE_NS = 1_790_000_000_000_000_000
INSTANCE = "simulated"


class HostClock:
    """Virtual time, as wrong as the faults make it."""

    def __init__(self, loop: VirtualLoop, skew_ns: Callable[[], int]) -> None:
        self._loop = loop
        self._skew_ns = skew_ns

    def now_ns(self) -> int:
        return BASE_NS + int(self._loop.time() * NS_PER_S) + self._skew_ns()


class MemoryCache:
    """connector.parts.ReplyCache."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[int, bytes]] = {}

    def get(self, key: str, *, max_age_s: float) -> bytes | None:
        at_ns, data = self._kept.get(key, (0, b""))
        return data if data and 0 <= self._clock.now_ns() - at_ns <= max_age_s * NS_PER_S else None

    def put(self, key: str, data: bytes) -> None:
        self._kept[key] = self._clock.now_ns(), data


def open_journal(disk: Disk, mount: Mount, clock: Clock) -> Journal:
    """The journal of the world, through one process's way to the disk. Raises JournalError, AccountBusy."""
    return Journal.open(disk.path, network="sandbox", instance=INSTANCE, clock=clock, vfs=mount.name)


@lru_cache(maxsize=1)
def template() -> bytes:
    """A journal that holds nothing yet: most worlds start with it, since making the tables takes its time."""
    disk, loop = Disk(Faults("template", frozenset())), VirtualLoop()
    open_journal(disk, disk.mount(lambda step: None), HostClock(loop, lambda: 0)).close()
    data = disk.path.read_bytes()
    disk.close()
    loop.close()
    return data
