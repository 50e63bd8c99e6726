"""Where this command line stands."""

from __future__ import annotations

from typing import ClassVar

from .account import PositionRecord
from .base import Number, Record
from .orders import OrderRecord


class StatusRecord(Record, frozen=True, kw_only=True, tag="status"):
    """Where this command line stands: the way to the venue, the clocks, the account, the orders.

    reachable false: everything is `stale`, the orders are the journal's, the account is as it was seen last, at
    account_ts_ns. clock_skew_ms: local minus venue time. total_notional: what all positions are worth together.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "venue",
        "network",
        "base_url",
        "reachable",
        "latency_ms",
        "clock_skew_ms",
        "account",
        "account_value",
        "margin_used",
        "withdrawable",
        "positions",
        "open_orders",
        "undecided_orders",
    )
    always: ClassVar[tuple[str, ...]] = ("positions", "open_orders", "undecided_orders")

    venue: str
    network: str
    profile: str | None
    base_url: str | None
    account: str | None
    reachable: bool
    stale: bool
    latency_ms: int | None
    clock_skew_ms: int | None
    account_value: Number | None
    withdrawable: Number | None
    margin_used: Number | None
    total_notional: Number | None
    account_ts_ns: int | None
    account_ts_iso: str | None
    positions: tuple[PositionRecord, ...]
    open_orders: tuple[OrderRecord, ...]
    undecided_orders: tuple[OrderRecord, ...]
    ts_ns: int
    ts_iso: str
