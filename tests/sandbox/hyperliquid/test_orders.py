"""Placing, matching and cancelling, with the venue's answers and texts."""

from __future__ import annotations

from typing import Any

import pytest

from latentspeed_cli.sandbox.accounts import ADDRESSES

CLOID = "0x00000000000000000000000000000abc"
GONE = "Order was never placed, already canceled, or filled. asset=0"


def texts(statuses: list[Any]) -> list[str]:
    return [status["error"] for status in statuses]


class TestAnswers:
    def test_resting(self, venue: Any) -> None:
        [status] = venue.place(venue.order("buy", "0.01", "80000", cloid=CLOID))
        assert set(status) == {"resting"}
        assert status["resting"]["cloid"] == CLOID
        [order] = venue.info(type="openOrders", user=ADDRESSES[0])
        assert order == {
            "coin": "BTC",
            "side": "B",
            "limitPx": "80000.0",
            "sz": "0.01",
            "oid": status["resting"]["oid"],
            "timestamp": venue.now_ns // 1_000_000,
            "origSz": "0.01",
            "cloid": CLOID,
        }

    def test_filled(self, venue: Any) -> None:
        _, ask = venue.touch()
        [status] = venue.place(venue.order("buy", "0.01", ask, "Ioc"))
        assert status["filled"]["totalSz"] == "0.01"
        assert status["filled"]["avgPx"] == f"{ask}.0"
        assert set(status["filled"]) == {"totalSz", "avgPx", "oid"}
        order = venue.status(status["filled"]["oid"])["order"]
        assert (order["status"], order["order"]["sz"], order["order"]["tif"]) == ("filled", "0.0", "Ioc")

    def test_average_over_levels_is_truncated(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC", asks=[["84000", "0.1"], ["84001", "0.2"]])
        [status] = venue.place(venue.order("buy", "0.3", "84001", "Ioc"))
        assert status["filled"]["avgPx"] == "84000.6"

    def test_ioc_that_fills_in_part_is_filled(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC", asks=[["84000", "0.1"]])
        [status] = venue.place(venue.order("buy", "0.3", "84000", "Ioc"))
        assert status["filled"]["totalSz"] == "0.1"
        order = venue.status(status["filled"]["oid"])["order"]
        assert (order["status"], order["order"]["origSz"]) == ("filled", "0.3")
        assert venue.info(type="openOrders", user=ADDRESSES[0]) == []

    def test_gtc_that_crosses_and_rests(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC", bids=[["83000", "1"]], asks=[["84000", "0.1"]])
        [status] = venue.place(venue.order("buy", "0.3", "84000"))
        assert status["filled"]["totalSz"] == "0.1"
        [order] = venue.info(type="openOrders", user=ADDRESSES[0])
        assert (order["sz"], order["origSz"]) == ("0.2", "0.3")
        assert [fill["crossed"] for fill in venue.info(type="userFills", user=ADDRESSES[0])] == [True]

    def test_a_batch_goes_on_after_a_refusal(self, venue: Any) -> None:
        good = venue.order("buy", "0.01", "80000")
        small = venue.order("buy", "0.0001", "80000")
        statuses = venue.place(good, small, good)
        assert ["resting" in status for status in statuses] == [True, False, True]


class TestRefusals:
    """Text of the answer, and the status of the record it leaves (None: no record)."""

    @pytest.mark.parametrize(
        ("order", "text", "record"),
        [
            (("buy", "0.01", "80000.5"), "Price must be divisible by tick size. asset=0", "tickRejected"),
            (("buy", "0.01", "80000.55"), "Order has invalid price.", None),
            (("buy", "0.01", "0"), "Order has invalid price.", None),
            (("buy", "0.000001", "80000"), "Order has invalid size.", None),
            (("buy", "0", "80000"), "Order has zero size.", None),
            (("buy", "0.0001", "80000"), "Order must have minimum value of $10. asset=0", "minTradeNtlRejected"),
            (("buy", "100", "80000"), "Insufficient margin to place order. asset=0", "perpMarginRejected"),
            (
                ("buy", "0.01", "84100", "Alo"),
                "Post only order would have immediately matched, bbo was 84011@84012. asset=0",
                "badAloPxRejected",
            ),
            (
                ("buy", "0.01", "83000", "Ioc"),
                "Order could not immediately match against any resting orders. asset=0",
                "iocCancelRejected",
            ),
            (
                ("buy", "0.01", "4000"),
                "Order price cannot be more than 95% away from the reference price",
                None,
            ),
            (
                ("sell", "0.01", "170000"),
                "Order price cannot be more than 95% away from the reference price",
                None,
            ),
            (("buy", "400", "84100", "Ioc"), "Order value too large. Max is $30000000.", None),
        ],
    )
    def test_text_and_record(self, venue: Any, order: tuple[Any, ...], text: str, record: str | None) -> None:
        before = len(venue.info(type="historicalOrders", user=ADDRESSES[0]))
        assert texts(venue.place(venue.order(*order, cloid=CLOID))) == [text]
        found = venue.status(CLOID)
        if record is None:
            assert found == {"status": "unknownOid"}
            assert len(venue.info(type="historicalOrders", user=ADDRESSES[0])) == before
        else:
            assert found["order"]["status"] == record
            assert found["order"]["order"]["sz"] == order_size(order[1])

    def test_one_static_failure_refuses_the_whole_batch(self, venue: Any) -> None:
        good, bad = venue.order("buy", "0.01", "80000"), venue.order("buy", "0.000001", "80000")
        assert venue.place(good, bad, good) == [{"error": "Order has invalid size."}]
        assert venue.info(type="openOrders", user=ADDRESSES[0]) == []

    def test_empty_batch(self, venue: Any) -> None:
        assert venue.place() == [{"error": "Orders are empty."}]

    def test_reduce_only_when_flat(self, venue: Any) -> None:
        [text] = texts(venue.place(venue.order("sell", "0.01", "85000", reduce=True)))
        assert text == "Reduce only order would increase position. asset=0"

    def test_unknown_and_delisted_assets(self, venue: Any) -> None:
        assert texts(venue.place(venue.order("buy", "1", "1", asset=10_000))) == ["Invalid spot"]
        assert texts(venue.place(venue.order("buy", "1", "1", asset=99))) == ["Invalid asset"]
        assert "delisted" in texts(venue.place(venue.order("buy", "100", "0.3", asset=3)))[0]

    def test_a_forced_refusal(self, venue: Any) -> None:
        venue.control("reject", text="Order rejected due to testing. asset=0")
        assert texts(venue.place(venue.order("buy", "0.01", "80000"))) == ["Order rejected due to testing. asset=0"]
        venue.control("reject", text="Only post-only orders allowed immediately after network upgrade", whole=True)
        assert venue.act({"type": "noop"})["status"] == "err"
        assert venue.rest("buy", "0.01", "80000")

    def test_integer_prices_may_be_longer_than_five_figures(self, venue: Any) -> None:
        assert venue.rest("sell", "0.01", "123456")


def order_size(text: str) -> str:
    return text if "." in text else text + ".0"


class TestMatching:
    def test_price_then_time(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC")
        first = venue.rest("sell", "0.1", "84001", key=1)
        best = venue.rest("sell", "0.1", "84000", key=2)
        last = venue.rest("sell", "0.1", "84001", key=3)
        [status] = venue.place(venue.order("buy", "0.25", "84001", "Ioc"))
        assert status["filled"]["avgPx"] == "84000.6"
        assert [venue.status(oid, key)["order"]["status"] for oid, key in ((best, 2), (first, 1), (last, 3))] == [
            "filled",
            "filled",
            "open",
        ]
        [left] = venue.info(type="openOrders", user=ADDRESSES[3])
        assert left["sz"] == "0.05"

    def test_both_sides_of_a_trade(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC")
        maker = venue.rest("sell", "0.1", "84000", key=1)
        [taker] = venue.place(venue.order("buy", "0.1", "84000", "Ioc"))
        [mine] = venue.info(type="userFills", user=ADDRESSES[0])
        [theirs] = venue.info(type="userFills", user=ADDRESSES[1])
        assert (mine["oid"], theirs["oid"]) == (taker["filled"]["oid"], maker)
        assert mine["tid"] == theirs["tid"]
        assert 0 < mine["tid"] < 2**50
        assert mine["hash"] == theirs["hash"]
        assert (mine["side"], theirs["side"]) == ("B", "A")
        assert (mine["crossed"], theirs["crossed"]) == (True, False)
        assert (mine["dir"], theirs["dir"]) == ("Open Long", "Open Short")
        assert (mine["fee"], theirs["fee"]) == ("3.78", "1.26")
        [trade] = venue.info(type="recentTrades", coin="BTC")[:1]
        assert trade["users"] == [ADDRESSES[0], ADDRESSES[1]]
        assert (trade["side"], trade["px"], trade["sz"], trade["tid"]) == ("B", "84000.0", "0.1", mine["tid"])

    def test_self_trade_cancels_the_resting_order(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC", asks=[["84002", "1"]])
        mine = venue.rest("sell", "0.1", "84001")
        [status] = venue.place(venue.order("buy", "0.1", "84002", "Ioc"))
        assert status["filled"]["avgPx"] == "84002.0"
        record = venue.status(mine)["order"]
        assert (record["status"], record["order"]["sz"]) == ("selfTradeCanceled", "0.1")
        assert len(venue.info(type="userFills", user=ADDRESSES[0])) == 1

    def test_a_resting_order_without_margin_is_cancelled_when_hit(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC")
        maker = venue.rest("sell", "20", "84000", key=1)
        venue.user_signed("usdSend", key=1, destination=ADDRESSES[5], amount="15000")
        venue.control("price", coin="BTC", mark="86000")
        assert venue.place(venue.order("buy", "0.1", "84000", "Ioc"))[0]["filled"]
        venue.control("price", coin="BTC", mark="99000")
        [status] = venue.place(venue.order("buy", "19", "84000", "Ioc"))
        assert "error" in status
        assert venue.status(maker, 1)["order"]["status"] == "marginCanceled"

    def test_users_rest_behind_the_background(self, venue: Any) -> None:
        bid, _ = venue.touch()
        size = venue.info(type="l2Book", coin="BTC")["levels"][0][0]["sz"]
        oid = venue.rest("buy", "0.1", bid)
        venue.control("trade", coin="BTC", side="sell", sz=size, px=bid)
        assert venue.info(type="openOrders", user=ADDRESSES[0])[0]["sz"] == "0.1"
        venue.control("trade", coin="BTC", side="sell", sz="0.04", px=bid)
        assert venue.info(type="openOrders", user=ADDRESSES[0])[0]["sz"] == "0.06"
        assert venue.status(oid)["order"]["order"]["sz"] == "0.1"  # written when the status was


class TestCancelling:
    def test_once(self, venue: Any) -> None:
        oid = venue.rest("buy", "0.01", "80000")
        assert venue.cancel(oid) == "success"
        assert venue.cancel(oid) == {"error": GONE}
        record = venue.status(oid)["order"]
        assert (record["status"], record["order"]["sz"]) == ("canceled", "0.01")

    def test_foreign_unknown_and_other_asset(self, venue: Any) -> None:
        oid = venue.rest("buy", "0.01", "80000")
        assert venue.cancel(oid, key=1) == {"error": GONE}
        assert venue.cancel(1) == {"error": GONE}
        assert venue.cancel(oid, asset=1) == {"error": GONE.replace("asset=0", "asset=1")}
        assert venue.cancel(oid) == "success"

    def test_by_cloid(self, venue: Any) -> None:
        venue.rest("buy", "0.01", "80000", cloid=CLOID)
        action = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID.upper().replace("X", "x")}]}
        answer = venue.act(action)
        assert answer == {"status": "ok", "response": {"type": "cancel", "data": {"statuses": ["success"]}}}
        assert venue.act(action)["response"]["data"]["statuses"] == [{"error": GONE}]

    def test_a_reused_cloid_is_the_newest_order(self, venue: Any) -> None:
        venue.cancel(venue.rest("buy", "0.01", "80000", cloid=CLOID))
        second = venue.rest("buy", "0.01", "80001", cloid=CLOID)
        assert venue.status(CLOID)["order"]["order"]["oid"] == second

    def test_fast_flag(self, venue: Any) -> None:
        oid = venue.rest("buy", "0.01", "80000")
        answer = venue.act({"type": "cancel", "cancels": [{"a": 0, "o": oid}], "f": True})
        assert answer["response"]["data"]["statuses"] == ["success"]

    def test_dead_mans_switch(self, venue: Any) -> None:
        now = venue.now_ns // 1_000_000
        switch = {"type": "scheduleCancel", "time": now + 6_000}
        assert venue.act(switch)["response"] == (
            "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
        )
        venue.control("volume", address=ADDRESSES[0], amount="1000000")
        oid = venue.rest("buy", "0.01", "80000")
        assert venue.act(switch)["status"] == "ok"
        venue.wait(5_900)
        assert venue.status(oid)["order"]["status"] == "open"
        venue.wait(200)
        assert venue.status(oid)["order"]["status"] == "scheduledCancel"


class TestReduceOnly:
    @pytest.fixture
    def long(self, venue: Any) -> Any:
        """Account 0 is long 0.1 BTC in a book that only users move."""
        venue.control("seed_book", coin="BTC", bids=[["83000", "50"]], asks=[["84000", "50"]])
        venue.place(venue.order("buy", "0.1", "84000", "Ioc"))
        return venue

    def test_same_direction(self, long: Any) -> None:
        [text] = texts(long.place(long.order("buy", "0.01", "80000", reduce=True)))
        assert text == "Reduce only order would increase position. asset=0"

    def test_ioc_is_cut_to_the_position(self, long: Any) -> None:
        [status] = long.place(long.order("sell", "0.5", "83000", "Ioc", reduce=True))
        assert status["filled"]["totalSz"] == "0.1"
        assert long.position() is None

    def test_gtc_rests_with_the_positions_size(self, long: Any) -> None:
        long.rest("sell", "0.5", "90000", reduce=True)
        [order] = long.info(type="openOrders", user=ADDRESSES[0])
        assert (order["sz"], order["origSz"], order["reduceOnly"]) == ("0.1", "0.5", True)

    def test_shrinks_and_ends_with_the_position(self, long: Any) -> None:
        oid = long.rest("sell", "0.1", "90000", reduce=True)
        long.place(long.order("sell", "0.04", "83000", "Ioc"))
        assert long.info(type="openOrders", user=ADDRESSES[0])[0]["sz"] == "0.06"
        socket = long.connect()
        long.subscribe(socket, type="orderUpdates", user=ADDRESSES[0])
        long.take(socket)
        long.place(long.order("sell", "0.06", "83000", "Ioc"))
        assert long.status(oid)["order"]["status"] == "reduceOnlyCanceled"
        [message] = long.take(socket, "orderUpdates")
        assert sorted(entry["status"] for entry in message["data"]) == ["filled", "open", "reduceOnlyCanceled"]

    def test_of_two_that_exceed_the_position_the_older_ends(self, long: Any) -> None:
        older = long.rest("sell", "0.1", "90000", reduce=True)
        newer = long.rest("sell", "0.1", "91000", reduce=True)
        assert long.status(older)["order"]["status"] == "reduceOnlyCanceled"
        assert long.status(newer)["order"]["status"] == "open"

    def test_closing_whole_below_ten_dollars_is_exempt(self, long: Any) -> None:
        long.place(long.order("sell", "0.0999", "83000", "Ioc"))
        [text] = texts(long.place(long.order("sell", "0.00005", "83000", "Ioc", reduce=True)))
        assert text == "Order must have minimum value of $10. asset=0"
        [status] = long.place(long.order("sell", "0.0001", "83000", "Ioc", reduce=True))
        assert status["filled"]["totalSz"] == "0.0001"


class TestModify:
    def change(self, venue: Any, oid: int | str, order: dict[str, Any], **more: Any) -> Any:
        return venue.act({"type": "modify", "oid": oid, "order": order, **more})

    def test_new_oid_same_cloid(self, venue: Any) -> None:
        old = venue.rest("buy", "0.01", "80000", cloid=CLOID)
        answer = self.change(venue, CLOID, venue.order("buy", "0.02", "80001", cloid=CLOID))
        assert answer == {"status": "ok", "response": {"type": "default"}}
        [order] = venue.info(type="openOrders", user=ADDRESSES[0])
        assert order["oid"] != old
        assert (order["sz"], order["limitPx"], order["cloid"]) == ("0.02", "80001.0", CLOID)
        assert venue.status(old)["order"]["status"] == "canceled"

    def test_gone(self, venue: Any) -> None:
        answer = self.change(venue, 1, venue.order("buy", "0.02", "80001"))
        assert answer == {"status": "err", "response": "Cannot modify canceled or filled order"}

    @pytest.mark.parametrize(
        "change",
        [("buy", "0.01", "85000", "Ioc"), ("sell", "0.01", "85000"), ("buy", "0.000001", "80000")],
    )
    def test_statically_bad_leaves_the_old_one(self, venue: Any, change: tuple[str, ...]) -> None:
        old = venue.rest("buy", "0.01", "80000")
        answer = self.change(venue, old, venue.order(*change))
        assert answer == {"status": "err", "response": "Attempted to modify to invalid new order"}
        assert venue.status(old)["order"]["status"] == "open"

    def test_refused_at_execution_leaves_nothing(self, venue: Any) -> None:
        old = venue.rest("buy", "0.01", "80000")
        answer = self.change(venue, old, venue.order("buy", "0.01", "84100"))
        assert answer["response"].startswith(
            "Error placing new order during modify: Post only order would have immediately matched"
        )
        assert venue.status(old)["order"]["status"] == "canceled"
        assert venue.info(type="openOrders", user=ADDRESSES[0]) == []

    def test_always_flag_places_even_without_the_old_one(self, venue: Any) -> None:
        answer = self.change(venue, 1, venue.order("buy", "0.01", "84100", "Ioc"), a=True)
        assert answer["status"] == "ok"
        assert venue.position()["szi"] == "0.01"

    def test_batch(self, venue: Any) -> None:
        old = venue.rest("buy", "0.01", "80000")
        action = {
            "type": "batchModify",
            "modifies": [
                {"oid": old, "order": venue.order("buy", "0.02", "80000")},
                {"oid": 1, "order": venue.order("buy", "0.02", "80000")},
            ],
        }
        answer = venue.act(action)["response"]
        assert answer["type"] == "order"
        assert "resting" in answer["data"]["statuses"][0]
        assert answer["data"]["statuses"][1] == {"error": "Cannot modify canceled or filled order"}


def test_old_orders_are_forgotten_but_live_ones_never(venue: Any) -> None:
    live = venue.rest("buy", "0.01", "79000")
    first = venue.rest("buy", "0.01", "80000")
    venue.cancel(first)
    for _ in range(2_001):
        oid = venue.rest("buy", "0.01", "80000")
        venue.cancel(oid)
    assert venue.status(live)["order"]["status"] == "open"
    assert venue.status(first) == {"status": "unknownOid"}
    assert len(venue.info(type="historicalOrders", user=ADDRESSES[0])) == 2_000
