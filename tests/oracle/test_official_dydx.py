"""The local dYdX chain judged by dydx-v4-client, unmodified but for its endpoints.

clients/official_dydx.py is the trader.
"""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal
from typing import Any

import pytest

from latentspeed_cli.sandbox.home import VenueInfo

from .conftest import RunClient

pytestmark = pytest.mark.oracle

USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
RAISES = {"refused: nobody"}


@pytest.fixture(scope="module")
def said(chain: VenueInfo, run_dydx_client: RunClient) -> dict[str, Any]:
    """What the client returned, by step. The accounts are not the command line's own."""
    trader, other = chain.accounts[2], chain.accounts[3]
    words = (trader.mnemonic, other.mnemonic)
    assert chain.node_url
    assert all(words)
    answer: dict[str, Any] = run_dydx_client(
        "official_dydx.py",
        chain.base_url,
        chain.ws_url,
        chain.node_url,
        *(trader.address, words[0]),
        *(other.address, words[1]),
    )
    return answer


@pytest.fixture(scope="module")
def address(chain: VenueInfo) -> str:
    return chain.accounts[2].address


def taken(reply: dict[str, Any]) -> bool:
    """Whether a broadcast came back with code 0 and the text the fork sets."""
    answer = reply["tx_response"]
    return not answer.get("code") and answer["raw_log"] == "[]" and len(answer["txhash"]) == 64


def refusal(reply: dict[str, Any]) -> tuple[str, int, str]:
    answer = reply["tx_response"]
    return answer["codespace"], answer["code"], answer["raw_log"]


def integer(serializable: str) -> int:
    """A SerializableInt as base64 text, section 3 of the sheet."""
    raw = b64decode(serializable)
    return int.from_bytes(raw[1:], "big") * (-1 if raw[0] == 3 else 1)


def updates(said: dict[str, Any], channel: str) -> list[Any]:
    """The updates of a channel in order, batches taken apart."""
    found: list[Any] = []
    for message in said["channels at the end"][channel]:
        if message["type"] == "channel_batch_data":
            found += message["contents"]
        elif message["type"] == "channel_data":
            found.append(message["contents"])
    return found


# ---- reads ---------------------------------------------------------------------------------------


def test_nothing_raised(said: dict[str, Any]) -> None:
    raised = {step for step, answer in said.items() if isinstance(answer, dict) and "raised" in answer}
    assert raised == RAISES, {step: said[step] for step in raised}
    assert said["errors of the socket"] == []


def test_it_waited_for_nothing_in_vain(said: dict[str, Any]) -> None:
    assert [step for step, answer in said.items() if answer is False] == []


def test_it_reads_the_market(said: dict[str, Any]) -> None:
    market = said["markets"]["markets"]["ETH-USD"]
    assert (market["clobPairId"], market["status"], market["marketType"]) == ("1", "ACTIVE", "CROSS")
    assert Decimal(market["oraclePrice"]) > 0
    pair = said["node: clob pair"]
    assert int(pair["step_base_quantums"]) == market["stepBaseQuantums"]
    assert pair["subticks_per_tick"] == market["subticksPerTick"]
    assert pair["quantum_conversion_exponent"] == market["quantumConversionExponent"]
    perpetual = said["node: perpetual"]["perpetual"]["params"]
    assert (perpetual["ticker"], perpetual["atomic_resolution"]) == ("ETH-USD", market["atomicResolution"])


def test_node_and_indexer_name_the_same_markets(said: dict[str, Any]) -> None:
    markets = said["markets"]["markets"]
    pairs = {int(market["clobPairId"]) for market in markets.values()}
    assert {pair.get("id", 0) for pair in said["node: clob pairs"]["clob_pair"]} == pairs
    assert {row["params"].get("id", 0) for row in said["node: perpetuals"]["perpetual"]} == pairs
    assert {price.get("id", 0) for price in said["node: prices"]["market_prices"]} == pairs


def test_the_oracle_price_of_the_node_is_the_indexers(said: dict[str, Any]) -> None:
    price = said["node: price"]
    there = Decimal(price["price"]).scaleb(price["exponent"])
    assert abs(there / Decimal(said["markets"]["markets"]["ETH-USD"]["oraclePrice"]) - 1) < Decimal("0.005")


