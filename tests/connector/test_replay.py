"""The same command again: `--client-id` sends once, whoever gives it, and whatever became of it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.types import OrderState, TimeInForce
from latentspeed_cli.errors import IdConflict, OrderRejected, OutcomeUnknown, ProtocolError, ReplyLost

from .conftest import Rig
from .venue import Fault, limit, market

DOWN = ("status", "open", "fills", "fence")


async def test_an_open_order_is_replayed(rig: Rig) -> None:
    async with rig.connector() as connector:
        first = await connector.place_order(limit(), client_order_id="x")
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.outcome, again.replayed, again.error) == ("replayed", True, None)
    assert again.order == first.order
    assert len(rig.http.kinds("place")) == 1


async def test_a_finished_order_is_replayed_as_it_ended(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(market(), client_order_id="x")
    async with rig.connector() as connector:
        again = await connector.place_order(market(), client_order_id="x")
    assert (again.replayed, again.order.state, again.order.average_price) == (True, OrderState.FILLED, Decimal(101))
    assert len(rig.http.kinds("place")) == 1


async def test_a_replay_tells_of_the_present_state(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    rig.venue.fill(rig.venue.orders["1"], Decimal(1), Decimal(95))
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state) == (True, OrderState.FILLED)


async def test_a_replay_of_an_open_order_works_while_the_venue_is_down(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    for kind in (*DOWN, "markets", "book", "place"):
        rig.http.faults[kind].extend([Fault.REFUSED] * 20)
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state, again.error) == (True, OrderState.OPEN, None)


async def test_a_copy_that_the_venue_does_not_answer_is_replayed_once_another_one_was_placed(rig: Rig) -> None:
    async with rig.connector() as connector, rig.connector() as copy:
        waiting = rig.http.gate["book"] = asyncio.Event()
        rig.http.faults["book"].extend([Fault.LOST_AFTER, None, *[Fault.REFUSED] * 20])
        slow = asyncio.create_task(copy.place_order(limit(), client_order_id="x"))
        await rig.http.arrived["book"].wait()
        del rig.http.gate["book"]
        first = await connector.place_order(limit(), client_order_id="x")
        waiting.set()
        again = await slow
    assert (first.replayed, again.replayed, again.error) == (False, True, None)
    assert again.order.exchange_order_id == first.order.exchange_order_id
    assert len(rig.http.kinds("place")) == 1


async def test_other_parameters_are_a_conflict(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
        with pytest.raises(IdConflict, match="parameters: buy 1 BTC-USD at 95 on ") as caught:
            await connector.place_order(limit(amount="2"), client_order_id="x")
        assert caught.value.hint == "differs: amount 1, not 2. Use another id for another order"
    async with rig.connector() as connector:
        with pytest.raises(IdConflict) as caught:
            await connector.place_order(limit("sell", price="105", post_only=True), client_order_id="x")
        assert str(caught.value.hint).startswith(
            "differs: side buy, not sell; price 95, not 105; post-only no, not yes."
        )
        with pytest.raises(IdConflict) as caught:
            await connector.place_order(limit(tif=TimeInForce.IOC), client_order_id="x")
        assert str(caught.value.hint).startswith("differs: tif gtc, not ioc.")


async def test_what_no_record_keeps_cannot_be_compared(rig: Rig) -> None:
    sized = msgspec.structs.replace(limit(), amount=None, notional=Decimal(95))
    async with rig.connector() as connector:
        await connector.place_order(sized, client_order_id="x")
        with pytest.raises(IdConflict, match="buy 1 BTC-USD at 95") as caught:
            await connector.place_order(limit(), client_order_id="x")
        assert str(caught.value.hint).startswith("differs: size, price or end in other words.")
    assert len(rig.http.kinds("place")) == 1


async def test_other_parameters_are_a_conflict_while_the_first_is_on_its_way(rig: Rig) -> None:
    rig.http.gate["place"] = asyncio.Event()
    async with rig.connector() as connector:
        connector.submit(limit(), client_order_id="x")
        with pytest.raises(IdConflict, match="buy 1 BTC-USD at 95") as caught:
            connector.submit(limit(amount="2"), client_order_id="x")
        assert str(caught.value.hint).startswith("differs: amount 1, not 2.")
        rig.http.gate["place"].set()


async def test_a_refused_order_is_replayed_as_refused(rig: Rig) -> None:
    intent = limit(price="110", post_only=True)
    async with rig.connector() as connector:
        await connector.place_order(intent, client_order_id="x")
    async with rig.connector() as connector:
        again = await connector.place_order(intent, client_order_id="x")
    assert (again.replayed, again.order.state) == (True, OrderState.FAILED)
    assert isinstance(again.error, OrderRejected)
    assert len(rig.http.kinds("place")) == 1


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LIMITED, Fault.LOST_BEFORE])
async def test_what_was_proved_never_to_have_landed_is_sent_again(rig: Rig, fault: Fault) -> None:
    rig.http.faults["place"].append(fault)
    async with rig.connector() as connector:
        first = await connector.place_order(limit(), client_order_id="x")
    assert first.order.state is OrderState.FAILED
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.order.state, again.order.attempt, again.replayed) == (OrderState.OPEN, 2, False)
    assert again.order.contradiction is None
    assert again.order.nonce != first.order.nonce
    assert len(rig.venue.by_cloid("v-x")) == 1


async def test_what_landed_all_the_same_is_not_sent_again(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LIMITED)
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
        (body,) = rig.http.kinds("place")
        rig.venue.answer("place", body)  # somebody on the way sent it once more
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state) == (True, OrderState.OPEN)
    assert isinstance(again.error, ProtocolError), "the venue contradicted itself"
    assert len(rig.http.kinds("place")) == 1


async def test_an_unknown_order_is_resolved_not_sent_again(rig: Rig) -> None:
    rig.lose_next(Fault.LOST_AFTER)
    async with rig.connector() as connector:
        first = await connector.place_order(limit(), client_order_id="x")
    assert isinstance(first.error, OutcomeUnknown)
    rig.heal()
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state, again.error) == (True, OrderState.OPEN, None)
    assert len(rig.http.kinds("place")) == 1


async def test_an_unknown_order_that_cannot_be_resolved_is_not_sent_again(rig: Rig) -> None:
    rig.http.faults["place"].append(Fault.LOST_AFTER)
    rig.venue.hidden.add("v-x")
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x", timeout_s=0.5)
    assert isinstance(again.error, OutcomeUnknown)
    assert again.order.state is OrderState.PENDING_SUBMIT
    assert len(rig.http.kinds("place")) == 1


async def test_an_unknown_order_proved_absent_is_sent_again(rig: Rig) -> None:
    rig.lose_next(Fault.LOST_BEFORE)
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    rig.heal()
    async with rig.connector() as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.order.state, again.order.attempt) == (OrderState.OPEN, 2)
    assert len(rig.http.kinds("fence")) == 1
    assert len(rig.venue.by_cloid("v-x")) == 1


# Two runs at once


async def test_another_run_waits_for_the_writer(rig: Rig) -> None:
    """The second process finds the first one's intent under a running lease: it asks the journal, not the venue."""
    rig.http.gate["place"] = asyncio.Event()
    async with rig.connector() as one, rig.connector() as two:
        first = asyncio.create_task(one.place_order(limit(), client_order_id="x"))
        await rig.http.arrived["place"].wait()
        second = asyncio.create_task(two.place_order(limit(), client_order_id="x"))
        await asyncio.sleep(0.05)
        assert not second.done()
        assert rig.http.kinds("fence") == []
        rig.http.gate["place"].set()
        outcomes = await asyncio.gather(first, second)
    assert [outcome.replayed for outcome in outcomes] == [False, True]
    assert {outcome.order.state for outcome in outcomes} == {OrderState.OPEN}
    assert len(rig.http.kinds("place")) == 1


