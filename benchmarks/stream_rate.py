"""Streams: how many records a second each of several programs prints from one feed, and at what cost ours does.

`stream_rate.py` prints JSON: {"rates": {name: {"records", "seconds", "cpu_us"}}, "many": {"records", "cores",
"p50_ms", "p99_ms"}}. `rates`: as fast as they can, one market; cpu_us is processor time a record, start included.
`many`: 200 markets, 5,000 frames a second; from the time that stands in a frame to the line on stdout.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from figures import HERE, PEERS, PYTHON, environ, folders, workplace

SECONDS = 5.0
# What is measured has the last core for itself; the feed, and who reads what is printed, share the first.
CORES = sorted(os.sched_getaffinity(0))
READ_BYTES = 1 << 20
LINE, BOOK = b"\n", b'"bids"'
BOOK_TIME = re.compile(rb'"bids":.*"ts_ns":(\d+)')
MANY_PAIRS, MANY_RATE, MANY_SECONDS = 200, 5_000, 10.0


@contextmanager
def feed(pairs: int, rate: float) -> Iterator[tuple[str, list[str]]]:
    """Its base URL and its coins."""
    command = [PYTHON, "-P", str(HERE / "stream_feed.py"), str(pairs), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        os.sched_setaffinity(server.pid, {CORES[0]})
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{json.loads(server.stdout.readline())['port']}"
            asked = urllib.request.Request(
                f"{url}/info", data=b'{"type":"meta"}', headers={"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked, timeout=10) as answer:
                listed = [asset["name"] for asset in json.load(answer)["universe"] if not asset.get("isDelisted")]
            yield url, listed[:pairs]
        finally:
            server.terminate()


def measured(command: Sequence[str], environment: dict[str, str]) -> dict[str, float]:
    """What a program printed, between its first and its last record, and what it cost."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    first_s = last_s = 0.0
    records = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, bufsize=0) as program:
        os.sched_setaffinity(program.pid, {CORES[-1]})
        assert program.stdout is not None
        # A reader that looks at each line would take the time of the third program on two cores.
        while read := program.stdout.read(READ_BYTES):
            if first_s or BOOK in read:  # the stream's first word about itself is no record of the feed
                last_s = time.monotonic()
                first_s = first_s or last_s
                records += read.count(LINE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if records < 2:
        raise SystemExit(f"{command} printed {records} records")
    return {"records": records, "seconds": last_s - first_s, "cpu_us": cpu_s / records * 1e6}


def fed(folder: Path, url: str) -> dict[str, str]:
    """The environment in which the feed is the venue."""
    return environ() | folders(folder) | {"LATENTSPEED_NETWORK": "sandbox", "LATENTSPEED_BASE_URL": url}


def ours(pairs: Sequence[str], seconds: float) -> list[str]:
    return [
        PYTHON,
        "-P",
        "-m",
        "latentspeed_cli",
        "stream",
        "book",
        *pairs,
        "-o",
        "ndjson",
        "--duration",
        f"{seconds:g}s",
    ]


def rates(folder: Path) -> dict[str, dict[str, float]]:
    told = {}
    with feed(1, 0) as (url, coins):
        programs = {
            "ours": ours([f"{coin}-USD" for coin in coins], SECONDS),
            "bare": [PYTHON, "-P", str(HERE / "bare_stream.py"), url, str(SECONDS), *coins],
            "hyperliquid-python-sdk": [PEERS, "-P", str(HERE / "sdk_stream.py"), url, str(SECONDS), *coins],
            "ccxt.pro": [PEERS, "-P", str(HERE / "ccxt_stream.py"), url, str(SECONDS), *coins],
        }
        for name, command in programs.items():
            told[name] = measured(command, fed(folder, url))
    return told


def many(folder: Path) -> dict[str, float]:
    with feed(MANY_PAIRS, MANY_RATE) as (url, coins):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ours([f"{coin}-USD" for coin in coins], MANY_SECONDS)
        late_ms: list[float] = []
        with subprocess.Popen(command, env=fed(folder, url), stdout=subprocess.PIPE, bufsize=0) as program:
            assert program.stdout is not None
            os.sched_setaffinity(program.pid, {CORES[-1]})
            rest = b""
            while read := program.stdout.read(READ_BYTES):
                now_ns = time.time_ns()
                *lines, rest = (rest + read).split(LINE)
                late_ms += [(now_ns - int(found[1])) / 1e6 for line in lines if (found := BOOK_TIME.search(line))]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    late_ms.sort()
    return {
        "records": len(late_ms),
        "cores": cpu_s / MANY_SECONDS,
        "p50_ms": late_ms[len(late_ms) // 2],
        "p99_ms": late_ms[len(late_ms) * 99 // 100],
    }


def main() -> None:
    os.sched_setaffinity(0, {CORES[0]})
    with workplace() as folder:
        print(json.dumps({"rates": rates(folder), "many": many(folder)}))


if __name__ == "__main__":
    main()
