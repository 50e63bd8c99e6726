"""`sandbox start|stop|status|reset|run`: the local exchange of this state folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import ConnectFailed, Exit, UsageError
from ..records import SandboxRecord
from ..sandbox import supervisor
from ..sandbox.home import Home, Options, SandboxInfo, loopback_address
from ..sandbox.model import SCENARIOS
from .call import Call, of
from .grammar import VerbCommand, verb_app

if TYPE_CHECKING:
    from ..sandbox.home import Running

app = verb_app("Run the local exchange.")

Host = Annotated[str, typer.Option("--host", help="Address to listen on; of this machine only.")]
Port = Annotated[
    str | None, typer.Option("--port", help="Exactly this port; 0 is any. Without it 3001, or any if that is in use.")
]
Seed = Annotated[str | None, typer.Option("--seed", help="Whole number; the same seed gives the same market.")]
ScenarioName = Annotated[str | None, typer.Option("--scenario", help="One of " + ", ".join(SCENARIOS) + ".")]


@app.command("start", cls=VerbCommand)
def start(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = None,
    seed: Seed = None,
    scenario: ScenarioName = None,
) -> None:
    """Start the exchange; it stays until `sandbox stop`.

    One that runs already is kept.
    """
    call = _call(ctx)
    _show(call, supervisor.start(_folder(call), _options(host, port, seed, scenario)))


@app.command("stop", cls=VerbCommand)
def stop(ctx: typer.Context) -> None:
    """Stop the exchange; accounts and orders are kept."""
    call = _call(ctx)
    if not supervisor.stop(_folder(call)):
        call.output.note("no sandbox was running")
    _show(call, SandboxInfo(running=False))


@app.command("status", cls=VerbCommand)
def status(ctx: typer.Context) -> None:
    """Show where the exchange listens, and its accounts.

    The accounts and their keys are published. Exit 8 when no exchange runs.
    """
    call = _call(ctx)
    info = supervisor.status(_folder(call))
    _show(call, info)
    if not info.running:
        raise ConnectFailed(
            "no sandbox is running", hint="`latentspeed sandbox start`; commands on the sandbox network start one too"
        )


@app.command("reset", cls=VerbCommand)
def reset(ctx: typer.Context, seed: Seed = None, scenario: ScenarioName = None) -> None:
    """Begin a new exchange without orders.

    The file of the old one is kept aside.
    """
    call = _call(ctx)
    asked = _options("127.0.0.1", None, seed, scenario)
    _show(call, supervisor.reset(_folder(call), seed=asked.seed, scenario=asked.scenario))


@app.command("run", cls=VerbCommand)
def run(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = None,
    seed: Seed = None,
    scenario: ScenarioName = None,
    fault: Annotated[
        str | None, typer.Option("--fault", help="Trouble to rehearse, as reply-lost,storm; see --list-faults.")
    ] = None,
    fault_rate: Annotated[
        str | None, typer.Option("--fault-rate", help="Of a hundred requests, how many are struck; 25 by default.")
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Tell what --fault takes, and end.")] = False,
) -> Exit:
    """Run the exchange in the foreground until Ctrl-C.

    Its log goes to stderr.
    """
    import logging
    import signal

    from ..sandbox import rehearsal
    from ..sandbox.__main__ import venue_models
    from ..sandbox.server import serve

    call = _call(ctx)
    if list_faults:
        call.output.text("\n".join(f"{name:16} {known.help}" for name, known in rehearsal.FAULTS.items()))
        return Exit.OK
    options = msgspec.structs.replace(
        _options(host, port, seed, scenario),
        faults=() if fault is None else rehearsal.chosen(fault),
        fault_rate=rehearsal.DEFAULT_RATE if fault_rate is None else _whole("--fault-rate", fault_rate, 100),
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    def ready(running: Running) -> None:
        _show(call, running.info)

    lock = supervisor.take(_folder(call))
    try:
        ended_by = asyncio.run(serve(Home(_folder(call)), lock, options, venue_models, ready))
    finally:
        lock.close()
    ends = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
    return Exit.OK if ended_by is None else ends[signal.Signals(ended_by)]


def _call(ctx: typer.Context) -> Call:
    call = of(ctx)
    call.show_as(SandboxRecord)
    return call


def _folder(call: Call) -> Path:
    return call.settings.state_dir


def _options(host: str, port: str | None, seed: str | None, scenario: str | None) -> Options:
    """What the words ask for. Raises UsageError."""
    if scenario is not None and scenario not in SCENARIOS:
        raise UsageError(f"unknown scenario {scenario!r}", hint="one of " + ", ".join(SCENARIOS))
    return Options(
        host=loopback_address(host),
        port=None if port is None else _whole("--port", port, 65535),
        seed=None if seed is None else _whole("--seed", seed, 2**63 - 1),
        scenario=scenario,
    )


def _whole(option: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise UsageError(f"{option} takes a whole number from 0 to {most}, not {text!r}")
    return int(text)


def _show(call: Call, info: SandboxInfo) -> None:
    """People get a table of the accounts, programs the record."""
    record = msgspec.convert(msgspec.to_builtins({**msgspec.structs.asdict(info), "schema": "sandbox"}), SandboxRecord)
    if call.output.format != "table" or call.output.fields is not None:
        call.output.show(record)
        return
    call.output.show(msgspec.structs.replace(record, venues={}))
    for name, venue in record.venues.items():
        node = f"  gRPC {venue.node_url}" if venue.node_url else ""
        lines = [f"\n{name}  {venue.base_url}  {venue.ws_url}{node}", "  accounts, and their published private keys:"]
        lines += [f"  {account.address}  {account.private_key}" for account in venue.accounts]
        if not call.output.quiet:
            call.output.text("\n".join(lines))
