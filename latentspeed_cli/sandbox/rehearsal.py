"""Named trouble, so that the failure paths of a script can be rehearsed: `sandbox run --fault NAME --seed N`.

Some names strike requests and frames, at a rate, in an order that the seed fixes: the same requests meet the same
trouble. Others are things that happen to the venue from time to time. One name means the same at every venue; what a
venue has not, such as blocks, does not happen there.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Iterable

import msgspec

from ..errors import UsageError
from .faults import Fault, Faults
from .shell import Shell
from .venue import Venue

log = logging.getLogger(__name__)

ALL = "all"
DEFAULT_RATE = 25
# Where venues take what changes something.
WRITES = ("/exchange", "/cosmos.tx.v1beta1.Service/BroadcastTx")


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """Trouble with single requests, handshakes or frames. kind: of faults.py. writes: only, or never, what changes
    something; None: both.
    """

    help: str
    kind: str
    fault: Fault = Fault()
    writes: bool | None = None


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """Something that comes from time to time. after_s: between two spells, at least and at most. times: how often in a
    row, pause_s apart. begin, end: commands of the control API with their arguments; the end comes after lasts_s.
    """

    help: str
    after_s: tuple[float, float]
    begin: tuple[str, dict[str, object]]
    times: int = 1
    pause_s: float = 0.3
    end: tuple[str, dict[str, object]] | None = None
    lasts_s: float = 0.0


_BUSY = Fault(status=503, body="service unavailable", content_type="text/plain")
FAULTS: dict[str, Strike | Spell] = {
    "request-lost": Strike(help="an order or cancel never arrives", kind="drop_request", writes=True),
    "reply-lost": Strike(help="it is accepted, and the reply is lost", kind="lose_reply", writes=True),
    "late": Strike(
        help="it is accepted, and the reply comes after 20 s", kind="delay", fault=Fault(seconds=20), writes=True
    ),
    "late-arrival": Strike(help="it arrives 5 s late", kind="delay_request", fault=Fault(seconds=5), writes=True),
    "rate-limited": Strike(
        help="429, nothing accepted", kind="status", fault=Fault(status=429, body="{}", content_type="application/json")
    ),
    "unavailable": Strike(help="503, the venue has not seen the request", kind="status", fault=_BUSY),
    "failed-after": Strike(help="502, although the venue did it", kind="status_after", writes=True),
    "garbage": Strike(help="a reply that is none", kind="garbage"),
    "cut": Strike(help="half a reply", kind="cut"),
    "reads-lost": Strike(help="a question is not answered", kind="lose_reply", writes=False),
    "slow-reads": Strike(help="an answer comes 2 s late", kind="delay", fault=Fault(seconds=2), writes=False),
    "duplicate": Strike(help="a stream says something twice", kind="duplicate_frame"),
    "reordered": Strike(help="two messages of a stream change places", kind="reorder_frames"),
    "dropped": Strike(help="a message of a stream is lost", kind="drop_frame"),
    "refused-streams": Strike(help="a stream cannot be opened", kind="refuse_ws", fault=_BUSY),
    "disconnects": Spell(help="streams break off", after_s=(3, 8), begin=("disconnect", {})),
    "storm": Spell(help="streams break off again and again", after_s=(5, 10), begin=("disconnect", {}), times=6),
    "stalled": Spell(help="streams stay open and say nothing more", after_s=(20, 40), begin=("mute", {})),
    "indexer-lag": Spell(
        help="the indexer is 5 s behind its chain, for a while",
        after_s=(2, 6),
        begin=("lag", {"seconds": 5.0}),
        end=("lag", {"seconds": 0.2}),
        lasts_s=10,
    ),
    "block-stall": Spell(help="no blocks for 5 s", after_s=(5, 10), begin=("halt", {}), end=("resume", {}), lasts_s=5),
    "evicted": Spell(help="what waits for its block is forgotten", after_s=(1, 3), begin=("drop_mempool", {})),
}


def chosen(text: str) -> tuple[str, ...]:
    """Names from "reply-lost,storm"; "all" is every one. Raises UsageError."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name != ALL and name not in FAULTS:
            raise UsageError(f"--fault: {name[:60]!r} is not known", hint="one of " + ", ".join((*FAULTS, ALL)))
    return tuple(FAULTS) if ALL in names else names


class Rehearsal:
    """The trouble of one sandbox's life. Made before requests come; `run` it beside the shell.

    rate: of a hundred requests or frames, how many each name strikes.
    """

    def __init__(self, shell: Shell, names: Iterable[str], *, seed: int, rate: int) -> None:
        self._shell = shell
        self._seed = seed
        self._spells = {name: fault for name in names if isinstance(fault := FAULTS[name], Spell)}
        strikes = {name: fault for name in names if isinstance(fault := FAULTS[name], Strike)}
        for venue in shell.venues.values():
            venue.faults = SeededFaults(venue.name, strikes, seed=seed, rate=rate)

    async def run(self) -> None:
        """Let the spells come, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for venue in self._shell.venues.values():
                for name, spell in self._spells.items():
                    tasks.create_task(self._come(venue, name, spell))

    async def _come(self, venue: Venue, name: str, spell: Spell) -> None:
        number = 0
        while True:
            number += 1
            least_s, most_s = spell.after_s
            await asyncio.sleep(least_s + (most_s - least_s) * dice(self._seed, venue.name, name, number))
            for _ in range(spell.times):
                try:
                    self._do(venue, *spell.begin)
                except UsageError:  # this venue has no such thing
                    return
                log.info("fault %s strikes %s", name, venue.name)
                await asyncio.sleep(spell.pause_s)
            if spell.end is not None:
                await asyncio.sleep(spell.lasts_s)
                self._do(venue, *spell.end)

    def _do(self, venue: Venue, command: str, arguments: dict[str, object]) -> None:
        if command == "disconnect":
            for connection in venue.connections.values():
                connection.end(None)
                connection.flush()
        elif command == "mute":
            for connection in venue.connections.values():
                connection.muted = True
        else:
            venue.model.control(command, arguments, self._shell.now_ns())
            self._shell.settle(venue)


class SeededFaults(Faults):
    """Trouble on order, and beside it the named trouble that the seed brings."""

    def __init__(self, venue: str, strikes: dict[str, Strike], *, seed: int, rate: int) -> None:
        super().__init__()
        self._venue = venue
        self._strikes = strikes
        self._seed = seed
        self._rate = rate
        self._met: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._strikes) or super().__bool__()

    def take(self, kinds: tuple[str, ...], path: str, text: str) -> tuple[str, Fault] | None:
        ordered = super().take(kinds, path, text)
        if ordered is not None:
            return ordered
        for name, strike in self._strikes.items():
            if strike.kind not in kinds or strike.writes not in (None, path in WRITES):
                continue
            self._met[name] += 1
            if dice(self._seed, self._venue, name, self._met[name]) * 100 < self._rate:
                log.info("fault %s strikes %s %s", name, self._venue, path)
                return strike.kind, strike.fault
        return None


def dice(*of: object) -> float:
    """A number from 0 up to 1 that depends on nothing else."""
    digest = hashlib.sha256("\0".join(map(str, of)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