async def test_a_dead_writers_order_is_settled_once_its_lease_is_over(rig: Rig) -> None:
    rig.http.gate["place"] = asyncio.Event()
    dead = rig.connector()
    await dead.__aenter__()
    writing = asyncio.create_task(dead.place_order(limit(), client_order_id="x", timeout_s=15))
    await rig.http.arrived["place"].wait()
    async with rig.connector() as connector:
        rig.clock.advance(16)
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state) == (True, OrderState.OPEN)
    assert len(rig.http.kinds("place")) == 1
    rig.http.gate["place"].set()
    await writing
    await dead.__aexit__(None, None, None)


async def test_many_runs_with_one_id_send_once(rig: Rig) -> None:
    async def run() -> OrderState:
        async with rig.connector() as connector:
            return (await connector.place_order(limit(), client_order_id="x")).order.state

    assert set(await asyncio.gather(*(run() for _ in range(10)))) == {OrderState.OPEN}
    assert len(rig.http.kinds("place")) == 1


# A journal that was lost


async def test_an_order_of_a_lost_journal_is_adopted(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    lost = rig.journal("another.db")
    async with rig.connector(journal=lost) as connector:
        again = await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state, again.order.exchange_order_id) == (True, OrderState.OPEN, "1")
    assert len(rig.http.kinds("place")) == 1
    adopted = lost.order("x")
    assert adopted is not None
    assert adopted.state is OrderState.OPEN


