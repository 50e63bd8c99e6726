"""The verbs against the local exchange: what they print, where, and how they end."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from decimal import Decimal

import pytest

from .conftest import Exchange, Terminal

RESTING = ["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only"]


def rest(terminal: Terminal, *more: str) -> str:
    """Place an order that rests; its id."""
    ended = terminal.run([*RESTING, *more, "-o", "id"])
    assert ended.code == 0, ended.err
    return ended.out.strip()


def test_place_status_cancel_tell_the_same_order(terminal: Terminal) -> None:
    placed = terminal.run([*RESTING, "-o", "json"])
    assert placed.code == 0
    order = placed.json
    assert (order["schema"], order["state"], order["outcome"]) == ("order", "OPEN", "accepted")
    assert (order["price_expression"], order["may_be_live"]) == ("mid-1%", True)
    assert json.loads(placed.err.splitlines()[0])["client_order_id"] == order["client_order_id"]

    told = terminal.run(["status", order["client_order_id"], "-o", "json"]).json
    assert {**told, "updated_ts_ns": 0, "updated_ts_iso": ""} == {**order, "updated_ts_ns": 0, "updated_ts_iso": ""}

    cancelled = terminal.run(["cancel", order["client_order_id"][:8], "-o", "json"])
    assert (cancelled.code, cancelled.json["state"]) == (0, "CANCELLED")
    assert cancelled.json["evidence"]


def test_a_market_order_fills_within_its_bound(terminal: Terminal) -> None:
    order = terminal.run(["place", "buy", "BTC-USD", "0.01", "--type", "market", "-o", "json"]).json
    assert (order["state"], order["tif"], order["slippage_bps"]) == ("FILLED", "ioc", 50)
    assert float(order["average_price"]) <= float(order["price"])
    assert order["fees"][0]["currency"] == "USDC"
    fills = terminal.run(["fills", "--pair", "BTC-USD", "--since", "1m", "-o", "json"]).json["items"]
    assert any(fill["client_order_id"] == order["client_order_id"] for fill in fills)


def test_the_same_command_again_sends_once(terminal: Terminal, exchange: Exchange) -> None:
    command = [*RESTING, "--client-id", f"twice-{time.time_ns()}", "-o", "json"]
    first = terminal.run(command)
    sent = exchange.sent()
    second = terminal.run(command)
    assert (first.code, second.code) == (0, 0)
    assert (first.json["replayed"], second.json["replayed"]) == (False, True)
    assert second.json["exchange_order_id"] == first.json["exchange_order_id"]
    assert exchange.sent() == sent


def test_an_id_is_one_for_all_venues(terminal: Terminal, exchange: Exchange) -> None:
    terminal.go_to(exchange.of("dydx_v4"))  # the sandbox of this state folder has both
    command = ["place", "buy", "BTC-USD", "0.01", "mid-1%", "--client-id", f"one-{time.time_ns()}", "-o", "json"]
    there = terminal.run([*command, "-x", "hyperliquid"])
    assert there.code == 0, there.err
    for more in ([], ["--dry-run"]):
        here = terminal.run([*command, "-x", "dydx_v4", *more])
        assert here.code == 12
        assert here.error["message"].endswith(f"buy 0.01 BTC-USD at {there.json['price']} on hyperliquid")
        assert here.error["hint"].startswith("differs: venue hyperliquid, not dydx_v4; account ")
    assert terminal.run(["cancel", there.json["client_order_id"], "-x", "hyperliquid"]).code == 0


def test_with_the_size_in_an_option_the_argument_is_the_price(terminal: Terminal) -> None:
    ended = terminal.run(["place", "buy", "BTC-USD", "mid-1%", "--notional", "500", "--dry-run", "-o", "json"])
    assert ended.code == 0, ended.err
    assert ended.json["price_expression"] == "mid-1%"
    assert Decimal("490") < Decimal(ended.json["amount"]) * Decimal(ended.json["price"]) <= Decimal("500")
    assert terminal.run(["place", "buy", "BTC-USD", "80000", "--notional", "500"]).code == 2  # a size twice


def test_a_rejection_has_its_record_and_its_error(terminal: Terminal) -> None:
    ended = terminal.run(["place", "buy", "BTC-USD", "0.01", "mid+1%", "--post-only", "-o", "json"])
    assert ended.code == 4
    assert (ended.json["state"], ended.json["outcome"], ended.json["may_be_live"]) == ("FAILED", "rejected", False)
    assert ended.error["code"] == "rejected"
    assert ended.error["client_order_id"] == ended.json["client_order_id"]


def test_an_ioc_that_matches_nothing_is_exit_20(terminal: Terminal) -> None:
    ended = terminal.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--tif", "ioc", "-o", "json"])
    assert (ended.code, ended.json["state"], ended.json["reason"]) == (20, "EXPIRED", "ioc_unmatched")


def test_waiting_for_more_than_comes_is_exit_19(terminal: Terminal) -> None:
    ended = terminal.run([*RESTING, "--wait", "filled", "--timeout", "500ms", "-o", "json"])
    assert (ended.code, ended.json["state"]) == (19, "OPEN")


def test_a_dry_run_shows_the_request_and_sends_nothing(terminal: Terminal, exchange: Exchange) -> None:
    sent = exchange.sent()
    ended = terminal.run([*RESTING, "--dry-run", "-o", "json"])
    assert ended.code == 0
    assert (ended.json["outcome"], ended.json["may_be_live"]) == ("dry_run", False)
    request = json.dumps(ended.json["request"])
    assert '"order"' in request
    assert "signature" not in request
    assert exchange.sent() == sent
    assert terminal.run(["status", ended.json["client_order_id"]]).code == 6


def test_the_id_is_printed_even_when_the_outcome_is_unknown(terminal: Terminal, exchange: Exchange) -> None:
    exchange.order("lose_reply", path="/exchange", count=50)
    for word in ("orderStatus", "penOrders", "userFills"):
        exchange.order("drop_request", path="/info", contains=word, count=50)
    ended = terminal.run([*RESTING, "--timeout", "1s", "-o", "id"])
    exchange.order("clear")
    assert ended.code == 5
    client_order_id = ended.out.strip()
    assert len(client_order_id) == 32
    assert f"latentspeed status {client_order_id}" in ended.err
    found = terminal.run(["status", client_order_id, "-o", "json"])
    assert (found.code, found.json["state"], found.json["outcome_unknown"]) == (0, "OPEN", False)


def test_a_batch_places_its_rows(terminal: Terminal) -> None:
    rows = "\n".join(
        json.dumps({"side": "buy", "pair": "BTC-USD", "amount": amount, "price": "mid-1%", "post_only": True})
        for amount in ("0.01", 0.02)
    )
    ended = terminal.run(["place", "--file", "-", "-o", "json"], rows)
    assert ended.code == 0, ended.err
    assert [order["amount"] for order in ended.json["items"]] == ["0.01", "0.02"]
    lines = terminal.run(["orders", "-o", "ndjson"]).out.splitlines()
    assert {json.loads(line)["client_order_id"] for line in lines} >= {
        order["client_order_id"] for order in ended.json["items"]
    }


@pytest.mark.parametrize(
    "option",
    ["--post-only", "--reduce-only", "--type limit", "--tif ioc", "--expire 10m", "--slippage-bps 50", "--notional 5"],
)
def test_an_option_of_one_order_does_not_go_with_a_batch(terminal: Terminal, exchange: Exchange, option: str) -> None:
    sent = exchange.sent()
    row = json.dumps({"side": "buy", "pair": "BTC-USD", "amount": "0.01", "price": "mid-1%"})
    ended = terminal.run(["place", "--file", "-", *option.split(), "-o", "json"], row)
    assert (ended.code, ended.error["code"]) == (2, "usage")
    assert exchange.sent() == sent


def test_a_batch_from_a_file_with_a_bad_row(terminal: Terminal) -> None:
    path = terminal.home / "orders.ndjson"
    path.write_text('{"side":"buy","pair":"BTC-USD","amount":"0.01","price":"mid-1%"}\n\n{"side":"buy"}\n')
    ended = terminal.run(["place", "--file", str(path), "-o", "json"])
    assert ended.code == 18
    first, second = ended.json["items"]
    assert (first["schema"], second["schema"], second["line"]) == ("order", "error", 3)


def test_cancel_all_takes_what_the_filters_leave(terminal: Terminal) -> None:
    kept, taken = (
        rest(terminal),
        terminal.run(["place", "sell", "ETH-USD", "0.1", "mid+2%", "--post-only", "-o", "id"]).out.strip(),
    )
    assert (
        terminal.run(["cancel", "--all", "--pair", "ETH-USD", "--older-than", "1h", "-o", "json"]).json["items"] == []
    )
    ended = terminal.run(["cancel", "--all", "--pair", "ETH-USD", "--side", "sell", "-o", "json"])
    assert [order["client_order_id"] for order in ended.json["items"]] == [taken]
    assert terminal.run(["status", kept, "-o", "json"]).json["state"] == "OPEN"


def test_cancel_by_venue_id_and_by_both(terminal: Terminal) -> None:
    order = terminal.run([*RESTING, "-o", "json"]).json
    both = ["cancel", order["client_order_id"], "--exchange-id", order["exchange_order_id"], "-o", "json"]
    assert terminal.run(both).json["state"] == "CANCELLED"
    other = terminal.run([*RESTING, "-o", "json"]).json
    assert terminal.run(["cancel", "--exchange-id", other["exchange_order_id"]]).code == 0


def test_an_external_order_is_cancelled_when_that_is_said(terminal: Terminal) -> None:
    home = terminal.home
    terminal.set("LATENTSPEED_STATE_DIR", str(home / "other-program"))
    exchange_id = terminal.run([*RESTING, "-o", "json"]).json["exchange_order_id"]
    terminal.set("LATENTSPEED_STATE_DIR", str(home / "state"))
    ended = terminal.run(["cancel", exchange_id, "--external", "-o", "json"])
    assert (ended.code, ended.json["state"], ended.json["external"]) == (0, "CANCELLED", True)


def test_orders_lists_open_ones_and_with_all_the_others(terminal: Terminal) -> None:
    gone, there = rest(terminal), rest(terminal)
    terminal.run(["cancel", gone])
    open_ids = {order["client_order_id"] for order in terminal.run(["orders", "-o", "json"]).json["items"]}
    all_ids = {order["client_order_id"] for order in terminal.run(["orders", "--all", "-o", "json"]).json["items"]}
    assert there in open_ids
    assert gone not in open_ids
    assert {gone, there} <= all_ids
    assert terminal.run(["orders", "--all", "--limit", "1", "-o", "id"]).out.split() == [there]


def test_status_without_an_id_shows_where_one_stands(terminal: Terminal, exchange: Exchange) -> None:
    there = rest(terminal)
    told = terminal.run(["status", "-o", "json"]).json
    assert (told["reachable"], told["stale"], told["account"]) == (True, False, exchange.account)
    assert there in {order["client_order_id"] for order in told["open_orders"]}
    assert abs(told["clock_skew_ms"]) < 2000
    table = terminal.run(["status", "-o", "table"]).out
    assert there in table


def test_several_ids_give_a_list(terminal: Terminal) -> None:
    ids = [rest(terminal), rest(terminal)]
    told = terminal.run(["status", *ids, "-o", "json"]).json
    assert told["schema"] == "orders"
    assert [order["client_order_id"] for order in told["items"]] == ids


@pytest.mark.parametrize(
    ("channel", "pairs", "schema"),
    [("book", ["BTC-USD"], "book"), ("bbo", ["BTC-USD", "ETH-USD"], "bbo"), ("trades", ["BTC-USD"], "trade")],
)
def test_public_streams_begin_with_a_control_record(
    terminal: Terminal, channel: str, pairs: list[str], schema: str
) -> None:
    ended = terminal.run(["stream", channel, *pairs, "--count", "3", "--duration", "20s"])
    assert ended.code == 0, ended.err
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert (records[0]["schema"], records[0]["kind"]) == ("control", "connected")
    told = [record for record in records if record["schema"] == schema]
    assert len(told) == 3
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))


def test_a_book_has_as_many_levels_as_asked_for(terminal: Terminal) -> None:
    ended = terminal.run(["stream", "book", "BTC-USD", "--depth", "2", "--count", "1"])
    book = next(record for record in map(json.loads, ended.out.splitlines()) if record["schema"] == "book")
    assert (len(book["bids"]), len(book["asks"])) == (2, 2)
    assert float(book["bids"][0]["price"]) < float(book["asks"][0]["price"])


def test_a_cancel_is_streamed_while_it_happens(terminal: Terminal, exchange: Exchange) -> None:
    there = rest(terminal)

    def cancel_later() -> None:
        exchange.wait_for_stream()
        from latentspeed_cli.commands.call import Call
        from latentspeed_cli.session import open_connector

        async def cancel() -> None:
            async with open_connector(Call().settings, sign=True) as connector:
                order = await connector.find(there)
                assert order is not None
                await connector.cancel(order)

        import asyncio

        asyncio.run(cancel())

    thread = threading.Thread(target=cancel_later)
    thread.start()
    ended = terminal.run(["stream", "orders", "--duration", "6s", "-o", "ndjson"])
    thread.join()
    states = [
        record["state"]
        for record in map(json.loads, ended.out.splitlines())
        if record["schema"] == "order" and record["client_order_id"] == there
    ]
    assert states[0] == "OPEN"
    assert states[-1] == "CANCELLED"


def test_a_stream_goes_on_after_the_connection_broke(terminal: Terminal, exchange: Exchange) -> None:
    def disconnect() -> None:
        exchange.wait_for_stream()
        exchange.order("disconnect")

    breaking = threading.Thread(target=disconnect)
    breaking.start()
    ended = terminal.run(["stream", "book", "BTC-USD", "--duration", "6s"])
    breaking.join()
    assert ended.code == 0, ended.err
    told = [record.get("kind", record["schema"]) for record in map(json.loads, ended.out.splitlines())]
    again = told.index("reconnected")
    assert "book" in told[:again]
    assert "book" in told[again:]


def test_on_the_sandbox_no_key_of_the_user_is_read(terminal: Terminal, exchange: Exchange) -> None:
    terminal.set("LATENTSPEED_HYPERLIQUID_KEY", "not even a key")
    ended = terminal.run([*RESTING, "-o", "json"])
    assert (ended.code, ended.json["account"]) == (0, exchange.account)
    assert "not even a key" not in ended.out + ended.err


def test_csv_and_tables_of_orders(terminal: Terminal) -> None:
    there = rest(terminal)
    rows = list(csv.DictReader(io.StringIO(terminal.run(["orders", "-o", "csv"]).out)))
    assert [row["state"] for row in rows if row["client_order_id"] == there] == ["OPEN"]
    assert there in terminal.run(["orders", "-o", "table"]).out


def test_global_options_before_and_after_the_verb(terminal: Terminal) -> None:
    assert terminal.run(["-o", "json", "orders"]).json == terminal.run(["orders", "-o", "json", "-o", "json"]).json


def test_quiet_says_nothing_when_all_is_well(terminal: Terminal) -> None:
    ended = terminal.run([*RESTING, "--quiet"])
    assert (ended.code, ended.out, ended.err) == (0, "", "")
