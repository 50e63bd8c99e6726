"""Every row of every recording goes through the decoder that the connector has for it, and each is counted."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4 import decode, decode_orders, payloads, refusals, tx, wire
from latentspeed_dydx_v4.chain_state import ChainState
from latentspeed_dydx_v4.markets import markets, rows
from latentspeed_dydx_v4.order_book_data_source import DydxV4OrderBookDataSource
from latentspeed_dydx_v4.protowire import data, message, number
from latentspeed_dydx_v4.refusals import Meaning
from latentspeed_dydx_v4.user_stream_data_source import DydxV4UserStreamDataSource

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.streams import Channel
from latentspeed_cli.core.symbols import SymbolMap

from .reading import RECEIVED_NS, config, recordings_folder
from .test_recordings import REST, frames, read

pytestmark = pytest.mark.recordings

ACCOUNT_CHANNELS = ("v4_subaccounts", "v4_parent_subaccounts")
BLOCK = b'{"type":"channel_data","channel":"v4_block_height","contents":{"blockHeight":"1","time":""}}'
# How many rows an answer has.
ANSWERS = {
    "addresses.json": 1,
    "asset_positions.json": 1,
    "candles_2025.json": 3,
    "candles_no_trades_testnet.json": 1,
    "fills_taker.json": 2,
    "height_2025.json": 1,
    "historical_funding_2025.json": 3,
    "historical_funding_testnet.json": 1,
    "order_ioc_filled.json": 1,
    "order_long_term_canceled.json": 1,
    "orderbook_2025.json": 10,
    "orders_ioc_filled.json": 1,
    "orders_long_term_filled.json": 1,
    "perpetual_markets_2024.json": 125,
    "perpetual_positions.json": 1,
    "subaccount.json": 1,
    "subaccount_2025.json": 1,
    "subaccount_wrapper_testnet.json": 1,
    "time_2025.json": 1,
    "trades_2025.json": 3,
    "transfers_out.json": 1,
}
# Orders, fills, positions and balances that the frames of an account tell.
ACCOUNTS = {
    "maker_batch_1.json": (10, 0, 0, 0),
    "maker_batch_2.json": (28, 0, 0, 0),
    "maker_batch_4.json": (21, 0, 0, 0),
    "maker_batch_filled_1.json": (54, 2, 3, 2),
    "maker_subscribed.trimmed.json": (40, 0, 42, 1),
    "parent_batch_maker_fill.json": (1, 1, 2, 1),
    "parent_batch_only_block_height.json": (0, 0, 0, 1),
    "parent_batch_transfer.json": (0, 0, 0, 1),
    "parent_subscribed.json": (1, 0, 1, 2),
    "parent_subscribed_isolated.json": (0, 0, 1, 2),
    "subaccounts_fills_filled.json": (1, 2, 1, 0),
    "subaccounts_order_best_effort_opened.json": (1, 0, 0, 0),
    "subaccounts_order_canceled_long_term.json": (1, 0, 0, 0),
    "subaccounts_order_open_long_term.json": (1, 0, 0, 0),
    "subaccounts_subscribed_short_and_debt.json": (5, 0, 2, 1),
    "subaccounts_trading_reward.json": (0, 0, 0, 0),
}
# What a source makes of a frame: items of any kind.
ITEMS = {
    "block_height_subscribed.json": 2,
    "block_height_update.json": 1,
    "candles_subscribed.trimmed.json": 2,
    "candles_update.json": 1,
    "connected.json": 1,
    "error_snapshot_failed.json": 1,
    "maker_batch_1.json": 11,
    "maker_batch_2.json": 29,
    "maker_batch_4.json": 22,
    "maker_batch_filled_1.json": 62,
    "maker_subscribed.trimmed.json": 89,
    "markets_oracle_price.json": 0,
    "markets_trading.json": 0,
    "orderbook_delete_level.json": 0,
    "orderbook_sequence_crossing.jsonl:1": 2,
    "orderbook_sequence_crossing.jsonl:2": 1,
    "orderbook_sequence_crossing.jsonl:3": 1,
    "orderbook_sequence_crossing.jsonl:4": 1,
    "orderbook_sequence_crossing.jsonl:5": 1,
    "orderbook_subscribed.json": 2,
    "subaccounts_fills_filled.json": 5,
    "subaccounts_order_best_effort_opened.json": 2,
    "subaccounts_order_canceled_long_term.json": 2,
    "subaccounts_order_open_long_term.json": 2,
    "subaccounts_subscribed_short_and_debt.json": 14,
    "subaccounts_trading_reward.json": 1,
    "trades_update.json": 2,
    "unsubscribed.json": 1,
}
# Of a refusal: what it means.
NODE = {
    "accepted broadcast (gRPC, sync)": None,
    "stale sequence": Meaning.NONCE,
    "signature check on a node at height 0 (account number 0), transient": Meaning.TIMING,
    "good-til-block too far": None,
}


@cache
def symbols() -> SymbolMap:
    return markets(rows(read(recordings_folder(), "perpetual_markets_2024.json"))).symbols


def in_words_of_core(said: Any) -> list[object]:
    """What the connector makes of an answer: one value for every row of it."""
    match said:
        case payloads.Addresses():
            return [decode.account_state(one, symbols(), RECEIVED_NS) for one in said.subaccounts]
        case payloads.SubaccountReply():
            return [decode.account_state(said.subaccount, symbols(), RECEIVED_NS)]
        case payloads.AssetPositions():
            return [decode.asset_amount(one) for one in said.positions]
        case payloads.PerpetualPositions():
            return [decode.position(one, symbols()) for one in said.positions]
        case payloads.Candles():
            return [decode.candle(one, symbols()) for one in said.candles]
        case payloads.Fills():
            return list(decode_orders.trade_updates(said.fills, symbols(), RECEIVED_NS))
        case payloads.OrderRow():
            return [decode_orders.order_update(said, symbols(), RECEIVED_NS)]
        case payloads.Book():
            return [*decode.levels(said.bids), *decode.levels(said.asks)]
        case payloads.PerpetualMarkets():
            return [decode.context(one, symbols(), RECEIVED_NS) for one in rows(said)]
        case payloads.Trades():
            return [decode.public_trade(answers.shape(one, payloads.Trade), "ETH-USD") for one in said.trades]
        case payloads.HistoricalFunding():
            return [(answers.number(one.rate), wire.time_ns(one.effective_at)) for one in said.historical_funding]
        case payloads.Height():
            return [(wire.count(said.height), wire.time_ns(said.time))]
        case payloads.Time():
            return [wire.time_ns(said.iso)]
        case payloads.Transfers():
            return [(answers.number(one.size), wire.time_ns(one.created_at)) for one in said.transfers]
        case list():
            return [item for one in said for item in in_words_of_core(one)]
    raise AssertionError("nothing reads this answer")


def test_every_row_of_an_answer() -> None:
    folder = recordings_folder()
    assert {name: len(in_words_of_core(read(folder, name))) for name in REST} == ANSWERS


def told_about_an_account(frame: bytes) -> tuple[int, int, int, int]:
    """Orders, fills, positions and balances, each put into words of core."""
    said: payloads.Frame = answers.shape(frame, payloads.Frame)
    kind = payloads.ParentSubaccountNews if said.channel == "v4_parent_subaccounts" else payloads.SubaccountNews
    orders: list[object] = []
    fills: list[object] = []
    positions: list[object] = []
    balances: list[object] = []
    is_batch = said.type == "channel_batch_data"
    for one in answers.shape(said.contents, list[msgspec.Raw]) if is_batch else [said.contents]:
        news = answers.shape(one, kind)
        orders += [
            decode_orders.order_update(answers.shape(raw, payloads.OrderRow), symbols(), RECEIVED_NS)
            for raw in news.orders
        ]
        fills += decode_orders.trade_updates(news.fills, symbols(), RECEIVED_NS)
        positions += [
            decode.position(answers.shape(raw, payloads.PerpetualPosition), symbols())
            for raw in news.perpetual_positions
        ]
        balances += [decode.asset_amount(answers.shape(raw, payloads.AssetPosition)) for raw in news.asset_positions]
        snapshot = news.subaccount
        held = getattr(snapshot, "child_subaccounts", (snapshot,) if snapshot is not None else ())
        for subaccount in held:
            state = decode.account_state(subaccount, symbols(), RECEIVED_NS)
            positions += state.positions
            balances += state.balances
    return len(orders), len(fills), len(positions), len(balances)


def test_every_row_of_the_frames_of_an_account() -> None:
    found = {}
    for name, text in frames(recordings_folder()):
        said = json.loads(text)
        if said.get("channel") in ACCOUNT_CHANNELS and "contents" in said:
            found[name] = told_about_an_account(text)
    assert found == ACCOUNTS


def test_every_frame_goes_through_a_source() -> None:
    """None raises and none is passed over, but for a parent's: its orders are those of its subaccounts."""
    found = {}
    sources: dict[str, Any] = {}
    for name, text in frames(recordings_folder()):
        said = json.loads(text)
        channel, about = said.get("channel") or "", (said.get("id") or "ETH-USD").partition("/")[0]
        if channel == "v4_parent_subaccounts":
            continue
        line = name.partition(":")[0]
        if channel == "v4_subaccounts" and line not in sources:
            source = DydxV4UserStreamDataSource(config(account=about), symbols())
            source.subscriptions((Channel.ORDERS, Channel.FILLS, Channel.POSITIONS, Channel.BALANCES), [])
            sources[line] = source
        elif line not in sources:
            public = DydxV4OrderBookDataSource(config(), symbols())
            pair = about if about.endswith("-USD") else "ETH-USD"
            public.subscriptions((Channel.BOOK, Channel.TRADES, Channel.CANDLES, Channel.TICKER), [pair])
            sources[line] = public
        items = list(sources[line].decode(text, RECEIVED_NS))
        if channel == "v4_subaccounts":
            items += sources[line].decode(BLOCK, RECEIVED_NS)  # what may still be cancelled is told when a block came
        found[name] = len(items)
    assert found == ITEMS


