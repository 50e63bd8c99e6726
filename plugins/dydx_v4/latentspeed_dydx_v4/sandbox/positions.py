"""Positions as the indexer books them, fill by fill: average prices, sums, open and closed rows."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from . import rows
from .numbers import decimal, divided, text
from .rows import FillRow, PositionRow

if TYPE_CHECKING:
    from .world import World


class Positions:
    """All position rows, and which of them are open."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[str, PositionRow] = {}
        self._open: dict[tuple[str, int], PositionRow] = {}
        self._last: dict[tuple[str, int], PositionRow] = {}

    def load(self, found: dict[str, PositionRow]) -> None:
        self.rows = found
        for row in sorted(found.values(), key=lambda row: row.serial):
            key = f"{row.owner}/{row.number}", row.pair
            self._last[key] = row
            if row.is_open:
                self._open[key] = row

    def open(self, subaccount: str, pair: int) -> PositionRow | None:
        return self._open.get((subaccount, pair))

    def latest(self, subaccount: str, pair: int) -> PositionRow | None:
        """The open position, or the one that was closed last."""
        return self._last.get((subaccount, pair))

    def of(self, owner: str, number: int) -> list[PositionRow]:
        """Open positions of a subaccount, newest first."""
        name = f"{owner}/{number}"
        mine = [position for (subaccount, _), position in self._open.items() if subaccount == name]
        return sorted(mine, key=lambda position: -position.serial)

    def all(self) -> Iterable[PositionRow]:
        return self.rows.values()

    def fund(self, subaccount: str, pair: int, amount: int) -> None:
        """Add a funding payment to the open position."""
        position = self._open.get((subaccount, pair))
        if position is not None:
            position.net_funding += amount
            self.world.touch("i_position", position.id, position)

    def book(self, fill: FillRow) -> None:
        """Bring the position up to date with a fill; one that passes through zero is closed and opened anew."""
        key = f"{fill.owner}/{fill.number}", fill.pair
        signed = fill.size if fill.is_buy else -fill.size
        position = self._open.get(key)
        if position is not None and (position.size > 0) != (signed > 0):
            part = min(abs(position.size), fill.size)
            self._close(position, part, fill)
            signed += part if signed < 0 else -part
            if not signed:
                return
            position = None
        if position is None:
            position = self._new(fill, signed)
        exponent = self.world.markets[fill.pair].spec.price_exponent
        position.entry = _average(position.entry, position.opened, fill.price, exponent, abs(signed))
        position.opened += abs(signed)
        position.size += signed
        position.max_size = max(position.max_size, position.size)
        self.world.touch("i_position", position.id, position)

    def _new(self, fill: FillRow, signed: int) -> PositionRow:
        position = PositionRow(
            id=rows.named(f"{rows.subaccount_id(fill.owner, fill.number)}-{fill.event}"),
            owner=fill.owner,
            number=fill.number,
            pair=fill.pair,
            is_long=signed > 0,
            size=0,
            max_size=signed,
            created_height=fill.height,
            created_ns=fill.time_ns,
            serial=self.world.next_row(),
        )
        key = f"{fill.owner}/{fill.number}", fill.pair
        self.rows[position.id] = self._open[key] = self._last[key] = position
        return position

    def _close(self, position: PositionRow, part: int, fill: FillRow) -> None:
        exponent = self.world.markets[fill.pair].spec.price_exponent
        position.exit = _average(position.exit or "0", position.closed, fill.price, exponent, part)
        position.closed += part
        position.size += part if position.size < 0 else -part
        if not position.size:
            position.status, position.closed_ns = "CLOSED", fill.time_ns
            del self._open[f"{fill.owner}/{fill.number}", fill.pair]
        self.world.touch("i_position", position.id, position)


def _average(known: str, weight: int, price: int, exponent: int, size: int) -> str:
    """The size-weighted average of a price as text and a fill's price."""
    if not weight:
        return text(decimal(price, exponent))
    total = Decimal(known) * weight + decimal(price, exponent) * size
    return text(divided(total, Decimal(weight + size)))
