"""`place --file`: one intent a line, as JSON. A bad row is its own error, and the others are placed all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from ..config import read_input
from ..core.ids import check_client_order_id, new_client_order_id
from ..core.in_flight_order import OrderIntent
from ..entropy import SystemEntropy
from ..errors import Exit, IdConflict, LatentspeedError, OrderRefused, UsageError
from ..hostile import is_plain, looks_like_key
from ..records import ErrorRecord, OrderRecord, error_record
from .intent import Words
from .placing import How, place_one

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from .call import Call

MAX_ROWS = 10_000
AT_ONCE = 20  # orders whose replies are awaited at the same time
_NUMBERS = ("amount", "price", "notional", "trigger_price", "slippage_bps")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line. Either an intent with its id, or the error that it is none."""

    line: int
    intent: OrderIntent | None = None
    client_order_id: str = ""
    is_generated: bool = False
    error: LatentspeedError | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row: its record, and how it ended."""

    record: OrderRecord | ErrorRecord
    end: Exit


def read(name: str) -> list[Row]:
    """The rows of a file, or of stdin for "-". Raises OrderRefused (3) when it is empty, unreadable or too long."""
    lines = [(number, line) for number, line in enumerate(read_input(name).split(b"\n"), 1) if line.strip()]
    if not lines:
        raise OrderRefused("the file has no orders in it", hint="one JSON object a line")
    if len(lines) > MAX_ROWS:
        raise OrderRefused(f"the file has {len(lines):,} orders, {MAX_ROWS:,} are allowed")
    return list(_rows(lines))


def _rows(lines: list[tuple[int, bytes]]) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for number, line in lines:
        try:
            words = _words(line)
            intent = words.intent()
            generated = words.client_id is None
            if words.client_id is None:
                client_order_id = new_client_order_id(SystemEntropy())
            else:
                client_order_id = check_client_order_id(words.client_id)
            first = seen.setdefault(client_order_id, number)
            if first != number:
                raise IdConflict(f"line {number} has the client id of line {first}")
        except LatentspeedError as error:
            yield Row(line=number, error=error)
        else:
            yield Row(line=number, intent=intent, client_order_id=client_order_id, is_generated=generated)


def _words(line: bytes) -> Words:
    """The words of one line. Numbers may be JSON numbers too; they are taken as they are spelled."""
    try:
        text = line.decode()
        if looks_like_key(text):
            raise UsageError("a row holds what looks like a private key")
        if not is_plain(text.strip()):
            raise OrderRefused("a row holds control, bidirectional or zero-width characters")
        row = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        plain = {key: _spelled(raw) if key in _NUMBERS else msgspec.json.decode(raw) for key, raw in row.items()}
        return msgspec.convert(plain, Words)
    except UnicodeDecodeError:
        raise OrderRefused("a row is not valid UTF-8") from None
    except msgspec.ValidationError as error:
        raise OrderRefused(f"a row is not an order: {error}", hint="for example " + EXAMPLE) from None
    except msgspec.DecodeError:
        raise OrderRefused("a row is not JSON", hint="for example " + EXAMPLE) from None


EXAMPLE = '{"side": "buy", "pair": "BTC-USD", "amount": "0.01", "price": "mid-1%"}'


def _spelled(raw: msgspec.Raw) -> object:
    text = bytes(raw).strip()
    return text.decode() if text[:1] in b"-0123456789" and text else msgspec.json.decode(text)


async def place_all(call: Call, connector: PerpetualDerivativeBase | None, rows: list[Row], how: How) -> list[Result]:
    """Place the rows, in their order, and wait for all. Results in the order of the rows.

    connector: None will do when every row is an error.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(row: Row) -> Result:
        if row.error is not None:
            return Result(record=error_record(row.error, line=row.line), end=row.error.exit)
        assert connector is not None  # a row without an error needs one
        assert row.intent is not None
        async with turns:
            if row.is_generated:
                call.output.note(
                    f"line {row.line}: client order id {row.client_order_id}", client_order_id=row.client_order_id
                )
            try:
                placed = await place_one(
                    call, connector, row.intent, row.client_order_id, how, is_new_id=row.is_generated
                )
            except LatentspeedError as error:
                error.client_order_id = error.client_order_id or row.client_order_id
                return Result(record=error_record(error, line=row.line), end=error.exit)
            return Result(record=placed.record, end=placed.error.exit if placed.error else Exit.OK)

    tasks = [asyncio.create_task(one(row)) for row in rows]
    try:
        return list(await asyncio.gather(*tasks))
    except asyncio.CancelledError:
        if call.stopped is None:
            raise
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        stopped = call.stopped("not sent: stopped by a signal")
        return [
            item if isinstance(item, Result) else Result(record=error_record(stopped, line=row.line), end=stopped.exit)
            for row, item in zip(rows, ended, strict=True)
        ]
