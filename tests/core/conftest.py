"""Values that the tests of core are about."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.trading_rule import TradingRule
from latentspeed_cli.core.types import OrderType, TradeType


@pytest.fixture
def make_order() -> Callable[..., InFlightOrder]:
    """An order of two BTC at 60,000."""

    def make(client_order_id: str = "mine", **changes: Any) -> InFlightOrder:
        fields: dict[str, Any] = {
            "client_order_id": client_order_id,
            "venue_client_id": f"0x{client_order_id}",
            "venue": "hyperliquid",
            "network": "sandbox",
            "account": "0xabc",
            "trading_pair": "BTC-USD",
            "side": TradeType.BUY,
            "order_type": OrderType.LIMIT,
            "amount": Decimal(2),
            "price": Decimal(60_000),
            "created_ts_ns": 1,
            "facts": Facts(),
        }
        return InFlightOrder(**{**fields, **changes})

    return make


@pytest.fixture
def report() -> Callable[..., OrderUpdate]:
    def make(kind: Report, **changes: Any) -> OrderUpdate:
        return OrderUpdate(**{"report": kind, "trading_pair": "BTC-USD", "ts_ns": 10, **changes})

    return make


@pytest.fixture
def fill() -> Callable[..., TradeUpdate]:
    """A fill of one BTC at 60,000, with venue order id "77"."""

    def make(fill_id: str = "f1", **changes: Any) -> TradeUpdate:
        fields: dict[str, Any] = {
            "fill_id": fill_id,
            "exchange_order_id": "77",
            "trading_pair": "BTC-USD",
            "side": TradeType.BUY,
            "price": Decimal(60_000),
            "amount": Decimal(1),
            "fee": Decimal("0.1"),
            "fee_currency": "USDC",
            "ts_ns": 20,
        }
        return TradeUpdate(**{**fields, **changes})

    return make


@pytest.fixture
def make_intent() -> Callable[..., OrderIntent]:
    """A limit buy of 0.01 BTC; price and everything else as given."""

    def make(**changes: Any) -> OrderIntent:
        fields: dict[str, Any] = {
            "trading_pair": "BTC-USD",
            "side": TradeType.BUY,
            "order_type": OrderType.LIMIT,
        }
        if "notional" not in changes:
            fields["amount"] = Decimal("0.01")
        return OrderIntent(**{**fields, **changes})

    return make


@pytest.fixture
def btc() -> TradingRule:
    """BTC at Hyperliquid: five size decimals, so one price decimal, and five significant figures."""
    return TradingRule(
        trading_pair="BTC-USD",
        amount_step=Decimal("0.00001"),
        min_amount=Decimal("0.00001"),
        min_notional=Decimal(10),
        price_tick=Decimal("0.1"),
        price_significant_figures=5,
        max_notional_limit=Decimal(300_000_000),
        max_notional_market=Decimal(30_000_000),
    )
