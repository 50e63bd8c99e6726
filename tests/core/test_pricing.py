"""Relative prices, market bounds and notional, from a book that can be relied on."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.market_data import OrderBookSnapshot, PriceLevel
from latentspeed_cli.core.pricing import (
    BookTop,
    Priced,
    Unit,
    is_price_expression,
    parse_price_expression,
    resolve,
)
from latentspeed_cli.core.trading_rule import TradingRule
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import GuardRefused, LatentspeedError, OrderRefused, UsageError

MakeIntent = Callable[..., OrderIntent]
BUY, SELL = TradeType.BUY, TradeType.SELL
NOW = 1_000 * NS_PER_S
TOP = BookTop(bid=Decimal(60_000), ask=Decimal(60_001), ts_ns=NOW, received_ns=NOW)


def top(**changes: Any) -> BookTop:
    return msgspec.structs.replace(TOP, **changes)


# Expressions


@pytest.mark.parametrize(
    ("text", "base", "offset", "unit"),
    [
        ("mid", "mid", "0", Unit.PERCENT),
        ("mid-0.2%", "mid", "-0.2", Unit.PERCENT),
        ("mid+3%", "mid", "3", Unit.PERCENT),
        ("mid-.5%", "mid", "-0.5", Unit.PERCENT),
        ("best+1tick", "best", "1", Unit.TICK),
        ("best-20ticks", "best", "-20", Unit.TICK),
        ("mid-2ticks", "mid", "-2", Unit.TICK),
        ("best-1%", "best", "-1", Unit.PERCENT),
    ],
)
def test_expressions(text: str, base: str, offset: str, unit: Unit) -> None:
    assert is_price_expression(text)
    expression = parse_price_expression(text)
    assert (expression.base, expression.offset, expression.unit) == (base, Decimal(offset), unit)


@pytest.mark.parametrize(
    "text",
    [
        "mid+3",
        "mid 1%",
        "mid1%",
        "middle",
        "best+1",
        "best+1.5ticks",
        "mid--1%",
        "mid-%",
        "mid-1.2.3%",
        "mid-1e2%",
        "mid-" + "9" * 60 + "%",
        "mid-\uff11%",
        "bester",
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_price_expression(text)
    assert caught.value.exit_code == 2
    assert "best+1tick" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["60000", "NaN", "Infinity", "", "-1", "Mid", "1mid"])
def test_numbers_are_not_expressions(text: str) -> None:
    assert not is_price_expression(text)


@pytest.mark.parametrize(
    ("text", "side", "price"),
    [
        ("mid", BUY, "60000"),
        ("mid", SELL, "60001"),
        ("mid-1%", BUY, "59400"),
        ("mid+1%", SELL, "60601"),
        ("mid-0.2%", BUY, "59880"),
        ("best+1tick", BUY, "60001"),
        ("best-1tick", BUY, "59999"),
        ("best+1tick", SELL, "60002"),
        ("best", SELL, "60001"),
        ("mid-2ticks", BUY, "59998"),
    ],
)
def test_relative_prices_are_exact_and_then_passive(
    text: str, side: TradeType, price: str, make_intent: MakeIntent, btc: TradingRule
) -> None:
    priced = resolve(make_intent(side=side, price_expression=text), btc, TOP, now_ns=NOW)
    assert priced == Priced(amount=Decimal("0.01"), price=Decimal(price), reference_price=Decimal("60000.5"))


def test_ticks_are_as_wide_as_the_grid_at_the_base(make_intent: MakeIntent, btc: TradingRule) -> None:
    book = top(bid=Decimal("8123.4"), ask=Decimal("8123.9"))
    priced = resolve(make_intent(price_expression="best+2ticks"), btc, book, now_ns=NOW)
    assert priced.price == Decimal("8123.6")


@given(
    bid=st.decimals(min_value=1, max_value=100_000, places=1),
    spread=st.decimals(min_value="0.1", max_value=10, places=1),
    percent=st.decimals(min_value=0, max_value=50, places=3),
    side=st.sampled_from(TradeType),
    below=st.booleans(),
)
def test_relative_prices_are_legal_and_no_dearer_than_the_expression(
    bid: Decimal, spread: Decimal, percent: Decimal, side: TradeType, below: bool
) -> None:
    rule = TradingRule(
        trading_pair="BTC-USD",
        amount_step=Decimal("0.00001"),
        min_amount=Decimal("0.00001"),
        min_notional=Decimal(0),
        price_tick=Decimal("0.1"),
        price_significant_figures=5,
    )
    exact = (bid + spread / 2) * (1 + (-percent if below else percent) / 100)
    assume(exact >= 1)
    intent = OrderIntent(
        trading_pair="BTC-USD",
        side=side,
        order_type=OrderType.LIMIT,
        amount=Decimal(1),
        price_expression=f"mid{'-' if below else '+'}{percent}%",
    )
    price = resolve(intent, rule, top(bid=bid, ask=bid + spread), now_ns=NOW).price
    rule.check_price(price)
    assert price <= exact if side is BUY else price >= exact
    assert abs(price - exact) < rule.price_step(exact)


# Market orders


@pytest.mark.parametrize(
    ("side", "slippage_bps", "bound"),
    [(BUY, 50, "60300"), (SELL, 50, "59701"), (BUY, 0, "60000"), (SELL, 100, "59401")],
)
def test_the_bound_of_a_market_order(
    side: TradeType, slippage_bps: int, bound: str, make_intent: MakeIntent, btc: TradingRule
) -> None:
    intent = make_intent(side=side, order_type=OrderType.MARKET, slippage_bps=slippage_bps)
    assert resolve(intent, btc, TOP, now_ns=NOW).price == Decimal(bound)


def test_a_stop_is_bounded_around_its_trigger(make_intent: MakeIntent, btc: TradingRule) -> None:
    intent = make_intent(side=SELL, order_type=OrderType.STOP, trigger_price=Decimal(50_000))
    assert resolve(intent, btc, TOP, now_ns=NOW).price == Decimal(49_750)
    assert resolve(intent, btc, None, now_ns=NOW).reference_price is None


# Notional


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"price": Decimal(50_000)}, "0.002"),
        ({"order_type": OrderType.MARKET}, "0.00165"),
        ({"order_type": OrderType.MARKET, "side": SELL}, "0.00166"),
        ({"side": SELL, "price": Decimal(50_000)}, "0.00166"),
        ({"side": SELL, "price": Decimal(70_000)}, "0.00142"),
    ],
)
def test_notional_buys_no_more_than_typed(
    fields: dict[str, Any], amount: str, make_intent: MakeIntent, btc: TradingRule
) -> None:
    priced = resolve(make_intent(notional=Decimal(100), **fields), btc, TOP, now_ns=NOW)
    assert priced.amount == Decimal(amount)
    assert priced.amount * priced.price <= 100


def test_notional_without_a_book(make_intent: MakeIntent, btc: TradingRule) -> None:
    intent = make_intent(notional=Decimal(100), side=SELL, price=Decimal(50_000))
    assert resolve(intent, btc, None, now_ns=NOW).amount == Decimal("0.002")


def test_a_notional_below_one_lot_is_refused_not_rounded_up(make_intent: MakeIntent, btc: TradingRule) -> None:
    with pytest.raises(OrderRefused, match="below the minimum"):
        resolve(make_intent(notional=Decimal("0.1"), price=Decimal(60_000)), btc, None, now_ns=NOW)


# What is refused


def test_typed_numbers_are_never_changed(make_intent: MakeIntent, btc: TradingRule) -> None:
    assert resolve(make_intent(price=Decimal(123_456)), btc, TOP, now_ns=NOW).price == Decimal(123_456)
    with pytest.raises(OrderRefused, match=r"price 60000\.5 is not"):
        resolve(make_intent(price=Decimal("60000.5")), btc, TOP, now_ns=NOW)


def test_an_order_is_worth_enough(make_intent: MakeIntent, btc: TradingRule) -> None:
    small = {"amount": Decimal("0.0001"), "price": Decimal(60_000)}
    with pytest.raises(OrderRefused, match="below the minimum 10"):
        resolve(make_intent(**small), btc, TOP, now_ns=NOW)
    resolve(make_intent(**small, reduce_only=True), btc, TOP, now_ns=NOW)


def test_a_market_order_is_valued_at_the_price_it_will_meet(make_intent: MakeIntent, btc: TradingRule) -> None:
    rule = msgspec.structs.replace(btc, max_notional_market=Decimal("60000.5"))
    one = {"order_type": OrderType.MARKET, "amount": Decimal(1)}
    resolve(make_intent(side=SELL, **one), rule, TOP, now_ns=NOW)
    with pytest.raises(OrderRefused, match="order value 60001 is above"):
        resolve(make_intent(side=BUY, **one), rule, TOP, now_ns=NOW)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bid": None}, "empty"),
        ({"ask": None}, "empty"),
        ({"ask": Decimal(59_999)}, "crossed: bid 60000, ask 59999"),
        ({"ask": Decimal(60_000)}, "crossed"),
        ({"received_ns": NOW - 2 * NS_PER_S - 1}, "stale"),
        ({"received_ns": NOW + 2 * NS_PER_S + 1}, "stale"),
        ({"ts_ns": NOW - 7 * NS_PER_S - 1}, "stale: 7.0 s old"),
    ],
)
@pytest.mark.parametrize(
    "fields",
    [{"price": Decimal(60_000)}, {"price_expression": "mid"}, {"order_type": OrderType.MARKET}],
    ids=["typed", "relative", "market"],
)
def test_a_bad_book_never_feeds_a_guard(
    fields: dict[str, Any], changes: dict[str, Any], message: str, make_intent: MakeIntent, btc: TradingRule
) -> None:
    with pytest.raises(GuardRefused, match=message) as caught:
        resolve(make_intent(**fields), btc, top(**changes), now_ns=NOW)
    assert caught.value.exit_code == 13


@pytest.mark.parametrize("changes", [{"received_ns": NOW - 2 * NS_PER_S}, {"ts_ns": NOW - 7 * NS_PER_S}])
def test_a_book_of_just_the_allowed_age_is_used(
    changes: dict[str, Any], make_intent: MakeIntent, btc: TradingRule
) -> None:
    assert resolve(make_intent(price_expression="mid"), btc, top(**changes), now_ns=NOW).price == 60_000


@pytest.mark.parametrize("fields", [{"price_expression": "mid"}, {"order_type": OrderType.MARKET}])
def test_no_book_no_price(fields: dict[str, Any], make_intent: MakeIntent, btc: TradingRule) -> None:
    with pytest.raises(GuardRefused, match="no reference book"):
        resolve(make_intent(**fields), btc, None, now_ns=NOW)


@pytest.mark.parametrize("text", ["mid-100%", "mid-200%", "best-100000ticks"])
def test_a_relative_price_below_zero(text: str, make_intent: MakeIntent, btc: TradingRule) -> None:
    with pytest.raises(OrderRefused, match="no legal price"):
        resolve(make_intent(price_expression=text), btc, TOP, now_ns=NOW)


@pytest.mark.parametrize("fields", [{}, {"price": Decimal(1), "post_only": True, "notional": Decimal(1), "amount": 1}])
def test_words_are_checked_first(fields: dict[str, Any], make_intent: MakeIntent, btc: TradingRule) -> None:
    with pytest.raises(LatentspeedError) as caught:
        resolve(make_intent(**fields), btc, None, now_ns=NOW)
    assert caught.value.exit_code == 2


def test_the_top_of_a_snapshot() -> None:
    level = PriceLevel(Decimal(100), Decimal(1))
    book = OrderBookSnapshot(trading_pair="BTC-USD", ts_ns=5, bids=(level,), asks=())
    assert BookTop.of(book, received_ns=6) == BookTop(bid=Decimal(100), ask=None, ts_ns=5, received_ns=6)
    book = msgspec.structs.replace(book, bids=(), asks=(level,))
    assert BookTop.of(book, received_ns=6) == BookTop(bid=None, ask=Decimal(100), ts_ns=5, received_ns=6)
