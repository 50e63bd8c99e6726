"""A venue that decides an order after its reply: block by block, with ends, nonces and ids that it fixes itself."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from latentspeed_cli.connector import canceller, reconciler
from latentspeed_cli.connector.parts import OrderOutcome
from latentspeed_cli.connector.venue import FenceVerdict
from latentspeed_cli.core.drafts import CountedNonces
from latentspeed_cli.core.flow import Flow
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.reports import TURNED_AWAY, Evidence, OrderUpdate, Report
from latentspeed_cli.core.types import OrderState
from latentspeed_cli.errors import (
    AttemptRefused,
    ConnectFailed,
    EndedShort,
    NonceRefused,
    OrderRejected,
    OutcomeUnknown,
)
from latentspeed_cli.records import order_record

from .conftest import Rig
from .venue import PAIR, Fault, TinyConnector, limit, market

BLOCKS = 5


class Chain:
    """What several runs share: heights, and what the next placements are answered with."""

    def __init__(self) -> None:
        self.height = 100
        self.reads = 0
        self.answers: deque[Exception | Callable[[], Exception]] = deque()
        self.shown: dict[str, Report] = {}  # by client order id: what the venue says once it shows an order
        self.why: str | None = None  # it ended, if the venue says
        self.vanishes = False
        self.sequence = 7


class BlockConnector(TinyConnector):
    """Every answer is a note; `chain.shown` decides. Without it an order is over once its last block is behind."""

    chain: Chain
    counts = False
    known_height: int | None = None

    def can_sign(self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None) -> bool:
        return self.known_height == self.chain.height

    def ready_to_sign_flows(
        self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None
    ) -> Sequence[Callable[[], Flow[None]]]:
        return (self.learn_height,)

    def learn_height(self) -> Flow[None]:
        yield from self.ask("account")
        self.chain.reads += 1
        self.known_height = self.chain.height

    def prepared(self, order: InFlightOrder, intent: OrderIntent) -> InFlightOrder:
        assert self.known_height is not None
        return msgspec.structs.replace(
            order, good_til_block=self.known_height + BLOCKS, exchange_order_id=f"x{len(order.venue_client_id)}"
        )

    def with_another_id(self, order: InFlightOrder, probe: int) -> InFlightOrder:
        twin = order.venue_client_id + "+" * probe
        return msgspec.structs.replace(order, venue_client_id=twin, exchange_order_id=f"x{len(twin)}")

    def sequence_for(self, order: InFlightOrder | None) -> CountedNonces | None:
        return CountedNonces(scope="chain", next=self.chain.sequence) if self.counts else None

    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        yield from self.ask("identity", changes=True, nonce=order.nonce, block=order.good_til_block)
        if self.chain.answers:
            answer = self.chain.answers.popleft()
            raise answer if isinstance(answer, Exception) else answer()
        return self.said(order, Report.NOTE)

    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        yield from self.ask("identity", changes=True, cancels=order.client_order_id)
        return self.said(order, Report.NOTE)

    def order_status_flow(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        yield from self.ask("account")
        report = self.chain.shown.get(order.client_order_id)
        if report is not None:
            return (self.said(order, report),)
        if order.good_til_block is None or self.chain.height <= order.good_til_block or self.chain.vanishes:
            return ()
        return (self.said(order, Report.EXPIRED),)

    def fence_flow(self, order: InFlightOrder) -> Flow[FenceVerdict]:
        yield from self.ask("account")
        assert order.good_til_block is not None
        if self.chain.height <= order.good_til_block:
            return FenceVerdict(burned=False, used=False, is_pending=True, detail="not yet")
        return FenceVerdict(burned=True, used=False, detail="over", evidence="timeout_height_passed")

    def said(self, order: InFlightOrder, report: Report) -> OrderUpdate:
        final = report in (Report.CANCELLED, Report.EXPIRED)
        return OrderUpdate(
            report=report,
            trading_pair=order.trading_pair,
            ts_ns=self.chain.height,
            client_order_id=order.client_order_id,
            exchange_order_id=order.exchange_order_id,
            reason="a node has it" if report is Report.NOTE else self.chain.why,
            evidence=Evidence(kind="block_limit_passed", ts_ns=1, detail="block") if final else None,
        )


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "FOLLOW_WAITS_S", (0.01, 0.01))
    monkeypatch.setattr(reconciler, "PENDING_WAIT_S", 0.01)
    monkeypatch.setattr(canceller, "WATCH_WAITS_S", (0.01,))


def run(rig: Rig, chain: Chain, **more: Any) -> BlockConnector:
    connector = BlockConnector(rig.connector(**more).parts)
    connector.chain = chain
    return connector


async def place(connector: BlockConnector, name: str = "a", intent: OrderIntent | None = None) -> OrderOutcome:
    """An order under a new id, so that nobody is asked whether it is known."""
    return await connector.place_order(intent or limit(), client_order_id=name, is_new_id=True, timeout_s=5)


async def later(chain: Chain, blocks: int = BLOCKS + 1) -> None:
    """Let blocks pass once the order is on its way."""
    await asyncio.sleep(0.05)
    chain.height += blocks


# What a reply that decides nothing leads to


async def test_an_order_is_accepted_when_the_venue_shows_it_and_not_before(rig: Rig, chain: Chain) -> None:
    async with run(rig, chain) as connector:
        placing = asyncio.create_task(place(connector))
        await asyncio.sleep(0.06)
        order = connector.order("a")
        assert order is not None
        assert order.state is OrderState.PENDING_SUBMIT
        assert not placing.done()
        chain.shown["a"] = Report.ACCEPTED
        outcome = await placing
    assert (outcome.outcome, outcome.error, outcome.order.state) == ("accepted", None, OrderState.OPEN)


async def test_news_of_a_stream_decides_as_well(rig: Rig, chain: Chain) -> None:
    async with run(rig, chain) as connector:
        placing = asyncio.create_task(place(connector))
        await asyncio.sleep(0.03)
        order = connector.order("a")
        assert order is not None
        connector._ledger.record([connector.said(order, Report.ACCEPTED)])
        assert (await placing).order.state is OrderState.OPEN


async def test_nothing_shown_in_time_is_unknown(rig: Rig, chain: Chain) -> None:
    async with run(rig, chain) as connector:
        outcome = await connector.place_order(limit(), client_order_id="a", timeout_s=0.2)
    assert isinstance(outcome.error, OutcomeUnknown)
    assert outcome.outcome == "unknown"
    assert outcome.order.state is OrderState.PENDING_SUBMIT
    assert outcome.order.outcome_unknown


async def test_an_immediate_order_is_followed_to_its_end(rig: Rig, chain: Chain) -> None:
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        placing = asyncio.create_task(place(connector, intent=market()))
        await asyncio.sleep(0.06)
        assert not placing.done(), "accepted says nothing of an order that cannot rest"
        del chain.shown["a"]
        chain.height += BLOCKS + 1
        outcome = await placing
    assert outcome.order.state is OrderState.EXPIRED
    assert isinstance(outcome.error, EndedShort)


async def test_a_block_that_passes_ends_what_was_never_shown(rig: Rig, chain: Chain) -> None:
    async with run(rig, chain) as connector:
        outcome, _ = await asyncio.gather(place(connector), later(chain))
    assert outcome.order.state is OrderState.EXPIRED
    assert [item.kind for item in outcome.order.evidence] == ["block_limit_passed"]


async def test_an_order_that_left_no_trace_failed_once_it_can_land_no_more(rig: Rig, chain: Chain) -> None:
    chain.vanishes = True
    async with run(rig, chain) as connector:
        outcome, _ = await asyncio.gather(place(connector), later(chain))
        assert outcome.order.state is OrderState.FAILED
        assert [item.kind for item in outcome.order.evidence] == ["timeout_height_passed"]

        def show(kind: str, body: object) -> None:
            if kind == "identity":
                chain.shown["a"] = Report.ACCEPTED

        rig.http.seen = show
        again = await connector.place_order(limit(), client_order_id="a", timeout_s=5)
    assert (again.order.state, again.order.attempt) == (OrderState.OPEN, 2), "the same command may send it again"


async def test_a_lost_reply_is_waited_out(rig: Rig, chain: Chain) -> None:
    chain.answers.append(OutcomeUnknown("seen before"))
    async with run(rig, chain) as connector:
        outcome, _ = await asyncio.gather(place(connector), later(chain))
    assert outcome.order.state is OrderState.EXPIRED
    assert len(rig.http.kinds("identity")) == 1, "nothing is sent a second time"


# What is fixed before the order leaves


async def test_what_is_needed_to_sign_is_read_first_and_once_a_block(rig: Rig, chain: Chain) -> None:
    chain.shown.update(a=Report.ACCEPTED, b=Report.ACCEPTED)
    async with run(rig, chain) as connector:
        await place(connector, "a")
        await place(connector, "b")
    assert chain.reads == 1
    assert [body["block"] for body in rig.http.kinds("identity")] == [105, 105]


async def test_nothing_is_sent_when_that_cannot_be_read(rig: Rig, chain: Chain) -> None:
    rig.http.faults["account"].extend([Fault.REFUSED] * 5)
    async with run(rig, chain) as connector:
        with pytest.raises(ConnectFailed):
            await place(connector, "a")
    assert rig.http.kinds("identity") == []


async def test_end_and_id_are_on_disk_before_the_order_leaves(rig: Rig, chain: Chain) -> None:
    chain.answers.append(OutcomeUnknown("no reply"))
    async with run(rig, chain) as connector:
        await connector.place_order(limit(), client_order_id="a", timeout_s=0.1)
    found = rig.journal().find("x3")
    assert [(order.client_order_id, order.good_til_block) for order in found] == [("a", 105)]


async def test_an_id_that_another_order_has_at_the_venue_is_not_used_again(rig: Rig, chain: Chain) -> None:
    chain.shown.update(a=Report.ACCEPTED, b=Report.ACCEPTED)
    async with run(rig, chain) as connector:
        await place(connector, "a")
        second = await place(connector, "b")
    assert second.order.state is OrderState.OPEN
    assert (second.order.venue_client_id, second.order.exchange_order_id) == ("v-b+", "x4")
    assert rig.journal().order("b") == second.order


async def test_a_dry_run_shows_the_end_and_sends_nothing(rig: Rig, chain: Chain) -> None:
    async with run(rig, chain) as connector:
        outcome = await connector.dry_run(limit(), client_order_id="a")
    assert outcome.order.good_til_block == 105
    assert rig.http.kinds("identity") == []


# Nonces that the venue counts


async def test_counted_nonces_follow_each_other_whichever_process_takes_them(rig: Rig, chain: Chain) -> None:
    chain.shown.update(a=Report.ACCEPTED, b=Report.ACCEPTED, c=Report.ACCEPTED)
    async with run(rig, chain) as one, run(rig, chain) as two:
        one.counts = two.counts = True
        await place(one, "a")
        await place(two, "b")
        chain.sequence = 20
        await place(one, "c")
    assert [body["nonce"] for body in rig.http.kinds("identity")] == [7, 8, 20]


# The one further attempt


async def test_a_refusal_for_timing_is_tried_again_once(rig: Rig, chain: Chain) -> None:
    chain.answers.append(AttemptRefused("too late"))
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        outcome = await place(connector, "a")
    assert (outcome.error, outcome.order.state, outcome.order.attempt) == (None, OrderState.OPEN, 2)
    assert outcome.order.contradiction is None
    nonces = [body["nonce"] for body in rig.http.kinds("identity")]
    assert len(set(nonces)) == 2


@pytest.mark.parametrize("is_new_id", [False, True])
async def test_a_second_refusal_is_the_answer(rig: Rig, chain: Chain, is_new_id: bool) -> None:
    chain.answers.extend([AttemptRefused("too late"), AttemptRefused("too late again")])
    async with run(rig, chain) as connector:
        outcome = await connector.place_order(limit(), client_order_id="a", is_new_id=is_new_id)
    assert outcome.order.state is OrderState.FAILED
    assert isinstance(outcome.error, OrderRejected)
    assert outcome.error.exit_code == 4
    assert len(rig.http.kinds("identity")) == 2


async def test_a_refused_nonce_is_tried_again_only_once_nothing_of_it_can_land(rig: Rig, chain: Chain) -> None:
    chain.answers.append(NonceRefused("sequence mismatch"))
    chain.vanishes = True
    async with run(rig, chain) as connector:
        placing = asyncio.create_task(place(connector))
        await asyncio.sleep(0.1)
        assert len(rig.http.kinds("identity")) == 1, "its block is not over"
        rig.http.arrived["identity"].clear()
        chain.height += BLOCKS + 1
        await rig.http.arrived["identity"].wait()
        chain.shown["a"] = Report.ACCEPTED
        outcome = await placing
    assert (outcome.order.state, outcome.order.attempt) == (OrderState.OPEN, 2)


async def test_a_refused_nonce_whose_order_is_found_is_not_tried_again(rig: Rig, chain: Chain) -> None:
    chain.answers.append(NonceRefused("sequence mismatch"))
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        outcome = await place(connector)
    assert (outcome.error, outcome.order.state) == (None, OrderState.OPEN)
    assert len(rig.http.kinds("identity")) == 1


async def test_a_further_attempt_that_cannot_be_made_leaves_the_refusal(rig: Rig, chain: Chain) -> None:
    def refuse() -> Exception:
        chain.height += 1  # so that it has to be read again, which fails
        rig.http.faults["account"].extend([Fault.REFUSED] * 5)
        return AttemptRefused("too late")

    chain.answers.append(refuse)
    async with run(rig, chain) as connector:
        outcome = await place(connector)
    assert outcome.order.state is OrderState.FAILED
    assert isinstance(outcome.error, AttemptRefused)
    assert len(rig.http.kinds("identity")) == 1


# Cancels


async def test_a_cancel_that_was_taken_is_sent_once_and_watched(rig: Rig, chain: Chain) -> None:
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        order = (await place(connector, "a")).order
        cancelling = asyncio.create_task(connector.cancel(order, timeout_s=5))
        await asyncio.sleep(0.1)
        assert not cancelling.done()
        chain.shown["a"] = Report.CANCELLED
        outcome = await cancelling
    assert (outcome.error, outcome.order.state) == (None, OrderState.CANCELLED)
    assert [body for body in rig.http.kinds("identity") if "cancels" in body] == [{"cancels": "a"}]


async def test_a_cancel_that_shows_no_effect_in_time_is_unknown(rig: Rig, chain: Chain) -> None:
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        order = (await place(connector, "a")).order
        outcome = await connector.cancel(order, timeout_s=0.2)
    assert isinstance(outcome.error, OutcomeUnknown)
    assert outcome.order.state is OrderState.PENDING_CANCEL


async def test_a_cancel_that_only_the_end_of_its_order_proves_waits_for_that(
    rig: Rig, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_within_s(self: Any, order: InFlightOrder, now_ns: int) -> float:
        chain.shown["a"] = Report.CANCELLED  # the time is over, and now its last block passes
        return 5.0

    monkeypatch.setattr(TinyConnector, "ends_within_s", ends_within_s)
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        order = (await place(connector, "a")).order
        outcome = await connector.cancel(order, timeout_s=0.2, to_the_end=True)
    assert (outcome.error, outcome.order.state) == (None, OrderState.CANCELLED)


# Post-only


async def test_a_post_only_order_that_the_venue_takes_off_again_was_refused(rig: Rig, chain: Chain) -> None:
    chain.shown["a"] = Report.CANCELLED
    chain.why = TURNED_AWAY
    async with run(rig, chain) as connector:
        outcome = await place(connector, intent=limit(post_only=True))
        replay = await connector.place_order(limit(post_only=True), client_order_id="a")
    assert (outcome.outcome, outcome.order.state) == ("rejected", OrderState.CANCELLED)
    assert order_record(outcome.order).outcome == "rejected", "whoever asks later hears the same"
    assert isinstance(outcome.error, OrderRejected)
    assert isinstance(replay.error, OrderRejected)


async def test_a_post_only_order_that_rested_and_was_cancelled_elsewhere_was_not_refused(
    rig: Rig, chain: Chain
) -> None:
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        await place(connector, intent=limit(post_only=True))
        chain.shown["a"] = Report.CANCELLED
        replay = await connector.place_order(limit(post_only=True), client_order_id="a")
    assert (replay.replayed, replay.error, replay.order.state) == (True, None, OrderState.CANCELLED)


async def test_an_order_of_ours_that_we_cancelled_was_not_refused(rig: Rig, chain: Chain) -> None:
    chain.shown["a"] = Report.ACCEPTED
    async with run(rig, chain) as connector:
        order = (await place(connector, intent=limit(post_only=True))).order
        chain.shown["a"] = Report.CANCELLED
        await connector.cancel(order)
        replay = await connector.place_order(limit(post_only=True), client_order_id="a")
    assert (replay.replayed, replay.error) == (True, None)
    assert replay.order.trading_pair == PAIR
