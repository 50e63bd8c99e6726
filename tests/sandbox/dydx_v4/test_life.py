"""The lives of orders, per kind, as the indexer tells them (section 10)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4.sandbox import query_messages as q
from latentspeed_dydx_v4.sandbox import rows
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES
from latentspeed_dydx_v4.sandbox.node_messages import ByOrder

LOT, TICK = 1_000_000, 100_000
LOW, MID, HIGH = 80_000 * TICK, 84_012 * TICK, 90_000 * TICK
ME = f"{ADDRESSES[0]}/0"


def listen(venue: Any, key: int = 0) -> int:
    number: int = venue.connect()
    venue.subscribe(number, "v4_subaccounts", f"{ADDRESSES[key]}/0")
    venue.take(number)
    return number


def told(venue: Any, number: int) -> list[tuple[Any, ...]]:
    """(status, reason, filled, optimistic) of the orders in the messages so far, and ("FILL", size)."""
    found: list[tuple[Any, ...]] = []
    for frame in venue.take(number):
        assert frame["type"] == "channel_data"
        contents = frame["contents"]
        found += [("FILL", fill["size"]) for fill in contents.get("fills", [])]
        for order in contents.get("orders", []):
            reason = order.get("removalReason", "").removeprefix("ORDER_REMOVAL_REASON_")
            found.append((order["status"], reason, order.get("totalFilled"), order.get("totalOptimisticFilled")))
    return found


def order_id(placed: Any) -> str:
    found = placed.order.order_id
    subaccount = found.subaccount_id
    return rows.order_id(subaccount.owner, subaccount.number, found.client_id, found.order_flags, found.clob_pair_id)


def on_chain(venue: Any, placed: Any) -> Any:
    """StatefulOrder; None when it is not in state."""
    request = ByOrder(order_id=placed.order.order_id)
    from latentspeed_dydx_v4.sandbox import wire

    code, body = venue.model.grpc("/dydxprotocol.clob.Query/StatefulOrder", wire.encode(request), venue.now_ns)
    if code == 5:
        assert body == b"not found"
        return None
    assert code == 0
    return wire.decode(q.StatefulOrderResponse, body)


# ---- short-term ----------------------------------------------------------------------------------


def test_a_short_term_order_rests_and_expires(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, LOW, gtb=venue.height + 3)
    assert told(venue, number) == [("BEST_EFFORT_OPENED", "", None, None)]
    row = venue.get(f"orders/{order_id(placed)}")
    assert (row["status"], row["totalFilled"], "createdAtHeight" in row) == ("BEST_EFFORT_OPENED", "0", False)
    venue.block(2)
    assert told(venue, number) == []
    venue.block()
    assert told(venue, number) == [("CANCELED", "EXPIRED", None, "0")]
    venue.get(f"orders/{order_id(placed)}", expect=404)


def test_a_cancelled_short_term_order_says_nothing_more(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, LOW)
    assert venue.cancel(placed).code == 0
    assert told(venue, number)[1:] == [("BEST_EFFORT_CANCELED", "USER_CANCELED", None, "0")]
    venue.block(15)
    assert told(venue, number) == []
    assert venue.rows("orders") == []


def test_a_cancel_that_is_too_short_hides_an_order_that_goes_on(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, LOW, gtb=venue.height + 5)
    assert venue.cancel(placed, gtb=venue.height + 4).code == 0
    assert told(venue, number)[1:] == [("BEST_EFFORT_CANCELED", "USER_CANCELED", None, "0")]
    assert venue.rows("orders") == []
    assert len(venue.model.world.short) == 1
    venue.block(5)
    [frame] = venue.take(number)
    [bare] = frame["contents"]["orders"]
    assert set(bare) == {
        "id",
        "subaccountId",
        "clientId",
        "clobPairId",
        "orderFlags",
        "ticker",
        "status",
        "removalReason",
    }
    assert (bare["status"], bare["removalReason"]) == ("CANCELED", "ORDER_REMOVAL_REASON_EXPIRED")


def test_an_ioc_order_fills_with_the_block(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, HIGH, tif="ioc")
    assert told(venue, number) == [("BEST_EFFORT_OPENED", "", None, None)]
    assert venue.rows("fills")["fills"] == []
    venue.block()
    assert told(venue, number) == [("FILL", "0.0001"), ("FILLED", "", "0.0001", None)]
    row = venue.get(f"orders/{order_id(placed)}")
    assert (row["status"], row["timeInForce"], row["type"], row["totalFilled"]) == ("FILLED", "IOC", "LIMIT", "0.0001")
    assert row["createdAtHeight"] == row["updatedAtHeight"] == str(venue.height)


def test_an_ioc_order_that_finds_too_little_is_cancelled_before_it_fills(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[["83000", "1"]], asks=[["84000", "0.0003"], ["85000", "1"]])
    number = listen(venue)
    placed = venue.place("buy", 5 * LOT, 84_000 * TICK, tif="ioc")
    ioc = "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"
    assert told(venue, number)[1:] == [("BEST_EFFORT_CANCELED", ioc, None, "0.0003")]
    venue.block()
    assert told(venue, number) == [("FILL", "0.0003"), ("CANCELED", "", "0.0003", None)]
    assert venue.get(f"orders/{order_id(placed)}")["status"] == "CANCELED"


def test_an_ioc_order_that_finds_nothing_gets_no_last_message(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, LOW, tif="ioc")
    assert [status for status, *_ in told(venue, number)] == ["BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED"]
    venue.block(15)
    assert told(venue, number) == []
    venue.get(f"orders/{order_id(placed)}", expect=404)


def test_a_replacement_is_a_removal_and_an_opening_of_the_same_id(venue: Any) -> None:
    number = listen(venue)
    first = venue.place("buy", 3 * LOT, LOW, client_id=5)
    again = venue.order("buy", 4 * LOT, LOW - TICK, client_id=5, gtb=first.order.good_til_block + 1)
    assert venue.submit(again).code == 0
    assert [(status, reason) for status, reason, *_ in told(venue, number)] == [
        ("BEST_EFFORT_OPENED", ""),
        ("BEST_EFFORT_CANCELED", "REPLACED"),
        ("BEST_EFFORT_OPENED", ""),
    ]
    [row] = venue.rows("orders")
    assert (row["size"], row["price"]) == ("0.0004", "79999")


def test_what_an_order_id_has_filled_counts_for_the_next_order_under_it(venue: Any) -> None:
    placed = venue.place("buy", 3 * LOT, HIGH, client_id=5)
    venue.block()
    full = venue.submit(venue.order("buy", 3 * LOT, HIGH, client_id=5, gtb=venue.height + 20))
    assert (full.code, full.raw_log.startswith("Order remaining amount is less than")) == (24, True)
    spent = venue.submit(venue.order("buy", 5 * LOT, HIGH, client_id=5, tif="ioc", gtb=venue.height + 20))
    assert (spent.codespace, spent.code) == ("clob", 2004)
    venue.block(placed.order.good_til_block + 41 - venue.height)
    assert venue.submit(venue.order("buy", 3 * LOT, LOW, client_id=5)).code == 0


def test_a_batch_cancel_never_says_what_failed(venue: Any) -> None:
    first, second = venue.place("buy", LOT, LOW, client_id=1), venue.place("buy", LOT, LOW, client_id=2)
    batch = t.MsgBatchCancel(
        subaccount_id=t.SubaccountId(owner=ADDRESSES[0]),
        short_term_cancels=(
            t.OrderBatch(clob_pair_id=0, client_ids=(1, 2, 77)),
            t.OrderBatch(clob_pair_id=999, client_ids=(1,)),
        ),
        good_til_block=venue.height + 15,
    )
    for _ in range(2):
        answer = venue.submit(batch, memo=str(venue.height))
        assert (answer.code, answer.raw_log) == (0, "[]")
        venue.block()
    for placed in (first, second):
        venue.get(f"orders/{order_id(placed)}", expect=404)


def test_late_off_chain_messages_come_after_the_blocks(venue: Any) -> None:
    """The recorded race: CANCELED and its fill first, then BEST_EFFORT_OPENED and BEST_EFFORT_CANCELED."""
    venue.control("late", seconds=2)
    number = listen(venue)
    venue.place("buy", LOT, HIGH, tif="ioc")
    venue.block()
    assert told(venue, number) == [("FILL", "0.0001"), ("FILLED", "", "0.0001", None)]
    venue.pass_time(3)
    assert [status for status, *_ in told(venue, number)] == ["BEST_EFFORT_OPENED"]
    assert venue.rows("orders")[0]["status"] == "FILLED"


def test_off_chain_messages_can_be_lost_and_doubled(venue: Any) -> None:
    number = listen(venue)
    venue.control("late", drop=True)
    venue.place("buy", LOT, LOW)
    assert told(venue, number) == []
    venue.control("late", duplicate=True)
    venue.place("buy", LOT, LOW)
    assert [status for status, *_ in told(venue, number)] == ["BEST_EFFORT_OPENED"] * 2


# ---- long-term -----------------------------------------------------------------------------------


def test_a_long_term_order_is_open_in_its_block_and_fills_in_the_next(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, HIGH, "long")
    assert told(venue, number) == []
    assert on_chain(venue, placed) is None
    venue.block()
    assert told(venue, number) == [("OPEN", "", None, None)]
    found = on_chain(venue, placed)
    assert (found.fill_amount, found.order_placement.placement_index.block_height) == (0, venue.height)
    venue.block()
    assert told(venue, number) == [("FILL", "0.0001"), ("FILLED", "", "0.0001", None)]
    assert on_chain(venue, placed) is None
    row = venue.get(f"orders/{order_id(placed)}")
    assert (int(row["createdAtHeight"]), int(row["updatedAtHeight"])) == (venue.height - 1, venue.height)


def test_a_long_term_order_is_cancelled_in_a_block(venue: Any) -> None:
    number = listen(venue)
    placed = venue.place("buy", LOT, LOW, "long")
    venue.block(2)
    assert venue.cancel(placed).code == 0
    assert [status for status, *_ in told(venue, number)] == ["OPEN"]
    venue.block()
    assert told(venue, number) == [("CANCELED", "USER_CANCELED", "0", None)]
    assert venue.get(f"orders/{order_id(placed)}")["status"] == "CANCELED"


def test_fills_of_a_block_come_before_the_cancel_in_it(venue: Any) -> None:
    """Accepted by the mempool check, refused at delivery: the order left the state in the same block."""
    placed = venue.place("buy", LOT, LOW, "long")
    venue.block(2)
    venue.control("trade", ticker="BTC-USD", side="sell", size="0.0001", price="80000")
    answer = venue.cancel(placed)
    assert answer.code == 0
    venue.control("seed_book", ticker="BTC-USD", bids=[["79000", "1"]], asks=[["85000", "1"]])
    venue.control("trade", ticker="BTC-USD", side="sell", size="0.0001", price="80000")
    venue.block()
    assert venue.get(f"orders/{order_id(placed)}")["status"] == "FILLED"
    assert venue.model.world.txs[answer.txhash].code == 3010


def test_a_post_only_order_that_crosses_opens_and_goes_a_block_later(venue: Any) -> None:
    number = listen(venue)
    venue.place("buy", LOT, HIGH, "long", "post")
    venue.block(2)
    assert told(venue, number) == [
        ("OPEN", "", None, None),
        ("CANCELED", "POST_ONLY_WOULD_CROSS_MAKER_ORDER", "0", None),
    ]


def test_a_long_term_order_expires_by_block_time(venue: Any) -> None:
    number = listen(venue)
    venue.place("buy", LOT, LOW, "long", gtbt=venue.block_time_s + 3)
    venue.pass_time(5)
    assert told(venue, number) == [("OPEN", "", None, None), ("CANCELED", "EXPIRED", "0", None)]


def test_resting_orders_meet_each_other(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[["83000", "1"]], asks=[["85000", "1"]])
    maker = venue.place("buy", 4 * LOT, MID, "long", key=0)
    venue.block(2)
    number = listen(venue)
    venue.place("sell", 3 * LOT, MID, tif="ioc", key=1)
    venue.block()
    assert told(venue, number) == [("FILL", "0.0003"), ("OPEN", "", "0.0003", None)]
    assert on_chain(venue, maker).fill_amount == 3 * LOT
    [fill] = venue.rows("fills")["fills"]
    assert (fill["liquidity"], fill["fee"], fill["price"]) == ("MAKER", "0.002521", "84012")


def test_ones_own_order_in_the_way_is_removed(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[["83000", "1"]], asks=[["85000", "1"]])
    number = listen(venue)
    resting = venue.place("buy", 4 * LOT, MID)
    venue.place("sell", 3 * LOT, MID)
    assert told(venue, number)[1:] == [
        ("BEST_EFFORT_OPENED", "", None, None),
        ("BEST_EFFORT_CANCELED", "SELF_TRADE_ERROR", None, "0"),
    ]
    venue.get(f"orders/{order_id(resting)}", expect=404)
    assert [row["side"] for row in venue.rows("orders")] == ["SELL"]


def test_a_taker_without_collateral_is_accepted_and_ends(venue: Any) -> None:
    subaccount = venue.model.world.subaccount(ADDRESSES[0], 0)
    subaccount.usdc = 10**6
    venue.model.world.changed(subaccount)
    number = listen(venue)
    venue.place("buy", 100 * LOT, HIGH)
    assert [(status, reason) for status, reason, *_ in told(venue, number)] == [
        ("BEST_EFFORT_OPENED", ""),
        ("BEST_EFFORT_CANCELED", "UNDERCOLLATERALIZED"),
    ]


def test_stateful_orders_wait_as_long_as_the_chain_holds_them(venue: Any) -> None:
    venue.control("hold", blocks=3)
    placed = venue.place("buy", LOT, LOW, "long")
    venue.block(3)
    assert on_chain(venue, placed) is None
    venue.block()
    assert on_chain(venue, placed) is not None


def test_a_transaction_past_its_timeout_never_lands(venue: Any) -> None:
    venue.control("hold", blocks=5)
    message = venue.order("buy", LOT, LOW, "long", client_id=8)
    assert venue.submit(message, timeout=venue.height + 2, sequence=0).code == 0
    venue.block(6)
    assert on_chain(venue, message) is None
    account = venue.model.world.accounts[ADDRESSES[0]]
    assert (account.sequence, account.check_sequence) == (0, 0)
    assert venue.submit(message, sequence=0).code == 0
    venue.block()
    assert on_chain(venue, message) is not None


# ---- conditional and reduce-only -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "condition", "trigger", "moved"),
    [
        ("sell", "stop", 83_000, "82000"),
        ("buy", "stop", 85_000, "86000"),
        ("buy", "take", 83_000, "82000"),
        ("sell", "take", 85_000, "86000"),
    ],
)
def test_conditional_orders_fire_at_their_price(
    venue: Any, side: str, condition: str, trigger: int, moved: str
) -> None:
    number = listen(venue)
    limit = LOW if side == "sell" else HIGH
    placed = venue.place(side, LOT, limit, "conditional", condition=condition, trigger=trigger * TICK)
    venue.block(2)
    assert told(venue, number) == [("UNTRIGGERED", "", None, None)]
    row = venue.get(f"orders/{order_id(placed)}")
    assert row["type"] == ("STOP_LIMIT" if condition == "stop" else "TAKE_PROFIT")
    assert (row["triggerPrice"], row["orderFlags"]) == (str(trigger), "32")
    venue.control("price", ticker="BTC-USD", mid=moved)
    venue.block()
    assert told(venue, number) == [("OPEN", "", "0", None)]
    assert on_chain(venue, placed).triggered
    venue.block()
    assert told(venue, number) == [("FILL", "0.0001"), ("FILLED", "", "0.0001", None)]


def test_the_rest_of_a_conditional_ioc_order_ends_on_chain(venue: Any) -> None:
    number = listen(venue)
    venue.place("sell", LOT, HIGH, "conditional", "ioc", condition="stop", trigger=83_000 * TICK)
    venue.control("price", ticker="BTC-USD", oracle="82000")
    venue.block(3)
    assert told(venue, number) == [
        ("UNTRIGGERED", "", None, None),
        ("OPEN", "", "0", None),
        ("CANCELED", "IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK", "0", None),
    ]


def test_a_conditional_ioc_order_that_filled_partly_is_open_until_its_removal(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[["82000", "0.0001"]], asks=[["85000", "1"]])
    number = listen(venue)
    venue.place("sell", 3 * LOT, LOW, "conditional", "ioc", condition="stop", trigger=83_000 * TICK)
    venue.control("price", ticker="BTC-USD", oracle="82000")
    venue.block(3)
    assert [(item[0], item[2]) for item in told(venue, number) if item[0] != "FILL"] == [
        ("UNTRIGGERED", None),
        ("OPEN", "0"),
        ("OPEN", "0.0001"),
        ("CANCELED", "0.0001"),
    ]


def test_an_order_whose_end_was_lost_is_swept_from_the_cache(venue: Any) -> None:
    placed = venue.place("buy", LOT, LOW)
    venue.control("late", drop=True)
    assert venue.cancel(placed).code == 0
    venue.block(30)
    venue.pass_time(20)
    number = listen(venue)
    assert [row["status"] for row in venue.rows("orders")] == ["BEST_EFFORT_OPENED"]
    venue.pass_time(25)
    assert [row["status"] for row in venue.rows("orders")] == []
    assert [(status, reason) for status, reason, _, _ in told(venue, number)] == [("CANCELED", "INDEXER_EXPIRED")]


def test_a_reduce_only_order_is_cut_to_the_position(venue: Any) -> None:
    venue.place("buy", 3 * LOT, HIGH, tif="ioc")
    venue.block()
    number = listen(venue)
    venue.place("sell", 5 * LOT, LOW, tif="ioc", reduce=True)
    assert told(venue, number)[1:] == [("BEST_EFFORT_CANCELED", "REDUCE_ONLY_RESIZE", None, "0.0003")]
    venue.block()
    assert told(venue, number) == [("FILL", "0.0003"), ("CANCELED", "", "0.0003", None)]
    assert venue.rows("perpetualPositions", status="OPEN")["positions"] == []
    [closed] = venue.rows("perpetualPositions", status="CLOSED")["positions"]
    assert (closed["size"], closed["sumOpen"], closed["sumClose"]) == ("0", "0.0003", "0.0003")


# ---- the chain stands still ----------------------------------------------------------------------


def test_a_halted_chain_takes_orders_and_brings_no_blocks(venue: Any) -> None:
    venue.control("halt")
    height = venue.height
    placed = venue.place("buy", LOT, LOW, "long")
    venue.pass_time(60)
    assert venue.height == height
    venue.control("resume")
    assert venue.height == height + 1
    assert on_chain(venue, placed) is not None


def test_blocks_come_with_the_clock(venue: Any) -> None:
    venue.pass_time(6.4)
    assert venue.height == 50_000_010
    assert venue.get("height")["height"] == "50000010"
    venue.now_ns += 3600 * 1_000_000_000
    venue.model.tick(venue.now_ns)
    assert venue.height == 50_000_010 + 5625


def test_two_lives_with_one_seed_are_the_same(make_venue: Any) -> None:
    from latentspeed_cli.sandbox.model import SCENARIOS

    def life() -> Any:
        venue = make_venue(SCENARIOS["default"])
        number = listen(venue)
        venue.place("buy", 20 * LOT, 83_990 * TICK)
        venue.place("sell", 20 * LOT, 84_030 * TICK, "long")
        venue.pass_time(30)
        return (
            venue.take(number),
            venue.rows("fills"),
            msgspec.json.encode(venue.get("orderbooks/perpetualMarket/BTC-USD")),
        )

    first, second = life(), life()
    assert first == second
    assert first[1]["fills"]
