"""What a venue lists, what a stream told, and where the two differ. Values only: nothing here asks, runs or waits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from typing import Any

import msgspec

# Where a record says when it was made, and not what it is about.
OF_THE_TELLING = ("seq", "received_ts_ns", "received_ts_iso")


class State(Enum):
    """How far an order is, as far as both venues and we distinguish it."""

    OPEN = "open"
    FILLED = "filled"
    ENDED = "ended"


TOLD_STATES = {
    "OPEN": State.OPEN,
    "PARTIALLY_FILLED": State.OPEN,
    "PENDING_CANCEL": State.OPEN,
    "FILLED": State.FILLED,
    "CANCELLED": State.ENDED,
    "EXPIRED": State.ENDED,
    "FAILED": State.ENDED,
}


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    order_id: str
    trading_pair: str
    side: str
    price: Decimal
    amount: Decimal
    fee: Decimal


class Order(msgspec.Struct, frozen=True, kw_only=True):
    trading_pair: str
    side: str
    price: Decimal | None
    amount: Decimal
    state: State
    executed: Decimal


class Listed:
    """What the venue's own lists say of the account. Ids are the venue's; positions are signed, by trading pair."""

    def __init__(self) -> None:
        self.fills: dict[str, Fill] = {}
        self.orders: dict[str, Order] = {}
        self.positions: dict[str, Decimal] = {}


class Told:
    """What the records of one stream said: every fill and every state of an order, the last amount of a position."""

    def __init__(self) -> None:
        self.fills: dict[str, list[Fill]] = {}
        self.orders: dict[str, list[Order]] = {}
        self.positions: dict[str, Decimal] = {}
        # Order records that say nothing new. They are no fault: more is known of how a state came about than is shown.
        self.repeated = 0
        self._said: set[bytes] = set()

    def note(self, record: Mapping[str, Any]) -> None:
        """Take in one record; those of other schemas say nothing here. Raises KeyError for a state that is unknown."""
        if record["schema"] == "fill":
            fill = Fill(
                order_id=record["exchange_order_id"],
                trading_pair=record["trading_pair"],
                side=record["side"],
                price=Decimal(record["price"]),
                amount=Decimal(record["amount"]),
                fee=Decimal(record["fee"]),
            )
            self.fills.setdefault(record["fill_id"], []).append(fill)
        elif record["schema"] == "position":
            self.positions[record["trading_pair"]] = Decimal(record["amount"])
        elif record["schema"] == "order" and record["exchange_order_id"] is not None:
            order = Order(
                trading_pair=record["trading_pair"],
                side=record["side"],
                price=None if record["price"] is None else Decimal(record["price"]),
                amount=Decimal(record["amount"]),
                state=TOLD_STATES[record["state"]],
                executed=Decimal(record["executed_amount"]),
            )
            self.orders.setdefault(record["exchange_order_id"], []).append(order)
            about = msgspec.json.encode({name: said for name, said in record.items() if name not in OF_THE_TELLING})
            self.repeated += about in self._said
            self._said.add(about)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """counts: by kind of record, what there was and how often each thing was wrong. wrong: each of those in words."""

    counts: dict[str, dict[str, int]]
    wrong: list[str]


def compare(listed: Listed, told: Told, acknowledged: Iterable[str], *, forgets_unfilled: bool) -> Verdict:
    """Hold what was told against what the venue lists, and the venue's lists against each other.

    acknowledged: ids of orders that the venue must list. forgets_unfilled: it lists no order that ended without a fill.

    lost: listed, and never told. doubled: a fill told again. unknown_to_venue: told, and not listed. different: what
    was told last is not what is listed. went_back: told as further before than later. Of the lists: an order that is
    missing from them, and an order whose fills do not add up to what was executed of it.
    """
    latest = {order_id: states[-1] for order_id, states in told.orders.items()}
    unlisted = {
        order_id
        for order_id, order in latest.items()
        if forgets_unfilled and order_id not in listed.orders and order.state is State.ENDED and not order.executed
    }
    latest = {order_id: order for order_id, order in latest.items() if order_id not in unlisted}
    first = {fill_id: fills[0] for fill_id, fills in told.fills.items()}
    findings = {
        "fills": [
            *_differences("fill", listed.fills, first),
            *(
                ("doubled", f"fill {fill_id} was told again: {again}")
                for fill_id, fills in told.fills.items()
                for again in fills[1:]
            ),
        ],
        "orders": [*_differences("order", listed.orders, latest), *_backward(told.orders)],
        "positions": [*_differences("position", _held(listed.positions), _held(told.positions))],
        "lists": [*_holes(listed, acknowledged)],
    }
    counts = {
        "fills": {
            "at_venue": len(listed.fills),
            "told": sum(map(len, told.fills.values())),
            **dict.fromkeys(("lost", "doubled", "unknown_to_venue", "different"), 0),
        },
        "orders": {
            "at_venue": len(listed.orders),
            "told": len(told.orders),
            "records": sum(map(len, told.orders.values())),
            "repeated": told.repeated,
            "unlisted": len(unlisted),
            **dict.fromkeys(("lost", "unknown_to_venue", "different", "went_back"), 0),
        },
        "positions": {
            "at_venue": len(_held(listed.positions)),
            "told": len(_held(told.positions)),
            **dict.fromkeys(("lost", "unknown_to_venue", "different"), 0),
        },
        "lists": dict.fromkeys(("missing", "do_not_add_up"), 0),
    }
    for part, found in findings.items():
        counts[part] |= Counter(kind for kind, _ in found)
    return Verdict(counts=counts, wrong=[words for found in findings.values() for _, words in found])


def _differences(what: str, listed: Mapping[str, object], told: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, there in listed.items():
        if name not in told:
            yield "lost", f"{what} {name} was not told: {there}"
        elif told[name] != there:
            yield "different", f"{what} {name} is {there}, told as {told[name]}"
    for name in told.keys() - listed.keys():
        yield "unknown_to_venue", f"{what} {name} is not listed, told as {told[name]}"


def _backward(orders: Mapping[str, list[Order]]) -> Iterator[tuple[str, str]]:
    """An order that had ended and goes on, or that less was executed of than before. An end may turn out a fill."""
    for order_id, states in orders.items():
        for before, after in pairwise(states):
            goes_on = before.state is not State.OPEN and after.state not in (before.state, State.FILLED)
            if goes_on or after.executed < before.executed:
                yield "went_back", f"order {order_id} was told as {before}, then as {after}"


def _holes(listed: Listed, acknowledged: Iterable[str]) -> Iterator[tuple[str, str]]:
    executed: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fill in listed.fills.values():
        executed[fill.order_id] += fill.amount
    for order_id in {*acknowledged, *executed} - listed.orders.keys():
        yield "missing", f"order {order_id} was acknowledged or filled, and is not listed"
    for order_id, order in listed.orders.items():
        if executed[order_id] != order.executed:
            yield "do_not_add_up", f"order {order_id} is {order}, its fills are {executed[order_id]}"


def _held(positions: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {trading_pair: amount for trading_pair, amount in positions.items() if amount}
