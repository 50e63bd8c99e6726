"""`watch`: what it begins with, what it keeps up to date, and what its screen shows."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from decimal import Decimal
from typing import Any

import jsonschema
import msgspec
import pytest
from rich.console import Console

from latentspeed_cli.commands import refreshed
from latentspeed_cli.commands.call import Call
from latentspeed_cli.connector.streams import Control, ControlKind
from latentspeed_cli.core.account import Balance, Position
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.market_data import BestBidOffer, MarketContext, MidPrice, OrderBookSnapshot, PriceLevel
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import StreamLost
from latentspeed_cli.live import Board
from latentspeed_cli.records import (
    PositionRecord,
    Record,
    StatusRecord,
    balance_record,
    bbo_record,
    book_record,
    json_schema,
    mid_record,
    position_record,
    ticker_record,
)
from latentspeed_cli.session import open_connector

from .conftest import Exchange, Terminal

VENUES = ("hyperliquid", "dydx_v4")
HERE: dict[str, Any] = {"venue": "hyperliquid", "network": "sandbox"}
LEVELS = (PriceLevel(Decimal("100"), Decimal("1")),), (PriceLevel(Decimal("101"), Decimal("2")),)


@pytest.fixture(params=VENUES)
def here(request: pytest.FixtureRequest, terminal: Terminal, exchange: Exchange) -> Iterator[Terminal]:
    """A terminal at one of the venues."""
    terminal.go_to(exchange.of(request.param))
    yield terminal
    assert terminal.run(["cancel", "--all", "--external"]).code == 0


def watched(here: Terminal, *words: str) -> list[dict[str, Any]]:
    duration = () if "--duration" in words else ("--duration", "2500ms")
    ended = here.run(["watch", *words, *duration, "-o", "ndjson"])
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_a_market_is_read_and_then_followed(here: Terminal) -> None:
    records = watched(here, "bbo", "BTC-USD")
    assert records[0]["schema"] == "bbo", "before the stream is there"
    assert [record["schema"] for record in records].count("bbo") > 1
    assert {record["trading_pair"] for record in watched(here, "markets") if record["schema"] == "ticker"} >= {
        "BTC-USD",
        "ETH-USD",
    }


def soon(do: Callable[[], object]) -> threading.Thread:
    """Does it a second from now, while something is watched."""

    def later() -> None:
        time.sleep(1)
        do()

    thread = threading.Thread(target=later)
    thread.start()
    return thread


async def place() -> str:
    """An order of another run."""
    async with open_connector(Call().settings, sign=True) as connector:
        intent = OrderIntent(
            trading_pair="BTC-USD",
            side=TradeType.BUY,
            order_type=OrderType.LIMIT,
            amount=Decimal("0.01"),
            price_expression="mid-1%",
            post_only=True,
        )
        return (await connector.place_order(intent)).order.client_order_id


async def set_leverage(value: int) -> None:
    async with open_connector(Call().settings, sign=True) as connector:
        await connector.set_leverage("BTC-USD", value)


def test_the_account_is_read_and_then_followed(here: Terminal) -> None:
    there = here.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "id"]).out.strip()
    records = watched(here, "orders")
    assert there in {record["client_order_id"] for record in records if record["schema"] == "order"}
    assert watched(here, "balances")[0]["schema"] == "balance", "before the stream is there"


def test_status_is_the_whole_of_it_again_and_again(here: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed, "HASTE_S", 0.2)
    placed: list[str] = []
    placing = soon(lambda: placed.append(asyncio.run(place())))
    records = [record for record in watched(here, "status", "--duration", "4s") if record["schema"] != "control"]
    placing.join()
    assert {record["schema"] for record in records} == {"status"}
    for record in records:
        jsonschema.validate(record, json_schema("status"))
        assert record["reachable"] is True
        assert None not in (record["latency_ms"], record["clock_skew_ms"], record["account_value"])
    opened = [{order["client_order_id"] for order in record["open_orders"]} for record in records]
    assert placed[0] not in opened[0]
    assert placed[0] in opened[-1], "within the haste of a view, which is a tenth of its calm"
    only = [record for record in watched(here, "status", "ETH-USD") if record["schema"] == "status"]
    assert all(order["trading_pair"] == "ETH-USD" for record in only for order in record["open_orders"])


def test_leverage_is_told_again_when_it_is_another(here: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refreshed, "CALM_S", 0.5)
    before = here.run(["leverage", "BTC-USD", "-o", "json"]).json["leverage"]
    other = 3 if before == "4" else 4
    setting = soon(lambda: asyncio.run(set_leverage(other)))
    records = watched(here, "leverage", "BTC-USD", "ETH-USD", "--duration", "5s")
    setting.join()
    assert here.run(["leverage", "BTC-USD", before]).code == 0
    told = [record["leverage"] for record in records if record.get("trading_pair") == "BTC-USD"]
    assert told == [before, str(other)]
    assert sum(record.get("trading_pair") == "ETH-USD" for record in records) == 1


def test_words_that_do_not_fit(terminal: Terminal) -> None:
    assert terminal.run(["watch", "weather"]).code == 2
    assert terminal.run(["watch", "book"]).code == 2
    assert terminal.run(["watch", "leverage"]).code == 2
    assert terminal.run(["watch", "orders", "--depth", "3"]).code == 2
    assert terminal.run(["watch", "book", "NOPE-USD"]).code == 3


# Reading again


class View:
    """Counts how it is read; every number is news."""

    def __init__(self) -> None:
        self.readings: list[bool] = []

    def is_news(self, item: object) -> bool:
        return isinstance(item, int)

    async def read(self, *, whole: bool) -> list[Record]:
        self.readings.append(whole)
        return [position(str(len(self.readings)))]


async def readings(monkeypatch: pytest.MonkeyPatch, *steps: object, calm_s: float, haste_s: float) -> list[object]:
    """What is shown of a stream of these steps; a float is a pause. Records by their amount."""
    monkeypatch.setattr(refreshed, "CALM_S", calm_s)
    monkeypatch.setattr(refreshed, "HASTE_S", haste_s)

    async def stream() -> AsyncGenerator[object, None]:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield step

    items = [item async for item in refreshed.refreshed(stream(), View())]
    return [item.amount if isinstance(item, PositionRecord) else item for item in items]


async def test_a_burst_of_news_is_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(kind=ControlKind.GAP, ts_ns=1)
    shown = await readings(monkeypatch, control, *range(50), 0.3, calm_s=60.0, haste_s=0.1)
    assert shown == ["1", control, "2"]


async def test_it_is_read_now_and_then_without_any_news(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await readings(monkeypatch, 0.35, calm_s=0.15, haste_s=0.01) == ["1", "2", "3"]
    assert await readings(monkeypatch, 0.2, calm_s=60.0, haste_s=0.01) == ["1"]


async def test_the_end_of_the_stream_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> AsyncGenerator[object, None]:
        yield 1
        raise StreamLost("gone")

    with pytest.raises(StreamLost):
        _ = [item async for item in refreshed.refreshed(broken(), View())]


# The screen


def screen(board: Board) -> str:
    """What a terminal of 200 columns would show."""
    console = Console(file=io.StringIO(), width=200)
    console.print(board.draw())
    shown = console.file
    assert isinstance(shown, io.StringIO)
    return shown.getvalue()


def position(amount: str) -> Record:
    held = Position(
        trading_pair="BTC-USD",
        amount=Decimal(amount),
        entry_price=Decimal("100"),
        position_value=Decimal("100"),
        unrealized_pnl=Decimal("0"),
        liquidation_price=None,
        leverage=Decimal("5"),
        margin="cross",
        margin_used=Decimal("20"),
    )
    return position_record(held, **HERE, account="0x1", ts_ns=1_790_000_000_000_000_000)


def test_a_screen_has_a_table_for_each_kind_of_record() -> None:
    board = Board()
    board.show(book_record(OrderBookSnapshot(trading_pair="BTC-USD", ts_ns=1, bids=LEVELS[0], asks=LEVELS[1]), **HERE))
    top = BestBidOffer(trading_pair="BTC-USD", ts_ns=1, bid=LEVELS[0][0], ask=LEVELS[1][0])
    board.show(bbo_record(top, **HERE))
    board.show(bbo_record(msgspec.structs.replace(top, bid=None), **HERE))
    shown = screen(board)
    assert "bid amount" in shown, "the book is a ladder"
    assert shown.count("bid_price") == 1
    assert shown.count("BTC-USD") == 2, "the later quote took the place of the earlier one"


def test_a_screen_of_how_one_stands_has_all_of_it(terminal: Terminal) -> None:
    assert terminal.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only"]).code == 0
    told = msgspec.json.decode(terminal.run(["status", "-o", "json"]).out, type=StatusRecord)
    assert terminal.run(["cancel", "--all"]).code == 0
    board = Board(is_current=True)
    for value in ("1", "2"):
        board.show(msgspec.structs.replace(told, account_value=value, undecided_orders=()))
    shown = screen(board)
    assert all(name in shown for name in StatusRecord.columns)
    assert told.open_orders[0].client_order_id in shown
    rows = dict(line.split(maxsplit=1) for line in shown.splitlines() if len(line.split()) == 2)
    assert rows["account_value"].strip() == "2", "the latest took the place of the earlier one"
    assert rows["undecided_orders"].strip() == "-"


def test_what_is_over_leaves_a_screen_of_the_present() -> None:
    for is_current, expected in ((True, False), (False, True)):
        board = Board(is_current=is_current)
        board.show(position("1"))
        assert "BTC-USD" in screen(board)
        board.show(position("0"))
        assert ("flat" in screen(board)) is expected


def test_a_middle_price_changes_nothing_else() -> None:
    board = Board()
    context = MarketContext(
        trading_pair="BTC-USD",
        ts_ns=1,
        mark_price=Decimal("100.5"),
        index_price=Decimal("100.6"),
        mid_price=Decimal("100.7"),
        funding_rate=Decimal("0.0001"),
    )
    board.show(ticker_record(context, **HERE))
    board.show(mid_record(MidPrice(trading_pair="BTC-USD", ts_ns=2, price=Decimal("99.9")), **HERE))
    shown = screen(board)
    assert "100.5" in shown
    assert "99.9" in shown
    assert "100.7" not in shown


def test_markup_of_a_venue_is_text() -> None:
    board = Board()
    balance = Balance(currency="[red]USDC[/]", total=Decimal("1"), available=Decimal("1"))
    board.show(balance_record(balance, **HERE, account="0x1", ts_ns=1))
    assert "[red]USDC[/]" in screen(board)
