"""More orders than the tracker keeps once they are done: whoever still asks about one is answered all the same."""

from __future__ import annotations

import pytest

from latentspeed_cli.connector.sweeper import Finding
from latentspeed_cli.core.events import OrderFilledEvent
from latentspeed_cli.core.types import OrderState

from .conftest import Rig
from .venue import Fault, market

IDS = ("a", "b", "c")


async def test_an_order_is_read_again_among_the_fills_of_many_others(rig: Rig) -> None:
    async with rig.connector() as connector:
        for name in IDS:
            await connector.place_order(market(), client_order_id=name)
    first = rig.journal().order("a")
    assert first is not None
    async with rig.connector() as connector:
        connector.tracker.max_done = 1
        order = await connector.refresh(first)
    assert order == first
    assert order.state is OrderState.FILLED


async def test_fills_of_many_orders_are_written_down_and_told(rig: Rig) -> None:
    """Their statuses were heard of, and their fills were not."""
    rig.http.faults["fills"].extend([Fault.REFUSED] * 99)
    async with rig.connector() as connector:
        for name in IDS:
            await connector.place_order(market(), client_order_id=name)
    rig.heal()
    told: list[str] = []
    async with rig.connector() as connector:
        connector.tracker.max_done = 1
        connector.add_listener(OrderFilledEvent, lambda event: told.append(event.order.client_order_id))
        await connector.reconcile()
    assert sorted(told) == sorted(IDS)
    for order in rig.journal().orders():
        assert (order.state, order.fills_complete) == (OrderState.FILLED, True)


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE, Fault.LOST_AFTER])
async def test_many_undecided_orders_are_settled(rig: Rig, fault: Fault) -> None:
    for name in IDS:
        rig.lose_next(fault)
        async with rig.connector() as connector:
            await connector.place_order(market(), client_order_id=name, despite_unknown=True)
        rig.heal()
    rig.clock.advance(60)
    async with rig.connector() as connector:
        connector.tracker.max_done = 1
        sweep = await connector.reconcile()
    ended = OrderState.FAILED if fault is Fault.LOST_BEFORE else OrderState.FILLED
    assert [(item.finding, item.order.state) for item in sweep.found] == [(Finding.DECIDED, ended)] * len(IDS)
