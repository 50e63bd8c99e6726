"""News in, events out: found by any id, kept when early, told once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.events import (
    ContradictionEvent,
    Event,
    OrderCancelledEvent,
    OrderCompletedEvent,
    OrderCreatedEvent,
    OrderEvent,
    OrderExpiredEvent,
    OrderFailureEvent,
    OrderFilledEvent,
    OrderStateChangedEvent,
    UnmatchedReportEvent,
)
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts, News
from latentspeed_cli.core.order_tracker import ClientOrderTracker
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.types import OrderState, OrderType, TradeType

MakeOrder = Callable[..., InFlightOrder]
MakeReport = Callable[..., OrderUpdate]
MakeFill = Callable[..., TradeUpdate]


@pytest.fixture
def tracker() -> ClientOrderTracker:
    return ClientOrderTracker()


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__.removesuffix("Event") for event in events]


def test_a_whole_life(tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill) -> None:
    assert tracker.start(make_order()) == []
    told = [
        names(tracker.apply(news))
        for news in (
            report(Report.ATTEMPTED, client_order_id="mine", attempt=1),
            report(Report.ACCEPTED, venue_client_id="0xmine", exchange_order_id="77"),
            fill("a"),
            report(Report.CANCEL_ATTEMPTED, client_order_id="mine", attempt=1),
            fill("b"),
        )
    ]
    assert told == [
        ["OrderStateChanged"],
        ["OrderStateChanged", "OrderCreated"],
        ["OrderStateChanged", "OrderFilled"],
        ["OrderStateChanged"],
        ["OrderStateChanged", "OrderFilled", "OrderCompleted"],
    ]
    order = tracker["mine"]
    assert order.state is OrderState.FILLED
    assert order.exchange_order_id == "77"
    assert order.updated_ts_ns == 20


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (Report.FILLED, OrderCompletedEvent),
        (Report.CANCELLED, OrderCancelledEvent),
        (Report.EXPIRED, OrderExpiredEvent),
        (Report.FAILED, OrderFailureEvent),
    ],
)
def test_each_end_has_an_event_with_the_order_after_it(
    kind: Report, event: type[Event], tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport
) -> None:
    tracker.start(make_order())
    told = tracker.apply(report(kind, client_order_id="mine", attempt=1))
    (ended,) = [item for item in told if type(item) is event]
    assert isinstance(ended, OrderEvent)
    assert ended.order is tracker["mine"]
    assert ended.ts_ns == 10
    assert tracker.open_orders() == []


def test_a_state_change_tells_the_state_before(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport
) -> None:
    tracker.start(make_order())
    (event,) = tracker.apply(report(Report.ATTEMPTED, client_order_id="mine", attempt=1))
    assert isinstance(event, OrderStateChangedEvent)
    assert (event.previous, event.order.state) == (OrderState.PENDING_CREATE, OrderState.PENDING_SUBMIT)


def test_every_look_up(tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport) -> None:
    tracker.start(make_order())
    tracker.start(make_order("other"))
    tracker.apply(report(Report.ACCEPTED, client_order_id="mine", exchange_order_id="77"))
    order = tracker["mine"]
    assert tracker.get("mine") is tracker.by_exchange_id("77") is tracker.by_venue_client_id("0xmine") is order
    assert tracker.get("nobody") is tracker.by_exchange_id("78") is tracker.by_venue_client_id("") is None
    assert [item.client_order_id for item in tracker.open_orders()] == ["mine", "other"]
    assert "mine" in tracker
    assert len(tracker) == 2
    with pytest.raises(KeyError):
        tracker["nobody"]


def test_news_is_told_once(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill
) -> None:
    tracker.start(make_order())
    accepted = report(Report.ACCEPTED, client_order_id="mine", exchange_order_id="77")
    assert tracker.apply(accepted)
    assert tracker.apply(fill())
    assert tracker.apply(accepted) == tracker.apply(fill()) == []


def test_older_news_does_not_turn_the_time_back(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport
) -> None:
    tracker.start(make_order())
    tracker.apply(report(Report.ACCEPTED, client_order_id="mine", ts_ns=20))
    tracker.apply(report(Report.CANCELLED, client_order_id="mine", ts_ns=15))
    assert tracker["mine"].updated_ts_ns == 20


def test_reports_before_the_reply_match_by_the_venue_twin_of_our_id(
    tracker: ClientOrderTracker, make_order: MakeOrder, fill: MakeFill
) -> None:
    tracker.start(make_order())
    assert "OrderFilled" in names(tracker.apply(fill(venue_client_id="0xmine")))
    assert tracker["mine"].exchange_order_id == "77"


def test_early_news_is_kept_until_its_order_starts(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill
) -> None:
    early: list[News] = [
        fill("a"),
        report(Report.ACCEPTED, venue_client_id="0xmine", exchange_order_id="77"),
        report(Report.NOTE, client_order_id="mine", reason="resting"),
    ]
    for news in early:
        assert names(tracker.apply(news)) == ["UnmatchedReport"]
    assert tracker.orphans() == early
    told = tracker.start(make_order())
    assert names(told) == ["OrderStateChanged", "OrderCreated", "OrderStateChanged", "OrderFilled"]
    assert tracker.orphans() == []
    assert tracker["mine"].state is OrderState.PARTIALLY_FILLED


def test_early_news_is_kept_until_its_order_learns_its_id(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill
) -> None:
    tracker.start(make_order())
    assert names(tracker.apply(fill("a"))) == ["UnmatchedReport"]
    told = tracker.apply(report(Report.ACCEPTED, client_order_id="mine", exchange_order_id="77"))
    assert names(told) == ["OrderStateChanged", "OrderCreated", "OrderStateChanged", "OrderFilled"]
    assert tracker.orphans() == []


def test_kept_news_may_name_the_id_for_which_more_is_kept(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill
) -> None:
    tracker.apply(fill("a", exchange_order_id="78"))
    tracker.apply(report(Report.ACCEPTED, exchange_order_id="78", venue_client_id="0xmine"))
    tracker.start(make_order())
    assert tracker["mine"].executed_amount == 1


def test_an_order_that_starts_with_its_exchange_id_gets_what_waited_for_it(
    tracker: ClientOrderTracker, make_order: MakeOrder, fill: MakeFill
) -> None:
    tracker.apply(fill("a"))
    assert "OrderFilled" in names(tracker.start(make_order(exchange_order_id="77")))
    assert tracker.by_exchange_id("77") is tracker["mine"]


def test_news_of_another_market_is_no_match(tracker: ClientOrderTracker, make_order: MakeOrder, fill: MakeFill) -> None:
    tracker.start(make_order(exchange_order_id="77"))
    foreign = fill("a", trading_pair="ETH-USD")
    assert names(tracker.apply(foreign)) == ["UnmatchedReport"]
    assert names(tracker.apply(fill("b"))) == ["OrderStateChanged", "OrderCreated", "OrderFilled"]
    assert tracker.orphans() == [foreign]


def test_what_is_kept_is_bounded_and_counted(report: MakeReport, make_order: MakeOrder, fill: MakeFill) -> None:
    tracker = ClientOrderTracker(max_unmatched=2)
    first, second, third = (fill(name, venue_client_id="0xmine") for name in "abc")
    for news in (first, second, second, third):
        tracker.apply(news)
    assert tracker.orphans() == [second, third]
    assert tracker.orphans_dropped == 1
    tracker.start(make_order(amount=Decimal(9)))
    assert set(tracker["mine"].facts.fills) == {"b", "c"}


def test_unmatched_news_is_told_once(tracker: ClientOrderTracker, fill: MakeFill) -> None:
    news = fill()
    assert tracker.apply(news) == [UnmatchedReportEvent(ts_ns=20, report=news)]
    assert tracker.apply(news) == []


def test_done_orders_stay_for_late_news_but_not_for_ever(make_order: MakeOrder, report: MakeReport) -> None:
    tracker = ClientOrderTracker(max_done=2)
    for name in ("open", "a", "b", "c"):
        tracker.start(make_order(name))
    for name in "abc":
        tracker.apply(report(Report.CANCELLED, client_order_id=name, exchange_order_id=name))
    assert "a" not in tracker
    assert "b" in tracker
    assert tracker.by_exchange_id("a") is tracker.by_venue_client_id("0xa") is None
    assert tracker.by_exchange_id("c") is tracker["c"]
    assert [order.client_order_id for order in tracker.open_orders()] == ["open"]


def test_a_late_fill_completes_a_cancelled_order(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill
) -> None:
    tracker.start(make_order(amount=Decimal(1)))
    tracker.apply(report(Report.CANCELLED, client_order_id="mine", exchange_order_id="77"))
    told = tracker.apply(fill())
    assert names(told) == ["OrderStateChanged", "OrderFilled", "OrderCompleted"]


def test_a_contradiction_is_told_once(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport, fill: MakeFill
) -> None:
    tracker.start(make_order())
    tracker.apply(report(Report.ATTEMPTED, client_order_id="mine", attempt=1))
    tracker.apply(report(Report.FAILED, client_order_id="mine", attempt=1))
    told = tracker.apply(report(Report.ACCEPTED, client_order_id="mine", exchange_order_id="77"))
    assert names(told) == ["OrderStateChanged", "OrderCreated", "Contradiction"]
    assert isinstance(told[-1], ContradictionEvent)
    assert told[-1].detail == tracker["mine"].contradiction
    assert names(tracker.apply(fill())) == ["OrderStateChanged", "OrderFilled"]


def test_an_id_is_tracked_once(tracker: ClientOrderTracker, make_order: MakeOrder) -> None:
    tracker.start(make_order())
    with pytest.raises(ValueError, match="tracked already"):
        tracker.start(make_order())


def test_replace_opens_a_failed_order_again_and_keeps_its_facts(
    tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport
) -> None:
    order = make_order()
    tracker.start(order)
    tracker.apply(report(Report.ATTEMPTED, client_order_id="mine", attempt=1))
    tracker.apply(report(Report.FAILED, client_order_id="mine", attempt=1))
    assert tracker.open_orders() == []
    again = Facts(attempts=frozenset({2}))
    told = tracker.replace(msgspec.structs.replace(order, attempt=2, nonce=7, facts=again))
    assert names(told) == ["OrderStateChanged"]
    (order,) = tracker.open_orders()
    assert (order.state, order.attempt, order.nonce) == (OrderState.PENDING_SUBMIT, 2, 7)
    assert (order.facts.attempts, order.facts.failed) == (frozenset({1, 2}), frozenset({1}))
    with pytest.raises(KeyError):
        tracker.replace(make_order("nobody"))


def test_replace_tells_what_the_new_order_knows_more(
    tracker: ClientOrderTracker, make_order: MakeOrder, fill: MakeFill
) -> None:
    tracker.start(make_order())
    trade = fill()
    facts = Facts(fills={"f1": trade}, executed=trade.amount, exchange_order_ids=frozenset({"77"}))
    told = tracker.replace(make_order(facts=facts))
    assert [event.trade for event in told if isinstance(event, OrderFilledEvent)] == [trade]
    assert tracker.by_exchange_id("77") is tracker["mine"]


def test_what_an_order_knew_at_its_start_is_not_told(
    tracker: ClientOrderTracker, make_order: MakeOrder, fill: MakeFill
) -> None:
    trade = fill()
    facts = Facts(fills={"f1": trade}, executed=trade.amount, exchange_order_ids=frozenset({"77"}))
    assert tracker.start(make_order(facts=facts)) == []
    assert tracker.apply(trade) == []


def test_forget(tracker: ClientOrderTracker, make_order: MakeOrder, report: MakeReport) -> None:
    tracker.start(make_order())
    tracker.apply(report(Report.CANCELLED, client_order_id="mine", exchange_order_id="77"))
    tracker.forget("mine")
    tracker.forget("mine")
    assert len(tracker) == 0
    assert tracker.by_exchange_id("77") is tracker.by_venue_client_id("0xmine") is None
    tracker.start(make_order())


def test_forgetting_one_order_leaves_the_id_to_another_that_took_it(
    tracker: ClientOrderTracker, make_order: MakeOrder
) -> None:
    tracker.start(make_order("a", exchange_order_id="77", venue_client_id="0xsame"))
    tracker.start(make_order("b", exchange_order_id="77", venue_client_id="0xsame"))
    tracker.forget("a")
    assert tracker.by_exchange_id("77") is tracker.by_venue_client_id("0xsame") is tracker["b"]


def test_an_external_order_has_no_twin_of_our_id(tracker: ClientOrderTracker, make_order: MakeOrder) -> None:
    tracker.start(make_order("a", venue_client_id="", is_external=True))
    tracker.start(make_order("b", venue_client_id="", is_external=True))
    assert tracker.by_venue_client_id("") is None


def _report(kind: Report, client: str | None, twin: str | None, exchange: str | None) -> OrderUpdate:
    return OrderUpdate(
        report=kind,
        trading_pair="BTC-USD",
        ts_ns=1,
        attempt=1,
        client_order_id=client,
        venue_client_id=twin,
        exchange_order_id=exchange,
    )


def _fill(fill_id: str) -> TradeUpdate:
    return TradeUpdate(
        fill_id=fill_id,
        exchange_order_id="77",
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        price=Decimal(100),
        amount=Decimal(1),
        fee=Decimal(0),
        fee_currency="USDC",
        ts_ns=1,
    )


# Everything there is to hear about one order; each channel names it by other ids.
LIFE: tuple[News, ...] = (
    _report(Report.ATTEMPTED, "mine", None, None),
    _report(Report.ACCEPTED, None, "0xmine", "77"),
    _report(Report.CANCEL_ATTEMPTED, "mine", None, None),
    _report(Report.CANCELLED, None, None, "77"),
    _fill("a"),
    _fill("b"),
)


@given(heard=st.permutations(LIFE), repeated=st.lists(st.sampled_from(LIFE), max_size=4), start=st.integers(0, 10))
def test_wherever_in_its_news_an_order_starts_each_fill_is_told_once(
    heard: list[News], repeated: list[News], start: int
) -> None:
    tracker, events = ClientOrderTracker(), []
    order = InFlightOrder(
        client_order_id="mine",
        venue_client_id="0xmine",
        venue="hyperliquid",
        network="sandbox",
        account="0xabc",
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=Decimal(3),
        price=Decimal(100),
        created_ts_ns=1,
        facts=Facts(),
    )
    everything = heard + repeated
    for position, news in enumerate(everything):
        if position == min(start, len(everything) - 1):
            events += tracker.start(order)
        events += tracker.apply(news)
    assert tracker.orphans() == []
    final = tracker["mine"]
    assert (final.state, final.executed_amount) == (OrderState.CANCELLED, Decimal(2))
    assert sorted(event.trade.fill_id for event in events if isinstance(event, OrderFilledEvent)) == ["a", "b"]
    assert sum(isinstance(event, OrderCreatedEvent) for event in events) == 1
    assert sum(isinstance(event, OrderCancelledEvent) for event in events) == 1
    assert not any(isinstance(event, ContradictionEvent) for event in events)
