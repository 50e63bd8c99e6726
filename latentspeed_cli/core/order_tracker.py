"""ClientOrderTracker: news in, events out. It holds the orders of one account and performs no I/O."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .events import (
    ContradictionEvent,
    Event,
    OrderCancelledEvent,
    OrderCompletedEvent,
    OrderCreatedEvent,
    OrderEvent,
    OrderExpiredEvent,
    OrderFailureEvent,
    OrderFilledEvent,
    OrderStateChangedEvent,
    UnmatchedReportEvent,
)
from .in_flight_order import InFlightOrder
from .order_state import Facts, News, exchange_order_id_of, join, learn
from .types import OrderState

_BECAME: dict[OrderState, type[OrderEvent]] = {
    OrderState.FILLED: OrderCompletedEvent,
    OrderState.CANCELLED: OrderCancelledEvent,
    OrderState.EXPIRED: OrderExpiredEvent,
    OrderState.FAILED: OrderFailureEvent,
}


class ClientOrderTracker:
    """Every order in flight, found by any of its three ids in constant time.

    News that fits no order is kept, at most `max_unmatched` pieces, and told to an order as soon as that starts or
    learns the id that the news bears. Orders that are done stay for late news, the `max_done` latest of them.
    """

    def __init__(self, *, max_unmatched: int = 1_000, max_done: int = 1_000) -> None:
        self.max_unmatched = max_unmatched
        self.max_done = max_done
        self.orphans_dropped = 0
        self._orders: dict[str, InFlightOrder] = {}
        self._by_venue_client_id: dict[str, str] = {}
        self._by_exchange_id: dict[str, str] = {}
        self._done: dict[str, None] = {}
        self._unmatched: dict[News, None] = {}
        self._waiting: dict[tuple[str, str], dict[News, None]] = {}

    # Look-ups

    def get(self, client_order_id: str) -> InFlightOrder | None:
        return self._orders.get(client_order_id)

    def by_venue_client_id(self, venue_client_id: str) -> InFlightOrder | None:
        return self._orders.get(self._by_venue_client_id.get(venue_client_id, ""))

    def by_exchange_id(self, exchange_order_id: str) -> InFlightOrder | None:
        return self._orders.get(self._by_exchange_id.get(exchange_order_id, ""))

    def __getitem__(self, client_order_id: str) -> InFlightOrder:
        return self._orders[client_order_id]

    def __contains__(self, client_order_id: str) -> bool:
        return client_order_id in self._orders

    def __len__(self) -> int:
        return len(self._orders)

    def open_orders(self) -> list[InFlightOrder]:
        """Every order that is not done, oldest first."""
        return [order for client_order_id, order in self._orders.items() if client_order_id not in self._done]

    def orphans(self) -> list[News]:
        """News that fits no order, oldest first. orphans_dropped counts what had no room."""
        return list(self._unmatched)

    # Changes

    def start(self, order: InFlightOrder) -> list[Event]:
        """Track `order`, before anything about it is sent. What it knows already is not told again.

        Raises ValueError when its client order id is tracked: that would be `replace`.
        """
        if order.client_order_id in self._orders:
            raise ValueError(f"order {order.client_order_id} is tracked already")
        self._put(order, is_done=order.is_done)
        events: list[Event] = []
        self._catch_up(order.client_order_id, events)
        return events

    def replace(self, order: InFlightOrder) -> list[Event]:
        """Track `order` in place of the one with its client order id, as for a new attempt. No fact gets lost.

        Raises KeyError when there is none.
        """
        known = self._orders[order.client_order_id]
        events: list[Event] = []
        self._change(known, _with_facts(order, join(known.facts, order.facts)), order.updated_ts_ns, events)
        self._catch_up(order.client_order_id, events)
        return events

    def apply(self, update: News) -> list[Event]:
        """Tell the order that `update` names. The events that follow, in order; none when it was known already."""
        order = self._match(update)
        if order is None:
            return self._keep(update)
        events: list[Event] = []
        self._learn(order, update, events)
        self._catch_up(order.client_order_id, events)
        return events

    def forget(self, client_order_id: str) -> None:
        """Track it no more. Unknown ids are fine."""
        order = self._orders.pop(client_order_id, None)
        if order is None:
            return
        self._done.pop(client_order_id, None)
        for index, key in self._index_entries(order):
            if index.get(key) == client_order_id:
                del index[key]

    # How

    def _match(self, news: News) -> InFlightOrder | None:
        """The order that news names by any of its ids, our own first. A wrong market is no match."""
        order = self._orders.get(news.client_order_id) if news.client_order_id else None
        if order is None and news.venue_client_id:
            order = self.by_venue_client_id(news.venue_client_id)
        if order is None and news.exchange_order_id:
            order = self.by_exchange_id(news.exchange_order_id)
        return order if order is not None and order.trading_pair == news.trading_pair else None

    def _learn(self, order: InFlightOrder, news: News, events: list[Event]) -> None:
        facts = learn(order.facts, news)
        if facts is not order.facts:
            self._change(order, _with_facts(order, facts, news.ts_ns), news.ts_ns, events)

    def _change(self, before: InFlightOrder, after: InFlightOrder, ts_ns: int, events: list[Event]) -> None:
        state = after.state
        self._put(after, is_done=state.is_done)
        _tell(before, after, state, ts_ns, events)

    def _put(self, order: InFlightOrder, *, is_done: bool) -> None:
        client_order_id = order.client_order_id
        self._orders[client_order_id] = order
        for index, key in self._index_entries(order):
            index[key] = client_order_id
        if not is_done:
            self._done.pop(client_order_id, None)
        elif client_order_id not in self._done:
            self._done[client_order_id] = None
            if len(self._done) > self.max_done:
                self.forget(next(iter(self._done)))

    def _index_entries(self, order: InFlightOrder) -> Iterator[tuple[dict[str, str], str]]:
        if order.venue_client_id:
            yield self._by_venue_client_id, order.venue_client_id
        if order.exchange_order_id:
            yield self._by_exchange_id, order.exchange_order_id
        for exchange_id in order.facts.exchange_order_ids:
            yield self._by_exchange_id, exchange_id

    # News that came before its order

    def _keep(self, news: News) -> list[Event]:
        if news in self._unmatched:
            return []
        if len(self._unmatched) >= self.max_unmatched:
            self._release(next(iter(self._unmatched)))
            self.orphans_dropped += 1
        self._unmatched[news] = None
        for key in _waiting_keys(news):
            self._waiting.setdefault(key, {})[news] = None
        return [UnmatchedReportEvent(ts_ns=news.ts_ns, report=news)]

    def _release(self, news: News) -> None:
        del self._unmatched[news]
        for key in _waiting_keys(news):
            del self._waiting[key][news]
            if not self._waiting[key]:
                del self._waiting[key]

    def _catch_up(self, client_order_id: str, events: list[Event]) -> None:
        """Tell an order what waited for it, which may teach it an id for which more is waiting."""
        while self._waiting and (waiting := self._waiting_for(self._orders[client_order_id])):
            for news in waiting:
                self._release(news)
                self._learn(self._orders[client_order_id], news, events)

    def _waiting_for(self, order: InFlightOrder) -> dict[News, None]:
        keys = [("client", order.client_order_id), ("venue", order.venue_client_id)]
        keys += [("exchange", exchange_id) for exchange_id in order.facts.exchange_order_ids]
        if order.exchange_order_id is not None:
            keys.append(("exchange", order.exchange_order_id))
        return {
            news: None for key in keys for news in self._waiting.get(key, ()) if news.trading_pair == order.trading_pair
        }


def _waiting_keys(news: News) -> list[tuple[str, str]]:
    keys = (
        ("client", news.client_order_id),
        ("venue", news.venue_client_id),
        ("exchange", news.exchange_order_id),
    )
    return [(kind, text) for kind, text in keys if text]


def _with_facts(order: InFlightOrder, facts: Facts, ts_ns: int = 0) -> InFlightOrder:
    return msgspec.structs.replace(
        order,
        facts=facts,
        exchange_order_id=exchange_order_id_of(facts) or order.exchange_order_id,
        updated_ts_ns=max(order.updated_ts_ns, ts_ns),
    )


def _seen(facts: Facts) -> bool:
    """Whether the venue has or had it."""
    return facts.accepted or facts.filled or bool(facts.executed)


def _tell(before: InFlightOrder, after: InFlightOrder, state: OrderState, ts_ns: int, events: list[Event]) -> None:
    """Append what happened between two looks at one order."""
    previous = before.state
    if state is not previous:
        events.append(OrderStateChangedEvent(ts_ns=ts_ns, order=after, previous=previous))
    if _seen(after.facts) and not _seen(before.facts):
        events.append(OrderCreatedEvent(ts_ns=ts_ns, order=after))
    known = before.facts.fills
    if len(after.facts.fills) > len(known):
        events.extend(
            OrderFilledEvent(ts_ns=fill.ts_ns, order=after, trade=fill)
            for fill_id, fill in after.facts.fills.items()
            if fill_id not in known
        )
    became = _BECAME.get(state)
    if became is not None and state is not previous:
        events.append(became(ts_ns=ts_ns, order=after))
    detail = after.contradiction
    if detail is not None and detail != before.contradiction:
        events.append(ContradictionEvent(ts_ns=ts_ns, order=after, detail=detail))
