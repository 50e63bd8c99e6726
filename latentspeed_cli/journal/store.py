"""The journal's file: made private, opened, checked, and nobody else's. Errors of SQLite become ours here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import apsw

from ..clock import monotonic_s, sleep_s
from ..errors import AccountBusy, JournalError, LatentspeedError
from .facts import Fact, check_first, fact_of, genesis

SCHEMA_VERSION = 1
Synchronous: TypeAlias = Literal["OFF", "NORMAL", "FULL", "EXTRA"]

# Below `facts` everything is derived: tables.py can make it again. Bodies come last, so that scans need not read them.
SCHEMA = """
CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL, network TEXT NOT NULL,
  instance TEXT NOT NULL);
CREATE TABLE facts (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, client_order_id TEXT, attempt INTEGER,
  kind TEXT NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE archived_instances (instance TEXT PRIMARY KEY, archived_ts_ns INTEGER NOT NULL);
CREATE TABLE archived_facts (instance TEXT NOT NULL, seq INTEGER NOT NULL, ts_ns INTEGER NOT NULL,
  client_order_id TEXT, attempt INTEGER, kind TEXT NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (instance, seq));
CREATE TABLE orders (number INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, trading_pair TEXT NOT NULL,
  side TEXT NOT NULL, state TEXT NOT NULL, undecided INTEGER NOT NULL, created_ts_ns INTEGER NOT NULL,
  submit_deadline_ns INTEGER NOT NULL, signer TEXT, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX orders_undecided ON orders (trading_pair, side) WHERE undecided = 1;
CREATE TABLE venue_ids (venue TEXT NOT NULL, account TEXT NOT NULL, venue_client_id TEXT NOT NULL,
  client_order_id TEXT NOT NULL, PRIMARY KEY (venue_client_id, venue, account)) WITHOUT ROWID;
CREATE TABLE exchange_ids (exchange_order_id TEXT NOT NULL, client_order_id TEXT NOT NULL,
  PRIMARY KEY (exchange_order_id, client_order_id)) WITHOUT ROWID;
CREATE TABLE fills (number INTEGER PRIMARY KEY, exchange_order_id TEXT NOT NULL, fill_id TEXT NOT NULL,
  trading_pair TEXT NOT NULL, client_order_id TEXT, ts_ns INTEGER NOT NULL, body BLOB NOT NULL,
  UNIQUE (exchange_order_id, fill_id, trading_pair));
CREATE INDEX fills_by_time ON fills (ts_ns);
CREATE TABLE nonces (signer TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE orphans (digest BLOB PRIMARY KEY) WITHOUT ROWID;
"""
DERIVED = ("orders", "venue_ids", "exchange_ids", "fills", "nonces", "orphans")


def translation(error: Exception, doing: str) -> LatentspeedError:
    """An error of SQLite as ours: AccountBusy when others hold the file, JournalError for all else."""
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return AccountBusy(
            f"another run holds the journal ({doing})", hint="it lets go by itself; give the command again"
        )
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return JournalError(f"the journal is damaged ({doing}): {error}")
    if isinstance(error, apsw.FullError):
        return JournalError(f"no room to write the journal ({doing})", hint="free some disk space")
    return JournalError(f"the journal failed ({doing}): {error}")


# UnicodeDecodeError: damage within a text.
TROUBLE = (apsw.Error, UnicodeDecodeError)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of SQLite as ours."""
    try:
        yield
    except TROUBLE as error:
        raise translation(error, doing) from error


def prepare(path: Path) -> None:
    """Make the state folder (0700) and an empty file (0600) where there is none. SQLite gives -wal and -shm its mode.

    Raises JournalError when that cannot be, or when the file is not ours alone to write.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise JournalError(f"the journal is not a regular file: {path}")
            if found.st_uid != os.geteuid():
                raise JournalError(f"the journal belongs to another user: {path}")
            if stat.S_IMODE(found.st_mode) != 0o600:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise JournalError(
            f"the journal cannot be written: {error.strerror or error}: {path}",
            hint="the state folder must exist and be writable; LATENTSPEED_STATE_DIR names another",
        ) from error


def connect(path: Path, *, vfs: str | None, busy_timeout_s: float, synchronous: Synchronous) -> apsw.Connection:
    """A connection that writes durably. Raises JournalError, AccountBusy."""
    with translated("opening it"):
        connection = apsw.Connection(str(path), vfs=vfs)
        try:
            connection.set_busy_timeout(round(busy_timeout_s * 1000))
            _to_wal(connection, busy_timeout_s)
            connection.execute(f"PRAGMA synchronous={synchronous}")
            # Else a statement that a partial index serves is compiled again at each execution, for the values bound.
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        except BaseException:
            connection.close()
            raise
    return connection


def _to_wal(connection: apsw.Connection, busy_timeout_s: float) -> None:
    """SQLite does not call its busy handler for this change, so many first runs at once have to wait here."""
    give_up = monotonic_s() + busy_timeout_s
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").get
        except apsw.BusyError:
            mode = None
        if mode == "wal":
            return
        if mode is not None or monotonic_s() >= give_up:
            raise apsw.BusyError(f"journal mode is {mode}")
        sleep_s(0.005)


def is_settled(connection: apsw.Connection, *, network: str, instance: str) -> bool:
    """Whether the journal is there, and this one, so that nothing has to be locked to open it."""
    if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
        return False
    row = connection.execute("SELECT schema_version, network, instance FROM meta").fetchone()
    return bool(row == (SCHEMA_VERSION, network, instance))


def settle(connection: apsw.Connection, *, network: str, instance: str, now_ns: int) -> None:
    """Inside a transaction: make the tables of a new journal, or check whose this one is.

    A sandbox that was reset is another instance: what was written for the one before is put into the archive, and the
    journal starts anew. Raises JournalError for another network, a newer schema, or an instance that is past.
    """
    if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
        connection.execute(SCHEMA)
        connection.execute("INSERT INTO meta VALUES (1, ?, ?, ?)", (SCHEMA_VERSION, network, instance))
        return
    row = connection.execute("SELECT schema_version, network, instance FROM meta").fetchone()
    if row is None:
        raise JournalError("the journal is damaged: it does not say whose it is")
    version, its_network, its_instance = row
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"the journal has schema {version}, this program knows {SCHEMA_VERSION}",
            hint="a newer latentspeed wrote it; use that one",
        )
    if its_network != network:
        raise JournalError(f"the journal is of network {its_network}, not {network}")
    check_first(first_fact(connection), genesis(its_network, its_instance))
    if its_instance != instance:
        _archive(connection, its_instance, instance, now_ns)


def first_fact(connection: apsw.Connection) -> Fact | None:
    row = connection.execute("SELECT * FROM facts ORDER BY seq LIMIT 1").fetchone()
    return None if row is None else fact_of(row)


def _archive(connection: apsw.Connection, old: str, new: str, now_ns: int) -> None:
    past = connection.execute("SELECT 1 FROM archived_instances WHERE instance = ?", (new,)).get
    if past:
        raise JournalError("the sandbox was reset: the one this run talks to is gone", hint="give the command again")
    connection.execute("INSERT INTO archived_instances VALUES (?, ?)", (old, now_ns))
    connection.execute("INSERT INTO archived_facts SELECT ?, facts.* FROM facts", (old,))
    for table in ("facts", *DERIVED):
        connection.execute(f"DELETE FROM {table}")
    connection.execute("UPDATE meta SET instance = ?", (new,))
