"""The only code that prints. Results go to stdout, everything else to stderr.

A table is for people, the other formats are for programs. Text from a venue is data: what does not show itself is
escaped, and no markup is interpreted.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

import msgspec

from .core.words import nearest
from .errors import Exit, LatentspeedError, UsageError
from .hostile import escape
from .records import ErrorRecord, NoteRecord, Record, ResultList, error_record

if TYPE_CHECKING:
    from .lines import Lines

Tree = dict[str, Any]
# Times in nanoseconds; people are shown milliseconds.
_LONG_TIME = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d{6}Z$")
# A number to be aligned; long runs of digits are ids.
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?")


class Output:
    """How this run shows things.

    format: table, json, ndjson, csv or id. chosen: a person asked for that format. fields: dotted names, or None.
    A closed stdout raises BrokenPipeError from every method that writes results.
    """

    def __init__(
        self,
        *,
        format: str,
        chosen: bool = False,
        fields: tuple[str, ...] | None = None,
        quiet: bool = False,
        color: bool = False,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
    ) -> None:
        self.format = format
        self.chosen = chosen
        self.fields = fields
        self.quiet = quiet
        self.color = color
        self.stdout = stdout
        self.stderr = stderr
        self._csv_header: list[str] | None = None
        self._csv_columns: list[str] | None = None

    @property
    def is_json(self) -> bool:
        return self.format in ("json", "ndjson")

    def check(self, *record_types: type[Record], among: type[Record] | None = None) -> None:
        """Refuse now what could not be shown later. Call it before anything is sent.

        Of several types of records, a field has to be in one of them. among: records of that type stand between the
        others. A spreadsheet of a mixture has one header, with the columns of all of them.
        """
        mixture = record_types if among is None else (*record_types, among)
        known = list(dict.fromkeys(field.name for one in mixture for field in msgspec.structs.fields(one)))
        if len(mixture) > 1:
            self._csv_columns = ["schema", *known]
        names = " or ".join(map(_schema, record_types))
        for name in self.fields or ():
            if name.partition(".")[0] not in (*known, "schema"):
                raise UsageError(f"--fields: a record of {names} has no {name!r}", hint=nearest(name, known))
        if self.format == "id" and any(one.id_field is None for one in record_types):
            raise UsageError(f"-o id: a record of {names} has no id")

    def show(self, record: Record, *, ok: bool = True) -> None:
        """One result. ok: it is a success, which --quiet keeps to itself unless a format was asked for."""
        if self.quiet and ok and not self.chosen:
            return
        if self.format == "json":
            self._write(self._json(record, pretty=_is_terminal(self.stdout)))
            return
        items: Sequence[Record] | None = getattr(record, "items", None)
        if self.format == "table":
            self._write(self._table(items) if items is not None else self._sheet(record))
            return
        if isinstance(record, ResultList):  # a spreadsheet has one header, whatever became of the rows
            self._csv_columns = list(dict.fromkeys(name for item in record.items for name in _flat(self._tree(item))))
        for item in (record,) if items is None else items:
            self.row(item)

    def finish(self, record: Record, error: LatentspeedError | None) -> Exit:
        """Show a result and end the command with it. Raises `error`; a closed stdout does not hide an open question."""
        try:
            self.show(record, ok=error is None)
        except BrokenPipeError:
            if error is None or error.exit is not Exit.UNKNOWN:
                raise
        if error is not None:
            raise error
        return Exit.OK

    def row(self, record: Record) -> None:
        """One record of a series, on its own line, out at once."""
        line = self._line(record)
        if line is not None:
            self._write(line)

    def _line(self, record: Record) -> str | None:
        if self.format in ("json", "ndjson"):
            return self._json(record)
        if self.format == "csv":
            return self._csv(record)
        if self.format == "id":
            identity = getattr(record, record.id_field) if record.id_field else None
            return None if identity is None else escape(str(identity))
        cells = _flat(self._tree(record))
        columns = self.fields or record.columns or tuple(cells)
        return "  ".join(_cell(cells.get(name)) for name in columns)

    @property
    def is_redrawn(self) -> bool:
        """Whether a series is best shown as a table that is drawn anew: a person looks at it."""
        return self.format == "table" and _is_terminal(self.stdout)

    def patient(self, stalled_after_s: float) -> AbstractContextManager[Lines]:
        """How to show a series line by line while it happens: `lines.patient`, in the format of this run."""
        from .lines import patient  # only a series needs it

        return patient(self._line, self._put, self.stdout, stalled_after_s)

    @property
    def size(self) -> tuple[int, int] | None:
        """Columns and rows of the terminal that results are shown on; None where they are not."""
        if not _is_terminal(self.stdout):
            return None
        try:
            found = os.get_terminal_size(self.stdout.fileno() if self.stdout is not None else -1)
        except (OSError, ValueError):
            return None
        return (found.columns, found.lines) if found.columns and found.lines else None

    @property
    def shows_progress(self) -> bool:
        """Whether somebody looks at stderr and did not ask for quiet."""
        return not self.quiet and _is_terminal(self.stderr)

    def text(self, text: str) -> None:
        """A document, as it stands."""
        self._write(text.rstrip("\n"))

    def note(self, message: str, *, client_order_id: str | None = None) -> None:
        """Something a person may want to know while it happens."""
        if self.quiet:
            return
        if self.is_json and not _is_terminal(self.stderr):
            note = NoteRecord(message=message, client_order_id=client_order_id)
            self._say(_escaped_json(msgspec.json.encode(note)))
        else:
            self._say(escape(message))

    def error(self, error: LatentspeedError) -> None:
        """Why something was not done: one JSON object in the JSON formats, lines for people otherwise."""
        if self.is_json:
            self._say(_escaped_json(msgspec.json.encode(error_record(error))))
            return
        label = "\x1b[31merror\x1b[0m" if self.color else "error"
        self._say(f"{label}: {escape(str(error))}")
        if error.hint:
            self._say(f"hint: {escape(error.hint)}")

    def _write(self, text: str) -> None:
        self._put(text + "\n")

    def _put(self, text: str) -> None:
        if self.stdout is None:
            raise BrokenPipeError("stdout is closed")
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except (OSError, ValueError) as error:  # ValueError: it was closed by somebody
            self.stdout = None
            raise BrokenPipeError(f"stdout takes no more: {error}") from None

    def _say(self, text: str) -> None:
        if self.stderr is None:
            return
        try:
            self.stderr.write(text + "\n")
            self.stderr.flush()
        except (OSError, ValueError):
            self.stderr = None  # nobody listens; the exit code still tells

    def _tree(self, record: Record) -> Tree:
        """What is shown of a record. An error among results stays whole: it has none of the fields of an order."""
        tree: Tree = msgspec.to_builtins(record)
        if self.fields is None or isinstance(record, ErrorRecord):
            return tree
        picked: Tree = {"schema": tree["schema"], "schema_version": tree["schema_version"]}
        for name in self.fields:
            _merge(picked, _pick(tree, name.split(".")))
        return picked

    def _json(self, record: Record, *, pretty: bool = False) -> str:
        if self.fields is None:
            data = msgspec.json.encode(record)
        elif (items := getattr(record, "items", None)) is not None:
            head = {name: getattr(record, name) for name in record.__struct_fields__ if name != "items"}
            items = [self._tree(item) for item in items]
            data = msgspec.json.encode({"schema": _schema(type(record)), **head, "items": items})
        else:
            data = msgspec.json.encode(self._tree(record))
        return _escaped_json(msgspec.json.format(data, indent=2) if pretty else data)

    def _csv(self, record: Record) -> str:
        cells = _flat(self._tree(record))
        columns = list(self.fields) if self.fields else self._csv_columns or list(cells)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self._csv_header != columns:
            writer.writerow(columns)
            self._csv_header = columns
        writer.writerow([_csv_cell(cells.get(name)) for name in columns])
        return text.getvalue().rstrip("\n")

    def _table(self, records: Sequence[Record]) -> str:
        if not records:
            return "(none)"
        kinds = dict.fromkeys(map(type, records))
        if len(kinds) > 1:  # each with columns of its own
            return "\n\n".join(self._table([one for one in records if type(one) is kind]) for kind in kinds)
        if self.fields is None and records[0].ladder() is not None:
            return "\n\n".join(map(self._sheet, records))
        fields = None if isinstance(records[0], ErrorRecord) else self.fields  # they say what to show of results
        columns = fields or records[0].columns or tuple(_flat(self._tree(records[0])))
        rows = [[_cell(cells.get(name)) for name in columns] for cells in map(_flat, map(self._tree, records))]
        return _grid(columns, rows)

    def _sheet(self, record: Record) -> str:
        """One record from top to bottom, lists of records below it as tables."""
        from tabulate import tabulate

        ladder = record.ladder()
        if self.fields is None and ladder is not None:
            title, headers, ladder_rows = ladder
            return f"{escape(title)}\n{_grid(headers, ladder_rows)}"
        cells = _flat(self._tree(record))
        lists = {
            name: value
            for name in record.__struct_fields__
            if isinstance(value := getattr(record, name), tuple) and value and isinstance(value[0], Record)
        }
        names = self.fields or [name for name in cells if name not in ("schema", "schema_version")]
        rows = [
            (name, _cell(cells.get(name)))
            for name in names
            if name not in lists and (self.fields or name in record.always or cells.get(name) not in (None, (), ""))
        ]
        parts = [str(tabulate(rows, tablefmt="plain", disable_numparse=True))]
        parts += [f"\n{name}\n{self._table(items)}" for name, items in lists.items()]
        return "\n".join(parts)


def _schema(record_type: type[Record]) -> str:
    return str(record_type.__struct_config__.tag)


def _grid(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their headers; numbers stand with their points below each other, everything else to the left."""
    from tabulate import tabulate

    columns = zip(*rows, strict=True) if rows else ([] for _ in headers)
    align = ["decimal" if _is_numeric(cells) else "left" for cells in columns]
    return str(tabulate(rows, headers=list(headers), disable_numparse=True, colalign=align))


