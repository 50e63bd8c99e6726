"""The indexer's REST: parameters, errors, filters, paging, limits (section 7)."""

from __future__ import annotations

from typing import Any

import pytest
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.sandbox.model import Scenario

LOT, TICK = 1_000_000, 100_000
LOW, HIGH = 80_000 * TICK, 90_000 * TICK
STRANGER = "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art"


def only(body: Any) -> Any:
    [error] = body["errors"]
    return error


def test_bad_parameters_are_named(venue: Any) -> None:
    assert only(venue.get("candles/perpetualMarkets/BTC-USD", 400, resolution="1MIN", limit=0)) == {
        "value": 0,
        "msg": "limit must be a positive integer that is not greater than max: 1000",
        "param": "limit",
        "location": "query",
    }
    assert only(venue.get("orders", 400, address=ADDRESSES[0])) == {
        "msg": "subaccountNumber must be a non-negative integer less than 128001",
        "param": "subaccountNumber",
        "location": "params",
    }
    bad = only(venue.get("orders", 400, address=ADDRESSES[0], subaccountNumber=-1))
    assert (bad["value"], bad["location"]) == ("-1", "query")
    assert only(venue.get("fills", 400, address="dydx1x", subaccountNumber=0))["param"] == "address"
    assert only(venue.rows("orders", expect=400, status="SOON"))["param"] == "status"
    assert only(venue.rows("fills", expect=400, market="BTC-USD"))["param"] == "marketType"


@pytest.mark.parametrize(
    "path", ["candles/perpetualMarkets/X-USD", "trades/perpetualMarket/X-USD", "historicalFunding/X-USD"]
)
def test_unknown_tickers_are_400_here(venue: Any, path: str) -> None:
    assert only(venue.get(path, 400, resolution="1MIN"))["msg"] == "ticker must be a valid ticker (BTC-USD, etc)"


def test_unknown_tickers_are_404_there(venue: Any) -> None:
    text = "X-USD not found in markets of type PERPETUAL"
    assert only(venue.get("orderbooks/perpetualMarket/X-USD", 404)) == {"msg": text}
    assert only(venue.rows("fills", expect=404, market="X-USD", marketType="PERPETUAL")) == {"msg": text}


def test_what_is_not_there(venue: Any) -> None:
    assert venue.get("nothing", 404) == {"error": "Not Found", "errorCode": 404}
    assert only(venue.get(f"addresses/{STRANGER}", 404))["msg"] == f"No subaccounts found for address {STRANGER}"
    path = f"addresses/{ADDRESSES[0]}/subaccountNumber/7"
    text = f"No subaccount found with address {ADDRESSES[0]} and subaccountNumber 7"
    assert only(venue.get(path, 404))["msg"] == text
    assert only(venue.get("orders/0f9da948-a6fb-4c45-9edc-4685c3f3317d", 404))["msg"].startswith("Unable to find order")
    for path, empty in (("orders", []), ("fills", {"fills": []}), ("perpetualPositions", {"positions": []})):
        assert venue.get(path, address=STRANGER, subaccountNumber=0) == empty
    for path in ("assetPositions", "transfers", "historical-pnl", "pnl"):
        venue.get(path, 404, address=STRANGER, subaccountNumber=0)


def test_orders_are_filtered_and_sorted(venue: Any) -> None:
    short = venue.place("buy", LOT, LOW, gtb=venue.height + 20)
    venue.place("buy", LOT, LOW - TICK, gtb=venue.height + 30)
    venue.place("sell", LOT, HIGH, "long")
    venue.place("sell", LOT, 10**12, pair=5)
    venue.block()

    def prices(**query: Any) -> list[str]:
        return [row["price"] for row in venue.rows("orders", **query)]

    assert prices() == ["90000", "79999", "80000", "10000"]
    assert prices(returnLatestOrders="true")[-1] == "90000"
    assert prices(side="SELL", ticker="BTC-USD") == ["90000"]
    assert prices(status="BEST_EFFORT_OPENED,OPEN", limit=1) == ["90000"]
    assert prices(status="OPEN") == ["90000"]
    assert prices(goodTilBlockAfter=short.order.good_til_block) == ["79999"]
    assert prices(goodTilBlockTimeAfter="2020-01-01T00:00:00.000Z") == ["90000"]
    assert prices(type="STOP_LIMIT") == []
    assert len(venue.get("orders/parentSubaccountNumber", address=ADDRESSES[0], parentSubaccountNumber=0)) == 4


