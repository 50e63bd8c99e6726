"""The sandbox judged by ccxt's hyperliquid in its sandbox mode. clients/ccxt_trader.py is the trader.

Before its first order ccxt approves a builder and sets a referrer, and takes a failure of either as an answer; so what
it did not have to give up is checked too.
"""

from __future__ import annotations

from typing import Any

import pytest

from latentspeed_cli.sandbox.home import VenueInfo

from .conftest import RunClient

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def said(venue: VenueInfo, run_client: RunClient) -> dict[str, Any]:
    """What ccxt returned, by step."""
    trader = venue.accounts[4]
    answer: dict[str, Any] = run_client("ccxt_trader.py", venue.base_url, trader.address, trader.private_key)
    return answer


def test_nothing_raised_but_what_should(said: dict[str, Any]) -> None:
    raised = {step: answer for step, answer in said.items() if isinstance(answer, dict) and "raised" in answer}
    assert {step: answer["raised"] for step, answer in raised.items()} == {
        "cancelled again": "OrderNotFound",
        "refused": "InvalidOrder",
    }


def test_it_builds_its_markets(said: dict[str, Any]) -> None:
    market = said["market"]
    assert (market["base"], market["quote"], market["swap"], market["baseId"]) == ("ETH", "USDC", True, "1")
    assert market["precision"]["amount"] == 0.0001


def test_it_reads_the_market(said: dict[str, Any]) -> None:
    bid, ask = said["book"]["bids"][0][0], said["book"]["asks"][0][0]
    assert bid < ask
    assert said["ticker"]["last"] == pytest.approx(bid, rel=0.01)
    assert len(said["candles"]) == 5
    assert abs(said["funding"]["ETH/USDC:USDC"]["fundingRate"]) < 0.01


def test_it_reads_the_balance(said: dict[str, Any]) -> None:
    assert said["balance"]["USDC"] == {"total": 100_000.0, "used": 0.0, "free": 100_000.0}


def test_its_builder_fee_was_approved(said: dict[str, Any]) -> None:
    assert said["builder fee taken"] is True
    assert float(said["my trades"][0]["info"]["builderFee"]) > 0


def test_it_places_finds_edits_and_cancels(said: dict[str, Any]) -> None:
    (order,) = said["open orders"]
    assert order["id"] == said["placed"]["id"] == said["found"]["id"]
    assert (order["side"], order["amount"], order["postOnly"], order["status"]) == ("buy", 0.1, True, "open")
    assert said["edited"]["id"] != said["placed"]["id"]
    assert said["cancelled"]["status"] == "success"
    assert (said["found cancelled"]["status"], said["found cancelled"]["amount"]) == ("canceled", 0.2)
    assert said["nothing rests"] == []


def test_it_cancels_by_its_own_id(said: dict[str, Any]) -> None:
    assert said["named"]["clientOrderId"].endswith("c1")
    assert said["named: cancelled"]["status"] == "success"


def test_it_buys_and_sells_at_the_market(said: dict[str, Any]) -> None:
    assert (said["bought"]["filled"], said["bought: found"]["status"]) == (0.05, "closed")
    (position,) = said["positions"]
    assert (position["side"], position["contracts"], position["leverage"]) == ("long", 0.05, 5.0)
    assert said["my trades"][0]["takerOrMaker"] == "taker"
    assert said["sold"]["filled"] == 0.05
    assert said["flat"] == []
