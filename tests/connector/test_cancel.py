"""Cancelling: what is reported is what was read afterwards, and "not found" is never read as "never was"."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from latentspeed_cli.connector.parts import OrderOutcome
from latentspeed_cli.core.drafts import Draft
from latentspeed_cli.core.events import OrderFailureEvent
from latentspeed_cli.core.types import OrderState
from latentspeed_cli.errors import (
    AlreadyFilled,
    ConnectFailed,
    JournalError,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    RateLimited,
)

from .conftest import Rig
from .venue import SIGNER, Fault, TinyConnector, limit, market


async def placed(connector: TinyConnector) -> OrderOutcome:
    return await connector.place_order(limit(), client_order_id="x")


async def test_a_resting_order_is_cancelled(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.outcome, outcome.error) == (OrderState.CANCELLED, "accepted", None)
    assert rig.venue.orders["1"].status == "cancelled"
    stored = rig.journal().order("x")
    assert stored is not None
    assert stored.state is OrderState.CANCELLED


async def test_the_intent_to_cancel_is_durable_before_it_leaves(rig: Rig) -> None:
    states: list[OrderState] = []

    def look(kind: str, body: object) -> None:
        if kind == "cancel":
            order = rig.journal().order("x")
            assert order is not None
            states.append(order.state)

    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.seen = look
        await connector.cancel(order)
    assert states == [OrderState.PENDING_CANCEL]


async def test_a_part_that_was_filled_is_kept(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.venue.fill(rig.venue.orders["1"], Decimal("0.4"), Decimal(95))
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.order.executed_amount, outcome.error) == (
        OrderState.CANCELLED,
        Decimal("0.4"),
        None,
    )


async def test_an_order_that_filled_meanwhile_is_filled(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.venue.fill(rig.venue.orders["1"], Decimal(1), Decimal(95))
        outcome = await connector.cancel(order)
        again = await connector.cancel(outcome.order)
    assert outcome.order.state is OrderState.FILLED
    assert isinstance(outcome.error, AlreadyFilled)
    assert isinstance(again.error, AlreadyFilled)
    assert len(rig.http.kinds("cancel")) == 1


async def test_cancelling_again_is_fine_and_sends_nothing(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        await connector.cancel(order)
        again = await connector.cancel(order)
    assert (again.order.state, again.error) == (OrderState.CANCELLED, None)
    assert len(rig.http.kinds("cancel")) == 1


async def test_an_order_that_ended_otherwise_rests_nowhere(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await connector.place_order(market(amount="12"))).order
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.error) == (OrderState.EXPIRED, None)
    assert rig.http.kinds("cancel") == []


@pytest.mark.parametrize("fault", [Fault.LOST_AFTER, Fault.BROKEN_AFTER, Fault.GARBAGE, Fault.LOST_BEFORE])
async def test_a_lost_reply_is_settled_by_reading_and_by_cancelling_again(rig: Rig, fault: Fault) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.faults["cancel"].append(fault)
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.error) == (OrderState.CANCELLED, None)
    nonces = [body["nonce"] for body in rig.http.kinds("cancel")]
    assert len(nonces) == len(set(nonces)), "every cancel has a nonce of its own"


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LIMITED])
async def test_a_cancel_that_is_refused_after_one_was_lost_does_not_say_that_nothing_was_sent(
    rig: Rig, fault: Fault
) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.faults["cancel"].extend([Fault.LOST_BEFORE, fault])
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.outcome) == (OrderState.PENDING_CANCEL, "unknown")
    assert isinstance(outcome.error, OutcomeUnknown)


async def test_a_cancel_nobody_answers_is_unknown(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.faults["cancel"].extend([Fault.LOST_BEFORE] * 9)
        outcome = await connector.cancel(order, timeout_s=1)
    assert (outcome.order.state, outcome.outcome) == (OrderState.PENDING_CANCEL, "unknown")
    assert outcome.order.outcome_unknown
    assert isinstance(outcome.error, OutcomeUnknown)


async def test_a_refusal_while_the_order_is_denied_proves_nothing(rig: Rig) -> None:
    """The venue denies an order that it had accepted: neither the refusal nor "not found" makes it absent."""
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.venue.orders["1"].status = "elsewhere"
        rig.venue.hidden.add("v-x")
        outcome = await connector.cancel(order, timeout_s=1)
    assert not outcome.order.is_done
    assert isinstance(outcome.error, OutcomeUnknown)


async def test_a_cancel_that_is_not_accepted_is_refused(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.faults["cancel"].append(Fault.LIMITED)
        limited = await connector.cancel(order)
        rig.http.faults["cancel"].append(Fault.REFUSED)
        refused = await connector.cancel(order)
    assert isinstance(limited.error, RateLimited)
    assert isinstance(refused.error, ConnectFailed)
    assert refused.order.state is OrderState.OPEN


async def test_a_cancel_is_not_taken_for_done_when_the_reading_fails(rig: Rig) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.faults["cancel"].extend([Fault.LOST_AFTER] * 9)
        for kind in ("status", "fills"):
            rig.http.faults[kind].extend([Fault.REFUSED] * 99)
        outcome = await connector.cancel(order, timeout_s=1)
    assert isinstance(outcome.error, OutcomeUnknown)
    assert outcome.order.state is OrderState.PENDING_CANCEL


# The submit itself is undecided


async def lost(rig: Rig, fault: Fault) -> OrderOutcome:
    rig.lose_next(fault)
    async with rig.connector() as connector:
        outcome = await placed(connector)
    rig.heal()
    assert outcome.order.outcome_unknown
    return outcome


async def test_an_undecided_order_that_never_landed_is_proved_absent_first(rig: Rig) -> None:
    order = (await lost(rig, Fault.LOST_BEFORE)).order
    async with rig.connector() as connector:
        outcome = await connector.cancel(order)
    assert outcome.order.state is OrderState.FAILED
    assert isinstance(outcome.error, OrderNotFound)
    assert (len(rig.http.kinds("fence")), rig.http.kinds("cancel")) == (1, [])


async def test_an_order_that_another_run_sends_again_is_settled_again(rig: Rig) -> None:
    order = (await lost(rig, Fault.LOST_BEFORE)).order
    others = rig.journal()

    def send_again(event: OrderFailureEvent) -> None:
        if event.order.attempt == order.attempt:
            draft = Draft(
                order=event.order, signer=SIGNER, submit_deadline_ns=rig.clock.now_ns(), build=lambda begun: b""
            )
            assert others.begin([draft])[0].fresh

    async with rig.connector() as connector:
        connector.add_listener(OrderFailureEvent, send_again)
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.order.attempt) == (OrderState.FAILED, order.attempt + 1)
    assert others.undecided() == []


async def test_an_undecided_order_that_landed_is_cancelled(rig: Rig) -> None:
    order = (await lost(rig, Fault.LOST_AFTER)).order
    async with rig.connector() as connector:
        outcome = await connector.cancel(order)
    assert (outcome.order.state, outcome.error) == (OrderState.CANCELLED, None)


async def test_an_undecided_order_that_filled_is_filled(rig: Rig) -> None:
    order = (await lost(rig, Fault.LOST_AFTER)).order
    rig.venue.fill(rig.venue.orders["1"], Decimal(1), Decimal(95))
    async with rig.connector() as connector:
        outcome = await connector.cancel(order)
    assert isinstance(outcome.error, AlreadyFilled)


async def test_an_undecided_order_that_stays_denied_is_undecided(rig: Rig) -> None:
    order = (await lost(rig, Fault.LOST_AFTER)).order
    rig.venue.hidden.add("v-x")
    rig.venue.orders["1"].status = "elsewhere"
    async with rig.connector() as connector:
        outcome = await connector.cancel(order, timeout_s=1)
    assert isinstance(outcome.error, OutcomeUnknown)
    assert not outcome.order.is_done


async def test_an_order_on_its_way_is_cancelled_once_it_is_there(rig: Rig) -> None:
    rig.http.gate["place"] = asyncio.Event()
    async with rig.connector() as connector:
        connector.submit(limit(), client_order_id="x")
        await rig.http.arrived["place"].wait()
        cancelling = asyncio.create_task(connector.cancel(connector.tracker["x"]))
        await asyncio.sleep(0.02)
        assert rig.http.kinds("cancel") == []
        rig.http.gate["place"].set()
        outcome = await cancelling
    assert (outcome.order.state, outcome.error) == (OrderState.CANCELLED, None)


# Orders of others


async def test_an_order_of_another_program_is_found_and_cancelled(rig: Rig) -> None:
    async with rig.connector() as connector:
        await placed(connector)
    async with rig.connector(journal=rig.journal("another.db")) as connector:
        (listed,) = await connector.open_orders()
        found = await connector.find("1")
        assert found is not None
        assert (found.is_external, found.exchange_order_id) == (True, "1")
        assert listed.client_order_id == found.client_order_id
        assert connector.parts.journal.orders() == [], "looking at it does not make it ours"
        outcome = await connector.cancel(found)
    assert (outcome.order.state, outcome.error) == (OrderState.CANCELLED, None)


async def test_an_order_of_a_market_that_we_do_not_know_is_refused_before_anything_is_written(rig: Rig) -> None:
    """As one of the venue's spot markets, which its front end placed."""
    async with rig.connector() as connector:
        await placed(connector)
    rig.venue.orders["1"].pair = "@107"
    journal = rig.journal("another.db")
    async with rig.connector(journal=journal) as connector:
        (order,) = await connector.open_orders()
        with pytest.raises(OrderRefused, match="@107"):
            await connector.cancel(order)
    assert rig.http.kinds("cancel") == []
    assert journal.orders() == []


