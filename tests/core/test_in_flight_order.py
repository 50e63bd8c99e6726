"""An intent's words fit together; an order's figures come from its facts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.order_state import Facts, learn
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import OrderRefused, UsageError

MakeOrder = Callable[..., InFlightOrder]
MakeReport = Callable[..., OrderUpdate]
MakeFill = Callable[..., TradeUpdate]
PRICE = Decimal(60_000)


@pytest.mark.parametrize(
    "fields",
    [
        {"price": PRICE},
        {"price_expression": "mid-1%"},
        {"notional": Decimal(50), "price": PRICE},
        {"order_type": OrderType.MARKET},
        {"price": PRICE, "post_only": True, "tif": TimeInForce.GTD, "expire_s": 600},
        {"order_type": OrderType.STOP, "trigger_price": PRICE},
        {"order_type": OrderType.STOP_LIMIT, "trigger_price": PRICE, "price": PRICE},
    ],
)
def test_words_that_fit(fields: dict[str, Any], make_intent: Callable[..., OrderIntent]) -> None:
    make_intent(**fields).check()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"amount": None, "price": PRICE}, "exactly one of amount and notional"),
        ({"amount": Decimal(1), "notional": Decimal(50), "price": PRICE}, "exactly one of amount and notional"),
        ({}, "a limit order needs a price"),
        ({"price": PRICE, "price_expression": "mid"}, "one price"),
        ({"order_type": OrderType.MARKET, "price": PRICE}, "a market order takes no price"),
        ({"order_type": OrderType.MARKET, "price_expression": "mid"}, "a market order takes no price"),
        ({"price": PRICE, "post_only": True, "tif": TimeInForce.IOC}, "post-only"),
        ({"price": PRICE, "post_only": True, "tif": TimeInForce.FOK}, "post-only"),
        ({"order_type": OrderType.MARKET, "post_only": True}, "post-only"),
        ({"order_type": OrderType.STOP}, "a stop order needs trigger price"),
        ({"price": PRICE, "trigger_price": PRICE}, "a limit order takes no trigger price"),
        ({"order_type": OrderType.MARKET, "slippage_bps": -1}, "between 0 and 9999"),
        ({"order_type": OrderType.MARKET, "slippage_bps": 10_000}, "between 0 and 9999"),
    ],
)
def test_words_that_do_not_fit(fields: dict[str, Any], message: str, make_intent: Callable[..., OrderIntent]) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make_intent(**fields).check()
    assert caught.value.exit_code == 2


def test_an_end_that_is_past(make_intent: Callable[..., OrderIntent]) -> None:
    for seconds in (0, -1):
        with pytest.raises(OrderRefused, match="expire later") as caught:
            make_intent(price=PRICE, tif=TimeInForce.GTD, expire_s=seconds).check()
        assert caught.value.exit_code == 3


def test_figures_come_from_fills(make_order: MakeOrder, fill: MakeFill) -> None:
    facts = Facts()
    for item in (
        fill("a", price=Decimal(100), amount=Decimal("0.1"), fee=Decimal("0.01")),
        fill("b", price=Decimal(101), amount=Decimal("0.2"), fee=Decimal("-0.03")),
        fill("c", price=Decimal(101), amount=Decimal("0.3"), fee=Decimal(1), fee_currency="HYPE"),
    ):
        facts = learn(facts, item)
    order = make_order(facts=facts)
    assert order.executed_amount == Decimal("0.6")
    assert order.remaining_amount == Decimal("1.4")
    assert order.average_price == Decimal("100.8333333333333333333333333")
    assert order.fees == {"HYPE": Decimal(1), "USDC": Decimal("-0.02")}
    assert order.fills_complete
    assert order.contradiction is None
    assert order.evidence == ()


def test_an_order_without_fills(make_order: MakeOrder) -> None:
    order = make_order()
    assert (order.average_price, order.fees, order.reason) == (None, {}, None)
    assert order.state is OrderState.PENDING_CREATE


def test_overfilled_orders_have_nothing_left(make_order: MakeOrder, fill: MakeFill) -> None:
    order = make_order(facts=learn(Facts(), fill(amount=Decimal(3))))
    assert order.remaining_amount == 0
    assert order.contradiction == "more was executed than was ordered"


@pytest.mark.parametrize(
    ("kinds", "may_be_live", "unknown"),
    [
        ([], False, False),
        ([Report.ATTEMPTED], True, False),
        ([Report.ATTEMPTED, Report.UNKNOWN], True, True),
        ([Report.ACCEPTED], True, False),
        ([Report.ACCEPTED, Report.CANCEL_ATTEMPTED], True, False),
        ([Report.ACCEPTED, Report.CANCEL_UNKNOWN], True, True),
        ([Report.FAILED], False, False),
        ([Report.CANCELLED], False, False),
        ([Report.EXPIRED], False, False),
        ([Report.FILLED], False, False),
        ([Report.NOTE], True, False),  # found at the venue, in a status that nobody knows
        ([Report.NOTE, Report.EXPIRED], False, False),
    ],
)
def test_what_may_be_live(
    kinds: list[Report], may_be_live: bool, unknown: bool, make_order: MakeOrder, report: MakeReport
) -> None:
    facts = Facts()
    for kind in kinds:
        facts = learn(facts, report(kind, attempt=1, reason="paused" if kind is Report.NOTE else None))
    order = make_order(facts=facts)
    assert (order.may_be_live, order.outcome_unknown) == (may_be_live, unknown)
    assert order.is_done is order.state.is_done


def test_market_orders_never_rest(make_order: MakeOrder) -> None:
    assert make_order(order_type=OrderType.MARKET).is_ioc
    assert make_order(tif=TimeInForce.IOC).is_ioc
    assert not make_order().is_ioc


def test_sides() -> None:
    assert (TradeType.BUY.sign, TradeType.SELL.sign) == (1, -1)
    assert TradeType.BUY.opposite is TradeType.SELL
    assert TradeType.SELL.opposite is TradeType.BUY
