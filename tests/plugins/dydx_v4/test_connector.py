"""The whole path of an order, from an intent to what became of it, against the local venue and with the real journal.

The venue checks signatures and rules with code of its own. Its time passes with every request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from latentspeed_dydx_v4 import encode, identifiers, terms, tx
from latentspeed_dydx_v4.auth import DydxV4Auth, signature
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.connector import DydxV4Perpetual
from latentspeed_dydx_v4.constants import ACCOUNT, BROADCAST_TX
from latentspeed_dydx_v4.node import LATEST_BLOCK, fields
from latentspeed_dydx_v4.protowire import data
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_dydx_v4.wallet import private_key
from latentspeed_dydx_v4.web_utils import DydxV4WebUtils

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.connector import canceller, reader, reconciler
from latentspeed_cli.connector.parts import OrderOutcome, Parts
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.reports import Report
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce, TradeType
from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.errors import (
    AuthRejected,
    ConnectFailed,
    EndedShort,
    GuardRefused,
    OrderRefused,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    ReplyLost,
)
from latentspeed_cli.journal import Journal

from . import reading
from .local_venue import BLOCK_NS, Key, Venue

SETTINGS: dict[str, Any] = {"network": "sandbox", "base_url": "http://127.0.0.1:3001", "node_url": "127.0.0.1:3003"}
USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"


class Way:
    """Http to the venue. faults: what happens to the next broadcasts."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.faults: deque[str] = deque()
        self.clock_offset_ns = 0  # of the machine that asks
        self.asked: list[str] = []
        self.broadcasts: list[bytes] = []
        self.last_reply: Reply | None = None
        self.overtaken = asyncio.Event()

    async def send(self, request: Request) -> Reply:
        self.asked.append(request.url)
        self.venue.pass_time(BLOCK_NS // 4)
        if not request.changes:
            return self.venue.send(request)
        fault = self.faults.popleft() if self.faults else ""
        if fault == "no connection":
            raise ConnectFailed("refused")
        self.broadcasts.append(request.body)
        if fault == "lost before":
            raise ReplyLost("reset")
        if fault == "exhausted":
            return Reply(status=8, body=b"too many", headers={}, received_ns=self.venue.now_ns)
        if fault == "hollow" and self.last_reply is not None:  # says what it said the last time, and does nothing
            return self.last_reply
        if fault == "late":  # the next one overtakes it
            self.overtaken.clear()
            await self.overtaken.wait()
        reply = self.venue.send(request)
        self.last_reply = reply
        self.overtaken.set()
        if fault == "lost after":
            raise ReplyLost("reset")
        if fault == "evicted":
            self.venue.control("drop_mempool")
        if fault == "twice":
            reply = self.venue.send(request)
        return reply

    def sent(self) -> list[tuple[int, int]]:
        """Sequence and timeout height of every transaction that left."""
        found = []
        for body in self.broadcasts:
            raw = _member(body, 1)
            signer, timeout = _member(_member(raw, 2), 1), dict(fields(_member(raw, 1))).get(3, 0)
            sequence = dict(fields(signer)).get(3, 0)
            assert isinstance(sequence, int)
            assert isinstance(timeout, int)
            found.append((sequence, timeout))
        return found


def _member(body: bytes, field: int) -> bytes:
    found = dict(fields(body))[field]
    assert isinstance(found, bytes)
    return found


class WayClock:
    def __init__(self, way: Way) -> None:
        self.way = way

    def now_ns(self) -> int:
        return self.way.venue.now_ns + self.way.clock_offset_ns


Runs = Callable[..., DydxV4Perpetual]


@pytest.fixture
def venue() -> Venue:
    venue = Venue(flow=True)
    venue.pass_blocks(15)  # until somebody has traded
    return venue


@pytest.fixture
def way(venue: Venue) -> Way:
    return Way(venue)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The venue's time passes with requests, so nothing has to be waited for."""
    monkeypatch.setattr(reconciler, "FOLLOW_WAITS_S", (0.0,) * 3)
    for name in ("PENDING_WAIT_S", "LEASE_POLL_S"):
        monkeypatch.setattr(reconciler, name, 0.0)
    monkeypatch.setattr(reconciler, "FENCE_WAITS_S", (0.0,))
    monkeypatch.setattr(reconciler, "USED_NONCE_LOOKS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(reader, "RETRY_WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(canceller, "RETRY_WAITS_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(canceller, "WATCH_WAITS_S", (0.0,))


@pytest.fixture
def run(venue: Venue, way: Way, tmp_path: Path) -> Iterator[Runs]:
    """Starts a run of the product: a journal connection and a memory of its own."""
    journals = []

    def run(index: int = 0, **settings: Any) -> DydxV4Perpetual:
        config = DydxV4Config(**{**SETTINGS, "key": Key(PRIVATE_KEYS[index]), **settings})
        clock, auth = WayClock(way), DydxV4Auth(config)
        journal = Journal.open(tmp_path / "journal.db", network="sandbox", instance="", clock=clock)
        journals.append(journal)
        parts = Parts(
            venue="dydx_v4",
            network="sandbox",
            account=auth.account,
            auth=auth,
            web_utils=DydxV4WebUtils(config),
            http=way,
            streams=lambda: pytest.fail("no stream is needed"),
            order_book_source=lambda symbols: pytest.fail("no stream is needed"),
            user_stream_source=lambda symbols: pytest.fail("no stream is needed"),
            journal=journal,
            clock=clock,
            entropy=SeededEntropy(len(journals)),
            guards=Guards(),
        )
        return DydxV4Perpetual(parts, config)

    yield run
    for journal in journals:
        journal.verify()
        journal.close()


def limit(price: str = "60000", side: str = "buy", amount: str = "0.001", **more: Any) -> OrderIntent:
    return OrderIntent(
        trading_pair="BTC-USD",
        side=TradeType(side),
        order_type=OrderType.LIMIT,
        amount=Decimal(amount),
        price=Decimal(price),
        **more,
    )


def brief(seconds: int = 10, **more: Any) -> OrderIntent:
    return limit(tif=TimeInForce.GTD, expire_s=seconds, **more)


def market(side: str = "buy", amount: str = "0.001", **more: Any) -> OrderIntent:
    return OrderIntent(
        trading_pair="BTC-USD",
        side=TradeType(side),
        order_type=OrderType.MARKET,
        amount=Decimal(amount),
        tif=TimeInForce.IOC,
        **more,
    )


async def place(connector: DydxV4Perpetual, intent: OrderIntent, name: str = "a", **more: Any) -> OrderOutcome:
    return await connector.place_order(intent, client_order_id=name, is_new_id=True, timeout_s=20, **more)


def lose_journal(folder: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (folder / f"journal.db{suffix}").rename(folder / f"elsewhere.db{suffix}")


def kinds(order: InFlightOrder) -> list[str]:
    return [item.kind for item in order.evidence]


# Placing


async def test_a_limit_order_lives_in_the_chain_s_state_for_28_days(run: Runs, venue: Venue, way: Way) -> None:
    before = venue.height
    async with run() as connector:
        outcome = await place(connector, limit())
    order = outcome.order
    assert (outcome.error, order.state) == (None, OrderState.OPEN)
    assert order.good_til_block is None
    assert order.good_til_ts_ns is not None
    assert abs(order.good_til_ts_ns - venue.now_ns - 28 * 86_400 * NS_PER_S) < 10 * NS_PER_S
    ((sequence, timeout),) = way.sent()
    assert sequence == order.nonce, "a timestamp nonce"
    assert before + 20 <= timeout <= before + 25
    assert timeout == order.timeout_height


async def test_a_market_order_is_filled_with_its_fees(run: Runs, way: Way, venue: Venue) -> None:
    before = venue.height
    async with run() as connector:
        outcome = await place(connector, market())
    order = outcome.order
    assert (outcome.error, order.state, order.executed_amount) == (None, OrderState.FILLED, Decimal("0.001"))
    assert order.fees["USDC"] > 0
    assert order.fills_complete
    assert order.good_til_block is not None
    assert before + 10 <= order.good_til_block <= before + 14
    ((sequence, timeout),) = way.sent()
    assert (sequence, timeout) == (0, 0), "the chain compares neither for short-term messages"


async def test_heights_are_not_asked_for_while_the_last_block_is_far(run: Runs, way: Way) -> None:
    async with run() as connector:
        outcome = await place(connector, market())
    sent = next(at for at, url in enumerate(way.asked) if url.endswith(BROADCAST_TX))
    assert outcome.order.state is OrderState.FILLED
    assert not [url for url in way.asked[sent:] if url.endswith("/height")]


@pytest.mark.parametrize("seconds", [-6, 11])
async def test_an_order_needs_a_clock_that_agrees_with_the_chain_s(run: Runs, way: Way, seconds: int) -> None:
    async with run() as connector:
        order = (await place(connector, limit(), "before")).order
        way.clock_offset_ns = seconds * NS_PER_S
        for name in ("a", "b"):  # the second knows the height already
            with pytest.raises(GuardRefused, match="clock"):
                await place(connector, limit(), name)
        await connector.cancel(order)  # which may always be
        with pytest.raises(GuardRefused, match="clock"):
            await place(connector, limit(), "c")
    assert len(way.broadcasts) == 2


async def test_an_immediate_order_that_meets_nobody_is_over_when_its_blocks_are(run: Runs) -> None:
    async with run() as connector:
        outcome = await place(connector, limit(tif=TimeInForce.IOC))
    assert (outcome.order.state, outcome.order.reason) == (OrderState.EXPIRED, "ioc_unmatched")
    assert kinds(outcome.order) == ["block_limit_passed"]
    assert isinstance(outcome.error, EndedShort)


async def test_a_near_expiry_is_short_term_by_the_measured_pace(run: Runs, venue: Venue) -> None:
    async with run() as connector:
        outcome = await place(connector, brief(10))
        assert outcome.order.state is OrderState.OPEN
        left = (outcome.order.good_til_block or 0) - venue.height
    assert 10 < left <= 15, "ten seconds are fifteen blocks of 0.64 s"


async def test_a_near_expiry_is_a_time_where_the_pace_is_not_known(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "MAX_BLOCK_NS", 1)
    async with run() as connector:
        order = (await place(connector, brief(10))).order
    assert (order.state, order.good_til_block) == (OrderState.OPEN, None)
    assert order.good_til_ts_ns is not None


@pytest.mark.parametrize("seconds", [21, 86_400])
async def test_a_far_expiry_lives_in_the_chain_s_state(run: Runs, venue: Venue, seconds: int) -> None:
    async with run() as connector:
        outcome = await place(connector, brief(seconds))
    assert outcome.order.good_til_block is None
    assert abs((outcome.order.good_til_ts_ns or 0) - venue.now_ns - seconds * NS_PER_S) < 10 * NS_PER_S


async def test_a_stop_order_waits_for_its_trigger(run: Runs) -> None:
    stop = OrderIntent(
        trading_pair="BTC-USD",
        side=TradeType.SELL,
        order_type=OrderType.STOP,
        amount=Decimal("0.001"),
        trigger_price=Decimal(50_000),
        reduce_only=True,
    )
    async with run() as connector:
        outcome = await place(connector, stop)
        assert (outcome.error, outcome.order.state) == (None, OrderState.OPEN)
        assert (await connector.cancel(outcome.order)).order.state is OrderState.CANCELLED


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "price", "reached", "state"),
    [
        (OrderType.STOP, "sell", "70000", None, "69900", OrderState.FILLED),
        (OrderType.STOP, "buy", "99000", None, "99100", OrderState.FILLED),
        (OrderType.TAKE_PROFIT, "sell", "99000", None, "99100", OrderState.FILLED),
        (OrderType.STOP_LIMIT, "sell", "70000", "75000", "69900", OrderState.OPEN),
        (OrderType.TAKE_PROFIT_LIMIT, "buy", "70000", "60000", "69900", OrderState.OPEN),
    ],
)
async def test_a_conditional_order_waits_is_triggered_and_lives_on_as_what_it_is(
    run: Runs,
    venue: Venue,
    kind: OrderType,
    side: str,
    trigger: str,
    price: str | None,
    reached: str,
    state: OrderState,
) -> None:
    intent = OrderIntent(
        trading_pair="BTC-USD",
        side=TradeType(side),
        order_type=kind,
        amount=Decimal("0.001"),
        price=None if price is None else Decimal(price),
        trigger_price=Decimal(trigger),
    )
    async with run() as connector:
        placed = await place(connector, intent)
        assert (placed.error, placed.order.state) == (None, OrderState.OPEN)
        venue.pass_blocks(3)
        (told,) = venue.drive(connector.order_status_flow(placed.order))
        assert (told.report, told.reason) == (Report.ACCEPTED, "untriggered")
        venue.control("price", ticker="BTC-USD", mid=reached, oracle=reached)
        venue.pass_blocks(4)
        order = await connector.resolve(placed.order)
        assert order.state is state
        if state is OrderState.OPEN:
            (told,) = venue.drive(connector.order_status_flow(order))
            assert (told.report, told.reason) == (Report.ACCEPTED, None), "it is an order of the book now"
            assert (await connector.cancel(order)).order.state is OrderState.CANCELLED


@pytest.mark.parametrize("intent", [limit("99000", post_only=True), brief(10, price="99000", post_only=True)])
async def test_a_post_only_order_that_would_meet_another_is_rejected(run: Runs, intent: OrderIntent) -> None:
    async with run() as connector:
        outcome = await place(connector, intent)
    assert isinstance(outcome.error, OrderRejected)
    assert outcome.outcome == "rejected"
    assert outcome.order.state in (OrderState.FAILED, OrderState.CANCELLED)


async def test_a_post_only_order_that_rests_is_accepted(run: Runs) -> None:
    async with run() as connector:
        for name, intent in (("a", limit(post_only=True)), ("b", brief(post_only=True))):
            outcome = await place(connector, intent, name)
            assert (outcome.error, outcome.order.state) == (None, OrderState.OPEN)


@pytest.mark.parametrize(
    ("created", "believed"),
    [({"createdAtHeight": "100"}, [False, True]), ({}, [False, False, True])],
    ids=["the row tells its block", "it does not"],
)
def test_a_post_only_order_rests_a_block_after_its_own(
    run: Runs, created: dict[str, str], believed: list[bool]
) -> None:
    """Where the row tells no block, that may be one after the height that was read just before."""
    connector = run(network="testnet", key=Key("11" * 32))
    connector.symbols = reading.SYMBOLS
    order = reading.order(post_only=True, good_til_ts_ns=NS_PER_S)
    row = reading.order_row(
        postOnly=True, orderFlags="64", goodTilBlock=..., goodTilBlockTime="2026-01-01T00:00:00.000Z", **created
    )
    told = []
    for height in range(100, 100 + len(believed)):
        time = {"height": str(height), "time": "2025-12-08T16:11:59.450Z"}
        _, said = reading.walk(connector.order_status_flow(order), time, row)
        told.append(bool(said))
    assert told == believed


@pytest.mark.parametrize(
    "intent",
    [
        limit(tif=TimeInForce.FOK),
        limit(reduce_only=True),
        brief(reduce_only=True),
        brief(95 * 86_400),
        limit(tif=TimeInForce.GTD),
        limit(tif=TimeInForce.IOC, expire_s=5),
    ],
)
async def test_what_the_venue_lacks_is_refused_before_anything_is_sent(
    run: Runs, way: Way, intent: OrderIntent
) -> None:
    async with run() as connector:
        with pytest.raises(OrderRefused):
            await place(connector, intent)
    assert way.broadcasts == []


async def test_reduce_only_without_a_position_is_rejected_and_with_one_closes_it(run: Runs) -> None:
    async with run() as connector:
        refused = await place(connector, market("sell", reduce_only=True))
        assert isinstance(refused.error, OrderRejected)
        assert refused.error.venue_code == "clob 2001"
        await place(connector, market(), "b")
        closed = await place(connector, market("sell", amount="0.002", reduce_only=True), "c")
        assert closed.order.executed_amount == Decimal("0.001")
        assert closed.order.state is OrderState.EXPIRED
        assert await connector.positions() == ()


async def test_no_margin_is_rejected(run: Runs) -> None:
    async with run() as connector:
        outcome = await place(connector, limit("90000", amount="500"))
    assert isinstance(outcome.error, OrderRejected)
    assert outcome.error.venue_code == "clob 3007"


# The same order again


async def test_the_same_command_again_sends_nothing(run: Runs, way: Way) -> None:
    async with run() as connector:
        first = await connector.place_order(limit(), client_order_id="mine", timeout_s=20)
    async with run() as connector:
        second = await connector.place_order(limit(), client_order_id="mine", timeout_s=20)
    assert (second.replayed, second.order.exchange_order_id) == (True, first.order.exchange_order_id)
    assert len(way.broadcasts) == 1


async def test_an_order_is_found_again_when_the_journal_is_lost(run: Runs, way: Way, tmp_path: Path) -> None:
    async with run() as connector:
        first = await connector.place_order(limit(), client_order_id="mine", timeout_s=20)
    lose_journal(tmp_path)
    async with run() as connector:
        second = await connector.place_order(limit(), client_order_id="mine", timeout_s=20)
        assert (second.replayed, second.order.exchange_order_id) == (True, first.order.exchange_order_id)
        assert (await connector.cancel(second.order)).order.state is OrderState.CANCELLED
    assert len(way.broadcasts) == 2


async def test_a_number_that_another_order_has_is_not_used_again(
    run: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: Way
) -> None:
    real = encode.client_numbers

    def meeting(name: str, *, network: str, account: str, probe: int = 0) -> tuple[int, int]:
        client_id, _ = real("same", network=network, account=account, probe=probe)
        return client_id, real(name, network=network, account=account)[1]

    monkeypatch.setattr(encode, "client_numbers", meeting)
    async with run() as connector:
        first, second = [(await place(connector, limit(), name)).order for name in ("a", "b")]
    numbers = [identifiers.client_ids(order.venue_client_id) for order in (first, second)]
    assert numbers[0] is not None
    assert numbers[1] is not None
    assert numbers[1][0] == (numbers[0][0] + 1) % 2**32
    assert (first.state, second.state) == (OrderState.OPEN, OrderState.OPEN)
    lose_journal(tmp_path)
    async with run() as connector:
        again = await connector.place_order(limit(), client_order_id="b", timeout_s=20)
        assert (again.replayed, again.order.exchange_order_id) == (True, second.exchange_order_id)
        assert (again.order.venue_client_id, again.order.good_til_ts_ns) == (
            second.venue_client_id,
            second.good_til_ts_ns,
        )
        assert (await connector.cancel(again.order)).order.state is OrderState.CANCELLED
    assert len(way.broadcasts) == 3


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
    way.faults.append("lost before")
    async with run() as connector:
        outcome = await connector.place_order(limit(), client_order_id="a", is_new_id=True, timeout_s=0.001)
        assert isinstance(outcome.error, OutcomeUnknown)
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


# Cancelling


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


# Other keys, other subaccounts, leverage


def allow(venue: Venue, owner: int, key: int) -> None:
    """Let another key of the fixed ones sign for an account, with a transaction of the account's own."""
    config = DydxV4Config(**{**SETTINGS, "key": Key(PRIVATE_KEYS[owner])})
    web, signer = DydxV4WebUtils(config), private_key(Key(PRIVATE_KEYS[owner]))
    public = private_key(Key(PRIVATE_KEYS[key])).public_key.format()
    message = data(1, ADDRESSES[owner].encode()) + data(2, b"SignatureVerification") + data(3, public)
    body = tx.body((("/dydxprotocol.accountplus.MsgAddAuthenticator", message),))
    reply = venue.send(web.call(ACCOUNT, data(1, ADDRESSES[owner].encode())))
    account = dict(fields(_member(_member(reply.body, 1), 2)))
    account_number = account.get(3, 0)
    assert isinstance(account_number, int)
    nonce = venue.now_ns // 1_000_000
    info = tx.auth_info(tx.signer_of(signer.public_key.format()), nonce, fee=tx.fee_of(200_000, ((USDC, "5000"),)))
    content = tx.content(body, info)
    raw = content + tx.signatures(signature(signer, content + tx.domain("localdydxprotocol", account_number)))
    said = tx.broadcast_response(venue.send(web.call(BROADCAST_TX, tx.broadcast_request(raw))).body)
    assert said.code == 0, said.raw_log
    venue.pass_blocks(2)


async def test_a_permitted_key_trades_for_the_account(run: Runs, venue: Venue) -> None:
    venue.control("fund", address=ADDRESSES[0], amount="10", wallet=True)
    allow(venue, 0, 4)
    async with run(4, account=ADDRESSES[0]) as connector:
        assert (connector.signer, connector.account) == (ADDRESSES[4], ADDRESSES[0])
        for name, intent in (("a", limit()), ("b", market())):
            outcome = await place(connector, intent, name)
            assert (outcome.error, outcome.order.account) == (None, ADDRESSES[0])
        assert (await connector.cancel(connector.in_flight_orders["a"])).order.state is OrderState.CANCELLED


async def test_orders_of_two_subaccounts_are_two_accounts_orders(run: Runs, venue: Venue) -> None:
    venue.control("fund", address=ADDRESSES[0], amount="1000", subaccount=1)
    async with run() as zero, run(subaccount=1) as one:
        first = await place(zero, limit())
        second = await place(one, limit(), "b")
        assert (first.order.account, second.order.account) == (ADDRESSES[0], f"{ADDRESSES[0]}/1")
        assert [order.client_order_id for order in await one.open_orders()] == ["b"]
        assert [order.client_order_id for order in await zero.open_orders()] == ["a"]


async def test_leverage_is_set_and_read(run: Runs) -> None:
    async with run() as connector:
        assert await connector.set_leverage("BTC-USD", 5) == (Decimal(5), "cross")
        await connector.book("BTC-USD")
        for _ in range(5):
            await connector.check_identity()
        assert await connector.get_leverage("BTC-USD") == (Decimal(5), "cross")
        with pytest.raises(OrderRefused):
            await connector.set_leverage("BTC-USD", 5, cross=False)


async def test_a_dry_run_shows_the_message_and_no_signature(run: Runs, way: Way) -> None:
    async with run() as connector:
        outcome = await connector.dry_run(limit(), client_order_id="a", is_new_id=True)
    assert outcome.request is not None
    body = outcome.request["body"]
    assert isinstance(body, dict)
    assert body["messages"][0]["order"]["quantums"] == "10000000"
    assert body["chain_id"] == "localdydxprotocol"
    assert "signature" not in str(outcome.request)
    assert way.broadcasts == []
