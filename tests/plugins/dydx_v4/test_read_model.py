"""Reads and streams against the local venue, which shares no code with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4.markets import DydxV4Market, markets, rows
from latentspeed_dydx_v4.payloads import PerpetualMarkets

from latentspeed_cli.connector.answers import shape
from latentspeed_cli.connector.streams import Channel, Gap, Resubscribe, SnapshotEnd, SubscriptionAck
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.market_data import BestBidOffer, Candle, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.core.order_state import learn
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce

from .local_venue import BLOCK_NS, Listener, Trader, Venue
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


# Orders: what is heard and what is read must come to the same


class Story:
    """A market that stands still, one trader, and what its own line tells about its orders."""

    def __init__(self, *, lag_s: float = 0.2) -> None:
        self.venue = Venue(lag_s=lag_s)
        self.flows = Flows(account=self.venue.address, **SETTINGS)
        self.flows.symbols = self.venue.drive(self.flows.markets_flow()).symbols
        self.me = Trader(self.venue, self.flows.symbols)
        self.book: OrderBookSnapshot = self.venue.drive(self.flows.book_flow("BTC-USD"))
        source = private(self.flows.symbols, account=self.venue.address, **SETTINGS)
        self.line = Listener(self.venue, source, (Channel.ORDERS, Channel.FILLS))
        self.line.hear()

    @property
    def far(self) -> Decimal:
        """Where nothing happens."""
        return Decimal(int(self.book.bids[-1].price) * 9 // 10)

    def heard(self, order: InFlightOrder) -> InFlightOrder:
        """The order with all that the line tells about it."""
        news = [item for item in self.line.hear() if isinstance(item, OrderUpdate | TradeUpdate)]
        return told(order, [item for item in news if item.exchange_order_id == order.exchange_order_id])

    def read(self, order: InFlightOrder) -> InFlightOrder:
        """The order with all that can be asked about it, as the reconciler asks."""
        news = self.venue.drive(self.flows.order_status_flow(order))
        fills = self.venue.drive(self.flows.fills_flow(order.created_ts_ns - 10**10))
        return told(order, [*news, *(fill for fill in fills if fill.exchange_order_id == order.exchange_order_id)])


def told(order: InFlightOrder, news: Sequence[OrderUpdate | TradeUpdate]) -> InFlightOrder:
    facts = order.facts
    for item in news:
        facts = learn(facts, item)
    found = msgspec.structs.replace(order, facts=facts)
    assert found.contradiction is None
    return found


@pytest.fixture
def story() -> Story:
    return Story()


def test_an_order_rests_and_is_cancelled(story: Story) -> None:
    order = story.me.order(price=story.far)
    assert story.me.place(order).code == 0
    story.venue.pass_blocks(1)
    heard, read = story.heard(order), story.read(order)
    assert (heard.state, read.state) == (OrderState.OPEN, OrderState.OPEN)
    assert [one.exchange_order_id for one in story.venue.drive(story.flows.open_orders_flow())] == [
        order.exchange_order_id
    ]
    assert story.me.cancel(order).code == 0
    story.venue.pass_blocks(1)
    heard, read = story.heard(heard), story.read(read)
    assert (heard.state, read.state) == (OrderState.OPEN, OrderState.OPEN)  # gossip alone ends nothing
    story.venue.pass_blocks(14)
    heard, read = story.heard(heard), story.read(read)
    assert heard.state is OrderState.CANCELLED
    assert read.state is OrderState.EXPIRED  # nobody told this one of a cancel, and no row is left
    assert [item.kind for item in heard.evidence] == ["block_limit_passed"]


def test_an_order_expires_with_its_last_block(story: Story) -> None:
    order = story.me.order(price=story.far)
    story.me.place(order)
    story.venue.pass_blocks(15)
    assert (story.heard(order).state, story.read(order).state) == (OrderState.EXPIRED, OrderState.EXPIRED)


def test_an_immediate_order_that_meets_nobody(story: Story) -> None:
    order = story.me.order(price=story.far, tif=TimeInForce.IOC)
    assert story.me.place(order).code == 0
    story.venue.pass_blocks(2)
    assert not story.heard(order).is_done
    assert not story.read(order).is_done
    story.venue.pass_blocks(14)
    heard, read = story.heard(order), story.read(order)
    assert read.state is OrderState.EXPIRED
    assert (read.reason, read.executed_amount) == ("ioc_unmatched", Decimal(0))
    assert heard.state is OrderState.EXPIRED


def test_a_market_order_is_filled_and_its_fills_are_the_same_wherever_they_come_from(story: Story) -> None:
    bound = Decimal(int(story.book.asks[-1].price) * 11 // 10)
    order = story.me.order(order_type=OrderType.MARKET, tif=TimeInForce.IOC, price=bound)
    assert story.me.place(order).code == 0
    story.venue.pass_blocks(3)
    heard, read = story.heard(order), story.read(order)
    assert (heard.state, read.state) == (OrderState.FILLED, OrderState.FILLED)
    assert heard.facts.fills.keys() == read.facts.fills.keys()
    assert told(heard, list(read.facts.fills.values())).executed_amount == order.amount
    state = story.venue.drive(story.flows.account_flow())
    assert [(one.trading_pair, one.amount) for one in state.positions] == [("BTC-USD", order.amount)]
    assert abs(state.account_value - (state.balances[0].total + state.total_notional)) < Decimal("0.01")


def test_an_immediate_order_that_is_filled_in_part(story: Story) -> None:
    amount = story.book.asks[0].amount + Decimal("0.01")
    order = story.me.order(tif=TimeInForce.IOC, price=story.book.asks[0].price, amount=amount)
    assert story.me.place(order).code == 0
    story.venue.pass_blocks(4)
    heard, read = story.heard(order), story.read(order)
    for found in (heard, read):
        assert (found.state, found.reason) == (OrderState.EXPIRED, "ioc_remainder")
        assert found.executed_amount == story.book.asks[0].amount


def test_a_post_only_order_that_would_cross_is_refused_and_never_accepted(story: Story) -> None:
    order = story.me.order(post_only=True, price=story.book.asks[-1].price)
    said = story.me.place(order)
    assert (said.codespace, said.code) == ("clob", 2003)
    story.venue.pass_blocks(15)
    assert not story.heard(order).facts.accepted
    resting = story.me.order(post_only=True, price=story.far)
    assert story.me.place(resting).code == 0
    story.venue.pass_blocks(2)
    assert story.heard(resting).state is OrderState.OPEN


MONTH_NS = 28 * 86_400 * 10**9


def test_a_long_term_order(story: Story) -> None:
    order = story.me.order(price=story.far, good_til_ts_ns=story.venue.now_ns + MONTH_NS)
    assert story.me.place(order).code == 0
    story.venue.pass_blocks(3)
    heard, read = story.heard(order), story.read(order)
    assert (heard.state, read.state) == (OrderState.OPEN, OrderState.OPEN)
    lost = msgspec.structs.replace(order, exchange_order_id=None, trading_pair="", created_ts_ns=0)
    (found,) = story.venue.drive(story.flows.order_status_flow(lost))
    assert found.exchange_order_id == order.exchange_order_id
    assert story.me.cancel(order).code == 0
    story.venue.pass_blocks(3)
    heard, read = story.heard(heard), story.read(read)
    assert (heard.state, read.state) == (OrderState.CANCELLED, OrderState.CANCELLED)


def test_the_chain_knows_a_long_term_order_before_the_indexer_does() -> None:
    story = Story(lag_s=20.0)
    order = story.me.order(price=story.far, good_til_ts_ns=story.venue.now_ns + MONTH_NS)
    assert story.me.place(order).code == 0
    story.venue.pass_blocks(3)
    (update,) = story.venue.drive(story.flows.order_status_flow(order))
    assert (update.report, update.venue_code) == (Report.ACCEPTED, "in state")


def test_a_lagging_indexer_ends_nothing_too_early() -> None:
    story = Story(lag_s=5.0)
    bound = Decimal(int(story.book.asks[-1].price) * 11 // 10)
    order = story.me.order(order_type=OrderType.MARKET, tif=TimeInForce.IOC, price=bound)
    assert story.me.place(order).code == 0
    for _ in range(24):
        story.venue.pass_blocks(1)
        assert story.read(order).state in (OrderState.PENDING_SUBMIT, OrderState.OPEN, OrderState.FILLED)
    assert story.read(order).state is OrderState.FILLED


@pytest.mark.parametrize("fault", [{"seconds": 3.0}, {"drop": True}, {"duplicate": True}])
def test_gossip_that_is_late_lost_or_doubled_changes_nothing(story: Story, fault: dict[str, object]) -> None:
    story.venue.control("late", **fault)
    bound = Decimal(int(story.book.asks[-1].price) * 11 // 10)
    filled = story.me.order(order_type=OrderType.MARKET, tif=TimeInForce.IOC, price=bound)
    story.me.place(filled)
    missed = story.me.order(price=story.far, tif=TimeInForce.IOC)
    story.me.place(missed)
    story.venue.pass_blocks(18)
    items = story.line.hear()
    news = [item for item in items if isinstance(item, OrderUpdate | TradeUpdate)]
    heard = told(filled, [item for item in news if item.exchange_order_id == filled.exchange_order_id])
    assert heard.state is OrderState.FILLED
    assert story.read(filled).state is OrderState.FILLED
    assert story.read(missed).state is OrderState.EXPIRED


def test_past_trades_rates_and_the_venues_clock(venue: Venue, flows: Flows) -> None:
    venue.pass_blocks(60)
    trades: tuple[PublicTrade, ...] = venue.drive(flows.past_trades_flow("BTC-USD", 0))
    assert len(trades) > 1
    assert [trade.ts_ns for trade in trades] == sorted(trade.ts_ns for trade in trades)
    middle = trades[len(trades) // 2].ts_ns
    later = venue.drive(flows.past_trades_flow("BTC-USD", middle))
    assert later == tuple(trade for trade in trades if trade.ts_ns >= middle)
    hour = 3_600_000_000_000
    rates = venue.drive(flows.funding_rates_flow("BTC-USD", venue.now_ns - 5 * hour, venue.now_ns))
    assert len(rates) == 5
    assert all(right.ts_ns - left.ts_ns == hour for left, right in pairwise(rates))
    assert abs(venue.drive(flows.venue_time_flow()) - venue.now_ns) <= 2 * BLOCK_NS
    assert venue.drive(flows.funding_payments_flow(0)) == ()
