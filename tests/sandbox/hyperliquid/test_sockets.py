"""The WebSocket: acknowledgements, first messages, private and public feeds, errors, closes and posts."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from latentspeed_cli.sandbox.accounts import ADDRESSES
from latentspeed_cli.sandbox.model import SCENARIOS, Close, Scenario

ME = ADDRESSES[0]


def ack(subscription: dict[str, Any], method: str = "subscribe") -> dict[str, Any]:
    return {"channel": "subscriptionResponse", "data": {"method": method, "subscription": subscription}}


class TestSubscribing:
    @pytest.mark.parametrize(
        ("sent", "normalised"),
        [
            (
                {"type": "l2Book", "coin": "BTC"},
                {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": False},
            ),
            (
                {"type": "l2Book", "coin": "BTC", "fast": True, "nSigFigs": None},
                {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": True},
            ),
            (
                {"type": "userFills", "user": "0x" + ME[2:].upper()},
                {"type": "userFills", "user": ME, "aggregateByTime": False},
            ),
            ({"type": "bbo", "coin": "SOL"}, {"type": "bbo", "coin": "SOL"}),
            ({"type": "candle", "coin": "SOL", "interval": "1m"}, {"type": "candle", "coin": "SOL", "interval": "1m"}),
            ({"type": "orderUpdates", "user": ME}, {"type": "orderUpdates", "user": ME}),
            ({"type": "allMids"}, {"type": "allMids"}),
        ],
    )
    def test_acknowledged_in_normal_form(self, venue: Any, sent: dict[str, Any], normalised: dict[str, Any]) -> None:
        socket = venue.connect()
        assert venue.subscribe(socket, **sent)[0] == ack(normalised)
        [again] = venue.subscribe(socket, **sent)
        text = json.dumps(normalised, separators=(",", ":"))
        assert again == {"channel": "error", "data": f"Already subscribed: {text}"}
        assert venue.send(socket, {"method": "unsubscribe", "subscription": sent}) == [ack(normalised, "unsubscribe")]
        [gone] = venue.send(socket, {"method": "unsubscribe", "subscription": sent})
        assert gone == {"channel": "error", "data": f"Already unsubscribed: {text}"}

    def test_pong_has_no_data(self, venue: Any) -> None:
        socket = venue.connect()
        assert venue.send(socket, {"method": "ping"}) == [{"channel": "pong"}]

    @pytest.mark.parametrize(
        "text",
        [
            "hello",
            "[]",
            '{"method":"dance"}',
            '{"method":"subscribe"}',
            '{"method":"subscribe","xsubscription":{"type":"bbo","coin":"SOL"}}',
            '{"method":"subscribe","subscription":{"type":"noSuchType","coin":"BTC"}}',
            '{"method":"subscribe","subscription":{"type":"bbo","coin":["BTC","ETH"]}}',
            '{"method":"subscribe","subscription":{"type":"candle","coin":"BTC"}}',
            '{"method":"post","request":{"type":"info","payload":{"type":"meta"}}}',
            '{"method":"post","id":true,"request":{"type":"info","payload":{"type":"meta"}}}',
            '{"method":"post","id":-1,"request":{"type":"info","payload":{"type":"meta"}}}',
            '{"method":"subscribe","subscription":{"type":"bbo","coin":"\\ud800"}}',
            "[" * 100_000,
        ],
    )
    def test_what_does_not_parse_is_echoed(self, venue: Any, text: str) -> None:
        socket = venue.connect()
        [answer] = venue.send(socket, text)
        assert answer == {
            "channel": "error",
            "data": f"Error parsing JSON into valid websocket request: {text}",
        }
        assert venue.send(socket, {"method": "ping"}) == [{"channel": "pong"}]

    @pytest.mark.parametrize(
        "subscription",
        [
            {"type": "bbo", "coin": "btc"},
            {"type": "trades", "coin": "NOPE"},
            {"type": "l2Book", "coin": "BTC", "nSigFigs": 7},
            {"type": "l2Book", "coin": "BTC", "mantissa": 5},
        ],
    )
    def test_unknown_coin_drops_the_connection(self, venue: Any, subscription: dict[str, Any]) -> None:
        socket, other = venue.connect(), venue.connect()
        assert venue.subscribe(socket, **subscription) == []
        venue.wait(70)
        assert venue.closes == []
        venue.wait(70)
        assert venue.closes == [Close(connection=socket, code=None)]
        assert venue.send(other, {"method": "ping"})

    def test_a_delisted_coin_is_acknowledged_and_empty(self, venue: Any) -> None:
        socket = venue.connect()
        _, book = venue.subscribe(socket, type="l2Book", coin="MATIC")
        assert book["data"]["levels"] == [[], []]

    def test_too_many_users(self, make_venue: Any) -> None:
        venue = make_venue(Scenario(name="venue", limits_factor=1, flow=False))
        first, second = venue.connect(), venue.connect()
        for number in range(15):
            user = f"0x{number + 1:040x}"
            assert "error" not in str(
                venue.subscribe(first if number % 2 else second, type="orderUpdates", user=user)[0]
            )
        [answer] = venue.subscribe(first, type="userFills", user=f"0x{99:040x}")
        assert answer == {"channel": "error", "data": "Cannot track more than 15 total users."}

    def test_too_many_connections(self, make_venue: Any) -> None:
        venue = make_venue(Scenario(name="venue", limits_factor=1, flow=False))
        for _ in range(10):
            venue.connect()
        refusal = venue.model.ws_open(99, "/ws", "127.0.0.1", venue.now_ns)
        assert refusal is not None
        assert refusal.status == 429


class TestClosing:
    def test_idle_for_a_minute(self, venue: Any) -> None:
        quiet, pinging = venue.connect(), venue.connect()
        venue.wait(50_000)
        venue.send(pinging, {"method": "ping"})
        venue.wait(9_900)
        assert venue.closes == []
        venue.wait(200)
        assert venue.closes == [Close(connection=quiet, code=None)]
        venue.wait(49_000)
        assert len(venue.closes) == 1

    def test_rotation(self, venue: Any) -> None:
        socket = venue.connect()
        assert venue.control("expire") == 1
        assert venue.closes == [Close(connection=socket, code=1000, reason="Expired")]


class TestPrivate:
    @pytest.fixture
    def socket(self, venue: Any) -> int:
        number: int = venue.connect()
        for kind in ("orderUpdates", "userFills", "userEvents", "notification"):
            venue.subscribe(number, type=kind, user=ME)
        [snapshot] = venue.take(number, "userFills")
        assert snapshot["data"] == {"isSnapshot": True, "user": ME, "fills": []}
        venue.take(number)
        return number

    def test_an_order_rests_and_is_cancelled(self, venue: Any, socket: int) -> None:
        oid = venue.rest("buy", "0.01", "80000")
        venue.cancel(oid)
        opened, cancelled = venue.take(socket, "orderUpdates")
        assert isinstance(opened["data"], list)
        [entry] = opened["data"]
        assert entry == {
            "order": {
                "coin": "BTC",
                "side": "B",
                "limitPx": "80000.0",
                "sz": "0.01",
                "oid": oid,
                "timestamp": venue.now_ns // 1_000_000,
                "origSz": "0.01",
            },
            "status": "open",
            "statusTimestamp": venue.now_ns // 1_000_000,
        }
        [entry] = cancelled["data"]
        assert (entry["status"], entry["order"]["sz"]) == ("canceled", "0.01")

    def test_filled_on_arrival_is_one_message_with_two_entries(self, venue: Any, socket: int) -> None:
        _, ask = venue.touch()
        venue.place(venue.order("buy", "0.01", ask, "Ioc"))
        [message] = venue.take(socket, "orderUpdates")
        assert [(entry["status"], entry["order"]["sz"]) for entry in message["data"]] == [
            ("open", "0.01"),
            ("filled", "0.0"),
        ]
        assert len({entry["statusTimestamp"] for entry in message["data"]}) == 1
        [fills] = venue.take(socket, "userFills")
        assert "isSnapshot" not in fills["data"]
        assert fills["data"]["user"] == ME
        [event] = venue.take(socket, "user")
        assert event["data"] == {"fills": fills["data"]["fills"]}

    def test_rejections_have_an_oid(self, venue: Any, socket: int) -> None:
        venue.place(venue.order("buy", "0.01", "83000", "Ioc"))
        [message] = venue.take(socket, "orderUpdates")
        assert [entry["status"] for entry in message["data"]] == ["iocCancelRejected"]
        assert message["data"][0]["order"]["oid"] > 0

    def test_static_refusals_say_nothing(self, venue: Any, socket: int) -> None:
        venue.place(venue.order("buy", "0.000001", "83000"))
        assert venue.take(socket) == []

    def test_a_resting_order_fills(self, venue: Any, socket: int) -> None:
        venue.control("seed_book", coin="BTC")
        oid = venue.rest("buy", "0.1", "83500")
        venue.take(socket)
        venue.place(venue.order("sell", "0.04", "83500", "Ioc"), key=1)
        assert venue.take(socket, "orderUpdates") == []
        assert len(venue.take(socket, "userFills")) == 1
        venue.place(venue.order("sell", "0.06", "83500", "Ioc"), key=1)
        [message] = venue.take(socket, "orderUpdates")
        [entry] = message["data"]
        assert (entry["order"]["oid"], entry["status"], entry["order"]["sz"]) == (oid, "filled", "0.0")
        [note] = venue.take(socket, "notification")
        assert note["data"] == {"notification": "Resting order filled: Bought 0.06 BTC at $83500"}

    def test_modify_announces_both(self, venue: Any, socket: int) -> None:
        oid = venue.rest("buy", "0.01", "80000")
        venue.take(socket)
        venue.act({"type": "modify", "oid": oid, "order": venue.order("buy", "0.02", "80000")})
        entries = [entry for message in venue.take(socket, "orderUpdates") for entry in message["data"]]
        assert sorted(entry["status"] for entry in entries) == ["canceled", "open"]

    def test_snapshot_is_oldest_first(self, venue: Any) -> None:
        _, ask = venue.touch()
        for _ in range(3):
            venue.place(venue.order("buy", "0.01", ask, "Ioc"))
        socket = venue.connect()
        _, snapshot = venue.subscribe(socket, type="userFills", user=ME)
        oids = [fill["oid"] for fill in snapshot["data"]["fills"]]
        assert oids == sorted(oids)
        assert [fill["oid"] for fill in venue.info(type="userFills", user=ME)] == oids[::-1]

    def test_nobody_hears_of_others(self, venue: Any, socket: int) -> None:
        venue.rest("buy", "0.01", "80000", key=1)
        assert venue.take(socket) == []

    def test_another_dex_has_nothing_of_this_one(self, venue: Any) -> None:
        socket = venue.connect()
        venue.rest("buy", "0.01", "80000")
        _, orders = venue.subscribe(socket, type="openOrders", user=ME, dex="xyz")
        assert orders["data"] == {"dex": "xyz", "user": ME, "orders": []}
        _, state = venue.subscribe(socket, type="clearinghouseState", user=ME, dex="xyz")
        assert state["data"]["clearinghouseState"]["marginSummary"]["accountValue"] == "0.0"
        _, contexts = venue.subscribe(socket, type="assetCtxs", dex="xyz")
        assert contexts["data"] == {"dex": "xyz", "ctxs": []}

    def test_spot_contexts_have_channels_of_their_own(self, venue: Any) -> None:
        socket = venue.connect()
        _, context = venue.subscribe(socket, type="activeAssetCtx", coin="PURR/USDC")
        assert (context["channel"], context["data"]["coin"]) == ("activeSpotAssetCtx", "PURR/USDC")
        assert context["data"]["ctx"]["circulatingSupply"]
        _, contexts = venue.subscribe(socket, type="spotAssetCtxs")
        assert contexts["channel"] == "spotAssetCtxs"
        assert context["data"]["ctx"] in contexts["data"]

    def test_state_channels_follow_changes(self, venue: Any) -> None:
        socket = venue.connect()
        _, orders = venue.subscribe(socket, type="openOrders", user=ME)
        assert orders["data"] == {"dex": "", "user": ME, "orders": []}
        _, state = venue.subscribe(socket, type="clearinghouseState", user=ME)
        assert set(state["data"]) == {"dex", "user", "clearinghouseState"}
        _, data = venue.subscribe(socket, type="activeAssetData", user=ME, coin="BTC")
        assert data["data"]["availableToTrade"] == ["100000.0", "100000.0"]
        venue.take(socket)
        oid = venue.rest("buy", "0.01", "80000")
        venue.wait(70)
        [orders] = venue.take(socket, "openOrders")
        assert [order["oid"] for order in orders["data"]["orders"]] == [oid]
        assert len(venue.take(socket, "clearinghouseState")) == 1


class TestPublic:
    def test_books_and_their_cadence(self, moving: Any) -> None:
        slow, fast = moving.connect(), moving.connect()
        moving.subscribe(slow, type="l2Book", coin="BTC")
        moving.subscribe(fast, type="l2Book", coin="BTC", fast=True)
        moving.wait(54_100)
        assert len(moving.take(slow, "l2Book")) in range(10, 13)
        books = moving.take(fast, "l2Book")
        assert len(books) in range(95, 105)
        assert all(book["data"]["fast"] is True for book in books)
        assert all(len(side) == 5 for book in books for side in book["data"]["levels"])

    def test_books_are_sorted_and_uncrossed(self, moving: Any) -> None:
        socket = moving.connect()
        for coin in ("BTC", "ETH", "DOGE", "kPEPE"):
            moving.subscribe(socket, type="l2Book", coin=coin)
        moving.wait(20_000)
        for frame in moving.take(socket, "l2Book"):
            bids, asks = ([float(level["px"]) for level in side] for side in frame["data"]["levels"])
            assert bids == sorted(bids, reverse=True)
            assert asks == sorted(asks)
            assert bids[0] < asks[0]
            assert len(bids) == len(asks) == 20

    def test_bbo_only_when_changed_and_agreeing_with_the_book(self, moving: Any) -> None:
        socket = moving.connect()
        moving.subscribe(socket, type="bbo", coin="BTC")
        moving.wait(20_000)
        sides = [frame["data"]["bbo"] for frame in moving.take(socket, "bbo")]
        assert len(sides) > 10
        assert all(before != after for before, after in itertools.pairwise(sides))
        levels = moving.info(type="l2Book", coin="BTC")["levels"]
        assert sides[-1] == [levels[0][0], levels[1][0]]

    def test_trades_replay_thirty_oldest_first_then_per_block(self, moving: Any) -> None:
        socket = moving.connect()
        _, replay = moving.subscribe(socket, type="trades", coin="BTC")
        assert len(replay["data"]) == 30
        times = [trade["time"] for trade in replay["data"]]
        assert times == sorted(times)
        assert times[-1] <= moving.now_ns // 1_000_000
        moving.take(socket)
        moving.wait(20_000)
        later = [trade for frame in moving.take(socket, "trades") for trade in frame["data"]]
        assert len(later) > 10
        tids = [trade["tid"] for trade in [*replay["data"], *later]]
        assert len(set(tids)) == len(tids)

    def test_a_users_trade_is_printed(self, venue: Any) -> None:
        socket = venue.connect()
        venue.subscribe(socket, type="trades", coin="BTC")
        venue.take(socket)
        _, ask = venue.touch()
        venue.place(venue.order("buy", "0.01", ask, "Ioc"))
        venue.wait(70)
        [message] = venue.take(socket, "trades")
        [trade] = message["data"]
        assert trade["users"][0] == ME
        assert (trade["side"], trade["px"]) == ("B", f"{ask}.0")

    def test_candle_context_and_mids(self, moving: Any) -> None:
        socket = moving.connect()
        _, candle = moving.subscribe(socket, type="candle", coin="ETH", interval="1m")
        assert set(candle["data"]) == {"t", "T", "s", "i", "o", "c", "h", "l", "v", "n"}
        _, context = moving.subscribe(socket, type="activeAssetCtx", coin="ETH")
        assert context["data"]["coin"] == "ETH"
        _, mids = moving.subscribe(socket, type="allMids")
        assert mids["data"]["mids"]["BTC"]
        moving.take(socket)
        moving.wait(10_000)
        assert len(moving.take(socket, "candle")) == 10
        assert len(moving.take(socket, "activeAssetCtx")) == 10
        assert len(moving.take(socket, "allMids")) == 2


class TestPosts:
    def post(self, venue: Any, kind: str, payload: Any) -> Any:
        socket = venue.connect()
        [answer] = venue.send(socket, {"method": "post", "id": 7, "request": {"type": kind, "payload": payload}})
        assert answer["channel"] == "post"
        assert answer["data"]["id"] == 7
        return answer["data"]["response"]

    def test_info(self, venue: Any) -> None:
        response = self.post(venue, "info", {"type": "l2Book", "coin": "BTC"})
        assert response["type"] == "info"
        assert response["payload"]["type"] == "l2Book"
        assert response["payload"]["data"]["coin"] == "BTC"
        assert self.post(venue, "info", {"type": "l2Book", "coin": "NOPE"}) == {
            "type": "info",
            "payload": {"type": "l2Book", "data": None},
        }

    def test_action(self, venue: Any) -> None:
        action = {"type": "order", "orders": [venue.order("buy", "0.01", "80000")], "grouping": "na"}
        response = self.post(venue, "action", venue.sign(action))
        assert response["type"] == "action"
        assert "resting" in response["payload"]["response"]["data"]["statuses"][0]

    def test_errors(self, venue: Any) -> None:
        assert self.post(venue, "info", {"type": "nothing"})["type"] == "error"
        venue.control("rate_limit")
        assert self.post(venue, "info", {"type": "meta"}) == {"type": "error", "payload": "429 Too Many Requests"}


def test_an_idle_venue_asks_to_be_called_seldom(make_venue: Any) -> None:
    venue = make_venue(SCENARIOS["default"])
    assert venue.model.tick(venue.now_ns) - venue.now_ns >= 500_000_000
    venue.connect()
    assert venue.model.tick(venue.now_ns) - venue.now_ns <= 70_000_000
