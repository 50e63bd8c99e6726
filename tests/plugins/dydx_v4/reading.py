"""Values that the tests of reading share: markets, answers, and the walking of flows."""

from __future__ import annotations

import json
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4 import identifiers
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.markets import markets, rows
from latentspeed_dydx_v4.order_book_data_source import DydxV4OrderBookDataSource
from latentspeed_dydx_v4.payloads import PerpetualMarkets
from latentspeed_dydx_v4.reads import DydxV4Reads
from latentspeed_dydx_v4.user_stream_data_source import DydxV4UserStreamDataSource
from latentspeed_dydx_v4.web_utils import DydxV4WebUtils

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.venue import FenceVerdict
from latentspeed_cli.core.flow import Flow, Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.reports import OrderUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderType, TradeType

RECEIVED_NS = 1_790_000_000_123_456_789
# The address and the subaccount of the recordings' taker; the order is one of its own.
ADDRESS = "dydx1kzsvkf2ghjqlysuffdkhcdctknl4rsvcx5hkm5"
SUBACCOUNT_ID = "4484a830-fa43-5b04-ba00-3621a33ef89d"
CLIENT_ID, METADATA = 2043599281, 1
ORDER_ID = "05009670-3fba-5ec7-8447-efb81a03cd9f"


def market_row(ticker: str, pair_id: int, ar: int, spt: int = 1_000_000, **changes: Any) -> dict[str, Any]:
    row = {
        "clobPairId": str(pair_id),
        "ticker": ticker,
        "status": "ACTIVE",
        "oraclePrice": "3000",
        "priceChange24H": "1",
        "volume24H": "5000000",
        "trades24H": 7,
        "nextFundingRate": "0.0000125",
        "initialMarginFraction": "0.05",
        "maintenanceMarginFraction": "0.03",
        "openInterest": "123.4",
        "atomicResolution": ar,
        "quantumConversionExponent": -9,
        "tickSize": "0",
        "stepSize": "0",
        "stepBaseQuantums": 1_000_000,
        "subticksPerTick": spt,
        "marketType": "CROSS",
    }
    return {**row, **changes}


MARKETS: dict[str, Any] = {
    "markets": {
        "BTC-USD": market_row("BTC-USD", 0, -10, 100_000, oraclePrice="90000", initialMarginFraction="0.02"),
        "ETH-USD": market_row("ETH-USD", 1, -9, 100_000),
        "APE-USD": market_row("APE-USD", 76, -5, marketType="ISOLATED", initialMarginFraction="0.2"),
        "PEPE-USD": market_row("PEPE-USD", 28, 1, oraclePrice=None),
        "OLD-USD": market_row("OLD-USD", 99, -5, status="FINAL_SETTLEMENT"),
    }
}


def symbols_of(listed: object) -> SymbolMap:
    answer: PerpetualMarkets = answers.shape(json.dumps(listed).encode(), PerpetualMarkets)
    return markets(rows(answer)).symbols


SYMBOLS = symbols_of(MARKETS)


def config(**changes: Any) -> DydxV4Config:
    return DydxV4Config(**{"network": "testnet", "account": ADDRESS, **changes})


def public(symbols: SymbolMap = SYMBOLS, candle_interval: str = "1m", **changes: Any) -> DydxV4OrderBookDataSource:
    return DydxV4OrderBookDataSource(config(**changes), symbols, candle_interval=candle_interval)


def private(symbols: SymbolMap = SYMBOLS, **changes: Any) -> DydxV4UserStreamDataSource:
    return DydxV4UserStreamDataSource(config(**changes), symbols)


