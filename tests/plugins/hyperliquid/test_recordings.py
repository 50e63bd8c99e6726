"""Every recorded answer and frame of the venue decodes; where it is about orders, into the words of core."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from latentspeed_hyperliquid import decode_orders, markets, payloads
from latentspeed_hyperliquid.config import HyperliquidConfig
from latentspeed_hyperliquid.order_book_data_source import HyperliquidOrderBookDataSource
from latentspeed_hyperliquid.refusals import Refusal
from latentspeed_hyperliquid.user_stream_data_source import HyperliquidUserStreamDataSource

from latentspeed_cli.connector.answers import number, shape
from latentspeed_cli.connector.streams import SnapshotEnd, SubscriptionAck, SubscriptionRefused
from latentspeed_cli.core.market_data import BestBidOffer, Candle, MarketContext, OrderBookSnapshot, PublicTrade
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.errors import ProtocolError

from .conftest import RECEIVED_NS

yaml: Any = importlib.import_module("yaml")  # it comes without types

pytestmark = pytest.mark.recordings

INFO: dict[str, Any] = {
    "activeAssetData": payloads.ActiveAssetData,
    "allMids": payloads.AllMids,
    "candleSnapshot": list[payloads.CandleRow],
    "clearinghouseState": payloads.ClearinghouseState,
    "extraAgents": list[payloads.ExtraAgent],
    "frontendOpenOrders": list[payloads.OrderRow],
    "fundingHistory": list[payloads.FundingRate],
    "historicalOrders": list[payloads.OrderRecord],
    "l2Book": payloads.Book,
    "meta": payloads.Meta,
    "metaAndAssetCtxs": payloads.MetaAndContexts,
    "openOrders": list[payloads.OrderRow],
    "orderStatus": payloads.OrderStatusReply,
    "perpDexStatus": dict[str, str],
    "perpDexs": payloads.PerpDexs,
    "spotClearinghouseState": payloads.SpotState,
    "spotMeta": payloads.SpotMeta,
    "spotMetaAndAssetCtxs": payloads.SpotMetaAndContexts,
    "userFills": list[payloads.Fill],
    "userFillsByTime": list[payloads.Fill],
    "userFunding": list[payloads.FundingRow],
    "userNonFundingLedgerUpdates": list[payloads.LedgerRow],
    "userRateLimit": payloads.UserRateLimit,
    "userRole": payloads.UserRole,
}
# Files that hold answers alone: what was asked for.
BARE: dict[str, list[Any]] = {
    "jkorf_GetAccountInfo.txt": [payloads.ClearinghouseState],
    "jkorf_GetAccountLedger.txt": [list[payloads.LedgerRow]],
    "jkorf_GetOpenOrdersExtended.txt": [list[payloads.OrderRow]],
    "jkorf_GetSubAccounts.txt": [payloads.SubAccounts],
    "jkorf_GetUserTrades.txt": [list[payloads.Fill]],
    "nautilus_http_all_perp_metas_non_usdc_collateral.json": [payloads.AllPerpMetas],
    "nautilus_http_l2_book_btc.json": [payloads.Book],
    "rift_userFees_testnet.json": [payloads.UserFees],
    "rift_userFills_spot_testnet.trimmed.json": [list[payloads.Fill]],
    "roq_info.jsonl": [payloads.ClearinghouseState, list[payloads.OrderRow]],
    "roq_meta_testnet.json": [payloads.Meta],
    "bytex_mainnet_2026-09-25.json": [
        payloads.Meta,
        list[payloads.CandleRow],
        list[payloads.FundingRate],
        payloads.Book,
        payloads.ClearinghouseState,
    ],
    "tishden_misc.json": [list[Any], payloads.UserRateLimit],
}


def cassette(path: Path) -> Iterator[tuple[Any, bytes]]:
    """(request, answer) pairs of a recorded session, whichever of the two tools recorded it."""
    for interaction in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["interactions"]:
        body = interaction["response"]["body"]
        yield json.loads(interaction["request"]["body"]), (body if isinstance(body, str) else body["string"]).encode()


def answers(folder: Path) -> Iterator[tuple[str, Any, bytes]]:
    """(file, shape, answer) of everything recorded from /info."""
    for path in sorted((folder / "http-info").iterdir()):
        if path.name in BARE:
            text = path.read_text()
            if path.suffix == ".txt":
                text = text.split("\n", 3)[3]
            if path.suffix == ".jsonl":
                found = [line.encode() for line in text.splitlines() if line]
            elif '"what"' in text[:40]:
                found = [json.dumps(entry["response"]).encode() for entry in json.loads(text)]
            else:
                found = [text.encode()]
            yield from ((path.name, kind, body) for kind, body in zip(BARE[path.name], found, strict=True))
        elif path.suffix == ".yaml":
            yield from ((path.name, INFO[asked["type"]], body) for asked, body in cassette(path))
        else:
            said = json.loads(path.read_text())
            for entry in said if isinstance(said, list) else [said]:
                yield path.name, INFO[entry["request"]["type"]], json.dumps(entry["response"]).encode()


def numbers(value: Any) -> Iterator[str]:
    """The numbers in a payload: every text that a member of type Num holds."""
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            inner = getattr(value, field.name)
            if isinstance(inner, str):
                if field.name in NUMBER_FIELDS:
                    yield inner
            else:
                yield from numbers(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from numbers(inner)


NUMBER_FIELDS = {
    field.name
    for shape in vars(payloads).values()
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct) and shape is not payloads.Payload
    for field in msgspec.structs.fields(shape)
    if str(shape.__annotations__.get(field.name, "")).startswith("Num")
}


def test_every_info_answer_decodes(recordings: Path) -> None:
    seen: set[str] = set()
    checked = 0
    for name, kind, body in answers(recordings):
        value = shape(body, kind)
        for text in numbers(value):
            assert isinstance(number(text), Decimal)
            checked += 1
        seen.add(name)
    assert seen == {path.name for path in (recordings / "http-info").iterdir()}
    assert checked > 1_500


def test_recorded_orders_and_fills_become_words_of_core(recordings: Path, symbols: SymbolMap) -> None:
    found = {"orders": 0, "records": 0, "fills": 0}
    statuses: set[str] = set()
    for _, kind, body in answers(recordings):
        value = shape(body, kind)
        if kind == list[payloads.OrderRow]:
            updates = [decode_orders.open_order(row, symbols, RECEIVED_NS) for row in value]
            assert all(update.report is Report.ACCEPTED for update in updates)
            assert all(update.amount is not None and update.amount > 0 for update in updates)
            found["orders"] += len(updates)
        elif kind == list[payloads.OrderRecord]:
            for record in value:
                update = decode_orders.order_update(record, symbols)
                assert update.report is not Report.NOTE, record.status
                statuses.add(record.status)
                found["records"] += 1
        elif kind == list[payloads.Fill]:
            fills = [decode_orders.trade_update(row, symbols) for row in value]
            if all(row.tid for row in value):
                assert len({fill.fill_id for fill in fills}) == len(fills)
            found["fills"] += len(fills)
    assert "iocCancelRejected" in statuses
    assert all(count >= 5 for count in found.values()), found


def test_recorded_metadata_becomes_markets(recordings: Path) -> None:
    metas = [shape(body, kind) for _, kind, body in answers(recordings) if kind is payloads.Meta]
    assert len(metas) > 3
    for meta in metas:
        known = markets.markets(markets.perp_markets(meta))
        for asset_id, asset in enumerate(meta.universe):
            market = known.symbols.by_symbol(asset.name)
            assert market is not None
            assert market.asset_id == asset_id
            assert market.is_active is not asset.is_delisted
            assert market.trading_pair in known.rules


def exchange_answers(folder: Path) -> Iterator[bytes]:
    for path in sorted((folder / "http-exchange").iterdir()):
        if path.suffix == ".yaml":
            yield from (body for _, body in cassette(path))
        elif path.suffix == ".jsonl":
            yield from (line.encode() for line in path.read_text().splitlines() if line)
        elif path.suffix == ".txt":
            yield path.read_text().split("\n", 3)[3].encode()
        else:
            yield from (json.dumps(entry["response"]).encode() for entry in json.loads(path.read_text()))


def test_every_exchange_answer_is_understood(recordings: Path) -> None:
    answered = refused = 0
    for body in exchange_answers(recordings):
        if b'"status": "err"' not in body and not body.replace(b" ", b"").startswith(b'{"status":'):
            continue  # an answer of /info that the transcript quotes between two actions
        said = decode_orders.answer(body)
        if isinstance(said, Refusal):
            refused += 1
            continue
        answered += 1
        if said.type in ("order", "cancel"):
            for item in decode_orders.statuses(body, 1):
                if isinstance(item, Refusal):
                    assert item.code is not None, f"not in the table: {item.text}"
    assert answered > 15
    assert refused > 8


def frames(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((folder / "ws").iterdir()):
        text = path.read_text()
        if path.suffix == ".jsonl":
            yield from ((path.name, line) for line in text.splitlines() if line)
        elif path.suffix == ".json":
            yield path.name, text
        else:
            head, _, pushed = text.partition("\n= ")
            yield from ((path.name, line[2:]) for line in head.splitlines() if line.startswith("< "))
            yield path.name, pushed


PRIVATE = {"orderUpdates", "userFills", "user"}
# Kinds of answers nobody subscribes to here: requests over the socket, and texts for a front end.
FOREIGN = {"post", "notification"}


def test_every_frame_decodes(recordings: Path, symbols: SymbolMap) -> None:
    kinds: set[type] = set()
    for name, frame in frames(recordings):
        said = json.loads(frame)
        source: HyperliquidOrderBookDataSource | HyperliquidUserStreamDataSource
        if said["channel"] in PRIVATE:
            user = said["data"].get("user") if isinstance(said["data"], dict) else None
            config = HyperliquidConfig(network="mainnet", account=user or "0x" + "11" * 20)
            source = HyperliquidUserStreamDataSource(config, symbols)
        else:
            source = HyperliquidOrderBookDataSource(HyperliquidConfig(network="mainnet"), symbols)
        if said["channel"] in FOREIGN:
            with pytest.raises(ProtocolError, match="unknown channel"):
                list(source.decode(frame, RECEIVED_NS))
            continue
        items = list(source.decode(frame, RECEIVED_NS))
        rows = said["data"] if isinstance(said.get("data"), list) else said.get("data", {})
        if said["channel"] in ("trades", "orderUpdates"):
            assert len(items) == len(rows), name
        assert items or (said["channel"] == "userFills" and not rows["fills"] and not rows.get("isSnapshot"))
        kinds.update(type(item) for item in items)
    assert kinds >= {
        BestBidOffer,
        Candle,
        MarketContext,
        OrderBookSnapshot,
        OrderUpdate,
        PublicTrade,
        SnapshotEnd,
        SubscriptionAck,
        SubscriptionRefused,
        TradeUpdate,
    }
