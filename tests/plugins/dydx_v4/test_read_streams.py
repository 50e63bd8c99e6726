"""Public and private frames, as the venue sends them, to items; and what the numbers of messages tell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from latentspeed_dydx_v4.order_book_data_source import BOOK_AGE_NS, CROSSED_AGE_NS, SAME_TOP_NS
from latentspeed_dydx_v4.streams import MessageCount

from latentspeed_cli.connector.streams import (
    Channel,
    Gap,
    Heartbeat,
    Resubscribe,
    SnapshotEnd,
    SubscriptionAck,
    SubscriptionRefused,
)
from latentspeed_cli.core.account import Balance, Liquidation, Position, Transfer
from latentspeed_cli.core.market_data import BestBidOffer, Candle, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.errors import CredentialError, OrderRefused, ProtocolError

from .reading import ADDRESS, MARKETS, ORDER_ID, RECEIVED_NS, config, fill_row, order_row, private, public

NAME = f"{ADDRESS}/0"
BOOK = "v4_orderbook:ETH-USD"
HEIGHTS = "v4_block_height"


class Line:
    """The venue's side of one connection: numbers its frames, and hands them to a source."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.connection = 1
        self.number = -1
        self.now_ns = RECEIVED_NS

    def say(self, kind: str, number: int | None = None, **more: object) -> list[object]:
        if number is None:
            self.number = number = self.number + 1
        said = {"type": kind, "connection_id": str(self.connection), "message_id": number, **more}
        return [item for item in self.source.decode(json.dumps(said), self.now_ns) if not isinstance(item, Heartbeat)]

    def start(self, *channels: tuple[str, str | None]) -> list[object]:
        """Connected anew, and everything acknowledged with empty snapshots."""
        self.connection += 1
        self.number = -1
        found = self.say("connected")
        found += self.say("subscribed", channel=HEIGHTS, id=HEIGHTS, contents={"height": "900", "time": ""})
        for channel, name in channels:
            found += self.say("subscribed", channel=channel, id=name, contents={})
        return found

    def data(self, channel: str, name: str | None, *contents: object, batch: bool = False) -> list[object]:
        kind = "channel_batch_data" if batch else "channel_data"
        said = list(contents) if batch else contents[0]
        return self.say(kind, channel=channel, id=name, version="1.0.0", contents=said)

    def block(self, height: int) -> list[object]:
        return self.data(HEIGHTS, HEIGHTS, {"blockHeight": str(height), "time": "2025-12-08T16:11:59.450Z"})


def public_line(*channels: Channel, pairs: Sequence[str] = ("ETH-USD",), **more: Any) -> Line:
    source = public(**more)
    source.subscriptions(channels, pairs)
    return Line(source)


def private_line(*channels: Channel) -> Line:
    source = private()
    source.subscriptions(channels or (Channel.ORDERS, Channel.FILLS), [])
    line = Line(source)
    line.start(("v4_subaccounts", NAME))
    return line


# What is asked for


def test_subscriptions_in_the_venues_words() -> None:
    source = public()
    wanted = source.subscriptions((Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.CANDLES), ["ETH-USD"])
    assert [(one.key, json.loads(one.message)) for one in wanted] == [
        (BOOK, {"type": "subscribe", "channel": "v4_orderbook", "id": "ETH-USD", "batched": True}),
        (
            "v4_trades:ETH-USD",
            {"type": "subscribe", "channel": "v4_trades", "id": "ETH-USD", "batched": False},
        ),
        (
            "v4_candles:ETH-USD/1MIN",
            {"type": "subscribe", "channel": "v4_candles", "id": "ETH-USD/1MIN", "batched": True},
        ),
        (HEIGHTS, {"type": "subscribe", "channel": HEIGHTS, "batched": False}),
    ]
    assert source.url == "wss://indexer.v4testnet.dydx.exchange/v4/ws"


def test_markets_have_no_id_and_are_asked_for_once() -> None:
    wanted = public().subscriptions((Channel.TICKER, Channel.FUNDING), ["ETH-USD", "BTC-USD"])
    assert [one.key for one in wanted] == ["v4_markets", HEIGHTS]
    assert "id" not in json.loads(wanted[0].message)
    assert [one.key for one in public().subscriptions((Channel.TICKER,), [])] == ["v4_markets", HEIGHTS]


