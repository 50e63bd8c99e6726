"""Every recorded answer and frame of the venue decodes; where it is about orders, into the words of core."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4 import decode, decode_orders, identifiers, payloads
from latentspeed_dydx_v4.markets import DydxV4Market, markets, rows
from latentspeed_dydx_v4.order_book_data_source import DydxV4OrderBookDataSource
from latentspeed_dydx_v4.raw_book import RawBook
from latentspeed_dydx_v4.user_stream_data_source import DydxV4UserStreamDataSource

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.streams import (
    Channel,
    Heartbeat,
    SnapshotEnd,
    SubscriptionAck,
    SubscriptionRefused,
)
from latentspeed_cli.connector.venue import Markets
from latentspeed_cli.core.account import Balance, Position
from latentspeed_cli.core.market_data import BestBidOffer, Candle, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.core.order_state import Facts, learn, state_of
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.types import Liquidity, OrderState, TradeType

from .reading import RECEIVED_NS, config, recordings_folder

pytestmark = pytest.mark.recordings

REST: dict[str, Any] = {
    "addresses.json": payloads.Addresses,
    "asset_positions.json": payloads.AssetPositions,
    "candles_2025.json": payloads.Candles,
    "candles_no_trades_testnet.json": payloads.Candles,
    "fills_taker.json": payloads.Fills,
    "height_2025.json": payloads.Height,
    "historical_funding_2025.json": payloads.HistoricalFunding,
    "historical_funding_testnet.json": payloads.HistoricalFunding,
    "order_ioc_filled.json": payloads.OrderRow,
    "order_long_term_canceled.json": payloads.OrderRow,
    "orderbook_2025.json": payloads.Book,
    "orders_ioc_filled.json": list[payloads.OrderRow],
    "orders_long_term_filled.json": list[payloads.OrderRow],
    "perpetual_markets_2024.json": payloads.PerpetualMarkets,
    "perpetual_positions.json": payloads.PerpetualPositions,
    "subaccount.json": payloads.SubaccountReply,
    "subaccount_2025.json": payloads.SubaccountReply,
    "subaccount_wrapper_testnet.json": payloads.SubaccountReply,
    "time_2025.json": payloads.Time,
    "trades_2025.json": payloads.Trades,
    "transfers_out.json": payloads.Transfers,
}


@pytest.fixture(scope="module")
def folder() -> Path:
    return recordings_folder()


@pytest.fixture(scope="module")
def listed(folder: Path) -> Markets:
    return markets(rows(read(folder, "perpetual_markets_2024.json")))


def read(folder: Path, name: str) -> Any:
    return answers.shape((folder / "rest" / name).read_bytes(), REST[name])


def frames(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder / "ws").iterdir()):
        if path.suffix == ".jsonl":
            for number, line in enumerate(path.read_bytes().splitlines(), 1):
                yield f"{path.name}:{number}", line
        else:
            yield path.name, path.read_bytes()


def frame(folder: Path, name: str) -> bytes:
    return next(text for found, text in frames(folder) if found == name)


def public(listed: Markets, *channels: Channel, pair: str = "ETH-USD") -> DydxV4OrderBookDataSource:
    source = DydxV4OrderBookDataSource(config(), listed.symbols)
    source.subscriptions(channels, [pair])
    return source


def private(listed: Markets, text: bytes) -> DydxV4UserStreamDataSource:
    address = json.loads(text)["id"].partition("/")[0]
    source = DydxV4UserStreamDataSource(config(account=address), listed.symbols)
    source.subscriptions((Channel.ORDERS, Channel.FILLS, Channel.POSITIONS, Channel.BALANCES), [])
    return source


# Shapes


def test_every_answer_of_the_indexer_decodes(folder: Path) -> None:
    names = {path.name for path in (folder / "rest").iterdir()}
    assert names == set(REST)
    for name in names:
        assert read(folder, name)


def test_every_frame_decodes(folder: Path) -> None:
    contents: dict[str, Any] = {
        "v4_block_height": payloads.BlockHeight,
        "v4_markets": payloads.MarketsUpdate,
        "v4_orderbook": payloads.Book,
        "v4_parent_subaccounts": payloads.ParentSubaccountNews,
        "v4_subaccounts": payloads.SubaccountNews,
        "v4_trades": payloads.Trades,
    }
    kinds = set()
    for name, text in frames(folder):
        said: payloads.Frame = answers.shape(text, payloads.Frame)
        kinds.add((said.type, said.channel))
        if said.channel is None or said.type == "unsubscribed":
            continue
        kind = contents.get(said.channel)
        if said.channel == "v4_candles":
            kind = payloads.Candles if said.type == "subscribed" else payloads.CandleRow
        batch = said.type == "channel_batch_data"
        for one in answers.shape(said.contents, list[msgspec.Raw]) if batch else [said.contents]:
            news = answers.shape(one, kind)
            if isinstance(news, payloads.AccountNews):
                read_rows(news)
            assert news, name
    assert len(kinds) >= 14


def read_rows(news: payloads.AccountNews) -> None:
    for raws, kind in (
        (news.orders, payloads.OrderRow),
        (news.fills, payloads.Fill),
        (news.perpetual_positions, payloads.PerpetualPosition),
        (news.asset_positions, payloads.AssetPosition),
    ):
        for one in raws:
            answers.shape(one, kind)


# Ids


def test_ids_are_computed_as_the_indexer_does(folder: Path) -> None:
    """Of every order that carries its parts, and of every fill whose event is told."""
    checked = set()
    for name, text in frames(folder):
        for found in objects(json.loads(text)):
            if {"clientId", "clobPairId", "orderFlags", "subaccountId"} <= found.keys():
                parts = int(found["clientId"]), int(found["clobPairId"]), int(found["orderFlags"])
                assert identifiers.order_id(found["subaccountId"], *parts) == found["id"], name
                checked.add(found["id"])
            if {"eventId", "liquidity"} <= found.keys():
                assert identifiers.fill_id(found["eventId"], found["liquidity"]) == found["id"], name
                checked.add(found["id"])
    assert len(checked) > 100
    row: payloads.OrderRow = read(folder, "order_ioc_filled.json")
    address = read(folder, "subaccount.json").subaccount.address
    assert identifiers.subaccount_id(address, 0) == row.subaccount_id


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from objects(one)


# Markets


def test_the_grid_is_what_the_venue_says_it_is(folder: Path, listed: Markets) -> None:
    assert len(listed.symbols) == 125
    for ticker, raw in read(folder, "perpetual_markets_2024.json").markets.items():
        row = json.loads(bytes(raw))
        rule = listed.rules[ticker]
        assert (rule.amount_step, rule.price_tick) == (Decimal(row["stepSize"]), Decimal(row["tickSize"])), ticker
        assert listed.symbols.pair(ticker).asset_id == int(row["clobPairId"])


# Orders and fills


def test_a_market_order_is_an_immediate_limit_order(folder: Path, listed: Markets) -> None:
    row: payloads.OrderRow = read(folder, "order_ioc_filled.json")
    update = decode_orders.order_update(row, listed.symbols, RECEIVED_NS)
    assert (update.report, update.venue_filled_amount, update.amount) == (
        Report.FILLED,
        Decimal("0.003"),
        Decimal("0.003"),
    )
    assert update.ts_ns == 1_722_496_165_767_000_000
    fills = list(decode_orders.trade_updates(read(folder, "fills_taker.json").fills, listed.symbols, RECEIVED_NS))
    assert [(fill.price, fill.amount, fill.fee) for fill in fills] == [
        (Decimal("3178.5"), Decimal("0.002"), Decimal("0.003179")),
        (Decimal("3176.3"), Decimal("0.001"), Decimal("0.001589")),
    ]
    assert {fill.exchange_order_id for fill in fills} == {update.exchange_order_id}
    assert {(fill.trading_pair, fill.liquidity, fill.fee_currency) for fill in fills} == {
        ("ETH-USD", Liquidity.TAKER, "USDC")
    }


def test_long_term_orders_end_as_the_chain_says(folder: Path, listed: Markets) -> None:
    cancelled = decode_orders.order_update(read(folder, "order_long_term_canceled.json"), listed.symbols, RECEIVED_NS)
    assert (cancelled.report, cancelled.reason, cancelled.venue_filled_amount) == (Report.CANCELLED, "canceled", None)
    (filled,) = read(folder, "orders_long_term_filled.json")
    assert decode_orders.order_update(filled, listed.symbols, RECEIVED_NS).report is Report.FILLED


def items(source: Any, text: bytes) -> list[object]:
    return [item for item in source.decode(text, RECEIVED_NS) if not isinstance(item, Heartbeat)]


def news(folder: Path, listed: Markets, name: str) -> list[object]:
    text = frame(folder, name)
    return items(private(listed, text), text)


def test_fills_come_before_the_order_they_fill(folder: Path, listed: Markets) -> None:
    first, second, order, position = news(folder, listed, "subaccounts_fills_filled.json")
    assert isinstance(first, TradeUpdate)
    assert isinstance(second, TradeUpdate)
    assert isinstance(order, OrderUpdate)
    assert isinstance(position, Position)
    assert (order.report, order.venue_filled_amount) == (Report.FILLED, first.amount + second.amount)
    assert (position.amount, position.unrealized_pnl) == (Decimal("0.005"), Decimal("-1.683806695"))
    assert position.position_value == Decimal("0.005") * Decimal("2955.62") - Decimal("1.683806695")


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("subaccounts_order_best_effort_opened.json", Report.ACCEPTED),
        ("subaccounts_order_open_long_term.json", Report.ACCEPTED),
        ("subaccounts_order_canceled_long_term.json", Report.CANCELLED),
    ],
)
def test_order_news(folder: Path, listed: Markets, name: str, report: Report) -> None:
    found = [item for item in news(folder, listed, name) if isinstance(item, OrderUpdate)]
    assert [item.report for item in found] == [report]
    assert found[0].venue_client_id


def test_a_snapshot_of_a_short_and_a_debt(folder: Path, listed: Markets) -> None:
    """Its five BEST_EFFORT_CANCELED rows are long over, and the height beside them says so."""
    found = news(folder, listed, "subaccounts_subscribed_short_and_debt.json")
    orders = [item for item in found if isinstance(item, OrderUpdate)]
    assert len(orders) == 5
    assert {item.report for item in orders} <= {Report.EXPIRED, Report.CANCELLED}
    assert all(item.side is None and item.evidence is not None for item in orders)
    assert {item.evidence.kind for item in orders if item.evidence is not None} == {"block_limit_passed"}
    (position,) = (item for item in found if isinstance(item, Position) and item.amount < 0)
    assert position.position_value > 0
    (balance,) = (item for item in found if isinstance(item, Balance))
    assert balance.total < 0
    assert [item.channel for item in found if isinstance(item, SnapshotEnd)] == [
        Channel.ORDERS,
        Channel.FILLS,
        Channel.POSITIONS,
        Channel.BALANCES,
    ]


def test_expiries_of_a_market_maker(folder: Path, listed: Markets) -> None:
    found = news(folder, listed, "maker_batch_2.json")
    orders = [item for item in found if isinstance(item, OrderUpdate)]
    assert sum(item.report is Report.EXPIRED and item.reason == "expired" for item in orders) == 26


def test_what_a_market_makers_orders_became(folder: Path, listed: Markets) -> None:
    """Over all its batches: state from the set of facts, whatever their order."""
    facts: dict[str, Facts] = {}
    amounts: dict[str, Decimal] = {}
    immediate: set[str] = set()
    rows: dict[str, set[str]] = {}
    for name in ("maker_batch_1.json", "maker_batch_2.json", "maker_batch_4.json", "maker_batch_filled_1.json"):
        for found in objects(json.loads(frame(folder, name))):
            if "status" in found and "clientId" in found:
                rows.setdefault(found["id"], set()).add(found["status"])
                if found.get("timeInForce") == "IOC":
                    immediate.add(found["id"])
        text = frame(folder, name)
        source = private(listed, text)
        block = b'{"type":"channel_data","channel":"v4_block_height","contents":{"blockHeight":"1","time":""}}'
        for item in (*items(source, text), *items(source, block)):
            if isinstance(item, OrderUpdate | TradeUpdate):
                order_id = item.exchange_order_id or ""
                facts[order_id] = learn(facts.get(order_id, Facts()), item)
                if isinstance(item, OrderUpdate) and item.amount is not None:
                    amounts[order_id] = item.amount
    states = {
        order_id: state_of(known, amounts.get(order_id, Decimal(10**9)), is_ioc=order_id in immediate)
        for order_id, known in facts.items()
    }
    assert OrderState.FILLED in states.values()
    for order_id, said in rows.items():
        if "FILLED" in said:
            assert states[order_id] is OrderState.FILLED
        elif said == {"BEST_EFFORT_OPENED"} or said == {"BEST_EFFORT_OPENED", "BEST_EFFORT_CANCELED"}:
            assert states[order_id] in (OrderState.OPEN, OrderState.EXPIRED, OrderState.PARTIALLY_FILLED)
        elif "CANCELED" in said:
            assert states[order_id] in (OrderState.CANCELLED, OrderState.EXPIRED)


def test_best_effort_cancelled_is_a_note(folder: Path, listed: Markets) -> None:
    text = frame(folder, "maker_batch_1.json")
    said = {row["id"] for row in objects(json.loads(text)) if row.get("status") == "BEST_EFFORT_CANCELED"}
    notes = [
        item
        for item in items(private(listed, text), text)
        if isinstance(item, OrderUpdate) and item.report is Report.NOTE
    ]
    assert said == {item.exchange_order_id for item in notes}
    assert {item.reason for item in notes} == {"ending"}


def test_a_rebate_is_a_negative_fee(folder: Path, listed: Markets) -> None:
    fills = [item for item in news(folder, listed, "maker_batch_filled_1.json") if isinstance(item, TradeUpdate)]
    assert fills
    assert all(fill.fee < 0 and fill.liquidity is Liquidity.MAKER and fill.trading_pair for fill in fills)


# Public frames


def test_the_book_that_crosses(folder: Path, listed: Markets) -> None:
    """The table of the recordings' README: raw best prices, depth, and the best prices that may be relied on."""
    expected = [
        ("1576.579", "1577.24", (335, 355), "1576.579", "1577.24"),
        ("1576.652", "1577.24", (338, 357), "1576.652", "1577.24"),
        ("1576.976", "1577.24", (342, 362), "1576.976", "1577.24"),
        ("1577.941", "1577.24", (344, 363), "1577.941", "1577.95"),
        ("1577.941", "1577.24", (347, 364), "1577.941", "1577.95"),
    ]
    source, raw = public(listed, Channel.BOOK), RawBook()
    lines = [text for name, text in frames(folder) if name.startswith("orderbook_sequence_crossing")]
    for number, (text, (bid, ask, depth, view_bid, view_ask)) in enumerate(zip(lines, expected, strict=True), 4):
        said: payloads.Frame = answers.shape(text, payloads.Frame)
        if said.type == "subscribed":
            book: payloads.Book = answers.shape(said.contents, payloads.Book)
            raw.load(decode.levels(book.bids), decode.levels(book.asks), number)
        else:
            for change in answers.shape(said.contents, list[payloads.Book]):
                raw.change(decode.levels(change.bids), decode.levels(change.asks), number)
        assert (raw.best_bid, raw.best_ask, raw.depth) == (Decimal(bid), Decimal(ask), depth)
        (shown,) = (item for item in source.decode(text, RECEIVED_NS) if isinstance(item, OrderBookSnapshot))
        assert (shown.bids[0].price, shown.asks[0].price) == (Decimal(view_bid), Decimal(view_ask))
        assert shown.sequence == number
        assert all(better.price > worse.price for better, worse in pairwise(shown.bids))
        assert all(better.price < worse.price for better, worse in pairwise(shown.asks))


