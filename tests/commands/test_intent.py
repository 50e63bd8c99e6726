"""The words of an order: numbers that are none are exit 3, words that are none of ours exit 2."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from latentspeed_cli.commands.intent import Words
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import OrderRefused, UsageError

LIMIT = {"side": "buy", "pair": "BTC-USD", "amount": "0.01", "price": "60000"}


def words(**changes: Any) -> Words:
    return Words(**{**LIMIT, **changes})


def test_a_limit_order() -> None:
    intent = words().intent()
    assert (intent.side, intent.order_type, intent.tif) == (TradeType.BUY, OrderType.LIMIT, TimeInForce.GTC)
    assert (intent.amount, intent.price, intent.price_expression) == (Decimal("0.01"), Decimal(60000), None)


def test_a_market_order_is_immediate_and_must_be_said() -> None:
    intent = words(price=None, type="market").intent()
    assert (intent.order_type, intent.tif, intent.slippage_bps) == (OrderType.MARKET, TimeInForce.IOC, 50)
    with pytest.raises(UsageError, match="price"):
        words(price=None).intent()


def test_expressions_and_exponents() -> None:
    assert words(price="mid-0.2%").intent().price_expression == "mid-0.2%"
    assert words(price="best+1tick").intent().price is None
    assert words(amount="1e-3").intent().amount == Decimal("0.001")


def test_an_expiry_makes_it_good_til_date() -> None:
    intent = words(expire="10m").intent()
    assert (intent.tif, intent.expire_s) == (TimeInForce.GTD, 600)
    with pytest.raises(UsageError):
        words(expire="10m", tif="ioc").intent()


@pytest.mark.parametrize("text", ["-1s", "-10m", "-0.5h", "0", "0s", "-0", "0.0d"])
def test_an_end_that_is_past_is_refused(text: str) -> None:
    with pytest.raises(OrderRefused, match="is past"):
        words(expire=text).intent()


def test_an_end_is_a_whole_second_or_refused() -> None:
    assert words(expire="1.1h").intent().expire_s == 3960
    assert words(expire="2000ms").intent().expire_s == 2
    for text, around in {"0.5s": "1s", "500ms": "1s", "1.5": "1s or 2s", "0.99m": "59s or 60s"}.items():
        with pytest.raises(OrderRefused, match="whole seconds") as caught:
            words(expire=text).intent()
        assert caught.value.hint == around


@pytest.mark.parametrize("field", ["amount", "price", "notional"])
@pytest.mark.parametrize(
    "text",
    ["0", "-1", "-0", "", "NaN", "Infinity", "1e400", "1" * 60, "1,5", "1_000", "0x10", "\uff11", "1.2.3", " 1", "abc"],
)
def test_what_is_no_amount_is_refused(field: str, text: str) -> None:
    changes: dict[str, Any] = {"amount": None} if field == "notional" else {}
    with pytest.raises(OrderRefused):
        words(**changes, **{field: text}).intent()


@pytest.mark.parametrize(
    "changes",
    [
        {"side": "bye"},
        {"side": "BUY"},
        {"type": "limitt"},
        {"type": "market"},
        {"tif": "day"},
        {"notional": "5"},
        {"amount": None},
        {"post_only": True, "tif": "ioc"},
        {"price": None, "type": "market", "post_only": True},
        {"price": "mid*2"},
        {"price": "mid-1"},
        {"price": "best+0.5tick"},
        {"slippage_bps": "1.5"},
        {"slippage_bps": "-1"},
        {"expire": "soon"},
        {"expire": "-soon"},
        {"expire": "2020-01-01T00:00:00Z"},
        {"trigger_price": "1"},
    ],
)
def test_words_that_do_not_fit(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        words(**changes).intent()
