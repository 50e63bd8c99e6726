"""Runs of `stream --cursor` as processes, and what the venue has to tell them."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .conftest import Trader, until

# The id of a record of each channel, and which records count.
TOLD: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "fills": ("fill_id", lambda record: True),
    "orders": ("client_order_id", lambda record: record["state"] == "FILLED"),
}


class Run:
    """One run of a stream, and what it has said so far."""

    def __init__(self, trader: Trader, channel: str, cursor: Path) -> None:
        self.process: subprocess.Popen[str] = trader.start(
            "stream", channel, "--cursor", str(cursor), "--output", "ndjson", seam="hasty:1"
        )
        self.errors = ""
        self.records: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # a kill may cut the last one
                self.records.append(json.loads(line))
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def of(self, schema: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["schema"] == schema]

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.of("control")]

    def ready(self) -> None:
        until(lambda: "backfilled" in self.kinds() or self.process.poll() is not None)

    def connected(self) -> None:
        """Wait until it is, or has ended."""
        until(lambda: "connected" in self.kinds() or self.process.poll() is not None)

    def end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        self._reader.join()


class Reader:
    """Somebody who follows a channel from run to run. reroute: makes the way that a run takes; it returns an undo."""

    def __init__(self, trader: Trader, channel: str, cursor: Path, reroute: Callable[[], Callable[[], None]]) -> None:
        self.runs: list[Run] = []
        self._trader = trader
        self._channel = channel
        self._cursor = cursor.with_name(channel)
        self._reroute = reroute

    def listen(self) -> None:
        """See that a run goes on."""
        while not self.runs or self.runs[-1].process.poll() is not None:
            undo = self._reroute()
            self.runs.append(Run(self._trader, self._channel, self._cursor))
            self.runs[-1].connected()
            undo()

    def told(self) -> Counter[str]:
        """How often each fill, or the end of each order, was told; by their ids."""
        key, is_meant = TOLD[self._channel]
        records = (record for run in self.runs for record in run.of(self._channel.removesuffix("s")))
        return Counter(record[key] for record in records if is_meant(record))

    def kinds(self) -> set[str]:
        return {kind for run in self.runs for kind in run.kinds()}

    def repeated(self) -> list[str]:
        """What was told twice in the same words; the times at which it was heard, and its place in a run, are none."""
        records = (record for run in self.runs for record in run.of(self._channel.removesuffix("s")))
        told = Counter(
            json.dumps({key: value for key, value in record.items() if key != "seq" and "_ts_" not in key})
            for record in records
        )
        return [text for text, times in told.items() if times > 1]

    def catch_up(self, expected: set[str]) -> None:
        """Follow until all that was told, and end."""

        def is_through() -> bool:
            self.listen()
            return self.told().keys() >= expected

        until(is_through)
        self.runs[-1].end(signal.SIGTERM)


def buy(trader: Trader) -> str:
    """An order that is filled at once; its client order id."""
    ended = trader.call("place", "buy", "BTC-USD", "0.01", "--type", "market", "--despite-unknown")
    assert ended.code == 0, ended.err
    name: str = ended.json["client_order_id"]
    return name


def ids(trader: Trader) -> set[str]:
    """The venue's fills, by the ids that records give them."""
    if trader.venue == "hyperliquid":
        return {"{time}-{coin}-{tid}-{oid}".format_map(fill) for fill in trader.venue_fills()}
    return {fill["id"] for fill in trader.venue_fills()}