async def test_an_order_that_was_found_at_the_venue_first_is_the_same_order(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    async with rig.connector(journal=rig.journal("another.db")) as connector:
        assert await connector.find("x") is not None
        again = await connector.place_order(limit(), client_order_id="x")
        with pytest.raises(IdConflict):
            await connector.place_order(limit(amount="2"), client_order_id="x")
        rig.venue.hidden.add("v-x")
        with pytest.raises(IdConflict):  # denied for a moment, it is never sent again
            await connector.place_order(limit(), client_order_id="x")
    assert (again.replayed, again.order.state, again.order.exchange_order_id) == (True, OrderState.OPEN, "1")
    assert len(rig.http.kinds("place")) == 1


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (limit(amount="2"), "amount 1, not 2"),
        (limit(price="94"), "price 95, not 94"),
        (limit("sell", price="105"), "side buy, not sell; price 95, not 105"),
    ],
)
async def test_an_order_at_the_venue_with_other_parameters_is_a_conflict(
    rig: Rig, other: OrderIntent, differs: str
) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit(), client_order_id="x")
    async with rig.connector(journal=rig.journal("another.db")) as connector:
        with pytest.raises(IdConflict, match="buy 1 BTC-USD at 95") as caught:
            await connector.place_order(other, client_order_id="x")
    assert str(caught.value.hint).startswith(f"differs: {differs}.")
    assert len(rig.http.kinds("place")) == 1


async def test_nothing_is_sent_when_the_venue_cannot_be_asked(rig: Rig) -> None:
    rig.http.faults["status"].extend([Fault.LOST_AFTER] * 5)
    async with rig.connector() as connector:
        with pytest.raises(ReplyLost):
            await connector.place_order(limit(), client_order_id="x")
    assert rig.http.kinds("place") == []
    assert rig.journal().order("x") is None


async def test_a_generated_id_is_not_asked_for(rig: Rig) -> None:
    async with rig.connector() as connector:
        await connector.place_order(limit())
    assert rig.http.kinds("status") == []


async def test_a_restart_takes_up_what_is_in_flight(rig: Rig) -> None:
    async with rig.connector() as connector:
        outcome = await connector.place_order(limit())
        await connector.place_order(market())
    async with rig.connector() as connector:
        assert list(connector.in_flight_orders) == [outcome.order.client_order_id]