def test_what_is_no_stream_of_this_venue() -> None:
    with pytest.raises(OrderRefused):
        public().subscriptions((Channel.ORDERS,), ["ETH-USD"])
    with pytest.raises(OrderRefused):
        public().subscriptions((Channel.BOOK,), [])
    with pytest.raises(OrderRefused):
        public().subscriptions((Channel.BOOK,), ["NO-USD"])
    with pytest.raises(OrderRefused):
        private().subscriptions((Channel.BOOK,), [])
    with pytest.raises(OrderRefused):
        private().subscriptions((Channel.ORDERS,), ["NO-USD"])
    with pytest.raises(OrderRefused):
        public(candle_interval="3m")


def test_a_private_stream_is_one_subaccount() -> None:
    source = private(subaccount=3)
    wanted = source.subscriptions((Channel.ORDERS, Channel.FILLS), [])
    assert [one.key for one in wanted] == [f"v4_subaccounts:{ADDRESS}/3", HEIGHTS]
    with pytest.raises(CredentialError):
        private(account=None)


# Books


def snapshot(bids: Sequence[tuple[str, str]], asks: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "bids": [{"price": price, "size": size} for price, size in bids],
        "asks": [{"price": price, "size": size} for price, size in asks],
    }


def book_line(*channels: Channel) -> Line:
    line = public_line(*(channels or (Channel.BOOK,)))
    line.start()
    first = snapshot([("3000", "1"), ("2999", "2")], [("3001", "1"), ("3002", "2")])
    line.say("subscribed", channel="v4_orderbook", id="ETH-USD", contents=first)
    return line


def prices(item: object) -> tuple[list[str], list[str]]:
    assert isinstance(item, OrderBookSnapshot)
    return [str(level.price) for level in item.bids], [str(level.price) for level in item.asks]


def test_a_batch_of_changes_is_one_book() -> None:
    line = book_line()
    (book,) = line.data("v4_orderbook", "ETH-USD", {"bids": [["3000", "0"]]}, {"asks": [["3001.5", "4"]]}, batch=True)
    assert prices(book) == (["2999"], ["3001", "3001.5", "3002"])
    (book,) = line.data("v4_orderbook", "ETH-USD", {"bids": [["2999.5", "1"]], "asks": [["3001.0", "0"]]})
    assert prices(book) == (["2999.5", "2999"], ["3001.5", "3002"])


def test_a_crossed_book_is_uncrossed_and_remembered() -> None:
    line = book_line()
    (book,) = line.data("v4_orderbook", "ETH-USD", {"bids": [["3001.5", "1"]]})
    assert prices(book) == (["3001.5", "3000", "2999"], ["3002"])
    (book,) = line.data("v4_orderbook", "ETH-USD", {"bids": [["3001.5", "0"]]})
    assert prices(book) == (["3000", "2999"], ["3001", "3002"])


def test_best_prices_come_from_the_book_and_when_they_change() -> None:
    line = book_line(Channel.BBO)
    (top,) = line.data("v4_orderbook", "ETH-USD", {"bids": [["3000.5", "1"]]})
    assert isinstance(top, BestBidOffer)
    assert top.bid is not None
    assert (top.bid.price, top.trading_pair) == (Decimal("3000.5"), "ETH-USD")
    assert line.data("v4_orderbook", "ETH-USD", {"bids": [["2990", "1"]]}) == []
    line.now_ns += SAME_TOP_NS
    assert len(line.data("v4_orderbook", "ETH-USD", {"bids": [["2991", "1"]]})) == 1


RENEWAL = (
    '{"type":"unsubscribe","channel":"v4_orderbook","id":"ETH-USD"}',
    '{"type":"subscribe","channel":"v4_orderbook","id":"ETH-USD","batched":true}',
)


def test_an_old_book_is_asked_for_again_and_serves_meanwhile() -> None:
    line = book_line()
    line.now_ns += BOOK_AGE_NS
    book, renewal = line.data("v4_orderbook", "ETH-USD", {"bids": [["2998", "1"]]})
    assert renewal == Resubscribe(BOOK, RENEWAL)
    assert prices(book) == (["3000", "2999", "2998"], ["3001", "3002"])
    # Once is enough until the snapshot is there; the two answers take their numbers when they are asked for.
    (book,) = line.data("v4_orderbook", "ETH-USD", {"bids": [["2997", "1"]]})
    line.say("unsubscribed", channel="v4_orderbook", id="ETH-USD")
    ack, fresh = line.say(
        "subscribed", channel="v4_orderbook", id="ETH-USD", contents=snapshot([("1", "1")], [("2", "1")])
    )
    assert (ack, prices(fresh)) == (SubscriptionAck(BOOK), (["1"], ["2"]))


