"""The indexer's WebSocket: envelopes, errors, limits, batches, keep-alive (section 8)."""

from __future__ import annotations

from typing import Any

import pytest
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.sandbox.model import Ping

LOT, TICK = 1_000_000, 100_000
LOW, HIGH = 80_000 * TICK, 90_000 * TICK
ME = f"{ADDRESSES[0]}/0"


def test_the_first_frame_and_the_answers(venue: Any) -> None:
    number = venue.connect()
    [hello] = venue.take(number)
    assert set(hello) == {"type", "connection_id", "message_id"}
    assert (hello["type"], hello["message_id"], len(hello["connection_id"])) == ("connected", 0, 36)
    markets = venue.subscribe(number, "v4_markets")
    assert (markets["type"], markets["message_id"], "id" in markets, "version" in markets) == (
        "subscribed",
        1,
        False,
        False,
    )
    assert "BTC-USD" in markets["contents"]["markets"]
    heights = venue.subscribe(number, "v4_block_height")
    assert (heights["id"], heights["contents"]["height"]) == ("v4_block_height", "50000000")
    book = venue.subscribe(number, "v4_orderbook", "BTC-USD")
    assert set(book["contents"]) == {"bids", "asks"}
    [gone] = venue.say(number, {"type": "unsubscribe", "channel": "v4_orderbook", "id": "BTC-USD"})
    assert gone["type"] == "unsubscribed"
    assert (gone["channel"], gone["id"], gone["message_id"]) == ("v4_orderbook", "BTC-USD", 4)
    assert venue.say(number, {"type": "ping"}) == []


def test_heights_come_with_the_blocks(venue: Any) -> None:
    number = venue.connect()
    venue.subscribe(number, "v4_block_height")
    venue.take(number)
    venue.block(2)
    assert [frame["contents"]["blockHeight"] for frame in venue.take(number)] == ["50000001", "50000002"]


def test_errors_have_the_venues_words(venue: Any) -> None:
    subscribe, unsubscribe = {"type": "subscribe"}, {"type": "unsubscribe"}
    for message, text in (
        ("{", "Invalid message: could not parse"),
        ("null", "Internal error"),
        ({"channel": "v4_trades"}, "Invalid message: type is required"),
        ({"type": "hello"}, "Invalid message type: hello"),
        ({"type": True}, "Invalid message type: true"),
        ({"type": [None, "a", {}]}, "Invalid message type: ,a,[object Object]"),
        (subscribe, "Invalid subscribe message: channel is required"),
        (unsubscribe, "Invalid subscribe message: channel is required"),
        ({**subscribe, "channel": "v4_x"}, "Invalid channel: v4_x"),
        ({**subscribe, "channel": "v4_trades"}, "Invalid id: undefined"),
        ({**unsubscribe, "channel": "v4_trades", "id": None}, "Invalid id: null"),
        ({**subscribe, "channel": "v4_trades", "id": 7}, "Invalid id: 7"),
    ):
        number = venue.connect()
        [error] = venue.say(number, message)
        assert (error["type"], error["message"], error["message_id"]) == ("error", text, 0)


@pytest.mark.parametrize(
    ("channel", "given"),
    [
        ("v4_trades", "X-USD"),
        ("v4_candles", "BTC-USD/2MIN"),
        ("v4_subaccounts", f"{ADDRESSES[0]}/128000"),
        ("v4_parent_subaccounts", f"{ADDRESSES[0]}/128"),
    ],
)
def test_a_subscription_that_cannot_be_uses_up_the_number_of_its_answer(venue: Any, channel: str, given: str) -> None:
    number = venue.connect()
    error = venue.subscribe(number, channel, given)
    assert error["message"] == f"Invalid subscription id for channel: ({channel}-{given})"
    assert (error["message_id"], error.keys() & {"channel", "id"}) == (1, set())
    assert venue.subscribe(number, "v4_trades", "BTC-USD")["message_id"] == 2


def test_subscribing_twice_and_too_often(venue: Any) -> None:
    number = venue.connect()
    venue.subscribe(number, "v4_trades", "BTC-USD")
    again = venue.subscribe(number, "v4_trades", "BTC-USD")
    assert again["message"] == "Invalid subscribe message: already subscribed (v4_trades-BTC-USD)"
    assert (again["channel"], again["id"], again["message_id"]) == ("v4_trades", "BTC-USD", 2)
    third = venue.subscribe(number, "v4_trades", "BTC-USD")
    assert third["message"].startswith("Too many subscribe attempts for channel v4_trades-BTC-USD. Please  reconnect")
    assert (third["message_id"], third.keys() & {"channel", "id"}) == (3, set())
    [close] = venue.closes
    assert (close.code, close.reason) == (1008, '{"message":"Rate limited"}')


