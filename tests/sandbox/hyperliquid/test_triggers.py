"""Trigger orders and TP/SL groups."""

from __future__ import annotations

from typing import Any

import pytest

from latentspeed_cli.sandbox.accounts import ADDRESSES


def trigger(price: str, kind: str, *, market: bool = True) -> dict[str, Any]:
    return {"isMarket": market, "triggerPx": price, "tpsl": kind}


@pytest.fixture
def long(venue: Any) -> Any:
    venue.control("seed_book", coin="BTC", bids=[["83000", "50"]], asks=[["84000", "50"]])
    venue.control("price", coin="BTC", mark="83500")
    venue.place(venue.order("buy", "0.1", "84000", "Ioc"))
    return venue


def stop(venue: Any, size: str = "0.1", px: str = "82000", limit: str = "80000", **more: Any) -> dict[str, Any]:
    order: dict[str, Any] = venue.order("sell", size, limit, reduce=True, trigger=trigger(px, "sl"), **more)
    return order


def test_a_stop_waits_for_the_mark_and_fires_as_a_market_order(long: Any) -> None:
    [status] = long.place(stop(long))
    oid = status["resting"]["oid"]
    [shown] = long.info(type="frontendOpenOrders", user=ADDRESSES[0])
    assert (shown["orderType"], shown["isTrigger"], shown["triggerPx"], shown["triggerCondition"], shown["tif"]) == (
        "Stop Market",
        True,
        "82000.0",
        "Price below 82000",
        None,
    )
    socket = long.connect()
    long.subscribe(socket, type="orderUpdates", user=ADDRESSES[0])
    long.control("price", coin="BTC", mark="82001")
    long.wait(100)
    assert long.position() is not None
    long.control("price", coin="BTC", mark="82000")
    long.wait(100)
    assert long.position() is None
    record = long.status(oid)["order"]
    assert record["status"] == "filled"
    assert record["order"]["oid"] == oid
    entries = [entry["status"] for frame in long.take(socket, "orderUpdates") for entry in frame["data"]]
    assert entries == ["triggered", "filled"]


def test_a_take_profit_limit_rests_when_fired(long: Any) -> None:
    order = long.order("sell", "0.1", "90000", reduce=True, trigger=trigger("85000", "tp", market=False))
    [status] = long.place(order)
    long.control("price", coin="BTC", mark="85000")
    long.wait(100)
    [shown] = long.info(type="frontendOpenOrders", user=ADDRESSES[0])
    assert (shown["oid"], shown["orderType"], shown["triggerCondition"], shown["isTrigger"], shown["triggerPx"]) == (
        status["resting"]["oid"],
        "Take Profit Limit",
        "Triggered",
        False,
        "0.0",
    )
    assert long.info(type="l2Book", coin="BTC")["levels"][1][1]["px"] == "90000.0"


def test_a_stop_with_its_limit_on_the_wrong_side(long: Any) -> None:
    [status] = long.place(stop(long, limit="82001"))
    assert status == {"error": "Invalid TP/SL price. asset=0"}


def test_a_reduce_only_trigger_ends_with_the_position(long: Any) -> None:
    [status] = long.place(stop(long))
    long.place(long.order("sell", "0.1", "83000", "Ioc"))
    assert long.status(status["resting"]["oid"])["order"]["status"] == "reduceOnlyCanceled"


def test_position_tpsl_closes_the_whole_position(long: Any) -> None:
    statuses = long.place(stop(long, size="0"), grouping="positionTpsl")
    assert statuses == ["waitingForTrigger"]
    [shown] = long.info(type="frontendOpenOrders", user=ADDRESSES[0])
    assert shown["isPositionTpsl"] is True
    long.place(long.order("buy", "0.2", "84000", "Ioc"))
    long.control("price", coin="BTC", mark="81000")
    long.wait(100)
    assert long.position() is None


def group(venue: Any, price: str, tif: str = "Gtc") -> list[dict[str, Any]]:
    return [
        venue.order("buy", "0.1", price, tif),
        venue.order("sell", "0.1", "88000", reduce=True, trigger=trigger("88000", "tp")),
        stop(venue),
    ]


@pytest.fixture
def flat(venue: Any) -> Any:
    venue.control("seed_book", coin="BTC", bids=[["83000", "50"]], asks=[["84000", "50"]])
    venue.control("price", coin="BTC", mark="83500")
    return venue


class TestNormalGroup:
    def test_children_wait_for_the_parent_and_go_with_it(self, flat: Any) -> None:
        statuses = flat.place(*group(flat, "83500"), grouping="normalTpsl")
        assert statuses[1:] == ["waitingForFill", "waitingForFill"]
        parent = statuses[0]["resting"]["oid"]
        orders = flat.info(type="frontendOpenOrders", user=ADDRESSES[0])
        assert len(orders) == 3
        [shown] = [order for order in orders if order["oid"] == parent]
        assert [child["orderType"] for child in shown["children"]] == ["Take Profit Market", "Stop Market"]
        flat.control("price", coin="BTC", mark="81000")
        flat.wait(100)
        assert len(flat.info(type="frontendOpenOrders", user=ADDRESSES[0])) == 3
        assert flat.cancel(parent) == "success"
        records = flat.info(type="historicalOrders", user=ADDRESSES[0])
        assert {record["status"] for record in records} == {"canceled"}
        assert len({record["statusTimestamp"] for record in records}) == 1

    def test_children_arm_when_the_parent_fills(self, flat: Any) -> None:
        statuses = flat.place(*group(flat, "83500"), grouping="normalTpsl")
        flat.place(flat.order("sell", "0.1", "83500", "Ioc"), key=1)
        assert flat.status(statuses[0]["resting"]["oid"])["order"]["status"] == "filled"
        flat.control("price", coin="BTC", mark="81000")
        flat.wait(100)
        assert flat.position() is None
        ends = {
            record["order"]["orderType"]: record["status"]
            for record in flat.info(type="historicalOrders", user=ADDRESSES[0])
        }
        assert ends == {"Limit": "filled", "Stop Market": "filled", "Take Profit Market": "siblingFilledCanceled"}

    def test_a_parent_that_fills_at_once(self, flat: Any) -> None:
        statuses = flat.place(*group(flat, "84000", "Ioc"), grouping="normalTpsl")
        assert "filled" in statuses[0]
        assert statuses[1:] == ["waitingForTrigger", "waitingForTrigger"]

    def test_refusals(self, flat: Any) -> None:
        alone = flat.order("buy", "0.1", "83500")
        assert flat.place(alone, grouping="normalTpsl") == [{"error": "Unexpected number of trigger orders"}]
        [_, profit, _] = group(flat, "83500")
        profit["r"] = False
        assert "error" in flat.place(alone, profit, grouping="normalTpsl")[0]


def test_triggers_outlive_a_restart(long: Any, make_venue: Any) -> None:
    [status] = long.place(stop(long))
    again = make_venue(rows=long.rows(), now_ns=long.now_ns)
    again.control("seed_book", coin="BTC", bids=[["81000", "50"]], asks=[["84000", "50"]])
    again.control("price", coin="BTC", mark="81500")
    again.wait(100)
    assert again.status(status["resting"]["oid"])["order"]["status"] == "filled"
