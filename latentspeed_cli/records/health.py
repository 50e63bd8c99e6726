"""What `doctor` finds."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from .base import Record

Verdict: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class FindingRecord(Record, frozen=True, kw_only=True, tag="finding"):
    """One thing that was looked at. code: the exit code it would lead to, 0 unless it failed. advice: what to do."""

    columns: ClassVar[tuple[str, ...]] = ("subject", "verdict", "detail", "advice")
    id_field: ClassVar[str | None] = "subject"

    subject: str
    verdict: Verdict
    detail: str
    advice: str | None
    code: int


class FindingList(Record, frozen=True, kw_only=True, tag="findings"):
    items: tuple[FindingRecord, ...]
