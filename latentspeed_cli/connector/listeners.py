"""Telling subscribers what happened. A listener that raises hurts itself only."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from ..core.events import Event
from ..errors import LatentspeedError

E = TypeVar("E", bound=Event)
log = logging.getLogger(__name__)


class ConnectorErrorEvent(Event, frozen=True, kw_only=True):
    """Something went wrong. client_order_id: the order it concerns, if any; the order's own events tell its state."""

    error: LatentspeedError
    client_order_id: str | None = None


class Listeners:
    """Callbacks by event class. A callback for a class also gets events of its subclasses: Event gets everything."""

    def __init__(self) -> None:
        self._callbacks: dict[type[Event], list[Callable[[Any], object]]] = {}
        self.failures_total = 0

    def add(self, event_type: type[E], callback: Callable[[E], object]) -> None:
        callbacks = self._callbacks.setdefault(event_type, [])
        if callback not in callbacks:
            callbacks.append(callback)

    def remove(self, event_type: type[E], callback: Callable[[E], object]) -> None:
        """Unknown callbacks are fine."""
        callbacks = self._callbacks.get(event_type, [])
        if callback in callbacks:
            callbacks.remove(callback)

    def publish(self, events: Iterable[Event]) -> None:
        """Call every callback of every event, in order."""
        for event in events:
            for kind in type(event).__mro__:
                for callback in tuple(self._callbacks.get(kind, ())):
                    try:
                        callback(event)
                    except Exception:  # foreign code: an order's path must not depend on who listens
                        self.failures_total += 1
                        log.exception("an event listener failed", extra={"event": type(event).__name__})
