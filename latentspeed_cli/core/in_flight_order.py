"""What a person wants, and what was made of it: frozen values.

OrderIntent -> (TradingRule, pricing) -> InFlightOrder -> (OrderUpdate, TradeUpdate)* -> InFlightOrder
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from .order_state import Facts, state_of
from .types import OrderState, OrderType, PositionAction, TimeInForce, TradeType


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


class InFlightOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order: what was sent, and the set of facts known about it.

    Everything above `facts` is fixed before the first byte leaves. amount is base units, price quote per base (the
    limit, or the bound of a market order). nonce and expires_after_ms belong to the attempt of the same number.
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
    exchange_order_id: str | None = None
    facts: Facts
    updated_ts_ns: int = 0

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
