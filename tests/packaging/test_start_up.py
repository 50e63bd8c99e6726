"""What a command imports: people wait for it at every start, and nobody pays for a venue or signer he does not use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Options

HEAVY = (
    "aiohttp",
    "websockets",
    "grpc",
    "cosmpy",
    "google",
    "eth_account",
    "coincurve",
    "Crypto",
    "apsw",
    "tabulate",
    "pydantic",
)
# What dYdX alone needs, and not even that all at once.
OF_A_CHAIN = {"grpc", "cosmpy", "google", "ecdsa", "Crypto", "latentspeed_dydx_v4"}
OF_A_SIGNER = {"coincurve", "eth_account", "ecdsa", "Crypto", "cosmpy"}

Loaded = Callable[..., set[str]]


def modules_of(script: str, environment: dict[str, str] | None = None) -> set[str]:
    """Top-level modules in a process after `script`; it must end well. Modules of connectors are told in full."""
    tell = (
        "\nimport sys\n"
        "names = {n if n.startswith('latentspeed_') else n.split('.')[0] for n in sys.modules}\n"
        "print('LOADED', *sorted(names | {n.split('.')[0] for n in names}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script + tell], capture_output=True, text=True, check=False, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("LOADED "), done.stderr
    return set(last.split()[1:])


def loaded_after(*arguments: str, environment: dict[str, str] | None = None) -> set[str]:
    """Modules in the process after `latentspeed ARGUMENTS` has done what it should."""
    script = (
        "import sys\n"
        f"sys.argv = ['latentspeed', *{list(arguments)!r}]\n"
        "from latentspeed_cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    )
    return modules_of(script, environment)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """`loaded_after` with a sandbox that runs already."""
    folder = tmp_path_factory.mktemp("start-up")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LATENTSPEED_")}
    (folder / "config.toml").touch(mode=0o600)  # not the one of whoever runs the tests
    environment |= {f"LATENTSPEED_{kind}_DIR": str(folder) for kind in ("CACHE", "STATE")}
    environment["LATENTSPEED_CONFIG"] = str(folder / "config.toml")
    supervisor.start(folder, Options(port=0, scenario="brisk"))
    yield partial(loaded_after, environment=environment)
    supervisor.stop(folder)


@pytest.mark.parametrize("arguments", [("--help",), ("place", "--help"), ("stream", "--help"), ("--version",)])
def test_help_loads_no_network_and_no_crypto_library(arguments: tuple[str, ...]) -> None:
    loaded = loaded_after(*arguments)
    assert "latentspeed_cli" in loaded
    assert not loaded.intersection(HEAVY)


def test_help_of_the_program_loads_no_connector() -> None:
    loaded = loaded_after("--help")
    assert not {name for name in loaded if name.startswith("latentspeed_") and not name.startswith("latentspeed_cli")}


def test_listing_connectors_imports_none() -> None:
    loaded = loaded_after("connectors", "list")
    assert "latentspeed_hyperliquid" not in loaded
    assert not loaded.intersection(HEAVY)


@pytest.mark.parametrize(
    "command",
    [
        "place buy BTC-USD 0.001 mid-10% --client-id mine",
        "status mine",
        "cancel mine",
        "place buy BTC-USD 0.001 --type market --dry-run",
        "stream orders --count 1 --duration 1s",
        "demo",
    ],
)
def test_a_command_for_hyperliquid_pays_for_no_chain(running: Loaded, command: str) -> None:
    loaded = running(*command.split(), "-x", "hyperliquid")
    assert {"latentspeed_hyperliquid", "aiohttp"} <= loaded
    assert not loaded & OF_A_CHAIN


@pytest.mark.parametrize("venue", ["hyperliquid", "dydx_v4"])
@pytest.mark.parametrize(
    "command", ["status", "orders", "fills", "stream book BTC-USD --count 1", "stream trades BTC-USD --count 1"]
)
def test_who_only_reads_pays_for_no_signer_and_no_node(running: Loaded, venue: str, command: str) -> None:
    loaded = running(*command.split(), "-x", venue)
    assert {f"latentspeed_{venue}", "aiohttp"} & loaded
    assert not loaded & (OF_A_SIGNER | {"grpc", "google", "latentspeed_dydx_v4.auth", "latentspeed_hyperliquid.auth"})


@pytest.mark.parametrize("command", ["place buy BTC-USD 0.001 mid-10% --client-id other", "cancel other"])
def test_an_order_on_dydx_pays_for_a_call_and_a_signature_alone(running: Loaded, command: str) -> None:
    loaded = running(*command.split(), "-x", "dydx_v4")
    assert {"grpc", "coincurve", "latentspeed_dydx_v4.auth"} <= loaded
    assert not loaded & {"cosmpy", "google", "ecdsa", "eth_account", "websockets", "latentspeed_hyperliquid"}


@pytest.mark.parametrize(("name", "has_node"), [("hyperliquid", False), ("dydx_v4", True)])
def test_a_sandbox_pays_for_grpc_where_a_node_is_served(tmp_path: Path, name: str, has_node: bool) -> None:
    script = f"""
import asyncio, os, signal
from pathlib import Path
from latentspeed_cli import plugins
from latentspeed_cli.sandbox.home import Home, Options
from latentspeed_cli.sandbox.server import serve
from latentspeed_cli.sandbox.supervisor import take

def models(scenario):
    yield plugins.load({name!r}).hook.latentspeed_sandbox(scenario=scenario)

folder = Path({str(tmp_path)!r})
ended = lambda running: os.kill(os.getpid(), signal.SIGTERM)
asyncio.run(serve(Home(folder), take(folder), Options(port=0), models, ended))
"""
    assert ("grpc" in modules_of(script)) is has_node
