"""A journal on a real disk, and orders to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from latentspeed_cli.core.drafts import Draft
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.journal import Journal

START_NS = 1_764_000_000_000_000_000
SIGNER = "0x" + "5" * 40
BODY = b'{"signature":"SIGNATURE"}'


class SteppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.ns = START_NS

    def now_ns(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def opened(path: Path, clock: SteppedClock) -> Iterator[Callable[..., Journal]]:
    """Opens the journal as another process would; closes what it opened."""
    journals = []

    def opened(
        network: str = "sandbox", instance: str = "one", vfs: str | None = None, busy_timeout_s: float = 5.0
    ) -> Journal:
        journal = Journal.open(
            path, network=network, instance=instance, clock=clock, vfs=vfs, busy_timeout_s=busy_timeout_s
        )
        journals.append(journal)
        return journal

    yield opened
    for journal in journals:
        journal.close()


@pytest.fixture
def journal(opened: Callable[..., Journal]) -> Journal:
    return opened()


def make_order(name: str = "order-1", **fields: object) -> InFlightOrder:
    made = InFlightOrder(
        client_order_id=name,
        venue_client_id=f"0x{name}",
        venue="hyperliquid",
        network="sandbox",
        account="0x" + "a" * 40,
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=Decimal("0.010"),
        price=Decimal("95000.5"),
        created_ts_ns=START_NS,
        parameters_hash="h1",
        facts=Facts(),
    )
    return msgspec.structs.replace(made, **fields)


def make_draft(name: str = "order-1", build: Callable[[InFlightOrder], bytes] | None = None, **fields: object) -> Draft:
    return Draft(
        order=make_order(name, **fields),
        signer=SIGNER,
        submit_deadline_ns=START_NS + 30_000_000_000,
        build=build or (lambda order: BODY),
    )


@pytest.fixture
def order() -> Callable[..., InFlightOrder]:
    return make_order


@pytest.fixture
def draft() -> Callable[..., Draft]:
    return make_draft
