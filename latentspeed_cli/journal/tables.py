"""What follows from the facts, kept in tables: current orders, fills, nonces and ids. All of it can be made again."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import apsw

from ..core.in_flight_order import InFlightOrder
from ..core.order_state import News
from ..core.reports import OrderUpdate, TradeUpdate
from ..core.types import OrderState
from ..errors import JournalError
from .facts import Attempt, Body, CancelIntent, Fact, Reserved, after, decode_body, decode_order, digest_of, encode

# The outcome of something that was sent is open: such an order blocks others, and `reconcile` looks at it.
UNDECIDED = frozenset({OrderState.PENDING_SUBMIT, OrderState.PENDING_CANCEL})


class Tables:
    """The derived tables of one connection. Every change belongs into a transaction of the caller."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.execute
        self.write = connection.cursor().execute  # one cursor for all that gives no rows: a new one costs time

    # Reading

    def order(self, client_order_id: str) -> InFlightOrder | None:
        row = self._execute("SELECT crc, body FROM orders WHERE client_order_id = ?", (client_order_id,)).fetchone()
        return None if row is None else checked_order(*row)

    def submit_deadline_ns(self, client_order_id: str) -> int:
        """When the lease of its last attempt ends; 0 when there was none."""
        found = self._execute("SELECT submit_deadline_ns FROM orders WHERE client_order_id = ?", (client_order_id,)).get
        return int(found or 0)

    def signer_of(self, client_order_id: str) -> str | None:
        """Who signed its last attempt; None when there was none."""
        found: str | None = self._execute("SELECT signer FROM orders WHERE client_order_id = ?", (client_order_id,)).get
        return found

    def holder_of(self, venue_client_id: str, *, venue: str, account: str) -> str | None:
        """The client order id of the order that has this id at the venue."""
        found: str | None = self._execute(
            "SELECT client_order_id FROM venue_ids WHERE venue_client_id = ? AND venue = ? AND account = ?",
            (venue_client_id, venue, account),
        ).get
        return found

    def last_nonce(self, signer: str) -> int | None:
        found: int | None = self._execute("SELECT last FROM nonces WHERE signer = ?", (signer,)).get
        return found

    def is_known_orphan(self, news: News) -> bool:
        return self._execute("SELECT 1 FROM orphans WHERE digest = ?", (digest_of(news),)).get is not None

    def named_by(self, news: News) -> list[str]:
        """Client order ids of orders that news may be about: by our id, the venue's twin of it, the venue's own id."""
        names = [news.client_order_id] if news.client_order_id else []
        names += self.by_venue_client_id(news.venue_client_id) if news.venue_client_id else []
        return names + (self.by_exchange_id(news.exchange_order_id) if news.exchange_order_id else [])

    def by_venue_client_id(self, venue_client_id: str) -> list[str]:
        query = "SELECT client_order_id FROM venue_ids WHERE venue_client_id = ?"
        return [name for (name,) in self._execute(query, (venue_client_id,))]

    def by_exchange_id(self, exchange_order_id: str) -> list[str]:
        query = "SELECT client_order_id FROM exchange_ids WHERE exchange_order_id = ?"
        return [name for (name,) in self._execute(query, (exchange_order_id,))]

    # Writing

    def apply(self, fact: Fact) -> None:
        """Take up one fact of the journal, as when the tables are made again."""
        body = decode_body(fact.kind, fact.body)
        order = None if fact.client_order_id is None else self.order(fact.client_order_id)
        if isinstance(body, (OrderUpdate, TradeUpdate)) and order is None:
            self.put_orphan(body)
        self.put(order, after(order, body), body)

    def put(self, before: InFlightOrder | None, now: InFlightOrder | None, body: Body) -> None:
        """Write what `body` made of an order: `before` is as the tables have it, None if they do not."""
        if isinstance(body, (Attempt, CancelIntent, Reserved)):
            self.put_nonce(body.scope or body.signer, body.nonce)
        if now is None or now is before:
            return
        attempt = body if isinstance(body, Attempt) else None
        if before is None:
            self.insert(now, attempt)
        else:
            self.update(before, now, attempt)

    def insert(self, order: InFlightOrder, attempt: Attempt | None) -> None:
        """An order that was not there, with its ids and fills. attempt: its first one."""
        state, undecided, crc, body = _columns(order)
        self.write(
            "INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order.client_order_id,
                order.trading_pair,
                order.side.value,
                state,
                undecided,
                order.created_ts_ns,
                0 if attempt is None else attempt.submit_deadline_ns,
                None if attempt is None else attempt.signer,
                crc,
                body,
            ),
        )
        if order.venue_client_id:
            self.write(
                "INSERT OR IGNORE INTO venue_ids VALUES (?, ?, ?, ?)",
                (order.venue, order.account, order.venue_client_id, order.client_order_id),
            )
        exchange_ids = order.facts.exchange_order_ids
        if order.exchange_order_id is not None:  # some venues' ids are known before the order is sent
            exchange_ids |= {order.exchange_order_id}
        self._index(order, exchange_ids, order.facts.fills.values())

    def update(self, before: InFlightOrder, now: InFlightOrder, attempt: Attempt | None) -> None:
        """An order that has changed. attempt: the new one, if that is the change."""
        self.write(
            "UPDATE orders SET state = ?, undecided = ?, crc = ?, body = ? WHERE client_order_id = ?",
            (*_columns(now), now.client_order_id),
        )
        if attempt is not None:
            self.write(
                "UPDATE orders SET submit_deadline_ns = ?, signer = ? WHERE client_order_id = ?",
                (attempt.submit_deadline_ns, attempt.signer, now.client_order_id),
            )
        known = before.facts.fills
        new_fills = [fill for fill_id, fill in now.facts.fills.items() if known.get(fill_id) != fill]
        for fill in new_fills:
            was = known.get(fill.fill_id)
            if was is not None and was.exchange_order_id != fill.exchange_order_id:  # two contents, one of them counts
                self.write(
                    "DELETE FROM fills WHERE exchange_order_id = ? AND fill_id = ? AND client_order_id = ?",
                    (was.exchange_order_id, was.fill_id, now.client_order_id),
                )
        self._index(now, now.facts.exchange_order_ids - before.facts.exchange_order_ids, new_fills)

    def _index(self, order: InFlightOrder, exchange_ids: Iterable[str], fills: Iterable[TradeUpdate]) -> None:
        for exchange_order_id in sorted(exchange_ids):
            self.write("INSERT OR IGNORE INTO exchange_ids VALUES (?, ?)", (exchange_order_id, order.client_order_id))
        for fill in sorted(fills, key=lambda fill: fill.fill_id):
            self.put_fill(fill, order.client_order_id)

    def put_fill(self, fill: TradeUpdate, client_order_id: str | None) -> None:
        """A fill, once, however often and by whichever channel it is told."""
        self.write(
            "INSERT INTO fills VALUES (NULL, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " client_order_id = ifnull(excluded.client_order_id, client_order_id),"
            " ts_ns = excluded.ts_ns, body = excluded.body",
            (fill.exchange_order_id, fill.fill_id, fill.trading_pair, client_order_id, fill.ts_ns, encode(fill)),
        )

    def put_orphan(self, news: News) -> None:
        """News about an order that is not known here; its fill counts all the same."""
        self.write("INSERT OR IGNORE INTO orphans VALUES (?)", (digest_of(news),))
        if isinstance(news, TradeUpdate):
            self.put_fill(news, None)

    def put_nonce(self, signer: str, nonce: int) -> None:
        self.write("INSERT OR REPLACE INTO nonces VALUES (?, ?)", (signer, nonce))


def _columns(order: InFlightOrder) -> tuple[str, bool, int, bytes]:
    """state, undecided, crc, body."""
    body = encode(order)
    state = order.state
    return state.value, state in UNDECIDED, zlib.crc32(body), body


def checked_order(crc: int, body: bytes) -> InFlightOrder:
    """The order of a row of `orders`. Raises JournalError unless it is as it was written."""
    if not isinstance(body, bytes) or zlib.crc32(body) != crc:
        raise JournalError("the journal is damaged: the record of an order was changed")
    return decode_order(body)
