"""The user's own limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from latentspeed_cli.core.guards import Guards, check, notional_at_worst
from latentspeed_cli.errors import GuardRefused

ORDER: dict[str, Any] = {"amount": Decimal(1), "price": Decimal(100), "reference_price": Decimal(100)}


@pytest.mark.parametrize("price", ["50", "100", "150"])
def test_inside_the_band(price: str) -> None:
    check(Guards(), **{**ORDER, "price": Decimal(price)})


@pytest.mark.parametrize("price", ["49.99", "150.01", "1000"])
def test_outside_the_band(price: str) -> None:
    with pytest.raises(GuardRefused, match=r"more than 5000 basis points from the market at 100$") as caught:
        check(Guards(), **{**ORDER, "price": Decimal(price)})
    assert caught.value.exit_code == 13


def test_amount_and_price_swapped() -> None:
    with pytest.raises(GuardRefused) as caught:
        check(Guards(), amount=Decimal(60_000), price=Decimal("0.01"), reference_price=Decimal(60_000))
    assert "swapped" in str(caught.value.hint)


def test_no_reference_no_order() -> None:
    with pytest.raises(GuardRefused, match="no reference price"):
        check(Guards(), **{**ORDER, "reference_price": None})


def test_the_cap_of_an_order_counts_the_worst_price() -> None:
    guards = Guards(max_order_notional=Decimal(100))
    check(guards, **ORDER)
    for price, reference in (("100.1", "100"), ("99", "100.1")):
        with pytest.raises(GuardRefused, match=r"order value 100\.1 is above the cap of 100 an order"):
            check(guards, amount=Decimal(1), price=Decimal(price), reference_price=Decimal(reference))


def test_the_cap_of_a_day_counts_what_was_placed_before() -> None:
    guards = Guards(max_day_notional=Decimal(250))
    check(guards, **ORDER, day_notional=Decimal(150))
    with pytest.raises(GuardRefused, match=r"order value 100 after 150\.1 today is above the cap of 250 a day"):
        check(guards, **ORDER, day_notional=Decimal("150.1"))


def test_flags_only_tighten() -> None:
    profile = Guards(max_order_notional=Decimal(100), price_band_bps=1000, allow_master_key=True)
    assert profile.tightened(max_order_notional=Decimal(200), price_band_bps=2000) == profile
    tight = profile.tightened(max_order_notional=Decimal(50), price_band_bps=10)
    assert (tight.max_order_notional, tight.price_band_bps, tight.allow_master_key) == (Decimal(50), 10, True)
    assert Guards().tightened(max_order_notional=Decimal(5)).max_order_notional == 5
    assert Guards().tightened() == Guards()


def test_worst_notional() -> None:
    assert notional_at_worst(Decimal(2), Decimal(100), Decimal(101)) == 202
