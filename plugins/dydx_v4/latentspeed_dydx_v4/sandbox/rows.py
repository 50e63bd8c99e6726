"""What the indexer keeps: rows of its database, and the ids it gives them (section 7.7)."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

import msgspec

from .state import Order

NAMESPACE = UUID("0f9da948-a6fb-4c45-9edc-4685c3f3317d")


@lru_cache(maxsize=4096)
def subaccount_id(owner: str, number: int) -> str:
    return str(uuid5(NAMESPACE, f"{owner}-{number}"))


@lru_cache(maxsize=16384)
def order_id(owner: str, number: int, client_id: int, flags: int, pair: int) -> str:
    return str(uuid5(NAMESPACE, f"{subaccount_id(owner, number)}-{client_id}-{pair}-{flags}"))


def id_of(order: Order) -> str:
    return order_id(order.owner, order.number, order.client_id, order.flags, order.pair)


def named(name: str) -> str:
    """The id of anything else: fills (`<event id>-TAKER`), positions, transfers."""
    return str(uuid5(NAMESPACE, name))


class OrderRow(msgspec.Struct):
    """An order in the database: stateful ones from their block, short-term ones from their first fill."""

    order: Order
    status: str
    filled: int
    created_height: int
    updated_height: int
    updated_ns: int
    number: int
    reason: str | None = None


class FillRow(msgspec.Struct, frozen=True):
    """One side of a match. order: its id, or None for a liquidation."""

    id: str
    owner: str
    number: int
    pair: int
    is_buy: bool
    is_taker: bool
    kind: str
    price: int
    size: int
    quote: int
    fee: int
    height: int
    time_ns: int
    event: str
    tx_hash: str
    order: str | None
    metadata: int
    builder: str
    builder_fee: int
    before: int
    entry_before: str


class PositionRow(msgspec.Struct):
    """A position from its opening to its close. size is signed; entry and exit are prices as text."""

    id: str
    owner: str
    number: int
    pair: int
    is_long: bool
    size: int
    max_size: int
    created_height: int
    created_ns: int
    serial: int
    entry: str = "0"
    exit: str | None = None
    opened: int = 0
    closed: int = 0
    net_funding: int = 0
    status: str = "OPEN"
    closed_ns: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status == "OPEN"


class TransferRow(msgspec.Struct, frozen=True):
    """A transfer; a number of None is the wallet."""

    id: str
    sender: str
    sender_number: int | None
    recipient: str
    recipient_number: int | None
    size: int
    height: int
    time_ns: int
    tx_hash: str
    serial: int


class PaymentRow(msgspec.Struct, frozen=True):
    """A funding payment of one position; payment is what the subaccount got."""

    owner: str
    number: int
    pair: int
    size: int
    rate: int
    price: int
    payment: int
    height: int
    time_ns: int
    serial: int


class SubaccountRow(msgspec.Struct):
    """A subaccount as the indexer last saw it."""

    owner: str
    number: int
    usdc: int
    sizes: dict[int, int]
    updated_height: int
    created_ns: int = 0
    net_transfers: int = 0