def test_too_many_invalid_messages_end_the_connection(venue: Any) -> None:
    number = venue.connect()
    for _ in range(3):
        venue.say(number, "nonsense")
    assert venue.take(number)[-1]["message"] == "Too many invalid messages. Please reconnect and try again."
    assert [close.code for close in venue.closes] == [1008]


def test_subscriptions_that_cannot_be_do_not_end_the_connection(venue: Any) -> None:
    number = venue.connect()
    for market in ("A-USD", "B-USD", "C-USD", "D-USD"):
        venue.subscribe(number, "v4_orderbook", market)
        venue.say(number, {"type": "subscribe", "channel": market})
    assert venue.closes == []
    assert venue.subscribe(number, "v4_orderbook", "BTC-USD")["type"] == "subscribed"


def test_a_connection_has_so_many_subscriptions_of_a_channel(venue: Any) -> None:
    number = venue.connect()
    for child in range(256):
        assert venue.subscribe(number, "v4_subaccounts", f"{ADDRESSES[0]}/{child}")["type"] == "subscribed"
    error = venue.subscribe(number, "v4_subaccounts", f"{ADDRESSES[0]}/256")
    assert error["message"] == "Per-connection subscription limit reached for v4_subaccounts (limit=256)."
    assert (error["message_id"], error.keys() & {"channel", "id"}) == (257, set())


def test_snapshots_that_fail(venue: Any) -> None:
    number = venue.connect()
    venue.control("fail_snapshots")
    error = venue.subscribe(number, "v4_orderbook", "BTC-USD")
    assert error["message"] == "Internal error, could not fetch data for subscription: v4_orderbook."
    assert error["message_id"] == 1
    bad = venue.subscribe(number, "v4_subaccounts", "dydx1nonsense/0")
    assert bad["message"].startswith("Internal error")
    venue.control("geoblock")
    assert venue.subscribe(number, "v4_subaccounts", ME)["message"].startswith("Because you appear to be a resident")


def test_an_address_that_does_not_exist_yet_starts_empty_and_is_told_later(venue: Any) -> None:
    number = venue.connect()
    snapshot = venue.subscribe(number, "v4_subaccounts", f"{ADDRESSES[0]}/9")
    assert snapshot["contents"] == {}
    venue.take(number)
    venue.control("fund", address=ADDRESSES[0], subaccount=9, amount="50")
    venue.block()
    assert venue.get(f"addresses/{ADDRESSES[0]}/subaccountNumber/9")["subaccount"]["equity"] == "50"


def test_batches_come_every_quarter_of_a_second(venue: Any) -> None:
    number = venue.connect()
    venue.subscribe(number, "v4_subaccounts", ME, batched=True)
    venue.take(number)
    venue.place("buy", LOT, LOW)
    venue.place("buy", LOT, LOW)
    venue.pass_time(0.2)
    assert venue.take(number) == []
    venue.pass_time(0.1)
    [batch] = venue.take(number)
    assert batch["type"] == "channel_batch_data"
    assert [contents["orders"][0]["status"] for contents in batch["contents"]] == ["BEST_EFFORT_OPENED"] * 2


def test_a_parent_hears_of_its_children(venue: Any) -> None:
    venue.control("fund", address=ADDRESSES[0], subaccount=128, amount="50000")
    venue.block()
    number = venue.connect()
    snapshot = venue.subscribe(number, "v4_parent_subaccounts", ME)
    children = [child["subaccountNumber"] for child in snapshot["contents"]["subaccount"]["childSubaccounts"]]
    assert children == [0, 128]
    venue.take(number)
    venue.place("buy", LOT, LOW, subaccount=128)
    [frame] = venue.take(number)
    assert (frame["channel"], frame["subaccountNumber"]) == ("v4_parent_subaccounts", 128)


def test_books_change_by_absolute_sizes(moving: Any) -> None:
    number = moving.connect()
    snapshot = moving.subscribe(number, "v4_orderbook", "BTC-USD")["contents"]
    mine = {side: {level["price"]: level["size"] for level in snapshot[side]} for side in ("bids", "asks")}
    moving.take(number)
    moving.pass_time(20)
    for frame in moving.take(number):
        for side, pairs in frame["contents"].items():
            for price, size in pairs:
                if size == "0":
                    mine[side].pop(price, None)
                else:
                    mine[side][price] = size
    book = moving.get("orderbooks/perpetualMarket/BTC-USD")
    assert mine == {side: {level["price"]: level["size"] for level in book[side]} for side in ("bids", "asks")}


