"""TradingRule: a market's grid. What a person typed is refused when it is off the grid; what we computed is rounded."""

from __future__ import annotations

from decimal import Decimal

import msgspec


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
