"""The sandbox judged by hyperliquid-python-sdk, unmodified but for its base URL.

clients/official_sdk.py is the trader.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from latentspeed_cli.sandbox.home import VenueInfo

from .conftest import RunClient

pytestmark = pytest.mark.oracle

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture(scope="module")
def said(venue: VenueInfo, run_client: RunClient) -> dict[str, Any]:
    """What the SDK returned, by step. The accounts are not the command line's own."""
    trader, other = venue.accounts[2], venue.accounts[3]
    answer: dict[str, Any] = run_client("official_sdk.py", venue.base_url, trader.private_key, other.private_key)
    return answer


def status_of(reply: dict[str, Any], index: int = 0) -> Any:
    assert reply["status"] == "ok", reply
    return reply["response"]["data"]["statuses"][index]


def oid_of(reply: dict[str, Any], index: int = 0) -> int:
    (detail,) = status_of(reply, index).values()
    return int(detail["oid"])


def order_of(reply: dict[str, Any]) -> tuple[dict[str, Any], str]:
    assert reply["status"] == "order", reply
    return reply["order"]["order"], reply["order"]["status"]


def test_nothing_raised(said: dict[str, Any]) -> None:
    assert {step: answer for step, answer in said.items() if isinstance(answer, dict) and "raised" in answer} == {}


def test_it_builds_its_asset_tables_from_meta(said: dict[str, Any]) -> None:
    names = [market["name"] for market in said["meta"]["universe"]]
    assert names.index("BTC") == 0
    assert "ETH" in names
    universe, contexts = said["meta and contexts"]
    assert len(universe["universe"]) == len(contexts) == len(names)
    assert {"tokens", "universe"} <= said["spot meta"].keys()


def test_it_reads_a_book_that_is_sorted_and_not_crossed(said: dict[str, Any]) -> None:
    bids, asks = ([Decimal(level["px"]) for level in side] for side in said["book"]["levels"])
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert all(Decimal(level["sz"]) > 0 for side in said["book"]["levels"] for level in side)


def test_the_middle_price_is_near_the_book(said: dict[str, Any]) -> None:
    (bid, *_), (ask, *_) = said["book"]["levels"]
    middle = (Decimal(bid["px"]) + Decimal(ask["px"])) / 2
    assert abs(Decimal(said["mids"]["ETH"]) / middle - 1) < Decimal("0.005")


def test_it_reads_candles_that_make_sense(said: dict[str, Any]) -> None:
    candles = said["candles"]
    assert 9 <= len(candles) <= 12
    for candle in candles:
        low, high = Decimal(candle["l"]), Decimal(candle["h"])
        assert low <= Decimal(candle["o"]) <= high
        assert low <= Decimal(candle["c"]) <= high
        assert candle["T"] - candle["t"] == 59_999


@pytest.mark.parametrize("step", ["resting: open orders", "resting: frontend open orders"])
def test_a_resting_order_is_listed(said: dict[str, Any], step: str) -> None:
    (order,) = said[step]
    assert order["oid"] == oid_of(said["resting"])
    assert (order["coin"], order["side"], order["sz"], order["origSz"]) == ("ETH", "B", "0.2", "0.2")


def test_a_resting_order_is_found_by_its_id(said: dict[str, Any]) -> None:
    assert "resting" in status_of(said["resting"])
    order, status = order_of(said["resting: by oid"])
    assert (order["oid"], status) == (oid_of(said["resting"]), "open")
    assert said["unknown order"] == {"status": "unknownOid"}


def test_a_modified_order_has_a_new_id_and_the_old_one_is_cancelled(said: dict[str, Any]) -> None:
    assert oid_of(said["modified"]) != oid_of(said["resting"])
    assert order_of(said["modified: before"])[1] == "canceled"
    order, status = order_of(said["modified: after"])
    assert (order["sz"], status) == ("0.1", "open")


def test_a_bulk_modify_takes_ids_and_cloids(said: dict[str, Any]) -> None:
    first, second = (status_of(said["modified in bulk"], index)["resting"] for index in (0, 1))
    assert first["cloid"].endswith("a2")
    assert second["cloid"].endswith("a1")
    assert len({first["oid"], second["oid"], oid_of(said["modified"]), oid_of(said["named"])}) == 4


