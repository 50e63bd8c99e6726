"""The client's flows against the local venue, whose signature checks and rules share no code with them."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig
from latentspeed_hyperliquid.connector import HyperliquidPerpetual
from latentspeed_hyperliquid.order_book_data_source import HyperliquidOrderBookDataSource
from latentspeed_hyperliquid.sandbox.model import HyperliquidModel
from latentspeed_hyperliquid.user_stream_data_source import HyperliquidUserStreamDataSource

from latentspeed_cli.connector.streams import Channel, DataSource, SnapshotEnd, SubscriptionAck
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.market_data import BestBidOffer, Candle, MarketContext, OrderBookSnapshot
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import AuthRejected, OrderRejected, OutcomeUnknown
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_cli.sandbox.model import HttpRequest, Scenario, Send

from .conftest import K1, K1_ADDRESS, connector_for

START_NS = 1_790_000_000_000_000_000
BLOCK_NS = 70_000_000


class Venue:
    """A model with a clock of its own, whose markets stand still."""

    def __init__(self) -> None:
        self.now_ns = START_NS
        self.model = HyperliquidModel(Scenario(name="quiet", flow=False, latency_s=0.0))
        self.model.load((), START_NS)
        self.sent: list[Send] = []
        self.symbols: SymbolMap = SymbolMap(())

    def client(self, index: int, **settings: Any) -> HyperliquidPerpetual:
        config = HyperliquidConfig(**{"network": "sandbox", "key": Secret(PRIVATE_KEYS[index]), **settings})
        made = connector_for(config, self.symbols)
        if not len(self.symbols):
            self.symbols = self.drive(made.markets_flow()).symbols
            made.symbols = self.symbols
        return made

    def post(self, request: Request) -> Reply:
        self.pass_time(BLOCK_NS)
        asked = HttpRequest(
            method=request.method,
            path=urlsplit(request.url).path,
            query={},
            headers={"content-type": request.content_type},
            body=request.body,
            peer="127.0.0.1",
        )
        said = self.model.http(asked, self.now_ns)
        return Reply(status=said.status, body=said.body, headers=said.headers, received_ns=self.now_ns)

    def drive(self, flow: Generator[Request, Reply, Any]) -> Any:
        try:
            request = next(flow)
            while True:
                request = flow.send(self.post(request))
        except StopIteration as end:
            return end.value

    def pass_time(self, ns: int) -> None:
        until = self.now_ns + ns
        while self.now_ns < until:
            self.now_ns = min(self.now_ns + BLOCK_NS, until)
            self.model.tick(self.now_ns)
        self.sent += [item for item in self.model.outbox() if isinstance(item, Send)]

    def order(self, client: HyperliquidPerpetual, number: int, **changes: Any) -> InFlightOrder:
        self.now_ns += 1_000_000
        now_ms = self.now_ns // 1_000_000
        values: dict[str, Any] = {
            "client_order_id": f"order-{number}",
            "venue_client_id": client.venue_client_id(
                f"order-{number}", network="sandbox", account=client.account or ""
            ),
            "venue": "hyperliquid",
            "network": "sandbox",
            "account": client.account,
            "trading_pair": "ETH-USD",
            "side": TradeType.BUY,
            "order_type": OrderType.LIMIT,
            "amount": Decimal("0.5"),
            "price": self.price,
            "created_ts_ns": self.now_ns,
            "attempt": 1,
            "nonce": now_ms,
            "expires_after_ms": now_ms + 15_000,
            "facts": Facts(),
        }
        return InFlightOrder(**{**values, **changes})

    @property
    def price(self) -> Decimal:
        """One step above the best bid: inside the spread, as long as nobody is there."""
        book: OrderBookSnapshot = self.drive(self.client(0).book_flow("ETH-USD"))
        return book.bids[0].price + Decimal("0.1")


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def me(venue: Venue) -> HyperliquidPerpetual:
    return venue.client(0)


@pytest.fixture
def other(venue: Venue, me: HyperliquidPerpetual) -> HyperliquidPerpetual:
    return venue.client(1)


def far(venue: Venue) -> Decimal:
    return Decimal(int(venue.price) * 4 // 5)


def test_an_order_rests_is_found_and_is_cancelled(venue: Venue, me: HyperliquidPerpetual) -> None:
    venue.drive(me.identity_flow())
    order = venue.order(me, 1, price=far(venue), post_only=True)
    placed = venue.drive(me.place_flow(order))
    assert (placed.report, placed.venue_client_id) == (Report.ACCEPTED, order.venue_client_id)
    known = msgspec.structs.replace(order, exchange_order_id=placed.exchange_order_id)
    for asked in (order, known):
        (status,) = venue.drive(me.order_status_flow(asked))
        assert (status.report, status.exchange_order_id) == (Report.ACCEPTED, placed.exchange_order_id)
        assert (status.side, status.amount, status.price) == (order.side, order.amount, order.price)
    (listed,) = venue.drive(me.open_orders_flow())
    assert (listed.trading_pair, listed.venue_client_id) == ("ETH-USD", order.venue_client_id)
    assert listed.venue_filled_amount is None
    cancelled = venue.drive(me.cancel_flow(order, nonce=(order.nonce or 0) + 1, attempt=1))
    assert cancelled.report is Report.CANCELLED
    again = venue.drive(me.cancel_flow(known, nonce=(order.nonce or 0) + 2, attempt=2))
    assert (again.report, again.venue_code) == (Report.CANCEL_REFUSED, "not_live")
    (status,) = venue.drive(me.order_status_flow(known))
    assert (status.report, status.reason) == (Report.CANCELLED, "canceled")
    assert venue.drive(me.open_orders_flow()) == ()


def test_an_immediate_order_takes_what_is_there(
    venue: Venue, me: HyperliquidPerpetual, other: HyperliquidPerpetual
) -> None:
    price = venue.price
    venue.drive(me.place_flow(venue.order(me, 1, price=far(venue))))
    resting = venue.order(other, 1, side=TradeType.SELL, amount=Decimal("0.2"), price=price)
    assert venue.drive(other.place_flow(resting)).report is Report.ACCEPTED
    since_ns = venue.now_ns
    order = venue.order(me, 2, order_type=OrderType.MARKET, price=price)
    placed = venue.drive(me.place_flow(order))
    assert (placed.report, placed.reason) == (Report.FILLED, "ioc_remainder")
    assert placed.venue_filled_amount == Decimal("0.2")
    (fill,) = venue.drive(me.fills_flow(since_ns))
    assert (fill.amount, fill.price, fill.exchange_order_id) == (Decimal("0.2"), price, placed.exchange_order_id)
    assert (fill.fee > 0, fill.fee_currency, fill.venue_client_id) == (True, "USDC", order.venue_client_id)
    (status,) = venue.drive(me.order_status_flow(order))
    assert (status.report, status.venue_filled_amount) == (Report.FILLED, Decimal("0.2"))
    (maker,) = venue.drive(other.order_status_flow(resting))
    assert (maker.report, maker.venue_filled_amount) == (Report.FILLED, Decimal("0.2"))
    state = venue.drive(me.account_flow())
    assert [(p.trading_pair, p.amount) for p in state.positions] == [("ETH-USD", Decimal("0.2"))]


def test_an_immediate_order_without_a_counterpart_has_expired(venue: Venue, me: HyperliquidPerpetual) -> None:
    order = venue.order(me, 1, tif=TimeInForce.IOC, price=far(venue))
    placed = venue.drive(me.place_flow(order))
    assert (placed.report, placed.reason) == (Report.EXPIRED, "ioc_unmatched")
    for status in venue.drive(me.order_status_flow(order)):
        assert (status.report, status.reason) == (Report.EXPIRED, "ioc_unmatched")


def test_a_nonce_is_used_once(venue: Venue, me: HyperliquidPerpetual) -> None:
    order = venue.order(me, 1, price=far(venue))
    venue.drive(me.place_flow(order))
    with pytest.raises(OutcomeUnknown) as caught:
        venue.drive(me.place_flow(order))
    assert caught.value.venue_code == "duplicate_nonce"
    verdict = venue.drive(me.fence_flow(order))
    assert (verdict.burned, verdict.used) == (False, True)


def test_a_fenced_order_never_lands(venue: Venue, me: HyperliquidPerpetual) -> None:
    order = venue.order(me, 1, price=far(venue))
    assert venue.drive(me.fence_flow(order)).burned
    with pytest.raises(OutcomeUnknown):
        venue.drive(me.place_flow(order))
    assert venue.drive(me.order_status_flow(order)) == ()


def test_an_order_that_comes_too_late_never_lands(venue: Venue, me: HyperliquidPerpetual) -> None:
    order = venue.order(me, 1, price=far(venue))
    venue.pass_time(20_000_000_000)
    update = venue.drive(me.place_flow(order))
    assert (update.report, update.evidence.kind) == (Report.FAILED, "expired_before_accept")


def test_refusals(venue: Venue, me: HyperliquidPerpetual, other: HyperliquidPerpetual) -> None:
    price = venue.price
    venue.drive(other.place_flow(venue.order(other, 1, side=TradeType.SELL, price=price)))
    cases: tuple[tuple[dict[str, Any], str | None], ...] = (
        ({"amount": Decimal("0.0001"), "price": far(venue)}, "min_notional"),
        ({"post_only": True, "price": price}, "post_only"),
        ({"reduce_only": True, "price": price}, "reduce_only"),
        ({"amount": Decimal("0.00001"), "price": price}, "invalid_size"),
        ({"price": price + Decimal("0.001")}, None),
        ({"amount": Decimal(100_000), "price": far(venue)}, None),
    )
    for number, (changes, code) in enumerate(cases):
        with pytest.raises(OrderRejected) as caught:
            venue.drive(me.place_flow(venue.order(me, 10 + number, **changes)))
        assert caught.value.venue_code is not None
        assert code in (None, caught.value.venue_code)


def test_a_foreign_key_is_told_so(venue: Venue, me: HyperliquidPerpetual) -> None:
    stranger = venue.client(0, key=Secret(K1), account=ADDRESSES[0])
    with pytest.raises(AuthRejected):
        venue.drive(stranger.identity_flow())
    with pytest.raises(AuthRejected):
        venue.drive(stranger.place_flow(venue.order(stranger, 1, price=far(venue))))


def test_an_approved_agent_trades_for_its_account(venue: Venue, me: HyperliquidPerpetual) -> None:
    assert isinstance(me.auth, HyperliquidAuth)
    body = me.auth.sign_approve_agent(K1_ADDRESS, "tests", venue.now_ns // 1_000_000)
    assert venue.post(me.web_utils.exchange(body)).body == b'{"status":"ok","response":{"type":"default"}}'
    agent = venue.client(0, key=Secret(K1), account=ADDRESSES[0])
    venue.drive(agent.identity_flow())
    assert venue.drive(agent.place_flow(venue.order(agent, 1, price=far(venue)))).report is Report.ACCEPTED
    assert len(venue.drive(me.open_orders_flow())) == 1
    lonely = venue.client(0, key=Secret(K1))
    with pytest.raises(AuthRejected, match="agent of"):
        venue.drive(lonely.identity_flow())


def test_leverage_is_set_and_read(venue: Venue, me: HyperliquidPerpetual) -> None:
    venue.drive(me.leverage_flow("ETH-USD", 7, cross=False, nonce=venue.now_ns // 1_000_000))
    assert venue.drive(me.read_leverage_flow("ETH-USD")) == (Decimal(7), "isolated")


def test_listings_and_market_data(venue: Venue, me: HyperliquidPerpetual) -> None:
    known = venue.drive(me.markets_flow())
    assert {"BTC-USD", "ETH-USD"} <= set(known.rules)
    everything = venue.drive(me.all_markets_flow())
    assert len(everything.symbols) >= len(known.symbols)
    assert venue.drive(me.book_flow("ETH-USD")).trading_pair == "ETH-USD"
    assert isinstance(venue.drive(me.trades_flow("ETH-USD")), tuple)
    candles = venue.drive(me.candles_flow("ETH-USD", "1m", venue.now_ns - 600_000_000_000, venue.now_ns))
    assert all(isinstance(candle, Candle) for candle in candles)


def open_stream(venue: Venue, connection: int, source: DataSource, channels: list[Channel], pairs: list[str]) -> None:
    assert venue.model.ws_open(connection, "/ws", "127.0.0.1", venue.now_ns) is None
    for subscription in source.subscriptions(channels, pairs):
        venue.model.ws_frame(connection, subscription.message, venue.now_ns)


def read(venue: Venue, connection: int, source: DataSource) -> list[Any]:
    venue.pass_time(1_000_000_000)
    texts = [item.text for item in venue.sent if item.connection == connection]
    venue.sent = [item for item in venue.sent if item.connection != connection]
    return [value for text in texts for value in source.decode(text, venue.now_ns)]


def test_private_streams_tell_the_life_of_an_order(
    venue: Venue, me: HyperliquidPerpetual, other: HyperliquidPerpetual
) -> None:
    source = HyperliquidUserStreamDataSource(HyperliquidConfig(account=ADDRESSES[0]), venue.symbols)
    channels = [Channel.ORDERS, Channel.FILLS, Channel.EVENTS]
    open_stream(venue, 1, source, channels, [])
    start = read(venue, 1, source)
    wanted = {subscription.key for subscription in source.subscriptions(channels, [])}
    assert {item.key for item in start if isinstance(item, SubscriptionAck)} == wanted
    assert SnapshotEnd(Channel.FILLS) in start

    price = venue.price
    order = venue.order(me, 1, price=price)
    placed = venue.drive(me.place_flow(order))
    taker = venue.order(other, 1, side=TradeType.SELL, amount=Decimal("0.2"), price=price, tif=TimeInForce.IOC)
    assert venue.drive(other.place_flow(taker)).report is Report.FILLED
    venue.drive(me.cancel_flow(order, nonce=venue.now_ns // 1_000_000 + 5, attempt=1))

    items = read(venue, 1, source)
    news = [item for item in items if isinstance(item, OrderUpdate)]
    assert news[0].report is Report.ACCEPTED
    assert news[-1].report is Report.CANCELLED
    assert {item.venue_client_id for item in news} == {order.venue_client_id}
    assert {item.exchange_order_id for item in news} == {placed.exchange_order_id}
    fills = {item.fill_id: item for item in items if isinstance(item, TradeUpdate)}
    asked = venue.drive(me.fills_flow(START_NS))
    assert set(fills) == {item.fill_id for item in asked}
    assert [item.amount for item in fills.values()] == [Decimal("0.2")]

    venue.model.ws_frame(1, source.heartbeat, venue.now_ns)
    assert read(venue, 1, source)


def test_public_streams(venue: Venue, me: HyperliquidPerpetual) -> None:
    source = HyperliquidOrderBookDataSource(HyperliquidConfig(), venue.symbols)
    channels = [Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.CANDLES, Channel.TICKER]
    open_stream(venue, 2, source, channels, ["ETH-USD", "BTC-USD"])
    items = read(venue, 2, source)
    wanted = {subscription.key for subscription in source.subscriptions(channels, ["ETH-USD", "BTC-USD"])}
    assert {item.key for item in items if isinstance(item, SubscriptionAck)} == wanted
    price = venue.price
    venue.drive(me.place_flow(venue.order(me, 1, price=price)))
    items += read(venue, 2, source)
    assert {OrderBookSnapshot, BestBidOffer, MarketContext} <= {type(item) for item in items}
    books = [item for item in items if isinstance(item, OrderBookSnapshot) and item.trading_pair == "ETH-USD"]
    assert books[-1].bids[0].price == price


def test_past_rates_and_the_venues_clock(venue: Venue) -> None:
    client = venue.client(0)
    hour = 3_600_000_000_000
    now_ns = venue.now_ns
    rates = venue.drive(client.funding_rates_flow("BTC-USD", now_ns - 600 * hour, now_ns))
    assert {rate.trading_pair for rate in rates} == {"BTC-USD"}
    assert len(rates) == 600  # on two pages
    assert all(right.ts_ns - left.ts_ns == hour for left, right in pairwise(rates))
    assert venue.drive(client.venue_time_flow()) == venue.now_ns
    assert venue.drive(client.funding_payments_flow(0)) == ()
