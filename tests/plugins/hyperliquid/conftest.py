"""Values that the Hyperliquid tests share. The keys are the published ones of the venue's own SDK tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig
from latentspeed_hyperliquid.connector import HyperliquidPerpetual
from latentspeed_hyperliquid.markets import markets, perp_markets
from latentspeed_hyperliquid.payloads import Asset, Meta
from latentspeed_hyperliquid.web_utils import HyperliquidWebUtils

from latentspeed_cli.connector.parts import Parts
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.keys import Secret

RECEIVED_NS = 1_790_000_000_123_456_789
K1 = "0x0123456789012345678901234567890123456789012345678901234567890123"
K1_ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
MASTER = "0xcd49bbac6e85fdeb167eb7ca41a945d2b8758f6f"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"


def reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """An answer of the venue; bytes are taken as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, body=raw, headers=headers or {}, received_ns=RECEIVED_NS)


def walk(flow: Generator[Request, Reply, Any], *replies: object) -> tuple[list[Any], Any]:
    """Drive a flow with these answers: the requests it made (read as JSON) and what it returned."""
    asked: list[Any] = []
    try:
        request = next(flow)
        for answer in replies:
            asked.append(json.loads(request.body))
            request = flow.send(answer if isinstance(answer, Reply) else reply(answer))
    except StopIteration as end:
        return asked, end.value
    raise AssertionError(f"the flow wants more answers: {request.body!r}")


META = Meta(
    universe=(
        Asset(name="BTC", sz_decimals=5, max_leverage=40),
        Asset(name="ETH", sz_decimals=4, max_leverage=25),
        Asset(name="ATOM", sz_decimals=2, max_leverage=5),
        Asset(name="MATIC", sz_decimals=1, max_leverage=20, is_delisted=True),
        Asset(name="DYDX", sz_decimals=1, max_leverage=5),
        Asset(name="SOL", sz_decimals=2, max_leverage=20),
        Asset(name="kPEPE", sz_decimals=0, max_leverage=10),
    )
)


@pytest.fixture(scope="session")
def symbols() -> SymbolMap:
    return markets(perp_markets(META)).symbols


@pytest.fixture
def recordings() -> Path:
    """The shared folder of recorded traffic, which lies beside the repository on the project's own machines."""
    folder = Path(__file__).parents[3].parent / "shared" / "recordings" / "hyperliquid"
    if not folder.is_dir():
        pytest.skip("the shared recordings are not on this machine")
    return folder


@pytest.fixture
def make_auth() -> Callable[..., HyperliquidAuth]:
    def make(key: str = K1, **settings: Any) -> HyperliquidAuth:
        return HyperliquidAuth(HyperliquidConfig(**{"network": "testnet", "key": Secret(key), **settings}))

    return make


@pytest.fixture
def connector(symbols: SymbolMap) -> HyperliquidPerpetual:
    return connector_for(HyperliquidConfig(network="testnet", key=Secret(K1)), symbols)


class Untouched:
    """A part that the flows must not use: constructing a connector and walking its flows performs no I/O."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a flow reached for {name}")


def connector_for(config: HyperliquidConfig, symbols: SymbolMap) -> HyperliquidPerpetual:
    """A connector whose flows can be walked; its transport, journal and clock are out of reach."""
    auth = None if config.key is None else HyperliquidAuth(config)
    nothing: Any = Untouched()
    parts = Parts(
        venue="hyperliquid",
        network=config.network,
        account=config.vault or config.account if auth is None else auth.account,
        auth=auth,
        web_utils=HyperliquidWebUtils(config),
        http=nothing,
        streams=nothing,
        order_book_source=nothing,
        user_stream_source=nothing,
        journal=nothing,
        clock=nothing,
        entropy=nothing,
        guards=Guards(),
    )
    made = HyperliquidPerpetual(parts)
    made.symbols = symbols
    return made


@pytest.fixture
def make_order(connector: HyperliquidPerpetual) -> Callable[..., InFlightOrder]:
    def make(**changes: Any) -> InFlightOrder:
        values: dict[str, Any] = {
            "client_order_id": "00000000000000000000000000000001",
            "venue_client_id": "0x00000000000000000000000000000001",
            "venue": "hyperliquid",
            "network": "testnet",
            "account": K1_ADDRESS,
            "trading_pair": "ETH-USD",
            "side": TradeType.BUY,
            "order_type": OrderType.LIMIT,
            "amount": Decimal(100),
            "price": Decimal(100),
            "created_ts_ns": RECEIVED_NS,
            "attempt": 1,
            "nonce": 1_790_000_000_000,
            "expires_after_ms": 1_790_000_015_000,
            "facts": Facts(),
        }
        return InFlightOrder(**{**values, **changes})

    return make
