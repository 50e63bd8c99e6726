"""The trace of one world: what happened, in order, as a running hash, and as lines for those who look for the cause."""

from __future__ import annotations

import hashlib

from .loop import VirtualLoop


class Trace:
    """lines: kept only when asked for; they are what the hash covers."""

    def __init__(self, loop: VirtualLoop, *, keep: bool) -> None:
        self._loop = loop
        self._hash = hashlib.blake2b(digest_size=16)
        self.lines: list[str] | None = [] if keep else None

    def note(self, who: str, what: str) -> None:
        """One thing that happened now. `what` holds no address in memory and no time of the machine."""
        line = f"{self._loop.time():11.4f} {who}: {what}"
        self._hash.update(line.encode("utf-8", "backslashreplace"))
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()
