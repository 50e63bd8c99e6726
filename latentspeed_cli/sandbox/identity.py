"""Who a sandbox is: its instance, seed and scenario, kept in its store from life to life."""

from __future__ import annotations

import msgspec

from ..clock import Clock, SystemClock, iso
from ..entropy import Entropy, SystemEntropy
from ..errors import UsageError
from .home import Home, Options, SandboxInfo, StoreUnreadable
from .model import SCENARIOS, Scenario
from .store import Store, archive


def identify(store: Store, options: Options, entropy: Entropy) -> tuple[str, Scenario]:
    """Who this sandbox is and how it behaves, from its store and from what was asked for. Nothing is written.

    The scenario may change between two lives. The seed may not: prices and accounts have come from it.
    """
    known = store.meta()
    name = options.scenario or known.get("scenario", "default")
    check_scenario(name)
    base = SCENARIOS[name]
    kept = known.get("seed")
    seed = options.seed if options.seed is not None else int(kept) if kept is not None else base.seed
    if kept is not None and int(kept) != seed:
        raise UsageError(
            f"this sandbox has seed {kept}, not {seed}", hint=f"`latentspeed sandbox reset --seed {seed}` starts afresh"
        )
    instance = known.get("instance") or entropy.token_hex(8)
    return instance, msgspec.structs.replace(base, seed=seed)


def remember(store: Store, instance: str, scenario: Scenario, clock: Clock) -> None:
    """Keep who this sandbox is. Only once it is known to be able to run: a failed start decides nothing."""
    created = store.meta().get("created") or iso(clock.now_ns())
    store.set_meta({"instance": instance, "created": created, "seed": str(scenario.seed), "scenario": scenario.name})


def renew(home: Home, *, seed: int | None, scenario: str | None) -> SandboxInfo:
    """Archive what was kept and make an empty store of a new instance. The caller holds the lock; nothing runs.

    Seed and scenario stay unless told otherwise. A store that cannot be read is archived all the same.
    """
    known: dict[str, str] = {}
    if home.store.exists():
        try:
            old = Store.open(home.store)
            known = old.meta()
            old.close()
        except StoreUnreadable:
            known = {}
    kept = known.get("seed")
    options = Options(
        seed=seed if seed is not None else int(kept) if kept is not None else None,
        scenario=scenario or (known["scenario"] if known.get("scenario") in SCENARIOS else None),
    )
    check_scenario(options.scenario)
    archive(home.store, home.archive, known.get("instance", "unreadable"))
    store = Store.open(home.store)
    try:
        instance, begun = identify(store, options, SystemEntropy())
        remember(store, instance, begun, SystemClock())
    finally:
        store.close()
    return SandboxInfo(running=False, instance=instance, scenario=begun.name)


def check_scenario(name: str | None) -> None:
    """Raises UsageError when there is no scenario of that name; None is the default one."""
    if name is not None and name not in SCENARIOS:
        raise UsageError(f"unknown scenario {name!r}", hint="one of " + ", ".join(SCENARIOS))
