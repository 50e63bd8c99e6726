"""Which orders users want: drawn from the seed, as far as the venue has such orders."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from ...core.in_flight_order import OrderIntent
from ...core.types import OrderType, TimeInForce, TradeType
from .site import Site
from .watch import Planned

# Relative prices: far below, near, at the touch, through it (for a buy; a sell mirrors them).
_PRICES = ("mid-0.5%", "mid-0.05%", "best-1tick", "best", "best+1tick", "mid+0.05%", "mid+0.3%")
_MIRROR = str.maketrans("+-", "-+")


class Plans:
    """known: every order that was wanted so far, oldest first."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.known: list[Planned] = []

    def new(self, chance: Random) -> Planned:
        """Another order."""
        pair = chance.choice(self._site.pairs)
        side = chance.choice((TradeType.BUY, TradeType.SELL))
        words: dict[str, Any] = {"trading_pair": pair, "side": side, "order_type": OrderType.LIMIT}
        fate = chance.random()
        if fate < 0.15:
            words |= {"order_type": OrderType.MARKET, "tif": TimeInForce.IOC}
        elif fate < 0.35:
            words |= {"tif": TimeInForce.IOC, "reduce_only": chance.random() < 0.2}
        elif fate < 0.5 and self._site.expiries:
            words |= {"tif": TimeInForce.GTD, "expire_s": chance.choice(self._site.expiries)}
        elif fate < 0.6 and self._site.triggers:
            words |= {"order_type": OrderType.STOP, "trigger_price": self._trigger(pair, side)}
        else:
            words |= {"post_only": chance.random() < 0.25}
        words |= self._size(pair, chance)
        if words["order_type"].has_limit:
            words |= self._price(pair, side, chance)
        intent = OrderIntent(**words)
        planned = Planned(client_order_id=f"order-{len(self.known) + 1}", intent=intent)
        self.known.append(planned)
        return planned

    def other(self, planned: Planned) -> Planned:
        """Another order by the id of a known one."""
        intent = planned.intent
        if intent.amount is not None:
            return _with(planned, amount=intent.amount * 2)
        return _with(planned, notional=(intent.notional or Decimal(0)) * 2)

    def _size(self, pair: str, chance: Random) -> dict[str, Decimal]:
        if chance.random() < 0.1:
            return {"notional": Decimal(chance.choice(("35", "420", "2500")))}
        return {"amount": Decimal(chance.choice(self._site.sizes[pair]))}

    def _price(self, pair: str, side: TradeType, chance: Random) -> dict[str, object]:
        if chance.random() < 0.2:
            return {"price": Decimal(chance.choice(self._site.touch[pair]))}
        price = chance.choice(_PRICES)
        return {"price_expression": price if side is TradeType.BUY else price.translate(_MIRROR)}

    def _trigger(self, pair: str, side: TradeType) -> Decimal:
        """Where the market may come to while the world lasts, or not; a stop to buy is above it."""
        low, high = self._site.touch[pair]
        return Decimal(high if side is TradeType.BUY else low)


def _with(planned: Planned, **changes: object) -> Planned:
    return msgspec.structs.replace(planned, intent=msgspec.structs.replace(planned.intent, **changes))