def test_fills_come_newest_first_and_paged_ones_oldest_first(venue: Any) -> None:
    for size in (1, 2, 3):
        venue.place("buy", size * LOT, HIGH, tif="ioc")
        venue.block()
    assert [fill["size"] for fill in venue.rows("fills")["fills"]] == ["0.0003", "0.0002", "0.0001"]
    page = venue.rows("fills", page=1, limit=2)
    assert [fill["size"] for fill in page["fills"]] == ["0.0001", "0.0002"]
    assert (page["pageSize"], page["totalResults"], page["offset"]) == (2, 3, 0)
    assert [fill["size"] for fill in venue.rows("fills", page=2, limit=2)["fills"]] == ["0.0003"]
    before = venue.height - 1
    assert len(venue.rows("fills", createdBeforeOrAtHeight=before)["fills"]) == 2
    assert venue.rows("fills", market="ETH-USD", marketType="PERPETUAL")["fills"] == []


def test_limits_per_peer_with_milliseconds_to_wait(make_venue: Any) -> None:
    venue = make_venue(Scenario(name="quiet", flow=False, limits_factor=1))
    for _ in range(100):
        venue.get("time")
    assert venue.headers["RateLimit-Remaining"] == "0"
    assert only(venue.get("height", 429)) == {"msg": "Too many requests"}
    assert venue.headers["Retry-After"] == "10000"
    assert venue.headers["RateLimit-Reset"] == str(venue.now_ns // 1_000_000 + 10_000)
    venue.get("height", peer="127.0.0.2")
    venue.rows("orders")
    venue.now_ns += 10_000_000_001
    venue.get("height")


def test_geoblocking_is_for_account_endpoints(venue: Any) -> None:
    venue.control("geoblock")
    venue.get("height")
    assert only(venue.rows("orders", expect=403))["code"] == "GEOBLOCKED"
    assert venue.rows("orders") == []


def test_market_data(venue: Any) -> None:
    markets = venue.get("perpetualMarkets")["markets"]
    btc = markets["BTC-USD"]
    assert (btc["tickSize"], btc["stepSize"], btc["oraclePrice"], btc["status"]) == ("1", "0.0001", "84012", "ACTIVE")
    assert markets["PEPE-USD"]["stepSize"] == "10000000"
    assert markets["PEPE-USD"]["tickSize"] == "0.0000000001"
    assert markets["MATIC-USD"]["status"] == "FINAL_SETTLEMENT"
    assert set(venue.get("perpetualMarkets", ticker="ETH-USD")["markets"]) == {"ETH-USD"}
    book = venue.get("orderbooks/perpetualMarket/BTC-USD")
    assert book["bids"][0]["price"] < book["asks"][0]["price"]
    candles = venue.get("candles/perpetualMarkets/ETH-USD", resolution="1HOUR", limit=3)["candles"]
    starts = [candle["startedAt"] for candle in candles]
    assert starts == sorted(starts, reverse=True)
    assert len(candles) == 3
    window = venue.get("candles/perpetualMarkets/ETH-USD", resolution="1HOUR", fromISO=starts[2], toISO=starts[0])[
        "candles"
    ]
    assert [candle["startedAt"] for candle in window] == starts[1:]
    funding = venue.get("historicalFunding/BTC-USD", limit=4)["historicalFunding"]
    assert len(funding) == 4
    assert len(venue.get("sparklines", timePeriod="ONE_DAY")["BTC-USD"]) == 24
    assert venue.get("time") == {"iso": "2026-09-21T14:13:20.000Z", "epoch": 1790000000.0}


def test_background_trades_have_ids_of_their_block(moving: Any) -> None:
    moving.pass_time(30)
    trades = moving.get("trades/perpetualMarket/BTC-USD", limit=50)["trades"]
    assert len(trades) == 50
    for trade in trades:
        assert int(trade["id"][:8], 16) == int(trade["createdAtHeight"]) <= moving.height
        assert trade["id"][8:16] == "00000002"
    assert len({trade["id"] for trade in trades}) == 50
    paged = moving.get("trades/perpetualMarket/BTC-USD", page=1, limit=5)["trades"]
    assert [int(trade["createdAtHeight"]) for trade in paged] == sorted(int(t["createdAtHeight"]) for t in paged)


def test_the_indexer_lags(make_venue: Any) -> None:
    venue = make_venue(Scenario(name="quiet", flow=False, indexer_lag_s=0.5))
    venue.place("buy", LOT, LOW)
    venue.now_ns += 499_000_000
    assert venue.rows("orders") == []
    venue.now_ns += 1_000_000
    assert len(venue.rows("orders")) == 1
    venue.pass_time(0.2)
    assert (venue.height, venue.get("height")["height"]) == (50_000_001, "50000000")
    venue.pass_time(0.5)
    assert venue.get("height")["height"] == "50000001"
