"""What was typed is legal or refused with its neighbours; what was computed is rounded, never upward in cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.decimals import is_multiple, plain, significant
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.trading_rule import TradingRule
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import OrderRefused

MakeIntent = Callable[..., OrderIntent]
BUY, SELL = TradeType.BUY, TradeType.SELL


def hyperliquid(size_decimals: int, max_decimals: int = 6) -> TradingRule:
    step = Decimal(1).scaleb(-size_decimals)
    return TradingRule(
        trading_pair="X-USD",
        amount_step=step,
        min_amount=step,
        min_notional=Decimal(10),
        price_tick=Decimal(1).scaleb(size_decimals - max_decimals),
        price_significant_figures=5,
    )


DYDX = TradingRule(
    trading_pair="BTC-USD",
    amount_step=Decimal("0.0001"),
    min_amount=Decimal("0.001"),
    min_notional=Decimal(0),
    price_tick=Decimal("0.5"),
)


# Prices. The rows are those of Hyperliquid's own table: protocols/hyperliquid.md 5.2.


@pytest.mark.parametrize(
    ("size_decimals", "max_decimals", "legal", "illegal"),
    [
        (1, 6, ["1234.5", "0.01234", "123456"], ["1234.56", "12345.6", "0.012345"]),
        (0, 6, ["0.001234"], ["0.0012345"]),
        (5, 6, ["79449", "8123.4", "100000", "1234567"], ["79449.2", "100000.1", "8123.45"]),
        (0, 8, ["0.0001234"], []),
        (3, 8, ["0.00012"], ["0.0001234"]),
    ],
)
def test_the_price_grid(size_decimals: int, max_decimals: int, legal: list[str], illegal: list[str]) -> None:
    rule = hyperliquid(size_decimals, max_decimals)
    for text in legal:
        rule.check_price(Decimal(text))
    for text in illegal:
        with pytest.raises(OrderRefused):
            rule.check_price(Decimal(text))


@pytest.mark.parametrize(
    ("price", "hint"),
    [
        ("79449.2", "nearest legal prices: 79449 and 79450"),
        ("99999.5", "nearest legal prices: 99999 and 100000"),
        ("9999.95", "nearest legal prices: 9999.9 and 10000"),
        ("100000.5", "nearest legal prices: 100000 and 100001"),
        ("1.23456", "nearest legal prices: 1.2 and 1.3"),
        ("0.04", "nearest legal prices: 0.1"),
    ],
)
def test_an_illegal_price_names_its_neighbours(price: str, hint: str, btc: TradingRule) -> None:
    with pytest.raises(OrderRefused, match="at most 5 significant figures") as caught:
        btc.check_price(Decimal(price))
    assert caught.value.hint == hint
    assert caught.value.exit_code == 3
    for neighbour in hint.split(": ")[1].split(" and "):
        btc.check_price(Decimal(neighbour))


def test_a_tick_without_figures() -> None:
    DYDX.check_price(Decimal("123456.5"))
    with pytest.raises(OrderRefused, match=r"not a multiple of 0\.5 \(BTC-USD\)") as caught:
        DYDX.check_price(Decimal("60000.3"))
    assert caught.value.hint == "nearest legal prices: 60000 and 60000.5"


@pytest.mark.parametrize("text", ["0", "-0", "-1"])
def test_prices_and_amounts_are_above_zero(text: str, btc: TradingRule) -> None:
    with pytest.raises(OrderRefused, match="price must be above zero"):
        btc.check_price(Decimal(text))
    with pytest.raises(OrderRefused, match="amount must be above zero"):
        btc.check_amount(Decimal(text))


# Amounts


def test_the_lot_grid(btc: TradingRule) -> None:
    btc.check_amount(Decimal("0.01"))
    btc.check_amount(Decimal("1E-5"))
    with pytest.raises(OrderRefused) as caught:
        btc.check_amount(Decimal("0.012345678"))
    assert caught.value.message == "amount 0.012345678 is not a multiple of 0.00001 (BTC-USD)"
    assert caught.value.hint == "nearest legal amounts: 0.01234 and 0.01235"


def test_an_amount_that_would_round_to_zero(btc: TradingRule) -> None:
    with pytest.raises(OrderRefused, match="below the minimum") as caught:
        btc.check_amount(Decimal("0.000001"))
    assert caught.value.hint == "the smallest amount is 0.00001"


def test_the_minimum_counts_for_the_neighbours_too() -> None:
    rule = msgspec.structs.replace(DYDX, amount_step=Decimal("0.01"), min_amount=Decimal("0.015"))
    with pytest.raises(OrderRefused, match="below the minimum") as caught:
        rule.check_amount(Decimal("0.01"))
    assert caught.value.hint == "the smallest amount is 0.02"
    with pytest.raises(OrderRefused, match="not a multiple") as caught:
        rule.check_amount(Decimal("0.016"))
    assert caught.value.hint == "nearest legal amounts: 0.02"


# Notional


def test_notional_bounds(btc: TradingRule) -> None:
    btc.check_notional(Decimal("0.001"), Decimal(10_000), is_market=False)
    with pytest.raises(OrderRefused, match="below the minimum 10") as caught:
        btc.check_notional(Decimal("0.0001"), Decimal(60_000), is_market=False)
    assert caught.value.hint == "at 60000 the smallest amount is 0.00017"
    btc.check_notional(Decimal("0.0001"), Decimal(60_000), is_market=False, exempt=True)
    btc.check_notional(Decimal(1_000), Decimal(60_000), is_market=False)
    with pytest.raises(OrderRefused, match="above the maximum 30000000"):
        btc.check_notional(Decimal(1_000), Decimal(60_000), is_market=True)
    with pytest.raises(OrderRefused, match="above the maximum 300000000"):
        btc.check_notional(Decimal(10_000), Decimal(60_000), is_market=False)
    btc.check_notional(Decimal(500), Decimal(60_000), is_market=True)
    DYDX.check_notional(Decimal(10**9), Decimal(60_000), is_market=True)


@given(price=st.decimals(min_value="0.1", max_value=200_000, places=1))
def test_the_smallest_amount_of_the_hint_is_legal_and_smallest(price: Decimal) -> None:
    rule = hyperliquid(5)
    with pytest.raises(OrderRefused) as caught:
        rule.check_notional(Decimal(0), price, is_market=False)
    smallest = Decimal(str(caught.value.hint).rsplit(" ", 1)[1])
    rule.check_amount(smallest)
    rule.check_notional(smallest, price, is_market=False)
    assert (smallest - rule.amount_step) * price < rule.min_notional


# What was computed


PRICES = st.decimals(min_value="0.0001", max_value=10_000_000, places=9)
RULES = st.one_of(st.integers(0, 5).map(hyperliquid), st.just(DYDX))


@given(rule=RULES, price=PRICES, side=st.sampled_from(TradeType))
def test_fitted_prices_are_legal_passive_and_nearest(rule: TradingRule, price: Decimal, side: TradeType) -> None:
    try:
        fitted = rule.fit_price(price, side)
    except OrderRefused:
        assert side is BUY
        assert price < rule.price_tick
        return
    rule.check_price(fitted)
    assert fitted <= price if side is BUY else fitted >= price
    assert abs(fitted - price) < rule.price_step(price)
    assert rule.fit_price(fitted, side) == fitted == rule.fit_bound(price, side)


@given(rule=RULES, price=PRICES)
def test_legal_means_five_figures_or_whole(rule: TradingRule, price: Decimal) -> None:
    figures = rule.price_significant_figures
    expected = is_multiple(price, rule.price_tick) and (
        figures is None or significant(price) <= figures or price == price.to_integral_value()
    )
    try:
        rule.check_price(price)
    except OrderRefused:
        assert not expected
    else:
        assert expected


@given(rule=RULES, amount=st.decimals(min_value="0", max_value=1000, places=9))
def test_fitted_amounts_are_legal_and_never_more(rule: TradingRule, amount: Decimal) -> None:
    try:
        fitted = rule.fit_amount(amount)
    except OrderRefused:
        assert amount < max(rule.min_amount, rule.amount_step)
        return
    rule.check_amount(fitted)
    assert fitted <= amount < fitted + rule.amount_step
    assert rule.fit_amount(fitted) == fitted


def test_the_bound_of_a_market_order_allows_no_more_slippage_than_asked(btc: TradingRule) -> None:
    assert plain(btc.fit_bound(Decimal("95162.166"), SELL)) == "95163"
    assert plain(btc.fit_bound(Decimal("129629.535"), BUY)) == "129629"


# A whole intent


def test_every_typed_number_is_checked(btc: TradingRule, make_intent: MakeIntent) -> None:
    btc.check(make_intent(price=Decimal(60_000)))
    btc.check(make_intent(notional=Decimal(50), price_expression="mid-1%"))
    with pytest.raises(OrderRefused, match="amount"):
        btc.check(make_intent(amount=Decimal("0.0000001"), price=Decimal(60_000)))
    with pytest.raises(OrderRefused, match=r"^price"):
        btc.check(make_intent(price=Decimal("60000.5")))
    with pytest.raises(OrderRefused, match="notional must be above zero, not -1"):
        btc.check(make_intent(notional=Decimal(-1), price=Decimal(60_000)))
    with pytest.raises(OrderRefused, match=r"^trigger price"):
        btc.check(make_intent(order_type=OrderType.STOP, trigger_price=Decimal("60000.5")))
