"""The plugin's front door, and what it costs to open it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pluggy
import pytest
from latentspeed_hyperliquid import plugin
from latentspeed_hyperliquid.config import HyperliquidConfig, parse_address
from latentspeed_hyperliquid.user_stream_data_source import account_of

from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderType, TimeInForce
from latentspeed_cli.errors import ConfigError, CredentialError
from latentspeed_cli.hookspecs import API_VERSION, PROJECT, ConnectorHooks
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.model import SCENARIOS

from .conftest import K1, K1_ADDRESS, MASTER, VAULT, connector_for

WEIGHT = ("aiohttp", "websockets", "coincurve", "Crypto", "eth_account", "apsw", "typer", "rich")


@pytest.fixture
def hooks() -> Any:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(ConnectorHooks)
    manager.register(plugin)
    manager.check_pending()
    return manager.hook


def test_every_hook_is_implemented() -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(ConnectorHooks)
    manager.register(plugin)
    missing = [
        name
        for name in vars(ConnectorHooks)
        if name.startswith("latentspeed_") and not getattr(manager.hook, name).get_hookimpls()
    ]
    assert missing == []


def test_the_spec_tells_what_there_is(hooks: Any) -> None:
    spec = hooks.latentspeed_connector_spec()
    assert (spec.name, spec.api_version, spec.networks) == (
        "hyperliquid",
        API_VERSION,
        ("sandbox", "testnet", "mainnet"),
    )
    assert {OrderType(value) for value in spec.order_types} == {OrderType.LIMIT, OrderType.MARKET}
    assert {TimeInForce(value) for value in spec.tifs} == {TimeInForce.GTC, TimeInForce.IOC}
    assert spec.config_type is HyperliquidConfig


def test_hooks_build_the_parts(hooks: Any, symbols: SymbolMap) -> None:
    config = HyperliquidConfig(network="testnet", key=Secret(K1))
    assert hooks.latentspeed_web_utils(config=config).exchange_url.endswith("/exchange")
    assert hooks.latentspeed_auth(config=config).account == K1_ADDRESS
    books = hooks.latentspeed_order_book_data_source(config=config, symbols=symbols, candle_interval="1m")
    assert books.url.startswith("wss://")
    assert hooks.latentspeed_user_stream_data_source(config=config, symbols=symbols).account == K1_ADDRESS
    parts = connector_for(config, symbols).parts
    assert isinstance(hooks.latentspeed_connector(config=config, parts=parts), PerpetualDerivativeBase)
    assert hooks.latentspeed_sandbox(scenario=SCENARIOS["default"]).name == "hyperliquid"


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("plugin", WEIGHT),
        # Reading a book and trades needs no signer and, since the transport is not ours, no socket library either.
        ("connector, order_book_data_source, user_stream_data_source, web_utils", WEIGHT),
        ("auth", ("aiohttp", "websockets", "eth_account", "apsw", "typer")),
    ],
)
def test_imports_of_weight(modules: str, absent: tuple[str, ...]) -> None:
    code = f"""
import sys
from latentspeed_hyperliquid import {modules}
print(" ".join(name for name in {absent!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown network"):
        HyperliquidConfig(network="moon")


# The published examples of EIP-55.
@pytest.mark.parametrize(
    "text",
    [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_addresses_with_their_checksum(text: str) -> None:
    assert parse_address(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0",
        "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\n",
        "dydx1abc",
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        parse_address(text)
    assert caught.value.exit_code == 7


def test_whose_account_it_is() -> None:
    assert account_of(HyperliquidConfig()) is None
    assert account_of(HyperliquidConfig(key=Secret(K1))) == K1_ADDRESS
    assert account_of(HyperliquidConfig(account=MASTER, key=Secret(K1))) == MASTER
    assert account_of(HyperliquidConfig(account=MASTER, vault=VAULT)) == VAULT


def test_a_configured_account_is_read_as_orders_bear_it() -> None:
    mixed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert HyperliquidConfig(account=mixed).acts_for == mixed.lower()
    assert HyperliquidConfig(account="0x" + "1" * 40, vault=mixed).acts_for == mixed.lower()
    assert HyperliquidConfig().acts_for is None
    with pytest.raises(CredentialError):
        _ = HyperliquidConfig(account=mixed.lower()[:-1]).acts_for
