"""What of the local exchange outlives a restart: one table of objects, written before an answer goes out.

SQLite in WAL mode: a killed server loses nothing that it has answered. Only a machine that loses power may lose the last
moments (synchronous=NORMAL), which a local exchange can afford.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import apsw
import msgspec

from ..errors import LatentspeedError, OrderRefused
from .model import StoredRow

SCHEMA_VERSION = 1
_OPEN_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which run of the exchange this file belongs to. created_ns: Unix time."""

    instance: str
    seed: int
    scenario: str
    created_ns: int


class StoreError(OrderRefused):
    """The store cannot be read. Exit code 3, as for a corrupt replay file."""


class Store:
    """The file. One writer, the server that holds the lock."""

    def __init__(self, path: Path) -> None:
        """Open or create. Raises StoreError when the file is damaged or newer than this program."""
        self.path = path
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = apsw.Connection(str(path), flags=_OPEN_FLAGS)
            self._db.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
                "CREATE TABLE IF NOT EXISTS objects(venue TEXT, kind TEXT, key TEXT, value BLOB NOT NULL,"
                " PRIMARY KEY(venue, kind, key)) WITHOUT ROWID"
            )
            version = self._meta("schema_version")
            if self._db.pragma("quick_check") != "ok":
                raise _damaged(path)
        except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
            raise _damaged(path) from error
        except (apsw.Error, OSError) as error:
            raise StoreError(f"the sandbox store {path} cannot be opened: {error}") from error
        if version is None:
            self._put_meta("schema_version", str(SCHEMA_VERSION).encode())
        elif version != str(SCHEMA_VERSION).encode():
            raise StoreError(f"the sandbox store {path} is of another version", hint="run: latentspeed sandbox reset")

    def identity(self) -> Identity | None:
        """Whose file this is; None while it is new."""
        text = self._meta("identity")
        try:
            return None if text is None else msgspec.json.decode(text, type=Identity)
        except msgspec.MsgspecError as error:
            raise _damaged(self.path) from error

    def put_identity(self, identity: Identity) -> None:
        self._put_meta("identity", msgspec.json.encode(identity))

    def rows(self, venue: str) -> list[StoredRow]:
        """Every object of a venue."""
        found = self._db.execute("SELECT kind, key, value FROM objects WHERE venue = ? ORDER BY kind, key", (venue,))
        return [StoredRow(str(kind), str(key), bytes(value)) for kind, key, value in found]

    def write(self, venue: str, rows: Sequence[StoredRow]) -> None:
        """All of `rows` or none, durable against the end of this process."""
        changed = [(venue, row.kind, row.key, row.value) for row in rows if row.value is not None]
        deleted = [(venue, row.kind, row.key) for row in rows if row.value is None]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if changed:
                self._db.executemany("INSERT OR REPLACE INTO objects VALUES(?, ?, ?, ?)", changed)
            if deleted:
                self._db.executemany("DELETE FROM objects WHERE venue = ? AND kind = ? AND key = ?", deleted)
            self._db.execute("COMMIT")
        except apsw.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreError(f"the sandbox store {self.path} cannot be written: {error}") from error

    def close(self) -> None:
        self._db.close()

    def _meta(self, key: str) -> bytes | None:
        for (value,) in self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)):
            return bytes(value)
        return None

    def _put_meta(self, key: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?)", (key, value))


def latest(rows: Iterable[StoredRow]) -> list[StoredRow]:
    """One row an object, its last."""
    return list({(row.kind, row.key): row for row in rows}.values())


def _damaged(path: Path) -> LatentspeedError:
    return StoreError(f"the sandbox store {path} is damaged", hint="run: latentspeed sandbox reset")
