"""Hook implementations. Every import of weight is inside a function, paid for by those who need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentspeed_cli.hookspecs import API_VERSION, ConnectorSpec, hookimpl

from .config import DydxV4Config

if TYPE_CHECKING:
    from latentspeed_cli.connector.parts import Parts
    from latentspeed_cli.core.symbols import SymbolMap
    from latentspeed_cli.sandbox.model import Scenario

    from .auth import DydxV4Auth
    from .connector import DydxV4Perpetual
    from .order_book_data_source import DydxV4OrderBookDataSource
    from .sandbox.model import DydxModel
    from .user_stream_data_source import DydxV4UserStreamDataSource
    from .web_utils import DydxV4WebUtils

SPEC = ConnectorSpec(
    name="dydx_v4",
    title="dYdX v4 perpetuals",
    api_version=API_VERSION,
    config_type=DydxV4Config,
    networks=("sandbox", "testnet", "mainnet"),
    order_types=("limit", "market", "stop", "stop-limit", "take-profit", "take-profit-limit"),
    tifs=("gtc", "ioc", "gtd"),
    capabilities=(
        "post_only",
        "reduce_only",
        "cancel_by_client_id",
        "cancel_by_exchange_id",
        "sub_accounts",
        "agents",
        "leverage",
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
    key_variables=("LATENTSPEED_DYDX_V4_KEY", "LATENTSPEED_DYDX_V4_MNEMONIC"),
)


@hookimpl
def latentspeed_connector_spec() -> ConnectorSpec:
    return SPEC


@hookimpl
def latentspeed_web_utils(config: DydxV4Config) -> DydxV4WebUtils:
    from .web_utils import DydxV4WebUtils

    return DydxV4WebUtils(config)


@hookimpl
def latentspeed_auth(config: DydxV4Config) -> DydxV4Auth:
    from .auth import DydxV4Auth

    return DydxV4Auth(config)


@hookimpl
def latentspeed_order_book_data_source(
    config: DydxV4Config, symbols: SymbolMap, candle_interval: str
) -> DydxV4OrderBookDataSource:
    from .order_book_data_source import DydxV4OrderBookDataSource

    return DydxV4OrderBookDataSource(config, symbols, candle_interval=candle_interval)


@hookimpl
def latentspeed_user_stream_data_source(config: DydxV4Config, symbols: SymbolMap) -> DydxV4UserStreamDataSource:
    from .user_stream_data_source import DydxV4UserStreamDataSource

    return DydxV4UserStreamDataSource(config, symbols)


@hookimpl
def latentspeed_connector(config: DydxV4Config, parts: Parts) -> DydxV4Perpetual:
    from .connector import DydxV4Perpetual

    return DydxV4Perpetual(parts, config)


@hookimpl
def latentspeed_sandbox(scenario: Scenario) -> DydxModel:
    from .sandbox.model import DydxModel

    return DydxModel(scenario)
