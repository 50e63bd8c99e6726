"""What all records share. The rules every record keeps stand in `records/__init__.py`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeAlias

import msgspec

from .. import clock
from ..core.decimals import plain

Number: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="a decimal, as text")]
Side: TypeAlias = Literal["buy", "sell"]


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="schema"):
    """Base of all records.

    columns: what a table shows, in this order. always: what people are shown of a single record even when it is empty.
    id_field: what `-o id` prints.
    """

    columns: ClassVar[tuple[str, ...]] = ()
    always: ClassVar[tuple[str, ...]] = ()
    id_field: ClassVar[str | None] = None
    schema_version: int = 1

    def ladder(self) -> tuple[str, tuple[str, ...], list[tuple[str, ...]]] | None:
        """Title, headers and rows, for a record that people read as a table of its own; None for all others."""
        return None


def number(value: Decimal | None) -> str | None:
    """A Decimal as records show it."""
    return None if value is None else plain(value)


def iso(ts_ns: int | None) -> str | None:
    """The ISO twin of a time."""
    return None if ts_ns is None else clock.iso(ts_ns)
