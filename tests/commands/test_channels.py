"""Every channel of `stream` on both venues: what it tells, that it fits its schema, and the words of its command."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from latentspeed_cli.commands.call import Call
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.records import json_schema
from latentspeed_cli.session import open_connector

from ..ended import Ended
from .conftest import Exchange, Terminal

VENUES = ("hyperliquid", "dydx_v4")


@pytest.fixture(params=VENUES)
def here(request: pytest.FixtureRequest, terminal: Terminal, exchange: Exchange) -> Iterator[Terminal]:
    """A terminal at one of the venues."""
    terminal.go_to(exchange.of(request.param))
    yield terminal
    assert terminal.run(["cancel", "--all", "--external"]).code == 0


def told(ended: Ended) -> list[dict[str, Any]]:
    """The records of a stream but for its controls; all of them held to their schemas, and numbered."""
    assert ended.code == 0, ended.err
    records = [json.loads(line) for line in ended.out.splitlines()]
    for record in records:
        jsonschema.validate(record, json_schema(record["schema"]))
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    return [record for record in records if record["schema"] != "control"]


@pytest.mark.parametrize(
    ("words", "schemas"),
    [
        (["book", "BTC-USD", "ETH-USD"], {"book"}),
        (["bbo", "BTC-USD"], {"bbo"}),
        (["trades", "BTC-USD"], {"trade"}),
        (["candles", "BTC-USD", "--interval", "5m"], {"candle"}),
        (["ticker", "ETH-USD"], {"ticker"}),
        (["ticker"], {"ticker"}),
        (["funding", "ETH-USD"], {"funding-rate"}),
        (["ticker,funding", "ETH-USD", "BTC-USD"], {"ticker", "funding-rate"}),
        (["bbo,candles", "BTC-USD", "ETH-USD"], {"bbo", "candle"}),
        (["bbo,trades", "BTC-USD", "ETH-USD"], {"bbo", "trade"}),
    ],
)
def test_channels_of_markets(here: Terminal, words: list[str], schemas: set[str]) -> None:
    count = {"funding": "1", "ticker,funding": "4"}.get(words[0], "12" if "," in words[0] else "2")
    before_ns = time.time_ns()
    records = told(here.run(["stream", *words, "--count", count, "--duration", "60s"]))
    assert len(records) >= int(count)
    assert {record["schema"] for record in records} <= schemas
    if "trade" not in schemas:
        assert {record["schema"] for record in records} == schemas
    assert all(before_ns <= record["received_ts_ns"] <= time.time_ns() for record in records)
    pairs = {word for word in words if word.endswith("-USD")}
    assert not pairs or {record["trading_pair"] for record in records} <= pairs
    if "candle" in schemas:
        lengths = {row["close_ts_ns"] - row["ts_ns"] for row in records if row["schema"] == "candle"}
        assert {round(length / 60e9) for length in lengths} == {5 if "5m" in words else 1}


def trade_soon(exchange: Exchange) -> threading.Thread:
    """Buys and sells a little, by a connector of its own, once somebody listens."""

    async def trade() -> None:
        async with open_connector(Call().settings, sign=True) as connector:
            for side in (TradeType.BUY, TradeType.SELL):
                intent = OrderIntent(
                    trading_pair="ETH-USD",
                    side=side,
                    order_type=OrderType.MARKET,
                    amount=Decimal("0.1"),
                    tif=TimeInForce.IOC,
                )
                await connector.place_order(intent)
                await asyncio.sleep(1)  # a position that comes and goes between two looks is not seen

    def later() -> None:
        exchange.wait_for_stream()
        asyncio.run(trade())

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def test_channels_of_the_account(here: Terminal) -> None:
    assert here.exchange is not None
    trading = trade_soon(here.exchange)
    records = told(here.run(["stream", "orders,fills,positions,balances", "--duration", "9s"]))
    trading.join()
    by_schema: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_schema.setdefault(record["schema"], []).append(record)
    assert set(by_schema) == {"order", "fill", "position", "balance"}
    assert {row["side"] for row in by_schema["fill"]} == {"buy", "sell"}
    amounts = [Decimal(row["amount"]) for row in by_schema["position"] if row["trading_pair"] == "ETH-USD"]
    assert max(amounts) - min(amounts) >= Decimal("0.1"), "the position grew and shrank again"
    assert {row["currency"] for row in by_schema["balance"]} == {"USDC"}
    assert all(row["received_ts_ns"] >= row["ts_ns"] - 2_000_000_000 for row in by_schema["position"])


def test_events_are_a_channel_of_the_account(here: Terminal) -> None:
    assert told(here.run(["stream", "events", "--duration", "1s"])) == []


def test_a_stream_as_a_spreadsheet(here: Terminal) -> None:
    ended = here.run(["stream", "bbo", "BTC-USD", "--count", "2", "-o", "csv", "--fields", "trading_pair,bid_price"])
    rows = list(csv.reader(io.StringIO(ended.out)))
    assert rows[0] == ["trading_pair", "bid_price"]
    assert sum(row[0] == "BTC-USD" for row in rows) == 2
    ended = here.run(["stream", "bbo,book", "BTC-USD", "--count", "4", "-o", "csv"])
    mixed = list(csv.DictReader(io.StringIO(ended.out)))
    assert {row["schema"] for row in mixed} == {"control", "bbo", "book"}
    assert [int(row["seq"]) for row in mixed] == list(range(1, len(mixed) + 1)), "one header, at the top"


def test_words_that_do_not_fit(terminal: Terminal) -> None:
    assert terminal.run(["stream", "book,orders", "BTC-USD"]).code == 2
    assert terminal.run(["stream", "book,nope", "BTC-USD"]).code == 2
    assert terminal.run(["stream", "candles", "BTC-USD", "--interval", "7m"]).code == 2
    assert terminal.run(["stream", "book", "BTC-USD", "--interval", "5m"]).code == 2
    assert terminal.run(["stream", "funding"]).code == 2
    assert terminal.run(["stream", "book", "BTC-USD", "--fields", "prize"]).code == 2
    assert (
        terminal.run(["stream", "ticker,funding", "BTC-USD", "--fields", "rate,mark_price", "--count", "2"]).code == 0
    )


def test_money_that_comes_and_funding_are_events(here: Terminal) -> None:
    exchange = here.exchange
    assert exchange is not None
    bought = here.run(["place", "buy", "ETH-USD", "0.5", "--type", "market", "-o", "json"])
    assert bought.code == 0, bought.err

    def happen() -> None:
        exchange.wait_for_stream()
        exchange.order("fund", address=exchange.account, amount="250")
        exchange.order("funding")

    happening = threading.Thread(target=happen)
    happening.start()
    records = told(here.run(["stream", "events", "--duration", "8s"]))
    happening.join()
    payments = here.run(["funding", "ETH-USD", "--since", "2h", "-o", "json"])
    sold = here.run(["place", "sell", "ETH-USD", "0.5", "--type", "market", "--reduce-only"])
    assert sold.code == 0, sold.err
    assert payments.code == 0, payments.err
    jsonschema.validate(payments.json, json_schema("funding-payments"))
    paid = payments.json["items"][-1]  # its time is that of the hour
    assert paid["trading_pair"] == "ETH-USD"
    assert Decimal(paid["position_amount"]) >= Decimal("0.5"), "with what other tests hold"
    assert Decimal(paid["amount"]) * Decimal(paid["rate"]) < 0, "who holds pays a positive rate"
    if exchange.venue == "hyperliquid":  # the other tells of transfers between accounts, and of no funding
        (transfer,) = [record for record in records if record["schema"] == "transfer"]
        assert (transfer["kind"], transfer["currency"], transfer["amount"]) == ("deposit", "USDC", "250")
        streamed = [record for record in records if record["schema"] == "funding-payment"]
        ours = [record["amount"] for record in streamed if record["trading_pair"] == "ETH-USD"]
        assert ours[-1:] == [paid["amount"]], "others are of what other tests hold, or of a full hour"