def test_a_book_that_stays_crossed_is_asked_for_again() -> None:
    line = book_line()
    assert len(line.data("v4_orderbook", "ETH-USD", {"bids": [["3001.5", "1"]]})) == 1
    line.now_ns += CROSSED_AGE_NS
    _, renewal = line.data("v4_orderbook", "ETH-USD", {"bids": [["2998", "1"]]})
    assert isinstance(renewal, Resubscribe)


def test_a_change_that_makes_no_sense_costs_the_book_until_its_next_snapshot() -> None:
    line = book_line()
    frame = {"type": "channel_data", "message_id": 3, "channel": "v4_orderbook", "id": "ETH-USD"}
    items = line.source.decode(json.dumps({**frame, "contents": {"bids": [["-1", "1"]]}}), RECEIVED_NS)
    assert isinstance(next(items), Resubscribe)
    with pytest.raises(ProtocolError):
        next(items)
    line.number = 3
    assert line.data("v4_orderbook", "ETH-USD", {"bids": [["2998", "1"]]}) == []


def test_changes_before_a_snapshot_are_nothing() -> None:
    line = public_line(Channel.BOOK)
    line.start()
    assert line.data("v4_orderbook", "ETH-USD", {"bids": [["2998", "1"]]}) == []


# The numbers of messages


def test_a_missing_message_is_a_gap_and_everything_is_asked_for_anew() -> None:
    line = book_line(Channel.BOOK, Channel.TRADES)
    line.say("subscribed", channel="v4_trades", id="ETH-USD", contents={"trades": []})
    line.number += 1
    gap, book, trades = line.data("v4_orderbook", "ETH-USD", {"bids": [["2998", "1"]]})
    assert isinstance(gap, Gap)
    assert [item.key for item in (book, trades) if isinstance(item, Resubscribe)] == [BOOK, "v4_trades:ETH-USD"]
    assert line.data("v4_orderbook", "ETH-USD", {"bids": [["2997", "1"]]}) == []  # no book that has a hole


def test_late_acknowledgements_are_no_gap() -> None:
    line = public_line(Channel.BOOK, Channel.TRADES)
    assert line.say("connected", 0) == []
    line.say("subscribed", 3, channel=HEIGHTS, id=HEIGHTS, contents={"height": "900", "time": ""})
    line.number = 3
    assert line.block(901) == []
    assert line.say("subscribed", 2, channel="v4_trades", id="ETH-USD", contents={"trades": []}) == [
        SubscriptionAck("v4_trades:ETH-USD"),
        SnapshotEnd(Channel.TRADES, "ETH-USD"),
    ]
    found = line.say("subscribed", 1, channel="v4_orderbook", id="ETH-USD", contents=snapshot([], []))
    assert found[0] == SubscriptionAck(BOOK)
    assert not any(isinstance(item, Gap) for item in found)


def test_a_message_lost_among_the_acknowledgements_is_noticed_with_the_last() -> None:
    line = public_line(Channel.BOOK)
    line.say("connected", 0)
    assert line.say("subscribed", 1, channel=HEIGHTS, id=HEIGHTS, contents={"height": "1", "time": ""}) == [
        SubscriptionAck(HEIGHTS)
    ]
    found = line.say("subscribed", 3, channel="v4_orderbook", id="ETH-USD", contents=snapshot([], []))
    assert isinstance(found[0], Gap)


def test_a_late_greeting_begins_nothing_anew() -> None:
    """What was answered would be waited for once more, and as many missing messages would be no gap."""
    line = private_line()
    assert line.say("connected", 0) == []
    for height in (1000, 1001):
        line.number += 1
        assert isinstance(line.block(height)[0], Gap)


def test_a_connection_whose_greeting_is_lost_is_a_new_one_all_the_same() -> None:
    line = book_line()
    for height in (900, 901, 902):
        line.block(height)
    line.connection, line.number = line.connection + 1, 0
    line.say("subscribed", channel=HEIGHTS, id=HEIGHTS, contents={"height": "900", "time": ""})
    line.say("subscribed", channel="v4_orderbook", id="ETH-USD", contents=snapshot([], []))
    line.number += 1
    assert isinstance(line.block(1000)[0], Gap)


def test_a_new_connection_counts_from_the_start() -> None:
    line = book_line()
    for _ in range(5):
        line.block(1000)
    line.start()
    assert line.data("v4_orderbook", "ETH-USD", {"bids": [["2998", "1"]]}) == []  # its old book does not count
    first = snapshot([("3000", "1")], [("3001", "1")])
    assert len(line.say("subscribed", channel="v4_orderbook", id="ETH-USD", contents=first)) == 2


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ([0, 1, 2, 3], []),
        ([0, 1, 3], [3]),
        ([0, 1, 1, 1, 2], []),  # an error repeats the current number
        ([0, 2, 1, 3], [2]),
        ([0, 5, 6], [5]),  # told once
        ([7, 8, 9], []),
        ([0, 10**15], [10**15]),
    ],
)
def test_counting(numbers: list[int], lost: list[int]) -> None:
    counter = MessageCount()
    assert [number for number in numbers if counter.hear(number, unanswered=0)] == lost


