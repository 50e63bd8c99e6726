"""TradingRule: a market's grid. What a person typed is refused when it is off the grid; what we computed is rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from ..errors import OrderRefused
from .decimals import EXACT, is_multiple, plain, round_down, round_up
from .types import TradeType

if TYPE_CHECKING:
    from .in_flight_order import OrderIntent

_ONE = Decimal(1)


class TradingRule(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one market.

    amount_step, min_amount: base units. min_notional: quote units. price_tick: the finest price step; with
    price_significant_figures a price may use at most that many figures, except that whole numbers are always allowed.
    max_notional_limit, max_notional_market: quote units, None for no bound.
    """

    trading_pair: str
    amount_step: Decimal
    min_amount: Decimal
    min_notional: Decimal
    price_tick: Decimal
    price_significant_figures: int | None = None
    max_notional_limit: Decimal | None = None
    max_notional_market: Decimal | None = None

    # What a person typed: legal as it stands, or refused

    def check(self, intent: OrderIntent) -> None:
        """Check every number that was typed. Raises OrderRefused."""
        if intent.amount is not None:
            self.check_amount(intent.amount)
        if intent.notional is not None and intent.notional <= 0:
            raise OrderRefused(f"notional must be above zero, not {plain(intent.notional)}")
        if intent.price is not None:
            self.check_price(intent.price)
        if intent.trigger_price is not None:
            self.check_price(intent.trigger_price, what="trigger price")

    def check_amount(self, value: Decimal) -> None:
        """Raise OrderRefused, with the nearest legal amounts, unless `value` is on the lot grid and large enough."""
        if value <= 0:
            raise OrderRefused(f"amount must be above zero, not {plain(value)}")
        if value < self.min_amount:
            raise OrderRefused(
                f"amount {plain(value)} is below the minimum of {self.trading_pair}",
                hint=f"the smallest amount is {plain(round_up(self.min_amount, self.amount_step))}",
            )
        if not is_multiple(value, self.amount_step):
            below, above = round_down(value, self.amount_step), round_up(value, self.amount_step)
            raise OrderRefused(
                f"amount {plain(value)} is not a multiple of {plain(self.amount_step)} ({self.trading_pair})",
                hint=_nearest("amounts", [legal for legal in (below, above) if legal >= self.min_amount and legal > 0]),
            )

    def check_price(self, value: Decimal, *, what: str = "price") -> None:
        """Raise OrderRefused, with the nearest legal prices, unless `value` is on the price grid."""
        if value <= 0:
            raise OrderRefused(f"{what} must be above zero, not {plain(value)}")
        step = self.price_step(value)
        if not is_multiple(value, step):
            figures = self.price_significant_figures
            rule = f"a multiple of {plain(self.price_tick)}"
            if figures is not None:
                rule += f" with at most {figures} significant figures"
            below, above = round_down(value, step), round_up(value, step)
            raise OrderRefused(
                f"{what} {plain(value)} is not {rule} ({self.trading_pair})",
                hint=_nearest("prices", [legal for legal in (below, above) if legal > 0]),
            )

    def check_notional(self, amount: Decimal, price: Decimal, *, is_market: bool, exempt: bool = False) -> None:
        """Raise OrderRefused when amount * price is outside the market's bounds.

        price: quote per base at which the order is valued: its limit, or for a market order the price it will meet.
        exempt: below the minimum is allowed, as for closing a position; the venue knows whether it is closed.
        """
        notional = EXACT.multiply(amount, price)
        if notional < self.min_notional and not exempt:
            raise OrderRefused(
                f"order value {plain(notional)} is below the minimum {plain(self.min_notional)} of {self.trading_pair}",
                hint=f"at {plain(price)} the smallest amount is {plain(self._smallest_amount(price))}",
            )
        bound = self.max_notional_market if is_market else self.max_notional_limit
        if bound is not None and notional > bound:
            raise OrderRefused(
                f"order value {plain(notional)} is above the maximum {plain(bound)} of {self.trading_pair}"
            )

    # What we computed: rounded, never in the dearer direction

    def fit_amount(self, value: Decimal) -> Decimal:
        """The largest legal amount that is not above `value`. Raises OrderRefused when there is none."""
        fitted = round_down(value, self.amount_step)
        if fitted <= 0 or fitted < self.min_amount:
            raise OrderRefused(
                f"amount {plain(value)} is below the minimum of {self.trading_pair}",
                hint=f"the smallest amount is {plain(round_up(self.min_amount, self.amount_step))}",
            )
        return fitted

    def fit_price(self, value: Decimal, side: TradeType) -> Decimal:
        """The nearest legal price on the passive side: below for a buy, above for a sell. Raises OrderRefused."""
        step = self.price_step(value)
        fitted = round_down(value, step) if side is TradeType.BUY else round_up(value, step)
        if fitted <= 0:
            raise OrderRefused(f"no legal price of {self.trading_pair} is near {plain(value)}")
        return fitted

    def fit_bound(self, value: Decimal, side: TradeType) -> Decimal:
        """The nearest legal bound that allows no more slippage: below for a buy, above for a sell."""
        return self.fit_price(value, side)

    def price_step(self, price: Decimal) -> Decimal:
        """The distance between legal prices around `price`, quote per base."""
        figures = self.price_significant_figures
        if figures is None or price <= 0:
            return self.price_tick
        return max(self.price_tick, min(_ONE, EXACT.scaleb(_ONE, price.adjusted() - figures + 1)))

    def _smallest_amount(self, price: Decimal) -> Decimal:
        needed = round_down(self.min_notional / price, self.amount_step)
        while EXACT.multiply(needed, price) < self.min_notional:
            needed = EXACT.add(needed, self.amount_step)
        return max(needed, round_up(self.min_amount, self.amount_step))


def _nearest(what: str, legal: list[Decimal]) -> str | None:
    return f"nearest legal {what}: " + " and ".join(map(plain, legal)) if legal else None
