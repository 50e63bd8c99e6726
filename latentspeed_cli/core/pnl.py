"""What trading brought, from fills and funding alone: realised profit at average cost, less fees, with funding."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal

import msgspec

from .account import FundingPayment
from .decimals import ZERO
from .reports import TradeUpdate
from .types import TradeType

# A part of a cost need not be a number that can be written out.
_FIGURES = Context(prec=34)


class Profit(msgspec.Struct, frozen=True, kw_only=True):
    """The sum at ts_ns of all that was realised since the beginning, in quote currency."""

    ts_ns: int
    total: Decimal


class _Held(msgspec.Struct):
    """A position: signed base units, and what they cost, signed the same way."""

    amount: Decimal = ZERO
    cost: Decimal = ZERO

    def take(self, amount: Decimal, price: Decimal) -> Decimal:
        """Add signed `amount` at `price`; what was realised by it."""
        realised = ZERO
        if self.amount and (self.amount > 0) is not (amount > 0):  # it closes, perhaps more than there was
            closed = min(abs(amount), abs(self.amount)).copy_sign(self.amount)
            share = (
                self.cost
                if closed == self.amount
                else _FIGURES.divide(_FIGURES.multiply(self.cost, closed), self.amount)
            )
            realised = _FIGURES.subtract(_FIGURES.multiply(closed, price), share)
            self.amount, self.cost = _FIGURES.subtract(self.amount, closed), _FIGURES.subtract(self.cost, share)
            amount = _FIGURES.add(amount, closed)
        self.amount = _FIGURES.add(self.amount, amount)
        self.cost = _FIGURES.add(self.cost, _FIGURES.multiply(amount, price))
        return realised


def realised(fills: Iterable[TradeUpdate], payments: Iterable[FundingPayment] = ()) -> tuple[Profit, ...]:
    """The running sum after each fill and payment, oldest first.

    It begins with nothing held: what was bought before the first fill is not known, and neither is what it cost.
    """
    events: list[TradeUpdate | FundingPayment] = sorted([*fills, *payments], key=lambda event: event.ts_ns)
    held: dict[str, _Held] = {}
    total, found = ZERO, []
    for event in events:
        if isinstance(event, FundingPayment):
            total = _FIGURES.add(total, event.amount)
        else:
            amount = event.amount if event.side is TradeType.BUY else -event.amount
            brought = held.setdefault(event.trading_pair, _Held()).take(amount, event.price)
            total = _FIGURES.subtract(_FIGURES.add(total, brought), event.fee)
        found.append(Profit(ts_ns=event.ts_ns, total=total))
    return tuple(found)
