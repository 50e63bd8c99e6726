"""10,000 candles, read by the real command from a sandbox of its own: how long, how many requests, and is it all?

`candles.py` prints JSON: {venue: {"seconds", "sandbox_cpu_s", "requests", "rows"}}. seconds: the whole process, median
of three; sandbox_cpu_s: what the sandbox worked in that time. It fails when a candle is missing, or there twice.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path
from time import perf_counter

from figures import PATIENCE_S, PROGRAM, cpu_s, environ, folders, sandbox, workplace

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Home

VENUES = ("hyperliquid", "dydx_v4")
ROWS = 10_000
MINUTE_NS = 60_000_000_000
# Another market each round: the sandbox remembers what it has computed. The first only counts the requests.
PAIRS = ("BTC-USD", "ETH-USD", "SOL-USD", "DOGE-USD")


def opened(venue: str, pair: str, environment: dict[str, str]) -> tuple[float, list[int]]:
    """Seconds that the command took, and when each candle opened."""
    before = perf_counter()
    command = [PROGRAM, "candles", "-x", venue, pair, "--interval", "1m", "--limit", str(ROWS), "-o", "ndjson"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=PATIENCE_S)
    taken = perf_counter() - before
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}\n{done.stderr.decode()}")
    return taken, [json.loads(line)["ts_ns"] for line in done.stdout.splitlines()]


def paged(venue: str, folder: Path, environment: dict[str, str]) -> dict[str, float]:
    running = Home(folder).running()
    control = supervisor.control(folder)
    assert running is not None
    # A delay of no length counts: how many are left says how many requests came.
    control.call(venue, "delay_request", count=ROWS, seconds=0.0)
    opened(venue, PAIRS[0], environment)
    requests = ROWS - control.call(venue, "pending")[0]["count"]
    control.call(venue, "clear")
    taken, worked = [], []
    for pair in PAIRS[1:]:
        before = cpu_s(running.pid)
        seconds, times = opened(venue, pair, environment)
        worked.append(cpu_s(running.pid) - before)
        taken.append(seconds)
        if times != list(range(times[0], times[0] + ROWS * MINUTE_NS, MINUTE_NS)):
            raise SystemExit(f"{venue} {pair}: {len(times)} rows, of {len(set(times))} minutes: not each minute once")
    return {
        "seconds": statistics.median(taken),
        "sandbox_cpu_s": statistics.median(worked),
        "requests": requests,
        "rows": len(times),
    }


def main() -> None:
    with workplace() as folder, sandbox(folder):
        print(json.dumps({venue: paged(venue, folder, environ() | folders(folder)) for venue in VENUES}))


if __name__ == "__main__":
    main()