async def test_a_cancel_that_cannot_be_finished_hides_no_other_order(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig.connector() as connector:
        order = (await placed(connector)).order
        rig.http.faults["cancel"].extend([Fault.LOST_BEFORE] * 9)
        await connector.cancel(order, timeout_s=1)
    rig.heal()
    rig.lose_next(Fault.LOST_AFTER)
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="y", despite_unknown=True)
    rig.heal()
    rig.clock.advance(60)
    async with rig.connector() as connector:

        def refuse(*_: object, **__: object) -> None:
            raise OrderRefused("unknown trading pair")

        monkeypatch.setattr(connector, "cancel_flow", refuse)
        await connector.reconcile(timeout_s=2)
        states = [connector.tracker[name].state for name in ("x", "y")]
    assert states == [OrderState.PENDING_CANCEL, OrderState.OPEN]


async def test_an_order_of_a_lost_journal_is_found_by_its_id(rig: Rig) -> None:
    async with rig.connector() as connector:
        await placed(connector)
    async with rig.connector(journal=rig.journal("another.db")) as connector:
        found = await connector.find("x")
        assert found is not None
        assert (found.is_external, found.client_order_id, found.state) == (False, "x", OrderState.OPEN)
        assert await connector.find("nowhere") is None
        assert connector.parts.journal.order("x") is not None


