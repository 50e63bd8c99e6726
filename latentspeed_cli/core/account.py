"""What an account holds, as values. Amounts and prices are Decimals; times Unix nanoseconds of the venue.

received_ts_ns: when it came here, by the clock of this machine; of what streams tell.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .decimals import ZERO


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """total: as the venue counts it, which may be with or without the worth of positions. available: of the collateral,
    what positions and orders leave free; None where the source does not tell. ts_ns: as of when; None where that is
    known of the whole account, or not at all.
    """

    currency: str
    total: Decimal
    available: Decimal | None
    ts_ns: int | None = None
    received_ts_ns: int | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """A position. amount is signed base units, negative is short; 0 where a stream tells that it is closed.

    leverage, margin_used: None where the source does not tell. margin: "cross" or "isolated". ts_ns: as of when; None
    where that is known of the whole account, or not at all.
    """

    trading_pair: str
    amount: Decimal
    entry_price: Decimal | None
    position_value: Decimal
    unrealized_pnl: Decimal
    liquidation_price: Decimal | None
    leverage: Decimal | None
    margin: str
    margin_used: Decimal | None
    ts_ns: int | None = None
    received_ts_ns: int | None = None

    def closed(self) -> Position:
        """The same market with no position in it."""
        return msgspec.structs.replace(
            self,
            amount=ZERO,
            entry_price=None,
            position_value=ZERO,
            unrealized_pnl=ZERO,
            liquidation_price=None,
            margin_used=ZERO,
        )


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
    received_ts_ns: int | None = None


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests the venue still takes. of: of what, for people."""

    used: int
    most: int
    of: str


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Something came to the account (positive) or left it. kind: the venue's word for it. counterparty: an address."""

    ts_ns: int
    kind: str
    currency: str
    amount: Decimal
    counterparty: str | None
    received_ts_ns: int | None = None


class Liquidation(msgspec.Struct, frozen=True, kw_only=True):
    """The venue took over positions of `account`. kind: the venue's word for it. trading_pair: None where it tells of
    the whole account at once. notional: of what it took, account_value: before it did, both in quote currency.
    liquidator, account_value: None where the venue does not tell.
    """

    account: str
    ts_ns: int
    kind: str
    trading_pair: str | None
    liquidator: str | None
    notional: Decimal
    account_value: Decimal | None
    received_ts_ns: int | None = None