def test_levels_outside_the_snapshot_are_told_and_not_taken_away(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[[str(83_000 - k), "1"] for k in range(100)])
    number = venue.connect()
    snapshot = venue.subscribe(number, "v4_orderbook", "BTC-USD")["contents"]
    assert len(snapshot["bids"]) == 100
    venue.take(number)
    venue.place("buy", LOT, LOW)
    venue.pass_time(0.01)
    [frame] = venue.take(number)
    assert frame["contents"] == {"bids": [["80000", "0.0001"]]}
    venue.place("buy", LOT, 83_001 * TICK)
    venue.pass_time(0.01)
    [frame] = venue.take(number)
    assert frame["contents"] == {"bids": [["83001", "0.0001"]]}


def test_a_book_can_be_made_to_cross(moving: Any) -> None:
    moving.control("crossed", ticker="BTC-USD")
    number = moving.connect()
    snapshot = moving.subscribe(number, "v4_orderbook", "BTC-USD")["contents"]
    bids = {int(level["price"]) for level in snapshot["bids"]}
    asks = {int(level["price"]) for level in snapshot["asks"]}
    moving.take(number)
    moving.pass_time(40)
    for frame in moving.take(number):
        bids |= {int(price) for price, size in frame["contents"].get("bids", ()) if size != "0"}
        asks |= {int(price) for price, size in frame["contents"].get("asks", ()) if size != "0"}
        assert all(size != "0" for pairs in frame["contents"].values() for _, size in pairs)
    assert max(bids) >= min(asks)


def test_what_changes_between_snapshot_and_registration_can_be_lost(venue: Any) -> None:
    venue.control("snapshot_gap", ticker="BTC-USD")
    number = venue.connect()
    venue.subscribe(number, "v4_orderbook", "BTC-USD")
    venue.take(number)
    venue.place("buy", LOT, LOW)
    venue.model.tick(venue.now_ns)
    venue.place("buy", LOT, LOW - TICK)
    venue.model.tick(venue.now_ns)
    venue.collect()
    [frame] = venue.take(number)
    assert frame["contents"] == {"bids": [["79999", "0.0001"]]}


def test_trades_candles_and_oracle_prices_are_told(moving: Any) -> None:
    number = moving.connect()
    moving.subscribe(number, "v4_trades", "BTC-USD")
    moving.subscribe(number, "v4_candles", "BTC-USD/1MIN")
    moving.subscribe(number, "v4_markets")
    moving.take(number)
    moving.pass_time(20)
    frames = moving.take(number)
    trades = [trade for f in frames if f["channel"] == "v4_trades" for trade in f["contents"]["trades"]]
    assert trades
    assert set(trades[0]) == {"id", "side", "size", "price", "type", "createdAt"}
    candle = next(frame for frame in frames if frame["channel"] == "v4_candles")
    assert (candle["id"], candle["contents"]["resolution"]) == ("BTC-USD/1MIN", "1MIN")
    oracle = next(frame for frame in frames if frame["channel"] == "v4_markets")
    assert "id" not in oracle
    assert set(oracle["contents"]["oraclePrices"]["BTC-USD"]) == {
        "oraclePrice",
        "effectiveAt",
        "effectiveAtHeight",
        "marketId",
    }
    known = {trade["id"] for trade in moving.get("trades/perpetualMarket/BTC-USD")["trades"]}
    assert {trade["id"] for trade in trades} <= known


def test_a_market_that_changes_its_status_is_told(venue: Any) -> None:
    number = venue.connect()
    venue.subscribe(number, "v4_markets")
    venue.take(number)
    venue.control("market_status", ticker="ETH-USD", status="FINAL_SETTLEMENT")
    [frame] = venue.take(number)
    assert frame["contents"]["trading"]["ETH-USD"]["status"] == "FINAL_SETTLEMENT"
    answer = venue.submit(venue.order("buy", LOT, 10**9, pair=1))
    assert answer.code == 34


def test_silent_peers_are_pinged_and_dropped(venue: Any) -> None:
    quiet, alive = venue.connect(), venue.connect()
    venue.now_ns += 30_000_000_000
    venue.model.tick(venue.now_ns)
    assert {item.connection for item in venue.model.outbox() if isinstance(item, Ping)} == {quiet, alive}
    venue.model.ws_pong(alive, venue.now_ns)
    venue.now_ns += 10_000_000_000
    venue.model.tick(venue.now_ns)
    venue.collect()
    [close] = venue.closes
    assert (close.connection, close.code, close.reason) == (quiet, 1011, "Heartbeat timeout")
