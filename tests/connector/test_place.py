"""Placing: durable before it leaves, sent once, and never called failed without proof."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.connector.listeners import ConnectorErrorEvent
from latentspeed_cli.connector.placer import EXPIRES_AFTER_S
from latentspeed_cli.core.events import (
    Event,
    OrderCompletedEvent,
    OrderCreatedEvent,
    OrderFailureEvent,
    OrderFilledEvent,
)
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.reports import Report
from latentspeed_cli.core.types import OrderState, OrderType, PositionAction, TimeInForce
from latentspeed_cli.errors import (
    ConnectFailed,
    CredentialError,
    EndedShort,
    GuardRefused,
    IdConflict,
    JournalError,
    NotYet,
    OrderRefused,
    OrderRejected,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    UsageError,
)

from .conftest import Rig
from .venue import PAIR, Fault, TinyAuth, TinyConnector, limit, market, order_update


async def test_an_order_rests(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    order = outcome.order
    assert (outcome.outcome, outcome.error, order.state) == ("accepted", None, OrderState.OPEN)
    assert order.exchange_order_id == "1"
    assert order.reference_price == 100
    (sent,) = rig.http.kinds("place")
    assert sent["nonce"] == order.nonce
    again = rig.journal().order(order.client_order_id)
    assert again is not None
    assert again.state is OrderState.OPEN


async def test_the_intent_is_durable_before_a_byte_leaves(rig: Rig) -> None:
    seen: list[Any] = []

    def look(kind: str, body: dict[str, Any]) -> None:
        if kind == "place":
            other = rig.journal()  # what another process would read at this moment
            order = other.order(body["cloid"].removeprefix("v-"))
            assert order is not None
            leaked = b"secret" in b"".join(fact.body for fact in other.facts())
            seen.append((order.state, order.attempt, order.nonce == body["nonce"], leaked))

    rig.http.seen = look
    async with rig.connector() as connector:
        await connector.place_order(limit())
    assert seen == [(OrderState.PENDING_SUBMIT, 1, True, False)]


async def test_nothing_is_sent_when_the_intent_cannot_be_written(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = rig.connector()

    def full(drafts: object) -> None:
        raise JournalError("disk full")

    monkeypatch.setattr(connector.parts.journal, "begin", full)
    async with connector:
        with pytest.raises(JournalError):
            await connector.place_order(limit())
    assert rig.http.kinds("place") == []


async def test_a_disk_that_fills_up_while_waiting_never_means_that_nothing_was_sent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = rig.connector()

    async def full(order: InFlightOrder) -> InFlightOrder:
        raise JournalError("disk full")

    monkeypatch.setattr(connector._reconciler, "try_refresh", full)
    async with connector:
        with pytest.raises(OutcomeUnknown, match="cannot be written down") as raised:
            await connector.place_order(limit(), client_order_id="a", wait="filled")
    assert raised.value.client_order_id == "a"


async def test_an_order_that_another_run_has_sent_is_not_called_failed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig.connector() as one, rig.connector() as other:
        monkeypatch.setattr(one.reader, "market", lambda name: asyncio.Event().wait())
        waiting = asyncio.create_task(one.place_order(limit(), client_order_id="a"))
        await asyncio.sleep(0)  # tracked, and not yet written
        await other.place_order(limit(), client_order_id="a")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        order = one.order("a")
    assert order is not None
    assert order.state is OrderState.OPEN


async def test_buy_returns_at_once_and_the_order_is_tracked(rig: Rig) -> None:
    async with rig.connector() as connector:
        client_order_id = connector.buy(PAIR, Decimal(1), OrderType.LIMIT, Decimal(95))
        order = connector.order(client_order_id)
        assert order is not None
        assert order.state is OrderState.PENDING_CREATE
        assert rig.http.sent == []
    order = connector.order(client_order_id)
    assert order is not None
    assert order.state is OrderState.OPEN, "leaving the block in peace waits for what is on its way"


async def test_sell_closes_with_reduce_only(rig: Rig) -> None:
    async with rig.connector() as connector:
        close = connector.sell(
            PAIR, Decimal(1), OrderType.MARKET, position_action=PositionAction.CLOSE, slippage_bps=200
        )
    order = connector.order(close)
    assert order is not None
    assert (order.reduce_only, order.tif, order.state) == (True, TimeInForce.IOC, OrderState.FILLED)


async def test_many_orders_share_a_commit(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.book(PAIR)
        ids = [connector.buy(PAIR, Decimal(1), OrderType.LIMIT, Decimal(95)) for _ in range(50)]
    assert len(rig.venue.orders) == 50
    assert {connector.tracker[one].state for one in ids} == {OrderState.OPEN}
    assert connector._submitter.commits_total == 1
    assert len({body["nonce"] for body in rig.http.kinds("place")}) == 50


async def test_fifty_times_one_id_sends_once(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcomes = await asyncio.gather(*(connector.place_order(limit(), client_order_id="same") for _ in range(50)))
    assert len(rig.http.kinds("place")) == 1
    assert len(rig.venue.orders) == 1
    assert sum(outcome.replayed for outcome in outcomes) == 49
    assert {outcome.error for outcome in outcomes} == {None}


async def test_one_bad_draft_does_not_hurt_the_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = rig.connector()
    place_flow = connector.place_flow

    def picky(order: Any) -> Any:
        if order.amount == 3:
            raise OrderRefused("cannot be encoded")
        return place_flow(order)

    monkeypatch.setattr(connector, "place_flow", picky)
    async with connector:
        await connector.book(PAIR)
        results = await asyncio.gather(
            *(connector.place_order(limit(amount=str(n))) for n in range(1, 6)), return_exceptions=True
        )
    assert [isinstance(result, OrderRefused) for result in results] == [False, False, True, False, False]
    assert len(rig.venue.orders) == 4


# Fills


async def test_a_filled_reply_is_followed_by_the_fills(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(market(amount="2"))
    order = outcome.order
    assert (order.state, outcome.error) == (OrderState.FILLED, None)
    assert (order.average_price, order.fees, order.fills_complete) == (Decimal(101), {"USDC": Decimal("0.202")}, True)


async def test_an_immediate_order_with_a_remainder_is_expired_and_keeps_what_it_got(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(market(amount="12"))
    assert (outcome.order.state, outcome.order.reason) == (OrderState.EXPIRED, "ioc_remainder")
    assert outcome.order.executed_amount == 10
    assert outcome.error is None


async def test_an_immediate_order_that_meets_nobody_is_ended_short(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(tif=TimeInForce.IOC))
    assert (outcome.order.state, outcome.order.reason) == (OrderState.EXPIRED, "ioc_unmatched")
    assert isinstance(outcome.error, EndedShort)


async def test_waiting_for_a_fill_ends_when_it_comes(rig: Rig) -> None:
    async with rig.connector() as connector:
        waiting = asyncio.create_task(connector.place_order(limit(), wait="filled"))
        await rig.http.arrived["place"].wait()
        await asyncio.sleep(0.02)
        rig.venue.fill(rig.venue.orders["1"], Decimal(1), Decimal(95))
        outcome = await waiting
    assert (outcome.order.state, outcome.error) == (OrderState.FILLED, None)


async def test_waiting_in_vain_is_not_yet(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(), wait="filled", timeout_s=0.3)
    assert (outcome.order.state, outcome.outcome) == (OrderState.OPEN, "accepted")
    assert isinstance(outcome.error, NotYet)


# What the reply proves


async def test_a_refusal_of_the_venue_is_final(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(price="110", post_only=True))
    assert (outcome.outcome, outcome.order.state) == ("rejected", OrderState.FAILED)
    assert isinstance(outcome.error, OrderRejected)
    assert [item.kind for item in outcome.order.evidence] == ["venue_reply"]


async def test_no_connection_means_not_sent(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.REFUSED)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert (outcome.outcome, outcome.order.state) == ("not_sent", OrderState.FAILED)
    assert isinstance(outcome.error, ConnectFailed)
    assert [item.kind for item in outcome.order.evidence] == ["never_sent"]


async def test_429_means_not_accepted(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LIMITED)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert outcome.order.state is OrderState.FAILED
    assert isinstance(outcome.error, RateLimited)
    assert [item.kind for item in outcome.order.evidence] == ["venue_reply"]


async def test_an_order_that_came_too_late_is_proved_not_accepted(rig: Rig) -> None:
    rig.http.seen = lambda kind, body: rig.clock.advance(16) if kind == "place" else None
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert (outcome.outcome, outcome.order.state) == ("rejected", OrderState.FAILED)
    assert isinstance(outcome.error, OrderRejected)
    assert [item.kind for item in outcome.order.evidence] == ["expired_before_accept"]


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.BROKEN_AFTER, Fault.GARBAGE, Fault.TWICE])
async def test_a_lost_reply_to_an_order_that_landed_is_found(rig: Rig, fault: Fault) -> None:
    rig.http.faults["place"].append(fault)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert (outcome.outcome, outcome.order.state, outcome.error) == ("accepted", OrderState.OPEN, None)
    assert not outcome.order.outcome_unknown
    assert len(rig.venue.orders) == 1
    assert rig.http.kinds("fence") == [], "what is found need not be fenced"


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.BROKEN_BEFORE])
async def test_a_lost_request_is_failed_only_by_its_burned_nonce(rig: Rig, fault: Fault) -> None:
    rig.http.faults["place"].append(fault)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert (outcome.outcome, outcome.order.state) == ("rejected", OrderState.FAILED)
    assert [item.kind for item in outcome.order.evidence] == ["nonce_burned"]
    assert isinstance(outcome.error, OrderRejected)
    assert "never to arrive" in str(outcome.error)
    assert outcome.order.client_order_id in (outcome.error.hint or "")
    assert [body["nonce"] for body in rig.http.kinds("fence")] == [outcome.order.nonce]


async def test_an_order_that_is_not_ready_in_time_is_not_sent(rig: Rig) -> None:
    rig.http.faults["book"].append(Fault.HANGS)
    async with rig.connector() as connector:
        with pytest.raises(ConnectFailed, match="nothing was sent"):
            await connector.place_order(limit(), timeout_s=0.2)
    assert rig.http.kinds("place") == []


async def test_what_a_burned_nonce_proves_outlasts_the_time_to_look(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    rig.http.faults["status"].extend([None, Fault.HANGS])
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(), timeout_s=1)
    assert outcome.order.state is OrderState.FAILED
    assert [item.kind for item in outcome.order.evidence] == ["nonce_burned"]


async def test_a_nonce_that_is_too_low_now_proves_nothing_while_a_question_is_not_answered(rig: Rig) -> None:
    """More than a hundred newer ones make it so, also when the order itself has used it."""
    rig.http.faults["place"].append(Fault.LOST_AFTER)
    for read in ("status", "open", "fills"):
        rig.http.faults[read].extend([Fault.REFUSED] * 2)
    rig.venue.lowest_nonce = 2**60
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(), client_order_id="a", is_new_id=True)
        assert (outcome.outcome, outcome.order.state) == ("unknown", OrderState.PENDING_SUBMIT)
        found = await connector.resolve(outcome.order)
    assert found.state is OrderState.OPEN


async def test_a_nonce_that_is_too_low_now_and_whose_order_nobody_knows_was_never_used(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    rig.venue.lowest_nonce = 2**60
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert outcome.order.state is OrderState.FAILED
    assert [item.kind for item in outcome.order.evidence] == ["nonce_burned"]


async def test_a_late_order_cannot_land_after_its_nonce_was_burned(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    (late,) = rig.http.kinds("place")
    assert rig.venue.answer("place", late) == {"error": "nonce used"}
    assert outcome.order.state is OrderState.FAILED
    assert rig.venue.orders == {}


async def test_an_order_the_venue_denies_stays_unknown(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_AFTER)
    rig.venue.hidden.add("v-denied")
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(), client_order_id="denied")
        assert (outcome.outcome, outcome.order.state) == ("unknown", OrderState.PENDING_SUBMIT)
        assert outcome.order.outcome_unknown
        assert isinstance(outcome.error, OutcomeUnknown)
        assert outcome.error.client_order_id == "denied"
        rig.venue.hidden.clear()
        found = await connector.resolve(outcome.order)
    assert found.state is OrderState.OPEN


async def test_a_lost_order_whose_fence_lost_its_reply_failed_once_nothing_can_be_accepted(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    rig.http.faults["fence"].append(Fault.LOST_AFTER)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit(), client_order_id="a")
        assert outcome.order.state is OrderState.PENDING_SUBMIT, "its own noop or the order used the nonce"
        rig.clock.advance(EXPIRES_AFTER_S + 30)
        assert (await connector.resolve(outcome.order)).state is OrderState.PENDING_SUBMIT
        rig.clock.advance(60)
        rig.http.faults["fills"].extend([Fault.REFUSED] * 3)
        assert (await connector.resolve(outcome.order)).state is OrderState.PENDING_SUBMIT, "not all was answered"
        settled = await connector.resolve(outcome.order)
        assert (settled.state, [item.kind for item in settled.evidence]) == (OrderState.FAILED, ["nonce_burned"])
        again = await connector.place_order(limit(), client_order_id="a")
    assert (again.order.state, again.order.attempt) == (OrderState.OPEN, 2)


async def swept(connector: TinyConnector, order: InFlightOrder) -> InFlightOrder:
    await connector.reconcile()
    found = connector.order(order.client_order_id)
    assert found is not None
    return found


@pytest.mark.parametrize("settle", [TinyConnector.resolve, swept])
async def test_fills_from_before_a_wrong_clock_are_found(
    rig: Rig, settle: Callable[[TinyConnector, InFlightOrder], Awaitable[InFlightOrder]]
) -> None:
    def step(kind: str, body: object) -> None:
        if kind == "place":
            rig.venue.clock_offset_ns = -20 * NS_PER_S

    rig.http.seen = step
    async with rig.connector() as connector:
        order = (await connector.place_order(market())).order
        assert (order.state, order.fills_complete) == (OrderState.FILLED, False)
        rig.clock.advance(61)
        settled = await settle(connector, order)
    assert (settled.fills_complete, settled.executed_amount) == (True, order.amount)


async def test_an_unreachable_venue_leaves_it_unknown(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    for kind in ("status", "open", "fills", "fence"):
        rig.http.faults[kind].extend([Fault.REFUSED] * 50)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    assert (outcome.outcome, outcome.order.state) == ("unknown", OrderState.PENDING_SUBMIT)
    stored = rig.journal().order(outcome.order.client_order_id)
    assert stored is not None
    assert stored.outcome_unknown


async def test_a_reply_that_never_comes_is_settled_within_the_time(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.HANGS)
    loop = asyncio.get_running_loop()
    async with rig.connector() as connector:
        started = loop.time()
        outcome = await connector.place_order(limit(), timeout_s=0.5)
    assert loop.time() - started < 0.6
    assert outcome.order.state is OrderState.OPEN


async def test_another_key_cannot_fence(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    for kind in ("status", "open", "fills", "fence"):
        rig.http.faults[kind].extend([Fault.REFUSED] * 50)
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
    rig.http.faults.clear()
    rig.clock.advance(60)
    async with rig.connector(auth=TinyAuth(signer="0xother")) as other:
        order = await other.resolve(outcome.order, timeout_s=1)
    assert order.state is OrderState.PENDING_SUBMIT, "burning a nonce of another signer proves nothing"
    assert rig.http.kinds("fence") == []


async def test_a_report_that_overtakes_the_reply_is_kept(rig: Rig) -> None:
    """The stream tells of the order before its reply is here, and the reply then gets lost."""
    rig.http.gate["place"] = asyncio.Event()
    rig.http.faults["place"].append(Fault.LOST_AFTER)
    for kind in ("status", "open", "fills"):
        rig.http.faults[kind].extend([Fault.REFUSED] * 50)
    async with rig.connector() as connector:
        placing = asyncio.create_task(connector.place_order(limit()))
        await rig.http.arrived["place"].wait()
        connector._ledger.record([order_update(rig.venue.describe(rig.venue.orders["1"]))])
        rig.http.gate["place"].set()
        outcome = await placing
    assert (outcome.order.state, outcome.outcome, outcome.error) == (OrderState.OPEN, "accepted", None)


async def test_a_stopped_run_notes_that_it_does_not_know(rig: Rig) -> None:
    rig.http.gate["place"] = asyncio.Event()
    async with rig.connector() as connector:
        placing = asyncio.create_task(connector.place_order(limit(), client_order_id="mine"))
        await rig.http.arrived["place"].wait()
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
    order = connector.order("mine")
    assert order is not None
    assert (order.state, order.outcome_unknown) == (OrderState.PENDING_SUBMIT, True)
    stored = rig.journal().order("mine")
    assert stored is not None
    assert stored.outcome_unknown


async def test_a_stop_before_sending_leaves_nothing_behind(rig: Rig) -> None:
    rig.http.gate["book"] = asyncio.Event()
    async with rig.connector() as connector:
        placing = asyncio.create_task(connector.place_order(limit(), client_order_id="mine"))
        await rig.http.arrived["book"].wait()
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
    order = connector.order("mine")
    assert order is not None
    assert order.state is OrderState.FAILED
    assert rig.journal().order("mine") is None
    assert rig.http.kinds("place") == []


# Refusals before anything is sent


@pytest.mark.parametrize(
    ("intent", "error"),
    [
        (limit(amount="0.0005"), OrderRefused),
        (limit(price="95.05"), OrderRefused),
        (limit(price="1000"), GuardRefused),
        (limit(price="1"), GuardRefused),
    ],
)
async def test_what_breaks_a_rule_or_a_guard_is_not_sent(rig: Rig, intent: Any, error: type[Exception]) -> None:
    async with rig.connector() as connector:
        with pytest.raises(error):
            await connector.place_order(intent)
    assert rig.http.kinds("place") == []
    assert rig.journal().orders() == []


async def test_caps_hold_across_orders(rig: Rig) -> None:
    guards = Guards(max_order_notional=Decimal(150), max_day_notional=Decimal(250))
    async with rig.connector(guards=guards) as connector:
        with pytest.raises(GuardRefused):
            await connector.place_order(limit(amount="2"))
        await connector.place_order(limit())
        await connector.place_order(limit())
        with pytest.raises(GuardRefused, match="a day"):
            await connector.place_order(limit())
    assert len(rig.http.kinds("place")) == 2


async def test_the_cap_of_a_day_holds_across_orders_of_one_moment(rig: Rig) -> None:
    guards = Guards(max_day_notional=Decimal(250))
    async with rig.connector(guards=guards) as one, rig.connector(guards=guards) as other:
        ends = await asyncio.gather(
            *(connector.place_order(limit()) for connector in (one, other) for _ in range(3)), return_exceptions=True
        )
    assert [type(end) for end in ends].count(GuardRefused) == 4
    assert len(rig.http.kinds("place")) == 2


@pytest.mark.parametrize(("bid", "ask"), [(101, 99), (100, 100)])
async def test_a_crossed_book_is_no_reference(rig: Rig, bid: int, ask: int) -> None:
    rig.venue.bid, rig.venue.ask = Decimal(bid), Decimal(ask)
    async with rig.connector() as connector:
        with pytest.raises(GuardRefused):
            await connector.place_order(limit())
    assert rig.http.kinds("place") == []


@pytest.mark.parametrize("skew_s", [-6, 6])
async def test_a_clock_that_is_off_is_refused(rig: Rig, skew_s: int) -> None:
    rig.venue.clock_offset_ns = skew_s * 1_000_000_000
    async with rig.connector() as connector:
        with pytest.raises(GuardRefused, match="clock"):
            await connector.place_order(limit())


@pytest.mark.parametrize("skew_s", [-4, 4])
async def test_the_expiry_counts_from_the_later_clock(rig: Rig, skew_s: int) -> None:
    rig.venue.clock_offset_ns = skew_s * 1_000_000_000
    async with rig.connector() as connector:
        await connector.place_order(limit())
    (sent,) = rig.http.kinds("place")
    latest_s = (rig.clock.time_ns + max(skew_s, 0) * 1_000_000_000) / 1e9
    assert sent["expires_ms"] / 1000 == pytest.approx(latest_s + 15, abs=0.01)


async def test_an_undecided_order_blocks_its_market_and_side(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_AFTER)
    rig.venue.hidden.add("v-lost")
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="lost")
        with pytest.raises(GuardRefused, match="lost"):
            await connector.place_order(limit())
        assert (await connector.place_order(limit("sell", price="105"))).error is None
        assert (await connector.place_order(limit(), despite_unknown=True)).error is None


async def test_a_key_is_needed(rig: Rig) -> None:
    async with rig.connector(auth=None) as connector:
        with pytest.raises(CredentialError):
            connector.buy(PAIR, Decimal(1), OrderType.LIMIT, Decimal(95))


async def test_a_master_key_is_refused_on_mainnet(rig: Rig) -> None:
    master = TinyAuth(signer="0xaccount")
    async with rig.connector(network="mainnet", auth=master) as connector:
        with pytest.raises(GuardRefused, match="master"):
            await connector.place_order(limit())
    async with rig.connector(network="mainnet", auth=master, guards=Guards(allow_master_key=True)) as connector:
        assert (await connector.place_order(limit())).error is None


async def test_nothing_is_taken_outside_the_block(rig: Rig) -> None:
    connector = rig.connector()
    async with connector:
        pass
    with pytest.raises(GuardRefused):
        connector.buy(PAIR, Decimal(1), OrderType.LIMIT, Decimal(95))


async def test_a_relative_price_and_a_notional_are_resolved_and_kept(rig: Rig) -> None:
    intent = msgspec.structs.replace(limit(), price=None, price_expression="mid-1%", amount=None, notional=Decimal(100))
    async with rig.connector() as connector:
        outcome = await connector.place_order(intent)
    order = outcome.order
    assert (order.price, order.amount, order.price_expression) == (Decimal(99), Decimal("1.010"), "mid-1%")


async def test_a_dry_run_shows_the_request_and_sends_nothing(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.dry_run(limit(), client_order_id="dry")
    assert outcome.outcome == "dry_run"
    assert outcome.request is not None
    body = outcome.request["body"]
    assert isinstance(body, dict)
    assert body["price"] == "95"
    assert "signature" not in body
    assert rig.http.kinds("place") == []
    assert rig.journal().orders() == []
    assert connector.order("dry") is None


# Listeners


async def test_listeners_hear_what_happens_in_order(rig: Rig) -> None:
    heard: list[type[Event]] = []
    async with rig.connector() as connector:
        for kind in (OrderCreatedEvent, OrderFilledEvent, OrderCompletedEvent, OrderFailureEvent):
            connector.add_listener(kind, lambda event: heard.append(type(event)))
        await connector.place_order(market())
        await connector.place_order(limit(price="110", post_only=True))
    # The reply calls it filled before the fill itself is read.
    assert heard == [OrderCreatedEvent, OrderCompletedEvent, OrderFilledEvent, OrderFailureEvent]


async def test_a_listener_that_raises_hurts_only_itself(rig: Rig) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("a bug of the listener")

    async with rig.connector() as connector:
        connector.add_listener(Event, broken)
        connector.add_listener(Event, heard.append)
        outcome = await connector.place_order(limit())
        connector.remove_listener(Event, heard.append)
        connector.remove_listener(Event, broken)
    assert outcome.order.state is OrderState.OPEN
    assert any(isinstance(event, OrderCreatedEvent) for event in heard)
    assert connector.listeners.failures_total > 0


async def test_trouble_in_the_background_is_told(rig: Rig) -> None:
    told: list[ConnectorErrorEvent] = []
    async with rig.connector() as connector:
        connector.add_listener(ConnectorErrorEvent, told.append)
        client_order_id = connector.buy(PAIR, Decimal(1), OrderType.LIMIT, Decimal(1000))
    (event,) = told
    assert event.client_order_id == client_order_id
    assert isinstance(event.error, GuardRefused)
    order = connector.order(client_order_id)
    assert order is not None
    assert (order.state, order.facts.attempts) == (OrderState.FAILED, frozenset())
    assert Report.FAILED.value in {report for report, _ in order.facts.reasons}


async def test_a_proof_that_the_venue_contradicts_is_told(rig: Rig) -> None:
    """Its nonce was burned, and it is accepted all the same: the venue's truth wins, and it is no quiet success."""
    rig.http.faults["place"].append(Fault.LOST_BEFORE)
    async with rig.connector() as connector:
        order = (await connector.place_order(limit())).order
        (body,) = rig.http.kinds("place")
        rig.venue.nonces.clear()
        rig.venue.answer("place", body)
        outcome = await connector.wait_for(await connector.refresh(order), "ack")
    assert outcome.order.state is OrderState.OPEN
    assert outcome.order.contradiction is not None
    assert isinstance(outcome.error, ProtocolError)


async def test_orders_of_another_account_are_not_our_business(rig: Rig) -> None:
    rig.lose_next(Fault.LOST_BEFORE)
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    rig.heal()
    async with rig.connector(account="0xsecond", guards=Guards(max_day_notional=Decimal(110))) as connector:
        assert connector.in_flight_orders == {}
        assert (await connector.place_order(limit())).error is None
        with pytest.raises(UsageError, match="0xaccount") as refused:
            connector.known("x")
        assert refused.value.hint == "say the profile of that account"
        with pytest.raises(IdConflict):
            await connector.place_order(limit(), client_order_id="x", despite_unknown=True)
    async with rig.connector(venue="huge") as connector:
        with pytest.raises(UsageError, match="on tiny") as refused:
            connector.known("x")
        assert refused.value.hint == "say --venue tiny, or the profile of that account"
