"""A table on a terminal that is redrawn while a stream runs. The only place that uses rich.

Everything is shown as plain text objects: markup in a venue's text is never interpreted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from .hostile import escape
from .records import BboRecord, BookRecord, ControlRecord, OrderRecord, Record

MAX_ROWS = 25
LEVELS = 10
REDRAWS_PER_S = 8


@contextmanager
def board(stdout: IO[str] | None, *, color: bool) -> Iterator[Callable[[Record], None]]:
    """How to show records on a terminal: the screen follows within a fraction of a second."""
    shown = Board()
    console = Console(file=stdout, no_color=not color, highlight=False, markup=False, emoji=False)
    with Live(console=console, refresh_per_second=REDRAWS_PER_S, get_renderable=shown.draw):
        yield shown.show


@contextmanager
def progress_bar(stderr: IO[str] | None, what: str, total: int, *, color: bool) -> Iterator[Callable[[int], None]]:
    """A bar that goes away at the end; what it yields moves it on."""
    console = Console(file=stderr, no_color=not color, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


class Board:
    """The latest book or quote of each pair, the latest state of each order, or the latest rows of a series."""

    def __init__(self) -> None:
        self._rows: deque[Record] = deque(maxlen=MAX_ROWS)
        self._latest: dict[str, Record] = {}
        self._control: ControlRecord | None = None

    def show(self, record: Record) -> None:
        """Take in one record."""
        if isinstance(record, ControlRecord):
            self._control = record
        elif isinstance(record, OrderRecord):
            self._latest.pop(record.client_order_id, None)
            self._latest[record.client_order_id] = record
            while len(self._latest) > MAX_ROWS:
                del self._latest[next(iter(self._latest))]
        elif isinstance(record, BookRecord | BboRecord):
            self._latest[record.trading_pair] = record
        else:
            self._rows.append(record)

    def draw(self) -> Group:
        books = [record for record in self._latest.values() if isinstance(record, BookRecord)]
        rows = [record for record in (*self._latest.values(), *self._rows) if not isinstance(record, BookRecord)]
        parts: list[Table | Text] = [_book(book) for book in books]
        if rows:
            parts.append(_table(rows))
        if self._control is not None:
            told = f"{self._control.kind} {self._control.detail or ''}".strip()
            parts.append(Text(escape(f"{self._control.ts_iso} {told}"), style="dim"))
        return Group(*parts)


def _table(records: list[Record]) -> Table:
    columns = records[-1].columns
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(Text(name))
    for record in records:
        cells = msgspec.to_builtins(record)
        table.add_row(*(Text(escape("-" if cells.get(name) is None else str(cells[name]))) for name in columns))
    return table


def _book(book: BookRecord) -> Table:
    table = Table(title=Text(escape(f"{book.trading_pair}  {book.ts_iso}")), box=None, pad_edge=False)
    for name in ("bid amount", "bid", "ask", "ask amount"):
        table.add_column(Text(name), justify="right")
    for index in range(min(LEVELS, max(len(book.bids), len(book.asks)))):
        bid = book.bids[index] if index < len(book.bids) else None
        ask = book.asks[index] if index < len(book.asks) else None
        table.add_row(
            Text(bid.amount if bid else ""),
            Text(bid.price if bid else "", style="green"),
            Text(ask.price if ask else "", style="red"),
            Text(ask.amount if ask else ""),
        )
    return table
