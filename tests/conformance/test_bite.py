"""Each kind of case finds the fault it is there for: the product is broken on purpose, and the case must say so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest

from latentspeed_cli.connector import placer
from latentspeed_cli.connector.base import ConnectorBase
from latentspeed_cli.connector.desk import Desk
from latentspeed_cli.connector.drive import drive as whole_drive
from latentspeed_cli.connector.finder import Finder
from latentspeed_cli.connector.order_book_tracker import OrderBookTracker
from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.connector.placer import Placer
from latentspeed_cli.connector.reader import Reader
from latentspeed_cli.connector.streams import Control, ControlKind
from latentspeed_cli.connector.user_stream_tracker import UserStreamTracker
from latentspeed_cli.core.guards import Guards
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.market_data import OrderBookSnapshot
from latentspeed_cli.core.trading_rule import TradingRule
from latentspeed_cli.errors import LatentspeedError, OrderRejected, OutcomeUnknown
from latentspeed_cli.testing.conformance import CASES, data_cases, expect
from latentspeed_cli.testing.conformance.ground import Ground
from latentspeed_cli.testing.conformance.suite import run

Break = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    ground = Ground("hyperliquid", tmp_path_factory.mktemp("exchange"))
    yield ground
    ground.close()


def turn_books_over(patch: pytest.MonkeyPatch) -> None:
    whole = Reader.book

    async def book(self: Reader, trading_pair: str) -> Any:
        found = await whole(self, trading_pair)
        return msgspec.structs.replace(found, bids=found.bids[::-1])

    patch.setattr(Reader, "book", book)


def round_up(patch: pytest.MonkeyPatch) -> None:
    whole = TradingRule.fit_amount
    patch.setattr(TradingRule, "fit_amount", lambda self, value: whole(self, value) + self.amount_step)


def track_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Desk, "_track", lambda self, ticket: None)


def send_dry_runs(patch: pytest.MonkeyPatch) -> None:
    async def dry_run(self: ConnectorBase, intent: Any, **more: Any) -> Any:
        outcome = await self.place_order(intent, **more)
        return msgspec.structs.replace(outcome, outcome="dry_run", request={"url": "http://127.0.0.1/exchange"})

    patch.setattr(ConnectorBase, "dry_run", dry_run)


def cancel_nothing(patch: pytest.MonkeyPatch) -> None:
    async def cancel(self: ConnectorBase, order: InFlightOrder, **more: Any) -> Any:
        return await self.wait_for(order, "ack")

    patch.setattr(ConnectorBase, "cancel", cancel)


def forget_ids(patch: pytest.MonkeyPatch) -> None:
    whole = ConnectorBase.place_order

    async def place_order(self: ConnectorBase, intent: Any, *, client_order_id: str | None = None, **more: Any) -> Any:
        return await whole(self, intent, **more)

    patch.setattr(ConnectorBase, "place_order", place_order)


def call_unknown_failed(patch: pytest.MonkeyPatch) -> None:
    async def drive(*given: Any, **more: Any) -> Any:
        try:
            return await whole_drive(*given, **more)
        except OutcomeUnknown as error:
            raise OrderRejected(str(error)) from error

    patch.setattr("latentspeed_cli.connector.submitter.drive", drive)


def check_no_numbers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TradingRule, "check", lambda self, intent: None)


def take_any_kind(patch: pytest.MonkeyPatch) -> None:
    from latentspeed_hyperliquid.connector import HyperliquidPerpetual

    patch.setattr(HyperliquidPerpetual, "check_supported", lambda self, intent: None)


def guard_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(placer, "check_guards", lambda guards, **figures: Guards())


def fetch_nothing_after_a_gap(patch: pytest.MonkeyPatch) -> None:
    whole = UserStreamTracker._backfill
    runs: list[UserStreamTracker] = []

    async def backfill(self: UserStreamTracker, *, is_first: bool) -> AsyncIterator[object]:
        if self not in runs:
            runs.append(self)
            async for item in whole(self, is_first=is_first):
                yield item
        else:
            yield Control(kind=ControlKind.BACKFILLED, ts_ns=0)

    patch.setattr(UserStreamTracker, "_backfill", backfill)


def own_everything(patch: pytest.MonkeyPatch) -> None:
    whole = Finder.take_up

    def take_up(self: Finder, updates: Any, **more: Any) -> Any:
        found = whole(self, updates, **more)
        return found and msgspec.structs.replace(found, is_external=False)

    patch.setattr(Finder, "take_up", take_up)


def never_adopt(patch: pytest.MonkeyPatch) -> None:
    async def adopt(self: Placer, *given: Any) -> None:
        return None

    patch.setattr(Placer, "_adopt", adopt)


def stream_old_books(patch: pytest.MonkeyPatch) -> None:
    whole = OrderBookTracker.run

    async def run(self: OrderBookTracker, *given: Any) -> AsyncIterator[object]:
        first = None
        async for item in whole(self, *given):
            if isinstance(item, OrderBookSnapshot):
                first = first or msgspec.structs.replace(item, bids=item.bids[1:])
                yield first
            else:
                yield item

    patch.setattr(OrderBookTracker, "run", run)


def set_no_leverage(patch: pytest.MonkeyPatch) -> None:
    async def set_leverage(self: PerpetualDerivativeBase, *given: Any) -> None:
        return None

    patch.setattr(PerpetualDerivativeBase, "set_leverage", set_leverage)


@pytest.mark.parametrize(
    ("number", "breakage"),
    [
        ("C02", round_up),
        ("C03", turn_books_over),
        ("C04", stream_old_books),
        ("C07", track_late),
        ("C16", send_dry_runs),
        ("C17", cancel_nothing),
        ("C24", forget_ids),
        ("C25", forget_ids),
        ("C26", forget_ids),
        ("C27", call_unknown_failed),
        ("C29", call_unknown_failed),
        ("C34", take_any_kind),
        ("C23", take_any_kind),
        ("C35", check_no_numbers),
        ("C37", guard_nothing),
        ("C43", fetch_nothing_after_a_gap),
        ("C45", own_everything),
        ("C46", never_adopt),
        ("C50", set_no_leverage),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_a_broken_product_does_not_pass(
    ground: Ground, number: str, breakage: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ground.begin()
    monkeypatch.setattr(expect, "PATIENCE_S", 0.5)
    monkeypatch.setattr(data_cases, "PATIENCE_S", 0.5)
    case = next(case for case in CASES if case.number == number)
    breakage(monkeypatch)
    with pytest.raises((AssertionError, LatentspeedError, TimeoutError)):
        await case.run(ground)


async def test_trouble_that_never_strikes_does_not_pass(ground: Ground) -> None:
    """A reply that is lost for nobody: the order is placed in peace, which proves nothing."""
    case = next(case for case in CASES if case.number == "C27")

    async def at_peace(ground: Ground) -> None:
        ground.control("lose_reply", path="/nowhere")
        async with ground.trader() as trader:
            await trader.place_order(ground.resting())

    with pytest.raises(AssertionError, match="never struck: \\['lose_reply'\\]"):
        await run(msgspec.structs.replace(case, run=at_peace), ground)
