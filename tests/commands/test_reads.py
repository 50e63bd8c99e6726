"""Every read against the local exchange, on both venues: what it tells, that it fits its schema, and a venue down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import jsonschema
import pytest

from latentspeed_cli.connector import reader
from latentspeed_cli.records import json_schema

from ..ended import Ended
from .conftest import Exchange, Terminal

VENUES = ("hyperliquid", "dydx_v4")


@pytest.fixture(params=VENUES)
def here(request: pytest.FixtureRequest, terminal: Terminal, exchange: Exchange) -> Iterator[Terminal]:
    """A terminal at one of the venues."""
    venue = exchange.of(request.param)
    terminal.go_to(venue)
    yield terminal
    venue.order("clear")
    terminal.go_to(venue)
    assert terminal.run(["cancel", "--all", "--external"]).code == 0


def told(ended: Ended, code: int = 0) -> Any:
    """What a command printed, held to its schema."""
    assert ended.code == code, ended.err
    found = ended.json
    jsonschema.validate(found, json_schema(found["schema"]))
    return found


def items(here: Terminal, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told(here.run([*words, "-o", "json"]))["items"]
    return found


def is_down(here: Terminal) -> None:
    """The venue answers nothing from here on."""
    assert here.exchange is not None
    here.exchange.order("drop_request", count=500)


def test_markets_are_listed_with_their_rules_and_prices(here: Terminal) -> None:
    listed = items(here, "markets")
    assert len(listed) > 5
    btc = told(here.run(["markets", "btc-usd", "--prices", "-o", "json"]))
    assert (btc["trading_pair"], btc["refusal"]) == ("BTC-USD", None)
    assert Decimal(btc["mark_price"]) > 0
    assert Decimal(btc["price_tick"]) > 0
    assert {row["kind"] for row in items(here, "markets", "--kind", "perp", "--limit", "3")} == {"perp"}
    assert here.run(["markets", "--kind", "bond"]).code == 2
    assert here.run(["markets", "NOPE-USD"]).code == 3


def test_listed_markets_are_shown_while_the_venue_is_down(here: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [row["trading_pair"] for row in items(here, "markets")]
    is_down(here)
    assert [row["trading_pair"] for row in items(here, "markets")] == listed, "they are fresh enough"
    monkeypatch.setattr(reader, "STORED_MAX_AGE_S", 0.0)
    old = told(here.run(["markets", "-o", "json"]), code=8)
    assert old["stale"]
    assert [row["trading_pair"] for row in old["items"]] == listed
    here.set("LATENTSPEED_CACHE_DIR", str(here.home / "another"))
    nothing = here.run(["markets", "-o", "json"])
    assert (nothing.code, nothing.out) == (8, "")


def test_books_and_quotes(here: Terminal) -> None:
    book = told(here.run(["book", "BTC-USD", "--depth", "3", "-o", "json"]))
    assert (len(book["bids"]), len(book["asks"])) == (3, 3)
    assert Decimal(book["bids"][0]["price"]) < Decimal(book["asks"][0]["price"])
    both = told(here.run(["book", "BTC-USD", "ETH-USD", "-o", "json"]))
    assert [one["trading_pair"] for one in both["items"]] == ["BTC-USD", "ETH-USD"]
    quotes = items(here, "bbo", "BTC-USD", "ETH-USD")
    assert all(Decimal(quote["bid_price"]) < Decimal(quote["ask_price"]) for quote in quotes)
    shown = here.run(["book", "BTC-USD", "-o", "table"]).out.splitlines()
    assert shown[0].startswith("BTC-USD")
    assert len(shown) == 3 + 10
    assert here.run(["book"]).code == here.run(["bbo"]).code == here.run(["trades"]).code == 2


def test_trades_by_side_time_and_number(here: Terminal) -> None:
    latest = items(here, "trades", "BTC-USD", "--limit", "5")
    assert len(latest) == 5
    assert [row["ts_ns"] for row in latest] == sorted(row["ts_ns"] for row in latest)
    sold = items(here, "trades", "BTC-USD", "--side", "sell", "--since", "1h")
    assert {row["side"] for row in sold} == {"sell"}
    assert here.run(["trades", "BTC-USD", "--since", "1h", "--until", "2h"]).code == 2


def test_ten_thousand_candles_come_on_pages(here: Terminal) -> None:
    rows = here.run(["candles", "BTC-USD", "--interval", "1m", "--limit", "10000", "-o", "json"]).json["items"]
    assert len(rows) == 10_000
    assert {right["ts_ns"] - left["ts_ns"] for left, right in pairwise(rows)} == {60 * 10**9}
    assert rows[-1]["ts_ns"] <= rows[-1]["close_ts_ns"]


def test_candles_of_a_span(here: Terminal) -> None:
    span = ["--since", "2026-01-05T00:30:00Z", "--until", "2026-01-05T06:30:00Z"]
    rows = items(here, "candles", "ETH-USD", "--interval", "1h", *span)
    assert [row["ts_iso"][11:13] for row in rows] == ["00", "01", "02", "03", "04", "05", "06"]
    assert len(items(here, "candles", "ETH-USD")) == 100
    assert here.run(["candles", "ETH-USD", "--interval", "7m"]).code == 2


def test_rates_of_past_hours_and_of_this_one(here: Terminal) -> None:
    rates = items(here, "funding", "BTC-USD", "--rates", "--since", "5h")
    assert [rate["is_current"] for rate in rates] == [False] * 5 + [True]
    assert items(here, "funding", "--since", "1s") == []
    assert here.run(["funding", "--rates"]).code == 2


def test_a_key_of_another_account_is_told_so_before_anything_is_sent(here: Terminal, exchange: Exchange) -> None:
    """Hyperliquid would do it for the account that the key has, and it would be journaled as the other's."""
    for command in (["place", "buy", "AVAX-USD", "10", "mid-1%"], ["leverage", "AVAX-USD", "3"]):
        sent = exchange.sent()
        ended = here.run([*command, "--account", exchange.other_account, "-o", "json"])
        assert (ended.code, exchange.sent()) == (7, sent), ended.err
        assert here.run(["journal", "list", "-o", "json"]).json["items"] == []


