"""The composition root, with the real parts on a real sandbox: an order's life, seen from a second run."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from latentspeed_cli import config, plugins
from latentspeed_cli.connector.streams import Channel, Control, ControlKind
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import ConnectFailed, CredentialError
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.session import open_connector


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bundled connector is found also where the product was not installed."""
    folder = tmp_path / "site" / "latentspeed-0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: latentspeed\nVersion: 0\n")
    (folder / "entry_points.txt").write_text("[latentspeed.connectors]\nhyperliquid = latentspeed_hyperliquid.plugin\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder.parent)])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))  # for the sandbox it starts
    plugins.discover.cache_clear()
    yield
    plugins.discover.cache_clear()


@pytest.fixture
def environ(tmp_path: Path, installed: None) -> dict[str, str]:
    return {
        "LATENTSPEED_STATE_DIR": str(tmp_path / "state"),
        "LATENTSPEED_CACHE_DIR": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Iterator[config.Settings]:
    settings = config.resolve({}, environ)
    yield settings
    supervisor.stop(settings.state_dir)


async def test_a_whole_order_life_on_the_sandbox(settings: config.Settings) -> None:
    told: list[str] = []
    async with open_connector(settings, sign=True, notify=told.append) as connector:
        assert len(told) == 1
        assert "sandbox" in told[0]
        resting = OrderIntent(
            trading_pair="BTC-USD",
            side=TradeType.BUY,
            order_type=OrderType.LIMIT,
            amount=Decimal("0.01"),
            price_expression="mid-1%",
            post_only=True,
        )
        placed = await connector.place_order(resting, client_order_id="mine")
        assert (placed.outcome, placed.error, placed.order.state) == ("accepted", None, OrderState.OPEN)

        seen: list[OrderState] = []
        ready = asyncio.Event()

        async def watch() -> None:
            async with open_connector(settings, sign=False) as other:
                async for item in other.stream([Channel.ORDERS]):
                    if isinstance(item, Control) and item.kind is ControlKind.BACKFILLED:
                        ready.set()
                    if isinstance(item, InFlightOrder):
                        seen.append(item.state)
                        if item.is_done:
                            break

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(watch())
            await ready.wait()
            cancelled = await connector.cancel(placed.order)
        assert (cancelled.order.state, cancelled.error) == (OrderState.CANCELLED, None)
        assert seen == [OrderState.OPEN, OrderState.CANCELLED]

        crossing = OrderIntent(
            trading_pair="BTC-USD",
            side=TradeType.BUY,
            order_type=OrderType.MARKET,
            tif=TimeInForce.IOC,
            amount=Decimal("0.01"),
        )
        filled = (await connector.place_order(crossing)).order
        assert (filled.state, filled.fills_complete) == (OrderState.FILLED, True)
        assert filled.fees["USDC"] > 0
    async with open_connector(settings, sign=False) as again:
        replayed = again.known("mine")
        assert replayed is not None
        assert replayed.state is OrderState.CANCELLED


async def test_public_data_needs_no_key_elsewhere(environ: dict[str, str]) -> None:
    settings = config.resolve({"network": "testnet"}, {**environ, "LATENTSPEED_BASE_URL": "http://127.0.0.1:9"})
    async with open_connector(settings, sign=False, public=True) as connector:
        assert (connector.account, connector.auth) == (None, None)
        with pytest.raises(ConnectFailed):
            await connector.markets()
    with pytest.raises(CredentialError):
        async with open_connector(settings, sign=True):
            pass
