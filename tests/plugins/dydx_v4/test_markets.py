"""Markets and their grid: exact, and as the venue's own text says it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentspeed_dydx_v4.markets import DydxV4Market, market, markets, of, trading_rule
from latentspeed_dydx_v4.payloads import PerpetualMarket

from latentspeed_cli.connector import answers
from latentspeed_cli.core.decimals import plain
from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.errors import OrderRefused, ProtocolError

from .reading import SYMBOLS, market_row, raw

# The table of the fact sheet's section 6: atomic resolution, subticks per tick, tick, step.
GRID = [
    ("BTC-USD", -10, 100_000, "1", "0.0001"),
    ("ETH-USD", -9, 100_000, "0.1", "0.001"),
    ("LINK-USD", -6, 1_000_000, "0.001", "1"),
    ("SOL-USD", -7, 1_000_000, "0.01", "0.1"),
    ("ADA-USD", -5, 1_000_000, "0.0001", "10"),
    ("DOGE-USD", -4, 1_000_000, "0.00001", "100"),
    ("PEPE-USD", 1, 1_000_000, "0.0000000001", "10000000"),
    ("SHIB-USD", 0, 1_000_000, "0.000000001", "1000000"),
]


def made(ticker: str = "ETH-USD", ar: int = -9, spt: int = 100_000, **changes: Any) -> DydxV4Market:
    row: PerpetualMarket = answers.shape(raw(market_row(ticker, 1, ar, spt, **changes)), PerpetualMarket)
    return market(row)


@pytest.mark.parametrize(("ticker", "ar", "spt", "tick", "step"), GRID)
def test_the_grid(ticker: str, ar: int, spt: int, tick: str, step: str) -> None:
    rule = trading_rule(made(ticker, ar, spt))
    assert (plain(rule.price_tick), plain(rule.amount_step), plain(rule.min_amount)) == (tick, step, step)
    assert rule.min_notional == 0


@given(st.integers(-12, 4), st.integers(1, 10**9), st.integers(1, 10**12))
def test_a_tick_and_a_step_are_whole_numbers_of_the_chain(ar: int, spt: int, step: int) -> None:
    found = made(ar=ar, spt=spt, stepBaseQuantums=step)
    assert found.price_tick.scaleb(-found.price_exponent) == spt
    assert found.amount_step.scaleb(-ar) == step


def test_prices_off_the_grid_are_refused_with_their_neighbours() -> None:
    rule = trading_rule(made())
    rule.check_price(Decimal("3000.1"))
    with pytest.raises(OrderRefused) as caught:
        rule.check_price(Decimal("3103.06"))
    assert caught.value.hint == "nearest legal prices: 3103 and 3103.1"
    with pytest.raises(OrderRefused):
        rule.check_amount(Decimal("0.0019"))


def test_what_a_market_says_about_itself() -> None:
    found = made(initialMarginFraction="0.05", marketType="ISOLATED")
    assert (found.max_leverage, found.is_isolated, found.asset_id, found.size_decimals) == (20, True, 1, 3)
    assert found.oracle_price == 3000
    assert made("PEPE-USD", 1, oraclePrice=None).oracle_price is None
    assert made("PEPE-USD", 1).size_decimals == 0


@pytest.mark.parametrize("status", ["PAUSED", "CANCEL_ONLY", "POST_ONLY", "INITIALIZING", "FINAL_SETTLEMENT", "NEW"])
def test_only_active_markets_are_traded(status: str) -> None:
    found = made(status=status)
    assert not found.is_active
    assert found.refusal is not None
    assert status in found.refusal


@pytest.mark.parametrize(
    "changes",
    [
        {"stepBaseQuantums": 0},
        {"subticksPerTick": -1},
        {"initialMarginFraction": "0"},
        {"initialMarginFraction": "NaN"},
        {"atomicResolution": 99},
        {"quantumConversionExponent": -99},
        {"clobPairId": "-1"},
    ],
)
def test_markets_without_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        made(**changes)


def test_a_market_by_any_spelling() -> None:
    assert of(SYMBOLS, "eth-usd").asset_id == 1
    with pytest.raises(OrderRefused):
        of(SYMBOLS, "ETH-EUR")
    foreign = SymbolMap([Market(trading_pair="ETH-USD", symbol="ETH", asset_id=1, size_decimals=4)])
    with pytest.raises(OrderRefused):
        of(foreign, "ETH-USD")


def test_markets_come_in_the_order_of_their_numbers() -> None:
    listed = [
        answers.shape(raw(market_row(ticker, number, -7)), PerpetualMarket)
        for ticker, number in (("B-USD", 10), ("A-USD", 9))
    ]
    assert [one.trading_pair for one in markets(listed).symbols] == ["A-USD", "B-USD"]
