"""Other people's clients against the sandbox: they run in an environment of their own, which make builds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Options, SandboxInfo, VenueInfo

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
PEERS_DYDX = ROOT / ".venv-peers-dydx" / "bin" / "python"
CLIENTS = Path(__file__).parent / "clients"
TIMEOUT_S = 120.0

RunClient = Callable[..., Any]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the sandbox."""
    return tmp_path_factory.mktemp("oracle")


@pytest.fixture(scope="session")
def sandbox(folder: Path) -> Iterator[SandboxInfo]:
    """A sandbox process of the installed product, on ports of its own."""
    try:
        yield supervisor.start(folder, Options(port=0, seed=1))
    finally:
        supervisor.stop(folder)


@pytest.fixture(scope="session")
def venue(sandbox: SandboxInfo) -> VenueInfo:
    """Where the local Hyperliquid listens, and its accounts."""
    return sandbox.venues["hyperliquid"]


@pytest.fixture(scope="session")
def chain(sandbox: SandboxInfo) -> VenueInfo:
    """Where the local dYdX listens, and its accounts."""
    return sandbox.venues["dydx_v4"]


@pytest.fixture(scope="session")
def run_client() -> RunClient:
    """Run a script of clients/ in the peers' environment and return the JSON it printed."""
    return _runner(PEERS)


@pytest.fixture(scope="session")
def run_dydx_client() -> RunClient:
    """The same, in the environment of dydx-v4-client."""
    return _runner(PEERS_DYDX)


def _runner(python: Path) -> RunClient:
    assert python.exists(), f"no {python}: run `make oracle`"

    def run(script: str, *arguments: str) -> Any:
        done = subprocess.run(
            [python, "-P", CLIENTS / script, *arguments],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{script} broke off\n{done.stdout[-3000:]}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])

    return run
