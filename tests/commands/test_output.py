"""Results on stdout, everything else on stderr; venue text is data; machine output always parses."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.commands.streaming import Limits, until
from latentspeed_cli.connector.streams import Control, ControlKind
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts, learn
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import Exit, OrderRefused, OutcomeUnknown, RateLimited, StreamLost, UsageError
from latentspeed_cli.output import Output
from latentspeed_cli.records import (
    SCHEMAS,
    ConnectorList,
    ConnectorRecord,
    ControlRecord,
    OrderList,
    OrderRecord,
    ResultList,
    control_record,
    error_record,
    json_schema,
    order_record,
)

TS = 1_764_115_200_123_456_789


def an_order(**news: Any) -> InFlightOrder:
    facts = learn(Facts(), OrderUpdate(report=Report.ATTEMPTED, trading_pair="BTC-USD", ts_ns=TS, attempt=1))
    if news:
        facts = learn(facts, OrderUpdate(**{"trading_pair": "BTC-USD", "ts_ns": TS, "attempt": 1, **news}))
    return InFlightOrder(
        client_order_id="ab" * 16,
        venue_client_id="0x" + "ab" * 16,
        venue="hyperliquid",
        network="sandbox",
        account="0x" + "00" * 20,
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=Decimal("0.010"),
        price=Decimal("60000.0"),
        created_ts_ns=TS,
        attempt=1,
        facts=facts,
    )


class Screen:
    """An Output that writes into strings."""

    def __init__(self, **more: Any) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.output = Output(**{"format": "json", "stdout": self.out, "stderr": self.err, **more})

    @property
    def stdout(self) -> str:
        return self.out.getvalue()

    @property
    def stderr(self) -> str:
        return self.err.getvalue()


def test_an_order_record_says_what_decisions_promise() -> None:
    fill = TradeUpdate(
        fill_id="7",
        exchange_order_id="12",
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        price=Decimal("59999.50"),
        amount=Decimal("0.004"),
        fee=Decimal("0.0240"),
        fee_currency="USDC",
        ts_ns=TS + 5,
    )
    order = an_order(report=Report.ACCEPTED, exchange_order_id="12")
    order = type(order)(
        **{name: getattr(order, name) for name in order.__struct_fields__}
        | {
            "facts": learn(order.facts, fill),
            "exchange_order_id": "12",
        }
    )
    screen = Screen()
    screen.output.show(order_record(order))
    told = json.loads(screen.stdout)
    expected = {
        "schema": "order",
        "schema_version": 1,
        "side": "buy",
        "type": "limit",
        "tif": "gtc",
        "amount": "0.01",
        "price": "60000",
        "state": "PARTIALLY_FILLED",
        "outcome": "accepted",
        "outcome_unknown": False,
        "may_be_live": True,
        "executed_amount": "0.004",
        "average_price": "59999.5",
        "fees": [{"currency": "USDC", "amount": "0.024"}],
        "exchange_order_id": "12",
        "created_ts_ns": TS,
        "created_ts_iso": "2025-11-26T00:00:00.123456789Z",
        "trigger_price": None,
        "evidence": [],
    }
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("news", "state", "outcome", "unknown"),
    [
        ({}, "PENDING_SUBMIT", "unknown", True),
        ({"report": Report.UNKNOWN}, "PENDING_SUBMIT", "unknown", True),
        ({"report": Report.ACCEPTED}, "OPEN", "accepted", False),
        ({"report": Report.FAILED, "reason": "no margin"}, "FAILED", "rejected", False),
        (
            {"report": Report.FAILED, "evidence": Evidence(kind="never_sent", ts_ns=TS, detail="refused")},
            "FAILED",
            "not_sent",
            False,
        ),
        ({"report": Report.CANCELLED}, "CANCELLED", "accepted", False),
    ],
)
def test_outcome_follows_from_facts(news: dict[str, Any], state: str, outcome: str, unknown: bool) -> None:
    record = order_record(an_order(**news))
    assert (record.state, record.outcome, record.outcome_unknown) == (state, outcome, unknown)
    assert (record.next is not None) is unknown


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_can_be_printed_and_requires_all_fields(name: str) -> None:
    schema = json_schema(name)
    top = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    assert top["properties"]["schema"] == {"enum": [name]}
    assert set(top["required"]) == set(top["properties"])
    assert json.loads(json.dumps(schema)) == schema


def test_the_order_schema_knows_every_field_of_the_record() -> None:
    properties = json_schema("order")["$defs"]["OrderRecord"]["properties"]
    told = json.loads(json.dumps(_told(order_record(an_order()))))
    assert set(told) == set(properties)


def _told(record: OrderRecord, **more: Any) -> dict[str, Any]:
    screen = Screen(**more)
    screen.output.show(record)
    told: dict[str, Any] = json.loads(screen.stdout)
    return told


def test_fields_pick_dotted_names_and_keep_the_schema() -> None:
    order = an_order(report=Report.FAILED, reason="no", evidence=Evidence(kind="venue_reply", ts_ns=TS, detail="x"))
    told = _told(order_record(order), fields=("state", "evidence.kind"))
    assert told == {
        "schema": "order",
        "schema_version": 1,
        "state": "FAILED",
        "evidence": [{"kind": "venue_reply"}],
    }
    with pytest.raises(UsageError, match="stat"):
        Screen(fields=("stat",)).output.check(OrderRecord)


@pytest.mark.parametrize("format", ["json", "ndjson"])
def test_fields_leave_an_error_among_results_whole(format: str) -> None:
    error = error_record(OrderRefused("off the grid", hint="0.01"), line=2)
    screen = Screen(format=format, fields=("client_order_id", "state"))
    screen.output.show(ResultList(items=(order_record(an_order()), error)), ok=False)
    told = [json.loads(line) for line in screen.stdout.splitlines()]
    order, refused = told[0]["items"] if format == "json" else told
    assert set(order) == {"schema", "schema_version", "client_order_id", "state"}
    assert (refused["line"], refused["error"]["message"], refused["error"]["hint"]) == (2, "off the grid", "0.01")


def test_id_prints_the_id_and_nothing_else() -> None:
    screen = Screen(format="id")
    screen.output.show(OrderList(items=(order_record(an_order()),)), ok=False)
    assert screen.stdout == "ab" * 16 + "\n"
    with pytest.raises(UsageError):
        screen.output.check(ConnectorList)


def test_ndjson_writes_a_list_line_by_line() -> None:
    screen = Screen(format="ndjson")
    screen.output.show(OrderList(items=(order_record(an_order()),) * 2))
    assert [json.loads(line)["schema"] for line in screen.stdout.splitlines()] == ["order", "order"]


def hostile(text: str) -> ConnectorRecord:
    return ConnectorRecord(name=text, distribution="d", version="1", summary="[red]x[/red]", target="t", problem=None)


@given(text=st.text(st.characters(codec="utf-8"), min_size=1), format=st.sampled_from(["json", "ndjson"]))
def test_hostile_text_is_the_same_data_and_never_reaches_the_terminal(text: str, format: str) -> None:
    screen = Screen(format=format)
    screen.output.show(ConnectorList(items=(hostile(text),)))
    lines = screen.stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].isprintable()
    told = json.loads(lines[0])
    assert (told["items"][0] if format == "json" else told)["name"] == text


@given(text=st.text(st.characters(codec="utf-8"), min_size=1))
def test_tables_show_hostile_text_escaped(text: str) -> None:
    screen = Screen(format="table")
    screen.output.show(ConnectorList(items=(hostile(text),)))
    lines = screen.stdout.split("\n")
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    assert "[red]x[/red]" in lines[2]


def test_csv_has_one_header_and_no_formulas() -> None:
    screen = Screen(format="csv")
    screen.output.show(ConnectorList(items=(hostile("=1+1"), hostile("-5"), hostile("@x"), hostile("-x"))))
    rows = list(csv.DictReader(io.StringIO(screen.stdout)))
    assert [row["name"] for row in rows] == ["'=1+1", "-5", "'@x", "'-x"]


def test_chosen_fields_of_a_list_do_not_hide_that_it_is_stale() -> None:
    screen = Screen(fields=("state",))
    screen.output.show(OrderList(items=(order_record(an_order()),), stale=True))
    told = json.loads(screen.stdout)
    assert told["stale"]
    assert [set(item) for item in told["items"]] == [{"schema", "schema_version", "state"}]


def test_a_spreadsheet_of_a_mixture_has_one_header() -> None:
    screen = Screen(format="csv")
    screen.output.check(OrderRecord, among=ControlRecord)
    control = Control(kind=ControlKind.CONNECTED, ts_ns=TS)
    screen.output.row(control_record(control, venue="hyperliquid", network="sandbox", seq=1))
    screen.output.row(order_record(an_order(), seq=2))
    rows = list(csv.DictReader(io.StringIO(screen.stdout)))
    assert [(row["schema"], row["seq"], row["kind"], row["amount"]) for row in rows] == [
        ("control", "1", "connected", ""),
        ("order", "2", "", "0.01"),
    ]
    assert all(None not in row and None not in row.values() for row in rows), "each row has a cell for each column"


def some_results() -> ResultList:
    error = error_record(UsageError("side: 'bye' is not known"), line=2)
    return ResultList(items=(order_record(an_order()), error, order_record(an_order())))


def test_a_table_of_results_says_why_a_row_is_none() -> None:
    for fields in (None, ("state", "amount")):
        screen = Screen(format="table", fields=fields)
        screen.output.show(some_results())
        orders, errors = screen.stdout.strip().split("\n\n")
        assert [len(orders.splitlines()), len(errors.splitlines())] == [4, 3]
        assert errors.splitlines()[2].split()[0] == "2"
        assert "side: 'bye' is not known" in errors


def test_a_spreadsheet_of_results_has_one_header() -> None:
    screen = Screen(format="csv")
    screen.output.show(some_results())
    rows = list(csv.DictReader(io.StringIO(screen.stdout)))
    assert [(row["schema"], row["amount"], row["error.exit_code"], row["line"]) for row in rows] == [
        ("order", "0.01", "", ""),
        ("error", "", "2", "2"),
        ("order", "0.01", "", ""),
    ]


def test_errors_are_one_object_on_stderr_in_json_and_lines_otherwise() -> None:
    error = RateLimited("too fast", retry_after_ms=900, venue_code="429", hint="wait")
    screen = Screen()
    screen.output.error(error)
    assert screen.stdout == ""
    assert json.loads(screen.stderr)["error"] == {
        "code": "rate-limited",
        "exit_code": 9,
        "message": "too fast",
        "venue_code": "429",
        "retry": "safe",
        "retry_after_ms": 900,
        "hint": "wait",
        "client_order_id": None,
    }
    people = Screen(format="table")
    people.output.error(OrderRefused("no \x1b[2J", hint="do"))
    assert people.stderr == "error: no \\u001b[2J\nhint: do\n"


def test_notes_are_lines_for_people_and_records_for_programs() -> None:
    people, program, quiet = Screen(format="table"), Screen(), Screen(quiet=True)
    for screen in (people, program, quiet):
        screen.output.note("client order id x", client_order_id="x")
    assert people.stderr == "client order id x\n"
    told = json.loads(program.stderr)
    assert told["client_order_id"] == "x"
    jsonschema.validate(told, json_schema(told["schema"]))
    assert quiet.stderr == ""


def test_quiet_keeps_a_success_to_itself_unless_a_format_was_asked_for() -> None:
    record = order_record(an_order())
    for chosen, ok, shown in ((False, True, False), (True, True, True), (False, False, True)):
        screen = Screen(quiet=True, chosen=chosen)
        screen.output.show(record, ok=ok)
        assert bool(screen.stdout) is shown


@pytest.fixture
def piped() -> Iterator[tuple[Output, int]]:
    """An Output that writes into a pipe, and where to read that, which never waits."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    stdout = os.fdopen(writer, "w")
    yield Screen(format="ndjson", stdout=stdout).output, reader
    os.close(reader)
    with suppress(BrokenPipeError):  # a test that failed left something to be written
        stdout.close()