def test_every_candle_of_a_snapshot() -> None:
    (text,) = (text for name, text in frames(recordings_folder()) if name == "candles_subscribed.trimmed.json")
    said: payloads.Candles = answers.shape(answers.shape(text, payloads.Frame).contents, payloads.Candles)
    candles = [decode.candle(one, symbols()) for one in said.candles]
    assert len(candles) == 20
    assert any(candle.trades == 0 for candle in candles)


def test_every_answer_of_a_node() -> None:
    """As the bytes of a BroadcastTxResponse, which is how it came."""
    entries = json.loads((recordings_folder() / "node" / "tx_responses.json").read_text())
    assert [entry["what"] for entry in entries] == list(NODE)
    chain = ChainState()
    for entry in entries:
        told = {"raw_log": entry.get("raw_log", ""), "code": 0, "codespace": "", "txhash": ""}
        told.update(entry.get("tx_response", {}))
        body = data(2, told["txhash"].encode()) + data(3, told["codespace"].encode()) + number(4, told["code"])
        said = tx.broadcast_response(message(1, body + data(6, told["raw_log"].encode())))
        assert (said.code, said.raw_log, said.hash) == (told["code"], told["raw_log"], told["txhash"])
        if said.code:
            assert refusals.meaning(said, cancels=False, account_number=12) is NODE[entry["what"]]
        chain.learn_sequence(said.raw_log)
        chain.learn_window(said.raw_log)
    assert (chain.expected, chain.window) == (1460, 20)
