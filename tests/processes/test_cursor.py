"""`stream --cursor`: whatever interrupts it, all runs together told each fill once."""

from __future__ import annotations

import itertools
import json
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from .conftest import RESTING, Sandbox, Trader, until
from .proxy import FRAME_TROUBLES, go_through, ports_of, running
from .runs import TOLD, Reader, Run, buy, ids

DISCONNECTS = 100
LOST_AND_FOUND = {"connected", "reconnected", "closed", "gap", "backfilled"}
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)


@pytest.fixture
def cursor(tmp_path: Path) -> Path:
    return tmp_path / "own" / "stream.cursor"


@pytest.fixture(autouse=True)
def folder(cursor: Path) -> None:
    cursor.parent.mkdir()


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


def test_whatever_the_way_does_to_the_frames(trader: Trader, sandbox: Sandbox, cursor: Path) -> None:
    """Orders are filled while their news is lost, cut, late, doubled and garbled, and runs end and begin anew."""
    before, bought = ids(trader), set()
    with running(ports_of(sandbox), seed=3, rate=0.02, frame_rate=0.25) as proxy:
        through = partial(go_through, trader, sandbox, proxy.ports)
        readers = [Reader(trader, channel, cursor, through) for channel in TOLD]

        def has_seen_it_all() -> bool:
            kinds = {kind for reader in readers for kind in reader.kinds()}
            return proxy.struck_frames.keys() >= set(FRAME_TROUBLES) and kinds >= LOST_AND_FOUND

        for number in itertools.count():
            for reader in readers:
                reader.listen()
            bought.add(buy(trader))
            if number >= 10 and has_seen_it_all():
                break
            assert number < 100, (proxy.struck_frames, [reader.kinds() for reader in readers])
            if number % 5 == 4:
                readers[number // 5 % 2].runs[-1].end(signal.SIGTERM)
        proxy.rate = proxy.frame_rate = 0.0
        for reader, expected in zip(readers, (ids(trader) - before, bought), strict=True):
            reader.catch_up(expected)
            assert reader.told().keys() == expected
    fills, _ = readers  # an order's end is told again when more is known of it
    assert set(fills.told().values()) == {1}
    for reader in readers:
        assert reader.repeated() == []
        # Unreachable, given up, too much without sense: honest ends, from which the next run goes on.
        assert {run.process.returncode for run in reader.runs} <= {143, 8, 16, 17}, [run.errors for run in reader.runs]
    assert trader.call("reconcile").json["items"] == []


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
    before = ids(trader)
    buy(trader)
    buy(trader)
    expected = ids(trader) - before
    one = trader.call("stream", "fills", "--cursor", str(cursor), "--count", "1", "--output", "ndjson")
    count = str(len(expected) - 1)
    rest = trader.call("stream", "fills", "--cursor", str(cursor), "--count", count, "--output", "ndjson")
    told = [
        record["fill_id"]
        for ended in (one, rest)
        for record in map(json.loads, ended.out.splitlines())
        if record["schema"] == "fill"
    ]
    assert sorted(told) == sorted(expected)


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
