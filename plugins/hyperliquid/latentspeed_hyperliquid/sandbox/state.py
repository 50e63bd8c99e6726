"""What the venue remembers. These objects are mutable; the rows stored on disk are their MessagePack form.

Prices and sizes are integers of 1e-8, dollars integers of 1e-6, times milliseconds.
"""

from __future__ import annotations

import msgspec

FINAL_IGNORED = frozenset({"open", "triggered", "waiting"})


class Position(msgspec.Struct):
    """One position. size is signed; entry is what |size| cost in dollars; isolated_raw its own cash, if isolated."""

    size: int = 0
    entry: int = 0
    isolated: bool = False
    isolated_raw: int = 0
    funding_all: int = 0
    funding_open: int = 0
    funding_change: int = 0


class Agent(msgspec.Struct):
    """An approved API wallet. name "" is the unnamed one."""

    address: str
    name: str
    valid_until: int


class Account(msgspec.Struct):
    """A user or sub-account. cash is totalRawUsd outside isolated positions; spot_usdc is in 1e-8."""

    address: str
    cash: int = 0
    spot_usdc: int = 0
    positions: dict[int, Position] = {}
    leverage: dict[int, tuple[bool, int]] = {}
    volume: int = 0
    requests: int = 0
    reserved: int = 0
    last_paid_ms: int = 0
    agents: dict[str, Agent] = {}
    pending_removal_ms: int = 0
    builders: dict[str, int] = {}
    referrer: str | None = None
    master: str | None = None
    name: str = ""
    subs: list[str] = []
    abstraction: str = "default"
    schedule_ms: int | None = None
    schedule_day: int = 0
    schedule_fired: int = 0
    days: dict[str, tuple[int, int]] = {}


class Order(msgspec.Struct):
    """One order from its arrival to its end. sz is what remains (cut by reduce-only), orig_sz what was asked for."""

    oid: int
    user: str
    asset: int
    coin: str
    is_buy: bool
    px: int
    sz: int
    orig_sz: int
    reduce_only: bool
    tif: str | None
    created_ms: int
    status: str = "open"
    status_ms: int = 0
    status_sz: int = 0
    cloid: str | None = None
    kind: str = "Limit"
    filled: int = 0
    cost: int = 0
    trigger_px: int = 0
    trigger_above: bool = False
    is_market: bool = False
    condition: str = "N/A"
    is_trigger: bool = False
    is_position_tpsl: bool = False
    whole_position: bool = False
    parent: int | None = None
    waiting: bool = False
    children: list[int] = []
    siblings: list[int] = []
    builder: str | None = None
    builder_fee: int = 0

    @property
    def live(self) -> bool:
        return self.status in {"open", "triggered"}


class Fill(msgspec.Struct, omit_defaults=False):
    """A fill as the venue shows it. Optional keys are absent, not null."""

    coin: str
    px: str
    sz: str
    side: str
    time: int
    startPosition: str
    dir: str
    closedPnl: str
    hash: str
    oid: int
    crossed: bool
    fee: str
    tid: int
    cloid: str | msgspec.UnsetType = msgspec.UNSET
    builderFee: str | msgspec.UnsetType = msgspec.UNSET
    liquidation: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    feeToken: str = "USDC"
    twapId: int | None = None


class StoredFill(msgspec.Struct):
    """A fill with its owner and its number."""

    user: str
    number: int
    fill: Fill


class History(msgspec.Struct):
    """A funding payment or a ledger update: time, hash and delta as the venue shows them."""

    user: str
    kind: str
    number: int
    time: int
    hash: str
    delta: dict[str, object]


class Counters(msgspec.Struct):
    """What numbers come next, and when the instance began."""

    start_ns: int = 0
    oid: int = 0
    action: int = 0
    fill: int = 0
    history: int = 0
    funding_hour: int = 0


class BasicOrder(msgspec.Struct, omit_defaults=False):
    """The short form of an order."""

    coin: str
    side: str
    limitPx: str
    sz: str
    oid: int
    timestamp: int
    origSz: str
    cloid: str | msgspec.UnsetType = msgspec.UNSET
    reduceOnly: bool | msgspec.UnsetType = msgspec.UNSET


class OrderUpdate(msgspec.Struct):
    """An entry of `orderUpdates`."""

    order: BasicOrder
    status: str
    statusTimestamp: int
