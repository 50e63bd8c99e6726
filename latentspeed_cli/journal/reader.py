"""Asking the journal. Every answer is one look at what is committed, by whichever process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from ..clock import Clock
from ..core.in_flight_order import InFlightOrder
from ..core.reports import TradeUpdate
from ..core.types import OrderState, TradeType
from ..errors import JournalError
from .facts import Fact, check_all, check_chain, check_first, decode_fill, fact_of
from .store import DERIVED, SCHEMA, TROUBLE, first_fact, translated, translation
from .tables import Tables, checked_order

# Few enough to be read at every start, and so many that the whole of a small journal is checked.
TAIL = 256
MAX_FOUND = 100
# What people count their orders with. Longer numbers are dates, times or chance: there a beginning is only a beginning.
_COUNTER = re.compile(r"(?<![0-9])[0-9]{2,4}$")
_UNDECIDED = "SELECT number, crc, body FROM orders WHERE undecided = 1"


class JournalReader:
    """The asking half of Journal. Raises JournalError when the file is damaged or cannot be read."""

    def __init__(self, connection: apsw.Connection, clock: Clock, genesis: bytes) -> None:
        self._connection = connection
        self._genesis = genesis
        self._execute = connection.execute
        self._tables = Tables(connection)
        self._clock = clock

    # Orders

    def order(self, client_order_id: str) -> InFlightOrder | None:
        """The order with exactly this client order id, as far as facts tell."""
        with translated("reading an order"):
            return self._tables.order(client_order_id)

    def find(self, text: str) -> list[InFlightOrder]:
        """Orders that `text` may mean: by exact client order id, or the venue's twin of it, or its exchange order id.

        Where none is exact: those whose client order id starts with `text`, at most 100. One found means it is clear.
        Only a counter at the end of an id is not cut in two: grid-1, which was never sent, does not mean grid-10.
        """
        if not text:
            return []
        with translated("looking for an order"):
            tables = self._tables
            names = [text, *tables.by_venue_client_id(text), *tables.by_exchange_id(text)]
            exact = [order for name in dict.fromkeys(names) if (order := tables.order(name)) is not None]
            if exact:
                return exact
            begun = self._orders(
                "WHERE client_order_id >= ? AND client_order_id < ? ORDER BY client_order_id LIMIT ?",
                [text, text + "\U0010ffff", MAX_FOUND],
            )
        return [order for order in begun if not _cuts_counter(text, order.client_order_id)]

    def orders(
        self,
        pair: str | None = None,
        side: TradeType | None = None,
        states: Iterable[OrderState] | None = None,
        since_ns: int | None = None,
        limit: int | None = None,
    ) -> list[InFlightOrder]:
        """Orders, the latest written down first. since_ns: created then or later. None does not restrict."""
        where, values = _where(trading_pair=pair, side=None if side is None else side.value)
        if states is not None:
            wanted = sorted(state.value for state in states)
            where.append(f"state IN ({', '.join('?' * len(wanted))})")
            values += wanted
        if since_ns is not None:
            where.append("created_ts_ns >= ?")
            values.append(since_ns)
        values.append(-1 if limit is None else limit)
        with translated("reading orders"):
            return self._orders(f"WHERE {' AND '.join(where) or 'true'} ORDER BY number DESC LIMIT ?", values)

    def undecided(self, trading_pair: str | None = None, side: TradeType | None = None) -> list[InFlightOrder]:
        """Orders of which something was sent whose outcome is open (PENDING_SUBMIT, PENDING_CANCEL), oldest first.

        Also those that another process is about to hear of: see `lease_over`.
        """
        query, values = _UNDECIDED, []
        if trading_pair is not None:
            query, values = query + " AND trading_pair = ?", [trading_pair]
        if side is not None:
            query, values = query + " AND side = ?", [*values, side.value]
        try:
            # Sorted here: there is hardly ever one, and ORDER BY makes SQLite set up a sorter for every order placed.
            return [checked_order(crc, body) for _, crc, body in sorted(self._execute(query, values))]
        except TROUBLE as error:
            raise translation(error, "reading undecided orders") from error

    def lease_over(self, order: InFlightOrder, now_ns: int) -> bool:
        """Whether another than the writer of its last attempt may say what became of it: resolve it, or fence it.

        So it is when the outcome is decided, or when the writer had its time.
        """
        if order.state is not OrderState.PENDING_SUBMIT:
            return True
        return now_ns >= self.submit_deadline_ns(order.client_order_id)

    def submit_deadline_ns(self, client_order_id: str) -> int:
        """When the lease of its last attempt ends; 0 when there was none."""
        with translated("reading an order"):
            return self._tables.submit_deadline_ns(client_order_id)

    def signer_of(self, client_order_id: str) -> str | None:
        """Who signed its last attempt; None when there was none."""
        with translated("reading an order"):
            return self._tables.signer_of(client_order_id)

    def venue_client_id_taken(self, venue_client_id: str, *, venue: str, account: str) -> str | None:
        """The client order id of the account's order that has this id at the venue; None when it is free."""
        with translated("looking for an id"):
            return self._tables.holder_of(venue_client_id, venue=venue, account=account)

    # Fills and facts

    def fills(
        self, trading_pair: str | None = None, *, since_ns: int | None = None, limit: int | None = None
    ) -> list[TradeUpdate]:
        """Fills of all orders, also of those not known here, oldest first. limit: so many of the latest."""
        where, values = _where(trading_pair=trading_pair)
        if since_ns is not None:
            where.append("ts_ns >= ?")
            values.append(since_ns)
        values.append(-1 if limit is None else limit)
        query = f"SELECT body FROM fills WHERE {' AND '.join(where) or 'true'} ORDER BY ts_ns DESC, number DESC LIMIT ?"
        with translated("reading fills"):
            return [decode_fill(body) for (body,) in self._execute(query, values)][::-1]

    def facts(self, client_order_id: str | None = None, *, after_seq: int = 0) -> Iterator[Fact]:
        """Facts in the order in which they were written. client_order_id: only those about this order."""
        where, values = _where(client_order_id=client_order_id)
        where.append("seq > ?")
        values.append(after_seq)
        with translated("reading facts"):
            for row in self._execute(f"SELECT * FROM facts WHERE {' AND '.join(where)} ORDER BY seq", values):
                yield fact_of(row)

    # Checks

    def check_ends(self) -> None:
        """Raise JournalError unless the first fact is ours, and the latest ones follow from each other."""
        with translated("checking it"):
            check_first(first_fact(self._connection), self._genesis)
            latest = self._execute("SELECT * FROM facts ORDER BY seq DESC LIMIT ?", (TAIL,)).fetchall()
        check_chain([fact_of(row) for row in reversed(latest)])

    def verify(self) -> int:
        """Check the chain of all facts, that the tables are what follows from them, and the file. How many facts.

        Raises JournalError, which names the first damaged fact where the chain is broken.
        """
        with translated("verifying it"):
            self._execute("BEGIN")  # one look at all of it, whatever others write meanwhile
            try:
                again = apsw.Connection(":memory:")
                again.execute(SCHEMA)
                count = check_all(self.facts(), self._genesis, Tables(again).apply)
                for table in DERIVED:
                    rows = f"SELECT * FROM {table}"
                    if self._execute(rows).fetchall() != again.execute(rows).fetchall():
                        raise JournalError(f"the journal is damaged: the table {table} does not follow from its facts")
                said = self._execute("PRAGMA integrity_check(1)").get
                if said != "ok":
                    raise JournalError(f"the journal is damaged: {said}")
            finally:
                self._execute("ROLLBACK")
        return count

    # How

    def _orders(self, clauses: str, values: list[Any]) -> list[InFlightOrder]:
        rows = self._execute(f"SELECT crc, body FROM orders {clauses}", values)
        return [checked_order(crc, body) for crc, body in rows]


def _where(**columns: str | None) -> tuple[list[str], list[Any]]:
    """Conditions for the columns that have a value."""
    given = {column: value for column, value in columns.items() if value is not None}
    return [f"{column} = ?" for column in given], list(given.values())


def _cuts_counter(text: str, client_order_id: str) -> bool:
    """Whether `text` ends within the counter that `client_order_id` ends with."""
    counter = _COUNTER.search(client_order_id)
    return counter is not None and counter.start() < len(text) < len(client_order_id)
