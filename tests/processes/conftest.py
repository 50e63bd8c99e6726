"""The program as real processes against one real sandbox with both venues, each test with a journal of its own."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from latentspeed_cli import main
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.control_client import ControlClient
from latentspeed_cli.sandbox.home import Home, Options, VenueInfo

from ..ended import Ended

VENUES = ("hyperliquid", "dydx_v4")
# Where each venue takes what changes something.
WRITES = {"hyperliquid": "/exchange", "dydx_v4": "/cosmos.tx.v1beta1.Service/BroadcastTx"}
# The coin or ticker of BTC-USD.
COINS = {"hyperliquid": {"coin": "BTC"}, "dydx_v4": {"ticker": "BTC-USD"}}
CHILD = Path(__file__).with_name("child.py")
RESTING = ("place", "buy", "BTC-USD", "0.01", "mid-2%", "--post-only")
# What makes an order that rests one of the kind that dYdX cancels together; Hyperliquid cancels one by one.
SHORT_LIVED: dict[str, tuple[str, ...]] = {"hyperliquid": (), "dydx_v4": ("--expire", "12s")}


class Sandbox(msgspec.Struct, frozen=True):
    folder: Path
    venues: dict[str, VenueInfo]
    control: ControlClient


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    info = supervisor.start(folder, Options(port=0, seed=7, scenario="brisk"))
    yield Sandbox(folder, info.venues, supervisor.control(folder))
    supervisor.stop(folder)


class Trader:
    """Somebody with a state folder of their own at one venue of the sandbox."""

    def __init__(self, home: Path, sandbox: Sandbox, venue: str) -> None:
        self.home = home
        self.venue = venue
        self.info = sandbox.venues[venue]
        self.state = home / "state"
        self._control = sandbox.control
        Home(sandbox.folder).share(self.state)
        self.environ = {
            **self.environment(home),
            "LATENTSPEED_STATE_DIR": str(self.state),
            "LATENTSPEED_VENUE": venue,
            "LATENTSPEED_OUTPUT": "json",
        }
        self._started: list[subprocess.Popen[str]] = []

    @staticmethod
    def environment(home: Path) -> dict[str, str]:
        """What every process needs, and nothing of the developer's own."""
        return {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LATENTSPEED_CACHE_DIR": str(home / "cache"),
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        }

    def id(self, name: str) -> str:
        """A client order id that no other test has used at this sandbox."""
        return f"{name}-{hashlib.sha256(str(self.home).encode()).hexdigest()[:12]}"

    # Processes

    def start(self, *words: str, seam: str | None = None) -> subprocess.Popen[str]:
        """seam: what the child is to go wrong at, see child.py."""
        program = ["-m", "latentspeed_cli"] if seam is None else [str(CHILD), seam]
        process = subprocess.Popen(
            [sys.executable, *program, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *words: str, seam: str | None = None) -> Ended:
        return finish(self.start(*words, seam=seam))

    def call(self, *words: str) -> Ended:
        """The same as `run` within this process: quicker, for what is not about processes."""
        out, err, before = io.StringIO(), io.StringIO(), dict(os.environ)
        streams = sys.stdout, sys.stderr
        os.environ.update(self.environ)
        sys.stdout, sys.stderr = out, err
        try:
            code = main.main(words)
        finally:
            sys.stdout, sys.stderr = streams
            os.environ.clear()
            os.environ.update(before)
        return Ended(code, out.getvalue(), err.getvalue())

    def end(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        self.control("clear")
        assert self.call("reconcile", "--timeout", "30s").code == 0
        ended = self.call("cancel", "--all", "--external", "--timeout", "30s")
        assert ended.code in (0, 18), ended.err  # 18: the market was faster with one

    def kinds_of(self, client_order_id: str) -> list[str]:
        """The kinds of the facts that the journal has of this order."""
        return [fact["kind"] for fact in self.call("journal", "show", client_order_id).json["items"]]

    # The venue

    def control(self, command: str, **arguments: object) -> Any:
        return self._control.call(self.venue, command, **arguments)

    def trouble(self, kind: str, **more: object) -> None:
        """Trouble with the next request that changes something."""
        self.control(kind, path=WRITES[self.venue], **more)

    def wait_for_strike(self, ordered: int = 1) -> None:
        """Wait until the venue has met some of the one trouble that was ordered so many times."""
        until(lambda: sum(item["count"] for item in self.control("pending")) < ordered)

    def wait_for_stream(self) -> None:
        """Wait until somebody listens."""
        until(lambda: self.control("connections") > 0)

    def trade(self, side: str, price: str, size: str = "20000") -> None:
        """Somebody else's trade at BTC-USD."""
        words = {"sz": size, "px": price} if self.venue == "hyperliquid" else {"size": size, "price": price}
        self.control("trade", side=side, **COINS[self.venue], **words)

    def sell_to(self, order: dict[str, Any]) -> None:
        """Somebody else fills this order of ours; the venue tells of it when this returns."""
        known = len(self.venue_fills())
        self.trade("sell", order["price"])
        until(lambda: len(self.venue_fills()) > known)

    def venue_orders(self) -> list[dict[str, Any]]:
        """Everything that the venue knows of the account's orders, in its own words, newest first."""
        address = self.info.accounts[0].address
        if self.venue == "hyperliquid":
            found: list[dict[str, Any]] = self._ask("/info", {"type": "historicalOrders", "user": address})
            return found
        return list(self._ask(f"/v4/orders?address={address}&subaccountNumber=0&limit=1000&returnLatestOrders=true"))

    def venue_fills(self) -> list[dict[str, Any]]:
        address = self.info.accounts[0].address
        if self.venue == "hyperliquid":
            found: list[dict[str, Any]] = self._ask("/info", {"type": "userFills", "user": address})
            return found
        return list(self._ask(f"/v4/fills?address={address}&subaccountNumber=0&limit=1000")["fills"])

    def at_venue(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """The venue's orders that bear the twin of our client order id."""
        twin = order["venue_client_id"]
        if self.venue == "hyperliquid":
            # One row for each status that an order went through, so orders are told apart by their ids.
            rows = [row for row in self.venue_orders() if row["order"]["cloid"] == twin]
            return list({row["order"]["oid"]: row for row in reversed(rows)}.values())
        client_id, metadata = twin.split("-")
        return [row for row in self.venue_orders() if (row["clientId"], row["clientMetadata"]) == (client_id, metadata)]

    def state_at_venue(self, order: dict[str, Any]) -> str | None:
        """What the venue says of the one order that bears the twin of our client order id, in our word for it.

        None when it knows of none, as dYdX soon does of a short-lived order.
        """
        found = self.at_venue(order)
        assert len(found) <= 1, found
        words = [row["status"].upper() for row in found]
        return {"CANCELED": "CANCELLED"}.get(words[0], words[0]) if words else None

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.info.base_url + path, data=data, headers={"Content-Type": "application/json"})
        for _ in range(5):
            try:
                with urlopen(request, timeout=10) as reply:
                    return json.load(reply)
            except HTTPError:
                time.sleep(0.2)
        raise AssertionError(f"{path} does not answer")


def finish(process: subprocess.Popen[str], timeout_s: float = 120) -> Ended:
    out, err = process.communicate(timeout=timeout_s)
    return Ended(process.returncode, out, err)


def until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(params=VENUES)
def trader(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Trader]:
    trader = Trader(tmp_path, sandbox, request.param)
    yield trader
    trader.end()
