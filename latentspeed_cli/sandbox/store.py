"""What outlives a restart: objects of the venue models by (venue, kind, key), and who this sandbox is. SQLite in WAL.

A written row survives the death of the process at any moment. It is not flushed to the disk itself at every commit: a
power cut may lose the last moments of an exchange that deals in play money.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw

from .home import StoreUnreadable
from .model import StoredRow

FORMAT = 1

_SETTINGS = {"locking_mode": "EXCLUSIVE", "journal_mode": "WAL", "synchronous": "NORMAL"}
_TABLES = f"""
    PRAGMA user_version = {FORMAT};
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE objects (venue TEXT, kind TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY (venue, kind, key))
        WITHOUT ROWID;
"""


class Store:
    """One open file. Only one process opens it: the holder of the sandbox lock."""

    def __init__(self, path: Path, database: apsw.Connection) -> None:
        self.path = path
        self._database = database

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open or make the file, mode 0600. Raises StoreUnreadable."""
        path.touch(mode=0o600)
        try:
            database = apsw.Connection(str(path))
            for name, value in _SETTINGS.items():
                database.pragma(name, value)
            version = database.pragma("user_version")
            if version == 0:
                database.execute("BEGIN IMMEDIATE; " + _TABLES + "COMMIT").fetchall()
            elif version != FORMAT:
                raise StoreUnreadable(
                    f"{path} has format {version}, this version reads {FORMAT}", hint="`latentspeed sandbox reset`"
                )
        except apsw.Error as error:
            raise unreadable(path, error) from error
        return cls(path, database)

    def meta(self) -> dict[str, str]:
        """Names and values of what is known about this sandbox. Raises StoreUnreadable."""
        try:
            return {str(name): str(value) for name, value in self._database.execute("SELECT name, value FROM meta")}
        except apsw.Error as error:
            raise unreadable(self.path, error) from error

    def set_meta(self, values: dict[str, str]) -> None:
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def rows(self, venue: str) -> Iterator[StoredRow]:
        """Every object of one venue. Raises StoreUnreadable while it is read."""
        try:
            for kind, key, value in self._database.execute(
                "SELECT kind, key, value FROM objects WHERE venue = ? ORDER BY kind, key", (venue,)
            ):
                yield StoredRow(kind, key, value)
        except apsw.Error as error:
            raise unreadable(self.path, error) from error

    def write(self, rows: Iterable[tuple[str, StoredRow]]) -> None:
        """Store (venue, row) pairs in one transaction, in their order. Raises apsw.Error."""
        with self._database:
            for venue, row in rows:
                if row.value is None:
                    self._database.execute(
                        "DELETE FROM objects WHERE venue = ? AND kind = ? AND key = ?", (venue, row.kind, row.key)
                    )
                else:
                    self._database.execute(
                        "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (venue, row.kind, row.key, row.value)
                    )

    def close(self) -> None:
        self._database.close()


def unreadable(path: Path, error: Exception) -> StoreUnreadable:
    """The error for a file that is damaged, and what to do about it."""
    return StoreUnreadable(
        f"the sandbox cannot read {path}: {error}",
        hint="`latentspeed sandbox reset` keeps it aside and starts a new one",
    )


def archive(path: Path, folder: Path, name: str) -> Path | None:
    """Move the file at `path`, and what SQLite keeps beside it, into `folder`. Where it lies then; None: no file."""
    if not path.exists():
        return None
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{name}.db"
    count = 1
    while target.exists():
        count += 1
        target = folder / f"{name}-{count}.db"
    for suffix in ("-wal", "-shm", "-journal", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target
