"""The comparison of benchmarks/soak.py says so whenever something private was lost, doubled or told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from soak_verdict import Fill, Listed, Order, State, Told, Verdict, compare

ORDER = {
    "schema": "order",
    "exchange_order_id": "1",
    "trading_pair": "BTC-USD",
    "side": "buy",
    "price": "100",
    "amount": "2",
    "state": "OPEN",
    "executed_amount": "0",
    "seq": 1,
}
PARTLY = {**ORDER, "state": "PARTIALLY_FILLED", "executed_amount": "1", "seq": 2}
ENDED = {**PARTLY, "state": "CANCELLED", "seq": 4}
FILL = {
    "schema": "fill",
    "fill_id": "f1",
    "exchange_order_id": "1",
    "trading_pair": "BTC-USD",
    "side": "buy",
    "price": "99.5",
    "amount": "1",
    "fee": "0.05",
    "seq": 3,
}
POSITION = {"schema": "position", "trading_pair": "BTC-USD", "amount": "1", "seq": 5}
CLOSED = {"schema": "position", "trading_pair": "ETH-USD", "amount": "0", "seq": 6}
ALL = (ORDER, PARTLY, FILL, ENDED, POSITION, CLOSED)


def listed() -> Listed:
    """The venue of one order that was filled by half and cancelled."""
    there = Listed()
    there.fills["f1"] = Fill(
        order_id="1",
        trading_pair="BTC-USD",
        side="buy",
        price=Decimal("99.50"),
        amount=Decimal(1),
        fee=Decimal("0.05"),
    )
    there.orders["1"] = Order(
        trading_pair="BTC-USD",
        side="buy",
        price=Decimal(100),
        amount=Decimal(2),
        state=State.ENDED,
        executed=Decimal(1),
    )
    there.positions["BTC-USD"] = Decimal(1)
    return there


def verdict(
    records: Sequence[dict[str, Any]],
    there: Listed | None = None,
    acknowledged: Sequence[str] = ("1",),
    *,
    forgets_unfilled: bool = False,
) -> Verdict:
    told = Told()
    for record in records:
        told.note(record)
    return compare(there or listed(), told, acknowledged, forgets_unfilled=forgets_unfilled)


def faults(found: Verdict) -> dict[str, int]:
    """What is not as it should be, by part and kind."""
    facts = ("at_venue", "told", "records", "repeated", "unlisted")
    return {
        f"{part} {kind}": number
        for part, counts in found.counts.items()
        for kind, number in counts.items()
        if number and kind not in facts
    }


def without(*records: dict[str, Any]) -> list[dict[str, Any]]:
    return [record for record in ALL if record not in records]


def test_nothing_is_wrong_with_what_was_told_as_it_was() -> None:
    found = verdict(ALL)
    assert (faults(found), found.wrong) == ({}, [])
    assert found.counts["fills"]["told"] == found.counts["orders"]["told"] == found.counts["positions"]["told"] == 1
    assert found.counts["orders"]["records"] == 3


@pytest.mark.parametrize(
    ("records", "fault"),
    [
        pytest.param(without(FILL), "fills lost", id="a lost fill"),
        pytest.param([*ALL, {**FILL, "seq": 7}], "fills doubled", id="a doubled fill"),
        pytest.param([*ALL, {**FILL, "price": "99", "seq": 7}], "fills doubled", id="doubled and told otherwise"),
        pytest.param([*ALL, {**FILL, "fill_id": "f2"}], "fills unknown_to_venue", id="doubled under another id"),
        *(
            pytest.param([*without(FILL), {**FILL, name: said}], "fills different", id=f"a fill of another {name}")
            for name, said in {
                "exchange_order_id": "2",
                "trading_pair": "ETH-USD",
                "side": "sell",
                "price": "99.4",
                "amount": "0.9",
                "fee": "-0.05",
            }.items()
        ),
        pytest.param(without(ORDER, PARTLY, ENDED), "orders lost", id="a lost order"),
        pytest.param(without(ENDED), "orders different", id="a lost end of an order"),
        *(
            pytest.param([*without(ENDED), {**ENDED, name: said}], "orders different", id=f"an order of another {name}")
            for name, said in {
                "trading_pair": "ETH-USD",
                "side": "sell",
                "price": None,
                "amount": "3",
                "state": "FILLED",
                "executed_amount": "1.5",
            }.items()
        ),
        pytest.param([*ALL, {**ENDED, "exchange_order_id": "2"}], "orders unknown_to_venue", id="an invented order"),
        pytest.param(without(POSITION), "positions lost", id="a lost position"),
        pytest.param([*ALL, {**POSITION, "amount": "-1"}], "positions different", id="a position of another side"),
        pytest.param([*ALL, {**CLOSED, "amount": "4"}], "positions unknown_to_venue", id="a lost end of a position"),
    ],
)
def test_it_says_what_is_wrong(records: list[dict[str, Any]], fault: str) -> None:
    found = verdict(records)
    assert faults(found) == {fault: 1}
    assert len(found.wrong) == 1


def test_an_end_that_is_taken_back_for_a_while_is_seen() -> None:
    found = verdict([*without(ENDED), ENDED, PARTLY, ENDED])
    assert faults(found) == {"orders went_back": 1}
    assert faults(verdict([PARTLY, ORDER, *without(ORDER, PARTLY)])) == {"orders went_back": 1}


def test_an_end_that_turns_out_a_fill_is_none_that_was_taken_back() -> None:
    filled = {**ENDED, "state": "FILLED", "executed_amount": "2"}
    found = verdict([*ALL, filled])
    assert faults(found) == {"orders different": 1}


def test_a_record_that_says_nothing_new_is_counted_and_no_fault() -> None:
    found = verdict([*ALL, {**ENDED, "seq": 7}])
    assert (found.counts["orders"]["repeated"], found.wrong) == (1, [])


def test_an_unfilled_end_may_be_unlisted_where_the_venue_forgets() -> None:
    unfilled = {**ORDER, "exchange_order_id": "2", "state": "EXPIRED"}
    found = verdict([*ALL, unfilled], forgets_unfilled=True)
    assert (found.counts["orders"]["unlisted"], found.wrong) == (1, [])
    assert faults(verdict([*ALL, unfilled])) == {"orders unknown_to_venue": 1}
    assert faults(verdict([*ALL, {**unfilled, "executed_amount": "1"}], forgets_unfilled=True)) == {
        "orders unknown_to_venue": 1
    }


def test_a_list_with_holes_is_no_witness() -> None:
    assert faults(verdict(ALL, acknowledged=("1", "2"))) == {"lists missing": 1}
    there = listed()
    del there.fills["f1"]
    assert faults(verdict(without(FILL), there)) == {"lists do_not_add_up": 1}
    there = listed()
    del there.orders["1"]
    assert faults(verdict(without(ORDER, PARTLY, ENDED), there)) == {"lists missing": 1}


def test_a_state_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        verdict([{**ORDER, "state": "PERHAPS"}])