async def test_a_refused_cancel_of_an_undecided_order_leaves_it_undecided(rig: Rig) -> None:
    order = (await lost(rig, Fault.LOST_AFTER)).order
    rig.venue.hidden.add("v-x")
    rig.http.faults["cancel"].append(Fault.LIMITED)
    async with rig.connector() as connector:
        outcome = await connector.cancel(order, timeout_s=1)
    assert isinstance(outcome.error, OutcomeUnknown), "it may be live, and that outweighs the refusal"


async def test_nothing_is_sent_when_the_intent_to_cancel_cannot_be_written(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(order: object, *, signer: str, **more: object) -> tuple[int, int]:
        raise JournalError("disk full")

    async with rig.connector() as connector:
        order = (await placed(connector)).order
        monkeypatch.setattr(connector.parts.journal, "begin_cancel", full)
        with pytest.raises(JournalError):
            await connector.cancel(order)
    assert rig.http.kinds("cancel") == []


async def test_a_reply_that_cannot_be_written_down_is_unknown(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise JournalError("disk full")

    async with rig.connector() as connector:
        order = (await placed(connector)).order
        monkeypatch.setattr(connector.parts.journal, "record", full)
        outcome = await connector.cancel(order)
        assert isinstance(outcome.error, OutcomeUnknown)
        with pytest.raises(OutcomeUnknown):
            await connector.place_order(limit("sell", price="105"))