def test_it_reads_a_book_that_is_sorted_and_not_crossed(said: dict[str, Any]) -> None:
    bids, asks = ([Decimal(level["price"]) for level in said["book"][side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


def test_it_reads_trades_candles_and_funding(said: dict[str, Any]) -> None:
    trades = said["trades"]["trades"]
    assert 0 < len(trades) <= 5
    assert [trade["id"] for trade in trades] == sorted((trade["id"] for trade in trades), reverse=True)
    for candle in said["candles"]["candles"]:
        low, high = Decimal(candle["low"]), Decimal(candle["high"])
        assert low <= Decimal(candle["open"]) <= high
        assert low <= Decimal(candle["close"]) <= high
    assert len(said["funding"]["historicalFunding"]) == 3
    assert said["screen"] == {"status": "COMPLIANT"}


def test_heights_are_close(said: dict[str, Any]) -> None:
    assert 0 <= said["node: height"] - int(said["height"]["height"]) < 20


def test_the_account_is_told_by_the_node(said: dict[str, Any], address: str) -> None:
    assert said["node: account"] == {"address": address, "account_number": "2"}
    assert said["node: address"] == [2, 0]
    balances = {coin["denom"]: int(coin["amount"]) for coin in said["node: balances"]["balances"]}
    assert balances[USDC] == int(said["node: balance"]["balance"]["amount"]) > 0
    subaccount = said["node: subaccount"]
    assert integer(subaccount["asset_positions"][0]["quantums"]) == 100_000_000_000
    assert subaccount["id"]["owner"] == address
    assert said["node: info"]["default_node_info"]["network"] == "localdydxprotocol"


def test_the_node_tells_its_tiers(said: dict[str, Any]) -> None:
    tiers = said["node: equity tiers"]["stateful_order_equity_tiers"]
    needed = [integer(tier["usd_tnc_required"]) for tier in tiers]
    limits = [tier.get("limit", 0) for tier in tiers]
    assert needed == [0, 20_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 50_000_000_000]
    assert [limit // 100 for limit in limits] == [0, 10, 20, 40, 100, 200]  # the default scenario: hundredfold
    schedule = said["node: fee tiers"]["params"]["tiers"]
    assert len(schedule) == 9
    assert [tier.get("taker_fee_ppm", 0) for tier in schedule] == [500, 450, 400, 350, 300, 250, 250, 250, 250]
    assert [tier.get("maker_fee_ppm", 0) for tier in schedule] == [100, 100, 50, 0, 0, -50, -90, -110, -110]
    own = said["node: fee tier"]["tier"]
    assert (own["maker_fee_ppm"], own["taker_fee_ppm"]) == (100, 500)


# ---- orders --------------------------------------------------------------------------------------


def test_a_short_term_order_rests_and_is_cancelled(said: dict[str, Any]) -> None:
    assert taken(said["short: placed"])
    row = said["short: row"]
    assert (row["orderFlags"], row["status"], row["timeInForce"]) == ("0", "BEST_EFFORT_OPENED", "GTT")
    assert (row["size"], row["totalFilled"]) == ("0.1", "0")
    assert "createdAtHeight" not in row
    assert "updatedAt" not in row
    assert taken(said["short: cancelled"])


def test_a_long_term_order_is_in_the_chains_state(said: dict[str, Any]) -> None:
    assert taken(said["long: placed"])
    row = said["long: row"]
    assert (row["orderFlags"], row["status"], row["postOnly"]) == ("64", "OPEN", True)
    assert said["long: by its id"] == row
    (message,) = said["long: its transaction"]["body"]["messages"]
    assert message["@type"] == "/dydxprotocol.clob.MsgPlaceOrder"
    assert taken(said["long: cancelled"])
    assert said["long: row at the end"]["status"] == "CANCELED"
    assert said["long: row at the end"]["id"] == row["id"]


def test_a_stop_waits_untriggered(said: dict[str, Any]) -> None:
    assert taken(said["stop: placed"])
    row = said["stop: row"]
    assert (row["orderFlags"], row["status"], row["type"], row["timeInForce"]) == (
        "32",
        "UNTRIGGERED",
        "STOP_LIMIT",
        "IOC",
    )
    assert Decimal(row["triggerPrice"]) > Decimal(row["price"])
    assert taken(said["stop: cancelled"])


def test_a_batch_of_short_term_orders_is_cancelled_at_once(said: dict[str, Any]) -> None:
    assert taken(said["batch: placed 104"])
    assert taken(said["batch: placed 105"])
    assert taken(said["batch: cancelled"])


def test_a_market_order_opens_and_closes_a_position(said: dict[str, Any]) -> None:
    row = said["opened: row"]
    assert (row["status"], row["type"], row["timeInForce"], row["totalFilled"]) == ("FILLED", "LIMIT", "IOC", "0.5")
    (position,) = said["opened: positions"]["positions"]
    assert (position["market"], position["side"], position["size"]) == ("ETH-USD", "LONG", "0.5")
    (held,) = said["opened: on the chain"]["perpetual_positions"]
    assert integer(held["quantums"]) == 500_000_000
    assert said["closed: positions"] == {"positions": []}


def test_fills_carry_the_fee_of_the_sheet(said: dict[str, Any]) -> None:
    fills = [fill for fill in said["opened: fills"]["fills"] if fill["orderId"] == said["opened: row"]["id"]]
    assert sum(Decimal(fill["size"]) for fill in fills) == Decimal("0.5")
    for fill in fills:
        fee = Decimal(fill["price"]) * Decimal(fill["size"]) * Decimal("0.0005")
        assert 0 <= Decimal(fill["fee"]) - fee < Decimal("0.000001")
        assert (fill["liquidity"], fill["type"], fill["marketType"]) == ("TAKER", "LIMIT", "PERPETUAL")


def test_two_traders_meet_at_the_makers_price(said: dict[str, Any]) -> None:
    def ltc(step: str, side: str) -> list[dict[str, Any]]:
        rows = said[step]["fills"]
        return [fill for fill in rows if (fill["market"], fill["side"]) == ("LTC-USD", side)]

    maker = [fill for fill in ltc("maker: fills", "SELL") if fill["liquidity"] == "MAKER"]
    taker = [fill for fill in ltc("taker: fills", "BUY") if fill["liquidity"] == "TAKER"]
    # An id is made from the event and the side, so equal sizes, prices and times are what the two share.
    shared = {(fill["price"], fill["size"], fill["createdAtHeight"]) for fill in maker}
    shared &= {(fill["price"], fill["size"], fill["createdAtHeight"]) for fill in taker}
    assert shared
    for fill in maker:
        fee = Decimal(fill["price"]) * Decimal(fill["size"]) * Decimal("0.0001")
        assert 0 <= Decimal(fill["fee"]) - fee < Decimal("0.000001")


@pytest.mark.parametrize(
    ("step", "codespace", "code", "text"),
    [
        ("expired", "clob", 10, "The next block height is greater than the GoodTilBlock of the message"),
        ("too far", "clob", 11, "plus ShortBlockWindow 40: "),
        ("tick", "clob", 12, "must be a multiple of the ClobPair's SubticksPerTick 100000: MsgPlaceOrder is invalid"),
        ("no such market", "clob", 8, "ClobPair ID does not reference a valid CLOB"),
        ("fill or kill", "clob", 48, "Fill-or-kill has been deprecated: This field has been deprecated"),
        ("reduce only", "clob", 9003, "Reduce-only is currently disabled for non-IOC orders"),
        ("post-only", "clob", 2003, "Post-only order would cross one or more maker orders"),
        ("unknown cancel", "clob", 3006, "Stateful order does not exist"),
        ("sequence", "sdk", 32, ": incorrect account sequence"),
    ],
)
def test_orders_are_refused_in_the_chains_words(
    said: dict[str, Any], step: str, codespace: str, code: int, text: str
) -> None:
    found = refusal(said[f"refused: {step}"])
    assert found[:2] == (codespace, code)
    assert text in found[2]


def test_an_unknown_account_is_not_found(said: dict[str, Any]) -> None:
    assert said["refused: nobody"]["raised"] == "_InactiveRpcError"
    assert "NOT_FOUND" in said["refused: nobody"]["text"]


def test_an_api_key_trades_for_its_owner_until_it_is_taken_away(said: dict[str, Any]) -> None:
    (known,) = said["key: listed"]["account_authenticators"]
    assert known["type"] == "AllOf"
    for step in ("key: added", "key: placed", "key: cancelled", "key: removed"):
        assert taken(said[step]), step
    assert refusal(said["key: still placed"])[0] == "dydxaccountplus"


# ---- money and accounts --------------------------------------------------------------------------


def test_money_moves(said: dict[str, Any]) -> None:
    for step in ("sent", "withdrawn", "deposited", "coins sent"):
        assert taken(said[f"transfer: {step}"]), step
    rows = {row["type"]: row["size"] for row in said["transfer: rows"]["transfers"]}
    assert rows == {"TRANSFER_OUT": "12.5", "WITHDRAWAL": "3", "DEPOSIT": "1"}
    (received,) = said["transfer: received"]["transfers"]
    assert (received["type"], received["size"]) == ("TRANSFER_IN", "12.5")


def test_the_account_is_described(said: dict[str, Any], address: str) -> None:
    subaccount = said["account: subaccount"]["subaccount"]
    assert (subaccount["address"], subaccount["subaccountNumber"]) == (address, 0)
    assert Decimal(subaccount["equity"]) == Decimal(subaccount["freeCollateral"]) > 90_000
    height = {"latestProcessedBlockHeight": subaccount["latestProcessedBlockHeight"]}  # each was asked for by itself
    assert [row | height for row in said["account: subaccounts"]["subaccounts"]] == [subaccount]
    assert [row | height for row in said["account: parent"]["subaccount"]["childSubaccounts"]] == [subaccount]
    (asset,) = said["account: assets"]["positions"]
    assert (asset["symbol"], asset["size"]) == ("USDC", subaccount["equity"])
    assert {row["status"] for row in said["account: positions"]["positions"]} == {"CLOSED"}
    pnl = said["account: pnl"]["historicalPnl"][0]
    assert Decimal(pnl["totalPnl"]) == Decimal(pnl["equity"]) - Decimal(pnl["netTransfers"])


def test_orders_of_the_past_are_listed(said: dict[str, Any]) -> None:
    found = {row["clientId"]: row["status"] for row in said["account: orders"]}
    assert (found["102"], found["103"], found["106"]) == ("CANCELED", "CANCELED", "FILLED")
    # A short-term order that never filled is not stored.
    assert found.get("101", "BEST_EFFORT_CANCELED") == "BEST_EFFORT_CANCELED"
    assert {row["clientId"] for row in said["account: cancelled orders"]} == {"102", "103"}
    assert said["account: parent orders"] == said["account: orders"]


# ---- streams -------------------------------------------------------------------------------------


def test_every_channel_begins_with_a_snapshot(said: dict[str, Any]) -> None:
    for channel, messages in said["channels at the end"].items():
        assert messages[0]["type"] == "subscribed", channel
        assert messages[0]["contents"], channel
    first = {channel: messages[0] for channel, messages in said["channels at the end"].items()}
    assert first["v4_orderbook"]["contents"]["bids"]
    assert first["v4_candles"]["id"] == "ETH-USD/1MIN"
    assert "id" not in first["v4_markets"]
    assert first["v4_block_height"]["contents"].keys() == {"height", "time"}


def test_updates_have_the_shapes_of_the_sheet(said: dict[str, Any]) -> None:
    for update in updates(said, "v4_orderbook"):
        assert update.keys() <= {"bids", "asks"}
        assert all(len(level) == 2 for side in update.values() for level in side)
    for update in updates(said, "v4_trades"):
        assert all({"id", "side", "size", "price", "type", "createdAt"} <= trade.keys() for trade in update["trades"])
    heights = [int(update["blockHeight"]) for update in updates(said, "v4_block_height")]
    assert heights == sorted(set(heights))
    assert updates(said, "v4_candles")
    assert all(update.keys() <= {"trading", "oraclePrices"} for update in updates(said, "v4_markets"))


def test_message_ids_count_up_over_all_channels(said: dict[str, Any]) -> None:
    every = [message for messages in said["channels at the end"].values() for message in messages]
    ids = [message["message_id"] for message in every]
    assert len(ids) == len(set(ids))
    assert len({message["connection_id"] for message in every}) == 1


def test_every_order_is_followed_on_the_subaccounts_channel(said: dict[str, Any]) -> None:
    told: dict[str, list[str]] = {}
    for update in updates(said, "v4_subaccounts"):
        for order in update.get("orders", []):
            told.setdefault(order["clientId"], []).append(order["status"])
    assert told["101"] == ["BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED"]
    assert told["102"][0] == "OPEN"
    assert told["102"][-1] == "CANCELED"
    assert told["103"] == ["UNTRIGGERED", "CANCELED"]
    assert told["106"][0] == "BEST_EFFORT_OPENED"
    assert told["106"][-1] == "FILLED"
