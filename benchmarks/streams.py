"""Measures streams, their memory, paged reads and completion, in one run, and prints one table. `make bench-streams`.

`streams.py [--messages N]`: N messages of the memory figure, 10 million by default, which take most of the time. As in
run.py, what is compared is measured in turns, nothing here is a test, and a figure that misses its aim says so.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from figures import PYTHON, Row, ms, percentile, script, show
from stream_memory import MESSAGES

ROUNDS = 3
HOURS_S = 4 * 3600.0
PEERS = (
    ("a bare loop with websockets and msgspec", "bare", 0.5),
    ("hyperliquid-python-sdk", "", 5),
    ("ccxt.pro", "", 5),
)


def rates(rounds: list[dict[str, Any]]) -> list[Row]:
    """Records a second of one market's book, as fast as they are taken; the medians of the rounds."""

    def median(name: str, of: str) -> float:
        told = [one["rates"][name] for one in rounds]
        return float(statistics.median(one["records"] / one["seconds"] if of == "rate" else one[of] for one in told))

    rows = []
    for peer, key, least in PEERS:
        ours, theirs = median("ours", "rate"), median(key or peer, "rate")
        rows.append(
            Row(
                figure=f"stream book, records a second; {peer}",
                ours=f"{ours:,.0f} /s",
                peers=f"{theirs:,.0f} /s",
                ratio=f"{ours / theirs:.2f}x",
                aim=f"{least:g}x",
                reached=ours / theirs >= least,
            )
        )
    mine, bare = median("ours", "cpu_us"), median("bare", "cpu_us")
    rows.append(
        Row(
            figure="stream book, processor time a record; the bare loop",
            ours=f"{mine:.1f} us",
            peers=f"{bare:.1f} us",
            ratio=f"{mine / bare:.2f}x as long",
        )
    )
    return rows


def many(rounds: list[dict[str, Any]]) -> list[Row]:
    """200 markets on one process, 5,000 messages a second."""
    cores, p50, p99 = (statistics.median(one["many"][of] for one in rounds) for of in ("cores", "p50_ms", "p99_ms"))
    what = "200 markets, 5,000 messages a second"
    return [
        Row(figure=f"{what}: processor", ours=f"{cores:.2f} cores", aim="0.5 cores", reached=cores < 0.5),
        Row(figure=f"{what}: socket to stdout, p50", ours=f"{p50:.1f} ms"),
        Row(figure=f"{what}: socket to stdout, p99", ours=f"{p99:.1f} ms", aim="5 ms", reached=p99 < 5),
    ]


def memory(messages: int) -> list[Row]:
    """What grows while a stream runs."""
    told = script(PYTHON, "stream_memory.py", "--messages", str(messages), patience_s=HOURS_S)
    return [
        Row(
            figure=f"memory over {one['messages'] / 1e6:.3g} million messages: {name}",
            ours=f"{one['rss_after_warm_up_mib']:.1f} to {one['rss_end_mib']:.1f} MiB",
            ratio=f"{one['growth_percent']:+.2f} %",
            aim="under 1 %",
            reached=one["growth_percent"] < 1,
        )
        for name, one in told.items()
    ]


def candles() -> list[Row]:
    return [
        Row(
            figure=f"{one['rows']:,.0f} candles of {venue}, {one['requests']} requests",
            ours=f"{one['seconds']:.2f} s, of it the sandbox {one['sandbox_cpu_s']:.2f} s",
        )
        for venue, one in script(PYTHON, "candles.py").items()
    ]


def completion() -> list[Row]:
    rows = []
    for what, one in script(PYTHON, "completion.py").items():
        p50, p99 = percentile(one["seconds"], 0.5), percentile(one["seconds"], 0.99)
        rows.append(Row(figure=f"completion of {what}, p50", ours=ms(p50), aim="100 ms", reached=p50 < 0.1))
        rows.append(Row(figure=f"completion of {what}, p99 of {len(one['seconds'])}", ours=ms(p99)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=MESSAGES)
    messages = parser.parse_args().messages
    rounds = [script(PYTHON, "stream_rate.py") for _ in range(ROUNDS)]
    show([*rates(rounds), *many(rounds), *memory(messages), *candles(), *completion()])


if __name__ == "__main__":
    main()
