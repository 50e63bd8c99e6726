"""MarketCache: replies that may be used again for a while. Whatever goes wrong with it is a miss, never an error."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from .clock import NS_PER_S, Clock, SystemClock

MAX_FILES = 64
_MAGIC = b"latentspeed cache 1"


class MarketCache:
    """Bytes by key, one file each in one folder (0700, files 0600).

    The key must say everything the bytes depend on: address, sandbox instance, what was asked. A file counts only if
    it is whole, of that very key, and neither too old nor from the future.
    """

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = SystemClock() if clock is None else clock

    def get(self, key: str, *, max_age_s: float) -> bytes | None:
        """What was put under `key` at most max_age_s ago, or None."""
        found = self.read(key)
        if found is None:
            return None
        data, age_s = found
        return data if 0 <= age_s <= max_age_s else None

    def read(self, key: str) -> tuple[bytes, float] | None:
        """What was put under `key`, and how many seconds ago by the present clock."""
        try:
            head, _, data = self._path(key).read_bytes().partition(b"\n")
        except OSError:
            return None
        magic, _, rest = head.partition(b"; ")
        stamp, _, digest = rest.partition(b" ")
        if magic != _MAGIC or not stamp.isdigit() or digest != _digest(key, stamp, data):
            return None
        return data, (self._clock.now_ns() - int(stamp)) / NS_PER_S

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under `key`. Readers see the old or the new one, never half of it."""
        stamp = str(self._clock.now_ns()).encode()
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="new-", dir=self._directory)  # mode 0600
        except OSError:
            return
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + b"; " + stamp + b" " + _digest(key, stamp, data) + b"\n" + data)
            os.replace(name, self._path(key))
        except OSError:
            with suppress(OSError):
                os.unlink(name)
        self._prune()

    def _path(self, key: str) -> Path:
        return self._directory / hashlib.sha256(key.encode()).hexdigest()[:32]

    def _prune(self) -> None:
        """Keep the latest files only: sandboxes come and go, and each has keys of its own."""
        with suppress(OSError):
            files = sorted((entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(self._directory))
            for _, path in files[:-MAX_FILES]:
                os.unlink(path)


def _digest(key: str, stamp: bytes, data: bytes) -> bytes:
    """Of all that must not change, in hex."""
    whole = hashlib.sha256(key.encode() + b"\0" + stamp + b"\0")
    whole.update(data)
    return whole.hexdigest().encode()
