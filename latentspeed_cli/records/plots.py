"""What was drawn."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .base import Number, Record


class PlotSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One line, or one part of all candles. points: (x, y); x is a price, or a time in Unix nanoseconds."""

    name: str
    points: tuple[tuple[Number, Number], ...]


class PlotRecord(Record, frozen=True, kw_only=True, tag="plot"):
    """A chart as the numbers that it is drawn from. file: where the picture was put, or null."""

    columns: ClassVar[tuple[str, ...]] = ("kind", "trading_pair", "file")

    venue: str
    network: str
    kind: str
    trading_pair: str | None
    file: str | None
    series: tuple[PlotSeries, ...]
