"""A local exchange for all tests of this folder, and a way to run the command line against it in this process."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import msgspec
import pytest

from latentspeed_cli import main
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.control_client import ControlClient
from latentspeed_cli.sandbox.home import Home, Options, VenueInfo

from ..ended import Ended

VENUE = "hyperliquid"


class Exchange(msgspec.Struct, frozen=True):
    """One venue of a running sandbox. account, other_account: the command line's own address, and somebody else's."""

    venue: str
    folder: Path
    venues: dict[str, VenueInfo]
    control: ControlClient

    @property
    def base_url(self) -> str:
        return self.venues[self.venue].base_url

    @property
    def account(self) -> str:
        return self.venues[self.venue].accounts[0].address

    @property
    def other_account(self) -> str:
        return self.venues[self.venue].accounts[4].address

    def of(self, venue: str) -> Exchange:
        """The same sandbox, another venue of it."""
        return msgspec.structs.replace(self, venue=venue)

    def order(self, command: str, **arguments: object) -> Any:
        """Give a control command about the venue."""
        return self.control.call(self.venue, command, **arguments)

    def wait_for_stream(self) -> None:
        """Wait until somebody listens, and a moment more, in which everything is acknowledged."""
        deadline = time.monotonic() + 60
        while not self.order("connections"):
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.02)
        time.sleep(1)

    def sent(self) -> int:
        """How much the venue was sent to change so far, accepted or not: actions of our account, or transactions."""
        if self.venue != VENUE:
            return int(self.order("state")["broadcasts"])
        body = json.dumps({"type": "userRateLimit", "user": self.account}).encode()
        request = Request(f"{self.base_url}/info", data=body, headers={"Content-Type": "application/json"})
        with urlopen(request, timeout=10) as reply:
            return int(json.load(reply)["nRequestsUsed"])


def start_exchange(folder: Path) -> Exchange:
    info = supervisor.start(folder, Options(port=0, seed=7, scenario="brisk"))
    return Exchange(VENUE, folder, info.venues, supervisor.control(folder))


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("exchange")
    yield start_exchange(folder)
    supervisor.stop(folder)


class Terminal:
    """Runs command lines in this process, each home by itself: its own state, cache and configuration."""

    def __init__(self, home: Path, exchange: Exchange | None, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.exchange: Exchange | None = None
        self._patch = monkeypatch
        for name in ("HYPERLIQUID_KEY", "PROFILE", "CONFIG", "VENUE", "OUTPUT", "KEYSTORE_PASSWORD_FILE"):
            monkeypatch.delenv(f"LATENTSPEED_{name}", raising=False)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
        self.keep_state_in(home / "state")
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
        """Trade there from here on. A venue with one address is named by it, as anybody may; the sandbox of a venue
        with several becomes the one of this state folder.
        """
        self.exchange = exchange
        self.set("LATENTSPEED_NETWORK", "sandbox")
        self.set("LATENTSPEED_VENUE", exchange.venue)
        is_alone = exchange.venues[exchange.venue].node_url is None
        self.set("LATENTSPEED_BASE_URL", exchange.base_url if is_alone else "")
        self.keep_state_in(self.home / "state")

    def keep_state_in(self, folder: Path) -> None:
        """Use another state folder, with the same exchange."""
        self.set("LATENTSPEED_STATE_DIR", str(folder))
        if self.exchange is not None and "LATENTSPEED_BASE_URL" not in os.environ:
            Home(self.exchange.folder).share(folder)

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


def leave_nothing(terminal: Terminal, sent: int) -> None:
    """Take back what a test did to the shared exchange. sent: what had been sent before."""
    assert terminal.exchange is not None
    terminal.exchange.order("clear")
    if terminal.exchange.sent() == sent:
        return
    for name in ("LATENTSPEED_CONFIG", "LATENTSPEED_PROFILE"):
        terminal.set(name, "")
    terminal.go_to(terminal.exchange)
    terminal.keep_state_in(terminal.home / "afterwards")
    assert terminal.run(["cancel", "--all", "--external"]).code == 0


@pytest.fixture
def terminal(tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, exchange, monkeypatch)
    sent = exchange.sent()
    yield terminal
    terminal.exchange = exchange
    leave_nothing(terminal, sent)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """For verbs that need no exchange."""
    return Terminal(tmp_path, None, monkeypatch)
