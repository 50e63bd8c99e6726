"""Writing the journal: one transaction a call, durable when the call returns."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ..clock import NS_PER_MS, Clock
from ..core.drafts import Begun, CountedNonces, Draft
from ..core.in_flight_order import InFlightOrder
from ..core.nonce import next_nonce, next_time
from ..core.order_state import News
from ..core.reports import TradeUpdate
from ..core.types import OrderState
from ..errors import JournalError
from .facts import (
    ADOPTED,
    ATTEMPT,
    CANCEL_INTENT,
    FILL,
    INTENT,
    NEWS_KINDS,
    RESERVED,
    Attempt,
    Body,
    CancelIntent,
    Reserved,
    after,
    after_news,
    chain,
    encode,
    genesis,
    next_cancel,
)
from .reader import JournalReader
from .store import (
    DERIVED,
    TROUBLE,
    Synchronous,
    connect,
    is_settled,
    prepare,
    settle,
    translated,
    translation,
)
from .tail import drop_unfinished

log = logging.getLogger(__name__)


class Journal(JournalReader):
    """The journal of one network, shared by every process of this state folder.

    Every method that writes is one `BEGIN IMMEDIATE` transaction: it waits for other processes, at most
    busy_timeout_s, then raises AccountBusy; JournalError means that nothing was written and nothing may be sent.
    """

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        network: str,
        instance: str,
        clock: Clock,
        busy_timeout_s: float = 30.0,
        synchronous: Synchronous = "FULL",
        vfs: str | None = None,
    ) -> Self:
        """The journal in the file `path`, made if need be, its latest facts checked.

        instance: of the sandbox, else "". Another instance than before puts what there is into the archive.
        synchronous: weaker than FULL only to measure. vfs: the name of another disk; then the file is not prepared.
        """
        if vfs is None:
            prepare(path)
        connection = connect(path, vfs=vfs, busy_timeout_s=busy_timeout_s, synchronous=synchronous)
        try:
            journal = cls(connection, clock, genesis(network, instance))
            journal._instance = instance
            if vfs is None:
                drop_unfinished(connection, path)
            with translated("opening it"):
                settled = is_settled(connection, network=network, instance=instance)
            if not settled:
                with _Transaction(journal, "setting it up", setting_up=True):
                    settle(connection, network=network, instance=instance, now_ns=clock.now_ns())
            journal.check_ends()
        except BaseException:
            connection.close()
            raise
        return journal

    _instance = ""
    _seq = 0
    _hash = b""
    _version: int | None = None

    def close(self) -> None:
        """Let go of the file. Raises nothing: what was written is durable, whether or not SQLite can tidy up now."""
        try:
            self._connection.close()
        except TROUBLE as error:
            log.warning("the journal was closed untidily", extra={"error": str(error)})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Intents: durable before anything leaves

    def begin(self, drafts: Sequence[Draft]) -> list[Begun]:
        """Check ids, give nonces and attempt numbers, build the bytes, and write it all down: all drafts or none.

        A draft whose client order id is known is not begun: its order is the journal's. There is one exception: when
        the known order is FAILED and the draft bears the number of its last attempt, the next attempt is begun, so of
        two processes that saw the same failure only one goes on. An id at the venue that another order has is a
        conflict, and the order is that one. Whatever `build` raises undoes everything.
        """
        with self._writing("writing an intent"):
            return [self._begin(draft) for draft in drafts]

    def _begin(self, draft: Draft) -> Begun:
        order, tables = draft.order, self._tables
        known = tables.order(order.client_order_id)
        if known is None and order.venue_client_id:
            holder = tables.holder_of(order.venue_client_id, venue=order.venue, account=order.account)
            if holder is not None and (other := tables.order(holder)) is not None:
                return Begun(order=other, fresh=False, conflict=True)
        if known is None and order.exchange_order_id is not None:
            for name in tables.by_exchange_id(order.exchange_order_id):
                other = tables.order(name)
                if other is not None and (other.venue, other.account) == (order.venue, order.account):
                    return Begun(order=other, fresh=False, conflict=True)
        if known is not None:
            if known.parameters_hash != order.parameters_hash:
                return Begun(order=known, fresh=False, conflict=True)
            if known.state is not OrderState.FAILED or not known.attempt or order.attempt != known.attempt:
                return Begun(order=known, fresh=False)
        base = order if known is None else known
        now_ns = self._clock.now_ns()
        number = base.attempt + 1
        nonce, scope = self._next_nonce(draft.signer, draft.sequence(), now_ns)
        begun = msgspec.structs.replace(
            base,
            attempt=number,
            nonce=nonce,
            expires_after_ms=order.expires_after_ms,
            good_til_block=order.good_til_block,
            good_til_ts_ns=order.good_til_ts_ns,
            timeout_height=order.timeout_height,
            amount=order.amount,
            price=order.price,
            reference_price=order.reference_price,
            facts=msgspec.structs.replace(base.facts, attempts=base.facts.attempts | {number}),
            updated_ts_ns=max(base.updated_ts_ns, now_ns),
        )
        attempt = Attempt(
            attempt=number,
            signer=draft.signer,
            nonce=nonce,
            submit_deadline_ns=draft.submit_deadline_ns,
            body_sha256=hashlib.sha256(draft.build(begun)).hexdigest(),
            expires_after_ms=begun.expires_after_ms,
            amount=begun.amount,
            price=begun.price,
            reference_price=begun.reference_price,
            ts_ns=now_ns,
            good_til_block=begun.good_til_block,
            good_til_ts_ns=begun.good_til_ts_ns,
            timeout_height=begun.timeout_height,
            scope=scope,
        )
        if known is None:
            self._append(INTENT, order, order.client_order_id, None, now_ns)
        self._append(ATTEMPT, attempt, order.client_order_id, number, now_ns)
        tables.put(known, begun, attempt)
        return Begun(order=begun, fresh=True)

    def begin_cancel(
        self, order: InFlightOrder, *, signer: str, sequence: CountedNonces | None = None
    ) -> tuple[int, int]:
        """Write down that a cancel is about to be sent. The number of this attempt to cancel, and its nonce.

        An order that the journal does not know is adopted by it.
        """
        with self._writing("writing the intent to cancel"):
            now_ns = self._clock.now_ns()
            known = self._tables.order(order.client_order_id) or self._adopt(order, now_ns)
            nonce, scope = self._next_nonce(signer, sequence, now_ns)
            body = CancelIntent(attempt=next_cancel(known.facts), signer=signer, nonce=nonce, ts_ns=now_ns, scope=scope)
            self._append(CANCEL_INTENT, body, known.client_order_id, body.attempt, now_ns)
            self._tables.put(known, after(known, body), body)
            return body.attempt, body.nonce

    def reserve_nonce(self, signer: str, *, sequence: CountedNonces | None = None) -> int:
        """A nonce for a request about no order."""
        with self._writing("reserving a nonce"):
            now_ns = self._clock.now_ns()
            nonce, scope = self._next_nonce(signer, sequence, now_ns)
            body = Reserved(signer=signer, nonce=nonce, scope=scope)
            self._append(RESERVED, body, None, None, now_ns)
            self._tables.put(None, None, body)
            return body.nonce

    def _next_nonce(self, signer: str, sequence: CountedNonces | None, now_ns: int) -> tuple[int, str | None]:
        """A nonce, and what it is counted by where that is not the signer."""
        if sequence is None:
            return next_time(self._tables.last_nonce(signer), now_ns // NS_PER_MS), None
        last = None if sequence.is_exact else self._tables.last_nonce(sequence.scope)
        return next_nonce(last, sequence.next), sequence.scope

    # News

    def record(
        self, updates: Sequence[News], *, kind: str = "report", client_order_id: str | None = None
    ) -> list[News]:
        """Append what is new in `updates`, and return that: nothing is ever written twice.

        client_order_id: the order it is all about; without it each piece is matched by the ids it bears. News that
        fits no order is kept as such, once. Fills are always of kind `fill`.
        """
        if kind not in NEWS_KINDS:
            raise ValueError(f"news cannot be of kind {kind!r}")
        with self._writing("writing news"):
            return [news for news in updates if self._record(news, kind, client_order_id)]

    def _record(self, news: News, kind: str, client_order_id: str | None) -> bool:
        tables = self._tables
        order = self._match(news, client_order_id)
        if order is None:
            if tables.is_known_orphan(news):
                return False
            now = None
            name = client_order_id or news.client_order_id
            tables.put_orphan(news)
        else:
            now = after_news(order, news)
            if now is order or (isinstance(news, TradeUpdate) and _is_told(order, now, news)):
                return False
            name = order.client_order_id
        fact_kind = FILL if isinstance(news, TradeUpdate) else kind
        attempt = None if isinstance(news, TradeUpdate) else news.attempt
        self._append(fact_kind, news, name, attempt, self._clock.now_ns())
        tables.put(order, now, news)
        return True

    def _match(self, news: News, client_order_id: str | None) -> InFlightOrder | None:
        names = [client_order_id] if client_order_id else self._tables.named_by(news)
        for name in names:
            order = self._tables.order(name)
            if order is not None and order.trading_pair == news.trading_pair:
                return order
        return None

    def adopt(self, order: InFlightOrder) -> InFlightOrder:
        """Take up an order that was found at the venue. The order as known afterwards: no fact gets lost."""
        with self._writing("adopting an order"):
            return self._adopt(order, self._clock.now_ns())

    def _adopt(self, order: InFlightOrder, now_ns: int) -> InFlightOrder:
        known = self._tables.order(order.client_order_id)
        now = after(known, order)
        assert now is not None  # an order is always about an order
        if known is not None and now.facts == known.facts:
            return known
        self._append(ADOPTED, order, order.client_order_id, order.attempt or None, now_ns)
        self._tables.put(known, now, order)
        return now

    def rebuild(self) -> int:
        """Make everything that follows from the facts again. How many facts there were. Raises JournalError."""
        with self._writing("rebuilding it"):
            for table in DERIVED:
                self._tables.write(f"DELETE FROM {table}")
            count = 0
            for fact in self.facts():
                self._tables.apply(fact)
                count += 1
            return count

    # Transactions

    def _writing(self, doing: str) -> _Transaction:
        """A transaction that may append facts to those of its own instance."""
        return _Transaction(self, doing)

    def _find_end(self) -> None:
        """Inside a transaction: the number and hash of the last fact, as long as the journal is of our instance.

        Unless another connection has written since, they are what we left.
        """
        version = self._connection.data_version()
        if version == self._version:
            return
        row = self._execute(
            "SELECT meta.instance, facts.seq, facts.hash FROM meta LEFT JOIN facts ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if row is None or row[0] != self._instance:
            raise JournalError("the sandbox was reset while this ran", hint="give the command again")
        self._seq, self._hash = (row[1], row[2]) if row[1] is not None else (0, self._genesis)

    def _append(self, kind: str, body: Body, client_order_id: str | None, attempt: int | None, ts_ns: int) -> None:
        data = encode(body)
        self._seq += 1
        self._hash = chain(self._hash, self._seq, ts_ns, client_order_id, attempt, kind, data)
        self._tables.write(
            "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._seq, ts_ns, client_order_id, attempt, kind, data, self._hash),
        )


def _is_told(before: InFlightOrder, now: InFlightOrder, fill: TradeUpdate) -> bool:
    """Whether all that is new about a fill is that this process received it earlier than another one."""
    known = before.facts.fills.get(fill.fill_id)
    if known is None:
        return False
    joined = msgspec.structs.replace(now.facts.fills[fill.fill_id], received_ts_ns=known.received_ts_ns)
    return joined == known and msgspec.structs.replace(now.facts, fills=before.facts.fills) == before.facts


class _Transaction:
    """`BEGIN IMMEDIATE` and `COMMIT`, or `ROLLBACK` when anything is raised; errors of SQLite become ours.

    A class and not a generator: it is on the path of every order.
    """

    __slots__ = ("_doing", "_journal", "_setting_up")

    def __init__(self, journal: Journal, doing: str, *, setting_up: bool = False) -> None:
        self._journal = journal
        self._doing = doing
        self._setting_up = setting_up

    def __enter__(self) -> None:
        journal = self._journal
        try:
            journal._tables.write("BEGIN IMMEDIATE")
            if not self._setting_up:
                journal._find_end()
        except BaseException as error:
            self._undo(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        journal = self._journal
        if error is not None:
            self._undo(error)
            return
        try:
            journal._tables.write("COMMIT")
        except BaseException as trouble:
            self._undo(trouble)
            raise
        if not self._setting_up:
            journal._version = journal._connection.data_version()

    def _undo(self, error: BaseException) -> None:
        """Leave nothing behind, and raise an error of SQLite as ours."""
        journal = self._journal
        journal._version = None
        # SQLite has rolled back by itself after some errors, and then there is nothing to undo.
        try:
            if journal._connection.in_transaction:
                journal._tables.write("ROLLBACK")
        except TROUBLE as trouble:
            raise translation(trouble, self._doing) from trouble
        if isinstance(error, TROUBLE):
            raise translation(error, self._doing) from error
