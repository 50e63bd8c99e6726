"""Profit and loss over time: a row of each subaccount when it is first seen, and one an hour (section 7.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from . import shapes
from .numbers import decimal, iso, text
from .params import Query, paged

if TYPE_CHECKING:
    from .rows import SubaccountRow
    from .world import World

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
KEPT = 24 * 90


class PnlRow(msgspec.Struct, frozen=True):
    """equity: as decimal text. net_transfers: micro-USDC that came in less what went out."""

    owner: str
    number: int
    equity: str
    net_transfers: int
    height: int
    time_ns: int


class PnlRows:
    """The rows of all subaccounts, oldest first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[str, deque[PnlRow]] = {}
        self._hour = 0

    def load(self, stored: Iterable[PnlRow]) -> None:
        for row in sorted(stored, key=lambda row: row.height):
            self._rows.setdefault(f"{row.owner}/{row.number}", deque()).append(row)
            self._hour = max(self._hour, row.time_ns // HOUR_NS)

    def reached(self, subaccounts: Mapping[str, SubaccountRow], height: int, time_ns: int) -> None:
        """A block was processed: write what is due."""
        hour = time_ns // HOUR_NS
        if hour == self._hour and len(self._rows) == len(subaccounts):
            return
        for key, subaccount in subaccounts.items():
            if hour > self._hour or key not in self._rows:
                self._write(key, subaccount, height, time_ns)
        self._hour = hour

    def _write(self, key: str, subaccount: SubaccountRow, height: int, time_ns: int) -> None:
        world = self._world
        total = text(shapes.equity(world, subaccount)[0])
        row = PnlRow(subaccount.owner, subaccount.number, total, subaccount.net_transfers, height, time_ns)
        rows = self._rows.setdefault(key, deque())
        rows.append(row)
        world.touch("i_pnl", f"{key}/{height}", row)
        if len(rows) > KEPT:
            world.touch("i_pnl", f"{key}/{rows.popleft().height}", None)

    def of(self, address: str, numbers: Iterable[int]) -> list[tuple[int, int, Decimal, Decimal]]:
        """(height, time, equity, net transfers) of these subaccounts together, newest first."""
        sums: dict[int, tuple[int, Decimal, Decimal]] = {}
        for number in numbers:
            for row in self._rows.get(f"{address}/{number}", ()):
                _, equity, moved = sums.get(row.height, (0, Decimal(0), Decimal(0)))
                sums[row.height] = (row.time_ns, equity + Decimal(row.equity), moved + decimal(row.net_transfers, -6))
        return [(height, *sums[height]) for height in sorted(sums, reverse=True)]


def shown(kept: PnlRows, address: str, numbers: Iterable[int], query: Query, *, old: bool) -> dict[str, Any]:
    """The answer of /v4/historical-pnl (old) or /v4/pnl, whose rows differ in the names of height and time."""
    before, after = query.time("createdBeforeOrAt"), query.time("createdOnOrAfter")
    highest, lowest = query.integer("createdBeforeOrAtHeight"), query.integer("createdOnOrAfterHeight")
    days: set[int] = set()
    found = []
    for height, time_ns, equity, moved in kept.of(address, numbers):
        if (before is not None and time_ns > before) or (after is not None and time_ns < after):
            continue
        if (highest is not None and height > highest) or (lowest is not None and height < lowest):
            continue
        if not old and query.flag("daily"):
            if time_ns // DAY_NS in days:
                continue
            days.add(time_ns // DAY_NS)
        when = iso(time_ns)
        stamp = {"blockHeight": str(height), "blockTime": when} if old else {"createdAtHeight": str(height)}
        figures = {"equity": text(equity), "totalPnl": text(equity - moved), "netTransfers": text(moved)}
        found.append({**figures, "createdAt": when, **stamp})
    rows, paging = paged(found, query)
    return {"historicalPnl" if old else "pnl": rows, **paging}
