"""A state folder, an installed counting venue, and real sandbox processes in it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import msgspec
import pytest

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.control import Control
from latentspeed_cli.sandbox.model import SCENARIOS, Scenario
from latentspeed_cli.sandbox.shell import Shell
from latentspeed_cli.sandbox.store import Store

TOKEN = "token"
COUNTER = Path(__file__).with_name("counter_venue.py")


@pytest.fixture(scope="session")
def counter_venue() -> ModuleType:
    """The module of the counting venue, for tests in this process."""
    spec = importlib.util.spec_from_file_location("counter_venue", COUNTER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with the counting venue in it, on the path of every process started here."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "counter_venue.py").write_text(COUNTER.read_text())
    install(folder, "counter-venue", "counter = counter_venue")
    # Python takes the first distribution of a name: this one stands before the product's own and brings no venue, so
    # that a sandbox of these tests does not spend most of its start on importing Ethereum's libraries.
    install(folder, "latentspeed", "hyperliquid = no_such_module")
    paths = [str(folder), *(path for path in sys.path if path and Path(path).is_dir())]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return folder


@pytest.fixture
def state_dir(tmp_path: Path, site: Path) -> Iterator[Path]:
    """A state folder; a sandbox that still runs in it when the test ends is ended."""
    folder = tmp_path / "state"
    yield folder
    supervisor.stop(folder)


@pytest.fixture
def hyperliquid(site: Path) -> None:
    """Hyperliquid's own connector beside the counting venue."""
    install(site, "latentspeed", "hyperliquid = latentspeed_hyperliquid.plugin")


def install(folder: Path, name: str, entry_point: str) -> None:
    """What discovery reads of an installed distribution, and nothing else."""
    metadata = folder / f"{name.replace('-', '_')}-0.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0\n")
    (metadata / "entry_points.txt").write_text(f"[latentspeed.connectors]\n{entry_point}\n")


class Running:
    """A shell that runs in this loop, and a client."""

    def __init__(self, shell: Shell, http: aiohttp.ClientSession) -> None:
        self.shell = shell
        self.http = http
        self.url = shell.sites[0].url
        self.ws_url = "ws" + self.url.removeprefix("http") + "/count/ws"
        self.model: Any = shell.venues["counter"].model

    async def post(self, path: str, body: bytes = b"", **kwargs: Any) -> tuple[int, bytes]:
        async with self.http.post(self.url + path, data=body, **kwargs) as answer:
            return answer.status, await answer.read()

    async def eventually(self, check: Callable[[], bool]) -> None:
        for _ in range(1000):
            if check():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it did not come true")

    async def control(self, command: str, token: str = TOKEN, venue: str = "counter", **arguments: object) -> Any:
        status, body = await self.post(
            f"/control/{venue}/{command}",
            msgspec.json.encode(arguments),
            headers={"Authorization": f"Bearer {token}"},
        )
        return {"status": status, **msgspec.json.decode(body)}


@pytest.fixture
def start(tmp_path: Path, counter_venue: ModuleType) -> Callable[..., Any]:
    """Starts a shell with the counting venue, in the bench scenario unless told otherwise."""

    @asynccontextmanager
    async def started(
        scenario: Scenario = SCENARIOS["bench"], *, models: list[Any] | None = None
    ) -> AsyncIterator[Running]:
        store = Store.open(tmp_path / "sandbox.db")
        shell = Shell(
            models or [counter_venue.CounterModel(scenario)],
            scenario=scenario,
            store=store,
            clock=SystemClock(),
        )
        shell.on_control = Control(shell, TOKEN, on_keep=lambda: None).handle
        await shell.listen("127.0.0.1", 0)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(shell.run())
            async with aiohttp.ClientSession() as http:
                yield Running(shell, http)
            shell.stop()
        await shell.close()
        store.close()

    return started
