"""The order book against a plain model: price first, then time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.sandbox.matching import Book, Level, Resting


def order(number: int, is_buy: bool, price: int, size: int) -> Resting:
    return Resting(number, f"owner{number}", is_buy, price, size)


def test_best_is_price_then_time() -> None:
    book = Book()
    for number, price in enumerate([100, 101, 101, 99]):
        book.add(order(number, True, price, 5))
    best = book.best(True)
    assert best is not None
    assert (best.price, best.order_id) == (101, 1)
    assert book.best(False) is None
    assert book.prices(True) == [101, 100, 99]


def test_a_reduction_keeps_the_place() -> None:
    book = Book()
    book.add(order(1, False, 100, 5))
    book.add(order(2, False, 100, 5))
    book.reduce(1, 4)
    assert [resting.order_id for resting in book.queue(False, 100)] == [1, 2]
    book.reduce(1, 1)
    assert [resting.order_id for resting in book.queue(False, 100)] == [2]
    assert book.remove(1) is None


def test_levels_sum_sizes_and_counts() -> None:
    book = Book()
    book.add(order(1, False, 100, 5))
    book.add(Resting(2, "many", False, 100, 7, count=3))
    book.add(order(3, False, 102, 1))
    assert book.levels(False, 1) == [Level(100, 12, 4)]
    assert book.levels(False) == [Level(100, 12, 4), Level(102, 1, 1)]


def test_crossing() -> None:
    book = Book()
    book.add(order(1, False, 100, 5))
    assert book.crosses(True, 100)
    assert not book.crosses(True, 99)
    assert not book.crosses(False, 100)
    assert book.first_match(True, 99) is None


STEPS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 20), st.integers(1, 9), st.booleans()), min_size=1, max_size=60
)


@given(STEPS)
def test_matching_equals_a_sorted_list(steps: list[tuple[bool, int, int, bool]]) -> None:
    """Incoming orders trade against the best resting ones; what is left rests. The model sorts afresh every time."""
    book, model = Book(), list[list[int]]()
    for number, (is_buy, price, size, removes) in enumerate(steps):
        if removes and model:
            gone = model.pop(price % len(model))
            removed = book.remove(gone[0])
            assert removed is not None
            assert removed.size == gone[3]
            continue
        left, traded, expected = size, [], []
        while left and (maker := book.first_match(is_buy, price)) is not None:
            part = min(left, maker.size)
            traded.append((maker.order_id, part))
            book.reduce(maker.order_id, part)
            left -= part
        rest = size
        others = [row for row in model if row[1] != is_buy and (row[2] <= price if is_buy else row[2] >= price)]
        for row in sorted(others, key=lambda row: (row[2] if is_buy else -row[2], row[0])):
            part = min(rest, row[3])
            if part:
                expected.append((row[0], part))
                row[3] -= part
                rest -= part
        model = [row for row in model if row[3]]
        assert traded == expected
        assert left == rest
        if left:
            book.add(order(number, is_buy, price, left))
            model.append([number, is_buy, price, left])
        bid, ask = book.best_price(True), book.best_price(False)
        assert bid is None or ask is None or bid < ask
        assert {resting.order_id: resting.size for resting in book.orders.values()} == {row[0]: row[3] for row in model}
