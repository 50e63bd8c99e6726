"""Cancels, one by one and together, and what the venue does about them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from latentspeed_dydx_v4 import connector as venue_connector
from latentspeed_dydx_v4.connector import DydxV4Perpetual

from latentspeed_cli.clock import NS_PER_MS, NS_PER_S
from latentspeed_cli.connector.parts import OrderOutcome
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.types import OrderState
from latentspeed_cli.errors import JournalError, OutcomeUnknown

from .local_venue import Venue
from .trading import Runs, Way, brief, limit, lose_journal, market, place


@pytest.mark.parametrize("intent", [limit(), brief()])
async def test_a_cancel_ends_an_order(run: Runs, way: Way, intent: OrderIntent) -> None:
    async with run() as connector:
        order = (await place(connector, intent)).order
        outcome = await connector.cancel(order)
        assert (outcome.error, outcome.order.state) == (None, OrderState.CANCELLED)
        again = await connector.cancel(outcome.order)
        assert (again.error, again.order.state) == (None, OrderState.CANCELLED)
    assert len(way.broadcasts) == 2


async def test_a_cancel_whose_reply_is_lost_is_found(run: Runs, way: Way) -> None:
    async with run() as connector:
        order = (await place(connector, limit())).order
        way.faults.append("lost after")
        assert (await connector.cancel(order)).order.state is OrderState.CANCELLED


@pytest.mark.parametrize("offset_s", [3600, -3600])
async def test_a_cancel_by_a_wrong_clock_works_and_spoils_no_later_nonce(run: Runs, way: Way, offset_s: int) -> None:
    async with run() as connector:
        order = (await place(connector, limit())).order
        way.clock_offset_ns = offset_s * NS_PER_S
        assert (await connector.cancel(order)).order.state is OrderState.CANCELLED
        way.clock_offset_ns = 0
        assert (await place(connector, limit(), "b")).order.attempt == 1
    nonces = [sequence for sequence, _ in way.sent()]
    assert len(nonces) == 3
    assert nonces == sorted(nonces)
    assert nonces[-1] < way.venue.now_ns // NS_PER_MS


async def test_only_what_ends_with_a_block_is_worth_waiting_for(run: Runs, venue: Venue) -> None:
    """By the blocks that are left, each a second long, and those that the indexer may be behind."""
    async with run() as connector:
        orders = [(await place(connector, intent, name)).order for name, intent in (("a", brief(20)), ("b", limit()))]
        waits_s = [connector.ends_within_s(order, venue.now_ns) for order in orders]
        assert waits_s[1] == 0
        assert 20 < waits_s[0] < 45
        assert connector.ends_within_s(orders[0], venue.now_ns + 10**12) == 0


async def test_two_programs_that_cancel_one_short_term_order_both_see_it_end(run: Runs, way: Way) -> None:
    """And no two cancels are the same bytes, which a node would not pass on."""
    async with run() as one, run() as two:
        order = (await place(one, brief())).order
        outcomes = await asyncio.gather(*(connector.cancel(order) for connector in (one, two)))
    assert [(outcome.error, outcome.order.state) for outcome in outcomes] == [(None, OrderState.CANCELLED)] * 2
    assert len(set(way.broadcasts)) == len(way.broadcasts) == 3


async def test_a_cancel_that_is_lost_on_its_way_into_a_block_is_sent_anew(run: Runs, way: Way) -> None:
    async with run() as connector:
        order = (await place(connector, limit())).order
        way.faults.append("evicted")
        outcome = await connector.cancel(order)
    assert (outcome.error, outcome.order.state) == (None, OrderState.CANCELLED)
    assert len(way.broadcasts) == 3


async def test_a_cancel_with_a_refused_sequence_is_sent_anew(run: Runs, venue: Venue, way: Way) -> None:
    async with run() as connector:
        order = (await place(connector, limit())).order
        venue.control("reject", codespace="sdk", code=32)
        assert (await connector.cancel(order)).order.state is OrderState.CANCELLED
    assert len(way.broadcasts) == 3


async def cancel_all(connector: DydxV4Perpetual, orders: list[InFlightOrder]) -> list[OrderOutcome]:
    """As the command does it."""
    await connector.cancel_together(orders)
    return list(await asyncio.gather(*(connector.cancel(order, timeout_s=30) for order in orders)))


async def test_short_term_orders_are_cancelled_in_one_transaction(run: Runs, way: Way) -> None:
    async with run() as connector:
        intents = {"a": brief(), "b": brief(15), "c": limit()}
        orders = [(await place(connector, intent, name)).order for name, intent in intents.items()]
        outcomes = await cancel_all(connector, orders)
    assert [(outcome.error, outcome.order.state) for outcome in outcomes] == [(None, OrderState.CANCELLED)] * 3
    assert len(way.broadcasts) == len(intents) + 2, "one for two, and one for the order in the chain's state"


@pytest.mark.parametrize("fault", ["hollow", "lost before", "no connection", "exhausted"])
async def test_orders_that_a_batch_did_not_cancel_are_cancelled_one_by_one(run: Runs, way: Way, fault: str) -> None:
    """The chain answers code 0 to a batch of which every cancel failed."""
    async with run() as connector:
        orders = [(await place(connector, brief(15), name)).order for name in ("a", "b")]
        way.faults.append(fault)
        outcomes = await cancel_all(connector, orders)
    assert [(outcome.error, outcome.order.state) for outcome in outcomes] == [(None, OrderState.CANCELLED)] * 2
    assert len(way.broadcasts) == (4 if fault == "no connection" else 5)


async def test_a_batch_is_on_disk_before_it_leaves_and_unknown_when_it_is_stopped(run: Runs, way: Way) -> None:
    async with run() as connector:
        orders = [(await place(connector, brief(15), name)).order for name in ("a", "b")]
        way.faults.append("late")  # nothing overtakes it
        cancelling = asyncio.create_task(connector.cancel_together(orders))
        await way.held.wait()
        async with run() as other:
            states = [found.state for order in orders if (found := await other.find(order.client_order_id))]
        assert states == [OrderState.PENDING_CANCEL] * 2
        cancelling.cancel()
        await asyncio.wait([cancelling])
        assert [connector.in_flight_orders[order.client_order_id].outcome_unknown for order in orders] == [True] * 2


@pytest.mark.parametrize(("written", "error"), [(0, JournalError), (2, OutcomeUnknown)])
async def test_a_disk_that_fails_between_batches_does_not_hide_what_was_sent(
    run: Runs, way: Way, monkeypatch: pytest.MonkeyPatch, written: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(venue_connector, "MAX_BATCH_CANCEL", 2)
    async with run() as connector:
        orders = [(await place(connector, brief(15), name)).order for name in "abcd"]
        begin = connector.parts.journal.begin_cancel
        begun: list[InFlightOrder] = []

        def fail_after_some(order: InFlightOrder, **more: Any) -> tuple[int, int]:
            if len(begun) == written:
                raise JournalError("no room")
            begun.append(order)
            return begin(order, **more)

        monkeypatch.setattr(connector.parts.journal, "begin_cancel", fail_after_some)
        with pytest.raises(error):
            await connector.cancel_together(orders)
    assert len(way.broadcasts) == len(orders) + written // 2


async def test_one_order_is_no_batch(run: Runs, way: Way) -> None:
    async with run() as connector:
        orders = [(await place(connector, intent, name)).order for name, intent in (("a", brief()), ("b", limit()))]
        await connector.cancel_together(orders)
    assert len(way.broadcasts) == 2


async def test_a_batch_that_is_refused_says_so_of_each_cancel(run: Runs, way: Way, venue: Venue) -> None:
    async with run() as connector:
        orders = [(await place(connector, brief(15), name)).order for name in ("a", "b")]
        venue.control("reject", codespace="clob", code=5001)
        await connector.cancel_together(orders)
        assert [connector.in_flight_orders[order.client_order_id].state for order in orders] == [OrderState.OPEN] * 2


async def test_what_is_filled_cannot_be_cancelled(run: Runs) -> None:
    async with run() as connector:
        order = (await place(connector, market())).order
        outcome = await connector.cancel(order)
    assert outcome.error is not None
    assert outcome.error.exit_code == 14


async def test_an_order_of_another_program_is_named_by_its_row(run: Runs, tmp_path: Path) -> None:
    async with run() as connector:
        for name, intent in (("a", limit()), ("b", brief())):
            await place(connector, intent, name)
    lose_journal(tmp_path)
    async with run() as connector:
        found = await connector.open_orders()
        assert [order.is_external for order in found] == [True, True]
        for order in found:
            assert (await connector.cancel(order)).order.state is OrderState.CANCELLED
