"""Conversations with the venue, walked by hand: what is asked, and what the answers mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from latentspeed_hyperliquid.config import HyperliquidConfig
from latentspeed_hyperliquid.connector import HyperliquidPerpetual

from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.order_state import state_of
from latentspeed_cli.core.reports import Report
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import (
    AuthRejected,
    CredentialError,
    LatentspeedError,
    OrderRefused,
    OrderRejected,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    ReplyLost,
)
from latentspeed_cli.keys import Secret

from .conftest import K1, K1_ADDRESS, MASTER, RECEIVED_NS, VAULT, connector_for, reply, walk

MakeOrder = Callable[..., InFlightOrder]
CLOID = "0x00000000000000000000000000000001"


def statuses(*items: object) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": "order", "data": {"statuses": list(items)}}}


def refused(text: str) -> dict[str, Any]:
    return {"status": "err", "response": text}


DONE = {"status": "ok", "response": {"type": "default"}}


# Placing


def test_a_limit_order_on_the_wire(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    asked, update = walk(connector.place_flow(make_order()), statuses({"resting": {"oid": 7, "cloid": CLOID}}))
    (body,) = asked
    assert body["action"] == {
        "type": "order",
        "orders": [
            {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}, "c": CLOID},
        ],
        "grouping": "na",
    }
    assert (body["nonce"], body["expiresAfter"]) == (1_790_000_000_000, 1_790_000_015_000)
    assert "vaultAddress" not in body
    assert (update.report, update.exchange_order_id, update.attempt) == (Report.ACCEPTED, "7", 1)
    assert (update.client_order_id, update.venue_client_id) == (CLOID[2:], CLOID)


@pytest.mark.parametrize(
    ("changes", "tif"),
    [
        ({"tif": TimeInForce.IOC}, "Ioc"),
        ({"order_type": OrderType.MARKET}, "Ioc"),
        ({"post_only": True}, "Alo"),
        ({}, "Gtc"),
    ],
)
def test_kinds_of_orders(
    connector: HyperliquidPerpetual, make_order: MakeOrder, changes: dict[str, Any], tif: str
) -> None:
    request = next(connector.place_flow(make_order(side=TradeType.SELL, reduce_only=True, **changes)))
    (wire,) = json.loads(request.body)["action"]["orders"]
    assert (wire["t"], wire["b"], wire["r"]) == ({"limit": {"tif": tif}}, False, True)
    assert request.changes
    assert request.url == "https://api.hyperliquid-testnet.xyz/exchange"


def test_the_same_order_is_the_same_bytes(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    assert next(connector.place_flow(make_order())).body == next(connector.place_flow(make_order())).body


def test_an_order_for_a_vault_names_it(symbols: SymbolMap, make_order: MakeOrder) -> None:
    made = connector_for(HyperliquidConfig(network="testnet", key=Secret(K1), account=MASTER, vault=VAULT), symbols)
    assert json.loads(next(made.place_flow(make_order())).body)["vaultAddress"] == VAULT
    assert json.loads(next(made.account_flow()).body)["user"] == VAULT


def filled(total: str) -> dict[str, Any]:
    return statuses({"filled": {"totalSz": total, "avgPx": "99.5", "oid": 8, "cloid": CLOID}})


@pytest.mark.parametrize(
    ("changes", "total", "report", "reason"),
    [
        ({"tif": TimeInForce.IOC}, "100", Report.FILLED, None),
        ({"tif": TimeInForce.IOC}, "40", Report.FILLED, "ioc_remainder"),
        ({"order_type": OrderType.MARKET}, "40", Report.FILLED, "ioc_remainder"),
        ({}, "100", Report.FILLED, None),
        ({}, "40", Report.ACCEPTED, None),  # the rest may be on the book
    ],
)
def test_filled_at_once(
    connector: HyperliquidPerpetual,
    make_order: MakeOrder,
    changes: dict[str, Any],
    total: str,
    report: Report,
    reason: str | None,
) -> None:
    _, update = walk(connector.place_flow(make_order(**changes)), filled(total))
    assert (update.report, update.reason, update.venue_filled_amount) == (report, reason, Decimal(total))
    assert update.exchange_order_id == "8"


@pytest.mark.parametrize("item", ["waitingForFill", "waitingForTrigger"])
def test_accepted_without_an_id(connector: HyperliquidPerpetual, make_order: MakeOrder, item: str) -> None:
    _, update = walk(connector.place_flow(make_order()), statuses(item))
    assert (update.report, update.exchange_order_id) == (Report.ACCEPTED, None)


def test_an_unmatched_immediate_order_has_expired(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    text = "Order could not immediately match against any resting orders. asset=1"
    _, update = walk(connector.place_flow(make_order(tif=TimeInForce.IOC)), statuses({"error": text}))
    assert (update.report, update.reason, update.venue_code) == (Report.EXPIRED, "ioc_unmatched", "ioc_unmatched")
    assert (update.evidence.kind, update.evidence.detail) == ("venue_reply", text)


def test_an_expired_action_never_reached_the_book(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    _, update = walk(connector.place_flow(make_order()), refused("Action already expired"))
    assert (update.report, update.attempt) == (Report.FAILED, 1)
    assert update.evidence.kind == "expired_before_accept"


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (statuses({"error": "Order must have minimum value of $10. asset=1"}), OrderRejected, "min_notional"),
        (
            statuses({"error": "Post only order would have immediately matched, bbo was 1@2. asset=1"}),
            OrderRejected,
            "post_only",
        ),
        (statuses({"error": "Insufficient margin to place order. asset=5"}), OrderRejected, "insufficient_margin"),
        (statuses({"error": "a text of next year"}), OrderRejected, None),
        (refused("Builder fee has not been approved"), OrderRejected, "builder"),
        (refused("Invalid nonce: nonce too high 9 > 8"), OrderRejected, "nonce_too_high"),
        (refused("User or API Wallet 0xabc does not exist."), AuthRejected, "unknown_signer"),
        (refused("L1 error: User or API Wallet 0xabc does not exist."), AuthRejected, "unknown_signer"),
        (refused("Must deposit before performing actions. User: 0xabc"), AuthRejected, "must_deposit"),
        (refused("Vault not registered: 0xabc"), AuthRejected, "unknown_vault"),
        (refused("Unable to recover signer."), AuthRejected, "bad_signature"),
        (refused("Too many cumulative requests sent (2 > 1) for ..."), RateLimited, "address_rate_limit"),
        (refused("Invalid nonce: duplicate nonce 1790000000000"), OutcomeUnknown, "duplicate_nonce"),
        (refused("Invalid nonce: nonce too low 1 < 2"), OutcomeUnknown, "nonce_too_low"),
        (refused("L1 error: Invalid nonce: duplicate nonce 1"), OutcomeUnknown, "duplicate_nonce"),
        (refused("Nonce rejected, in words of next year"), OutcomeUnknown, None),
        (reply(b"null", status=429), RateLimited, "429"),
        (reply(b"Failed to deserialize the JSON body into the target type", status=422), OrderRejected, "422"),
        (reply(b"Failed to parse the request body as JSON", status=400), OrderRejected, "400"),
        (reply(b"null", status=500), ReplyLost, "500"),
        (reply(b"<html>bad gateway</html>", status=502), ReplyLost, "502"),
        (reply(b"", status=301), ProtocolError, None),
        (reply(b"<html>200 from a proxy</html>"), ProtocolError, None),
        (reply(b""), ProtocolError, None),
        (reply(b'{"status":"ok"'), ProtocolError, None),
        (reply(b"null"), ProtocolError, None),
        ({"status": "maybe", "response": "x"}, ProtocolError, None),
        ({"status": "ok", "response": "x"}, ProtocolError, None),
        ({"status": "err", "response": {"type": "default"}}, ProtocolError, None),
        (DONE, ProtocolError, None),
        (statuses(), ProtocolError, None),
        (statuses({"resting": {"oid": 1}}, {"resting": {"oid": 2}}), ProtocolError, None),
        (statuses("success"), ProtocolError, None),
        (statuses({}), ProtocolError, None),
        (statuses({"resting": {"oid": 1, "cloid": "0x" + "f" * 32}}), ProtocolError, None),
        (statuses({"resting": {"oid": "1"}}), ProtocolError, None),
        (filled("0.0"), ProtocolError, None),
        (filled("NaN"), ProtocolError, None),
        (filled("1_0"), ProtocolError, None),
    ],
    ids=repr,
)
def test_what_a_reply_to_a_placement_proves(
    connector: HyperliquidPerpetual,
    make_order: MakeOrder,
    answer: object,
    error: type[LatentspeedError],
    code: str | None,
) -> None:
    with pytest.raises(error) as caught:
        walk(connector.place_flow(make_order()), answer)
    assert type(caught.value) is error
    if not isinstance(caught.value, ProtocolError):
        assert caught.value.venue_code == code


def test_rate_limits_say_when_to_come_back(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    for answer, wait in (
        (reply(b"null", status=429), 60_000),
        (reply(b"null", status=429, headers={"Retry-After": "7"}), 7_000),
        (refused("Too many cumulative requests sent (2 > 1)"), 10_000),
    ):
        with pytest.raises(RateLimited) as caught:
            walk(connector.place_flow(make_order()), answer)
        assert caught.value.retry_after_ms == wait


def test_delisted_and_unknown_markets_are_refused_unsigned(
    connector: HyperliquidPerpetual, make_order: MakeOrder
) -> None:
    for pair, words in (("MATIC-USD", "delisted"), ("NOPE-USD", "unknown trading pair")):
        with pytest.raises(OrderRefused, match=words):
            next(connector.place_flow(make_order(trading_pair=pair)))


def test_signing_needs_a_key_and_reading_an_account(symbols: SymbolMap, make_order: MakeOrder) -> None:
    made = connector_for(HyperliquidConfig(network="testnet"), symbols)
    for flow in (made.place_flow(make_order()), made.identity_flow(), made.account_flow(), made.open_orders_flow()):
        with pytest.raises(CredentialError):
            next(flow)
    assert json.loads(next(made.book_flow("ETH-USD")).body) == {"type": "l2Book", "coin": "ETH"}


@pytest.mark.parametrize(
    "changes",
    [
        {"tif": TimeInForce.FOK},
        {"tif": TimeInForce.GTD, "expire_s": 60},
        {"expire_s": 60},
        {"order_type": OrderType.STOP, "trigger_price": Decimal(1)},
        {"order_type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal(1)},
        {"trigger_price": Decimal(1)},
        {"post_only": True, "tif": TimeInForce.IOC},
        {"post_only": True, "order_type": OrderType.MARKET},
    ],
)
def test_kinds_the_venue_lacks_are_refused(connector: HyperliquidPerpetual, changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {
        "trading_pair": "ETH-USD",
        "side": TradeType.BUY,
        "order_type": OrderType.LIMIT,
        "amount": Decimal(1),
    }
    connector.check_supported(OrderIntent(**values))
    with pytest.raises(OrderRefused) as caught:
        connector.check_supported(OrderIntent(**{**values, **changes}))
    assert caught.value.exit_code == 3


# Cancelling and fencing


def cancel_statuses(item: object) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": "cancel", "data": {"statuses": [item]}}}


def test_a_cancel_goes_by_the_venues_id_or_by_cloid(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    for changes, action in (
        ({"exchange_order_id": "77"}, {"type": "cancel", "cancels": [{"a": 1, "o": 77}], "f": True}),
        ({}, {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": CLOID}], "f": True}),
        ({"exchange_order_id": "77", "is_external": True}, {"type": "cancel", "cancels": [{"a": 1, "o": 77}]}),
    ):
        flow = connector.cancel_flow(make_order(**changes), nonce=1_790_000_000_001, attempt=3)
        asked, update = walk(flow, cancel_statuses("success"))
        assert asked[0]["action"] == action
        assert asked[0]["nonce"] == 1_790_000_000_001
        assert (update.report, update.attempt, update.evidence.kind) == (Report.CANCELLED, 3, "venue_reply")


@pytest.mark.parametrize(
    "text", ["Order was never placed, already canceled, or filled. asset=1", "a text of next year"]
)
def test_a_refused_cancel_proves_nothing(connector: HyperliquidPerpetual, make_order: MakeOrder, text: str) -> None:
    flow = connector.cancel_flow(make_order(), nonce=1, attempt=2)
    _, update = walk(flow, cancel_statuses({"error": text}))
    assert (update.report, update.attempt, update.reason) == (Report.CANCEL_REFUSED, 2, text)
    assert update.evidence is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused("User or API Wallet 0xabc does not exist."), AuthRejected),
        (refused("Invalid nonce: duplicate nonce 1"), OutcomeUnknown),
        (refused("Too many cumulative requests sent"), RateLimited),
        (cancel_statuses("perhaps"), ProtocolError),
        (reply(b"null", status=503), ReplyLost),
    ],
)
def test_cancels_that_are_not_answered(
    connector: HyperliquidPerpetual, make_order: MakeOrder, answer: object, error: type[LatentspeedError]
) -> None:
    with pytest.raises(error):
        walk(connector.cancel_flow(make_order(), nonce=1, attempt=2), answer)


@pytest.mark.parametrize(
    ("answer", "burned", "used", "may_have_landed"),
    [
        (DONE, True, False, False),
        (refused("Invalid nonce: nonce too low 1 < 2"), True, False, True),
        (refused("Invalid nonce: duplicate nonce 1"), False, True, False),
        (refused("a text of next year"), False, False, False),
        (refused("L1 error: Invalid nonce: duplicate nonce 1"), False, True, False),
        (refused("Nonce rejected, in words of next year"), False, False, False),
    ],
)
def test_fencing(
    connector: HyperliquidPerpetual,
    make_order: MakeOrder,
    answer: object,
    burned: bool,
    used: bool,
    may_have_landed: bool,
) -> None:
    asked, verdict = walk(connector.fence_flow(make_order()), answer)
    assert (asked[0]["action"], asked[0]["nonce"]) == ({"type": "noop"}, 1_790_000_000_000)
    assert (verdict.burned, verdict.used, verdict.may_have_landed) == (burned, used, may_have_landed)


def test_a_fence_that_was_not_understood_shows_nothing(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    for answer, error in (
        (statuses("success"), ProtocolError),
        (refused("Too many cumulative requests sent"), RateLimited),
        (refused("User or API Wallet 0xabc does not exist."), AuthRejected),
    ):
        with pytest.raises(error):
            walk(connector.fence_flow(make_order()), answer)


# Asking about orders


def full_order(**changes: Any) -> dict[str, Any]:
    return {
        "coin": "ETH",
        "side": "B",
        "limitPx": "100.0",
        "sz": "0.0",
        "oid": 7,
        "timestamp": 1_790_000_000_000,
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": False,
        "orderType": "Limit",
        "origSz": "100.0",
        "tif": "Gtc",
        "cloid": CLOID,
        "aMemberOfNextYear": {"x": 1},
        **changes,
    }


def record(status: str, **changes: Any) -> dict[str, Any]:
    order = {"order": full_order(**changes), "status": status, "statusTimestamp": 1_790_000_000_500}
    return {"status": "order", "order": order}


@pytest.mark.parametrize(
    ("status", "report", "reason"),
    [
        ("open", Report.ACCEPTED, None),
        ("triggered", Report.ACCEPTED, "triggered"),
        ("filled", Report.FILLED, None),
        ("canceled", Report.CANCELLED, "canceled"),
        ("scheduledCancel", Report.CANCELLED, "scheduledCancel"),
        ("internalCancel", Report.CANCELLED, "internalCancel"),
        ("marginCanceled", Report.CANCELLED, "marginCanceled"),
        ("someNewCanceled", Report.CANCELLED, "someNewCanceled"),
        ("iocCancelRejected", Report.EXPIRED, "ioc_unmatched"),
        ("marketOrderNoLiquidityRejected", Report.EXPIRED, "ioc_unmatched"),
        ("rejected", Report.FAILED, "rejected"),
        ("badAloPxRejected", Report.FAILED, "badAloPxRejected"),
        ("someCancelRejected", Report.FAILED, "someCancelRejected"),
        ("evaporated", Report.NOTE, "evaporated"),
    ],
)
def test_order_statuses(
    connector: HyperliquidPerpetual, make_order: MakeOrder, status: str, report: Report, reason: str | None
) -> None:
    asked, (update,) = walk(connector.order_status_flow(make_order()), record(status))
    assert asked == [{"type": "orderStatus", "user": K1_ADDRESS, "oid": CLOID}]
    assert (update.report, update.reason, update.venue_code) == (report, reason, status)
    assert (update.exchange_order_id, update.venue_client_id) == ("7", CLOID)
    assert (update.side, update.amount, update.price) == (TradeType.BUY, Decimal(100), Decimal(100))
    assert (update.ts_ns, update.created_ts_ns) == (1_790_000_000_500_000_000, 1_790_000_000_000_000_000)
    final = report not in (Report.ACCEPTED, Report.NOTE)
    assert (update.evidence is not None) is final
    assert update.venue_filled_amount == (Decimal(100) if status == "filled" else None)


def test_status_goes_by_the_venues_id_when_it_is_known(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    asked, found = walk(connector.order_status_flow(make_order(exchange_order_id="7")), {"status": "unknownOid"})
    assert asked[0]["oid"] == 7
    assert found == ()


def fill(**changes: Any) -> dict[str, Any]:
    return {
        "coin": "ETH",
        "px": "99.5",
        "sz": "40.0",
        "side": "B",
        "time": 1_790_000_000_000,
        "startPosition": "0.0",
        "dir": "Open Long",
        "closedPnl": "0.0",
        "hash": "0x00",
        "oid": 7,
        "crossed": True,
        "fee": "-0.5",
        "tid": 1,
        "cloid": CLOID,
        "feeToken": "USDC",
        "twapId": None,
        **changes,
    }


def test_how_much_of_an_immediate_order_was_filled_comes_from_its_fills(
    connector: HyperliquidPerpetual, make_order: MakeOrder
) -> None:
    """The venue calls it filled with nothing remaining, whatever the book held."""
    order = make_order(tif=TimeInForce.IOC)
    asked, (update,) = walk(
        connector.order_status_flow(order),
        record("filled", tif="Ioc", sz="0.0"),
        [fill(), fill(tid=2, sz="2.5"), fill(tid=3, oid=99, sz="50.0")],
    )
    assert asked[1] == {
        "type": "userFillsByTime",
        "user": K1_ADDRESS,
        "startTime": 1_790_000_000_000,
        "endTime": 1_790_000_000_500,
    }
    assert (update.report, update.venue_filled_amount) == (Report.FILLED, Decimal("42.5"))
    _, (unknown,) = walk(connector.order_status_flow(order), record("filled", tif="Ioc"), [])
    assert unknown.venue_filled_amount is None


def test_an_unknown_answer_about_an_order_is_loud(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    with pytest.raises(ProtocolError):
        walk(connector.order_status_flow(make_order()), {"status": "perhaps"})


def test_open_orders(connector: HyperliquidPerpetual) -> None:
    rows = [
        full_order(sz="60.0"),
        full_order(oid=8, sz="60.0", reduceOnly=True, cloid=None),
        full_order(oid=9, coin="@107", isTrigger=True, orderType="Stop Market", triggerPx="90.0", tif=None),
        full_order(oid=10, sz="NaN"),
    ]
    asked, (partly, reduce_only, trigger) = walk(connector.open_orders_flow(), rows)
    assert asked == [{"type": "frontendOpenOrders", "user": K1_ADDRESS}]
    assert (partly.report, partly.venue_filled_amount, partly.amount) == (Report.ACCEPTED, Decimal(40), Decimal(100))
    assert (reduce_only.venue_filled_amount, reduce_only.reduce_only) == (None, True)
    assert (trigger.trading_pair, trigger.reason) == ("@107", "trigger order: Stop Market at 90.0")
    with pytest.raises(ProtocolError):
        walk(connector.open_orders_flow(), rows[-1:])


def test_ended_orders(connector: HyperliquidPerpetual) -> None:
    rows = [
        {"order": full_order(oid=9), "status": "canceled", "statusTimestamp": 1_790_000_000_700},
        {"order": full_order(oid=8, sz="0.0"), "status": "filled", "statusTimestamp": 1_790_000_000_600},
        {"order": full_order(oid=9), "status": "open", "statusTimestamp": 1_790_000_000_600},
        {"order": full_order(oid=7), "status": "canceled", "statusTimestamp": 1_790_000_000_500},
    ]
    asked, (first, second) = walk(connector.ended_orders_flow(1_790_000_000_600_000_000), rows)
    assert asked == [{"type": "historicalOrders", "user": K1_ADDRESS}]
    assert (first.exchange_order_id, first.report, first.amount) == ("8", Report.FILLED, Decimal(100))
    assert (second.exchange_order_id, second.report) == ("9", Report.CANCELLED)


def test_fills(connector: HyperliquidPerpetual) -> None:
    rows = [fill(tid=2, time=1_790_000_000_001, crossed=False, coin="NEW"), fill()]
    asked, (first, second) = walk(connector.fills_flow(1_790_000_000_000_999_999), rows)
    assert asked == [{"type": "userFillsByTime", "user": K1_ADDRESS, "startTime": 1_790_000_000_000}]
    assert (first.fee, first.fee_currency, first.liquidity.value) == (Decimal("-0.5"), "USDC", "taker")
    assert (first.trading_pair, first.exchange_order_id, first.venue_client_id) == ("ETH-USD", "7", CLOID)
    assert (second.liquidity.value, second.trading_pair) == ("maker", "NEW")
    assert first.received_ts_ns == RECEIVED_NS


def test_pages_of_fills_overlap_and_are_joined(connector: HyperliquidPerpetual) -> None:
    start = 1_790_000_000_000
    rows = [fill(time=start + n // 2, tid=n) for n in range(4500)]
    asked, found = walk(connector.fills_flow(start * 1_000_000), rows[:2000], rows[1998:3998], rows[3996:], [])
    assert [ask["startTime"] for ask in asked] == [start, start + 999, start + 1998]
    assert len(found) == 4500
    assert sum(item.amount for item in found) == 4500 * 40


NONSENSE = (
    {"px": "NaN"},
    {"sz": "-40.0"},
    {"side": "X"},
    {"liquidation": {"markPx": "1"}},
    {"time": 1_790_000_000_000_000_000},  # of another unit: no journal could hold it in nanoseconds
    {"time": -1},
)


@pytest.mark.parametrize("odd", NONSENSE)
def test_a_fill_that_makes_no_sense_hides_no_other(connector: HyperliquidPerpetual, odd: dict[str, Any]) -> None:
    _, found = walk(connector.fills_flow(0), [fill(), fill(tid=2, **odd), fill(tid=3)])
    assert len(found) == 2
    with pytest.raises(ProtocolError):
        walk(connector.fills_flow(0), [fill(**odd)])


def test_fills_are_added_up_only_when_all_of_them_make_sense(
    connector: HyperliquidPerpetual, make_order: MakeOrder
) -> None:
    order = make_order(tif=TimeInForce.IOC)
    said = record("filled", tif="Ioc", sz="0.0")
    _, (update,) = walk(connector.order_status_flow(order), said, [fill(), fill(tid=2)])
    assert update.venue_filled_amount == 80
    with pytest.raises(ProtocolError):
        walk(connector.order_status_flow(order), said, [fill(), fill(tid=2, px="NaN")])


def test_what_only_reduces_is_filled_for_what_its_fills_say(
    connector: HyperliquidPerpetual, make_order: MakeOrder
) -> None:
    """The venue cuts it to the position, and goes on showing the size it was sent with."""
    order = make_order(reduce_only=True)
    said = record("filled", reduceOnly=True, sz="0.0")
    _, (update,) = walk(connector.order_status_flow(order), said, [fill(), fill(oid=9)])
    assert (update.report, update.venue_filled_amount) == (Report.FILLED, Decimal(40))


@pytest.mark.parametrize(
    "odd", [{"side": "X"}, {"limitPx": "-Infinity"}, {"timestamp": 10**19}, {"cloid": 7}, {"origSz": "-1"}]
)
def test_an_order_that_makes_no_sense_hides_no_other(connector: HyperliquidPerpetual, odd: dict[str, Any]) -> None:
    good, bad = record("canceled")["order"], record("canceled", **odd)["order"]
    _, found = walk(connector.ended_orders_flow(0), [bad, good])
    assert [update.report for update in found] == [Report.CANCELLED]
    _, found = walk(connector.open_orders_flow(), [bad["order"], good["order"]])
    assert [update.report for update in found] == [Report.ACCEPTED]


def test_pages_that_do_not_move_on_are_loud(connector: HyperliquidPerpetual) -> None:
    rows = [fill(tid=n) for n in range(2000)]
    with pytest.raises(ProtocolError, match="do not end"):
        walk(connector.fills_flow(1_790_000_000_000 * 1_000_000), rows, rows)


def test_two_fills_with_one_trade_id_are_two(connector: HyperliquidPerpetual) -> None:
    _, found = walk(connector.fills_flow(0), [fill(), fill(oid=8), fill(), fill(tid=0), fill(tid=0, coin="BTC")])
    assert len({item.fill_id for item in found}) == len(found) == 4


# Account and identity


STATE = {
    "marginSummary": {
        "accountValue": "38252.7",
        "totalNtlPos": "377667.0",
        "totalRawUsd": "-339414.3",
        "totalMarginUsed": "37766.7",
    },
    "crossMarginSummary": {
        "accountValue": "38252.7",
        "totalNtlPos": "377667.0",
        "totalRawUsd": "-339414.3",
        "totalMarginUsed": "37766.7",
    },
    "crossMaintenanceMarginUsed": "4720.8375",
    "withdrawable": "486.0",
    "assetPositions": [
        {
            "type": "oneWay",
            "position": {
                "coin": "BTC",
                "szi": "-4.5",
                "leverage": {"type": "cross", "value": 10},
                "entryPx": "81285.0",
                "positionValue": "377667.0",
                "unrealizedPnl": "11884.306507",
                "returnOnEquity": "0.3",
                "liquidationPx": None,
                "marginUsed": "37766.7",
                "maxLeverage": 40,
                "cumFunding": {"allTime": "982.43637", "sinceOpen": "982.43637", "sinceChange": "0.0"},
            },
        }
    ],
    "time": 1_790_360_864_964,
}


def test_account_state(connector: HyperliquidPerpetual) -> None:
    spot = {"balances": [{"coin": "USDC", "token": 0, "total": "19.5", "hold": "0.5", "entryNtl": "0.0"}]}
    asked, state = walk(connector.account_flow(), STATE, spot)
    assert [ask["type"] for ask in asked] == ["clearinghouseState", "spotClearinghouseState"]
    assert (state.account, state.account_value, state.withdrawable) == (K1_ADDRESS, Decimal("38252.7"), Decimal(486))
    assert [(b.currency, b.total, b.available) for b in state.balances] == [
        ("USDC", Decimal("38252.7"), Decimal(486)),
        ("spot:USDC", Decimal("19.5"), Decimal(19)),
    ]
    (position,) = state.positions
    assert (position.trading_pair, position.amount, position.liquidation_price) == ("BTC-USD", Decimal("-4.5"), None)
    assert (position.leverage, position.margin) == (Decimal(10), "cross")
    assert state.ts_ns == 1_790_360_864_964_000_000


def agent_of(address: str) -> dict[str, Any]:
    return {"role": "agent", "data": {"user": address}}


@pytest.mark.parametrize(
    ("settings", "answers"),
    [
        ({}, [{"role": "user"}]),
        ({"account": K1_ADDRESS}, [{"role": "user"}]),
        ({"account": MASTER}, [agent_of(MASTER)]),
        ({"account": MASTER}, [agent_of(MASTER.upper().replace("0X", "0x"))]),
        ({"vault": VAULT}, [{"role": "user"}, {"role": "subAccount", "data": {"master": K1_ADDRESS}}]),
        ({"vault": VAULT}, [{"role": "user"}, {"role": "vault"}]),
        ({"account": MASTER, "vault": VAULT}, [agent_of(MASTER), {"role": "subAccount", "data": {"master": MASTER}}]),
    ],
)
def test_keys_that_may_act(symbols: SymbolMap, settings: dict[str, Any], answers: list[Any]) -> None:
    made = connector_for(HyperliquidConfig(network="testnet", key=Secret(K1), **settings), symbols)
    asked, result = walk(made.identity_flow(), *answers)
    assert asked[0] == {"type": "userRole", "user": K1_ADDRESS}
    assert result is None


@pytest.mark.parametrize(
    ("settings", "answers", "words"),
    [
        ({}, [{"role": "missing"}], "does not know"),
        ({}, [agent_of(MASTER)], f"agent of {MASTER}"),
        ({"account": MASTER}, [{"role": "user"}], "no agent"),
        ({"account": MASTER}, [{"role": "missing"}], "no agent"),
        ({"account": MASTER}, [agent_of(VAULT)], f"agent of {VAULT}"),
        ({"vault": VAULT}, [{"role": "user"}, {"role": "subAccount", "data": {"master": MASTER}}], "neither"),
        ({"vault": VAULT}, [{"role": "user"}, {"role": "missing"}], "neither"),
    ],
)
def test_keys_that_may_not(symbols: SymbolMap, settings: dict[str, Any], answers: list[Any], words: str) -> None:
    made = connector_for(HyperliquidConfig(network="testnet", key=Secret(K1), **settings), symbols)
    with pytest.raises(AuthRejected, match=words) as caught:
        walk(made.identity_flow(), *answers)
    assert caught.value.exit_code == 7


def test_leverage(connector: HyperliquidPerpetual) -> None:
    asked, _ = walk(connector.leverage_flow("ETH-USD", 10, cross=True, nonce=5), DONE)
    assert asked[0]["action"] == {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 10}
    for impossible in (0, 26):
        with pytest.raises(OrderRefused):
            next(connector.leverage_flow("ETH-USD", impossible, cross=True, nonce=5))
    with pytest.raises(OrderRejected):
        walk(connector.leverage_flow("ETH-USD", 10, cross=False, nonce=5), refused("Invalid leverage value"))
    said = {
        "user": K1_ADDRESS,
        "coin": "ETH",
        "leverage": {"type": "isolated", "value": 3, "rawUsd": "1.0"},
        "maxTradeSzs": ["1.0", "1.0"],
        "availableToTrade": ["1.0", "1.0"],
        "markPx": "100.0",
    }
    assert walk(connector.read_leverage_flow("ETH-USD"), said)[1] == (Decimal(3), "isolated")


# Market data


def test_book(connector: HyperliquidPerpetual) -> None:
    level = {"px": "113377.0", "sz": "7.6699", "n": 17}
    said = {"coin": "ETH", "time": 1_754_450_974_231, "levels": [[level], []], "spread": "1.0"}
    _, book = walk(connector.book_flow("ETH-USD"), said)
    assert (book.trading_pair, book.ts_ns, book.asks) == ("ETH-USD", 1_754_450_974_231_000_000, ())
    assert (book.bids[0].price, book.bids[0].amount, book.bids[0].count) == (Decimal(113377), Decimal("7.6699"), 17)
    with pytest.raises(OrderRefused):
        walk(connector.book_flow("ETH-USD"), reply(b"null"))


@pytest.mark.parametrize("body", [b"[]", b'{"coin":"ETH"}', b"garbage", b"\xff\xfe", b"[" * 100_000, b'{"levels":NaN}'])
def test_unreadable_answers_are_protocol_errors(connector: HyperliquidPerpetual, body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        walk(connector.book_flow("ETH-USD"), reply(body))
    assert caught.value.exit_code == 17
    assert caught.value.payload == body[:512]


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (422, ProtocolError), (500, ReplyLost)])
def test_statuses_of_reads(connector: HyperliquidPerpetual, status: int, error: type[LatentspeedError]) -> None:
    with pytest.raises(error):
        walk(connector.markets_flow(), reply(b"null", status=status))


CONTEXT = {
    "funding": "0.0000125",
    "openInterest": "36851.8675",
    "prevDayPx": "76890.0",
    "dayNtlVlm": "3468613046.26",
    "premium": None,
    "oraclePx": "75965.0",
    "markPx": "75933.0",
    "midPx": None,
    "impactPxs": None,
    "dayBaseVlm": "45712.29841",
}


def test_contexts(connector: HyperliquidPerpetual) -> None:
    meta = {"universe": [{"name": name, "szDecimals": 2, "maxLeverage": 5} for name in ("BTC", "ETH")]}
    second = {**CONTEXT, "markPx": "2.0"}
    _, (eth, btc) = walk(connector.context_flow(["ETH-USD", "BTC-USD"]), [meta, [CONTEXT, second]])
    assert (eth.trading_pair, eth.mark_price, btc.mark_price) == ("ETH-USD", Decimal(2), Decimal(75933))
    assert (btc.mid_price, btc.funding_rate, btc.index_price) == (None, Decimal("0.0000125"), Decimal(75965))
    with pytest.raises(ProtocolError):
        walk(connector.context_flow(["ETH-USD"]), [meta, [CONTEXT]])


def test_trades_are_told_oldest_first(connector: HyperliquidPerpetual) -> None:
    rows: list[dict[str, Any]] = [
        {"coin": "ETH", "side": "A", "px": "2.0", "sz": "1.0", "time": time, "hash": "0x", "tid": time, "users": []}
        for time in (3, 1, 2)
    ]
    _, trades = walk(connector.trades_flow("ETH-USD"), rows)
    assert [trade.trade_id for trade in trades] == ["1", "2", "3"]
    assert trades[0].side is TradeType.SELL


def test_candles_page(connector: HyperliquidPerpetual) -> None:
    def row(time: int) -> dict[str, Any]:
        prices = {"o": "1.0", "c": "1.5", "h": "2.0", "l": "0.5", "v": "3.0", "n": 4}
        return {"t": time, "T": time + 59_999, "s": "ETH", "i": "1m", **prices}

    rows = [row(60_000 * n) for n in range(700)]
    asked, candles = walk(connector.candles_flow("ETH-USD", "1m", 0, 700 * 60_000 * 1_000_000), rows[:500], rows[499:])
    assert [ask["req"]["startTime"] for ask in asked] == [0, 499 * 60_000]
    assert [candle.open_ts_ns for candle in candles] == [60_000_000_000 * n for n in range(700)]
    assert (candles[0].high, candles[0].low, candles[0].trades) == (Decimal(2), Decimal("0.5"), 4)
    # A whole page up to what was wanted is not asked for again.
    asked, candles = walk(connector.candles_flow("ETH-USD", "1m", 0, 700 * 60_000 * 1_000_000 - 1), rows)
    assert (len(asked), len(candles)) == (1, 700)
    with pytest.raises(OrderRefused):
        next(connector.candles_flow("ETH-USD", "7m", 0, 1))


# Together with core


def test_a_partly_filled_market_order_ends_expired(connector: HyperliquidPerpetual, make_order: MakeOrder) -> None:
    from latentspeed_cli.core.order_state import learn

    order = make_order(order_type=OrderType.MARKET)
    _, update = walk(connector.place_flow(order), filled("40"))
    facts = learn(order.facts, update)
    assert state_of(facts, order.amount, is_ioc=True) is OrderState.EXPIRED
    _, fills = walk(connector.fills_flow(0), [fill(oid=8)])
    for item in fills:
        facts = learn(facts, item)
    assert (facts.executed, state_of(facts, order.amount, is_ioc=True)) == (Decimal(40), OrderState.EXPIRED)
