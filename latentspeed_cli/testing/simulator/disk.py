"""A disk that forgets what was not synced: a layer between SQLite and files in memory (tmpfs), one mount per process.

Every write goes to the real file at once, so that processes share locks and the write-ahead log as they do in life.
Beside it this keeps what would survive a loss of power: the bytes as of the last sync, and the writes since then.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeAlias

import apsw
import msgspec

from .faults import Faults

SECTOR = 512
JOURNAL = "journal-sandbox.db"
Step: TypeAlias = Literal["write", "sync", "truncate", "delete"]
_numbers = count(1)


class _Image(msgspec.Struct):
    """One file: its bytes at the last sync, and what was done to it since then. data None: cut to length `offset`."""

    durable: bytearray
    pending: list[tuple[int, bytes | None]]

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending.clear()


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        return
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


class Disk:
    """The folder of one world. Close it: the folder goes with it."""

    def __init__(self, faults: Faults, *, template: bytes | None = None) -> None:
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="latentspeed-", dir=memory if memory.is_dir() else None))
        self.path = self.folder / JOURNAL
        self.faults = faults
        self.images: dict[str, _Image] = {}
        self.syncs_total = 0
        self.writes_total = 0
        self._mounts: list[Mount] = []
        if template is not None:
            self.path.write_bytes(template)
            self.images[str(self.path)] = _Image(bytearray(template), [])

    def mount(self, on_step: Callable[[Step], None]) -> Mount:
        """A way to the disk for one process. on_step: called before each change; it may kill the process."""
        mount = Mount(self, f"simulated-{next(_numbers)}", on_step)
        self._mounts.append(mount)
        return mount

    def image(self, path: str) -> _Image:
        found = self.images.get(path)
        if found is None:
            found = self.images[path] = _Image(bytearray(), [])
        return found

    def holds(self, text: bytes) -> bool:
        """Whether these bytes would survive a loss of power now."""
        return any(text in image.durable for image in self.images.values())

    def lose_power(self) -> None:
        """Nobody has the files open any more. Of what was not synced some is there, some is not, and some is torn."""
        chance = self.faults.chance("disk")
        for path in sorted(self.images):
            image = self.images[path]
            for offset, data in image.pending:
                fate = chance.random()
                if fate < 0.4:
                    _apply(image.durable, offset, data)
                elif fate < 0.6 and data is not None:
                    _apply(image.durable, offset, data[: chance.randrange(0, len(data) + 1, SECTOR)])
            image.pending.clear()
            Path(path).write_bytes(bytes(image.durable))
        Path(f"{self.path}-shm").unlink(missing_ok=True)

    def close(self) -> None:
        for mount in self._mounts:
            mount.unregister()
        shutil.rmtree(self.folder, ignore_errors=True)


class Mount(apsw.VFS):
    """SQLite's way to the disk for one process. dead: the process is no more, and nothing it does has an effect."""

    def __init__(self, disk: Disk, name: str, on_step: Callable[[Step], None]) -> None:
        self.disk = disk
        self.name = name
        self.dead = False
        self.steps = 0
        self._on_step = on_step
        super().__init__(name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.step("delete")
        self.disk.images.pop(filename, None)
        super().xDelete(filename, syncdir)

    def step(self, step: Step) -> None:
        """Before each change. Raises what SQLite then sees as the disk's error."""
        if self.dead:
            raise apsw.IOError("this process is no more")
        self.steps += 1
        self._on_step(step)
        if self.dead:
            raise apsw.IOError("this process is no more")
        faults = self.disk.faults
        if step == "write" and faults.strikes("disk_full"):
            raise apsw.FullError("no room")
        if step in ("write", "truncate") and faults.strikes("disk_error"):
            raise apsw.IOError("a write failed")
        if step == "sync" and faults.strikes("sync_error"):
            raise apsw.IOError("a sync failed")


class _File(apsw.VFSFile):
    def __init__(self, mount: Mount, path: str | None, name: Any, flags: list[int]) -> None:
        self._mount = mount
        # Without a name it is one of SQLite's own temporary files.
        self._image = mount.disk.image(path) if path else None
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._image is not None:
            self._mount.step("write")
            self._mount.disk.writes_total += 1
            self._image.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        if self._image is not None:
            self._mount.step("truncate")
            self._image.pending.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        if self._image is not None:
            self._mount.step("sync")
            self._mount.disk.syncs_total += 1
            self._image.sync()
