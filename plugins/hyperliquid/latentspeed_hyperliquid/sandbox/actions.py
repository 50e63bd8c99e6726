"""The L1 actions of /exchange as typed values, and the envelope.

Field order is the order that is hashed; optional fields are left out.

JSON becomes these Structs (anything that does not fit is ShapeError, HTTP 422), numbers and addresses take their
canonical form, and the canonical form is what is encoded and hashed: the JSON as received never is.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from .numbers import ShapeError, parse_decimal, wire
from .texttypes import address, cloid
from .user_actions import UserAction, UserSigned


def decimal(text: str) -> str:
    """A decimal string without superfluous zeros."""
    return wire(parse_decimal(text))


class Limit(msgspec.Struct):
    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


class Trigger(msgspec.Struct):
    isMarket: bool
    triggerPx: str
    tpsl: Literal["tp", "sl"]


class OrderKind(msgspec.Struct, omit_defaults=True):
    """Exactly one of the two is set."""

    limit: Limit | None = None
    trigger: Trigger | None = None


class OrderSpec(msgspec.Struct, omit_defaults=True):
    """One order as sent. Unknown fields in it are ignored."""

    a: int
    b: bool
    p: str
    s: str
    r: bool
    t: OrderKind
    c: str | None = None

    def settle(self) -> None:
        """Take the canonical form."""
        if (self.t.limit is None) == (self.t.trigger is None) or self.a < 0:
            raise ShapeError("t")
        self.p, self.s = decimal(self.p), decimal(self.s)
        if self.t.trigger is not None:
            self.t.trigger.triggerPx = decimal(self.t.trigger.triggerPx)
        if self.c is not None:
            self.c = cloid(self.c)


class Builder(msgspec.Struct):
    b: str
    f: int


class Priority(msgspec.Struct):
    p: int


class Action(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, omit_defaults=True):
    """Base of the L1 actions."""

    def settle(self) -> None:
        """Take the canonical form."""


class PlaceOrders(Action, tag="order"):
    orders: list[OrderSpec]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority
    builder: Builder | None = None

    def settle(self) -> None:
        for order in self.orders:
            order.settle()
        if self.builder is not None:
            self.builder.b = address(self.builder.b)


class OidCancel(msgspec.Struct):
    a: int
    o: int


class CancelOrders(Action, tag="cancel"):
    cancels: list[OidCancel]
    f: bool = False


class CloidCancel(msgspec.Struct):
    asset: int
    cloid: str


class CancelByCloid(Action, tag="cancelByCloid"):
    cancels: list[CloidCancel]
    f: bool = False

    def settle(self) -> None:
        for item in self.cancels:
            item.cloid = cloid(item.cloid)


class ModifyOrder(Action, tag="modify"):
    oid: int | str
    order: OrderSpec
    a: bool = False

    def settle(self) -> None:
        if isinstance(self.oid, str):
            self.oid = cloid(self.oid)
        self.order.settle()


class ModifyItem(msgspec.Struct):
    oid: int | str
    order: OrderSpec


class BatchModify(Action, tag="batchModify"):
    modifies: list[ModifyItem]
    a: bool = False

    def settle(self) -> None:
        for item in self.modifies:
            if isinstance(item.oid, str):
                item.oid = cloid(item.oid)
            item.order.settle()


class ScheduleCancel(Action, tag="scheduleCancel"):
    time: int | None = None


class UpdateLeverage(Action, tag="updateLeverage"):
    asset: int
    isCross: bool
    leverage: int


class UpdateIsolatedMargin(Action, tag="updateIsolatedMargin"):
    asset: int
    isBuy: bool
    ntli: int


class TopUpIsolatedOnlyMargin(Action, tag="topUpIsolatedOnlyMargin"):
    asset: int
    leverage: str


class Twap(msgspec.Struct):
    a: int
    b: bool
    s: str
    r: bool
    m: int
    t: bool


class TwapOrder(Action, tag="twapOrder"):
    twap: Twap

    def settle(self) -> None:
        self.twap.s = decimal(self.twap.s)


class TwapCancel(Action, tag="twapCancel"):
    a: int
    t: int


class Noop(Action, tag="noop"):
    pass


class ReserveRequestWeight(Action, tag="reserveRequestWeight"):
    weight: int
    destination: str | None = None


class CreateSubAccount(Action, tag="createSubAccount"):
    name: str


class SubAccountModify(Action, tag="subAccountModify"):
    subAccountUser: str
    name: str

    def settle(self) -> None:
        self.subAccountUser = address(self.subAccountUser)


class SubAccountTransfer(Action, tag="subAccountTransfer"):
    subAccountUser: str
    isDeposit: bool
    usd: int

    def settle(self) -> None:
        self.subAccountUser = address(self.subAccountUser)


class VaultTransfer(Action, tag="vaultTransfer"):
    vaultAddress: str
    isDeposit: bool
    usd: int

    def settle(self) -> None:
        self.vaultAddress = address(self.vaultAddress)


class AgentSendAsset(Action, tag="agentSendAsset"):
    destination: str
    sourceDex: str
    destinationDex: str
    token: str
    amount: str
    fromSubAccount: str
    nonce: int

    def settle(self) -> None:
        self.destination = address(self.destination)
        self.amount = decimal(self.amount)


class AgentSetAbstraction(Action, tag="agentSetAbstraction"):
    abstraction: Literal["i", "u", "p"]


class AgentEnableDexAbstraction(Action, tag="agentEnableDexAbstraction"):
    pass


class SetReferrer(Action, tag="setReferrer"):
    code: str


class RegisterReferrer(Action, tag="registerReferrer"):
    code: str


class SetDisplayName(Action, tag="setDisplayName"):
    displayName: str


class EvmUserModify(Action, tag="evmUserModify"):
    usingBigBlocks: bool


class ClaimRewards(Action, tag="claimRewards"):
    pass


L1Action = (
    PlaceOrders
    | CancelOrders
    | CancelByCloid
    | ModifyOrder
    | BatchModify
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | TopUpIsolatedOnlyMargin
    | TwapOrder
    | TwapCancel
    | Noop
    | ReserveRequestWeight
    | CreateSubAccount
    | SubAccountModify
    | SubAccountTransfer
    | VaultTransfer
    | AgentSendAsset
    | AgentSetAbstraction
    | AgentEnableDexAbstraction
    | SetReferrer
    | RegisterReferrer
    | SetDisplayName
    | EvmUserModify
    | ClaimRewards
)


class Signature(msgspec.Struct):
    """r and s are hex numbers that may lack leading zeros."""

    r: str
    s: str
    v: int


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The body of /exchange."""

    action: dict[str, Any]
    nonce: int
    signature: Signature
    vaultAddress: str | None = None
    expiresAfter: int | None = None


_USER_TYPES = frozenset(kind.__struct_config__.tag for kind in get_args(UserSigned))


def read(raw: object) -> tuple[Envelope, Action | UserAction]:
    """The envelope and its action in canonical form. Raises ShapeError."""
    try:
        envelope = msgspec.convert(raw, Envelope)
        action: Action | UserAction
        if envelope.action.get("type") in _USER_TYPES:
            action = msgspec.convert(envelope.action, UserSigned)
        else:
            action = msgspec.convert(envelope.action, L1Action)
    except msgspec.ValidationError as error:
        raise ShapeError(str(error)) from error
    if envelope.nonce < 0 or (envelope.expiresAfter is not None and envelope.expiresAfter < 0):
        raise ShapeError("nonce")
    if envelope.vaultAddress is not None:
        envelope.vaultAddress = address(envelope.vaultAddress)
    action.settle()
    return envelope, action


def canonical_bytes(action: Action) -> bytes:
    """The action as the venue encodes it for hashing."""
    return msgspec.msgpack.encode(action)
