"""From what was asked to the numbers that are sent: relative prices, the bound of a market order, notional to amount.

Source of the rules: decisions.md section 4. Everything computed here is exact before it is rounded once, by the
TradingRule.
"""

from __future__ import annotations

import enum
import re
from decimal import ROUND_DOWN, Context, Decimal

import msgspec

from ..clock import NS_PER_S
from ..errors import GuardRefused, UsageError
from .decimals import EXACT, ZERO, parse, plain
from .in_flight_order import OrderIntent
from .market_data import OrderBookSnapshot
from .trading_rule import TradingRule
from .types import OrderType, TradeType

MAX_BOOK_AGE_S = 2
# The venue's clock may differ from ours by this much before that alone is refused.
MAX_CLOCK_SKEW_S = 5

_ONE = Decimal(1)
_HALF = Decimal("0.5")
_EXPRESSION = re.compile(r"(mid|best)(?:([+-])([0-9.]+)(%|ticks?))?", re.ASCII)
_BPS_EXPONENT = -4
# Dividing is the one step that cannot be exact; it never rounds an amount up.
_DOWN = Context(prec=60, rounding=ROUND_DOWN)


class BookTop(msgspec.Struct, frozen=True, kw_only=True):
    """Best bid and best ask of a book. ts_ns: the venue's time of it; received_ns: ours of having read it."""

    bid: Decimal | None
    ask: Decimal | None
    ts_ns: int
    received_ns: int

    @classmethod
    def of(cls, book: OrderBookSnapshot, *, received_ns: int) -> BookTop:
        return cls(
            bid=book.bids[0].price if book.bids else None,
            ask=book.asks[0].price if book.asks else None,
            ts_ns=book.ts_ns,
            received_ns=received_ns,
        )

    def mid(self, *, now_ns: int) -> Decimal:
        """(bid + ask) / 2. Raises GuardRefused for a book that must not be relied on: empty, crossed or old."""
        return EXACT.multiply(EXACT.add(*self.checked(now_ns=now_ns)), _HALF)

    def checked(self, *, now_ns: int) -> tuple[Decimal, Decimal]:
        """Best bid and best ask of a book that can be relied on. Raises GuardRefused."""
        if self.bid is None or self.ask is None:
            raise GuardRefused("the reference book is empty on one side")
        if self.bid >= self.ask:
            raise GuardRefused(f"the reference book is crossed: bid {plain(self.bid)}, ask {plain(self.ask)}")
        age_ns = now_ns - self.received_ns
        venue_age_ns = self.received_ns - self.ts_ns
        if abs(age_ns) > MAX_BOOK_AGE_S * NS_PER_S or venue_age_ns > (MAX_BOOK_AGE_S + MAX_CLOCK_SKEW_S) * NS_PER_S:
            oldest_s = max(abs(age_ns), venue_age_ns) / NS_PER_S
            raise GuardRefused(f"the reference book is stale: {oldest_s:.1f} s old, {MAX_BOOK_AGE_S} s are allowed")
        return self.bid, self.ask


class Unit(enum.Enum):
    PERCENT = "%"
    TICK = "tick"


class PriceExpression(msgspec.Struct, frozen=True, kw_only=True):
    """A price relative to the book. base: "mid", or "best" of the order's own side. offset: signed, in `unit`."""

    base: str
    offset: Decimal
    unit: Unit

    def price(self, side: TradeType, rule: TradingRule, top: BookTop, *, now_ns: int) -> Decimal:
        """The exact price, not yet on the grid. Ticks are as wide as the grid is at the base. Raises GuardRefused."""
        bid, ask = top.checked(now_ns=now_ns)
        if self.base == "mid":
            base = EXACT.multiply(EXACT.add(bid, ask), _HALF)
        else:
            base = bid if side is TradeType.BUY else ask
        if self.unit is Unit.TICK:
            return EXACT.add(base, EXACT.multiply(self.offset, rule.price_step(base)))
        return EXACT.multiply(base, EXACT.add(_ONE, EXACT.scaleb(self.offset, -2)))


