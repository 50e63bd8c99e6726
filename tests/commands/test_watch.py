"""`watch`: what it begins with, what it keeps up to date, and what its screen shows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from rich.console import Console

from latentspeed_cli.core.account import Balance, Position
from latentspeed_cli.core.market_data import BestBidOffer, MarketContext, MidPrice, OrderBookSnapshot, PriceLevel
from latentspeed_cli.live import Board
from latentspeed_cli.records import (
    Record,
    balance_record,
    bbo_record,
    book_record,
    mid_record,
    position_record,
    ticker_record,
)

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
    ended = here.run(["watch", *words, "--duration", "2500ms", "-o", "ndjson"])
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


def test_the_account_is_read_and_then_followed(here: Terminal) -> None:
    there = here.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "id"]).out.strip()
    records = watched(here, "status")
    assert records[0]["schema"] == "balance"
    assert there in {record["client_order_id"] for record in records if record["schema"] == "order"}


def test_words_that_do_not_fit(terminal: Terminal) -> None:
    assert terminal.run(["watch", "weather"]).code == 2
    assert terminal.run(["watch", "book"]).code == 2
    assert terminal.run(["watch", "book", "NOPE-USD"]).code == 3


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
