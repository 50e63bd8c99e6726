"""What a crash left at the end of SQLite's write-ahead log: frames of a transaction that was never committed.

SQLite passes over them by itself; this only finds them, so that a person can be told. Format of the log:
https://sqlite.org/fileformat2.html#the_write_ahead_log, read November 2026.
"""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import apsw

from .store import translated

log = logging.getLogger(__name__)

_HEADER = struct.Struct(">8xI4x8s8x")  # page size, salts
_FRAME = struct.Struct(">4xI8s8x")  # size of the database after a commit, else 0; salts
_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")


def is_unfinished(log_bytes: bytes) -> bool:
    """Whether the log goes on after its last commit. Frames of an earlier round through the file do not count."""
    if len(log_bytes) < _HEADER.size or log_bytes[:4] not in _MAGIC:
        return False
    page_size, salts = _HEADER.unpack_from(log_bytes)
    unfinished, at = False, _HEADER.size
    while at + _FRAME.size <= len(log_bytes):
        committed_size, frame_salts = _FRAME.unpack_from(log_bytes, at)
        if frame_salts != salts:
            break
        at += _FRAME.size + page_size
        unfinished = committed_size == 0 or at > len(log_bytes)
    return unfinished


def drop_unfinished(connection: apsw.Connection, path: Path) -> bool:
    """Tell of what was never committed, and start the log anew, so that it is told once. Whether there was any."""
    log_path = Path(f"{path}-wal")
    if not _is_unfinished_at(log_path):
        return False
    with translated("looking at its end"):
        connection.execute("BEGIN IMMEDIATE")  # nobody is in the middle of writing now
        unfinished = _is_unfinished_at(log_path)
        connection.execute("ROLLBACK")
        if unfinished:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            log.warning("a run ended while it wrote to the journal: what it had not committed is gone")
    return unfinished


def _is_unfinished_at(path: Path) -> bool:
    try:
        return is_unfinished(path.read_bytes())
    except OSError:  # the usual case: no log, the last run closed the journal
        return False
