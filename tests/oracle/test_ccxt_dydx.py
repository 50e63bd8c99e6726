"""The local dYdX chain judged by ccxt's dydx, over the node's HTTP. clients/ccxt_dydx_trader.py is the trader.

ccxt signs with timestamp nonces; so a stranger proves them. It wants an account that has signed before, and names its
own order router in every order, which the chain has to know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import VenueInfo

from .conftest import RunClient

pytestmark = pytest.mark.oracle

ROUTER = "dydx165sfn2k3vucvq7gklauy2r3agyjw4c3m60ascn"


@pytest.fixture(scope="module")
def said(chain: VenueInfo, folder: Path, run_client: RunClient, run_dydx_client: RunClient) -> dict[str, Any]:
    """What ccxt returned, by step."""
    trader = chain.accounts[4]
    assert chain.node_url
    assert trader.mnemonic
    supervisor.control(folder).call("dydx_v4", "router", address=ROUTER)
    run_dydx_client("dydx_first_signature.py", chain.node_url, trader.address, trader.mnemonic)
    answer: dict[str, Any] = run_client("ccxt_dydx_trader.py", chain.base_url, trader.address, trader.private_key)
    return answer


def test_nothing_raised_but_what_should(said: dict[str, Any]) -> None:
    raised = {step: answer for step, answer in said.items() if isinstance(answer, dict) and "raised" in answer}
    assert raised.keys() == {"cancelled again", "refused"}, raised
    # It maps some of the chain's codes to errors of its own.
    assert raised["cancelled again"]["raised"] == "InvalidOrder"
    assert "Stateful order does not exist" in raised["cancelled again"]["text"]
    assert "result (NewlyUndercollateralized)" in raised["refused"]["text"]


def test_it_reads_the_market(said: dict[str, Any]) -> None:
    market = said["market"]
    assert (market["base"], market["quote"], market["swap"], market["id"]) == ("ETH", "USDC", True, "ETH-USD")
    assert said["book"]["bids"][0][0] < said["book"]["asks"][0][0]
    assert 0 < len(said["trades"]) <= 5
    assert len(said["candles"]) == 5
    assert len(said["funding"]) == 3
    assert said["height"] > 50_000_000
    assert said["balance"]["USDC"]["free"] == 100_000.0


def test_it_places_finds_and_cancels_a_long_term_order(said: dict[str, Any]) -> None:
    """Its id was computed before the order was sent, and is the one the indexer uses."""
    (order,) = said["open orders"]
    assert order["id"] == said["placed"]["id"] == said["found"]["id"]
    assert (order["side"], order["amount"], order["status"]) == ("buy", 0.1, "open")
    assert said["found cancelled"]["status"] == "canceled"


def test_it_buys_and_sells_at_the_market(said: dict[str, Any]) -> None:
    assert (said["bought: found"]["filled"], said["bought: found"]["status"]) == (0.05, "closed")
    (position,) = said["positions"]
    assert (position["side"], position["contracts"]) == ("long", 0.05)
    assert said["sold: found"]["filled"] == 0.05
    assert said["flat"] == []
