"""One `latentspeed stream` as a process: what it printed, and what it took of the machine. Needs /proc."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

from figures import cpu_s, environ, folders
from soak_verdict import Told

# Every record begins so. Most are market data, of which only the schema is needed.
BEGIN = b'{"schema":"'
OF_ACCOUNT = ("fill", "order", "position")
# The book of a market is the longest line: some tens of kilobytes.
LINE_BYTES = 1 << 22
ENDS = (0, 130)  # 130: interrupted, docs/exit-codes.md
COMPLAINT_CHARACTERS = 2000


class Command:
    """`latentspeed stream WORDS` with a state folder of its own, from `start` to `end`.

    records, controls: how many by schema, and of the control records by kind. rss_kib: the resident memory each time it
    was noted. cpu_s: processor time of its whole life.
    """

    def __init__(self, folder: Path, venue: str, words: tuple[str, ...]) -> None:
        self.told = Told()
        self.records: Counter[str] = Counter()
        self.controls: Counter[str] = Counter()
        self.rss_kib: list[int] = []
        self.cpu_s = 0.0
        self._folder = folder
        self._words = ("stream", *words, "-x", venue, "-o", "ndjson")
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        with (self._folder / "stderr").open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "latentspeed_cli", *self._words),
                env=environ() | folders(self._folder) | {"LATENTSPEED_NETWORK": "sandbox"},
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES,
            )
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read(self._process.stdout))

    def check(self) -> None:
        """Raises SystemExit when it ended by itself, and what went wrong with reading what it prints."""
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is not None:
            raise SystemExit(f"{self}: ended by itself with {self._process.returncode}\n{self.complaints()}")
        if self._reading.done():
            self._reading.result()
            raise SystemExit(f"{self}: closed its stdout\n{self.complaints()}")

    async def end(self) -> None:
        """Stop it as Ctrl-C does, and read the rest. Raises as `check` does, and SystemExit when it ends badly."""
        self.check()
        assert self._process is not None
        assert self._reading is not None
        self.cpu_s = cpu_s(self._process.pid)
        self._process.send_signal(signal.SIGINT)
        await self._reading
        if await self._process.wait() not in ENDS:
            raise SystemExit(f"{self}: ended with {self._process.returncode}\n{self.complaints()}")

    def kill(self) -> None:
        """End it by force if it runs."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def note_memory(self) -> None:
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        self.rss_kib.append(int(status.partition("VmRSS:")[2].split()[0]))

    def complaints(self) -> str:
        """The end of what it printed on stderr."""
        return (self._folder / "stderr").read_text()[-COMPLAINT_CHARACTERS:]

    def __str__(self) -> str:
        return " ".join(self._words)

    async def _read(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            if not line.startswith(BEGIN):
                raise SystemExit(f"{self}: printed what is no record: {line[:200]!r}")
            schema = line[len(BEGIN) :].partition(b'"')[0].decode()
            self.records[schema] += 1
            if schema == "control":
                self.controls[json.loads(line)["kind"]] += 1
            elif schema in OF_ACCOUNT:
                self.told.note(json.loads(line))
