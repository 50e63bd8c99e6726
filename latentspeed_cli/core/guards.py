"""Guards: limits of the user's own, checked before anything is sent. They are measured against the reference price."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ..errors import GuardRefused
from .decimals import EXACT, ZERO, plain

_BPS_EXPONENT = -4


class Guards(msgspec.Struct, frozen=True, kw_only=True):
    """What an order may at most be.

    max_order_notional, max_day_notional: quote units, None for no cap. price_band_bps: how far an order's price may be
    from the reference price, either way. allow_master_key: whether a master key may sign on mainnet.
    """

    max_order_notional: Decimal | None = None
    max_day_notional: Decimal | None = None
    price_band_bps: int = 5000
    allow_master_key: bool = False

    def tightened(self, *, max_order_notional: Decimal | None = None, price_band_bps: int | None = None) -> Guards:
        """These guards and the given ones: whichever is stricter, each by itself."""
        caps = [cap for cap in (self.max_order_notional, max_order_notional) if cap is not None]
        bands = [band for band in (self.price_band_bps, price_band_bps) if band is not None]
        return msgspec.structs.replace(self, max_order_notional=min(caps, default=None), price_band_bps=min(bands))


def notional_at_worst(amount: Decimal, price: Decimal, reference_price: Decimal) -> Decimal:
    """Quote units. price: the limit, or the bound of a market order, slippage included."""
    return EXACT.multiply(amount, max(price, reference_price))


def check(
    guards: Guards,
    *,
    amount: Decimal,
    price: Decimal,
    reference_price: Decimal | None,
    day_notional: Decimal = ZERO,
) -> None:
    """Raise GuardRefused when the order is not within `guards`.

    amount: base units. price: quote per base, the limit or a market order's bound. reference_price: the mid of a book
    read in this run. day_notional: quote units that were placed today before this order.
    """
    if reference_price is None:
        raise GuardRefused("there is no reference price to check the order against")
    distance = abs(EXACT.subtract(price, reference_price))
    allowed = EXACT.multiply(reference_price, EXACT.scaleb(Decimal(guards.price_band_bps), _BPS_EXPONENT))
    if distance > allowed:
        raise GuardRefused(
            f"price {plain(price)} is more than {guards.price_band_bps} basis points from the market at "
            f"{plain(reference_price)}",
            hint="are amount and price swapped? price_band_bps in the profile's guards sets the band",
        )
    notional = notional_at_worst(amount, price, reference_price)
    cap = guards.max_order_notional
    if cap is not None and notional > cap:
        raise GuardRefused(f"order value {plain(notional)} is above the cap of {plain(cap)} an order")
    cap = guards.max_day_notional
    if cap is not None and EXACT.add(day_notional, notional) > cap:
        raise GuardRefused(
            f"order value {plain(notional)} after {plain(day_notional)} today is above the cap of {plain(cap)} a day"
        )
