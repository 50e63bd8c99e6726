"""One life of a sandbox: lock held, store opened, venues up, sandbox.json written, until a signal or idleness."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable

import msgspec

from ..clock import SystemClock
from ..entropy import SystemEntropy
from ..errors import PluginError
from .control import Control
from .home import Home, Lock, Options, Running, SandboxInfo
from .identity import identify, remember
from .model import Scenario, VenueModel
from .rehearsal import Rehearsal
from .shell import Shell
from .store import Store, unreadable

log = logging.getLogger(__name__)

LoadModels = Callable[[Scenario], Iterable[VenueModel]]


async def serve(
    home: Home, lock: Lock, options: Options, load_models: LoadModels, on_ready: Callable[[Running], None]
) -> int | None:
    """Run a sandbox; the signal that ended it, or None for idleness or a control request.

    The caller holds the lock and closes it afterwards. Raises UsageError (host, port, scenario, seed), PluginError (no
    venue) and StoreUnreadable before it is ready.
    """
    store = Store.open(home.store)
    try:
        instance, scenario = identify(store, options, SystemEntropy())
        ended_by: list[int] = []
        token = SystemEntropy().token_hex(16)
        shell = _shell(home, store, scenario, load_models)
        shell.idle_s = options.idle_s
        rehearsal = None
        if options.faults:
            rehearsal = Rehearsal(shell, options.faults, seed=scenario.seed, rate=options.fault_rate)
        try:
            await shell.listen(options.host, options.port)
            remember(store, instance, scenario, SystemClock())
            running = Running(
                info=SandboxInfo(
                    running=True,
                    instance=instance,
                    scenario=scenario.name,
                    venues={name: venue.describe() for name, venue in shell.venues.items()},
                ),
                pid=os.getpid(),
                url=shell.sites[0].url,
                port=shell.sites[0].port,
                seed=scenario.seed,
                idle_s=options.idle_s,
                control_token=token,
            )
            keep = msgspec.structs.replace(running, idle_s=None)
            shell.on_control = Control(shell, token, on_keep=lambda: home.write(keep)).handle
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, _stop, shell, ended_by, number)
            home.write(running)
            lock.announce(os.getpid())
            log.info("instance %s listens at %s", instance, running.url)
            on_ready(running)
            await _run(shell, rehearsal)
        finally:
            lock.announce(None)
            home.info.unlink(missing_ok=True)
            await shell.close()
    finally:
        store.close()
    return ended_by[0] if ended_by else None


def _shell(home: Home, store: Store, scenario: Scenario, load_models: LoadModels) -> Shell:
    models = list(load_models(scenario))
    if not models:
        raise PluginError("no installed connector has a sandbox", hint="`latentspeed connectors check`")
    try:
        return Shell(models, scenario=scenario, store=store, clock=SystemClock())
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
        # A model that cannot make sense of its own rows: the file was changed, or written by another version.
        raise unreadable(home.store, error) from error


async def _run(shell: Shell, rehearsal: Rehearsal | None) -> None:
    """Keep the venues going, with trouble if that was asked for."""
    trouble = None if rehearsal is None else asyncio.create_task(rehearsal.run())
    try:
        await shell.run()
    finally:
        if trouble is not None:
            trouble.cancel()


def _stop(shell: Shell, ended_by: list[int], number: int) -> None:
    ended_by.append(number)
    shell.stop()
