"""Looking at a journal without being part of what it records: nothing is made, archived or repaired."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import apsw

from ..clock import Clock
from ..errors import JournalError
from .facts import Fact, check_all, fact_of, genesis
from .reader import JournalReader
from .store import SCHEMA_VERSION, translated

BUSY_TIMEOUT_S = 10.0


class Inspector(JournalReader):
    """The journal of one network as it stands. network, instance: whose it says it is.

    Opening it checks no fact, so that a damaged journal can be looked at, and `verify` can say where the damage is.
    """

    network = ""
    instance = ""

    @classmethod
    def open(cls, path: Path, *, network: str, clock: Clock) -> Self | None:
        """None when there is no journal. Raises JournalError for one of another network or a newer schema."""
        if not path.exists():
            return None
        with translated("opening it"):
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.set_busy_timeout(round(BUSY_TIMEOUT_S * 1000))
                if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
                    connection.close()  # another run is about to make it
                    return None
                row = connection.execute("SELECT schema_version, network, instance FROM meta").fetchone()
                if row is None:
                    raise JournalError("the journal is damaged: it does not say whose it is")
                version, its_network, instance = row
                if version != SCHEMA_VERSION:
                    raise JournalError(f"the journal has schema {version}, this program knows {SCHEMA_VERSION}")
                if its_network != network:
                    raise JournalError(f"the journal is of network {its_network}, not {network}")
                inspector = cls(connection, clock, genesis(network, instance))
            except BaseException:
                connection.close()
                raise
        inspector.network, inspector.instance = network, instance
        return inspector

    def close(self) -> None:
        with translated("closing it"):
            self._connection.close()

    def latest_facts(
        self, *, limit: int, kind: str | None = None, since_ns: int | None = None, until_ns: int | None = None
    ) -> list[Fact]:
        """The latest facts, at most `limit`, oldest first. since_ns, until_ns: written in this time."""
        where, values = "WHERE true", []
        for condition, value in (("kind = ?", kind), ("ts_ns >= ?", since_ns), ("ts_ns <= ?", until_ns)):
            if value is not None:
                where += f" AND {condition}"
                values.append(value)
        with translated("reading facts"):
            rows = self._execute(f"SELECT * FROM facts {where} ORDER BY seq DESC LIMIT ?", (*values, limit)).fetchall()
        return [fact_of(row) for row in reversed(rows)]

    def verify_archive(self) -> dict[str, int]:
        """Check the chains of sandbox instances that are past. How many facts each has. Raises JournalError."""
        with translated("verifying the archive"):
            names = [name for (name,) in self._execute("SELECT instance FROM archived_instances ORDER BY 1")]
        found = {}
        for name in names:
            try:
                found[name] = check_all(self._archived(name), genesis(self.network, name), lambda fact: None)
            except JournalError as error:
                raise JournalError(f"in the archive of instance {name}: {error}") from error
        return found

    def _archived(self, instance: str) -> Iterator[Fact]:
        query = (
            "SELECT seq, ts_ns, client_order_id, attempt, kind, body, hash FROM archived_facts "
            "WHERE instance = ? ORDER BY seq"
        )
        with translated("verifying the archive"):
            for row in self._execute(query, (instance,)):
                yield fact_of(row)