# Trades, candles, contexts


def trade(height: int, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"{height:08x}0000000200000002",
        "side": "SELL",
        "size": "0.5",
        "price": "3000.1",
        "type": "LIMIT",
        "createdAt": "2025-12-08T16:11:30.590Z",
    }
    return {**row, **changes}


def told(items: list[object]) -> list[int]:
    return [int(item.trade_id[:8], 16) for item in items if isinstance(item, PublicTrade)]


def test_trades_begin_with_the_latest_and_go_on_without_repeating() -> None:
    line = public_line(Channel.TRADES)
    line.start()
    rows = [trade(height) for height in range(100, 0, -1)]
    found = line.say("subscribed", channel="v4_trades", id="ETH-USD", contents={"trades": rows})
    assert told(found) == list(range(71, 101))
    assert found[-1] == SnapshotEnd(Channel.TRADES, "ETH-USD")
    assert told(line.data("v4_trades", "ETH-USD", {"trades": [trade(101), trade(102)]})) == [101, 102]
    line.start()
    rows = [trade(height) for height in range(105, 60, -1)]
    found = line.say("subscribed", channel="v4_trades", id="ETH-USD", contents={"trades": rows})
    assert told(found) == [103, 104, 105]


def test_a_bad_trade_does_not_hide_the_others() -> None:
    line = public_line(Channel.TRADES)
    frame = {"type": "channel_data", "channel": "v4_trades", "id": "ETH-USD"}
    said = json.dumps({**frame, "contents": {"trades": [trade(1), trade(2, price="NaN"), trade(3)]}})
    items = line.source.decode(said, RECEIVED_NS)
    assert told([next(items), next(items)]) == [1, 3]
    with pytest.raises(ProtocolError):
        next(items)


def candle(minute: int) -> dict[str, Any]:
    return {
        "startedAt": f"2025-12-08T16:{minute:02}:00.000Z",
        "ticker": "ETH-USD",
        "resolution": "1HOUR",
        "low": "1",
        "high": "4",
        "open": "2",
        "close": "3",
        "baseTokenVolume": "5",
        "usdVolume": "15",
        "trades": 6,
        "orderbookMidPriceOpen": None,
    }


def test_candles() -> None:
    line = public_line(Channel.CANDLES, candle_interval="1h")
    line.start()
    _, newest = line.say(
        "subscribed", channel="v4_candles", id="ETH-USD/1HOUR", contents={"candles": [candle(11), candle(10)]}
    )
    (running,) = line.data("v4_candles", "ETH-USD/1HOUR", candle(12))
    assert isinstance(newest, Candle)
    assert isinstance(running, Candle)
    assert (running.interval, running.close, running.trading_pair) == ("1h", Decimal(3), "ETH-USD")
    assert running.open_ts_ns - newest.open_ts_ns == 60_000_000_000


def test_contexts_are_kept_up_to_date() -> None:
    line = public_line(Channel.TICKER, pairs=["ETH-USD", "PEPE-USD"])
    line.start()
    _, first = line.say("subscribed", channel="v4_markets", contents=MARKETS)
    assert isinstance(first, MarketContext)  # the other has no oracle price yet
    assert (first.mark_price, first.funding_rate, first.open_interest) == (
        Decimal(3000),
        Decimal("0.0000125"),
        Decimal("123.4"),
    )
    (changed,) = line.data(
        "v4_markets", None, {"trading": {"ETH-USD": {"id": "1", "nextFundingRate": "-0.0001"}, "BTC-USD": {"id": "0"}}}
    )
    oracle = {"oraclePrice": "3100", "effectiveAt": "2025-12-08T16:11:30.590Z", "effectiveAtHeight": "9", "marketId": 1}
    (moved,) = line.data("v4_markets", None, {"oraclePrices": {"ETH-USD": oracle}}, {"trading": {}}, batch=True)
    assert isinstance(changed, MarketContext)
    assert isinstance(moved, MarketContext)
    assert (changed.mark_price, changed.funding_rate) == (Decimal(3000), Decimal("-0.0001"))
    assert (moved.index_price, moved.funding_rate) == (Decimal(3100), Decimal("-0.0001"))
    assert line.data("v4_markets", None, {"trading": {"NEW-USD": {"id": "200"}}}) == []


