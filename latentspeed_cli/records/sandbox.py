"""The local exchange, and the tour on it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .base import Record


class SandboxAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published account of the local exchange."""

    address: str
    private_key: str
    mnemonic: str | None = None


class SandboxVenue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one venue of the local exchange listens. node_url, chain_id: of a chain; node_url is a gRPC host:port."""

    base_url: str
    ws_url: str
    node_url: str | None = None
    chain_id: str | None = None
    accounts: tuple[SandboxAccount, ...]


class SandboxRecord(Record, frozen=True, kw_only=True, tag="sandbox"):
    """The local exchange. instance: changes with every reset; null when none runs."""

    id_field: ClassVar[str | None] = "instance"

    running: bool
    instance: str | None
    scenario: str | None
    venues: dict[str, SandboxVenue]


class DemoStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the guided tour. command: what a person would type for it."""

    title: str
    command: str
    told: str
    held: bool


class DemoRecord(Record, frozen=True, kw_only=True, tag="demo"):
    """The tour of one venue. held: it was walked to its end, and every step went as it should."""

    columns: ClassVar[tuple[str, ...]] = ("venue", "network", "held", "took_ms")

    venue: str
    network: str
    held: bool
    took_ms: int
    steps: tuple[DemoStep, ...]


class DemoList(Record, frozen=True, kw_only=True, tag="demos"):
    items: tuple[DemoRecord, ...]
