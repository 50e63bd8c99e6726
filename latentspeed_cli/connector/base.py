"""ConnectorBase: the only conductor of an order's path. A venue supplies flows; nothing here knows a venue."""

from __future__ import annotations

from .parts import Http, OrderOutcome, Parts, WaitFor
from .venue import FenceVerdict, Markets, VenueFlows

__all__ = ["ConnectorBase", "FenceVerdict", "Http", "Markets", "OrderOutcome", "Parts", "VenueFlows", "WaitFor"]


class ConnectorBase(VenueFlows):
    """To come within minutes."""
