"""Realised profit: by hand for the plain cases, and by what is left over for all others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.account import FundingPayment
from latentspeed_cli.core.pnl import realised
from latentspeed_cli.core.reports import TradeUpdate
from latentspeed_cli.core.types import TradeType


def fill(at: int, amount: str, price: str, *, fee: str = "0", pair: str = "BTC-USD") -> TradeUpdate:
    """amount: signed, positive was bought."""
    signed = Decimal(amount)
    return TradeUpdate(
        fill_id=str(at),
        exchange_order_id="1",
        trading_pair=pair,
        ts_ns=at,
        side=TradeType.BUY if signed > 0 else TradeType.SELL,
        price=Decimal(price),
        amount=abs(signed),
        fee=Decimal(fee),
        fee_currency="USDC",
    )


@pytest.mark.parametrize(
    ("trades", "totals"),
    [
        ([("1", "100"), ("-1", "110")], ["0", "10"]),
        ([("-2", "100"), ("2", "90")], ["0", "20"]),
        ([("1", "100"), ("1", "120"), ("-1", "120")], ["0", "0", "10"]),  # at the average of 110
        ([("1", "100"), ("-3", "110"), ("2", "100")], ["0", "10", "30"]),  # through zero, then short from 110
        ([("1", "100"), ("-0.5", "90"), ("-0.5", "120")], ["0", "-5", "5"]),
    ],
)
def test_what_closing_brings(trades: list[tuple[str, str]], totals: list[str]) -> None:
    fills = [fill(at, amount, price) for at, (amount, price) in enumerate(trades)]
    assert [one.total for one in realised(fills)] == list(map(Decimal, totals))


def test_fees_and_funding_count() -> None:
    payment = FundingPayment(
        trading_pair="BTC-USD", ts_ns=1, amount=Decimal("-2"), rate=Decimal("0.01"), position_amount=Decimal("1")
    )
    found = realised([fill(2, "-1", "110", fee="1"), fill(0, "1", "100", fee="0.5")], [payment])
    assert [(one.ts_ns, one.total) for one in found] == [
        (0, Decimal("-0.5")),
        (1, Decimal("-2.5")),
        (2, Decimal("6.5")),
    ]


def test_markets_do_not_mix() -> None:
    found = realised([fill(0, "1", "100"), fill(1, "-1", "200", pair="ETH-USD")])
    assert found[-1].total == 0


@given(
    st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 1000)), min_size=1, max_size=30),
    st.integers(1, 1000),
)
def test_what_is_closed_at_the_end_is_all_the_money(trades: list[tuple[int, int]], last: int) -> None:
    fills = [fill(at, str(amount), str(price)) for at, (amount, price) in enumerate(trades)]
    left = sum(amount for amount, _ in trades)
    if left:
        fills.append(fill(len(fills), str(-left), str(last)))
    cash = -sum(amount * price for amount, price in trades) + left * last
    assert abs(realised(fills)[-1].total - cash) < Decimal("1e-20")