def test_a_slow_reader_holds_up_only_what_is_shown_to_it(piped: tuple[Output, int]) -> None:
    output, reader = piped
    record = order_record(an_order())
    taken, got = 0, b""

    async def items() -> AsyncIterator[object]:
        nonlocal taken
        for taken in range(1, 1_001):
            yield taken
            await asyncio.sleep(0)

    async def read_slowly() -> None:
        nonlocal got
        await asyncio.sleep(1)
        assert taken < 200, "no more was taken than a pipe holds"
        while got.count(b"\n") < 1_000:
            with suppress(BlockingIOError):
                got += os.read(reader, 1 << 20)
            await asyncio.sleep(0.001)

    def show(item: object) -> int:
        lines.show(record)
        return 1

    async def told() -> None:
        await until(Limits(count=1_000, duration_s=None, stale_after_s=0.5, depth=None), items(), show, lines)
        await lines.out()

    async def both() -> None:
        await asyncio.gather(told(), read_slowly())

    with output.patient(5.0) as lines:
        asyncio.run(both())
    assert {json.loads(line)["client_order_id"] for line in got.splitlines()} == {record.client_order_id}


def test_what_was_heard_is_out_before_leave_is_taken(piped: tuple[Output, int]) -> None:
    output, reader = piped
    record = order_record(an_order())
    shown, out = 0, b""

    async def items() -> AsyncIterator[object]:
        nonlocal out
        try:
            while True:
                yield object()
                await asyncio.sleep(0.001)  # few enough for the pipe
        finally:
            out = os.read(reader, 1 << 20)

    def show(item: object) -> int:
        nonlocal shown
        lines.show(record)
        shown += 1
        return 1

    with output.patient(5.0) as lines:
        asyncio.run(until(Limits(count=None, duration_s=0.02, stale_after_s=None, depth=None), items(), show, lines))
    assert 0 < shown == out.count(b"\n")


def test_a_reader_that_takes_nothing_is_given_up(piped: tuple[Output, int]) -> None:
    output, reader = piped
    records = [order_record(an_order())] * 1_000
    with pytest.raises(StreamLost, match="took nothing"), output.patient(0.2) as lines:
        deque(map(lines.show, records), maxlen=0)
    with output.patient(0.2) as lines:
        lines.show(records[0])
        with pytest.raises(StreamLost, match="took nothing"):
            asyncio.run(lines.out())
        os.read(reader, 1 << 20)  # or what waits would be waited for again


class Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_closed_stdout_does_not_hide_an_open_question() -> None:
    record = order_record(an_order())
    with pytest.raises(BrokenPipeError):
        Screen(stdout=Closed()).output.finish(record, None)
    with pytest.raises(BrokenPipeError):
        Screen(stdout=None).output.finish(record, None)
    with pytest.raises(OutcomeUnknown):
        Screen(stdout=Closed()).output.finish(record, OutcomeUnknown("?"))
    assert Screen().output.finish(record, None) is Exit.OK
