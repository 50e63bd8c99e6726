"""What the node refuses, with which code, and in which words (section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox import wire
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.sandbox.model import Scenario

LOT, TICK = 1_000_000, 100_000
LOW = 80_000 * TICK
SUBACCOUNT = t.SubaccountId(owner=ADDRESSES[0])
H = 50_000_001  # the next height of a fresh chain
NOW_S = 1_790_000_000


def changed(message: Any, **fields: Any) -> Any:
    """The placement with other fields in its order."""
    return msgspec.structs.replace(message, order=msgspec.structs.replace(message.order, **fields))


def with_id(message: Any, **fields: Any) -> Any:
    return changed(message, order_id=msgspec.structs.replace(message.order.order_id, **fields))


def go_id(client_id: int, flags: int = 0, pair: int = 0) -> str:
    return (
        f"{{SubaccountId:{{Owner:{ADDRESSES[0]} Number:0}} ClientId:{client_id} OrderFlags:{flags} ClobPairId:{pair}}}"
    )


LIMITED = Scenario(name="quiet", flow=False, indexer_lag_s=0.0, limits_factor=1)

Case = tuple[str, Callable[[Any], Any], str, int, str]
CASES: list[Case] = [
    (
        "gtb_past",
        lambda v: v.order("buy", LOT, LOW, gtb=H - 1),
        "clob",
        10,
        f"GoodTilBlock {H - 1} is less than the current blockHeight {H}: The next block height is greater than the "
        "GoodTilBlock of the message",
    ),
    (
        "gtb_far",
        lambda v: v.order("buy", LOT, LOW, gtb=H + 41),
        "clob",
        11,
        f"The GoodTilBlock {H + 41} exceeds the current blockHeight {H} plus ShortBlockWindow 40: The GoodTilBlock of "
        "the message is further than ShortBlockWindow blocks into the future",
    ),
    (
        "tick",
        lambda v: v.order("buy", LOT, LOW + 1),
        "clob",
        12,
        f"Order subticks {LOW + 1} must be a multiple of the ClobPair's SubticksPerTick 100000: MsgPlaceOrder is "
        "invalid",
    ),
    (
        "step",
        lambda v: v.order("buy", LOT + 1, LOW),
        "clob",
        12,
        "Order Quantums 1000001 must be a multiple of the ClobPair's StepBaseQuantums 1000000: MsgPlaceOrder is "
        "invalid",
    ),
    (
        "side",
        lambda v: changed(v.order("buy", LOT, LOW), side=0),
        "clob",
        3,
        "UNSPECIFIED is not a valid order side: Invalid order side",
    ),
    ("side_7", lambda v: changed(v.order("buy", LOT, LOW), side=7), "clob", 3, "invalid order side (7): Invalid"),
    ("size_0", lambda v: v.order("buy", 0, LOW), "clob", 4, "order size quantums cannot be 0: Invalid order quantums"),
    ("gtb_0", lambda v: v.order("buy", LOT, LOW, gtb=0), "clob", 5, "order goodTilBlock cannot be 0: Invalid order"),
    (
        "price_0",
        lambda v: v.order("buy", LOT, 0),
        "clob",
        6,
        "order subticks cannot be 0 for this order type: Invalid order subticks",
    ),
    ("pair", lambda v: v.order("buy", LOT, LOW, pair=999), "clob", 8, "Clob 999 is not a valid clob: ClobPair ID"),
    ("tif", lambda v: changed(v.order("buy", LOT, LOW), time_in_force=9), "clob", 44, "invalid time in force (9): "),
    (
        "fok",
        lambda v: v.order("buy", LOT, LOW, tif="fok"),
        "clob",
        48,
        "Fill-or-kill has been deprecated: This field has been deprecated",
    ),
    (
        "flags",
        lambda v: with_id(v.order("buy", LOT, LOW), order_flags=5),
        "clob",
        3000,
        "invalid order flag 5: Invalid order flags",
    ),
    (
        "gtbt_0",
        lambda v: changed(v.order("buy", LOT, LOW, "long"), good_til_block_time=None),
        "clob",
        3001,
        "stateful order goodTilBlockTime cannot be 0: Invalid order goodTilBlockTime",
    ),
    (
        "long_ioc",
        lambda v: v.order("buy", LOT, LOW, "long", "ioc"),
        "clob",
        3002,
        "Stateful orders cannot require immediate execution",
    ),
    (
        "gtbt_past",
        lambda v: v.order("buy", LOT, LOW, "long", gtbt=NOW_S),
        "clob",
        3003,
        f"GoodTilBlockTime {NOW_S} is less than the previous blockTime {NOW_S}: The block time is greater",
    ),
    (
        "gtbt_far",
        lambda v: v.order("buy", LOT, LOW, "long", gtbt=NOW_S + 95 * 86_400 + 1),
        "clob",
        3004,
        f"GoodTilBlockTime {NOW_S + 8_208_001} exceeds the previous blockTime plus StatefulOrderTimeWindow "
        f"{NOW_S + 8_208_000}: The GoodTilBlockTime of the message",
    ),
    (
        "no_condition",
        lambda v: v.order("buy", LOT, LOW, "conditional", trigger=LOW),
        "clob",
        6000,
        "condition type cannot be unspecified: Conditional type is invalid",
    ),
    (
        "stray_condition",
        lambda v: v.order("buy", LOT, LOW, condition="stop"),
        "clob",
        6000,
        "condition type specified for non-conditional order: Conditional type is invalid",
    ),
    (
        "no_trigger",
        lambda v: v.order("buy", LOT, LOW, "conditional", condition="stop"),
        "clob",
        6001,
        "conditional order trigger subticks cannot be 0: Conditional order trigger subticks is invalid",
    ),
    (
        "reduce_rests",
        lambda v: v.order("buy", LOT, LOW, reduce=True),
        "clob",
        9003,
        "reduce only orders must be short term IOC orders: Reduce-only is currently disabled for non-IOC orders",
    ),
    (
        "reduce_nothing",
        lambda v: v.order("buy", LOT, LOW, tif="ioc", reduce=True),
        "clob",
        2001,
        "Reduce-only orders cannot increase the position size",
    ),
    (
        "post_only_crosses",
        lambda v: v.order("buy", LOT, 90_000 * TICK, tif="post"),
        "clob",
        2003,
        "Post-only order would cross one or more maker orders",
    ),
    (
        "final_settlement",
        lambda v: v.order("buy", LOT, LOW * 10, pair=3),
        "clob",
        34,
        "Order {OrderId:",
    ),
    (
        "subaccount",
        lambda v: v.order("buy", LOT, LOW, subaccount=128_001),
        "subaccounts",
        200,
        "subaccount id number cannot exceed 128000",
    ),
    (
        "router",
        lambda v: changed(v.order("buy", LOT, LOW), order_router_address="x"),
        "clob",
        11000,
        "order router address",
    ),
    (
        "builder",
        lambda v: changed(
            v.order("buy", LOT, LOW),
            builder_code_parameters=t.BuilderCodeParameters(builder_address=ADDRESSES[1], fee_ppm=10_001),
        ),
        "clob",
        50,
        "builder address",
    ),
    (
        "cancel_unknown",
        lambda v: t.MsgCancelOrder(
            order_id=t.OrderId(subaccount_id=SUBACCOUNT, client_id=5, order_flags=64),
            good_til_block_time=NOW_S + 60,
        ),
        "clob",
        3006,
        f"Order Id to cancel does not exist. OrderId : {go_id(5, 64)}: Stateful order does not exist",
    ),
    (
        "cancel_gtb_0",
        lambda v: t.MsgCancelOrder(order_id=t.OrderId(subaccount_id=SUBACCOUNT, client_id=5)),
        "clob",
        5,
        f"cancellation goodTilBlock cannot be 0, orderId {go_id(5)}: Invalid order goodTilBlock",
    ),
    (
        "batch_empty",
        lambda v: t.MsgBatchCancel(subaccount_id=SUBACCOUNT, good_til_block=H + 5),
        "clob",
        45,
        "Batch cancel cannot have zero orders specified.: Invalid batch cancel message",
    ),
    (
        "batch_twice",
        lambda v: t.MsgBatchCancel(
            subaccount_id=SUBACCOUNT,
            short_term_cancels=(t.OrderBatch(client_ids=(4, 4)),),
            good_til_block=H + 5,
        ),
        "clob",
        45,
        "Batch Cancel Clob pair id 0 has duplicate client ids: 4: Invalid batch cancel message",
    ),
    (
        "batch_many",
        lambda v: t.MsgBatchCancel(
            subaccount_id=SUBACCOUNT,
            short_term_cancels=(t.OrderBatch(client_ids=tuple(range(101))),),
            good_til_block=H + 5,
        ),
        "clob",
        45,
        "Batch cancel cannot have over 100 orders. Order count: 101: Invalid batch cancel message",
    ),
    (
        "to_oneself",
        lambda v: t.MsgCreateTransfer(transfer=t.Transfer(sender=SUBACCOUNT, recipient=SUBACCOUNT, amount=5)),
        "sending",
        1,
        "Sender is the same as recipient",
    ),
]


@pytest.mark.parametrize(
    ("build", "codespace", "code", "text"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_refusal(venue: Any, build: Callable[[Any], Any], codespace: str, code: int, text: str) -> None:
    answer = venue.submit(build(venue))
    assert (answer.codespace, answer.code) == (codespace, code), answer.raw_log
    assert answer.raw_log.startswith(text)
    assert answer.height == 0


def test_a_long_term_order_that_cannot_be_paid(venue: Any) -> None:
    answer = venue.submit(venue.order("buy", 10**13, 84_012 * TICK, "long"))
    assert (answer.codespace, answer.code) == ("clob", 3007)
    assert answer.raw_log.startswith("PlaceStatefulOrder: order ({OrderId:")
    assert answer.raw_log.endswith("result (NewlyUndercollateralized): Stateful order collateralization check failed")


def test_an_order_id_in_use_and_its_cancel(venue: Any) -> None:
    placed = venue.place("buy", LOT, LOW, "long", client_id=9)
    uncommitted = venue.submit(placed)
    assert (uncommitted.code, uncommitted.raw_log.startswith("An uncommitted stateful order with this")) == (3005, True)
    venue.block()
    committed = venue.submit(placed)
    assert (committed.code, committed.raw_log.startswith("A stateful order with this OrderId already")) == (3005, True)
    early = venue.cancel(placed, gtbt=placed.order.good_til_block_time - 1)
    assert (early.code, early.raw_log.startswith("cancellation goodTilBlockTime less than")) == (29, True)
    assert venue.cancel(placed).code == 0
    assert venue.cancel(placed).code == 32
    assert venue.submit(placed).code == 3008
    venue.block()
    assert venue.cancel(placed).code == 3006


def test_fences_of_short_term_cancels(venue: Any) -> None:
    message = venue.order("buy", LOT, LOW, client_id=3)
    assert venue.cancel(message).code == 0
    again = venue.cancel(message, gtb=message.order.good_til_block - 1)
    assert (again.code, again.raw_log.startswith("A cancel already exists in the memclob")) == (9, True)
    fenced = venue.submit(message)
    assert (fenced.code, fenced.raw_log.startswith("Order: {OrderId:")) == (7, True)
    later = changed(message, good_til_block=message.order.good_til_block + 1)
    assert venue.submit(later).code == 0


def test_replacing_follows_the_rules(venue: Any) -> None:
    first = venue.place("buy", 3 * LOT, LOW, client_id=4)
    gtb = first.order.good_til_block
    for fields, text in (
        ({"good_til_block": gtb - 1}, "New order cannot reduce the GoodTilBlock or GoodTilBlockTime of existing order"),
        ({"good_til_block": gtb + 1, "side": 2}, "New order cannot change the Side of the existing order"),
        (
            {"good_til_block": gtb + 1, "time_in_force": 2},
            "New order cannot change the TimeInForce of the existing order",
        ),
    ):
        answer = venue.submit(changed(first, **fields))
        assert (answer.code, answer.raw_log) == (20, f"{text}: Replacing an existing order failed")
    assert venue.submit(changed(first, good_til_block=gtb + 1, subticks=LOW - TICK)).code == 0
    assert [row["price"] for row in venue.rows("orders")] == ["79999"]
    # That a time in force may not change comes before what is filled.
    venue.control("trade", ticker="BTC-USD", side="sell", size="0.0001", price="79999")
    answer = venue.submit(changed(first, good_til_block=gtb + 2, time_in_force=1))
    assert answer.raw_log.startswith("New order cannot change the TimeInForce of the existing order")


def test_twap_orders_are_not_taken(venue: Any) -> None:
    order = venue.order("buy", 100 * LOT, LOW, "twap", flags=128)
    twap = t.TwapParameters(duration=300, interval=30, price_tolerance=10_000)
    assert venue.submit(order).code == 12
    answer = venue.submit(changed(order, twap_parameters=twap))
    assert (answer.codespace, answer.code) == ("clob", 49)
    # The protocol alone makes suborders.
    assert venue.submit(venue.order("buy", LOT, LOW, "suborder", flags=256)).code == 3000


def test_bytes_that_are_no_transaction(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW))
    for broken in (b"\x01", raw[:-1], raw + b"\x00\x01"):
        answer = venue.send(broken)
        assert (answer.codespace, answer.code) == ("sdk", 2)
        assert answer.raw_log.endswith(": tx parse error")


def test_fixed32_fields_as_varints_are_refused(venue: Any) -> None:
    order_id = wire.encode(t.OrderId(subaccount_id=SUBACCOUNT)) + b"\x10\x05"
    order = b"\x0a" + wire.varint(len(order_id)) + order_id + b"\x10\x01\x18\x05\x20\x05\x28\x05"
    message = b"\x0a" + wire.varint(len(order)) + order

    body = t.TxBody(messages=(t.AnyMessage(type_url="/dydxprotocol.clob.MsgPlaceOrder", value=message),))
    auth = t.AuthInfo(fee=t.Fee())
    raw = t.TxRaw(body_bytes=wire.encode(body), auth_info_bytes=wire.encode(auth), signatures=(b"x",))
    answer = venue.send(wire.encode(raw))
    assert answer.code == 2
    assert '{TagNum: 2, GotWireType: "varint" != WantWireType: "fixed32"}' in answer.raw_log


def test_unknown_fields_and_messages_are_refused(venue: Any) -> None:
    auth = wire.encode(t.AuthInfo(fee=t.Fee()))
    value = wire.encode(venue.order("buy", LOT, LOW)) + b"\x78\x01"
    for url, content in (("/dydxprotocol.clob.MsgPlaceOrder", value), ("/dydxprotocol.clob.MsgNothing", b"")):
        body = wire.encode(t.TxBody(messages=(t.AnyMessage(type_url=url, value=content),)))
        answer = venue.send(wire.encode(t.TxRaw(body_bytes=body, auth_info_bytes=auth, signatures=(b"x",))))
        assert (answer.codespace, answer.code) == ("sdk", 2)


def test_what_a_transaction_may_contain(venue: Any) -> None:
    short, long = venue.order("buy", LOT, LOW), venue.order("buy", LOT, LOW, "long")
    transfer = t.MsgCreateTransfer(
        transfer=t.Transfer(sender=SUBACCOUNT, recipient=t.SubaccountId(owner=ADDRESSES[0], number=1), amount=10**6)
    )
    deposit = t.MsgDepositToSubaccount(sender=ADDRESSES[0], recipient=SUBACCOUNT, quantums=5)
    assert venue.submit().raw_log == "must contain at least one message: invalid request"
    alone = venue.submit(short, long)
    assert (alone.code, "may not contain more than one message" in alone.raw_log) == (18, True)
    assert "can only be accompanied by 1 transfer msg" in venue.submit(long, transfer, transfer).raw_log
    assert "cannot be accompanied by non transfer msgs" in venue.submit(long, deposit).raw_log
    timeout = venue.submit(short, timeout=short.order.good_til_block - 1)
    assert timeout.raw_log.startswith("timeout height (if non-zero) may not be less than `goodTilBlock` for a short")
    assert venue.submit(long, venue.order("buy", LOT, LOW, "long"), transfer).code == 0


def test_envelope_checks(venue: Any) -> None:
    message = venue.order("buy", LOT, LOW, "long")
    assert venue.submit(message, memo="x" * 257).code == 12
    assert venue.submit(message, timeout=venue.height).code == 30
    assert venue.submit(message, timeout=venue.height + 1).code == 0


def test_block_rate_limits(make_venue: Any) -> None:
    venue = make_venue(LIMITED)
    for _ in range(2):
        venue.place("buy", LOT, LOW, "long")
    answer = venue.submit(venue.order("buy", LOT, LOW, "long"))
    assert (answer.codespace, answer.code) == ("clob", 5001)
    assert answer.raw_log == (
        "Rate of 3 exceeds configured block rate limit of {NumBlocks:1 Limit:2} for MaxStatefulOrdersPerNBlocks and "
        f"{ADDRESSES[0]}: Block rate limit exceeded"
    )
    assert venue.submit(venue.order("buy", LOT, LOW, "long", key=1), key=1).code == 0
    venue.block()
    venue.place("buy", LOT, LOW, "long")


def test_equity_tiers(make_venue: Any) -> None:
    venue = make_venue(LIMITED)
    subaccount = venue.model.world.subaccount(ADDRESSES[0], 0)
    subaccount.usdc = 25 * 10**6
    venue.model.world.changed(subaccount)
    for _ in range(10):
        venue.place("buy", LOT, LOW, "long")
        venue.block()
    answer = venue.submit(venue.order("buy", LOT, LOW, "long"))
    assert (answer.code, "equity tier limit of 10. Order count: 10" in answer.raw_log) == (10001, True)
    subaccount = venue.model.world.subaccount(ADDRESSES[0], 0)
    subaccount.usdc = 5 * 10**6
    answer = venue.submit(venue.order("buy", LOT, LOW, "long"))
    assert "equity tier limit of 0, for subaccount {Owner:" in answer.raw_log


def test_ordered_refusals(venue: Any) -> None:
    """What the control API orders is answered first."""
    venue.control("reject", codespace="sdk", code=20)
    full = venue.submit(venue.order("buy", LOT, LOW))
    assert (full.code, full.raw_log) == (20, "")
    venue.control("reject", codespace="clob", code=47, detail="clob keeper is not initialized. Please wait.")
    assert venue.submit(venue.order("buy", LOT, LOW)).raw_log.endswith("CLOB has not been initialized")
    assert venue.submit(venue.order("buy", LOT, LOW)).code == 0