def test_a_cloid_names_an_order_everywhere(said: dict[str, Any]) -> None:
    assert status_of(said["named"])["resting"]["cloid"].endswith("a1")
    order, status = order_of(said["named: by cloid"])
    assert (order["oid"], status) == (oid_of(said["named"]), "open")
    order, status = order_of(said["cancelled: by cloid"])
    assert (order["oid"], status) == (oid_of(said["modified in bulk"], 1), "canceled")


def test_orders_are_cancelled_once_by_either_name(said: dict[str, Any]) -> None:
    assert status_of(said["cancelled"]) == "success"
    assert status_of(said["cancelled by cloid"]) == "success"
    assert order_of(said["cancelled: by oid"])[1] == "canceled"
    assert status_of(said["cancelled again"])["error"].startswith(
        "Order was never placed, already canceled, or filled."
    )


def test_orders_go_and_come_in_bulk(said: dict[str, Any]) -> None:
    assert oid_of(said["two at once"], 0) != oid_of(said["two at once"], 1)
    assert [status_of(said["two cancelled at once"], index) for index in (0, 1)] == ["success", "success"]
    assert said["nothing rests"] == []


def test_a_market_order_opens_a_position(said: dict[str, Any]) -> None:
    filled = status_of(said["opened"])["filled"]
    assert Decimal(filled["totalSz"]) == 3
    assert order_of(said["opened: status"])[1] == "filled"
    assert said["flat"]["assetPositions"] == []
    (position,) = (item["position"] for item in said["long"]["assetPositions"])
    assert (position["coin"], position["szi"]) == ("ETH", "3.0")
    assert position["leverage"] == {"type": "cross", "value": 7}


def test_fills_carry_the_fee_of_the_sheet(said: dict[str, Any]) -> None:
    fills = [fill for fill in said["opened: fills"] if fill["oid"] == oid_of(said["opened"])]
    assert sum(Decimal(fill["sz"]) for fill in fills) == 3
    for fill in fills:
        fee = Decimal(fill["px"]) * Decimal(fill["sz"]) * Decimal("0.00045")
        assert 0 <= fee - Decimal(fill["fee"]) < Decimal("0.000001")
        assert (fill["crossed"], fill["dir"], fill["feeToken"]) == (True, "Open Long", "USDC")
    assert said["opened: fills by time"] == said["opened: fills"][::-1]  # oldest first, and newest first


def test_closing_at_the_market_leaves_nothing(said: dict[str, Any]) -> None:
    assert Decimal(status_of(said["closed"])["filled"]["totalSz"]) == 3
    assert said["flat again"]["assetPositions"] == []
    assert Decimal(said["flat again"]["marginSummary"]["accountValue"]) < 100_000


def test_a_stop_waits_as_a_trigger_order(said: dict[str, Any]) -> None:
    (order,) = said["stop: frontend open orders"]
    assert (order["isTrigger"], order["reduceOnly"], order["orderType"]) == (True, True, "Stop Market")
    assert order["oid"] == oid_of(said["stop"])
    assert status_of(said["stop: cancelled"]) == "success"


def test_two_traders_meet_at_the_makers_price(said: dict[str, Any]) -> None:
    (maker,) = said["maker: fills"]
    taker = next(fill for fill in said["taker: fills"] if fill["tid"] == maker["tid"])
    assert Decimal(maker["px"]) == Decimal(taker["px"]) == Decimal(str(said["met at"]))
    assert (maker["crossed"], taker["crossed"]) == (False, True)
    assert (maker["side"], taker["side"]) == ("B", "A")
    assert status_of(said["taker"])["filled"]["oid"] == taker["oid"]
    for step in ("maker: closed", "taker: closed"):
        assert Decimal(status_of(said[step])["filled"]["totalSz"]) == 200
    notional = Decimal(maker["px"]) * Decimal(maker["sz"])
    assert 0 <= notional * Decimal("0.00015") - Decimal(maker["fee"]) < Decimal("0.000001")


