"""Installed connectors."""

from __future__ import annotations

from typing import ClassVar, Literal

from .base import Record


class ConnectorRecord(Record, frozen=True, kw_only=True, tag="connector"):
    """An installed connector, from package metadata alone. problem: why it cannot be used, when that is visible."""

    columns: ClassVar[tuple[str, ...]] = ("name", "distribution", "version", "summary", "problem")
    id_field: ClassVar[str | None] = "name"

    name: str
    distribution: str
    version: str
    summary: str
    target: str
    problem: str | None


class ConnectorList(Record, frozen=True, kw_only=True, tag="connectors"):
    items: tuple[ConnectorRecord, ...]


class ConnectorInfoRecord(Record, frozen=True, kw_only=True, tag="connector-info"):
    """What a connector says about itself, loaded."""

    id_field: ClassVar[str | None] = "name"

    name: str
    title: str
    distribution: str
    version: str
    target: str
    api_version: int
    connector_type: str
    networks: tuple[str, ...]
    order_types: tuple[str, ...]
    tifs: tuple[str, ...]
    channels: tuple[str, ...]
    capabilities: tuple[str, ...]
    key_variables: tuple[str, ...]


class ConnectorCheckRecord(Record, frozen=True, kw_only=True, tag="connector-check"):
    """One connector, loaded and asked for its parts. grade: "ok", or "broken" with the problem."""

    columns: ClassVar[tuple[str, ...]] = ("name", "distribution", "version", "api_version", "grade", "hooks", "problem")
    id_field: ClassVar[str | None] = "name"

    name: str
    distribution: str
    version: str
    api_version: int | None
    grade: Literal["ok", "broken"]
    hooks: int
    problem: str | None


class ConnectorCheckList(Record, frozen=True, kw_only=True, tag="connector-checks"):
    items: tuple[ConnectorCheckRecord, ...]
