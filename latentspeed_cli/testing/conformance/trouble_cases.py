"""The same command again, and what the network may do to a request: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio

from ...core.types import OrderState, TradeType
from ...errors import IdConflict, LatentspeedError
from .expect import becomes, equal, eventually, holds, raises
from .ground import Ground

COPIES = 10


async def c24_the_same_command_again_sends_nothing(ground: Ground) -> None:
    """The known id with the same words is answered from what is known, and marked as replayed.

    Holds: one venue order per id, for ever.
    """
    async with ground.trader() as trader:
        first = await trader.place_order(ground.resting(), client_order_id="case-24")
        sent = ground.sent()
        again = await trader.place_order(ground.resting(), client_order_id="case-24")
        equal("again", (again.replayed, again.outcome, again.error), (True, "replayed", None))
        equal("the order", again.order.exchange_order_id, first.order.exchange_order_id)
        equal("requests sent", ground.sent(), sent)


async def c25_a_known_id_with_other_words_is_refused(ground: Ground) -> None:
    """Another side, or another amount, under a known id: IdConflict (exit 12), and nothing is sent.

    Holds: one venue order per id, for ever.
    """
    async with ground.trader() as trader:
        await trader.place_order(ground.resting(), client_order_id="case-25")
        sent = ground.sent()
        for other in (ground.resting(TradeType.SELL), ground.resting(amount=ground.amount * 2)):
            await raises(IdConflict, trader.place_order(other, client_order_id="case-25"))
        equal("requests sent", ground.sent(), sent)


async def c26_copies_at_the_same_time_are_one_order(ground: Ground) -> None:
    """Ten runs of one command at once, in two programs of one machine: one sends, nine are replayed.

    Holds: ids are not reused across processes.
    """
    async with ground.trader() as trader, ground.trader() as twin:
        runs = [
            one.place_order(ground.resting(), client_order_id="case-26")
            for one in (trader, twin)
            for _ in range(COPIES // 2)
        ]
        outcomes = await asyncio.gather(*runs)
        equal("replayed", sorted(outcome.replayed for outcome in outcomes), [False] + [True] * (COPIES - 1))
        equal("orders", len({outcome.order.exchange_order_id for outcome in outcomes}), 1)
        equal("requests sent", ground.sent(), 1)
        await ground.at_venue(trader, 1)


async def c27_a_lost_reply_is_no_lost_order(ground: Ground) -> None:
    """The venue takes the order and its reply never comes: it is found again, and it is one.

    Holds: unknown is not failed, and nothing is doubled.
    """
    async with ground.trader() as trader:
        ground.trouble("lose_reply")
        outcome = await trader.place_order(ground.resting(), client_order_id="case-27")
        holds("taken for refused", outcome.outcome in ("accepted", "unknown"), outcome.outcome)
        order = await trader.resolve(outcome.order)
        equal("state", (order.state, order.contradiction), (OrderState.OPEN, None))
        again = await trader.place_order(ground.resting(), client_order_id="case-27")
        equal("again", (again.replayed, again.order.state), (True, OrderState.OPEN))
        await ground.at_venue(trader, 1)


async def c28_a_lost_reply_is_no_second_fill(ground: Ground) -> None:
    """The same for an order that takes the market: the position grows by its amount, once.

    Holds: nothing is doubled.
    """
    async with ground.trader() as trader:
        before = await ground.position(trader)
        ground.trouble("lose_reply")
        outcome = await trader.place_order(ground.market(), client_order_id="case-28")
        order = (await trader.wait_for(await trader.resolve(outcome.order), "filled")).order
        equal("state", order.state, OrderState.FILLED)
        again = await trader.place_order(ground.market(), client_order_id="case-28")
        equal("again", again.replayed, True)

        async def grown() -> object:
            return await ground.position(trader) - before

        await eventually("the position grew by", grown, lambda amount: amount == order.amount)


async def c29_an_answer_that_makes_no_sense_is_no_failure(ground: Ground) -> None:
    """Bytes that mean nothing in the place of the reply: the order is asked for, and found.

    Holds: unknown is not failed.
    """
    async with ground.trader() as trader:
        ground.trouble("garbage", body="\x00 no answer of yours")
        outcome = await trader.place_order(ground.resting(), client_order_id="case-29")
        holds("taken for refused", outcome.outcome in ("accepted", "unknown"), outcome.outcome)
        order = await trader.resolve(outcome.order)
        equal("state", (order.state, order.contradiction), (OrderState.OPEN, None))
        await ground.at_venue(trader, 1)


async def c30_a_request_that_was_lost_is_proved_lost(ground: Ground) -> None:
    """It never reaches the venue: the order is undecided until it is proved that it cannot land, and the same command
    then sends it, once.

    Holds: FAILED needs evidence, and one venue order per id.
    """
    async with ground.trader() as trader:
        ground.trouble("drop_request")
        try:
            order = (await trader.place_order(ground.resting(), client_order_id="case-30")).order
        except LatentspeedError as error:
            raise AssertionError(f"it may have been sent, and yet {error!r} was raised") from error
        if not order.is_done:
            order = await trader.resolve(order)
        equal("state", order.state, OrderState.FAILED)
        holds("evidence", order.evidence)
        again = await trader.place_order(ground.resting(), client_order_id="case-30")
        equal("again", (again.replayed, again.order.state), (False, OrderState.OPEN))
        await ground.at_venue(trader, 1)


async def c31_a_lost_reply_to_a_cancel_is_asked_for(ground: Ground) -> None:
    """The order is reported as it is afterwards: CANCELLED.

    Holds: after a cancel the order is read, and that is what is reported.
    """
    async with ground.trader() as trader:
        order = (await trader.place_order(ground.resting())).order
        ground.trouble("lose_reply", with_cancels=True)
        outcome = await trader.cancel(order)
        equal("state", (outcome.order.state, outcome.error), (OrderState.CANCELLED, None))
        await ground.at_venue(trader, 0)


async def c32_a_program_that_dies_loses_nothing(ground: Ground) -> None:
    """It ends while the reply is on its way; the next one takes the order up, and the venue has it once.

    Holds: a crash never needs repair.
    """
    ground.trouble("delay", seconds=0.4)
    try:
        async with ground.trader() as trader:
            client_order_id = trader.submit(ground.resting(), client_order_id="case-32")
            await becomes("it was sent", ground.sent, lambda sent: sent == 1)
            raise _Died
    except _Died:
        pass
    async with ground.trader() as trader:
        order = trader.known(client_order_id)
        if order is None:
            raise AssertionError("the order is not in the journal")
        equal("state", (await trader.resolve(order)).state, OrderState.OPEN)
        again = await trader.place_order(ground.resting(), client_order_id="case-32")
        equal("again", again.replayed, True)
        await ground.at_venue(trader, 1)


async def c33_what_was_known_is_known_after_a_restart(ground: Ground) -> None:
    """An order that ended and one that rests: another run of the program knows both as they are, without asking, and
    takes up the one in flight.

    Holds: the journal's state is the venue's.
    """
    async with ground.trader() as trader:
        resting = (await trader.place_order(ground.resting())).order
        ended = (await trader.cancel((await trader.place_order(ground.resting(TradeType.SELL))).order)).order
    async with ground.trader() as trader:
        for before in (resting, ended):
            now = trader.known(before.client_order_id)
            told = now and (now.state, now.exchange_order_id, now.executed_amount, now.evidence)
            equal(
                "after the restart",
                told,
                (before.state, before.exchange_order_id, before.executed_amount, before.evidence),
            )
        holds("taken up", resting.client_order_id in trader.in_flight_orders, list(trader.in_flight_orders))
        holds("taken up", ended.client_order_id not in trader.in_flight_orders, list(trader.in_flight_orders))


class _Died(Exception):
    """Stands for the end of a process: nothing of the connector goes on."""
