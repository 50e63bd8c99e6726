"""What the bundled connectors say about themselves is what they do."""

from __future__ import annotations

from typing import Any

import pytest
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES as DYDX_ADDRESSES

from latentspeed_cli import plugins
from latentspeed_cli.connector.streams import Channel
from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.errors import OrderRefused
from latentspeed_cli.sandbox.accounts import ADDRESSES

ACCOUNTS = {"hyperliquid": ADDRESSES[0], "dydx_v4": DYDX_ADDRESSES[0]}
SYMBOLS = {"hyperliquid": "BTC", "dydx_v4": "BTC-USD"}


@pytest.mark.parametrize("venue", ACCOUNTS)
def test_the_channels_it_names_are_those_that_it_streams(venue: str) -> None:
    plugin = plugins.load(venue)
    market = Market(trading_pair="BTC-USD", symbol=SYMBOLS[venue], asset_id=0, size_decimals=5)
    known: dict[str, Any] = {"config": plugin.spec.config_type(account=ACCOUNTS[venue]), "symbols": SymbolMap([market])}
    sources = (
        plugin.hook.latentspeed_order_book_data_source(**known, candle_interval="1m"),
        plugin.hook.latentspeed_user_stream_data_source(**known),
    )

    def is_streamed(channel: Channel) -> bool:
        for source in sources:
            try:
                return bool(source.subscriptions([channel], ["BTC-USD"]))
            except OrderRefused:
                continue
        return False

    assert set(plugin.spec.channels) == {channel.value for channel in Channel if is_streamed(channel)}
