"""What streams say about themselves."""

from __future__ import annotations

from typing import ClassVar, Literal

from .. import clock
from ..connector.streams import Control
from .base import Record, iso


class ControlRecord(Record, frozen=True, kw_only=True, tag="control"):
    """What a stream says about itself. since_ts_ns: the last news before a gap."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "kind", "channel", "trading_pair", "detail")

    venue: str
    network: str
    kind: Literal["connected", "snapshot", "gap", "conflated", "backfilled", "stale", "reconnected", "closed"]
    channel: str | None
    trading_pair: str | None
    detail: str | None
    since_ts_ns: int | None
    since_ts_iso: str | None
    ts_ns: int
    ts_iso: str
    seq: int | None = None


def control_record(control: Control, *, venue: str, network: str, seq: int | None = None) -> ControlRecord:
    return ControlRecord(
        venue=venue,
        network=network,
        kind=control.kind.value,
        channel=control.channel.value if control.channel else None,
        trading_pair=control.trading_pair,
        detail=control.detail,
        since_ts_ns=control.since_ns,
        since_ts_iso=iso(control.since_ns),
        ts_ns=control.ts_ns,
        ts_iso=clock.iso(control.ts_ns),
        seq=seq,
    )
