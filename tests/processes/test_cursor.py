"""`stream --cursor`: whatever interrupts it, all runs together told each fill once."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import RESTING, Sandbox, Trader, until

DISCONNECTS = 100
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)


class Run:
    """One run of a stream, and what it has said so far."""

    def __init__(self, trader: Trader, channel: str, cursor: Path) -> None:
        self.process: subprocess.Popen[str] = trader.start(
            "stream", channel, "--cursor", str(cursor), "--output", "ndjson", seam="hasty:1"
        )
        self.records: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # a kill may cut the last one
                self.records.append(json.loads(line))

    def of(self, schema: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["schema"] == schema]

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.of("control")]

    def ready(self) -> None:
        until(lambda: "backfilled" in self.kinds() or self.process.poll() is not None)

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        self._reader.join()


@pytest.fixture
def cursor(tmp_path: Path) -> Path:
    return tmp_path / "own" / "stream.cursor"


@pytest.fixture(autouse=True)
def folder(cursor: Path) -> None:
    cursor.parent.mkdir()


def buy(trader: Trader) -> None:
    ended = trader.call("place", "buy", "BTC-USD", "0.01", "--type", "market", "--despite-unknown")
    assert ended.code == 0, ended.err


def ids(trader: Trader) -> set[str]:
    """What tells the venue's fills apart."""
    key = "tid" if trader.venue == "hyperliquid" else "id"
    return {str(fill[key]) for fill in trader.venue_fills()}


def test_a_hundred_disconnects_and_several_restarts_lose_and_double_nothing(trader: Trader, cursor: Path) -> None:
    before = len(ids(trader))
    runs = [Run(trader, "fills", cursor)]
    runs[0].ready()
    buy(trader)
    ends: Iterator[signal.Signals] = itertools.cycle(ENDS)
    number = 0
    while sum(run.kinds().count("reconnected") for run in runs) < DISCONNECTS:  # some cuts meet no live stream
        number += 1
        trader.control("disconnect", **({"code": 1001} if number % 2 else {}))
        if number % 5 == 0:
            buy(trader)
        until(lambda: trader.control("connections") > 0)
        if number % 17 == 0:
            runs[-1].end(next(ends))
            buy(trader)  # nobody listens
            runs.append(Run(trader, "fills", cursor))
            runs[-1].ready()
    expected = len(ids(trader)) - before
    assert expected > 25
    try:
        until(lambda: len({fill["fill_id"] for run in runs for fill in run.of("fill")}) >= expected)
    finally:
        runs[-1].end(signal.SIGTERM)
    told = Counter(fill["fill_id"] for run in runs for fill in run.of("fill"))
    assert len(told) == expected
    # A kill -9 between a record and its place in the file may bring that one again; it came in the run before.
    twice = [fill_id for fill_id, times in told.items() if times > 1]
    assert len(twice) <= sum(run.process.returncode == -signal.SIGKILL for run in runs)
    kinds = {kind for run in runs for kind in run.kinds()}
    assert {"connected", "reconnected", "closed", "backfilled"} <= kinds
    assert trader.call("reconcile").code == 0
    facts = map(json.loads, trader.call("journal", "export", "--output", "ndjson").out.splitlines())
    journaled = Counter(fact["body"]["fill_id"] for fact in facts if fact["kind"] == "fill")
    assert journaled.keys() >= told.keys()
    assert set(journaled.values()) == {1}


def test_orders_that_changed_while_nobody_listened(trader: Trader, cursor: Path) -> None:
    stays, ends = (trader.call(*RESTING).json["client_order_id"] for _ in range(2))
    first = Run(trader, "orders", cursor)
    first.ready()
    first.end(signal.SIGTERM)
    assert {order["client_order_id"] for order in first.of("order")} == {stays, ends}
    assert trader.call("cancel", ends).code == 0
    new = trader.call("place", "buy", "BTC-USD", "0.01", "--type", "market").json["client_order_id"]
    second = Run(trader, "orders", cursor)
    second.ready()
    until(lambda: len(second.of("order")) >= 2)
    second.end(signal.SIGTERM)
    states = {order["client_order_id"]: order["state"] for order in second.of("order")}
    assert states == {ends: "CANCELLED", new: "FILLED"}
    third = Run(trader, "orders", cursor)
    third.ready()
    third.end(signal.SIGTERM)
    assert third.of("order") == []


def test_what_a_consumer_did_not_take_comes_again(trader: Trader, cursor: Path) -> None:
    first = trader.call("stream", "fills", "--cursor", str(cursor), "--duration", "1s", "--output", "ndjson")
    assert first.code == 0
    buy(trader)
    buy(trader)
    one = trader.call("stream", "fills", "--cursor", str(cursor), "--count", "1", "--output", "ndjson")
    rest = trader.call("stream", "fills", "--cursor", str(cursor), "--duration", "2s", "--output", "ndjson")
    told = [
        record["fill_id"]
        for ended in (one, rest)
        for record in map(json.loads, ended.out.splitlines())
        if record["schema"] == "fill"
    ]
    assert len(told) == len(set(told)) >= 2


def test_the_file_is_private_and_its_owners(trader: Trader, cursor: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    words = ("stream", "fills", "--cursor", str(cursor), "--duration", "500ms")
    assert trader.call(*words).code == 0
    assert cursor.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in cursor.parent.iterdir()] == [cursor.name]
    other = sandbox.venues[trader.venue].accounts[3].address
    for more, says in (
        (("--account", other), "account"),
        (("--venue", "dydx_v4" if trader.venue == "hyperliquid" else "hyperliquid"), "venue"),
        (("BTC-USD",), "pairs"),
    ):
        ended = trader.call(*words, *more)
        assert (ended.code, says in ended.error["message"]) == (2, True), ended.err
    assert trader.call("stream", "orders", "--cursor", str(cursor)).code == 2
    assert trader.call("stream", "book", "BTC-USD", "--cursor", str(cursor)).code == 2


def test_a_file_that_is_none(trader: Trader, cursor: Path) -> None:
    words = ("stream", "fills", "--duration", "500ms", "--cursor", str(cursor))
    for content in (b"", b"{}", b"\xff\xfe", b'{"version":9}', b"[" * 100_000):
        cursor.write_bytes(content)
        assert trader.call(*words).code == 2
    cursor.unlink()
    cursor.mkdir()
    assert trader.call(*words).code == 2
    assert trader.call("stream", "fills", "--cursor", str(cursor.parent / "none" / "file")).code == 11