def _is_numeric(cells: Iterable[str]) -> bool:
    """Whether there are numbers and nothing else; what is missing counts as neither."""
    found = [cell for cell in cells if cell not in ("-", "")]
    return bool(found) and all(map(_NUMBER.fullmatch, found))


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _escaped_json(data: bytes) -> str:
    """JSON with every character that does not show itself spelled out; still the same data."""
    text = data.decode()
    if data.isascii() and b"\x7f" not in data and b"\n" not in data:
        return text  # JSON itself spells the other ones out
    return text if text.isprintable() else "".join(char if char == "\n" else escape(char) for char in text)


def _pick(value: Any, path: list[str]) -> Any:
    if not path:
        return value
    if isinstance(value, list | tuple):
        return [_pick(item, path) for item in value]
    if not isinstance(value, dict):
        return None
    return {path[0]: _pick(value.get(path[0]), path[1:])}


def _merge(into: Tree, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        known = into.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        elif isinstance(known, list | tuple) and isinstance(value, list | tuple) and len(known) == len(value):
            for left, right in zip(known, value, strict=True):
                if isinstance(left, dict) and isinstance(right, dict):
                    _merge(left, right)
        else:
            into[key] = value


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Tree:
    """Nested objects as dotted names; lists stay as they are."""
    cells: Tree = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            cells |= _flat(value, f"{prefix}{key}.")
        else:
            cells[prefix + key] = value
    return cells


def _cell(value: Any) -> str:
    """One value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "-"
    if isinstance(value, dict):
        return " ".join(_cell(item) for item in value.values() if item is not None)
    return escape(_LONG_TIME.sub(r"\1Z", str(value)))


def _csv_cell(value: Any) -> str:
    """One value for a spreadsheet: no text of a venue becomes a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        return _escaped_json(msgspec.json.encode(value))
    text = escape(str(value))
    if text[:1] in "=@+" or (text[:1] == "-" and not text[1:2].isdigit()):
        return "'" + text if text else text
    return text
