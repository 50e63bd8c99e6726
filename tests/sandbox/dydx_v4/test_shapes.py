"""Field by field: what the local indexer shows has the shape of what the real one was recorded to show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "dydx_v4"
LOT, TICK = 1_000_000, 100_000
LOW, HIGH = 80_000 * TICK, 90_000 * TICK
ME = f"{ADDRESSES[0]}/0"
# Fields that releases after the recordings added (section 7.3), and fields a subaccount without positions lacks.
NEWER = {
    "affiliateRevShare",
    "positionSizeBefore",
    "entryPriceBefore",
    "positionSideBefore",
    "defaultFundingRate1H",
    "orderbookMidPriceOpen",
    "orderbookMidPriceClose",
}

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not RECORDINGS.exists(), reason="the shared recordings are not here"),
]


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / name).read_text())


def kind(value: Any) -> str:
    """The JSON type, numbers in strings told from other strings."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return "time" if value.endswith("Z") and "T" in value else "text"
        return "number in text"
    return {bool: "bool", int: "number", float: "number", list: "list", dict: "object", type(None): "null"}[type(value)]


def same_shape(ours: Any, theirs: Any, *, optional: frozenset[str] = frozenset()) -> None:
    """Same keys (but for newer ones), and the same kind of value at each. null stands for any kind."""
    missing = set(theirs) - set(ours) - optional
    added = set(ours) - set(theirs) - NEWER - optional
    assert not missing, f"missing {missing}"
    assert not added, f"added {added}"
    for key in set(ours) & set(theirs):
        pair = kind(ours[key]), kind(theirs[key])
        assert pair[0] == pair[1] or "null" in pair, (key, ours[key], theirs[key])


@pytest.fixture
def lived(venue: Any) -> Any:
    """A venue whose account 0 has a position, a resting long-term order, fills and a transfer."""
    number = venue.connect()
    venue.subscribe(number, "v4_subaccounts", ME)
    venue.take(number)
    venue.socket = number
    venue.place("buy", 3 * LOT, HIGH, tif="ioc", pair=0, metadata=1)
    venue.place("buy", LOT, LOW, "long")
    transfer = t.Transfer(
        sender=t.SubaccountId(owner=ADDRESSES[0]), recipient=t.SubaccountId(owner=ADDRESSES[1]), amount=10**6
    )
    assert venue.submit(t.MsgCreateTransfer(transfer=transfer), gas=400_000, fee=10_000).code == 0
    venue.block()
    return venue


def test_rest_rows(lived: Any) -> None:
    ours = lived.get(f"addresses/{ADDRESSES[0]}")
    theirs = recorded("rest/addresses.json")
    same_shape(ours["subaccounts"][0], theirs["subaccounts"][0])
    same_shape(
        ours["subaccounts"][0]["openPerpetualPositions"]["BTC-USD"],
        theirs["subaccounts"][0]["openPerpetualPositions"]["ETH-USD"],
    )
    same_shape(lived.rows("assetPositions")["positions"][0], recorded("rest/asset_positions.json")["positions"][0])
    same_shape(
        lived.rows("perpetualPositions")["positions"][0], recorded("rest/perpetual_positions.json")["positions"][0]
    )
    same_shape(lived.rows("fills")["fills"][0], recorded("rest/fills_taker.json")["fills"][0])
    same_shape(lived.rows("transfers")["transfers"][0], recorded("rest/transfers_out.json")["transfers"][0])


def test_rest_orders(lived: Any) -> None:
    rows = {row["orderFlags"]: row for row in lived.rows("orders")}
    same_shape(rows["0"], recorded("rest/order_ioc_filled.json"))
    same_shape(rows["64"], recorded("rest/orders_long_term_filled.json")[0])


def test_rest_market_data(moving: Any) -> None:
    moving.pass_time(10)
    same_shape(moving.get("height"), recorded("rest/height_2025.json"))
    same_shape(moving.get("time"), recorded("rest/time_2025.json"))
    ours = moving.get("perpetualMarkets")["markets"]["ETH-USD"]
    same_shape(ours, recorded("rest/perpetual_markets_2024.json")["markets"]["ETH-USD"])
    trades = moving.get("trades/perpetualMarket/BTC-USD")["trades"]
    same_shape(trades[0], recorded("rest/trades_2025.json")["trades"][0])
    candles = moving.get("candles/perpetualMarkets/BTC-USD", resolution="1MIN", limit=5)["candles"]
    same_shape(candles[1], recorded("rest/candles_2025.json")["candles"][1])
    book = moving.get("orderbooks/perpetualMarket/BTC-USD")
    same_shape(book["bids"][0], recorded("rest/orderbook_2025.json")["bids"][0])
    funding = moving.get("historicalFunding/BTC-USD")["historicalFunding"]
    same_shape(funding[0], recorded("rest/historical_funding_2025.json")["historicalFunding"][0])