def test_books(folder: Path, listed: Markets) -> None:
    text = frame(folder, "orderbook_subscribed.json")
    pair = json.loads(text)["id"]
    source = public(listed, Channel.BOOK, Channel.BBO, pair=pair)
    ack, book, top = items(source, text)
    assert ack == SubscriptionAck(f"v4_orderbook:{pair}")
    assert isinstance(book, OrderBookSnapshot)
    assert isinstance(top, BestBidOffer)
    assert (len(book.bids), len(book.asks)) == (100, 100)
    assert (top.bid, top.ask) == (book.bids[0], book.asks[0])
    change = json.loads(frame(folder, "orderbook_delete_level.json"))
    assert items(public(listed, Channel.BOOK, pair=change["id"]), json.dumps(change).encode()) == []


def test_trades_candles_and_contexts(folder: Path, listed: Markets) -> None:
    first, second = items(public(listed, Channel.TRADES), frame(folder, "trades_update.json"))
    assert isinstance(first, PublicTrade)
    assert isinstance(second, PublicTrade)
    assert (first.side, first.price, second.amount) == (TradeType.BUY, Decimal("3392.9"), Decimal("1.738"))
    (candle,) = items(public(listed, Channel.CANDLES), frame(folder, "candles_update.json"))
    assert isinstance(candle, Candle)
    assert (candle.trades, candle.volume, candle.interval) == (10, Decimal("6.364"), "1m")
    assert candle.close_ts_ns - candle.open_ts_ns == 59_999_000_000
    ack, newest = items(public(listed, Channel.CANDLES), frame(folder, "candles_subscribed.trimmed.json"))
    assert isinstance(ack, SubscriptionAck)
    assert isinstance(newest, Candle)
    source = public(listed, Channel.TICKER, pair="FTM-USD")
    snapshot = (folder / "rest" / "perpetual_markets_2024.json").read_bytes()
    update = frame(folder, "markets_oracle_price.json")
    head = {"type": "subscribed", "connection_id": json.loads(update)["connection_id"], "message_id": 1}
    said = json.dumps({**head, "channel": "v4_markets", "contents": json.loads(snapshot)})
    acknowledged, before = items(source, said.encode())
    assert acknowledged == SubscriptionAck("v4_markets")
    (after,) = (item for item in items(source, update) if isinstance(item, MarketContext))
    assert isinstance(before, MarketContext)
    assert (after.index_price, after.funding_rate) == (Decimal("0.3866273177"), before.funding_rate)


