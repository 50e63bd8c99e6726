"""Ledger: the one entrance for news. Journal first, then the tracker, then whoever listens."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..clock import Clock
from ..core.events import Event
from ..core.in_flight_order import InFlightOrder
from ..core.order_state import News, learn
from ..core.order_tracker import ClientOrderTracker
from ..core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from ..errors import JournalError, LatentspeedError
from .listeners import ConnectorErrorEvent, Listeners
from .parts import OrderJournal


class Ledger:
    """What is known about the account's orders: on disk, in memory, and told.

    An order that another process journaled is taken up from the journal the moment news of it arrives.
    """

    def __init__(
        self,
        journal: OrderJournal,
        tracker: ClientOrderTracker,
        listeners: Listeners,
        clock: Clock,
        *,
        venue: str,
        account: str | None,
    ) -> None:
        self.journal = journal
        self.tracker = tracker
        self.listeners = listeners
        self.clock = clock
        self._venue = venue
        self._account = account

    def is_ours(self, order: InFlightOrder) -> bool:
        """Whether an order belongs to this account: all venues and accounts of a network share one journal."""
        return order.venue == self._venue and order.account == self._account

    def start(self, order: InFlightOrder) -> InFlightOrder:
        """Track `order`, or take what it says into the one that is tracked under its id."""
        tracker = self.tracker
        events = tracker.replace(order) if order.client_order_id in tracker else tracker.start(order)
        self.listeners.publish(events)
        return tracker[order.client_order_id]

    def reload(self, client_order_id: str) -> InFlightOrder | None:
        """The order as journal and tracker together know it: other processes write too."""
        stored = self.journal.order(client_order_id)
        return self.tracker.get(client_order_id) if stored is None else self.start(stored)

    def now(self, order: InFlightOrder) -> InFlightOrder:
        """`order` as it is known now. The tracker lets go of orders that are done: such a one is taken up again."""
        known = self.tracker.get(order.client_order_id)
        return known or self.reload(order.client_order_id) or self.start(order)

    def record(self, news: Sequence[News], *, kind: str = "report", of: InFlightOrder | None = None) -> list[Event]:
        """Write down what is new in `news`, tell the tracker, and publish what follows.

        of: the order that a reply or a query was about; news of another one is left out. Reports that fit no order are
        kept by the tracker alone; fills that fit none are written down too. What concerns an order of another program
        that we were not told to touch stays in memory. Raises JournalError; then nothing was told.
        """
        by_order: dict[str | None, list[News]] = {}
        about: dict[str | None, InFlightOrder] = {}
        for item in news:
            order = self.match(item) if of is None else of
            if order is None:
                if item not in self.tracker.orphans():
                    by_order.setdefault(None, []).append(item)
                continue
            known = self.tracker.get(order.client_order_id) or self.start(order)
            if _is_about(known, item):
                stamped = msgspec.structs.replace(item, client_order_id=known.client_order_id)
                if learn(known.facts, stamped) is not known.facts:
                    by_order.setdefault(known.client_order_id, []).append(stamped)
                    about[known.client_order_id] = known
        events: list[Event] = []
        for client_order_id, items in by_order.items():
            written = items
            if client_order_id is None:
                written = [item for item in items if isinstance(item, TradeUpdate)]
            elif self._is_strange(self.now(about[client_order_id])):
                written = []
            if written:
                self.journal.record(written, kind=kind, client_order_id=client_order_id)
            for item in items:
                events.extend(self.tracker.apply(item))
        self.listeners.publish(events)
        return events

    def report(self, order: InFlightOrder, report: Report, *, kind: str, **fields: object) -> InFlightOrder:
        """Record a report of our own making about `order`, as of now. The order afterwards."""
        update = msgspec.structs.replace(
            OrderUpdate(
                report=report,
                trading_pair=order.trading_pair,
                ts_ns=self.clock.now_ns(),
                client_order_id=order.client_order_id,
                venue_client_id=order.venue_client_id or None,
                attempt=order.attempt,
            ),
            **fields,
        )
        self.record([update], kind=kind)
        return self.now(order)

    def fail(self, order: InFlightOrder, evidence_kind: str, detail: str, *, kind: str) -> InFlightOrder:
        """The order's attempt is refused, or proved never to land."""
        evidence = Evidence(kind=evidence_kind, ts_ns=self.clock.now_ns(), detail=detail)
        return self.report(order, Report.FAILED, kind=kind, reason=detail, evidence=evidence)

    def trouble(self, error: LatentspeedError, client_order_id: str | None = None) -> None:
        """Tell listeners of an error."""
        event = ConnectorErrorEvent(ts_ns=self.clock.now_ns(), error=error, client_order_id=client_order_id)
        self.listeners.publish([event])

    def match(self, item: News) -> InFlightOrder | None:
        """The order that news names, taken up from the journal if need be."""
        tracker = self.tracker
        found = tracker.get(item.client_order_id) if item.client_order_id else None
        if found is None and item.venue_client_id:
            found = tracker.by_venue_client_id(item.venue_client_id)
        if found is None and item.exchange_order_id:
            found = tracker.by_exchange_id(item.exchange_order_id)
        if found is None:
            found = self._from_journal(item)
        return found

    def refuse(self, order: InFlightOrder, error: LatentspeedError) -> None:
        """An order that was tracked and never came as far as the journal: it failed, and only memory knows.

        Another run may have placed it by the same id meanwhile: then it is what the journal says.
        """
        try:
            if self.reload(order.client_order_id) is not order:
                return
        except JournalError:
            pass  # it was not written by this run all the same
        evidence = Evidence(kind="never_sent", ts_ns=self.clock.now_ns(), detail=str(error))
        update = OrderUpdate(
            report=Report.FAILED,
            trading_pair=order.trading_pair,
            ts_ns=evidence.ts_ns,
            client_order_id=order.client_order_id,
            attempt=0,
            reason=str(error),
            evidence=evidence,
        )
        self.listeners.publish(self.tracker.apply(update))

    def _is_strange(self, order: InFlightOrder) -> bool:
        return order.is_external and self.journal.order(order.client_order_id) is None

    def _from_journal(self, item: News) -> InFlightOrder | None:
        for text in (item.client_order_id, item.venue_client_id, item.exchange_order_id):
            for order in self.journal.find(text) if text else ():
                if (
                    self.is_ours(order)
                    and order.trading_pair == item.trading_pair
                    and text
                    in (
                        order.client_order_id,
                        order.venue_client_id,
                        order.exchange_order_id,
                    )
                ):
                    return self.start(order)
        return None


def _is_about(order: InFlightOrder, item: News) -> bool:
    """Whether news that was found by an order's ids may be told to it: its other words must not contradict."""
    if item.trading_pair != order.trading_pair:
        return False
    known = order.exchange_order_id
    return not isinstance(item, TradeUpdate) or known is None or item.exchange_order_id == known
