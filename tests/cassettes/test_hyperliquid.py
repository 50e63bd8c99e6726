"""Order stories replayed from tape: no sandbox, no socket, the same bytes as when they were recorded.

`LATENTSPEED_RECORD=1 pytest tests/cassettes` makes the tapes anew against a sandbox of its own.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml

from latentspeed_cli import config
from latentspeed_cli.clock import NS_PER_S, SystemClock
from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.types import OrderState, OrderType, TimeInForce, TradeType
from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.accounts import PRIVATE_KEYS
from latentspeed_cli.sandbox.home import Options
from latentspeed_cli.session import open_connector
from latentspeed_cli.testing.cassettes import WITHHELD, recorder
from latentspeed_cli.testing.clock import StillClock

TAPES = Path(__file__).parent / "hyperliquid"
RECORD = bool(os.environ.get("LATENTSPEED_RECORD"))
# The moment of each recording, so that a replay signs what was signed then.
MOMENTS = TAPES / "moments.yaml"

Teller: TypeAlias = Callable[[str], AbstractAsyncContextManager[PerpetualDerivativeBase]]


@pytest.fixture
def story(tmp_path: Path) -> Teller:
    """`async with story("name") as connector`: the connector whose conversation is on that tape."""

    @asynccontextmanager
    async def tell(name: str) -> AsyncIterator[PerpetualDerivativeBase]:
        moments = yaml.safe_load(MOMENTS.read_text()) if MOMENTS.exists() else {}
        base_url = "http://127.0.0.1:9"  # nothing listens there
        if RECORD:
            running = supervisor.start(tmp_path / "exchange", Options(port=0))
            base_url = running.venue("hyperliquid").base_url
            moments[name] = SystemClock().now_ns() // NS_PER_S * NS_PER_S + NS_PER_S
            MOMENTS.write_text(yaml.safe_dump(moments))
            (TAPES / f"{name}.yaml").unlink(missing_ok=True)
        settings = config.resolve(
            {"network": "sandbox"},
            {
                "LATENTSPEED_STATE_DIR": str(tmp_path / "state"),
                "LATENTSPEED_CACHE_DIR": str(tmp_path / "cache"),
                "LATENTSPEED_BASE_URL": base_url,
            },
        )
        try:
            with recorder(TAPES, record=RECORD).use_cassette(f"{name}.yaml") as tape:
                clock, entropy = StillClock(moments[name]), SeededEntropy(name)
                async with open_connector(settings, sign=True, clock=clock, entropy=entropy) as connector:
                    yield connector
                assert RECORD or tape.all_played
        finally:
            if RECORD:
                supervisor.stop(tmp_path / "exchange")

    return tell


def limit(price: str, *, side: TradeType = TradeType.BUY, tif: TimeInForce = TimeInForce.GTC) -> OrderIntent:
    return OrderIntent(
        trading_pair="BTC-USD",
        side=side,
        order_type=OrderType.LIMIT,
        amount=Decimal("0.01"),
        price=Decimal(price),
        tif=tif,
    )


async def test_place_limit_accepted_and_cancelled(story: Teller) -> None:
    async with story("place_limit_accepted") as connector:
        placed = await connector.place_order(limit("80000"))
        assert (placed.outcome, placed.order.state) == ("accepted", OrderState.OPEN)
        cancelled = await connector.cancel(placed.order)
        assert cancelled.order.state is OrderState.CANCELLED
        assert cancelled.order.evidence


async def test_place_market_filled(story: Teller) -> None:
    async with story("place_market_filled") as connector:
        intent = OrderIntent(
            trading_pair="BTC-USD", side=TradeType.BUY, order_type=OrderType.MARKET, amount=Decimal("0.01")
        )
        placed = await connector.place_order(intent, wait="filled")
        assert placed.order.state is OrderState.FILLED
        assert placed.order.executed_amount == Decimal("0.01")
        assert list(placed.order.fees) == ["USDC"]


async def test_place_ioc_unmatched(story: Teller) -> None:
    async with story("place_ioc_unmatched") as connector:
        placed = await connector.place_order(limit("80000", tif=TimeInForce.IOC))
        assert placed.order.state is OrderState.EXPIRED
        assert placed.order.reason == "ioc_unmatched"


async def test_place_rejected_for_margin(story: Teller) -> None:
    async with story("place_rejected_margin") as connector:
        intent = OrderIntent(
            trading_pair="BTC-USD",
            side=TradeType.BUY,
            order_type=OrderType.LIMIT,
            amount=Decimal(100),
            price=Decimal(80000),
        )
        placed = await connector.place_order(intent)
        assert (placed.outcome, placed.order.state) == ("rejected", OrderState.FAILED)
        assert "margin" in str(placed.error).lower()


def test_no_tape_holds_a_key_or_a_signature() -> None:
    tapes = [path for path in TAPES.glob("*.yaml") if path != MOMENTS]
    assert len(tapes) == 4
    for path in tapes:
        text = path.read_text()
        assert WITHHELD in text
        assert not [key for key in PRIVATE_KEYS if key.removeprefix("0x") in text]
        bodies = [item["request"]["body"] for item in yaml.safe_load(text)["interactions"]]
        signed = [body for body in bodies if '"nonce"' in str(body)]
        assert signed
        assert all(f'"signature": "{WITHHELD}"' in str(body) for body in signed)
