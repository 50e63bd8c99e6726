"""What an account holds, as values. Amounts and prices are Decimals; times Unix nanoseconds of the venue."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    currency: str
    total: Decimal
    available: Decimal


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """An open position. amount is signed base units, negative is short. margin: "cross" or "isolated"."""

    trading_pair: str
    amount: Decimal
    entry_price: Decimal | None
    position_value: Decimal
    unrealized_pnl: Decimal
    liquidation_price: Decimal | None
    leverage: Decimal
    margin: str
    margin_used: Decimal


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """One look at an account. All amounts in quote currency."""

    account: str
    ts_ns: int
    account_value: Decimal
    total_notional: Decimal
    margin_used: Decimal
    withdrawable: Decimal
    balances: tuple[Balance, ...]
    positions: tuple[Position, ...]


class FundingPayment(msgspec.Struct, frozen=True, kw_only=True):
    """amount: quote currency, negative was paid."""

    trading_pair: str
    ts_ns: int
    amount: Decimal
    rate: Decimal
    position_amount: Decimal


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests the venue still takes. of: of what, for people."""

    used: int
    most: int
    of: str


class Liquidation(msgspec.Struct, frozen=True, kw_only=True):
    """The venue took over positions of `account`. notional, account_value: quote currency, before it did."""

    account: str
    ts_ns: int
    liquidator: str
    notional: Decimal
    account_value: Decimal