def test_without_pairs_the_ticker_is_of_all_markets() -> None:
    line = public_line(Channel.TICKER, pairs=[])
    line.start()
    found = line.say("subscribed", channel="v4_markets", contents=MARKETS)
    contexts = [item for item in found if isinstance(item, MarketContext)]
    assert {item.trading_pair for item in contexts} == {"BTC-USD", "ETH-USD", "APE-USD", "OLD-USD"}


# Errors of the line


@pytest.mark.parametrize(
    ("text", "key", "passing"),
    [
        ("Invalid subscription id for channel: (v4_orderbook-NO-USD)", "v4_orderbook:NO-USD", False),
        ("Per-connection subscription limit reached for v4_orderbook (limit=32).", BOOK, False),
        ("Internal error, could not fetch data for subscription: v4_orderbook.", BOOK, True),
        ("Internal error", None, True),
        ("Too many subscribe attempts for channel v4_trades-ETH-USD. Please  reconnect and try again.", None, False),
        ("Invalid message: could not parse", None, False),
    ],
)
def test_refusals(text: str, key: str | None, passing: bool) -> None:
    line = public_line(Channel.BOOK)
    line.say("connected")
    assert line.say("error", message=text) == [SubscriptionRefused(key, text, passing)]


def test_what_is_subscribed_already_is_acknowledged() -> None:
    line = public_line(Channel.BOOK)
    text = "Invalid subscribe message: already subscribed (v4_orderbook-ETH-USD)"
    assert line.say("error", message=text, channel="v4_orderbook", id="ETH-USD") == [SubscriptionAck(BOOK)]
    assert line.say("error", message=text) == [SubscriptionAck(BOOK)]


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        b"\xff\xfe",
        '{"type":"weird","message_id":1}',
        '{"type":"weird","channel":"v4_trades","id":"ETH-USD"}',
        '{"type":"channel_data","channel":"v4_gossip","id":"x","contents":{}}',
        '{"type":"channel_data","channel":"v4_orderbook","id":"BTC-USD","contents":{}}',
        '{"type":"channel_batch_data","channel":"v4_orderbook","id":"ETH-USD","contents":{}}',
        "[" * 100_000,
    ],
)
def test_frames_without_sense(frame: str | bytes) -> None:
    line = public_line(Channel.BOOK)
    with pytest.raises(ProtocolError):
        list(line.source.decode(frame, RECEIVED_NS))


# The account


def news(line: Line, *orders: dict[str, Any], fills: Sequence[dict[str, Any]] = (), **more: object) -> list[object]:
    contents: dict[str, object] = {"orders": list(orders), "fills": list(fills), "blockHeight": "900", **more}
    return line.data("v4_subaccounts", NAME, contents)


def reports(items: Sequence[object]) -> list[tuple[Report, str | None]]:
    return [(item.report, item.reason) for item in items if isinstance(item, OrderUpdate)]


def test_orders_and_fills() -> None:
    line = private_line()
    fill, order = news(line, order_row(status="FILLED", totalFilled="0.003"), fills=[fill_row(size="0.003")])
    assert isinstance(fill, TradeUpdate)
    assert isinstance(order, OrderUpdate)
    assert fill.exchange_order_id == order.exchange_order_id == ORDER_ID
    assert order.venue_client_id == "2043599281-1"


def test_the_snapshot() -> None:
    source = private()
    source.subscriptions((Channel.ORDERS, Channel.FILLS), [])
    line = Line(source)
    line.say("connected")
    rows = [
        order_row(status="OPEN"),
        order_row(status="BEST_EFFORT_CANCELED", goodTilBlock="899"),
        order_row(status="BEST_EFFORT_CANCELED", goodTilBlock="900"),
    ]
    found = line.say("subscribed", channel="v4_subaccounts", id=NAME, contents={"orders": rows, "blockHeight": "900"})
    assert reports(found) == [(Report.ACCEPTED, None), (Report.CANCELLED, "canceled"), (Report.NOTE, "ending")]
    assert found[-2:] == [SnapshotEnd(Channel.ORDERS), SnapshotEnd(Channel.FILLS)]
    # The one that can still be filled is kept in mind.
    assert reports(line.block(902)) == [(Report.CANCELLED, "canceled")]


def test_an_address_without_history_has_an_empty_snapshot() -> None:
    line = private_line()
    found = line.say("subscribed", channel="v4_subaccounts", id=NAME, contents={})
    assert [type(item) for item in found] == [SubscriptionAck, SnapshotEnd, SnapshotEnd]


