"""What rows of orders and fills mean: one table, and the laws that hold whatever the order of news."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentspeed_dydx_v4 import decode, decode_orders, identifiers, markets, wire
from latentspeed_dydx_v4.payloads import OrderRow, PerpetualPosition

from latentspeed_cli.connector import answers
from latentspeed_cli.core.order_state import Facts, contradiction, learn, reason_of, state_of
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.types import OrderState, TradeType
from latentspeed_cli.errors import ProtocolError

from .reading import ORDER_ID, RECEIVED_NS, SUBACCOUNT_ID, SYMBOLS, fill_row, order_row, raw

R = Report
AMOUNT = Decimal("0.003")


def row(**changes: Any) -> OrderRow:
    found: OrderRow = answers.shape(raw(order_row(**changes)), OrderRow)
    return found


def told(**changes: Any) -> OrderUpdate:
    return decode_orders.order_update(row(**changes), SYMBOLS, RECEIVED_NS)


def over(**changes: Any) -> OrderUpdate:
    return decode_orders.order_over(row(**changes), SYMBOLS, RECEIVED_NS, height=1001)


def reason(name: str) -> str:
    return "ORDER_REMOVAL_REASON_" + name


# status, other members -> report, reason
TABLE: list[tuple[dict[str, Any], Report, str | None]] = [
    ({"status": "BEST_EFFORT_OPENED", "totalFilled": ...}, R.ACCEPTED, None),
    ({"status": "OPEN"}, R.ACCEPTED, None),
    ({"status": "UNTRIGGERED", "orderFlags": "32"}, R.ACCEPTED, "untriggered"),
    ({"status": "FILLED", "totalFilled": "0.003"}, R.FILLED, None),
    ({"status": "BEST_EFFORT_CANCELED"}, R.NOTE, "ending"),
    ({"status": "BEST_EFFORT_CANCELED", "removalReason": reason("USER_CANCELED")}, R.NOTE, "ending"),
    ({"status": "BEST_EFFORT_CANCELED", "totalOptimisticFilled": "0.003"}, R.NOTE, "ending"),
    ({"status": "BEST_EFFORT_CANCELED", "removalReason": reason("REPLACED")}, R.NOTE, "replaced"),
    ({"status": "CANCELED", "removalReason": reason("USER_CANCELED")}, R.CANCELLED, "user_canceled"),
    ({"status": "CANCELED", "removalReason": "USER_CANCELED"}, R.CANCELLED, "user_canceled"),
    ({"status": "CANCELED", "removalReason": reason("UNDERCOLLATERALIZED")}, R.CANCELLED, "undercollateralized"),
    ({"status": "CANCELED", "removalReason": reason("SELF_TRADE_ERROR")}, R.CANCELLED, "self_trade_error"),
    ({"status": "CANCELED", "removalReason": reason("REDUCE_ONLY_RESIZE")}, R.CANCELLED, "reduce_only_resize"),
    (
        {"status": "CANCELED", "removalReason": reason("POST_ONLY_WOULD_CROSS_MAKER_ORDER")},
        R.CANCELLED,
        "post_only_would_cross",
    ),
    ({"status": "CANCELED", "removalReason": reason("EQUITY_TIER")}, R.CANCELLED, "equity_tier"),
    ({"status": "CANCELED", "removalReason": reason("FINAL_SETTLEMENT")}, R.CANCELLED, "final_settlement"),
    ({"status": "CANCELED", "removalReason": reason("SOMETHING_NEW")}, R.CANCELLED, "something_new"),
    ({"status": "CANCELED", "removalReason": reason("EXPIRED")}, R.EXPIRED, "expired"),
    ({"status": "CANCELED", "removalReason": reason("INDEXER_EXPIRED")}, R.EXPIRED, "expired"),
    ({"status": "CANCELED", "timeInForce": "IOC"}, R.EXPIRED, None),
    ({"status": "CANCELED", "removalReason": reason("UNSPECIFIED"), "timeInForce": "IOC"}, R.EXPIRED, None),
    ({"status": "CANCELED"}, R.EXPIRED, "expired"),
    ({"status": "CANCELED", "removalReason": reason("INTERNAL_ERROR")}, R.FAILED, "internal_error"),
    (
        {"status": "CANCELED", "removalReason": reason("INTERNAL_ERROR"), "createdAtHeight": "990"},
        R.CANCELLED,
        "internal_error",
    ),
    ({"status": "ERROR"}, R.FAILED, "error"),
    ({"status": "EVAPORATED"}, R.NOTE, "EVAPORATED"),
]
LONG_TERM = {"orderFlags": "64", "goodTilBlock": ..., "goodTilBlockTime": "2025-07-28T17:30:52.000Z"}


@pytest.mark.parametrize(("changes", "report", "why"), TABLE)
def test_what_a_status_means(changes: dict[str, Any], report: Report, why: str | None) -> None:
    update = told(**changes)
    assert (update.report, update.reason, update.exchange_order_id) == (report, why, ORDER_ID)
    is_final = report in (R.FILLED, R.CANCELLED, R.EXPIRED, R.FAILED)
    assert (update.evidence is not None) == is_final
    assert update.venue_code == changes["status"]


def test_an_immediate_order_that_would_rest_has_expired() -> None:
    update = told(status="CANCELED", timeInForce="IOC", removalReason=reason("IMMEDIATE_OR_CANCEL_WOULD_REST_ON_BOOK"))
    assert update.report is R.EXPIRED


@pytest.mark.parametrize(
    ("updated", "report"),
    [("2025-07-28T17:30:51.999Z", R.CANCELLED), ("2025-07-28T17:30:52.000Z", R.EXPIRED)],
)
def test_a_long_term_order_without_a_reason_is_judged_by_its_time(updated: str, report: Report) -> None:
    assert told(status="CANCELED", updatedAt=updated, **LONG_TERM).report is report


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "post_only_would_cross"),
        ({"updatedAtHeight": "992"}, "canceled"),
        ({"updatedAtHeight": "990"}, "canceled"),
        ({"postOnly": False}, "canceled"),
        ({"totalFilled": "0.001"}, "canceled"),
        ({"createdAtHeight": ...}, "canceled"),
    ],
)
def test_what_must_not_take_was_turned_away_in_the_block_after_its_own(changes: dict[str, Any], why: str) -> None:
    """Answers of the REST API give no reason."""
    row = {"postOnly": True, "createdAtHeight": "990", "updatedAtHeight": "991", "totalFilled": "0", **LONG_TERM}
    update = told(**{"status": "CANCELED", "updatedAt": "2025-07-01T00:00:00.000Z", **row, **changes})
    assert (update.report, update.reason) == (R.CANCELLED, why)


def test_a_removal_that_carries_little_more_than_ids() -> None:
    changes = dict.fromkeys(
        ("side", "size", "totalFilled", "price", "type", "timeInForce", "postOnly", "reduceOnly", "goodTilBlock"), ...
    )
    update = told(status="CANCELED", removalReason=reason("EXPIRED"), clientMetadata=..., **changes)
    assert (update.report, update.trading_pair, update.venue_client_id) == (R.EXPIRED, "ETH-USD", None)
    assert [update.amount, update.side, update.venue_filled_amount] == [None, None, None]


def test_a_note_says_of_no_order_what_it_is() -> None:
    update = told(status="BEST_EFFORT_CANCELED")
    assert [update.side, update.amount, update.price] == [None, None, None]


def test_the_market_by_its_number_where_no_name_is_given() -> None:
    assert told(ticker=...).trading_pair == "ETH-USD"
    assert told(ticker=..., clobPairId="7").trading_pair == ""
    assert told(ticker="NEW-USD").trading_pair == "NEW-USD"


def test_no_time_of_its_own_is_the_time_of_hearing_it() -> None:
    assert told(updatedAt=...).ts_ns == RECEIVED_NS
    assert told(updatedAt="2024-08-01T07:09:25.767Z").ts_ns == 1_722_496_165_767_000_000


# How short-term orders end of which nobody speaks any more


@pytest.mark.parametrize(
    ("changes", "report", "why"),
    [
        ({"timeInForce": "IOC"}, R.EXPIRED, None),
        ({"timeInForce": "GTT"}, R.CANCELLED, "canceled"),
        ({"removalReason": reason("USER_CANCELED")}, R.CANCELLED, "user_canceled"),
        ({"removalReason": reason("EXPIRED")}, R.EXPIRED, "expired"),
        ({"removalReason": reason("REPLACED")}, R.NOTE, "replaced"),
        ({"status": "OPEN", "totalFilled": "0.001"}, R.EXPIRED, "expired"),
        ({"status": "BEST_EFFORT_OPENED"}, R.EXPIRED, "expired"),
    ],
)
def test_past_its_last_block(changes: dict[str, Any], report: Report, why: str | None) -> None:
    update = over(**{"status": "BEST_EFFORT_CANCELED", **changes})
    assert (update.report, update.reason) == (report, why)
    if report is not R.NOTE:
        assert update.evidence is not None
        assert update.evidence.kind == "block_limit_passed"


# From news to states


def fill(number: int, size: str) -> TradeUpdate:
    (found,) = decode_orders.trade_updates([raw(fill_row(number, size=size))], SYMBOLS, RECEIVED_NS)
    return found


def settled(news: list[OrderUpdate | TradeUpdate], *, is_ioc: bool) -> Facts:
    facts = Facts(attempts=frozenset({1}))
    for item in news:
        facts = learn(facts, item)
    assert contradiction(facts, AMOUNT) is None
    assert state_of(facts, AMOUNT, is_ioc=is_ioc)
    return facts


IOC = {"timeInForce": "IOC"}
STORIES: dict[str, tuple[list[OrderUpdate | TradeUpdate], bool, OrderState, str | None]] = {
    "cancelled, then filled": (
        [told(status="CANCELED", removalReason=reason("USER_CANCELED")), fill(1, "0.001"), fill(2, "0.002")],
        False,
        OrderState.FILLED,
        None,
    ),
    "gossip cancels what the chain fills": (
        [
            told(status="BEST_EFFORT_OPENED", **IOC),
            told(status="BEST_EFFORT_CANCELED", totalOptimisticFilled="0", **IOC),
            told(status="FILLED", totalFilled="0.003", **IOC),
            fill(1, "0.003"),
        ],
        True,
        OrderState.FILLED,
        None,
    ),
    "a partly filled immediate order, and gossip after it": (
        [
            told(status="CANCELED", totalFilled="0.001", **IOC),
            fill(1, "0.001"),
            told(status="BEST_EFFORT_OPENED", **IOC),
            told(status="BEST_EFFORT_CANCELED", totalOptimisticFilled="0", **IOC),
        ],
        True,
        OrderState.EXPIRED,
        "ioc_remainder",
    ),
    "an immediate order that met nobody": (
        [
            told(status="BEST_EFFORT_OPENED", **IOC),
            told(status="BEST_EFFORT_CANCELED", **IOC),
            over(status="BEST_EFFORT_CANCELED", **IOC),
        ],
        True,
        OrderState.EXPIRED,
        "ioc_unmatched",
    ),
    "gossip that calls it filled proves nothing": (
        [
            told(status="BEST_EFFORT_OPENED"),
            told(status="BEST_EFFORT_CANCELED", totalOptimisticFilled="0.003"),
        ],
        False,
        OrderState.OPEN,
        None,
    ),
    "a reduce-only remainder": (
        [told(status="CANCELED", removalReason=reason("REDUCE_ONLY_RESIZE"), **IOC), fill(1, "0.001")],
        True,
        OrderState.EXPIRED,
        "ioc_remainder",
    ),
    "replaced": (
        [
            told(status="BEST_EFFORT_OPENED"),
            told(status="BEST_EFFORT_CANCELED", removalReason=reason("REPLACED")),
            told(status="BEST_EFFORT_OPENED", goodTilBlock="1010"),
        ],
        False,
        OrderState.OPEN,
        None,
    ),
    "a total that falls": (
        [told(totalFilled="0.002"), told(totalFilled="0.001"), fill(1, "0.002")],
        False,
        OrderState.PARTIALLY_FILLED,
        None,
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_whatever_the_order_of_news(story: str) -> None:
    news, is_ioc, state, why = STORIES[story]
    ends = [settled([*order, *order], is_ioc=is_ioc) for order in permutations(news)]
    assert all(facts == ends[0] for facts in ends)
    assert state_of(ends[0], AMOUNT, is_ioc=is_ioc) is state
    assert reason_of(ends[0], AMOUNT, is_ioc=is_ioc) == why


@given(st.lists(st.sampled_from(TABLE), min_size=1, max_size=8))
def test_a_final_state_of_the_chain_outlives_all_gossip(rows: list[tuple[dict[str, Any], Report, str | None]]) -> None:
    final = learn(Facts(), told(status="FILLED", totalFilled="0.003"))
    for changes, _, _ in rows:
        final = learn(final, told(**changes))
    assert state_of(final, AMOUNT, is_ioc=False) is OrderState.FILLED


def test_neither_a_status_nor_a_sum_makes_a_fill() -> None:
    facts = learn(Facts(), told(status="FILLED", totalFilled="0.003"))
    assert (facts.executed, facts.venue_filled) == (Decimal(0), AMOUNT)


# Fills


def fills(*rows: dict[str, Any]) -> list[TradeUpdate]:
    return list(decode_orders.trade_updates([raw(one) for one in rows], SYMBOLS, RECEIVED_NS))


def test_a_fill_is_named_by_its_id() -> None:
    (rest,) = fills(fill_row())
    (streamed,) = fills(fill_row(market=..., ticker="ETH-USD", eventId="011ec83d000000020000000b"))
    assert rest == streamed
    assert (rest.fill_id, rest.exchange_order_id, rest.side) == ("fill-1", ORDER_ID, TradeType.BUY)


def test_without_an_id_the_event_and_the_role_name_it() -> None:
    event = "011ec83d000000020000000b"
    (text,) = fills(fill_row(id=..., eventId=event))
    (buffer,) = fills(fill_row(id=..., eventId={"type": "Buffer", "data": list(bytes.fromhex(event))}))
    assert text.fill_id == buffer.fill_id == "aec07db3-d668-5b77-8508-0f50a28bb303"
    assert identifiers.fill_id(event, "MAKER") != text.fill_id


def test_equal_fills_without_any_id_are_two() -> None:
    rows = [fill_row(id=...), fill_row(id=...), fill_row(id=..., size="0.002")]
    ids = [found.fill_id for found in fills(*rows)]
    assert len(set(ids)) == 3
    assert ids == [found.fill_id for found in fills(*rows)]


def test_a_bad_fill_does_not_hide_the_others() -> None:
    found = decode_orders.trade_updates(
        [raw(fill_row(1)), raw(fill_row(2, price="Infinity")), raw(fill_row(3))], SYMBOLS, RECEIVED_NS
    )
    assert [next(found).fill_id, next(found).fill_id] == ["fill-1", "fill-3"]
    with pytest.raises(ProtocolError):
        next(found)


@pytest.mark.parametrize(
    "changes",
    [{"side": "MIDDLE"}, {"createdAt": "yesterday"}, {"createdAt": "2024-08-01T07:09:25"}, {"size": "-0.1"}],
)
def test_a_fill_that_makes_no_sense_is_loud(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        fills(fill_row(**changes))


@pytest.mark.parametrize("name", ["clientId", "clientMetadata"])
def test_an_id_of_more_than_the_chains_bits_is_loud(name: str) -> None:
    assert told(**{name: str(2**32 - 1)}).report is R.ACCEPTED
    with pytest.raises(ProtocolError):
        told(**{name: str(2**32)})


def test_a_liquidation_is_a_fill_of_no_order() -> None:
    (found,) = fills(fill_row(type="LIQUIDATED", orderId=..., clientMetadata=...))
    assert found.exchange_order_id == ""


# Small things


def test_ids_of_the_indexer() -> None:
    assert identifiers.subaccount_id("dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art", 0) == (
        "8586bcf6-1f58-5ec9-a0bc-e53db273e7b0"
    )
    assert identifiers.order_id(SUBACCOUNT_ID, 2043599281, 1, 0) == ORDER_ID


def test_the_look_of_an_order_id() -> None:
    assert identifiers.is_order_id(ORDER_ID)
    for text in ("123", "a" * 32, ORDER_ID.upper(), ORDER_ID[:-1], ORDER_ID + "\n", ORDER_ID.replace("5ec7", "4ec7")):
        assert not identifiers.is_order_id(text)


@pytest.mark.parametrize("text", ["", "1", "-1", "1-", "1-x", "1-2-3", "\u0661-2", "99999999999-1"])
def test_what_is_no_twin(text: str) -> None:
    assert identifiers.client_ids(text) is None


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_twins_are_read_as_they_are_written(client_id: int, metadata: int) -> None:
    assert identifiers.client_ids(identifiers.venue_client_id(client_id, metadata)) == (client_id, metadata)


@given(st.integers(0, 4_000_000_000_000).map(lambda ms: ms * 1_000_000))
def test_times_are_read_as_they_are_written(ts_ns: int) -> None:
    assert wire.time_ns(wire.iso(ts_ns)) == ts_ns


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59.999Z", "2262-04-12T00:00:00Z", "1969-12-31T23:59:59.999Z"])
def test_times_are_such_that_a_journal_holds_them(text: str) -> None:
    with pytest.raises(ProtocolError):
        wire.time_ns(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "", "\u0661", "1e3", str(2**64), "9" * 40])
def test_counts_are_counts(text: str) -> None:
    with pytest.raises(ProtocolError):
        wire.count(text)


def position(**changes: Any) -> PerpetualPosition:
    values = {"market": "ETH-USD", "status": "OPEN", "side": "SHORT", "size": "-0.5", "entryPrice": "3100"}
    found: PerpetualPosition = answers.shape(raw({**values, **changes}), PerpetualPosition)
    return found


def test_a_short_is_negative_and_its_value_is_not() -> None:
    short = decode.position(position(unrealizedPnl="50"), SYMBOLS)
    assert (short.amount, short.position_value, short.margin) == (Decimal("-0.5"), Decimal(1500), "cross")
    assert (short.leverage, short.margin_used) == (None, None), "the indexer does not tell"
    assert decode.position(position(size="0.5", unrealizedPnl="50"), SYMBOLS) == short
    # Without a profit, as in a frame about a fill, the oracle price of the market list serves.
    assert decode.position(position(), SYMBOLS).position_value == Decimal("0.5") * 3000
    assert decode.position(position(market="APE-USD"), SYMBOLS).margin == "isolated"
    assert decode.position(position(market="NEW-USD"), SYMBOLS).position_value == 0


def test_what_was_set_for_a_market_is_the_margin_of_its_position() -> None:
    """A fraction below the market's own is none: the larger of the two holds."""
    short, eth = decode.position(position(unrealizedPnl="50"), SYMBOLS), SYMBOLS.pair("ETH-USD")
    assert isinstance(eth, markets.DydxV4Market)
    told = [decode.with_leverage(short, eth, ppm) for ppm in (0, 200_000)]
    assert [(one.leverage, one.margin_used) for one in told] == [
        (Decimal(20), Decimal(75)),
        (Decimal(5), Decimal(300)),
    ]
