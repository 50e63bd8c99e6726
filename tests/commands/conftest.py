"""A local exchange for all tests of this folder, and a way to run the command line against it in this process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import pytest

from latentspeed_cli import main
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.control_client import ControlClient
from latentspeed_cli.sandbox.home import Options

VENUE = "hyperliquid"


class Exchange(msgspec.Struct, frozen=True):
    """A running sandbox. account: the address of the command line's own account."""

    base_url: str
    account: str
    control: ControlClient

    def order(self, command: str, **arguments: object) -> Any:
        """Give a control command about the venue."""
        return self.control.call(VENUE, command, **arguments)

    def sent(self) -> int:
        """How many actions the command line's own account has sent so far, accepted or not."""
        body = json.dumps({"type": "userRateLimit", "user": self.account}).encode()
        request = Request(f"{self.base_url}/info", data=body, headers={"Content-Type": "application/json"})
        with urlopen(request, timeout=10) as reply:
            return int(json.load(reply)["nRequestsUsed"])


def start_exchange(folder: Path) -> Exchange:
    info = supervisor.start(folder, Options(port=0, seed=7))
    venue = info.venues[VENUE]
    return Exchange(venue.base_url, venue.accounts[0].address, supervisor.control(folder))


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("exchange")
    yield start_exchange(folder)
    supervisor.stop(folder)


class Ended(msgspec.Struct, frozen=True):
    """How a command line ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error object on stderr."""
        objects = [json.loads(line) for line in self.err.splitlines()]
        found: dict[str, Any] = next(item["error"] for item in objects if item["schema"] == "error")
        return found


class Terminal:
    """Runs command lines in this process, each home by itself: its own state, cache and configuration."""

    def __init__(self, home: Path, exchange: Exchange | None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.exchange = exchange
        self._patch = monkeypatch
        for name in ("HYPERLIQUID_KEY", "PROFILE", "CONFIG", "VENUE", "OUTPUT", "KEYSTORE_PASSWORD_FILE"):
            monkeypatch.delenv(f"LATENTSPEED_{name}", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
        self.set("LATENTSPEED_STATE_DIR", str(home / "state"))
        self.set("LATENTSPEED_CACHE_DIR", str(home / "cache"))
        if exchange is not None:
            self.go_to(exchange)

    def set(self, name: str, value: str) -> None:
        """Set a variable, or take it away when `value` is empty."""
        if value:
            self._patch.setenv(name, value)
        else:
            self._patch.delenv(name, raising=False)

    def go_to(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.set("LATENTSPEED_BASE_URL", exchange.base_url)
        self.set("LATENTSPEED_NETWORK", "sandbox")

    def run(self, arguments: Sequence[str], stdin: str = "") -> Ended:
        out, err = io.StringIO(), io.StringIO()
        self._patch.setattr(sys, "stdout", out)
        self._patch.setattr(sys, "stderr", err)
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        try:
            code = main.main(arguments)
        finally:
            self._patch.setattr(sys, "stdout", sys.__stdout__)
            self._patch.setattr(sys, "stderr", sys.__stderr__)
        return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture
def terminal(tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, exchange, monkeypatch)
    sent = exchange.sent()
    yield terminal
    exchange.order("clear")
    if exchange.sent() != sent:
        for name in ("LATENTSPEED_CONFIG", "LATENTSPEED_PROFILE"):
            terminal.set(name, "")
        terminal.set("LATENTSPEED_STATE_DIR", str(tmp_path / "afterwards"))
        terminal.go_to(exchange)
        assert terminal.run(["cancel", "--all", "--external"]).code == 0


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """For verbs that need no exchange."""
    return Terminal(tmp_path, None, monkeypatch)
