"""What the venue takes: signed actions and their envelope, as msgspec Structs.

Members stand in the order in which they are hashed, and a member that is left out on the wire is left out of the hash
too: `omit_defaults` does both. This is the closed list; what is not here cannot be signed.
Source: the API page Exchange endpoint; the order of members is that of the official SDK.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Num: TypeAlias = str


class Tif(msgspec.Struct, frozen=True):
    tif: Literal["Gtc", "Ioc", "Alo"]


class Trigger(msgspec.Struct, frozen=True, rename="camel"):
    is_market: bool
    trigger_px: Num
    tpsl: Literal["tp", "sl"]


class OrderKind(msgspec.Struct, frozen=True, omit_defaults=True):
    """Exactly one member is set."""

    limit: Tif | None = None
    trigger: Trigger | None = None


class OrderWire(msgspec.Struct, frozen=True, omit_defaults=True):
    """a asset, b is buy, p price, s size, r reduce only, t kind, c cloid."""

    a: int
    b: bool
    p: Num
    s: Num
    r: bool
    t: OrderKind
    c: str | None = None


class Builder(msgspec.Struct, frozen=True):
    b: str
    f: int


class OrderAction(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="order"):
    orders: tuple[OrderWire, ...]
    grouping: str
    builder: Builder | None = None


class CancelWire(msgspec.Struct, frozen=True):
    a: int
    o: int


class CancelAction(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="cancel"):
    """f: fast, for everything but trigger orders."""

    cancels: tuple[CancelWire, ...]
    f: bool = False


class CancelByCloidWire(msgspec.Struct, frozen=True):
    asset: int
    cloid: str


class CancelByCloidAction(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="cancelByCloid"):
    cancels: tuple[CancelByCloidWire, ...]
    f: bool = False


class ModifyAction(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="modify"):
    oid: int | str
    order: OrderWire
    a: bool = False


class ModifyWire(msgspec.Struct, frozen=True):
    oid: int | str
    order: OrderWire


class BatchModifyAction(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="batchModify"):
    modifies: tuple[ModifyWire, ...]
    a: bool = False


class UpdateLeverageAction(msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="updateLeverage"):
    asset: int
    is_cross: bool
    leverage: int


class UpdateIsolatedMarginAction(
    msgspec.Struct, frozen=True, rename="camel", tag_field="type", tag="updateIsolatedMargin"
):
    """ntli: millionths of a dollar, negative takes margin out. is_buy is always true."""

    asset: int
    is_buy: bool
    ntli: int


class ScheduleCancelAction(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="scheduleCancel"):
    time: int | None = None


class NoopAction(msgspec.Struct, frozen=True, tag_field="type", tag="noop"):
    pass


L1Action: TypeAlias = (
    OrderAction
    | CancelAction
    | CancelByCloidAction
    | ModifyAction
    | BatchModifyAction
    | UpdateLeverageAction
    | UpdateIsolatedMarginAction
    | ScheduleCancelAction
    | NoopAction
)


class ApproveAgentAction(
    msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", tag_field="type", tag="approveAgent"
):
    """Signed by the account itself. agent_name is left out of the posted action when the agent has no name."""

    hyperliquid_chain: str
    signature_chain_id: str
    agent_address: str
    nonce: int
    agent_name: str | None = None


class Signature(msgspec.Struct, frozen=True):
    """r and s as 0x and 64 hex digits; v is 27 or 28."""

    r: str
    s: str
    v: int


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    action: L1Action | ApproveAgentAction
    nonce: int
    signature: Signature
    vault_address: str | None = None
    expires_after: int | None = None
