"""The public tape of a market: the same trades whoever asks, before, while and after somebody watches."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

LOT, TICK = 1_000_000, 100_000
LOW, HIGH = 80_000 * TICK, 90_000 * TICK
PATH = "trades/perpetualMarket/BTC-USD"


def ids(venue: Any) -> list[str]:
    """Oldest first."""
    return [trade["id"] for trade in reversed(venue.get(PATH)["trades"])]


def heights(venue: Any) -> list[int]:
    return [int(trade["createdAtHeight"]) for trade in reversed(venue.get(PATH)["trades"])]


def test_a_market_that_was_never_watched_has_a_history_once_it_is(moving: Any) -> None:
    moving.pass_time(60)
    number = moving.connect()
    moving.subscribe(number, "v4_trades", "BTC-USD")
    [snapshot] = [frame for frame in moving.take(number) if frame["type"] == "subscribed"]
    assert len(snapshot["contents"]["trades"]) > 50
    moving.pass_time(5)
    after = ids(moving)
    known = [trade["id"] for trade in reversed(snapshot["contents"]["trades"])]
    assert after[: len(known)] == known
    streamed = [trade["id"] for frame in moving.take(number) for trade in frame["contents"]["trades"]]
    assert streamed
    assert after[-len(streamed) :] == streamed


def test_watching_leaves_no_gap_and_doubles_nothing(moving: Any) -> None:
    """Every block had trades before; the steps around the moment when watching begins have theirs once."""
    moving.pass_time(30)
    before = ids(moving)
    number = moving.connect()
    moving.subscribe(number, "v4_trades", "BTC-USD")
    moving.pass_time(10)
    watched = ids(moving)
    moving.model.ws_close(number, moving.now_ns)
    moving.pass_time(30)
    after = ids(moving)
    assert watched[: len(before)] == before
    assert after[: len(watched)] == watched
    assert len(set(after)) == len(after)
    seen = heights(moving)
    assert seen == sorted(seen)
    assert max(later - earlier for earlier, later in pairwise(seen)) < 12


def test_a_users_trade_does_not_hide_what_was_before_it(moving: Any) -> None:
    moving.pass_time(30)
    moving.place("buy", LOT, HIGH, tif="ioc")
    moving.pass_time(2)
    rows = moving.get(PATH)["trades"]
    [mine] = moving.rows("fills")["fills"]
    place = next(index for index, row in enumerate(rows) if row["createdAtHeight"] == mine["createdAtHeight"])
    assert len(rows) - place > 50
    assert len({row["id"] for row in rows}) == len(rows)
    assert heights(moving) == sorted(heights(moving))


def test_a_liquidation_is_called_so(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[["80000", "50"]], asks=[["84012", "50"]])
    venue.control("fund", address="dydx1y8an57mylhme5qx8easytfcggnr9mw046tqxcl", amount="2000", subaccount=3)
    venue.place("buy", 9_000 * LOT, HIGH, tif="ioc", subaccount=3)
    venue.block()
    venue.control("price", ticker="BTC-USD", oracle="82200")
    venue.block(3)
    assert venue.get(PATH)["trades"][0]["type"] == "LIQUIDATED"
