"""Reads and streams against the local venue, which shares no code with them."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from latentspeed_dydx_v4.markets import DydxV4Market, markets, rows
from latentspeed_dydx_v4.payloads import PerpetualMarkets
from latentspeed_dydx_v4.wire import shape

from latentspeed_cli.connector.streams import Channel, Gap, Resubscribe, SnapshotEnd, SubscriptionAck
from latentspeed_cli.core.market_data import BestBidOffer, Candle, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.core.symbols import SymbolMap

from .local_venue import BLOCK_NS, Listener, Venue
from .reading import Flows, private, public

SETTINGS: dict[str, Any] = {"network": "sandbox", "base_url": "http://127.0.0.1:3001", "node_url": "127.0.0.1:3003"}


@pytest.fixture
def venue() -> Venue:
    return Venue(flow=True)


@pytest.fixture
def flows(venue: Venue) -> Flows:
    made = Flows(account=venue.address, **SETTINGS)
    made.symbols = venue.drive(made.markets_flow()).symbols
    return made


def test_markets_have_the_grid_that_they_say(venue: Venue, flows: Flows) -> None:
    reply = venue.send(next(flows.markets_flow()))
    listed: PerpetualMarkets = shape(reply.body, PerpetualMarkets)
    found = markets(rows(listed))
    assert len(found.symbols) > 5
    for ticker, raw in listed.markets.items():
        row = json.loads(bytes(raw))
        rule = found.rules[ticker]
        assert (rule.amount_step, rule.price_tick) == (Decimal(row["stepSize"]), Decimal(row["tickSize"]))
        assert isinstance(found.symbols.pair(ticker), DydxV4Market)


def test_public_reads(venue: Venue, flows: Flows) -> None:
    venue.pass_blocks(20)
    book: OrderBookSnapshot = venue.drive(flows.book_flow("BTC-USD"))
    assert book.bids[0].price < book.asks[0].price
    (context,) = venue.drive(flows.context_flow(["BTC-USD"]))
    assert abs(context.mark_price / book.bids[0].price - 1) < Decimal("0.02")
    trades = venue.drive(flows.trades_flow("BTC-USD"))
    assert trades
    assert all(first.ts_ns <= second.ts_ns for first, second in pairwise(trades))
    candles = venue.drive(flows.candles_flow("BTC-USD", "1m", venue.now_ns - 600 * 10**9, venue.now_ns))
    assert candles[-1].close > 0
    assert all(first.open_ts_ns < second.open_ts_ns for first, second in pairwise(candles))


def test_account_reads(venue: Venue, flows: Flows) -> None:
    state = venue.drive(flows.account_flow())
    assert (state.account_value, state.withdrawable, state.positions) == (100_000, 100_000, ())
    assert state.balances[0].total == 100_000
    assert venue.drive(flows.open_orders_flow()) == ()
    assert venue.drive(flows.fills_flow(0)) == ()
    leverage, margin = venue.drive(flows.read_leverage_flow("BTC-USD"))
    assert (leverage, margin) == (flows.symbols.pair("BTC-USD").max_leverage, "cross")


def test_an_address_that_was_never_there(venue: Venue, flows: Flows) -> None:
    stranger = Flows(account="dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art", **SETTINGS)
    stranger.symbols = flows.symbols
    assert venue.drive(stranger.account_flow()).account_value == 0
    assert venue.drive(stranger.open_orders_flow()) == ()
    assert venue.drive(stranger.fills_flow(0)) == ()


def of(items: list[object], kind: type) -> list[Any]:
    return [item for item in items if isinstance(item, kind)]


CHANNELS = (Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.CANDLES, Channel.TICKER)


def listener(venue: Venue, symbols: SymbolMap, *channels: Channel) -> Listener:
    return Listener(venue, public(symbols, **SETTINGS), channels, ["BTC-USD"])


def test_every_public_channel_speaks(venue: Venue, flows: Flows) -> None:
    line = listener(venue, flows.symbols, *CHANNELS)
    items = line.hear()
    assert len(of(items, SubscriptionAck)) == 5  # one book serves two, and blocks tick
    assert all(of(items, kind) for kind in (OrderBookSnapshot, BestBidOffer, Candle, MarketContext))
    assert SnapshotEnd(Channel.TRADES, "BTC-USD") in items
    venue.pass_time(40 * BLOCK_NS)
    items = line.hear()
    assert not of(items, Gap)
    assert all(of(items, kind) for kind in (OrderBookSnapshot, BestBidOffer, PublicTrade, Candle, MarketContext))
    trades = of(items, PublicTrade)
    assert len({trade.trade_id for trade in trades}) == len(trades)
    for book in of(items, OrderBookSnapshot):
        assert book.bids[0].price < book.asks[0].price


def test_the_streamed_book_is_the_venues_book(venue: Venue, flows: Flows) -> None:
    line = listener(venue, flows.symbols, Channel.BOOK)
    compared = 0
    for _ in range(20):
        venue.pass_time(300_000_000)  # a little more than the venue keeps changes for a batch
        before = of(line.hear(), OrderBookSnapshot)
        read: OrderBookSnapshot = venue.drive(flows.book_flow("BTC-USD"))
        streamed = [*before[-1:], *of(line.hear(), OrderBookSnapshot)]
        if streamed:
            assert any((book.bids, book.asks) == (read.bids, read.asks) for book in streamed)
            compared += 1
    assert compared > 5


def test_a_lost_frame_is_noticed_and_repaired(venue: Venue, flows: Flows) -> None:
    line = listener(venue, flows.symbols, Channel.BOOK)
    line.hear()
    venue.pass_time(5 * BLOCK_NS)
    lost: list[int] = []

    def lose(said: dict[str, Any]) -> bool:
        if said["channel"] == "v4_orderbook" and not lost:
            lost.append(said["message_id"])
            return True
        return False

    items = line.hear(lose=lose)
    assert lost
    assert len(of(items, Gap)) == 1
    assert [item.key for item in of(items, Resubscribe)] == ["v4_orderbook:BTC-USD"]
    venue.pass_time(2 * BLOCK_NS)
    items = line.hear()
    assert of(items, OrderBookSnapshot)
    assert not of(items, Gap)


def test_a_private_line_of_a_quiet_account(venue: Venue, flows: Flows) -> None:
    source = private(flows.symbols, account=venue.address, **SETTINGS)
    line = Listener(venue, source, (Channel.ORDERS, Channel.FILLS))
    items = line.hear()
    assert len(of(items, SubscriptionAck)) == 2
    assert of(items, SnapshotEnd) == [SnapshotEnd(Channel.ORDERS), SnapshotEnd(Channel.FILLS)]
    venue.pass_time(10 * BLOCK_NS)
    assert line.hear() == []
