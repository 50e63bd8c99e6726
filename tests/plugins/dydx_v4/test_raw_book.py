"""The book that may be crossed, and the view of it that never is."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentspeed_dydx_v4.raw_book import RawBook

from latentspeed_cli.core.market_data import PriceLevel
from latentspeed_cli.errors import ProtocolError


def levels(*pairs: tuple[str, str]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(Decimal(price), Decimal(amount)) for price, amount in pairs)


def book(bids: tuple[PriceLevel, ...], asks: tuple[PriceLevel, ...]) -> RawBook:
    made = RawBook()
    made.load(bids, asks, 1)
    return made


def test_absolute_amounts_and_deletions() -> None:
    made = book(levels(("10", "1"), ("9", "2")), levels(("11", "1")))
    made.change(levels(("10", "3"), ("9.0", "0"), ("8", "0")), levels(("12", "4")), 2)
    assert made.view() == (levels(("10", "3")), levels(("11", "1"), ("12", "4")))


def test_one_price_in_two_spellings_is_one_level() -> None:
    made = book(levels(("2396", "1")), ())
    made.change(levels(("2396.0", "2")), (), 2)
    assert made.depth == (1, 0)
    assert made.view()[0] == levels(("2396", "2"))


def test_the_older_level_gives_way() -> None:
    made = book(levels(("10", "1")), levels(("11", "1"), ("12", "1")))
    made.change(levels(("11.5", "1")), (), 2)
    assert made.is_crossed
    assert made.view() == (levels(("11.5", "1"), ("10", "1")), levels(("12", "1")))
    made.change((), levels(("11.2", "1")), 3)
    assert made.view() == (levels(("10", "1")), levels(("11.2", "1"), ("12", "1")))


def test_of_one_message_the_larger_keeps_the_rest() -> None:
    made = book((), ())
    made.change(levels(("11", "5")), levels(("10", "2"), ("12", "1")), 2)
    assert made.view() == (levels(("11", "3")), levels(("12", "1")))
    made.change(levels(("11", "2")), levels(("10", "2")), 3)
    assert made.view() == ((), levels(("12", "1")))


def test_what_the_view_hides_stays() -> None:
    made = book(levels(("10", "1")), levels(("11", "1")))
    made.change(levels(("12", "1")), (), 2)
    assert made.view()[1] == ()
    made.change(levels(("12", "0")), (), 3)
    assert made.view() == (levels(("10", "1")), levels(("11", "1")))


def test_a_limit() -> None:
    made = book(levels(("3", "1"), ("2", "1"), ("1", "1")), levels(("4", "1"), ("5", "1")))
    assert made.view(1) == (levels(("3", "1")), levels(("4", "1")))
    assert made.view(9) == made.view()


@pytest.mark.parametrize("bad", [("0", "1"), ("-1", "1"), ("1", "-1")])
def test_levels_without_sense(bad: tuple[str, str]) -> None:
    made = book(levels(("10", "1")), levels(("11", "1")))
    with pytest.raises(ProtocolError):
        made.load(levels(bad), (), 2)
    assert made.view() == (levels(("10", "1")), levels(("11", "1")))
    with pytest.raises(ProtocolError):
        made.change((), levels(bad), 2)


SIDE = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=6)


@given(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=8))
def test_the_view_is_in_order_never_crossed_and_of_raw_levels(changes: list[tuple[list[tuple[int, int]], ...]]) -> None:
    made = RawBook()
    raw: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
    for number, sides in enumerate(changes):
        told = [tuple(PriceLevel(Decimal(price), Decimal(amount)) for price, amount in side) for side in sides]
        made.change(told[0], told[1], number)
        for known, side in zip(raw, told, strict=True):
            known.update({level.price: level.amount for level in side})
        bids, asks = made.view()
        assert all(better.price > worse.price for better, worse in pairwise(bids))
        assert all(better.price < worse.price for better, worse in pairwise(asks))
        assert not (bids and asks) or bids[0].price < asks[0].price
        for side, known in ((bids, raw[0]), (asks, raw[1])):
            assert all(0 < level.amount <= known[level.price] for level in side)
        if not made.is_crossed:
            assert {level.price: level.amount for level in bids} == {p: a for p, a in raw[0].items() if a}
