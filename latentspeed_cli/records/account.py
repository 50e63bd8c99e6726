"""What an account holds, pays and is told."""

from __future__ import annotations

from typing import ClassVar, Literal

from .. import clock
from ..core.account import Balance, FundingPayment, Liquidation, Position, Transfer
from ..core.decimals import plain
from .base import Number, Record, iso, number


class PositionRecord(Record, frozen=True, kw_only=True, tag="position"):
    """One position. amount: signed base units, negative is short, 0 where it was closed. Money is in quote currency."""

    columns: ClassVar[tuple[str, ...]] = (
        "trading_pair",
        "side",
        "amount",
        "entry_price",
        "position_value",
        "unrealized_pnl",
        "liquidation_price",
        "leverage",
        "margin",
        "margin_used",
    )
    id_field: ClassVar[str | None] = "trading_pair"

    venue: str
    network: str
    account: str
    trading_pair: str
    side: Literal["long", "short", "flat"]
    amount: Number
    entry_price: Number | None
    position_value: Number
    unrealized_pnl: Number
    liquidation_price: Number | None
    leverage: Number | None
    margin: str
    margin_used: Number | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class PositionList(Record, frozen=True, kw_only=True, tag="positions"):
    """stale: the venue could not be asked; these are as this machine saw them last."""

    items: tuple[PositionRecord, ...]
    stale: bool = False


class BalanceRecord(Record, frozen=True, kw_only=True, tag="balance"):
    """total: as the venue counts it; on Hyperliquid the profit of positions is in it, on dYdX their cost is taken off.
    available: what positions and orders leave free; null where a stream does not tell.
    """

    columns: ClassVar[tuple[str, ...]] = ("currency", "total", "available", "ts_iso")
    id_field: ClassVar[str | None] = "currency"

    venue: str
    network: str
    account: str
    currency: str
    total: Number
    available: Number | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class BalanceList(Record, frozen=True, kw_only=True, tag="balances"):
    """stale: the venue could not be asked; these are as this machine saw them last."""

    items: tuple[BalanceRecord, ...]
    stale: bool = False


class FundingPaymentRecord(Record, frozen=True, kw_only=True, tag="funding-payment"):
    """amount: quote currency, negative was paid. rate: of one hour."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "trading_pair", "position_amount", "rate", "amount")

    venue: str
    network: str
    account: str
    trading_pair: str
    position_amount: Number
    rate: Number
    amount: Number
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class FundingPaymentList(Record, frozen=True, kw_only=True, tag="funding-payments"):
    items: tuple[FundingPaymentRecord, ...]


class LeverageRecord(Record, frozen=True, kw_only=True, tag="leverage"):
    """What is set for a market. max_leverage: the most that the market allows. changed: by this command."""

    columns: ClassVar[tuple[str, ...]] = ("trading_pair", "leverage", "margin", "max_leverage", "changed")
    id_field: ClassVar[str | None] = "trading_pair"

    venue: str
    network: str
    account: str
    trading_pair: str
    leverage: Number
    margin: Literal["cross", "isolated"]
    max_leverage: int
    changed: bool
    ts_ns: int
    ts_iso: str


class LiquidationRecord(Record, frozen=True, kw_only=True, tag="liquidation"):
    """The venue took over positions of the account. kind: the venue's word for it. trading_pair: null where it tells of
    the whole account at once. notional: of what it took, account_value: before it did, both in quote currency.
    liquidator, account_value: null where the venue does not tell.
    """

    columns: ClassVar[tuple[str, ...]] = (
        "ts_iso",
        "kind",
        "account",
        "trading_pair",
        "liquidator",
        "notional",
        "account_value",
    )

    venue: str
    network: str
    account: str
    kind: str
    trading_pair: str | None
    liquidator: str | None
    notional: Number
    account_value: Number | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


class TransferRecord(Record, frozen=True, kw_only=True, tag="transfer"):
    """Something came to the account (positive) or left it. kind: the venue's word for it. counterparty: an address."""

    columns: ClassVar[tuple[str, ...]] = ("ts_iso", "kind", "currency", "amount", "counterparty")

    venue: str
    network: str
    account: str
    kind: str
    currency: str
    amount: Number
    counterparty: str | None
    ts_ns: int
    ts_iso: str
    received_ts_ns: int | None = None
    received_ts_iso: str | None = None
    seq: int | None = None


def position_record(
    position: Position,
    *,
    venue: str,
    network: str,
    account: str,
    ts_ns: int,
    received_ns: int | None = None,
    seq: int | None = None,
) -> PositionRecord:
    return PositionRecord(
        venue=venue,
        network=network,
        account=account,
        trading_pair=position.trading_pair,
        side="long" if position.amount > 0 else "short" if position.amount < 0 else "flat",
        amount=plain(position.amount),
        entry_price=number(position.entry_price),
        position_value=plain(position.position_value),
        unrealized_pnl=plain(position.unrealized_pnl),
        liquidation_price=number(position.liquidation_price),
        leverage=number(position.leverage),
        margin=position.margin,
        margin_used=number(position.margin_used),
        ts_ns=ts_ns,
        ts_iso=clock.iso(ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def balance_record(
    balance: Balance,
    *,
    venue: str,
    network: str,
    account: str,
    ts_ns: int,
    received_ns: int | None = None,
    seq: int | None = None,
) -> BalanceRecord:
    return BalanceRecord(
        venue=venue,
        network=network,
        account=account,
        currency=balance.currency,
        total=plain(balance.total),
        available=number(balance.available),
        ts_ns=ts_ns,
        ts_iso=clock.iso(ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def funding_payment_record(
    payment: FundingPayment,
    *,
    venue: str,
    network: str,
    account: str,
    received_ns: int | None = None,
    seq: int | None = None,
) -> FundingPaymentRecord:
    return FundingPaymentRecord(
        venue=venue,
        network=network,
        account=account,
        trading_pair=payment.trading_pair,
        position_amount=plain(payment.position_amount),
        rate=plain(payment.rate),
        amount=plain(payment.amount),
        ts_ns=payment.ts_ns,
        ts_iso=clock.iso(payment.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def liquidation_record(
    liquidation: Liquidation, *, venue: str, network: str, received_ns: int | None = None, seq: int | None = None
) -> LiquidationRecord:
    return LiquidationRecord(
        venue=venue,
        network=network,
        account=liquidation.account,
        kind=liquidation.kind,
        trading_pair=liquidation.trading_pair,
        liquidator=liquidation.liquidator,
        notional=plain(liquidation.notional),
        account_value=number(liquidation.account_value),
        ts_ns=liquidation.ts_ns,
        ts_iso=clock.iso(liquidation.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )


def transfer_record(
    transfer: Transfer,
    *,
    venue: str,
    network: str,
    account: str,
    received_ns: int | None = None,
    seq: int | None = None,
) -> TransferRecord:
    return TransferRecord(
        venue=venue,
        network=network,
        account=account,
        kind=transfer.kind,
        currency=transfer.currency,
        amount=plain(transfer.amount),
        counterparty=transfer.counterparty,
        ts_ns=transfer.ts_ns,
        ts_iso=clock.iso(transfer.ts_ns),
        received_ts_ns=received_ns,
        received_ts_iso=iso(received_ns),
        seq=seq,
    )
