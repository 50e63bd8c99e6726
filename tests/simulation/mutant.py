"""A mutant: one deliberate bug in the product, and the invariant of the simulator that has to catch it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, TypeAlias

import msgspec

from latentspeed_cli.testing.simulator.run import run_seed
from latentspeed_cli.testing.simulator.world import Violation

# From what the product has to what stands in its place.
Replace: TypeAlias = Callable[[Any], Any]

VENUES = ("hyperliquid", "dydx_v4")
# Worlds in which a mutant must have been caught.
MAX_SEEDS = 2_000


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute that is replaced. where: "module:Class.attribute", or "module:attribute"."""

    where: str
    to: Replace

    @contextmanager
    def made(self) -> Iterator[None]:
        """In this process, while the context lasts."""
        module, _, path = self.where.partition(":")
        *owners, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for step in owners:
            owner = getattr(owner, step)
        original = vars(owner)[name]
        setattr(owner, name, self.to(original))
        try:
            yield
        finally:
            setattr(owner, name, original)


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """breaks: what is wrong with the product now, as a sentence. faults: kinds that may strike in its worlds.

    caught_by: the invariant that has to break on each of `venues`; others may break too. rare_on: those of them where
    it takes many worlds until the bug has an occasion.
    """

    name: str
    breaks: str
    changes: tuple[Change, ...]
    faults: frozenset[str]
    caught_by: str
    venues: tuple[str, ...] = VENUES
    rare_on: tuple[str, ...] = ()

    @contextmanager
    def made(self) -> Iterator[None]:
        """The product is broken, in this process, while the context lasts."""
        with ExitStack() as stack:
            for change in self.changes:
                stack.enter_context(change.made())
            yield


class Hunt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a mutant on one venue. seed: the one that caught it, None if none did.

    others: what else broke until then. false_alarms: what broke in the same seeds without the mutant.
    """

    seed: int | None
    others: tuple[str, ...]
    false_alarms: tuple[str, ...]


def hunt(mutant: Mutant, venue: str) -> Hunt:
    """Play seed after seed with and without the mutant, until its invariant breaks with it."""
    others: set[str] = set()
    false_alarms: list[str] = []
    for seed in range(MAX_SEEDS):
        false_alarms += [f"seed {seed}: {one.invariant}: {one.said}" for one in _sane(venue, seed, mutant.faults)]
        with mutant.made():
            broken = {one.invariant for one in _play(venue, seed, mutant.faults)}
        others |= broken - {mutant.caught_by}
        if mutant.caught_by in broken:
            return Hunt(seed=seed, others=tuple(sorted(others)), false_alarms=tuple(false_alarms))
    return Hunt(seed=None, others=tuple(sorted(others)), false_alarms=tuple(false_alarms))


def _play(venue: str, seed: int, faults: frozenset[str]) -> tuple[Violation, ...]:
    return run_seed(venue, seed, only=faults, sure=faults).violations


@cache
def _sane(venue: str, seed: int, faults: frozenset[str]) -> tuple[Violation, ...]:
    """What breaks without any mutant, which is nothing; many mutants share their worlds."""
    return _play(venue, seed, faults)
