"""One market's book: a gap empties it, and a bad book never passes for a good one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.market_data import OrderBookDiff, OrderBookSnapshot, PriceLevel
from latentspeed_cli.core.order_book import BookChange, BookProblem, OrderBook
from latentspeed_cli.core.pricing import BookTop
from latentspeed_cli.errors import ProtocolError

Levels = list[tuple[int, int]]


def levels(pairs: Levels) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(Decimal(price), Decimal(amount)) for price, amount in pairs)


def snapshot(
    bids: Levels, asks: Levels, *, ts_ns: int = 1, sequence: int | None = 10, trading_pair: str = "BTC-USD"
) -> OrderBookSnapshot:
    return OrderBookSnapshot(
        trading_pair=trading_pair, ts_ns=ts_ns, bids=levels(bids), asks=levels(asks), sequence=sequence
    )


def diff(bids: Levels, asks: Levels, first: int, last: int | None = None, ts_ns: int = 2) -> OrderBookDiff:
    return OrderBookDiff(
        trading_pair="BTC-USD",
        ts_ns=ts_ns,
        bids=levels(bids),
        asks=levels(asks),
        first_sequence=first,
        sequence=first if last is None else last,
    )


@pytest.fixture
def book() -> OrderBook:
    book = OrderBook("BTC-USD")
    book.apply_snapshot(snapshot([(99, 1), (98, 2)], [(101, 1), (102, 2), (103, 3)]), received_ns=5)
    return book


def test_a_snapshot(book: OrderBook) -> None:
    assert book.best_bid == PriceLevel(Decimal(99), Decimal(1))
    assert book.best_ask == PriceLevel(Decimal(101), Decimal(1))
    assert book.mid == 100
    assert book.top() == BookTop(bid=Decimal(99), ask=Decimal(101), ts_ns=1, received_ns=5)
    assert book.snapshot(1) == snapshot([(99, 1)], [(101, 1)])
    assert book.snapshot() == snapshot([(99, 1), (98, 2)], [(101, 1), (102, 2), (103, 3)])
    assert book.problem(now_ns=6, stale_after_ns=10) is None


def test_before_the_first_snapshot_there_is_no_book() -> None:
    book = OrderBook("BTC-USD")
    assert book.problem(now_ns=0, stale_after_ns=10) is BookProblem.MISSING
    assert (book.mid, book.best_bid, book.best_ask) == (None, None, None)
    assert book.top() == BookTop(bid=None, ask=None, ts_ns=0, received_ns=0)
    assert book.apply_diff(diff([], [], 1), received_ns=1) is BookChange.GAP
    with pytest.raises(LookupError):
        book.snapshot()


def test_diffs_change_single_levels(book: OrderBook) -> None:
    change = diff([(99, 0), (100, 4), (98, 5)], [(104, 1), (102, 0), (107, 0)], 11, 12)
    assert book.apply_diff(change, received_ns=6) is BookChange.APPLIED
    assert book.snapshot() == snapshot([(100, 4), (98, 5)], [(101, 1), (103, 3), (104, 1)], ts_ns=2, sequence=12)
    assert book.snapshot(2) == snapshot([(100, 4), (98, 5)], [(101, 1), (103, 3)], ts_ns=2, sequence=12)
    assert book.best_bid == PriceLevel(Decimal(100), Decimal(4))
    assert book.best_ask == PriceLevel(Decimal(101), Decimal(1))


def test_diffs_may_empty_a_side(book: OrderBook) -> None:
    assert book.apply_diff(diff([(99, 0), (98, 0)], [], 11), received_ns=6) is BookChange.APPLIED
    assert book.best_bid is None
    assert book.problem(now_ns=6, stale_after_ns=10) is BookProblem.EMPTY


def test_old_diffs_change_nothing(book: OrderBook) -> None:
    before = book.snapshot()
    assert book.apply_diff(diff([(99, 0)], [], 10), received_ns=6) is BookChange.OLD
    assert book.snapshot() == before


def test_a_diff_that_overlaps_the_snapshot_counts(book: OrderBook) -> None:
    assert book.apply_diff(diff([(97, 1)], [], 8, 11), received_ns=6) is BookChange.APPLIED
    assert book.sequence == 11


def test_a_gap_drops_the_book_until_the_next_snapshot(book: OrderBook) -> None:
    assert book.apply_diff(diff([(97, 1)], [], 12), received_ns=6) is BookChange.GAP
    assert book.problem(now_ns=6, stale_after_ns=10) is BookProblem.MISSING
    assert book.best_bid is None
    assert book.apply_diff(diff([(97, 1)], [], 13), received_ns=6) is BookChange.GAP
    assert book.apply_snapshot(snapshot([(99, 1)], [(101, 1)], sequence=13), received_ns=7) is BookChange.APPLIED
    assert book.apply_diff(diff([(98, 1)], [], 14), received_ns=7) is BookChange.APPLIED


def test_a_book_without_numbers_takes_no_diffs() -> None:
    book = OrderBook("BTC-USD")
    book.apply_snapshot(snapshot([(99, 1)], [(101, 1)], sequence=None), received_ns=1)
    assert book.apply_diff(diff([], [], 1), received_ns=1) is BookChange.GAP


def test_older_snapshots_change_nothing(book: OrderBook) -> None:
    assert book.apply_snapshot(snapshot([(1, 1)], [(2, 1)], sequence=9, ts_ns=9), received_ns=6) is BookChange.OLD
    assert book.mid == 100
    again = snapshot([(99, 1)], [(101, 1)], sequence=10)
    assert book.apply_snapshot(again, received_ns=7) is BookChange.APPLIED
    assert book.received_ns == 7
    unnumbered = OrderBook("BTC-USD")
    for ts_ns, change in ((5, BookChange.APPLIED), (4, BookChange.OLD), (5, BookChange.APPLIED)):
        state = snapshot([(99, 1)], [(101, 1)], ts_ns=ts_ns, sequence=None)
        assert unnumbered.apply_snapshot(state, received_ns=6) is change


@pytest.mark.parametrize(
    ("bids", "asks", "problem"),
    [
        ([], [(101, 1)], BookProblem.EMPTY),
        ([(99, 1)], [], BookProblem.EMPTY),
        ([(101, 1)], [(101, 1)], BookProblem.CROSSED),
        ([(102, 1)], [(101, 1)], BookProblem.CROSSED),
    ],
)
def test_bad_books_have_no_mid(bids: Levels, asks: Levels, problem: BookProblem) -> None:
    book = OrderBook("BTC-USD")
    book.apply_snapshot(snapshot(bids, asks), received_ns=1)
    assert book.problem(now_ns=1, stale_after_ns=10) is problem
    assert book.mid is None


def test_a_book_grows_stale(book: OrderBook) -> None:
    assert book.problem(now_ns=15, stale_after_ns=10) is None
    assert book.problem(now_ns=16, stale_after_ns=10) is BookProblem.STALE


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([(98, 1), (99, 1)], []),
        ([], [(102, 1), (101, 1)]),
        ([(99, 1), (99, 1)], []),
        ([(99, 0)], []),
        ([(99, -1)], []),
        ([(0, 1)], []),
    ],
)
def test_a_snapshot_that_is_no_book_changes_nothing(bids: Levels, asks: Levels, book: OrderBook) -> None:
    with pytest.raises(ProtocolError):
        book.apply_snapshot(snapshot(bids, asks, sequence=11), received_ns=6)
    assert book.mid == 100
    assert book.sequence == 10


@pytest.mark.parametrize("level", [(0, 1), (-1, 1), (99, -1)])
def test_a_diff_that_makes_no_sense_changes_nothing(level: tuple[int, int], book: OrderBook) -> None:
    with pytest.raises(ProtocolError):
        book.apply_diff(diff([(98, 9)], [level], 11), received_ns=6)
    assert book.snapshot() == snapshot([(99, 1), (98, 2)], [(101, 1), (102, 2), (103, 3)])


def test_another_market_is_refused(book: OrderBook) -> None:
    with pytest.raises(ProtocolError, match="ETH-USD"):
        book.apply_snapshot(snapshot([], [], trading_pair="ETH-USD"), received_ns=6)


@given(
    changes=st.lists(st.lists(st.tuples(st.booleans(), st.integers(1, 8), st.integers(0, 2)), max_size=4), max_size=12)
)
def test_diffs_end_in_the_book_that_a_snapshot_would_show(changes: list[list[tuple[bool, int, int]]]) -> None:
    book = OrderBook("BTC-USD")
    book.apply_snapshot(snapshot([(3, 1)], [(6, 1)], sequence=0), received_ns=0)
    expected = {True: {3: 1}, False: {6: 1}}
    for number, change in enumerate(changes, 1):
        for is_bid, price, amount in change:
            expected[is_bid][price] = amount
        bids = [(price, amount) for is_bid, price, amount in change if is_bid]
        asks = [(price, amount) for is_bid, price, amount in change if not is_bid]
        book.apply_diff(diff(bids, asks, number), received_ns=number)
    state = book.snapshot()
    assert state.bids == levels(sorted(((p, a) for p, a in expected[True].items() if a), reverse=True))
    assert state.asks == levels(sorted((p, a) for p, a in expected[False].items() if a))
