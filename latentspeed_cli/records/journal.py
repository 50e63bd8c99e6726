"""The operation log: its facts, and what checking them came to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Protocol

import msgspec

from .. import clock
from ..core.decimals import plain
from .base import Record


class FactRecord(Record, frozen=True, kw_only=True, tag="fact"):
    """One fact of the journal, in the order in which facts were written.

    kind: intent, attempt, reply, report, fill, cancel_intent, cancel_reply, proof, adopted, reserved or note. detail:
    the body in a few words. hash: of this fact and the one before it, in hex.
    """

    columns: ClassVar[tuple[str, ...]] = ("seq", "ts_iso", "kind", "client_order_id", "attempt", "detail")
    id_field: ClassVar[str | None] = "seq"

    network: str
    seq: int
    ts_ns: int
    ts_iso: str
    kind: str
    client_order_id: str | None
    attempt: int | None
    detail: str
    body: dict[str, Any]
    hash: str


class FactList(Record, frozen=True, kw_only=True, tag="facts"):
    items: tuple[FactRecord, ...]


class VerifiedRecord(Record, frozen=True, kw_only=True, tag="verified"):
    """A journal whose every fact follows from the one before it. instance: of the sandbox, else empty.

    archived_facts: those of sandbox instances that are past.
    """

    network: str
    instance: str
    path: str
    facts: int
    archived_instances: int
    archived_facts: int
    last_hash: str | None


class StoredFact(Protocol):
    """The journal's facts, as they are handed over (journal/facts.py). body: JSON."""

    @property
    def seq(self) -> int: ...
    @property
    def ts_ns(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def client_order_id(self) -> str | None: ...
    @property
    def attempt(self) -> int | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def hash(self) -> bytes: ...


def fact_record(fact: StoredFact, *, network: str) -> FactRecord:
    body = msgspec.json.decode(fact.body, type=dict[str, Any])
    return FactRecord(
        network=network,
        seq=fact.seq,
        ts_ns=fact.ts_ns,
        ts_iso=clock.iso(fact.ts_ns),
        kind=fact.kind,
        client_order_id=fact.client_order_id,
        attempt=fact.attempt,
        detail=_detail(fact.kind, body),
        body=body,
        hash=fact.hash.hex(),
    )


def _detail(kind: str, body: Mapping[str, Any]) -> str:
    """The body in a few words."""
    if kind in ("intent", "adopted", "fill"):
        price = f" at {_plain(body['price'])}" if body.get("price") else ""
        return f"{body['side']} {_plain(body['amount'])} {body['trading_pair']}{price}"
    if kind in ("attempt", "cancel_intent", "reserved"):
        return f"nonce {body.get('nonce')}"
    return ": ".join(str(word) for word in (body.get("report"), body.get("reason")) if word)


def _plain(text: str) -> str:
    return plain(Decimal(text))