def is_price_expression(text: str) -> bool:
    """Whether `text` means to be relative to the book; anything else is read as a number."""
    return text.startswith(("mid", "best"))


def parse_price_expression(text: str) -> PriceExpression:
    """`mid`, `best`, and either of them ± `N%` or ± `Ntick`. Raises UsageError."""
    match = _EXPRESSION.fullmatch(text)
    hint = "write it like mid-0.2% or best+1tick"
    if match is None:
        raise UsageError(f"not a price expression: {text[:60]!r}", hint=hint)
    base, sign, digits, unit_text = match.groups()
    unit = Unit.PERCENT if unit_text in (None, "%") else Unit.TICK
    try:
        offset = parse(digits) if digits else ZERO
    except ValueError as error:
        raise UsageError(f"not a price expression: {text[:60]!r}", hint=hint) from error
    if unit is Unit.TICK and offset != offset.to_integral_value():
        raise UsageError(f"ticks are whole numbers: {text[:60]!r}", hint=hint)
    return PriceExpression(base=base, offset=EXACT.minus(offset) if sign == "-" else offset, unit=unit)


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of an order: amount in base units, price the limit or a market order's bound.

    reference_price: the mid that guards measure against; None when no book was given.
    """

    amount: Decimal
    price: Decimal
    reference_price: Decimal | None


def resolve(intent: OrderIntent, rule: TradingRule, top: BookTop | None, *, now_ns: int) -> Priced:
    """Fix amount and price of `intent`.

    top: a book read in this run. Without one only an order with a typed price can be fixed. A book that is given must
    be usable, whether or not the price needs it: guards measure against it.
    Raises UsageError (words that do not fit), OrderRefused (off the grid, out of bounds), GuardRefused (no book that
    can be relied on).
    """
    intent.check()
    rule.check(intent)
    reference = None if top is None else top.mid(now_ns=now_ns)
    price = _price(intent, rule, top, reference, now_ns=now_ns)
    if intent.amount is not None:
        amount = intent.amount
    else:
        amount = rule.fit_amount(_amount_worth(intent.notional or ZERO, intent.side, price, reference))
    is_market = not intent.order_type.has_limit
    meets = price if top is None or intent.order_type is not OrderType.MARKET else _touch(intent.side, top) or price
    rule.check_notional(amount, meets, is_market=is_market, exempt=intent.reduce_only)
    return Priced(amount=amount, price=price, reference_price=reference)


def _price(
    intent: OrderIntent, rule: TradingRule, top: BookTop | None, reference: Decimal | None, *, now_ns: int
) -> Decimal:
    if intent.price is not None:
        return intent.price
    if intent.price_expression is not None:
        expression = parse_price_expression(intent.price_expression)
        if top is None:
            raise GuardRefused("there is no reference book for a relative price")
        return rule.fit_price(expression.price(intent.side, rule, top, now_ns=now_ns), intent.side)
    around = reference if intent.trigger_price is None else intent.trigger_price
    if around is None:
        raise GuardRefused("there is no reference book for a market order")
    slippage = EXACT.scaleb(Decimal(intent.slippage_bps * intent.side.sign), _BPS_EXPONENT)
    return rule.fit_bound(EXACT.multiply(around, EXACT.add(_ONE, slippage)), intent.side)


def _touch(side: TradeType, top: BookTop) -> Decimal | None:
    """The best price that an order of `side` can meet at once."""
    return top.ask if side is TradeType.BUY else top.bid


def _amount_worth(notional: Decimal, side: TradeType, price: Decimal, reference: Decimal | None) -> Decimal:
    """Base units, not yet on the grid, that cannot cost more than `notional`.

    A buy pays at most its price. A sell gets at least its price, and near the reference when that is above it.
    """
    dearest = price if side is TradeType.BUY or reference is None else max(price, reference)
    return _DOWN.divide(notional, dearest)