class Flows(DydxV4Reads):
    """The reads, and nothing to change anything with."""

    def __init__(self, *, auth: DydxV4Auth | None = None, symbols: SymbolMap = SYMBOLS, **settings: Any) -> None:
        made = config(**settings)
        self.auth = auth
        self.web_utils = DydxV4WebUtils(made)
        self.account = made.account
        self.subaccount = made.subaccount
        self.authenticator = made.authenticator
        self.symbols = symbols

    def venue_client_id(self, client_order_id: str, *, network: str, account: str) -> str:
        raise NotImplementedError

    def check_supported(self, intent: OrderIntent) -> None:
        raise NotImplementedError

    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        raise NotImplementedError

    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        raise NotImplementedError

    def fence_flow(self, order: InFlightOrder) -> Flow[FenceVerdict]:
        raise NotImplementedError

    def leverage_flow(self, trading_pair: str, leverage: int, *, cross: bool, nonce: int) -> Flow[None]:
        raise NotImplementedError


def recordings_folder() -> Path:
    """The shared folder of recorded traffic, which lies beside the repository on the project's own machines."""
    for parent in Path(__file__).parents:
        folder = parent / "shared" / "recordings" / "dydx_v4"
        if folder.is_dir():
            return folder
    pytest.skip("the shared recordings are not on this machine")


def reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """An answer of the venue; bytes are taken as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, body=raw, headers=headers or {}, received_ns=RECEIVED_NS)


NOT_FOUND = reply({"errors": [{"msg": "Unable to find order id"}]}, 404)


def walk(flow: Generator[Request, Reply, Any], *replies: object) -> tuple[list[str], Any]:
    """Drive a flow with these answers: what it asked for, as "GET url" or "GRPC url", and what it returned.

    An answer that is an exception is how the request ended.
    """
    asked: list[str] = []
    try:
        request = next(flow)
        for answer in replies:
            asked.append(f"{request.method} {request.url}")
            assert not request.changes
            if isinstance(answer, Exception):
                request = flow.throw(answer)
            else:
                request = flow.send(answer if isinstance(answer, Reply) else reply(answer))
    except StopIteration as end:
        assert len(asked) == len(replies), "the flow wanted fewer answers"
        return asked, end.value
    raise AssertionError(f"the flow wants more answers: {request.method} {request.url}")


def order(**changes: Any) -> InFlightOrder:
    values: dict[str, Any] = {
        "client_order_id": "a" * 32,
        "venue_client_id": identifiers.venue_client_id(CLIENT_ID, METADATA),
        "venue": "dydx_v4",
        "network": "testnet",
        "account": ADDRESS,
        "trading_pair": "ETH-USD",
        "side": TradeType.BUY,
        "order_type": OrderType.LIMIT,
        "amount": Decimal("0.003"),
        "price": Decimal("3335.3"),
        "created_ts_ns": RECEIVED_NS,
        "attempt": 1,
        "exchange_order_id": ORDER_ID,
        "facts": Facts(),
    }
    return InFlightOrder(**{**values, **changes})


def order_row(**changes: Any) -> dict[str, Any]:
    row = {
        "id": ORDER_ID,
        "subaccountId": SUBACCOUNT_ID,
        "clientId": str(CLIENT_ID),
        "clobPairId": "1",
        "side": "BUY",
        "size": "0.003",
        "totalFilled": "0",
        "price": "3335.3",
        "type": "LIMIT",
        "status": "OPEN",
        "timeInForce": "GTT",
        "postOnly": False,
        "reduceOnly": False,
        "orderFlags": "0",
        "goodTilBlock": "1000",
        "ticker": "ETH-USD",
        "clientMetadata": str(METADATA),
        "subaccountNumber": 0,
    }
    return {name: value for name, value in {**row, **changes}.items() if value is not ...}


def fill_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    row = {
        "id": f"fill-{number}",
        "side": "BUY",
        "liquidity": "TAKER",
        "type": "LIMIT",
        "market": "ETH-USD",
        "marketType": "PERPETUAL",
        "price": "3178.5",
        "size": "0.001",
        "fee": "0.001589",
        "createdAt": "2024-08-01T07:09:25.767Z",
        "createdAtHeight": "990",
        "orderId": ORDER_ID,
        "clientMetadata": str(METADATA),
        "subaccountNumber": 0,
    }
    return {name: value for name, value in {**row, **changes}.items() if value is not ...}


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())
