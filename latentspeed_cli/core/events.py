"""What happened to an order, one frozen class per fact, as the tracker tells it.

Hummingbot's names where they exist; where it has a class for each side, here is one, and the order has the side.
"""

from __future__ import annotations

import msgspec

from .in_flight_order import InFlightOrder
from .reports import OrderUpdate, TradeUpdate
from .types import OrderState


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """ts_ns: the venue's time of the news that told it."""

    ts_ns: int


class OrderEvent(Event, frozen=True, kw_only=True):
    """order: as it is after the news."""

    order: InFlightOrder


class OrderStateChangedEvent(OrderEvent, frozen=True, kw_only=True):
    """The state is another one than before. Comes before the more particular event of the same news."""

    previous: OrderState


class OrderCreatedEvent(OrderEvent, frozen=True, kw_only=True):
    """The venue has or had it, for all we know since now."""


class OrderFilledEvent(OrderEvent, frozen=True, kw_only=True):
    """One fill, told once however often it was reported."""

    trade: TradeUpdate


class OrderCompletedEvent(OrderEvent, frozen=True, kw_only=True):
    """It became FILLED."""


class OrderCancelledEvent(OrderEvent, frozen=True, kw_only=True):
    """It became CANCELLED."""


class OrderExpiredEvent(OrderEvent, frozen=True, kw_only=True):
    """It became EXPIRED."""


class OrderFailureEvent(OrderEvent, frozen=True, kw_only=True):
    """It became FAILED: refused by the venue, or proved never to land."""


class ContradictionEvent(OrderEvent, frozen=True, kw_only=True):
    """The facts contradict each other; the venue's truth won. detail: how."""

    detail: str


class UnmatchedReportEvent(Event, frozen=True, kw_only=True):
    """News that fits no order known here. It is kept in case the order turns up."""

    report: OrderUpdate | TradeUpdate
