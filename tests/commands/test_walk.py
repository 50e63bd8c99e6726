"""The walk of a new user, in processes of their own: the very same words on every venue, but for `-x`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Options

COPIES = 50
PLACE = ["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only"]
READING = {"updated_ts_ns", "updated_ts_iso"}  # what another reading of the same order may change


class User:
    """Gives commands about one venue, in a home of their own."""

    def __init__(self, venue: str, home: Path) -> None:
        self.venue = venue
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "LATENTSPEED_STATE_DIR": str(home / "state"),
            "LATENTSPEED_CACHE_DIR": str(home / "cache"),
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "latentspeed_cli", *words, "-x", self.venue],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        """What the command says on stdout; it must end with `code`."""
        process = self.start(*words, "-o", "json")
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        said: dict[str, Any] = json.loads(out)
        return said

    def resting(self) -> list[str]:
        """The venue's ids of everything that rests there, ours or not."""
        return [order["exchange_order_id"] for order in self.run("orders")["items"]]


@pytest.fixture(scope="module", params=["hyperliquid", "dydx_v4"])
def user(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    home = tmp_path_factory.mktemp("home")
    supervisor.start(home / "state", Options(port=0, seed=7))
    yield User(request.param, home)
    supervisor.stop(home / "state")


@pytest.fixture(autouse=True)
def _clean(user: User) -> Iterator[None]:
    yield
    user.run("cancel", "--all", "--external")


def test_an_order_that_rests_is_told_alike_by_place_and_status(user: User) -> None:
    placed = user.run(*PLACE)
    assert (placed["venue"], placed["state"], placed["outcome"]) == (user.venue, "OPEN", "accepted")
    told = user.run("status", placed["client_order_id"])
    assert {name: told[name] for name in told.keys() - READING} == {
        name: placed[name] for name in placed.keys() - READING
    }
    assert user.resting() == [placed["exchange_order_id"]]


def test_another_process_streams_what_happens_to_an_order(user: User) -> None:
    stream = user.start("stream", "orders", "-o", "ndjson")
    assert stream.stdout is not None
    for line in stream.stdout:
        if json.loads(line).get("kind") == "backfilled":
            break
    placed = user.run(*PLACE)
    cancelled = user.run("cancel", placed["client_order_id"])
    assert (cancelled["state"], cancelled["may_be_live"]) == ("CANCELLED", False)
    assert cancelled["evidence"]
    states = []
    for line in stream.stdout:
        record = json.loads(line)
        if record.get("client_order_id") == placed["client_order_id"]:
            states.append(record["state"])
            if record["state"] == "CANCELLED":
                break
    stream.terminate()
    stream.communicate(timeout=60)
    assert [state for state in states if state in ("OPEN", "CANCELLED")] == ["OPEN", "CANCELLED"]
    assert user.resting() == []


def test_a_market_order_is_filled(user: User) -> None:
    placed = user.run("place", "buy", "BTC-USD", "0.01", "--type", "market")
    assert (placed["state"], placed["executed_amount"], placed["fills_complete"]) == ("FILLED", "0.01", True)
    assert placed["fees"][0]["currency"] == "USDC"
    fills = user.run("fills", "--since", "1m")["items"]
    assert placed["client_order_id"] in {fill["client_order_id"] for fill in fills}


def test_the_same_line_again_is_the_same_order(user: User) -> None:
    first, second = (user.run(*PLACE, "--client-id", "twice") for _ in range(2))
    assert (first["replayed"], second["replayed"]) == (False, True)
    assert user.resting() == [first["exchange_order_id"]] == [second["exchange_order_id"]]
    user.start(*PLACE[:1], "sell", *PLACE[2:4], "mid+1%", "--client-id", "twice").communicate(timeout=60)
    assert user.resting() == [first["exchange_order_id"]]


def test_what_a_venue_lacks_is_refused_before_it_is_sent(user: User) -> None:
    process = user.start("place", "buy", "BTC-USD", "0.01", "mid-1%", "--tif", "fok", "-o", "json")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "invalid"
    assert user.resting() == []


def test_fifty_cold_copies_of_one_line_are_one_order(user: User) -> None:
    """A copy that the venue does not answer in time, on a busy machine, says so with 8, and may be given again."""
    line = [*PLACE, "--client-id", "fifty"]
    copies = [user.start(*line, "-o", "json") for _ in range(COPIES)]
    ends = [copy.communicate(timeout=180) for copy in copies]
    assert {copy.returncode for copy in copies} <= {0, 8}, [err for _, err in ends if err][:3]
    orders = [
        json.loads(out) if copy.returncode == 0 else user.run(*line)
        for copy, (out, _) in zip(copies, ends, strict=True)
    ]
    assert sorted(order["replayed"] for order in orders) == [False] + [True] * (COPIES - 1)
    assert len({order["exchange_order_id"] for order in orders}) == 1
    assert {order["state"] for order in orders} == {"OPEN"}
    assert user.resting() == [orders[0]["exchange_order_id"]]