def test_the_account_after_a_trade(here: Terminal) -> None:
    bought = here.run(["place", "buy", "BTC-USD", "0.01", "--type", "market", "-o", "json"])
    assert bought.code == 0, bought.err
    try:
        before = items(here, "positions", "BTC-USD", "--side", "buy")
        assert [(row["trading_pair"], row["side"]) for row in before] == [("BTC-USD", "long")]
        assert Decimal(before[0]["amount"]) >= Decimal("0.01")
        assert items(here, "positions", "BTC-USD", "--side", "sell") == []
        assert {row["trading_pair"] for row in items(here, "positions", "ETH-USD")} <= {"ETH-USD"}
        assert {row["currency"] for row in items(here, "balances")} == {"USDC"}
        mine = items(here, "fills", "BTC-USD", "--side", "buy", "--since", "1m")
        assert bought.json["client_order_id"] in {row["client_order_id"] for row in mine}
        assert {row["side"] for row in items(here, "fills", "--side", "sell", "--since", "1m")} <= {"sell"}
    finally:
        sold = here.run(["place", "sell", "BTC-USD", "0.01", "--type", "market", "--reduce-only", "-o", "json"])
    assert sold.code == 0, sold.err


def test_what_is_known_is_shown_while_the_venue_is_down(here: Terminal) -> None:
    bought = here.run(["place", "buy", "ETH-USD", "0.1", "--type", "market", "-o", "json"]).json
    resting = here.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "json"]).json
    kept, held = items(here, "balances"), items(here, "positions")
    is_down(here)
    stale = {
        verb: told(here.run([verb, "-o", "json"]), code=8) for verb in ("orders", "fills", "positions", "balances")
    }
    error = here.run(["orders", "-o", "json"]).error
    assert here.exchange is not None
    here.exchange.order("clear")
    sold = here.run(["place", "sell", "ETH-USD", "0.1", "--type", "market", "--reduce-only"])
    assert sold.code == 0, sold.err
    assert all(record["stale"] for record in stale.values())
    assert [row["client_order_id"] for row in stale["orders"]["items"]] == [resting["client_order_id"]]
    assert {row["client_order_id"] for row in stale["fills"]["items"]} == {bought["client_order_id"]}
    assert stale["positions"]["items"] == held
    assert [row["currency"] for row in stale["balances"]["items"]] == [row["currency"] for row in kept]
    assert "stale" in error["hint"]
    assert error["retry"] == "safe"


