"""Subscriptions and frames of both data sources."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from latentspeed_hyperliquid.config import HyperliquidConfig
from latentspeed_hyperliquid.order_book_data_source import HyperliquidOrderBookDataSource
from latentspeed_hyperliquid.user_stream_data_source import HyperliquidUserStreamDataSource

from latentspeed_cli.connector.streams import (
    Channel,
    DataSource,
    Heartbeat,
    SnapshotEnd,
    Subscription,
    SubscriptionAck,
    SubscriptionRefused,
)
from latentspeed_cli.core.account import Balance, FundingPayment, Liquidation, Position, Transfer
from latentspeed_cli.core.market_data import MarketContext, MidPrice
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.errors import CredentialError, OrderRefused, ProtocolError
from latentspeed_cli.keys import Secret

from .conftest import K1, K1_ADDRESS, MASTER, RECEIVED_NS, VAULT


@pytest.fixture
def public(symbols: SymbolMap) -> HyperliquidOrderBookDataSource:
    return HyperliquidOrderBookDataSource(HyperliquidConfig(network="testnet"), symbols)


@pytest.fixture
def private(symbols: SymbolMap) -> HyperliquidUserStreamDataSource:
    return HyperliquidUserStreamDataSource(HyperliquidConfig(network="testnet", account=K1_ADDRESS), symbols)


def frame(channel: str, data: object) -> str:
    return json.dumps({"channel": channel, "data": data})


def read(source: DataSource, text: str | bytes) -> list[Any]:
    return list(source.decode(text, RECEIVED_NS))


def asked(subscriptions: Sequence[Subscription]) -> list[dict[str, Any]]:
    messages = [json.loads(one.message) for one in subscriptions]
    assert all(message["method"] == "subscribe" for message in messages)
    return [message["subscription"] for message in messages]


def echo(wanted: dict[str, Any], **defaults: Any) -> str:
    return frame("subscriptionResponse", {"method": "subscribe", "subscription": {**wanted, **defaults}})


def test_addresses(symbols: SymbolMap) -> None:
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"network": "mainnet"}, "wss://api.hyperliquid.xyz/ws"),
        ({"network": "testnet"}, "wss://api.hyperliquid-testnet.xyz/ws"),
        ({"network": "sandbox", "base_url": "http://127.0.0.1:4711/"}, "ws://127.0.0.1:4711/ws"),
    )
    for settings, url in cases:
        source = HyperliquidOrderBookDataSource(HyperliquidConfig(**settings), symbols)
        assert source.url == url
        assert (json.loads(source.heartbeat), source.heartbeat_s, source.dead_after_s) == ({"method": "ping"}, 30, 60)


def test_public_subscriptions(public: HyperliquidOrderBookDataSource) -> None:
    channels = [
        Channel.BOOK,
        Channel.BBO,
        Channel.TRADES,
        Channel.CANDLES,
        Channel.TICKER,
        Channel.FUNDING,
    ]
    found = public.subscriptions(channels, ["ETH-USD", "kpepe-usd"])
    assert asked(found[:2]) == [
        {"type": "l2Book", "coin": "ETH", "fast": True},
        {"type": "l2Book", "coin": "kPEPE", "fast": True},
    ]
    assert [one["type"] for one in asked(found)][::2] == ["l2Book", "bbo", "trades", "candle", "activeAssetCtx"]
    assert len({one.key for one in found}) == len(found) == 10
    assert found[1].trading_pair == "kPEPE-USD"
    assert asked(public.subscriptions([Channel.TICKER], [])) == [{"type": "allMids"}]


def test_every_acknowledgement_is_recognised(
    public: HyperliquidOrderBookDataSource, private: HyperliquidUserStreamDataSource
) -> None:
    """The venue adds defaults, reorders, and writes the user in lower case."""
    channels = [Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.CANDLES, Channel.TICKER]
    for one, wanted in zip(found := public.subscriptions(channels, ["ETH-USD", "BTC-USD"]), asked(found), strict=True):
        turned = dict(reversed({**wanted, "nSigFigs": None, "mantissa": None}.items()))
        assert read(public, echo(turned, another=1)) == [SubscriptionAck(one.key)]
    for one, wanted in zip(
        found := private.subscriptions([Channel.ORDERS, Channel.FILLS, Channel.EVENTS], []), asked(found), strict=True
    ):
        assert read(private, echo(wanted, aggregateByTime=False)) == [SubscriptionAck(one.key)]
    undone = frame("subscriptionResponse", {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "ETH"}})
    assert read(public, undone) == [Heartbeat()]


def test_unknown_pairs_never_reach_the_socket(
    public: HyperliquidOrderBookDataSource, private: HyperliquidUserStreamDataSource
) -> None:
    """One unknown coin makes the venue drop the connection with everything on it."""
    for channels, pairs in (
        ([Channel.BOOK], ["NOPE-USD"]),
        ([Channel.BOOK], []),
        ([Channel.ORDERS], ["ETH-USD"]),
        ([Channel.BOOK], ["ETH-USD", "eth"]),
    ):
        if pairs == ["ETH-USD", "eth"]:
            assert len(public.subscriptions(channels, pairs)) == 1  # two spellings of one market
            continue
        with pytest.raises(OrderRefused):
            public.subscriptions(channels, pairs)
    for channels, pairs in (([Channel.BOOK], []), ([Channel.ORDERS], ["NOPE-USD"])):
        with pytest.raises(OrderRefused):
            private.subscriptions(channels, pairs)


def test_errors_of_the_socket(public: HyperliquidOrderBookDataSource) -> None:
    key = public.subscriptions([Channel.BBO], ["ETH-USD"])[0].key
    wire = '{"type":"bbo","coin":"ETH","nSigFigs":null}'
    sent = '{"method":"subscribe","subscription":' + wire + "}"
    for text, expected in (
        (f"Already subscribed: {wire}", SubscriptionAck(key)),
        (f"Invalid subscription {wire}", SubscriptionRefused(key, f"Invalid subscription {wire}")),
        (
            f"Error parsing JSON into valid websocket request: {sent}",
            SubscriptionRefused(key, f"Error parsing JSON into valid websocket request: {sent}"),
        ),
        (
            "Cannot track more than 15 total users.",
            SubscriptionRefused(None, "Cannot track more than 15 total users."),
        ),
        ("broken {nonsense", SubscriptionRefused(None, "broken {nonsense")),
        ('a list {"subscription": [1]}', SubscriptionRefused(None, 'a list {"subscription": [1]}')),
    ):
        assert read(public, frame("error", text)) == [expected]


def test_frames_that_only_show_life(public: HyperliquidOrderBookDataSource) -> None:
    assert read(public, '{"channel":"pong"}') == [Heartbeat()]
    assert read(public, "Websocket connection established.") == [Heartbeat()]


@pytest.mark.parametrize(
    "text", ["garbage", b"\x00\x01\xff", "[]", "{}", '{"channel":"l2Book"}', frame("newChannel", {}), "[" * 100_000]
)
def test_frames_that_make_no_sense(
    public: HyperliquidOrderBookDataSource, private: HyperliquidUserStreamDataSource, text: str | bytes
) -> None:
    for source in (public, private):
        with pytest.raises(ProtocolError):
            read(source, text)


def trade(**changes: Any) -> dict[str, Any]:
    return {"coin": "ETH", "side": "B", "px": "2.5", "sz": "1.0", "time": 5, "hash": "0x", "tid": 9, **changes}


def test_one_bad_row_does_not_hide_the_others(public: HyperliquidOrderBookDataSource) -> None:
    rows = [trade(tid=1), trade(px="NaN"), trade(side="X"), {"coin": "ETH"}, trade(tid=2)]
    items: Iterator[Any] = public.decode(frame("trades", rows), RECEIVED_NS)
    assert [next(items).trade_id, next(items).trade_id] == ["1", "2"]
    with pytest.raises(ProtocolError):
        next(items)


def test_public_frames(public: HyperliquidOrderBookDataSource) -> None:
    level = {"px": "100.5", "sz": "2.0", "n": 3}
    (book,) = read(public, frame("l2Book", {"coin": "ETH", "time": 7, "levels": [[level], []], "fast": True}))
    assert (book.trading_pair, book.bids[0].price, book.ts_ns) == ("ETH-USD", Decimal("100.5"), 7_000_000)
    (best,) = read(public, frame("bbo", {"coin": "ETH", "time": 7, "bbo": [None, level]}))
    assert (best.bid, best.ask.amount) == (None, Decimal(2))
    ctx = {
        "funding": "0.0000125",
        "openInterest": "1.0",
        "prevDayPx": "1.0",
        "dayNtlVlm": "1.0",
        "premium": None,
        "oraclePx": "3.0",
        "markPx": "2.0",
        "midPx": None,
        "impactPxs": None,
    }
    (context,) = read(public, frame("activeAssetCtx", {"coin": "ETH", "ctx": ctx}))
    assert isinstance(context, MarketContext)
    assert (context.index_price, context.ts_ns) == (Decimal(3), RECEIVED_NS)
    mids = read(public, frame("allMids", {"mids": {"ETH": "2.0", "@107": "3.0"}}))
    assert mids == [
        MidPrice(trading_pair="ETH-USD", ts_ns=RECEIVED_NS, price=Decimal(2)),
        MidPrice(trading_pair="@107", ts_ns=RECEIVED_NS, price=Decimal(3)),
    ]


def order(status: str, **changes: Any) -> dict[str, Any]:
    row = {"coin": "ETH", "side": "B", "limitPx": "64.0", "sz": "1.5", "oid": 5, "timestamp": 1, "origSz": "2.0"}
    return {"order": {**row, "cloid": "0x" + "AB" * 16, **changes}, "status": status, "statusTimestamp": 2}


def test_order_news(private: HyperliquidUserStreamDataSource) -> None:
    entries = [order("open"), order("filled", sz="0.0"), order("badAloPxRejected"), order("evaporated")]
    items = read(private, frame("orderUpdates", entries))
    assert [item.report for item in items] == [Report.ACCEPTED, Report.FILLED, Report.FAILED, Report.NOTE]
    assert all(isinstance(item, OrderUpdate) and item.exchange_order_id == "5" for item in items)
    assert items[0].venue_client_id == "0x" + "ab" * 16
    # The remaining size proves nothing: only fills say how much was executed.
    assert all(item.venue_filled_amount is None for item in items)


def fill(**changes: Any) -> dict[str, Any]:
    row = {"coin": "ETH", "px": "2067.2", "sz": "0.01", "side": "A", "time": 3, "oid": 5, "crossed": True, "tid": 8}
    return {**row, "fee": "0.00893", "feeToken": "USDC", "hash": "0x", "twapId": None, **changes}


def test_fills_and_their_snapshot(private: HyperliquidUserStreamDataSource) -> None:
    snapshot = {"isSnapshot": True, "user": K1_ADDRESS, "fills": [fill()]}
    first, end = read(private, frame("userFills", snapshot))
    assert (type(first), end) == (TradeUpdate, SnapshotEnd(Channel.FILLS))
    (live,) = read(private, frame("userFills", {"user": K1_ADDRESS.upper().replace("0X", "0x"), "fills": [fill()]}))
    assert live.fill_id == first.fill_id
    assert read(private, frame("userFills", {**snapshot, "fills": []})) == [SnapshotEnd(Channel.FILLS)]


def test_fills_of_another_account_are_loud(private: HyperliquidUserStreamDataSource) -> None:
    with pytest.raises(ProtocolError, match="another account"):
        read(private, frame("userFills", {"user": MASTER, "fills": [fill()]}))


def test_a_bad_fill_does_not_hide_the_others(private: HyperliquidUserStreamDataSource) -> None:
    data = {"isSnapshot": True, "user": K1_ADDRESS, "fills": [fill(), fill(px="Infinity"), fill(tid=9)]}
    items = private.decode(frame("userFills", data), RECEIVED_NS)
    assert len([next(items), next(items)]) == 2
    with pytest.raises(ProtocolError):
        next(items)


def test_account_events(private: HyperliquidUserStreamDataSource) -> None:
    (filled,) = read(private, frame("user", {"fills": [fill()]}))
    assert (filled.side.value, filled.fee, filled.ts_ns) == ("sell", Decimal("0.00893"), 3_000_000)
    paid = {"time": 4, "coin": "ETH", "usdc": "-3.625312", "szi": "49.1477", "fundingRate": "0.0000417"}
    (funding,) = read(private, frame("user", {"funding": {**paid, "nSamples": None}}))
    assert isinstance(funding, FundingPayment)
    assert (funding.amount, funding.trading_pair) == (Decimal("-3.625312"), "ETH-USD")
    (gone,) = read(private, frame("user", {"nonUserCancel": [{"coin": "ETH", "oid": 5}]}))
    assert (gone.report, gone.exchange_order_id, gone.evidence.kind) == (Report.CANCELLED, "5", "venue_status")
    event = {
        "lid": 1,
        "liquidator": MASTER,
        "liquidated_user": K1_ADDRESS,
        "liquidated_ntl_pos": "9.5",
        "liquidated_account_value": "1.0",
    }
    (liquidation,) = read(private, frame("user", {"liquidation": event}))
    assert isinstance(liquidation, Liquidation)
    assert (liquidation.account, liquidation.notional) == (K1_ADDRESS, Decimal("9.5"))
    assert (liquidation.kind, liquidation.trading_pair) == ("liquidation", None)
    (slice_,) = read(private, frame("user", {"twapSliceFills": [{"fill": fill(), "twapId": 3}]}))
    assert slice_.fill_id == filled.fill_id
    assert read(private, frame("user", {"twapHistory": []})) == [Heartbeat()]


def test_whose_stream_it_is(symbols: SymbolMap) -> None:
    def source(**settings: Any) -> HyperliquidUserStreamDataSource:
        return HyperliquidUserStreamDataSource(HyperliquidConfig(network="testnet", **settings), symbols)

    assert source(account=MASTER).account == MASTER
    assert source(account=MASTER, vault=VAULT, key=Secret(K1)).account == VAULT
    assert source(key=Secret(K1)).account == K1_ADDRESS
    with pytest.raises(CredentialError) as caught:
        source()
    assert caught.value.exit_code == 7


def account(*held: tuple[str, str], value: str = "1000.0", user: str = K1_ADDRESS) -> str:
    """A frame of clearinghouseState. held: coin and signed size."""
    summary = {"accountValue": value, "totalNtlPos": "0.0", "totalRawUsd": value, "totalMarginUsed": "0.0"}
    positions = [
        {
            "type": "oneWay",
            "position": {
                "coin": coin,
                "szi": size,
                "leverage": {"type": "cross", "value": 20},
                "entryPx": "100.0",
                "positionValue": "100.0",
                "unrealizedPnl": "0.0",
                "returnOnEquity": "0.0",
                "liquidationPx": None,
                "marginUsed": "5.0",
                "maxLeverage": 40,
            },
        }
        for coin, size in held
    ]
    state = {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": "0.0",
        "withdrawable": value,
        "assetPositions": positions,
        "time": 1_790_000_000_000,
    }
    return frame("clearinghouseState", {"dex": "", "user": user, "clearinghouseState": state})


def test_positions_are_told_when_they_change_and_once_when_they_close(private: HyperliquidUserStreamDataSource) -> None:
    private.subscriptions((Channel.POSITIONS,), ())
    (opened,) = read(private, account(("BTC", "0.5")))
    assert isinstance(opened, Position)
    assert (opened.trading_pair, opened.amount, opened.ts_ns) == ("BTC-USD", Decimal("0.5"), 1_790_000_000_000_000_000)
    assert read(private, account(("BTC", "0.5"))) == []
    (grown,) = read(private, account(("BTC", "0.7")))
    assert grown.amount == Decimal("0.7")
    (closed,) = read(private, account())
    assert (closed.trading_pair, closed.amount, closed.entry_price) == ("BTC-USD", 0, None)
    assert read(private, account()) == []


def test_balances_of_both_sides(private: HyperliquidUserStreamDataSource) -> None:
    wanted = private.subscriptions((Channel.POSITIONS, Channel.BALANCES), ())
    assert [one["type"] for one in asked(wanted)] == ["clearinghouseState", "spotState"]
    (collateral,) = read(private, account(value="1000.0"))
    assert collateral == Balance(
        currency="USDC", total=Decimal(1000), available=Decimal(1000), ts_ns=1_790_000_000_000_000_000
    )
    spot = {"user": K1_ADDRESS, "spotState": {"balances": [{"coin": "HYPE", "total": "5.0", "hold": "2.0"}]}}
    (held,) = read(private, frame("spotState", spot))
    assert (held.currency, held.total, held.available) == ("spot:HYPE", 5, 3)
    assert read(private, frame("spotState", spot)) == []


@pytest.mark.parametrize(
    ("delta", "amount"),
    [
        ({"type": "deposit", "usdc": "10.0"}, "10"),
        ({"type": "withdraw", "usdc": "10.0", "nonce": 1, "fee": "1.0"}, "-10"),
        ({"type": "accountClassTransfer", "usdc": "10.0", "toPerp": True}, "10"),
        ({"type": "accountClassTransfer", "usdc": "10.0", "toPerp": False}, "-10"),
        ({"type": "internalTransfer", "usdc": "10.0", "user": MASTER, "destination": K1_ADDRESS, "fee": "1.0"}, "10"),
        ({"type": "internalTransfer", "usdc": "10.0", "user": K1_ADDRESS, "destination": MASTER, "fee": "1.0"}, "-10"),
        ({"type": "rewardsClaim", "amount": "10.0", "token": "HYPE"}, "10"),
    ],
)
def test_transfers_are_events_with_a_sign(
    private: HyperliquidUserStreamDataSource, delta: dict[str, object], amount: str
) -> None:
    row = {"time": 1_790_000_000_000, "hash": "0x", "delta": delta}
    data = {"user": K1_ADDRESS, "nonFundingLedgerUpdates": [row]}
    (told,) = read(private, frame("userNonFundingLedgerUpdates", data))
    assert isinstance(told, Transfer)
    assert (told.kind, told.amount, told.currency) == (delta["type"], Decimal(amount), delta.get("token", "USDC"))
    assert read(private, frame("userNonFundingLedgerUpdates", {**data, "isSnapshot": True})) == []


def test_news_of_another_account_is_loud(private: HyperliquidUserStreamDataSource) -> None:
    private.subscriptions((Channel.POSITIONS,), ())
    with pytest.raises(ProtocolError, match="another account"):
        read(private, account(user=MASTER))
