"""A table on a terminal that is redrawn while a stream runs. The only place that uses rich.

Everything is shown as plain text objects: markup in a venue's text is never interpreted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import msgspec
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from .hostile import escape
from .records import (
    BalanceRecord,
    BboRecord,
    BookRecord,
    CandleRecord,
    ControlRecord,
    FundingRateRecord,
    LeverageRecord,
    OrderRecord,
    PositionRecord,
    Record,
    StatusRecord,
    TickerRecord,
)

MAX_ROWS = 25
LEVELS = 10
REDRAWS_PER_S = 8
WIDEST = 10_000
LONG_TIME = len("2026-11-26T09:00:00.000000000Z")
_ENDED = frozenset({"FILLED", "CANCELLED", "EXPIRED", "FAILED"})
# Of these there is one for each trading pair.
_OF_A_MARKET = (
    BookRecord,
    BboRecord,
    TickerRecord,
    CandleRecord,
    FundingRateRecord,
    PositionRecord,
    LeverageRecord,
)


@contextmanager
def board(stdout: IO[str] | None, *, color: bool, is_current: bool = False) -> Iterator[Callable[[Record], None]]:
    """How to show records on a terminal: the screen follows within a fraction of a second. is_current: see Board."""
    shown = Board(is_current=is_current)
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
    """The latest of whatever has a latest (a book, a quote, a position, an order), the last rows of everything else.

    is_current: what is over goes away: orders that ended, positions that were closed.
    """

    def __init__(self, *, is_current: bool = False) -> None:
        self._is_current = is_current
        self._latest: dict[str, dict[str, Record]] = {}
        self._rows: dict[str, deque[Record]] = {}
        self._control: ControlRecord | None = None

    def show(self, record: Record) -> None:
        """Take in one record."""
        if isinstance(record, ControlRecord):
            self._control = record
            return
        kind = str(record.__struct_config__.tag)
        key = _key(record)
        if key is None:
            self._rows.setdefault(kind, deque(maxlen=MAX_ROWS)).append(record)
            return
        found = self._latest.setdefault(kind, {})
        if isinstance(record, OrderRecord):
            found.pop(key, None)  # the latest news is the last line
        if self._is_current and _is_over(record):
            found.pop(key, None)
            return
        found[key] = _merged(found.get(key), record)
        while len(found) > MAX_ROWS and not isinstance(record, BookRecord):
            del found[next(iter(found))]

    def draw(self) -> Group:
        parts: list[Table | Text] = []
        tables = [(kind, list(found.values())) for kind, found in self._latest.items()]
        tables += [(kind, list(rows)) for kind, rows in self._rows.items()]
        for kind, records in tables:
            if kind == "book":
                parts += [_book(record) for record in records if isinstance(record, BookRecord)]
            elif kind == "status":
                parts += [part for record in records for part in _sheet(record)]
            elif records:
                parts.append(_table(records, title=kind if len(tables) > 1 else None))
        if self._control is not None:
            told = f"{self._control.kind} {self._control.detail or ''}".strip()
            parts.append(Text(escape(f"{_short(self._control.ts_iso)} {told}"), style="dim"))
        return Group(*parts)


def _key(record: Record) -> str | None:
    """Which record takes the place of an earlier one; None where each stays."""
    if isinstance(record, OrderRecord):
        return record.client_order_id
    if isinstance(record, BalanceRecord):
        return record.currency
    if isinstance(record, _OF_A_MARKET):
        return record.trading_pair
    return "" if isinstance(record, StatusRecord) else None


def _merged(known: Record | None, record: Record) -> Record:
    """Where a stream tells only the middle price of a market, the rest stays as it was last told."""
    if isinstance(known, TickerRecord) and isinstance(record, TickerRecord) and record.mark_price is None:
        return msgspec.structs.replace(known, mid_price=record.mid_price, ts_ns=record.ts_ns, ts_iso=record.ts_iso)
    return record


def _is_over(record: Record) -> bool:
    if isinstance(record, OrderRecord):
        return record.state in _ENDED
    return isinstance(record, PositionRecord) and record.side == "flat"


def _table(records: list[Record], *, title: str | None = None) -> Table:
    columns = records[-1].columns
    rows = [[_cell(cells.get(name)) for name in columns] for cells in map(msgspec.to_builtins, records)]
    table = _Whole(title=title, title_justify="left", box=None, pad_edge=False)
    for name, *cells in zip(columns, *rows, strict=True):
        numeric = all(cell == "-" or cell.lstrip("-").replace(".", "", 1).isdigit() for cell in cells)
        table.add_column(Text(name), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


class _Whole(Table):
    """A table that cuts nothing that it shows: half a price looks like a price.

    Where it is too wide, its heads are broken at their underscores, and then its last columns are left out and named.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._is_too_wide(console, options):
            for column in self.columns:
                column.header = Text(str(column.header).replace("_", "\n"))
        left_out: list[str] = []
        while len(self.columns) > 1 and self._is_too_wide(console, options):
            left_out.insert(0, str(self.columns.pop().header).replace("\n", "_"))
        yield from super().__rich_console__(console, options)
        if left_out:
            yield Text(f"too narrow for {', '.join(left_out)}", style="dim")

    def _is_too_wide(self, console: Console, options: ConsoleOptions) -> bool:
        return Measurement.get(console, options.update(max_width=WIDEST), self).maximum > options.max_width


def _sheet(record: Record) -> list[Table | Text]:
    """One record from top to bottom, and the latest of each of its lists as a table."""
    sheet = Table(box=None, pad_edge=False, show_header=False)
    parts: list[Table | Text] = [sheet]
    for name in ("ts_iso", *record.columns):
        value = getattr(record, name)
        if isinstance(value, tuple) and value:
            parts += [Text(), _table(list(value[-MAX_ROWS:]), title=name)]
        else:
            sheet.add_row(Text(name), Text(_cell(None if value == () else value)))
    return parts


def _cell(value: object) -> str:
    return "-" if value is None else escape(_short(str(value)))


def _short(text: str) -> str:
    """A time in milliseconds; everything else as it is."""
    is_time = len(text) == LONG_TIME and text[10] == "T" and text.endswith("Z")
    return f"{text[:23]}Z" if is_time else text


def _book(book: BookRecord) -> Table:
    table = Table(title=Text(escape(f"{book.trading_pair}  {_short(book.ts_iso)}")), box=None, pad_edge=False)
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