def test_an_immediate_order_that_met_nobody_ends_with_its_last_block() -> None:
    line = private_line()
    reason = "ORDER_REMOVAL_REASON_IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
    opened = order_row(status="BEST_EFFORT_OPENED", timeInForce="IOC", totalFilled=...)
    ended = {**opened, "status": "BEST_EFFORT_CANCELED", "removalReason": reason, "totalOptimisticFilled": "0.003"}
    assert reports(news(line, opened)) == [(Report.ACCEPTED, None)]
    assert reports(news(line, ended)) == [(Report.NOTE, "ending")]
    assert line.block(1000) == []
    assert line.block(1001) == []  # news of block 1000 may come a moment after its height
    (over,) = line.block(1002)
    assert isinstance(over, OrderUpdate)
    assert (over.report, over.venue_filled_amount) == (Report.EXPIRED, None)
    assert over.evidence is not None
    assert over.evidence.kind == "block_limit_passed"
    assert line.block(1003) == []


@pytest.mark.parametrize("status", ["FILLED", "CANCELED"])
def test_what_the_chain_says_ends_the_wait(status: str) -> None:
    line = private_line()
    news(line, order_row(status="BEST_EFFORT_CANCELED"))
    assert len(reports(news(line, order_row(status=status)))) == 1
    assert line.block(1002) == []


def test_gossip_that_comes_late_does_not_end_the_wait() -> None:
    line = private_line()
    news(line, order_row(status="BEST_EFFORT_CANCELED", timeInForce="IOC"))
    news(line, order_row(status="BEST_EFFORT_OPENED", timeInForce="IOC", totalFilled=...))
    assert reports(line.block(1002)) == [(Report.EXPIRED, None)]


def test_a_replaced_order_goes_on() -> None:
    line = private_line()
    reason = "ORDER_REMOVAL_REASON_REPLACED"
    assert reports(news(line, order_row(status="BEST_EFFORT_CANCELED", removalReason=reason))) == [
        (Report.NOTE, "replaced")
    ]
    assert line.block(1002) == []


def test_a_gap_or_a_new_connection_ends_the_wait() -> None:
    """What happened meanwhile may include the fill; whoever reads this asks for it."""
    line = private_line()
    news(line, order_row(status="BEST_EFFORT_CANCELED"))
    line.number += 1
    (gap,) = line.block(950)
    assert isinstance(gap, Gap)
    assert line.block(1002) == []


def post_only(**changes: Any) -> dict[str, Any]:
    return order_row(**{"status": "BEST_EFFORT_OPENED", "postOnly": True, "totalFilled": ..., **changes})


def test_a_post_only_order_that_was_refused_was_never_accepted() -> None:
    line = private_line()
    refused = post_only(
        status="BEST_EFFORT_CANCELED", removalReason="ORDER_REMOVAL_REASON_POST_ONLY_WOULD_CROSS_MAKER_ORDER"
    )
    assert news(line, post_only()) == []
    assert reports(news(line, refused)) == [(Report.NOTE, "ending")]
    assert line.block(901) == []
    assert line.block(1002) == []  # the reply to its placement has said how it ended


def test_a_post_only_order_rests_once_a_block_has_passed_or_more_is_said() -> None:
    line = private_line()
    assert news(line, post_only()) == []
    assert reports(line.block(901)) == [(Report.ACCEPTED, None)]
    assert news(line, post_only()) == []
    cancelled = post_only(status="BEST_EFFORT_CANCELED", removalReason="ORDER_REMOVAL_REASON_USER_CANCELED")
    assert reports(news(line, cancelled)) == [(Report.ACCEPTED, None), (Report.NOTE, "ending")]


STATEFUL = {"orderFlags": "64", "goodTilBlock": ..., "goodTilBlockTime": "2030-01-01T00:00:00.000Z"}


def test_a_stateful_post_only_order_rests_once_it_was_matched() -> None:
    line = private_line()
    resting = post_only(status="OPEN", totalFilled="0", createdAtHeight="900", **STATEFUL)
    assert news(line, resting) == []
    assert line.block(900) == []
    assert reports(line.block(901)) == [(Report.ACCEPTED, None)]
    assert news(line, resting) == []
    reason = "ORDER_REMOVAL_REASON_POST_ONLY_WOULD_CROSS_MAKER_ORDER"
    removed = {**resting, "status": "CANCELED", "removalReason": reason}
    assert reports(news(line, removed)) == [(Report.CANCELLED, "post_only_would_cross")]
    filled = {**resting, "totalFilled": "0.001"}
    assert reports(news(line, filled)) == [(Report.ACCEPTED, None)]


