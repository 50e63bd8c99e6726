"""The whole path of an order, from an intent to what became of it, against the local venue and with the real journal.

The venue checks signatures and rules with code of its own. Its time passes with every request.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from latentspeed_dydx_v4 import encode, identifiers, terms, tx
from latentspeed_dydx_v4.auth import signature
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.constants import ACCOUNT, BROADCAST_TX
from latentspeed_dydx_v4.node import fields
from latentspeed_dydx_v4.protowire import data
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_dydx_v4.wallet import private_key
from latentspeed_dydx_v4.web_utils import DydxV4WebUtils

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.reports import Report
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import (
    EndedShort,
    GuardRefused,
    OrderRefused,
    OrderRejected,
    ReplyLost,
)
from latentspeed_cli.keys import Secret

from . import reading
from .local_venue import Venue
from .trading import SETTINGS, USDC, Runs, Way, brief, kinds, limit, lose_journal, market, member, place

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
    connector = run(network="testnet", key=Secret("11" * 32))
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


# Other keys, other subaccounts, leverage


def allow(venue: Venue, owner: int, key: int) -> None:
    """Let another key of the fixed ones sign for an account, with a transaction of the account's own."""
    config = DydxV4Config(**{**SETTINGS, "key": Secret(PRIVATE_KEYS[owner])})
    web, signer = DydxV4WebUtils(config), private_key(Secret(PRIVATE_KEYS[owner]))
    public = private_key(Secret(PRIVATE_KEYS[key])).public_key.format()
    message = data(1, ADDRESSES[owner].encode()) + data(2, b"SignatureVerification") + data(3, public)
    body = tx.body((("/dydxprotocol.accountplus.MsgAddAuthenticator", message),))
    reply = venue.send(web.call(ACCOUNT, data(1, ADDRESSES[owner].encode())))
    account = dict(fields(member(member(reply.body, 1), 2)))
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


async def test_a_position_has_the_leverage_that_was_set_or_none(
    run: Runs, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain alone knows it: while its node is silent, no figure is better than the market's."""
    async with run() as connector:
        await connector.set_leverage("BTC-USD", 5)
        assert (await place(connector, market())).order.state is OrderState.FILLED
        (told,) = (await connector.account_state()).positions
        assert (told.leverage, told.margin_used) == (Decimal(5), told.position_value / 5)
        real = way.send

        async def send(request: Request) -> Reply:
            if request.url.endswith("/Leverage"):
                raise ReplyLost("reset")
            return await real(request)

        monkeypatch.setattr(way, "send", send)
        (told,) = (await connector.account_state()).positions
        assert (told.leverage, told.margin_used) == (None, None)


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
