"""Many seeds, on all cores: what was played, what struck, what broke. Stopped and begun again at any seed."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from ...clock import monotonic_s
from .run import Verdict, run_seed, site_of

CHUNK = 8
MAX_SHOWN = 40


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A seed in which a promise was broken. said: of its first violation."""

    seed: int
    invariant: str
    said: str


class Ledger(msgspec.Struct, kw_only=True):
    """The figures of one campaign. next_seed: where to go on. kinds: of faults that might strike."""

    venue: str
    first_seed: int
    next_seed: int
    seeds: int = 0
    calm: int = 0
    orders: int = 0
    requests: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    real_s: float = 0.0
    kinds: tuple[str, ...] = ()
    injected: dict[str, int] = {}
    failures: list[Failure] = []

    def add(self, verdict: Verdict) -> None:
        self.seeds += 1
        self.next_seed = verdict.seed + 1
        self.calm += not verdict.injected
        self.orders += verdict.orders
        self.requests += verdict.requests
        self.steps += verdict.steps
        self.virtual_s += verdict.virtual_s
        self.injected = dict(sorted((Counter(self.injected) + Counter(verdict.injected)).items()))
        if verdict.violations:
            first = verdict.violations[0]
            self.failures.append(Failure(seed=verdict.seed, invariant=first.invariant, said=first.said))

    def lines(self) -> list[str]:
        """What a person reads."""
        rate = self.seeds / self.real_s if self.real_s else 0.0
        lines = [
            f"{self.venue}: {self.seeds} seeds from {self.first_seed}, {rate:.1f} seeds/s, "
            f"{self.virtual_s / 3600:.1f} h of virtual time in {self.real_s:.0f} s",
            f"{self.orders} orders, {self.requests} requests, {self.calm} seeds in which nothing struck",
            "faults injected: " + (", ".join(f"{kind} {n}" for kind, n in self.injected.items()) or "none"),
        ]
        unseen = [kind for kind in self.kinds if kind not in self.injected]
        if unseen:
            lines.append(f"faults that never struck: {', '.join(unseen)}")
        lines += [f"FAILED seed {one.seed}: {one.invariant}: {one.said}" for one in self.failures[:MAX_SHOWN]]
        lines.append(f"{len(self.failures)} seeds failed" if self.failures else "no promise was broken")
        return lines


def play(
    venue: str,
    seeds: range,
    *,
    jobs: int | None = None,
    only: frozenset[str] | None = None,
    progress: Callable[[Ledger], None] = lambda ledger: None,
) -> Ledger:
    """Play all `seeds`, in their order, on `jobs` processes (None: one a core). progress: told after each."""
    kinds = tuple(kind for kind in site_of(venue).kinds if only is None or kind in only)
    ledger = Ledger(venue=venue, first_seed=seeds.start, next_seed=seeds.start, kinds=kinds)
    began_s = monotonic_s()
    for verdict in _verdicts(venue, seeds, jobs or os.cpu_count() or 1, only):
        ledger.add(verdict)
        ledger.real_s = monotonic_s() - began_s
        progress(ledger)
    return ledger


def _verdicts(venue: str, seeds: range, jobs: int, only: frozenset[str] | None) -> Iterator[Verdict]:
    if jobs == 1:
        yield from (run_seed(venue, seed, only=only) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    work: Iterable[tuple[str, int, frozenset[str] | None]] = ((venue, seed, only) for seed in seeds)
    with context.Pool(jobs) as pool:
        yield from pool.imap(_one, work, chunksize=CHUNK)


def _one(task: tuple[str, int, frozenset[str] | None]) -> Verdict:
    venue, seed, only = task
    return run_seed(venue, seed, only=only)
