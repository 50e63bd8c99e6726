"""Streams: does the memory of `latentspeed stream` grow while it takes millions of messages?

`stream_memory.py [--messages N]` prints JSON: {name: {"messages", "records", "seconds", "rss_after_warm_up_mib",
"rss_end_mib", "rss_most_mib", "growth_percent"}}. N messages (10 million) of one market's book, and a tenth of that for
each other shape, as fast as they are taken. messages: what the feed sent; records: lines on stdout, which may be fewer,
since market data conflates for a slow reader. Warm-up is the first tenth. The resident memory is read each second.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from figures import PYTHON, workplace
from stream_rate import LINE, READ_BYTES, fed, feed

MESSAGES = 10_000_000
MARKETS = 200
EVERY_S = 1.0
WARM_UP = 0.1
MIB = 1 << 20
# name: channel, markets, share of the messages
SHAPES = {
    "book, 1 market": ("book", 1, 1.0),
    f"book, {MARKETS} markets": ("book", MARKETS, 0.1),
    f"trades, {MARKETS} markets": ("trades", MARKETS, 0.1),
}


def sent(url: str) -> int:
    """How many frames the feed sent."""
    with urllib.request.urlopen(f"{url}/sent", timeout=30) as answer:
        return int(json.load(answer)["sent"])


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def grown(channel: str, url: str, coins: Sequence[str], messages: int, folder: Path) -> dict[str, float]:
    """One stream until the feed has sent so many messages."""
    pairs = [f"{coin}-USD" for coin in coins]
    command = [PYTHON, "-P", "-m", "latentspeed_cli", "stream", channel, *pairs, "-o", "ndjson"]
    records, samples = 0, []
    began_s = next_s = time.monotonic()
    complaints = folder / "stderr"
    with (
        complaints.open("wb") as stderr,
        subprocess.Popen(command, env=fed(folder, url), stdout=subprocess.PIPE, stderr=stderr, bufsize=0) as program,
    ):
        assert program.stdout is not None
        while read := program.stdout.read(READ_BYTES):
            records += read.count(LINE)
            now_s = time.monotonic()
            if now_s < next_s:
                continue
            next_s = now_s + EVERY_S
            samples.append((sent(url), resident_mib(program.pid), now_s - began_s))
            if samples[-1][0] >= messages:
                break
        program.send_signal(signal.SIGINT)
        while program.stdout.read(READ_BYTES):
            pass
    done, end, seconds = samples[-1] if samples else (0, 0.0, 0.0)
    if done < messages:
        raise SystemExit(
            f"{command[3:6]} ended with {program.returncode} after {done} messages\n{complaints.read_text()}"
        )
    warm = next(rss for count, rss, _ in samples if count >= messages * WARM_UP)
    return {
        "messages": done,
        "records": records,
        "seconds": round(seconds, 1),
        "rss_after_warm_up_mib": round(warm, 2),
        "rss_end_mib": round(end, 2),
        "rss_most_mib": round(max(rss for _, rss, _ in samples), 2),
        "growth_percent": round((end / warm - 1) * 100, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=MESSAGES)
    messages = parser.parse_args().messages
    told = {}
    with workplace() as folder:
        for name, (channel, markets, share) in SHAPES.items():
            with feed(markets, 0) as (url, coins):
                told[name] = grown(channel, url, coins, int(messages * share), folder)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
