"""What stderr is told: why something was not done, which may also stand among the results of a batch; and notes."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from ..errors import LatentspeedError
from .base import Record
from .orders import OrderRecord


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """code is the name in the table of `latentspeed docs exit-codes`. retry: may the same command be given again?"""

    code: str
    exit_code: int
    message: str
    venue_code: str | None
    retry: Literal["never", "same-id", "safe"]
    retry_after_ms: int | None
    hint: str | None
    client_order_id: str | None


class ErrorRecord(Record, frozen=True, kw_only=True, tag="error"):
    """Why something was not done. line: which line of a batch, counted from 1."""

    error: ErrorBody
    line: int | None = None

    columns: ClassVar[tuple[str, ...]] = ("line", "error.code", "error.message", "error.client_order_id")


class NoteRecord(Record, frozen=True, kw_only=True, tag="note"):
    """Something worth knowing while a command runs. client_order_id: of the order that it is about."""

    message: str
    client_order_id: str | None


class ResultList(Record, frozen=True, kw_only=True, tag="results"):
    """What became of each item of a batch: an order, or the error of a row that never became one."""

    items: tuple[OrderRecord | ErrorRecord, ...]


def error_record(error: LatentspeedError, *, line: int | None = None) -> ErrorRecord:
    return ErrorRecord(
        error=ErrorBody(
            code=error.exit.label,
            exit_code=error.exit_code,
            message=str(error),
            venue_code=error.venue_code,
            retry=error.retry.value,
            retry_after_ms=error.retry_after_ms,
            hint=error.hint,
            client_order_id=error.client_order_id,
        ),
        line=line,
    )
