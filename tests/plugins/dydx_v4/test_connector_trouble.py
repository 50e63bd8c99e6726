"""The same, on ways that break, with nodes that refuse, and with sequences that others take."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from latentspeed_dydx_v4.constants import ACCOUNT, GET_TX
from latentspeed_dydx_v4.node import LATEST_BLOCK, STATEFUL_ORDER
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderState, TimeInForce
from latentspeed_cli.errors import (
    AuthRejected,
    OrderRejected,
    RateLimited,
    ReplyLost,
)

from .local_venue import Venue
from .trading import Runs, Way, brief, kinds, limit, market, place

# Broken ways


async def test_no_connection_is_not_sent(run: Runs, way: Way) -> None:
    way.faults.append("no connection")
    async with run() as connector:
        outcome = await place(connector, limit())
    assert (outcome.outcome, kinds(outcome.order)) == ("not_sent", ["never_sent"])


@pytest.mark.parametrize("intent", [limit(), brief(), market()])
@pytest.mark.parametrize("fault", ["lost after", "twice"])
async def test_an_order_whose_reply_tells_nothing_is_found(
    run: Runs, way: Way, fault: str, intent: OrderIntent
) -> None:
    way.faults.append(fault)
    async with run() as connector:
        outcome = await place(connector, intent)
    assert outcome.error is None
    assert outcome.order.state in (OrderState.OPEN, OrderState.FILLED)
    assert len(way.broadcasts) == 1


@pytest.mark.parametrize("fault", ["lost before", "exhausted"])
async def test_a_stateful_order_that_never_arrived_failed_once_its_height_is_past(
    run: Runs, way: Way, fault: str
) -> None:
    way.faults.append(fault)
    async with run() as connector:
        outcome = await place(connector, limit())
        assert outcome.order.state is OrderState.FAILED
        assert kinds(outcome.order) == ["timeout_height_passed"]
        assert isinstance(outcome.error, OrderRejected)
        again = await connector.place_order(limit(), client_order_id="a", timeout_s=20)
        assert (again.order.state, again.order.attempt) == (OrderState.OPEN, 2)


@pytest.mark.parametrize("silent", ["indexer", "node"])
async def test_the_height_is_past_and_somebody_who_may_have_the_order_is_silent(
    run: Runs, venue: Venue, way: Way, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """It landed, the indexer does not show it, and the node that knows no transactions does not tell its state."""
    way.faults.append("lost after")
    send = venue.send
    is_down = {silent: True}

    def answer(request: Request) -> Reply:
        reply = send(request)
        is_order = "/orders" in request.url
        if request.url.endswith((GET_TX, STATEFUL_ORDER)) or is_order:
            if is_down.get("indexer" if is_order else "node") and not request.url.endswith(GET_TX):
                raise ReplyLost("reset")
            if request.url.endswith(GET_TX) or is_down:
                gone = b'{"errors":[{"msg":"Unable to find order id"}]}' if is_order else b"not found"
                status = 404 if is_order else 5
                return Reply(status=status, body=gone, headers={}, received_ns=reply.received_ns)
        return reply

    monkeypatch.setattr(venue, "send", answer)
    async with run() as connector:
        outcome = await connector.place_order(limit(), client_order_id="a", is_new_id=True, timeout_s=2)
        assert outcome.order.state is OrderState.PENDING_SUBMIT
        is_down.clear()
        found = await connector.resolve(outcome.order)
    assert found.state is OrderState.OPEN


async def test_an_open_question_is_settled_when_the_market_is_not_traded_any_more(
    run: Runs, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.faults.append("lost before")
    send = way.send
    async with run() as connector:

        async def halting(request: Request) -> Reply:
            if request.changes:
                market = connector.symbols.pair("BTC-USD")
                halted = msgspec.structs.replace(market, is_active=False, refusal="it is FINAL_SETTLEMENT")
                connector.symbols = SymbolMap([halted])
            return await send(request)

        monkeypatch.setattr(way, "send", halting)
        outcome = await place(connector, limit())
    assert (outcome.order.state, kinds(outcome.order)) == (OrderState.FAILED, ["timeout_height_passed"])


async def test_a_short_term_order_that_never_arrived_is_expired(run: Runs, way: Way) -> None:
    way.faults.append("lost before")
    async with run() as connector:
        outcome = await place(connector, brief())
    assert (outcome.order.state, kinds(outcome.order)) == (OrderState.EXPIRED, ["block_limit_passed"])


async def test_a_transaction_that_never_comes_into_a_block_failed(run: Runs, venue: Venue, way: Way) -> None:
    venue.control("hold", blocks=40)
    async with run() as connector:
        outcome = await place(connector, limit())
    assert outcome.order.state is OrderState.FAILED
    assert kinds(outcome.order) == ["timeout_height_passed"]


async def test_another_run_settles_what_was_left_open(run: Runs, way: Way) -> None:
    way.faults.append("late")  # nothing overtakes it: it never arrives
    async with run() as connector:
        placing = asyncio.create_task(place(connector, limit()))
        await way.held.wait()
        placing.cancel()
        await asyncio.wait([placing])
        assert connector.in_flight_orders["a"].outcome_unknown
    async with run() as connector:
        found = await connector.find("a")
        assert found is not None
        settled = await connector.resolve(found, timeout_s=20)
    assert (settled.state, kinds(settled)) == (OrderState.FAILED, ["timeout_height_passed"])


# Refusals


async def test_a_short_block_window_is_learnt_and_the_order_tried_again(run: Runs, venue: Venue, way: Way) -> None:
    detail = "The GoodTilBlock 9 exceeds the current blockHeight 1 plus ShortBlockWindow 20"
    venue.control("reject", codespace="clob", code=11, detail=detail)
    async with run() as connector:
        outcome = await place(connector, brief(20))
        assert connector.chain.window == 20
    assert (outcome.error, outcome.order.state, outcome.order.attempt) == (None, OrderState.OPEN, 2)


async def test_a_node_that_has_just_started_is_tried_once_more(run: Runs, venue: Venue, way: Way) -> None:
    venue.control("restarted")
    async with run(1) as connector:
        outcome = await place(connector, limit())
    assert (outcome.error, outcome.order.state, outcome.order.attempt) == (None, OrderState.OPEN, 2)


@pytest.mark.parametrize(("codespace", "code"), [("sdk", 20), ("clob", 5001)])
async def test_too_many_is_rate_limited_and_may_be_sent_again(
    run: Runs, venue: Venue, codespace: str, code: int
) -> None:
    venue.control("reject", codespace=codespace, code=code)
    async with run() as connector:
        outcome = await place(connector, limit())
        assert isinstance(outcome.error, RateLimited)
        assert outcome.error.retry_after_ms
        again = await connector.place_order(limit(), client_order_id="a", timeout_s=20)
        assert again.order.state is OrderState.OPEN


@pytest.mark.parametrize("nonces", ["timestamp", "sequence"])
async def test_a_refused_sequence_is_tried_again_once(run: Runs, venue: Venue, way: Way, nonces: str) -> None:
    detail = "account sequence mismatch, expected 0, got 5"
    venue.control("reject", codespace="sdk", code=32, detail=detail)
    async with run(nonces=nonces) as connector:
        outcome = await place(connector, limit())
    assert (outcome.error, outcome.order.state, outcome.order.attempt) == (None, OrderState.OPEN, 2)
    assert len(way.broadcasts) == 2


@pytest.mark.parametrize("nonces", ["timestamp", "sequence"])
async def test_a_sequence_that_is_refused_twice_is_rejected(run: Runs, venue: Venue, way: Way, nonces: str) -> None:
    venue.control("reject", codespace="sdk", code=32, detail="account sequence mismatch, expected 0, got 5", count=2)
    async with run(nonces=nonces) as connector:
        outcome = await place(connector, limit())
    assert outcome.order.state is OrderState.FAILED
    assert outcome.error is not None
    assert outcome.error.exit_code == 4
    assert len(way.broadcasts) == 2


async def test_a_key_of_another_account_is_an_error_of_the_key(run: Runs) -> None:
    async with run(account=ADDRESSES[3]) as connector:
        with pytest.raises(AuthRejected):
            await place(connector, limit())


# Sequences


async def test_sequences_follow_each_other_and_heal(run: Runs, venue: Venue, way: Way) -> None:
    async with run(nonces="sequence") as connector:
        for name in ("a", "b"):
            assert (await place(connector, limit(), name)).error is None
        venue.control("sequence", address=ADDRESSES[0], sequence=9)
        assert (await place(connector, limit(), "c")).error is None
        assert (await place(connector, limit(tif=TimeInForce.IOC), "d")).order.state is OrderState.EXPIRED
        cancelled = await connector.cancel(connector.in_flight_orders["a"])
        assert cancelled.order.state is OrderState.CANCELLED
    sequences = [sequence for sequence, _ in way.sent()]
    assert sequences[:4] == [0, 1, 2, 9], "what was read a moment ago is tried, and the refusal names the right one"
    assert sequences[-1] == 10, "the immediate order took none"


async def test_orders_of_one_moment_after_a_refusal_take_a_sequence_each(run: Runs, venue: Venue, way: Way) -> None:
    async with run(nonces="sequence") as connector:
        assert (await place(connector, limit(), "a")).error is None
        connector.chain.expected = 1  # as a refusal has just named it
        outcomes = await asyncio.gather(*(place(connector, limit(), name) for name in "bcd"))
    assert {outcome.error for outcome in outcomes} == {None}
    assert [sequence for sequence, _ in way.sent()] == [0, 1, 2, 3]


async def test_a_sequence_that_was_used_up_by_a_refusal_is_handed_out_again(run: Runs, way: Way) -> None:
    async with run(nonces="sequence") as connector:
        refused = await place(connector, limit("90000", amount="500"))
        assert refused.order.state is OrderState.FAILED
        outcome = await place(connector, limit(), "b")
    assert outcome.error is None
    assert [sequence for sequence, _ in way.sent()] == [0, 1, 0]


async def test_sequences_of_two_processes_that_overtake_each_other_heal(run: Runs, way: Way) -> None:
    async with run(nonces="sequence") as one, run(nonces="sequence") as two:
        assert (await place(one, limit(), "first")).error is None
        way.faults.append("late")
        late, overtaking = await asyncio.gather(place(one, limit(), "late"), place(two, limit(), "overtaking"))
        assert (late.order.state, late.order.attempt) == (OrderState.OPEN, 1)
        assert (overtaking.error, overtaking.order.state, overtaking.order.attempt) == (None, OrderState.OPEN, 2)
        assert (await place(one, limit(), "next")).error is None
        assert len(await two.open_orders()) == 4
    assert [sequence for sequence, _ in way.sent()] == [0, 1, 2, 2, 3]


async def test_what_signing_needs_is_read_at_the_same_time_and_once_for_all_orders(
    run: Runs, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked, both = way.send, [], asyncio.Event()

    async def send(request: Request) -> Reply:
        if request.url.endswith((ACCOUNT, LATEST_BLOCK)):
            asked.append(request.url.rpartition("/")[2])
            if len(asked) == 2:
                both.set()
            await asyncio.wait_for(both.wait(), timeout=5)
        return await real(request)

    monkeypatch.setattr(way, "send", send)
    async with run() as connector:
        outcomes = await asyncio.gather(place(connector, limit(), "a"), place(connector, limit(), "b"))
    assert {outcome.error for outcome in outcomes} == {None}
    assert asked == ["Account", "GetLatestBlock"]


async def test_many_orders_of_two_processes_take_each_sequence_once(run: Runs, way: Way) -> None:
    async with run(nonces="sequence") as one, run(nonces="sequence") as two:
        placing = [
            place(run_, limit(), f"{name}{number}") for number in range(4) for name, run_ in (("a", one), ("b", two))
        ]
        outcomes = await asyncio.gather(*placing)
        assert {outcome.error for outcome in outcomes} == {None}
        assert len(await one.open_orders()) == 8
    assert sorted(sequence for sequence, _ in way.sent()) == list(range(8))


async def test_a_post_only_order_is_sure_to_rest_whoever_saw_it_in_between(run: Runs) -> None:
    """The list of open orders shows one that would meet another, until the next block takes it off."""
    async with run() as connector:
        placing = asyncio.create_task(place(connector, limit("99000", post_only=True)))
        shown = 0
        while not placing.done():
            shown += len(await connector.open_orders())
            await asyncio.sleep(0)
        outcome = await placing
    assert shown
    assert isinstance(outcome.error, OrderRejected)
    assert (outcome.outcome, outcome.order.state) == ("rejected", OrderState.CANCELLED)


async def test_a_post_only_order_whose_reply_was_lost_is_sure_to_rest(run: Runs, way: Way) -> None:
    async with run() as connector:
        for name, price, expected in (("a", "99000", OrderState.CANCELLED), ("b", "60000", OrderState.OPEN)):
            way.faults.append("lost after")
            outcome = await place(connector, limit(price, post_only=True), name)
            assert outcome.order.state is expected