def test_a_fill_shows_that_a_post_only_order_rested() -> None:
    line = private_line()
    resting = post_only(status="OPEN", totalFilled="0", createdAtHeight="900", **STATEFUL)
    assert news(line, resting) == []
    told = news(line, {**resting, "totalFilled": "0.001"}, fills=[fill_row()])
    assert [type(item) for item in told] == [OrderUpdate, TradeUpdate, OrderUpdate]
    assert line.block(902) == []


def test_a_stateful_post_only_order_of_the_snapshot_may_be_new() -> None:
    source = private()
    source.subscriptions((Channel.ORDERS,), [])
    line = Line(source)
    line.say("connected")
    rows = [
        post_only(status="OPEN", totalFilled="0", createdAtHeight=created, id=f"{created}{ORDER_ID[3:]}", **STATEFUL)
        for created in ("900", "898")
    ]
    found = line.say("subscribed", channel="v4_subaccounts", id=NAME, contents={"orders": rows, "blockHeight": "900"})
    assert [item.exchange_order_id for item in found if isinstance(item, OrderUpdate)] == [f"898{ORDER_ID[3:]}"]
    assert reports(line.block(902)) == [(Report.ACCEPTED, None)]


def test_an_order_that_would_break_an_isolated_position_was_never_accepted() -> None:
    line = private_line()
    opened = order_row(status="BEST_EFFORT_OPENED", totalFilled=..., ticker="APE-USD")
    reason = "ORDER_REMOVAL_REASON_VIOLATES_ISOLATED_SUBACCOUNT_CONSTRAINTS"
    assert news(line, opened) == []
    assert reports(news(line, {**opened, "status": "BEST_EFFORT_CANCELED", "removalReason": reason})) == [
        (Report.NOTE, "ending")
    ]
    assert line.block(1002) == []


def test_what_is_not_asked_for_is_not_told() -> None:
    position = {"market": "ETH-USD", "status": "OPEN", "side": "LONG", "size": "1", "entryPrice": "3000"}
    asset = {"symbol": "USDC", "side": "SHORT", "size": "5", "assetId": "0", "subaccountNumber": 0}
    more: dict[str, Any] = {"perpetualPositions": [{**position, "unrealizedPnl": "1"}], "assetPositions": [asset]}
    assert news(private_line(), **more) == []
    found_position, found_balance = news(private_line(Channel.POSITIONS, Channel.BALANCES), **more)
    assert isinstance(found_position, Position)
    assert isinstance(found_balance, Balance)
    assert (found_position.position_value, found_balance.total) == (Decimal(3001), Decimal(-5))
    assert found_balance.available is None, "what a short position brought in is not free"


def test_a_gap_brings_positions_and_balances_anew() -> None:
    line = private_line(Channel.POSITIONS)
    line.number += 1
    gap, renewal = line.block(950)
    assert isinstance(gap, Gap)
    assert isinstance(renewal, Resubscribe)


def test_a_position_that_was_closed_while_nobody_listened_is_told_as_closed() -> None:
    line = private_line(Channel.POSITIONS)
    row = {"status": "OPEN", "side": "LONG", "size": "1", "entryPrice": "3000", "unrealizedPnl": "1"}
    held, gone = {**row, "market": "ETH-USD"}, {**row, "market": "APE-USD"}
    news(line, perpetualPositions=[held, gone])
    totals = {"equity": "1", "freeCollateral": "1"}
    account = {
        "address": NAME.split("/")[0],
        "subaccountNumber": 0,
        **totals,
        "openPerpetualPositions": {"ETH-USD": held},
    }

    def again() -> list[tuple[str, Decimal]]:
        line.start()
        found = line.say("subscribed", channel="v4_subaccounts", id=NAME, contents={"subaccount": account})
        return [(one.trading_pair, one.amount) for one in found if isinstance(one, Position)]

    assert again() == [("ETH-USD", Decimal(1)), ("APE-USD", Decimal(0))]
    assert again() == [("ETH-USD", Decimal(1))]


def test_other_news_is_none_of_ours() -> None:
    line = private_line()
    reward = {"tradingReward": "0.1", "createdAt": "2024-08-12T14:06:01.172Z", "createdAtHeight": "1"}
    assert news(line, tradingReward=reward) == []
    assert line.data("v4_subaccounts", NAME, {"blockHeight": "901"}) == []