def test_prices_are_never_shown_from_memory(here: Terminal) -> None:
    assert items(here, "bbo", "BTC-USD")
    is_down(here)
    ended = here.run(["bbo", "BTC-USD", "-o", "json"])
    assert (ended.code, ended.out) == (8, "")


def test_leverage_is_set_and_read(here: Terminal) -> None:
    before = told(here.run(["leverage", "SOL-USD", "-o", "json"]))
    assert not before["changed"]
    assert told(here.run(["leverage", "SOL-USD", "3", "--margin", "cross", "-o", "json"]))["changed"]
    after = told(here.run(["leverage", "SOL-USD", "-o", "json"]))
    assert (after["leverage"], after["margin"]) == ("3", "cross")
    assert here.run(["leverage", "SOL-USD", "1000"]).code == 3
    assert here.run(["leverage", "SOL-USD", "--margin", "cross"]).code == 2
    assert here.run(["leverage", "SOL-USD", "2.5"]).code == 2


def test_a_venue_without_isolated_margin_refuses_it(here: Terminal) -> None:
    """Of a market that no other test has a position in: with one it cannot be switched."""
    ended = here.run(["leverage", "AVAX-USD", "4", "--margin", "isolated", "-o", "json"])
    assert here.exchange is not None
    if here.exchange.venue == "dydx_v4":
        assert ended.code == 3
        return
    assert told(ended)["margin"] == "isolated"
    assert told(here.run(["leverage", "AVAX-USD", "4", "--margin", "cross", "-o", "json"]))["margin"] == "cross"


def test_fields_and_lines(here: Terminal) -> None:
    lines = here.run(["trades", "BTC-USD", "--limit", "2", "-o", "ndjson", "--fields", "price,side"]).out.splitlines()
    assert [set(json.loads(line)) for line in lines] == [{"schema", "schema_version", "price", "side"}] * 2
    assert here.run(["trades", "BTC-USD", "--fields", "prize"]).code == 2
    ids = here.run(["markets", "--limit", "2", "-o", "id"]).out.split()
    assert len(ids) == 2


def test_status_fits_one_screen_and_shows_what_is_known_of_a_venue_that_is_down(here: Terminal) -> None:
    bought = here.run(["place", "buy", "ETH-USD", "0.1", "--type", "market", "-o", "json"])
    assert bought.code == 0, bought.err
    resting = here.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "json"]).json
    now = told(here.run(["status", "-o", "json"]))
    assert (now["reachable"], now["stale"]) == (True, False)
    assert abs(now["clock_skew_ms"]) < 1_500
    assert "ETH-USD" in {row["trading_pair"] for row in now["positions"]}
    assert Decimal(now["account_value"]) > Decimal(now["margin_used"]) > 0
    screen = here.run(["status", "-o", "table"]).out.splitlines()
    assert len(screen) < 40
    assert [line.split() for line in screen if line.startswith("undecided")] == [["undecided_orders", "-"]]
    is_down(here)
    ended = here.run(["status", "-o", "json"])
    assert here.exchange is not None
    here.exchange.order("clear")
    sold = here.run(["place", "sell", "ETH-USD", "0.1", "--type", "market", "--reduce-only"])
    assert sold.code == 0, sold.err
    then = told(ended, code=8)
    assert (then["reachable"], then["stale"]) == (False, True)
    assert [row["client_order_id"] for row in then["open_orders"]] == [resting["client_order_id"]]
    assert {row["trading_pair"] for row in then["positions"]} == {row["trading_pair"] for row in now["positions"]}
    assert then["account_ts_ns"] <= then["ts_ns"]