def test_a_partly_filled_order_rests_and_is_cancelled(said: dict[str, Any]) -> None:
    assert order_of(said["maker: status"])[1] == "open"
    assert status_of(said["maker: cancelled"]) == "success"
    order, status = order_of(said["maker: status at the end"])
    assert (order["origSz"], status) == ("500.0", "canceled")


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("too small", "Order must have minimum value of $10."),
        ("tick", "Order has invalid price."),
        ("crossing post-only", "Post only order would have immediately matched, bbo was "),
        ("empty IOC", "Order could not immediately match against any resting orders."),
        ("reduce-only when flat", "Reduce only order would increase position."),
        ("margin", "Insufficient margin to place order."),
    ],
)
def test_orders_are_refused_in_the_venues_words(said: dict[str, Any], step: str, text: str) -> None:
    assert status_of(said[f"refused: {step}"])["error"].startswith(text)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (
            "dead man's switch",
            "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $",
        ),
        ("leverage", "Invalid leverage value"),
        ("expired", "Action already expired"),
        ("stranger", "User or API Wallet 0x"),
    ],
)
def test_actions_are_refused_in_the_venues_words(said: dict[str, Any], step: str, text: str) -> None:
    reply = said[f"refused: {step}"]
    assert reply["status"] == "err"
    assert reply["response"].startswith(text)


def test_an_action_that_expires_later_is_taken(said: dict[str, Any]) -> None:
    assert "resting" in status_of(said["expires later"])
    assert status_of(said["expires later: cancelled"]) == "success"


def test_refused_orders_have_a_history(said: dict[str, Any]) -> None:
    statuses = {item["status"] for item in said["historical orders"]}
    assert {"canceled", "filled", "badAloPxRejected", "iocCancelRejected", "minTradeNtlRejected"} <= statuses


def test_an_agent_trades_for_the_account_and_may_not_send(said: dict[str, Any]) -> None:
    assert said["agent: approved"] == DONE
    (order,) = said["agent: open orders of the account"]
    assert order["oid"] == oid_of(said["agent: order"])
    assert status_of(said["agent: cancelled"]) == "success"
    assert said["agent: role"]["role"] == "agent"
    assert [agent["name"] for agent in said["agent: listed"]] == ["oracle"]
    assert said["agent: may not send"]["response"].startswith("Must deposit before performing actions. User: 0x")


def test_dollars_move_between_accounts(said: dict[str, Any]) -> None:
    assert said["sent"] == DONE
    assert said["sent: received"] == pytest.approx(12.5)


def test_the_account_is_described(said: dict[str, Any]) -> None:
    assert said["leverage"] == DONE
    assert said["account: role"] == {"role": "user"}
    assert (said["account: fees"]["userCrossRate"], said["account: fees"]["userAddRate"]) == ("0.00045", "0.00015")
    assert said["account: rate limit"]["nRequestsUsed"] > 30
    assert said["account: sub-accounts"] in (None, [])
    assert said["account: spot"] == {"balances": []}


def test_public_streams_begin_with_a_snapshot(said: dict[str, Any]) -> None:
    assert said["public streams in time"]
    first = said["first of each stream"]
    assert "ETH" in first["allMids"]["data"]["mids"]
    assert first["l2Book"]["data"]["coin"] == "ETH"
    assert len(first["bbo"]["data"]["bbo"]) == 2
    assert all(trade["coin"] == "ETH" for trade in first["trades"]["data"])
    assert {"markPx", "oraclePx", "funding"} <= first["activeAssetCtx"]["data"]["ctx"].keys()
    assert first["candle"]["data"]["i"] == "1m"


def test_every_order_update_arrives_in_order(said: dict[str, Any]) -> None:
    assert said["private streams in time"]
    told: dict[int, list[str]] = {}
    for oid, status in said["order update statuses"]:
        told.setdefault(oid, []).append(status)
    assert told[oid_of(said["resting"])] == ["open", "canceled"]
    assert told[oid_of(said["named"])] == ["open", "canceled"]
    assert told[oid_of(said["opened"])][-1] == "filled"
    assert told[oid_of(said["maker"])][0] == "open"
    assert told[oid_of(said["maker"])][-1] == "canceled"


def test_streamed_fills_are_the_fills_of_the_account(said: dict[str, Any]) -> None:
    assert said["streamed fills"] == sorted(fill["tid"] for fill in said["all fills"])
    assert said["first of each stream"]["userFills"]["data"].get("isSnapshot") is True
    assert "fills" in said["first of each stream"]["userEvents"]["data"]