def test_frames_about_the_line(folder: Path, listed: Markets) -> None:
    source = public(listed, Channel.BOOK)
    assert list(source.decode(frame(folder, "connected.json"), RECEIVED_NS)) == [Heartbeat()]
    (refused,) = items(source, frame(folder, "error_snapshot_failed.json"))
    assert isinstance(refused, SubscriptionRefused)
    assert (refused.key, refused.passing) == ("v4_orderbook:ETH-USD", True)  # it names the channel only
    other = public(listed, Channel.TRADES)
    assert list(other.decode(frame(folder, "unsubscribed.json"), RECEIVED_NS)) == [Heartbeat()]
    assert list(other.decode(frame(folder, "block_height_update.json"), RECEIVED_NS)) == [Heartbeat()]
    (ack,) = items(other, frame(folder, "block_height_subscribed.json"))
    assert ack == SubscriptionAck("v4_block_height")


# Accounts


def test_the_value_of_a_subaccount(folder: Path, listed: Markets) -> None:
    """equity and free collateral follow from what is held: the sheet's worked example."""
    found = read(folder, "addresses.json").subaccounts[0]
    state = decode.account_state(found, listed.symbols, RECEIVED_NS)
    assert (state.account_value, state.withdrawable) == (Decimal("99.162959776"), Decimal("98.7279083872"))
    (balance,) = state.balances
    assert state.account_value == balance.total + state.total_notional
    assert state.margin_used == state.total_notional * Decimal("0.05")
    market = listed.symbols.pair("ETH-USD")
    assert isinstance(market, DydxV4Market)
    assert decode.with_leverage(state.positions[0], market, 0).margin_used == state.margin_used
    empty = decode.account_state(read(folder, "subaccount_2025.json").subaccount, listed.symbols, RECEIVED_NS)
    assert not empty.positions
    assert empty.total_notional == 0
