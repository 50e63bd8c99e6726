"""What the runs of figures share: rows of a table, other programs that are timed, a place and a sandbox for a while.

run.py and streams.py print the tables; each other script of this folder measures one thing and prints JSON.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Options, SandboxInfo

HERE = Path(__file__).parent
ROOT = HERE.parent
PYTHON = sys.executable
PROGRAM = str(Path(PYTHON).parent / "latentspeed")
PEERS = str(ROOT / ".venv-peers" / "bin" / "python")
PEERS_PLAIN = str(ROOT / ".venv-peers-plain" / "bin" / "python")
PEERS_DYDX = str(ROOT / ".venv-peers-dydx" / "bin" / "python")
PATIENCE_S = 120.0
HEADINGS = ("figure", "ours", "peer's", "ratio", "aim", "reached")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table; empty text where there is nothing to compare or to reach."""

    figure: str
    ours: str
    peers: str = ""
    ratio: str = ""
    aim: str = ""
    reached: bool | None = None

    def cells(self) -> tuple[str, ...]:
        reached = "" if self.reached is None else "yes" if self.reached else "NO"
        return (self.figure, self.ours, self.peers, self.ratio, self.aim, reached)


def script(python: str, name: str, *arguments: str, patience_s: float = PATIENCE_S) -> Any:
    """The JSON that a script of this folder prints."""
    command: list[str | Path] = [python, "-P", HERE / name, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}  # they may import each other, and -P hides their folder
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=patience_s)
    if done.returncode:
        raise SystemExit(f"{name} failed\n{done.stderr.decode()}")
    return json.loads(done.stdout)


def percentile(samples: Sequence[float], share: float) -> float:
    return sorted(samples)[min(int(len(samples) * share), len(samples) - 1)]


def us(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e3:,.0f} us"


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f} ms"


def seconds_of(command: Sequence[str | Path], environment: dict[str, str]) -> float:
    """How long a whole process takes; it must end well."""
    before = perf_counter()
    done = subprocess.run(
        command, env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE_S
    )
    taken = perf_counter() - before
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}\n{done.stderr.decode()}")
    return taken


def in_turns(
    ours: Sequence[str | Path],
    peers: Sequence[str | Path],
    environment: dict[str, str],
    rounds: int,
    before: Callable[[int], None] = lambda number: None,
) -> tuple[float, float]:
    """Median seconds of two commands that take turns, after one run of each that does not count.

    before: called with the number of the round before each run.
    """

    def one(command: Sequence[str | Path], number: int) -> float:
        before(number)
        return seconds_of(command, environment)

    taken = [(one(ours, number), one(peers, number)) for number in range(rounds + 1)][1:]
    return statistics.median(pair[0] for pair in taken), statistics.median(pair[1] for pair in taken)


def cpu_s(pid: int) -> float:
    """What a process worked so far. Needs /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def workplace(what: str = "bench") -> Iterator[Path]:
    """A folder for everything that is written meanwhile."""
    with tempfile.TemporaryDirectory(prefix=f"latentspeed-{what}-") as name:
        yield Path(name)


@contextmanager
def sandbox(folder: Path, scenario: str = "default") -> Iterator[SandboxInfo]:
    info = supervisor.start(folder, Options(port=0, scenario=scenario))
    try:
        yield info
    finally:
        supervisor.stop(folder)


def environ() -> dict[str, str]:
    """The environment without settings of the person who runs this."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LATENTSPEED_")}


def folders(folder: Path) -> dict[str, str]:
    """The environment that keeps state and cache in one folder, beside a configuration that is made there, empty."""
    config = folder / "config.toml"
    config.touch(mode=0o600)
    return {f"LATENTSPEED_{kind}_DIR": str(folder) for kind in ("STATE", "CACHE")} | {"LATENTSPEED_CONFIG": str(config)}


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table whose columns line up."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def show(rows: Sequence[Row]) -> None:
    """Print what was measured on, and the rows."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}\n"
    )
    print(table(rows))
