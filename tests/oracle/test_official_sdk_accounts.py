"""The sandbox judged by hyperliquid-python-sdk beside plain orders. clients/official_sdk_accounts.py is the trader."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from latentspeed_cli.sandbox.home import VenueInfo

from .conftest import RunClient

pytestmark = pytest.mark.oracle

DONE = {"status": "ok", "response": {"type": "default"}}
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def said(venue: VenueInfo, run_client: RunClient) -> dict[str, Any]:
    """What the SDK returned, by step."""
    answer: dict[str, Any] = run_client("official_sdk_accounts.py", venue.base_url, venue.accounts[6].private_key)
    return answer


def statuses_of(reply: dict[str, Any]) -> list[Any]:
    assert reply["status"] == "ok", reply
    statuses: list[Any] = reply["response"]["data"]["statuses"]
    return statuses


def position_of(state: dict[str, Any]) -> dict[str, Any]:
    (item,) = state["assetPositions"]
    position: dict[str, Any] = item["position"]
    return position


def test_nothing_raised(said: dict[str, Any]) -> None:
    assert {step: answer for step, answer in said.items() if isinstance(answer, dict) and "raised" in answer} == {}


@pytest.mark.parametrize("step", ["order", "cancel", "leverage", "deposit"])
def test_an_unknown_vault_is_refused_in_the_venues_words(said: dict[str, Any], step: str) -> None:
    assert said[f"vault: {step}"] == {"status": "err", "response": f"Vault not registered: {VAULT}"}


def test_orders_are_cancelled_in_bulk_by_cloid_and_once(said: dict[str, Any]) -> None:
    assert [item["resting"]["cloid"][-2:] for item in statuses_of(said["named"])] == ["b1", "b2"]
    assert statuses_of(said["named: cancelled"]) == ["success", "success"]
    (again,) = statuses_of(said["named: cancelled again"])
    assert again["error"].startswith("Order was never placed, already canceled, or filled.")


def test_margin_is_added_to_an_isolated_position_from_the_rest(said: dict[str, Any]) -> None:
    assert (said["isolated"], said["isolated: margin added"]) == (DONE, DONE)
    before, after = said["isolated: before"], said["isolated: after"]
    leverage = position_of(before)["leverage"]
    assert (leverage["type"], leverage["value"]) == ("isolated", 5)
    raw = [Decimal(position_of(state)["leverage"]["rawUsd"]) for state in (before, after)]
    assert raw[1] - raw[0] == 50
    assert Decimal(before["withdrawable"]) - Decimal(after["withdrawable"]) == 50
    liquidation = [Decimal(position_of(state)["liquidationPx"]) for state in (before, after)]
    assert liquidation[1] < liquidation[0] < Decimal(position_of(before)["entryPx"])
    assert said["isolated: not cross while it is open"] == {
        "status": "err",
        "response": "Cannot switch leverage type with open position.",
    }


def test_exits_wait_for_their_position_or_their_parent(said: dict[str, Any]) -> None:
    assert statuses_of(said["exit of the position"]) == ["waitingForTrigger"]
    parent, child = statuses_of(said["exit of an order"])
    assert child == "waitingForFill"
    listed = {order["oid"]: order for order in said["exits: open orders"]}
    resting = listed[parent["resting"]["oid"]]
    assert not resting["isTrigger"]
    (attached,) = resting["children"]
    assert (attached["orderType"], attached["reduceOnly"]) == ("Take Profit Market", True)
    assert [order["coin"] for order in listed.values() if order["isPositionTpsl"]] == ["ETH"]


def test_exits_leave_with_their_parent_and_their_position(said: dict[str, Any]) -> None:
    assert statuses_of(said["exits: parent cancelled"]) == ["success"]
    assert [order["coin"] for order in said["exits: after the parent"]] == ["ETH"]
    assert said["exits: after the position"] == []


def test_a_position_is_closed_in_parts(said: dict[str, Any]) -> None:
    parts = [statuses_of(said[step])[0]["filled"]["totalSz"] for step in ("closed in part", "closed")]
    assert [Decimal(part) for part in parts] == [Decimal("0.4"), Decimal("0.6")]
    assert said["flat"]["assetPositions"] == []


def test_a_builder_is_paid_once_it_was_approved(said: dict[str, Any]) -> None:
    for step in ("builder: not approved", "builder: another"):
        assert statuses_of(said[step]) == [{"error": "Builder fee has not been approved"}]
    assert said["builder: approved"] == DONE
    fill = said["builder: fill"]
    fee = Decimal(fill["px"]) * Decimal(fill["sz"]) * Decimal("0.0001")
    assert 0 <= fee - Decimal(fill["builderFee"]) < Decimal("0.000002")  # cut off, not rounded


def test_dollars_move_to_spot_and_back_and_out(said: dict[str, Any]) -> None:
    assert (said["to spot"], said["from spot"], said["withdrawn"]) == (DONE, DONE, DONE)
    (balance,) = said["to spot: balances"]["balances"]
    assert balance["coin"] == "USDC"
    assert Decimal(balance["total"]) == 100
    assert said["too much"] == {"status": "err", "response": "Insufficient balance for token transfer"}
    to_spot, from_spot, withdrawn = (entry["delta"] for entry in said["ledger"])
    assert (to_spot["usdc"], to_spot["toPerp"], from_spot["toPerp"]) == ("100.0", False, True)
    assert (withdrawn["type"], withdrawn["usdc"], withdrawn["fee"]) == ("withdraw", "4.0", "1.0")


def test_a_sub_account_needs_volume_and_trades_for_itself(said: dict[str, Any]) -> None:
    assert said["sub-account: too early"]["response"].startswith(
        "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: $"
    )
    address = said["sub-account"]["response"]["data"]
    assert said["sub-account: funded"] == DONE
    (order,) = said["sub-account: its open orders"]
    assert order["oid"] == statuses_of(said["sub-account: order"])[0]["resting"]["oid"]
    assert said["sub-account: master's open orders"] == []
    assert statuses_of(said["sub-account: cancelled"]) == ["success"]
    assert said["sub-account: role"] == {"role": "subAccount", "data": {"master": said["user"]}}
    (listed,) = said["sub-account: listed"]
    assert (listed["subAccountUser"], listed["name"]) == (address, "oracle")
    assert Decimal(listed["clearinghouseState"]["withdrawable"]) == 1000


def test_rates_of_funding_are_hourly_and_capped(said: dict[str, Any]) -> None:
    rates = said["rates of funding"]
    assert 4 <= len(rates) <= 6  # the clocks of both sides may stand on two sides of an hour
    assert all(rate["coin"] == "ETH" and abs(Decimal(rate["fundingRate"])) <= Decimal("0.04") for rate in rates)
    assert {later["time"] - rate["time"] for rate, later in pairwise(rates)} == {HOUR_MS}
    assert all(0 <= rate["time"] % HOUR_MS <= 100 for rate in rates)


def test_volume_is_told_the_same_everywhere(said: dict[str, Any]) -> None:
    day = dict(said["portfolio"])["day"]
    assert Decimal(day["vlm"]) == Decimal(said["referral"]["cumVlm"]) > 100_000


def test_account_streams_begin_with_the_account(said: dict[str, Any]) -> None:
    ((web,), (ledger,), (asset,)) = (
        said["first of each stream"][kind] for kind in ("webData2", "userNonFundingLedgerUpdates", "activeAssetData")
    )
    assert {"clearinghouseState", "openOrders", "meta", "assetCtxs"} <= web["data"].keys()
    assert ledger["data"]["isSnapshot"] is True
    assert (asset["data"]["coin"], asset["data"]["user"]) == ("ETH", said["user"])
    assert len(asset["data"]["maxTradeSzs"]) == 2


def test_the_ledger_is_streamed_as_it_is_kept(said: dict[str, Any]) -> None:
    kept = [entry["delta"]["type"] for entry in said["ledger"]]
    assert said["ledger as streamed"] == [*kept, "subAccountTransfer"]


def test_a_subscription_can_be_ended(said: dict[str, Any]) -> None:
    assert said["unsubscribed"] is True
