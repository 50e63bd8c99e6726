"""Hook implementations. Every import of weight is inside a function, paid for by those who need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentspeed_cli.hookspecs import API_VERSION, ConnectorSpec, hookimpl

from .config import HyperliquidConfig

if TYPE_CHECKING:
    from latentspeed_cli.connector.parts import Parts
    from latentspeed_cli.core.symbols import SymbolMap
    from latentspeed_cli.sandbox.model import Scenario

    from .auth import HyperliquidAuth
    from .connector import HyperliquidPerpetual
    from .order_book_data_source import HyperliquidOrderBookDataSource
    from .sandbox.model import HyperliquidModel
    from .user_stream_data_source import HyperliquidUserStreamDataSource
    from .web_utils import HyperliquidWebUtils

SPEC = ConnectorSpec(
    name="hyperliquid",
    title="Hyperliquid perpetuals",
    api_version=API_VERSION,
    config_type=HyperliquidConfig,
    networks=("sandbox", "testnet", "mainnet"),
    order_types=("limit", "market"),
    tifs=("gtc", "ioc"),
    capabilities=(
        "post_only",
        "reduce_only",
        "cancel_by_client_id",
        "cancel_by_exchange_id",
        "sub_accounts",
        "vaults",
        "agents",
        "leverage",
        "fence",
    ),
    channels=(
        "book",
        "bbo",
        "trades",
        "candles",
        "ticker",
        "funding",
        "orders",
        "fills",
        "positions",
        "balances",
        "events",
    ),
    key_variables=("LATENTSPEED_HYPERLIQUID_KEY",),
)


@hookimpl
def latentspeed_connector_spec() -> ConnectorSpec:
    return SPEC


@hookimpl
def latentspeed_web_utils(config: HyperliquidConfig) -> HyperliquidWebUtils:
    from .web_utils import HyperliquidWebUtils

    return HyperliquidWebUtils(config)


@hookimpl
def latentspeed_auth(config: HyperliquidConfig) -> HyperliquidAuth:
    from .auth import HyperliquidAuth

    return HyperliquidAuth(config)


@hookimpl
def latentspeed_order_book_data_source(
    config: HyperliquidConfig, symbols: SymbolMap, candle_interval: str
) -> HyperliquidOrderBookDataSource:
    from .order_book_data_source import HyperliquidOrderBookDataSource

    return HyperliquidOrderBookDataSource(config, symbols, candle_interval=candle_interval)


@hookimpl
def latentspeed_user_stream_data_source(
    config: HyperliquidConfig, symbols: SymbolMap
) -> HyperliquidUserStreamDataSource:
    from .user_stream_data_source import HyperliquidUserStreamDataSource

    return HyperliquidUserStreamDataSource(config, symbols)


@hookimpl
def latentspeed_connector(parts: Parts) -> HyperliquidPerpetual:
    from .connector import HyperliquidPerpetual

    return HyperliquidPerpetual(parts)


@hookimpl
def latentspeed_sandbox(scenario: Scenario) -> HyperliquidModel:
    from .sandbox.model import HyperliquidModel

    return HyperliquidModel(scenario)
