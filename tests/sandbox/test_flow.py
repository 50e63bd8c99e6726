"""The seeded path and the background flow."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentspeed_cli.sandbox.flow import NS_PER_DAY, NS_PER_S, Flow, MarketFlow, Quoter, Touch, seed_of
from latentspeed_cli.sandbox.matching import Book, Resting

E8 = 100_000_000
BTC = MarketFlow(
    symbol="BTC",
    base_price=84_000 * E8,
    tick_size=lambda price: E8,
    lot=1_000,
    depth=60_000_000,
    trade=7_000_000,
    volatility_ppm=24_000,
)


@pytest.fixture
def flow() -> Flow:
    return Flow(1, BTC)


def test_a_price_is_a_function_of_seed_symbol_and_time(flow: Flow) -> None:
    forwards = [flow.mid(second * NS_PER_S) for second in range(200)]
    backwards = [Flow(1, BTC).mid(second * NS_PER_S) for second in reversed(range(200))]
    assert forwards == backwards[::-1]
    assert forwards != [Flow(2, BTC).mid(second * NS_PER_S) for second in range(200)]
    assert seed_of(1, "BTC") != seed_of(1, "ETH")


def test_known_values_never_change() -> None:
    """A changed path would be another market for everyone who wrote down a seed."""
    flow = Flow(1, BTC)
    assert [flow.touch(step).bid // E8 for step in (0, 1_000, 1_000_000)] == [83_999, 83_963, 81_878]


def test_it_starts_at_the_base_price(flow: Flow) -> None:
    assert flow.mid(0) == BTC.base_price


def test_it_moves_like_a_market(flow: Flow) -> None:
    days = [flow.mid(day * NS_PER_DAY) for day in range(-200, 200)]
    moves = [abs(after / before - 1) for before, after in itertools.pairwise(days)]
    assert 0.005 < sum(moves) / len(moves) < 0.03
    assert max(moves) < 0.15
    seconds = [flow.mid(second * NS_PER_S) for second in range(2_000)]
    ticks = [abs(after - before) / E8 for before, after in itertools.pairwise(seconds)]
    assert 0.2 < sum(ticks) / len(ticks) < 8
    assert all(20_000 * E8 < price < 300_000 * E8 for price in days)


@given(st.integers(-(10**9), 10**9))
@settings(max_examples=50, deadline=None)
def test_touch_and_ladder_are_on_the_grid_and_uncrossed(step: int) -> None:
    flow = Flow(1, BTC)
    touch = flow.touch(step)
    assert touch.bid < touch.ask
    assert touch.bid - E8 <= touch.mid <= touch.ask + E8
    bids, asks = flow.ladder(touch, True), flow.ladder(touch, False)
    assert next(iter(bids)) == touch.bid
    assert next(iter(asks)) == touch.ask
    assert list(bids) == sorted(bids, reverse=True)
    assert list(asks) == sorted(asks)
    for price, (size, count) in [*bids.items(), *asks.items()]:
        assert price % E8 == 0
        assert size > 0
        assert size % BTC.lot == 0
        assert count >= 1


def test_steps_and_times_agree(flow: Flow) -> None:
    for step in (-5, 0, 7):
        start = flow.step_start(step)
        assert flow.step_at(start) == step
        assert flow.step_at(start - 1) == step - 1


def test_trades_are_few_small_and_seeded(flow: Flow) -> None:
    steps = [flow.trades(step) for step in range(1_000)]
    assert steps == [Flow(1, BTC).trades(step) for step in range(1_000)]
    trades = [trade for step in steps for trade in step]
    assert 500 < len(trades) < 4_000
    assert all(trade.size > 0 and trade.size % BTC.lot == 0 for trade in trades)
    buys = sum(trade.is_buy for trade in trades)
    assert 0.35 < buys / len(trades) < 0.65


class TestQuoter:
    def lay(self, quoter: Quoter, book: Book, touch: Touch) -> None:
        ladders = {side: quoter.flow.ladder(touch, side) for side in (True, False)}
        quoter.withdraw(book, ladders)
        quoter.quote(book, ladders)

    def test_the_book_is_the_ladder(self, flow: Flow) -> None:
        book, quoter = Book(), Quoter(flow, ("maker",))
        for step in range(300):
            touch = flow.touch(step)
            self.lay(quoter, book, touch)
            for side in (True, False):
                expected = {price: size for price, (size, _) in flow.ladder(touch, side).items()}
                assert {level.price: level.size for level in book.levels(side)} == expected

    def test_what_stays_keeps_its_place_and_what_comes_queues_behind(self, flow: Flow) -> None:
        book, quoter = Book(), Quoter(flow, ("maker",))
        touch = flow.touch(0)
        self.lay(quoter, book, touch)
        [quote] = book.queue(True, touch.bid)
        book.add(Resting(1, "user", True, touch.bid, 5_000))
        book.reduce(quote.order_id, quote.size // 2)
        self.lay(quoter, book, touch)
        owners = [order.owner for order in book.queue(True, touch.bid)]
        assert owners == ["maker", "user", "maker"]
        for order in book.queue(True, touch.bid)[:1]:
            book.reduce(order.order_id, order.size)
        self.lay(quoter, book, touch)
        assert book.queue(True, touch.bid)[0].owner == "user"

    def test_users_orders_are_left_alone(self, flow: Flow) -> None:
        book, quoter = Book(), Quoter(flow, ("maker",))
        book.add(Resting(1, "user", True, 1 * E8, 5_000))
        for step in range(0, 5_000, 100):
            self.lay(quoter, book, flow.touch(step))
        assert book.orders[1].size == 5_000
        quoter.withdraw(book, {True: {}, False: {}})
        assert list(book.orders) == [1]
