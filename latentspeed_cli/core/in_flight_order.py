"""What a person wants, and what was made of it: frozen values.

OrderIntent -> (TradingRule, pricing) -> InFlightOrder -> (OrderUpdate, TradeUpdate)* -> InFlightOrder
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Context, Decimal

import msgspec

from ..errors import OrderRefused, UsageError
from .decimals import EXACT, ZERO
from .order_state import (
    Facts,
    contradiction,
    evidence_of,
    fills_complete,
    outcome_unknown,
    reason_of,
    state_of,
)
from .reports import TURNED_AWAY, Evidence, Report
from .types import OrderState, OrderType, PositionAction, TimeInForce, TradeType

MAX_SLIPPAGE_BPS = 9_999
# Averages are the one figure that cannot be exact.
_AVERAGE = Context(prec=28)


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it was asked for, before anything was looked up.

    Exactly one of amount (base units) and notional (quote units). price: a number, or an expression such as
    "mid-0.2%" or "best+1tick" in price_expression; both None for market orders. expire_s: seconds until a gtd order
    ends. slippage_bps bounds a market order.
    """

    trading_pair: str
    side: TradeType
    order_type: OrderType
    amount: Decimal | None = None
    notional: Decimal | None = None
    price: Decimal | None = None
    price_expression: str | None = None
    trigger_price: Decimal | None = None
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    slippage_bps: int = 50
    expire_s: int | None = None

    def check(self) -> None:
        """Raise UsageError when the words do not fit together, whatever the market and the venue.

        Raises OrderRefused for an end that is past.
        """
        if (self.amount is None) == (self.notional is None):
            raise UsageError("an order needs exactly one of amount and notional")
        if self.price is not None and self.price_expression is not None:
            raise UsageError("an order takes one price: a number or an expression")
        has_price = self.price is not None or self.price_expression is not None
        if self.order_type.has_limit and not has_price:
            raise UsageError(
                f"a {self.order_type.value} order needs a price",
                hint="give a price, or --type market to take the market",
            )
        if has_price and not self.order_type.has_limit:
            raise UsageError(
                f"a {self.order_type.value} order takes no price", hint="--slippage-bps bounds what it may pay"
            )
        if self.post_only and (
            self.tif in (TimeInForce.IOC, TimeInForce.FOK) or self.order_type is not OrderType.LIMIT
        ):
            raise UsageError("post-only orders rest, so they are limit orders with tif gtc or gtd")
        if self.order_type.has_trigger != (self.trigger_price is not None):
            needs = "needs" if self.trigger_price is None else "takes no"
            raise UsageError(f"a {self.order_type.value} order {needs} trigger price")
        if self.expire_s is not None and self.expire_s <= 0:
            raise OrderRefused("an order must expire later than now")
        if not 0 <= self.slippage_bps <= MAX_SLIPPAGE_BPS:
            raise UsageError(f"slippage must be between 0 and {MAX_SLIPPAGE_BPS} basis points")


class InFlightOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order: what was sent, and the set of facts known about it.

    Everything above `facts` is fixed before the first byte leaves. amount is base units, price quote per base (the
    limit, or the bound of a market order). nonce, expires_after_ms and the three after it belong to the attempt of the
    same number: good_til_block and good_til_ts_ns (the venue's time) are where the venue ends the order by itself,
    timeout_height is the last block in which the attempt can land; None where the venue has no such thing.
    received_ts_ns: when a stream received what it tells with this, by the clock of this machine; None elsewhere.
    """

    client_order_id: str
    venue_client_id: str
    venue: str
    network: str
    account: str
    trading_pair: str
    side: TradeType
    order_type: OrderType
    amount: Decimal
    price: Decimal | None
    created_ts_ns: int
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    price_expression: str | None = None
    reference_price: Decimal | None = None
    trigger_price: Decimal | None = None
    slippage_bps: int | None = None
    position_action: PositionAction = PositionAction.NIL
    parameters_hash: str = ""
    is_external: bool = False
    attempt: int = 0
    nonce: int | None = None
    expires_after_ms: int | None = None
    good_til_block: int | None = None
    good_til_ts_ns: int | None = None
    timeout_height: int | None = None
    exchange_order_id: str | None = None
    facts: Facts
    updated_ts_ns: int = 0
    received_ts_ns: int | None = None

    @property
    def is_ioc(self) -> bool:
        """Nothing of it ever rests: what does not match at once is gone."""
        return self.tif is TimeInForce.IOC or self.order_type is OrderType.MARKET

    @property
    def state(self) -> OrderState:
        return state_of(self.facts, self.amount, is_ioc=self.is_ioc)

    @property
    def is_done(self) -> bool:
        return self.state.is_done

    @property
    def executed_amount(self) -> Decimal:
        """Base units, from fills only."""
        return self.facts.executed

    @property
    def remaining_amount(self) -> Decimal:
        """Base units that no fill has taken; what still rests while the order is open."""
        return max(EXACT.subtract(self.amount, self.facts.executed), ZERO)

    @property
    def outcome_unknown(self) -> bool:
        """The reply to a request that may have changed something is missing."""
        return outcome_unknown(self.facts, self.amount, self.is_ioc)

    @property
    def may_be_live(self) -> bool:
        """Whether something of it can rest at the venue, or come to rest there, as far as is known.

        An order that was not sent from here, and that the venue describes in words which are not understood, may.
        """
        state = self.state
        return state not in _NOT_LIVE or (state is OrderState.PENDING_CREATE and bool(self.facts.reasons))

    @property
    def was_turned_away(self) -> bool:
        """Whether the venue took a post-only order and removed it when it came to match it: another way to refuse it.

        Only the venue's word counts. One that rested may have been cancelled from elsewhere, and that is no refusal.
        """
        facts = self.facts
        was_removed = self.state is OrderState.CANCELLED and (Report.CANCELLED.value, TURNED_AWAY) in facts.reasons
        return was_removed and not facts.cancels and not facts.executed

    @property
    def contradiction(self) -> str | None:
        return contradiction(self.facts, self.amount)

    @property
    def reason(self) -> str | None:
        return reason_of(self.facts, self.amount, is_ioc=self.is_ioc)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return evidence_of(self.facts, self.amount)

    @property
    def fills_complete(self) -> bool:
        return fills_complete(self.facts, self.amount)

    @property
    def average_price(self) -> Decimal | None:
        """Quote per base over all fills, to 28 figures; None without fills."""
        if not self.facts.executed:
            return None
        cost = ZERO
        for fill in self.facts.fills.values():
            cost = EXACT.add(cost, EXACT.multiply(fill.price, fill.amount))
        return _AVERAGE.divide(cost, self.facts.executed)

    @property
    def fees(self) -> dict[str, Decimal]:
        """By currency; positive is paid."""
        fees: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for fill in self.facts.fills.values():
            fees[fill.fee_currency] = EXACT.add(fees[fill.fee_currency], fill.fee)
        return dict(sorted(fees.items()))


_NOT_LIVE = frozenset(
    {OrderState.PENDING_CREATE, OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED, OrderState.FAILED}
)