def test_a_bad_row_does_not_hide_the_others() -> None:
    line = private_line()
    contents = {
        "fills": [fill_row(1), fill_row(2, price="x")],
        "orders": [order_row(side="UP"), order_row(status="FILLED")],
    }
    frame = {"type": "channel_data", "channel": "v4_subaccounts", "id": NAME, "contents": contents}
    items = line.source.decode(json.dumps(frame), RECEIVED_NS)
    assert isinstance(next(items), TradeUpdate)
    assert reports([next(items)]) == [(Report.FILLED, None)]
    with pytest.raises(ProtocolError):
        next(items)


def test_news_of_another_account_is_loud() -> None:
    line = private_line()
    with pytest.raises(ProtocolError, match="another account"):
        line.data("v4_subaccounts", f"{ADDRESS}/1", {"orders": [order_row()]})


def test_addresses_of_the_networks() -> None:
    from latentspeed_dydx_v4.web_utils import DydxV4WebUtils

    own = DydxV4WebUtils(
        config(
            network="sandbox",
            base_url="http://127.0.0.1:4001/",
            ws_url="ws://127.0.0.1:4001/v4/ws",
            node_url="127.0.0.1:4002",
        )
    )
    assert (own.base_url, own.ws_url, own.node) == (
        "http://127.0.0.1:4001",
        "ws://127.0.0.1:4001/v4/ws",
        "127.0.0.1:4002",
    )
    main = DydxV4WebUtils(config(network="mainnet"))
    assert (main.base_url, main.ws_url, main.node) == (
        "https://indexer.dydx.trade",
        "wss://indexer.dydx.trade/v4/ws",
        "oegs.dydx.trade:443",
    )
    assert (main.rate.weight, main.rate.window_s) == (100, 10), "100 requests at once, and then none for 10 s"
    assert own.rate.weight > main.rate.weight


def transfer(kind: str, **changes: Any) -> dict[str, Any]:
    wallet = {"address": "dydx1wallet"}
    return {
        "sender": wallet if kind == "DEPOSIT" else {"address": ADDRESS, "subaccountNumber": 0},
        "recipient": wallet if kind == "WITHDRAWAL" else {"address": ADDRESS, "subaccountNumber": 5},
        "symbol": "USDC",
        "size": "12.5",
        "type": kind,
        "createdAt": "2026-10-01T00:00:00.000Z",
        "createdAtHeight": "900",
        "transactionHash": "AB",
        **changes,
    }


@pytest.mark.parametrize(
    ("kind", "amount", "counterparty"),
    [
        ("DEPOSIT", "12.5", "dydx1wallet"),
        ("WITHDRAWAL", "-12.5", "dydx1wallet"),
        ("TRANSFER_OUT", "-12.5", f"{ADDRESS}/5"),
        ("TRANSFER_IN", "12.5", f"{ADDRESS}/0"),
    ],
)
def test_transfers_are_events_with_a_sign(kind: str, amount: str, counterparty: str) -> None:
    (told_,) = private_line(Channel.EVENTS).data("v4_subaccounts", NAME, {"transfers": transfer(kind)})
    assert isinstance(told_, Transfer)
    assert (told_.kind, told_.amount, told_.counterparty) == (kind.lower(), Decimal(amount), counterparty)
    assert private_line(Channel.ORDERS).data("v4_subaccounts", NAME, {"transfers": transfer(kind)}) == []


@pytest.mark.parametrize("kind", ["LIQUIDATED", "DELEVERAGED", "OFFSETTING"])
def test_what_the_venue_took_is_a_fill_and_an_event(kind: str) -> None:
    row = fill_row(1, type=kind, orderId=..., clientMetadata=..., price="3000.5", size="0.2")
    said = private_line(Channel.FILLS, Channel.EVENTS).data("v4_subaccounts", NAME, {"fills": [row, fill_row(2)]})
    fill, other, event = said
    assert isinstance(fill, TradeUpdate)
    assert isinstance(other, TradeUpdate)
    assert isinstance(event, Liquidation)
    assert (event.account, event.kind, event.trading_pair) == (ADDRESS, kind.lower(), fill.trading_pair)
    assert (event.notional, event.ts_ns) == (Decimal("600.1"), fill.ts_ns)
    assert (event.liquidator, event.account_value) == (None, None)
    assert len(private_line(Channel.FILLS).data("v4_subaccounts", NAME, {"fills": [row]})) == 1


def test_whoever_took_the_other_side_of_a_liquidation_was_not_liquidated() -> None:
    said = private_line(Channel.EVENTS).data("v4_subaccounts", NAME, {"fills": [fill_row(type="LIQUIDATION")]})
    assert [type(item) for item in said] == [TradeUpdate]