def test_frames_of_a_fill(lived: Any) -> None:
    theirs = recorded("ws/subaccounts_fills_filled.json")
    frames = lived.take(lived.socket)
    ours = next(frame for frame in frames if "fills" in frame["contents"])
    same_shape(ours, theirs)
    same_shape(ours["contents"], theirs["contents"])
    same_shape(ours["contents"]["fills"][0], theirs["contents"]["fills"][0])
    same_shape(ours["contents"]["orders"][0], theirs["contents"]["orders"][0])
    pnl = frozenset({"realizedPnl", "unrealizedPnl"})
    mine, known = ours["contents"]["perpetualPositions"][0], theirs["contents"]["perpetualPositions"][0]
    same_shape(mine, known, optional=pnl)


def test_frames_of_orders(lived: Any) -> None:
    by_status = {
        order["status"]: frame
        for frame in lived.take(lived.socket)
        for order in frame["contents"].get("orders", ())
        if "fills" not in frame["contents"]
    }
    for status, name in (
        ("BEST_EFFORT_OPENED", "ws/subaccounts_order_best_effort_opened.json"),
        ("OPEN", "ws/subaccounts_order_open_long_term.json"),
    ):
        theirs = recorded(name)
        same_shape(by_status[status], theirs)
        same_shape(by_status[status]["contents"]["orders"][0], theirs["contents"]["orders"][0])
    [placed] = list(lived.model.world.stateful.values())
    message = t.MsgCancelOrder(
        order_id=t.OrderId(
            subaccount_id=t.SubaccountId(owner=ADDRESSES[0]), client_id=placed.client_id, order_flags=64
        ),
        good_til_block_time=placed.good_til_block_time,
    )
    assert lived.submit(message).code == 0
    lived.block()
    [frame] = lived.take(lived.socket)
    theirs = recorded("ws/subaccounts_order_canceled_long_term.json")
    same_shape(frame["contents"]["orders"][0], theirs["contents"]["orders"][0])


def test_best_effort_removals(venue: Any) -> None:
    number = venue.connect()
    venue.subscribe(number, "v4_subaccounts", ME, batched=True)
    venue.take(number)
    venue.cancel(venue.place("buy", LOT, LOW, tif="post"))
    venue.place("buy", LOT, LOW, tif="ioc")
    venue.pass_time(0.3)
    [batch] = venue.take(number)
    theirs = recorded("ws/maker_batch_1.json")
    same_shape(batch, theirs)
    known = {
        order["removalReason"]: order for item in theirs["contents"] for order in item["orders"] if len(order) > 17
    }
    for item in batch["contents"]:
        for order in item["orders"]:
            if "removalReason" in order:
                same_shape(order, known[order["removalReason"]])


def test_snapshots_and_small_frames(lived: Any) -> None:
    number = lived.connect()
    theirs = recorded("ws/connected.json")
    same_shape(lived.take(number)[0], theirs)
    ours = lived.subscribe(number, "v4_subaccounts", ME)
    theirs = recorded("ws/subaccounts_subscribed_short_and_debt.json")
    same_shape(ours, theirs)
    same_shape(ours["contents"], theirs["contents"])
    same_shape(ours["contents"]["subaccount"], theirs["contents"]["subaccount"])
    same_shape(lived.subscribe(number, "v4_block_height"), recorded("ws/block_height_subscribed.json"))
    parent = lived.subscribe(number, "v4_parent_subaccounts", ME)["contents"]
    same_shape(parent["subaccount"], recorded("ws/parent_subscribed.json")["contents"]["subaccount"])
    lived.take(number)
    lived.block()
    [height] = lived.take(number)
    same_shape(height, recorded("ws/block_height_update.json"))
    same_shape(height["contents"], recorded("ws/block_height_update.json")["contents"])
    [gone] = lived.say(number, {"type": "unsubscribe", "channel": "v4_subaccounts", "id": ME})
    same_shape(gone, recorded("ws/unsubscribed.json"))


def test_transfers_are_one_object(lived: Any) -> None:
    contents = [frame["contents"] for frame in lived.take(lived.socket)]
    ours = next(item["transfers"] for item in contents if "transfers" in item)
    theirs = next(item for item in recorded("ws/parent_batch_transfer.json")["contents"] if "transfers" in item)
    same_shape(ours, theirs["transfers"])


def test_market_frames(moving: Any) -> None:
    number = moving.connect()
    for channel, given in (("v4_trades", "ETH-USD"), ("v4_candles", "ETH-USD/1MIN"), ("v4_markets", None)):
        moving.subscribe(number, channel, given)
    moving.take(number)
    moving.pass_time(20)
    frames = {frame["channel"]: frame for frame in moving.take(number)}
    for channel, name in (
        ("v4_trades", "ws/trades_update.json"),
        ("v4_candles", "ws/candles_update.json"),
        ("v4_markets", "ws/markets_oracle_price.json"),
    ):
        same_shape(frames[channel], recorded(name))
        same_shape(frames[channel]["contents"], recorded(name)["contents"])
    trade = frames["v4_trades"]["contents"]["trades"][0]
    same_shape(trade, recorded("ws/trades_update.json")["contents"]["trades"][0])
