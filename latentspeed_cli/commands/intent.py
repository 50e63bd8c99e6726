"""Words of an order -> OrderIntent. One way in for the command line and for the rows of a batch file.

Numbers are read here, after Typer, by core/decimals.py: what is no number, or no amount, is exit 3; what is no word of
our grammar is exit 2.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

import msgspec

from ..config import parse_time_from_now
from ..core.decimals import parse
from ..core.in_flight_order import OrderIntent
from ..core.pricing import is_price_expression, parse_price_expression
from ..core.types import OrderType, TimeInForce, TradeType
from ..core.words import nearest
from ..errors import OrderRefused, UsageError

DEFAULT_SLIPPAGE_BPS = 50

E = TypeVar("E", TradeType, OrderType, TimeInForce)


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order as typed. In a batch file this is one row; numbers are texts there, as everywhere.

    type None: limit when there is a price. tif None: gtc, or ioc for market orders.
    """

    side: str
    pair: str
    amount: str | None = None
    price: str | None = None
    notional: str | None = None
    trigger_price: str | None = None
    type: str | None = None
    tif: str | None = None
    post_only: bool = False
    reduce_only: bool = False
    slippage_bps: int | str = DEFAULT_SLIPPAGE_BPS
    expire: str | None = None
    client_id: str | None = None

    def intent(self) -> OrderIntent:
        """What these words ask for. Raises UsageError (2) and OrderRefused (3); looks nothing up."""
        side = _word(TradeType, self.side, "side")
        price, expression = _price(self.price)
        order_type = OrderType.LIMIT
        if self.type is not None:
            order_type = _word(OrderType, self.type, "--type")
        tif = TimeInForce.GTC
        if self.tif is not None:
            tif = _word(TimeInForce, self.tif, "--tif")
        elif self.expire is not None:
            tif = TimeInForce.GTD
        elif order_type is OrderType.MARKET:
            tif = TimeInForce.IOC
        if self.expire is not None and tif is not TimeInForce.GTD:
            raise UsageError(f"--expire does not go with --tif {tif.value}", hint="say --tif gtd, or leave --tif out")
        intent = OrderIntent(
            trading_pair=self.pair,
            side=side,
            order_type=order_type,
            amount=_positive(self.amount, "amount"),
            notional=_positive(self.notional, "notional"),
            price=price,
            price_expression=expression,
            trigger_price=_positive(self.trigger_price, "trigger price"),
            tif=tif,
            post_only=self.post_only,
            reduce_only=self.reduce_only,
            slippage_bps=_whole(str(self.slippage_bps), "--slippage-bps"),
            expire_s=None if self.expire is None else _end(self.expire),
        )
        intent.check()
        return intent


def _price(text: str | None) -> tuple[Decimal | None, str | None]:
    """A number, or an expression relative to the book."""
    if text is not None and is_price_expression(text):
        parse_price_expression(text)
        return None, text
    return _positive(text, "price"), None


def _positive(text: str | None, what: str) -> Decimal | None:
    if text is None:
        return None
    try:
        value = parse(text)
    except ValueError as error:
        raise OrderRefused(f"{what}: {error}", hint="plain digits with at most one point, as in 0.01") from None
    if value <= 0:
        raise OrderRefused(f"{what} must be above 0, not {text[:60]}")
    return value


def _end(text: str) -> int:
    """Seconds until an order ends. Venues count whole ones, and what was typed is never rounded."""
    seconds = parse_time_from_now(text, "--expire")
    if seconds <= 0:
        raise OrderRefused(f"--expire: {text} is past, and an order ends later than now", hint="for example 90s, 10m")
    whole = round(seconds)
    if abs(seconds - whole) > 1e-6:  # what is less came from computing with a unit
        around = " or ".join(f"{second}s" for second in (int(seconds), int(seconds) + 1) if second)
        raise OrderRefused(f"--expire: orders end after whole seconds, not {text}", hint=around)
    return whole


def _whole(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise UsageError(f"{what}: {text[:60]!r} is not a whole number")
    return int(text)


def _word(kind: type[E], text: str, what: str) -> E:
    try:
        return kind(text)
    except ValueError:
        known = [member.value for member in kind]
        raise UsageError(f"{what}: {text[:60]!r} is not known", hint=nearest(text, known)) from None
