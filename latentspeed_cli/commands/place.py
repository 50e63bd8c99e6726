"""`place`: argv -> OrderIntent -> the order's record and one exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..config import check_may_change
from ..core.ids import check_client_order_id, new_client_order_id
from ..core.in_flight_order import OrderIntent
from ..core.pricing import is_price_expression
from ..core.words import nearest
from ..entropy import SystemEntropy
from ..errors import Exit, UsageError
from .call import of
from .complete import pairs, sides
from .grammar import VerbCommand, verb_app
from .intent import DEFAULT_SLIPPAGE_BPS, Words
from .outcome import many_as_error

# Not here, as asyncio and the records: a shell that completes pairs waits for this module.
if TYPE_CHECKING:
    from . import batch
    from .call import Call
    from .placing import How, Placed, Wait

app = verb_app()


def _types(ctx: object, args: object, incomplete: str) -> list[str]:
    return ["limit", "market", "stop", "stop-limit", "take-profit", "take-profit-limit"]


def _tifs(ctx: object, args: object, incomplete: str) -> list[str]:
    return ["gtc", "ioc", "fok", "gtd"]


def _waits(ctx: object, args: object, incomplete: str) -> list[str]:
    from .placing import WAITS

    return list(WAITS)


@app.command(cls=VerbCommand)
def place(
    ctx: typer.Context,
    side: Annotated[str | None, typer.Argument(help="buy or sell", autocompletion=sides)] = None,
    pair: Annotated[str | None, typer.Argument(help="Trading pair, such as BTC-USD.", autocompletion=pairs)] = None,
    amount: Annotated[str | None, typer.Argument(help="In units of the base.")] = None,
    price: Annotated[str | None, typer.Argument(help="A number, or mid-0.2%, best+1tick.")] = None,
    amount_option: Annotated[str | None, typer.Option("--amount", help="The same as the argument.")] = None,
    price_option: Annotated[str | None, typer.Option("--price", help="The same as the argument.")] = None,
    notional: Annotated[str | None, typer.Option(help="Instead of an amount, in units of the quote.")] = None,
    trigger_price: Annotated[str | None, typer.Option(help="For stop and take-profit orders.")] = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="limit (default), market, stop, stop-limit, take-profit, take-profit-limit",
            autocompletion=_types,
        ),
    ] = None,
    tif: Annotated[str | None, typer.Option(help="gtc (default), ioc, fok, gtd", autocompletion=_tifs)] = None,
    post_only: Annotated[bool, typer.Option("--post-only", help="Only rest, never take.")] = False,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Only make a position smaller.")] = False,
    expire: Annotated[str | None, typer.Option(help="End after this time, as 10m.")] = None,
    slippage_bps: Annotated[
        str | None, typer.Option(help="Bound of a market order in basis points, 50 by default.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="Your id; the same command again sends nothing.")] = None,
    wait: Annotated[str, typer.Option(help="ack, open, filled or done", autocompletion=_waits)] = "ack",
    timeout: Annotated[str | None, typer.Option(help="How long to wait, 15s by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, show the request, send nothing.")] = False,
    max_notional: Annotated[str | None, typer.Option(help="Refuse an order worth more, in units of the quote.")] = None,
    price_band: Annotated[str | None, typer.Option(help="Refuse a price further from the market, in bps.")] = None,
    despite_unknown: Annotated[
        bool, typer.Option("--despite-unknown", help="Place although an order of this market and side is undecided.")
    ] = False,
    file: Annotated[str | None, typer.Option(help="Orders as JSON, one a line; - for stdin.")] = None,
) -> Exit:
    """Place one order and report what the venue said; or many, from a file."""
    from ..records import OrderRecord
    from . import batch
    from .placing import How

    call = of(ctx)
    target = _wait(wait)
    words = None
    of_an_order = [side, pair, amount, amount_option, notional, price, price_option, trigger_price]
    of_an_order += [type_, tif, expire, slippage_bps, client_id]
    if amount is not None and price is None and is_price_expression(amount) and (amount_option or notional):
        amount, price = None, amount  # with the size in an option, the argument after PAIR is the price
    if file is None:
        words = Words(
            side=_needed(side, "SIDE"),
            pair=_needed(pair, "PAIR"),
            amount=_one_of(amount, amount_option, "amount"),
            price=_one_of(price, price_option, "price"),
            notional=notional,
            trigger_price=trigger_price,
            type=type_,
            tif=tif,
            post_only=post_only,
            reduce_only=reduce_only,
            slippage_bps=DEFAULT_SLIPPAGE_BPS if slippage_bps is None else slippage_bps,
            expire=expire,
            client_id=client_id,
        )
    elif post_only or reduce_only or any(word is not None for word in of_an_order):
        raise UsageError(
            "with --file, orders are in the file and not on the command line",
            hint='a row has their words too, as "post_only": true',
        )
    intent = words.intent() if words else None
    if client_id is not None:
        check_client_order_id(client_id)
    rows = batch.read(file) if file is not None else []
    call.options = {"timeout": timeout, "max_notional": max_notional, "price_band": price_band}
    output = call.show_as(OrderRecord)
    settings = call.settings
    check_may_change(settings)
    if settings.network == "mainnet" and not dry_run:
        call.confirm(f"Place {len(rows) or 'one'} order(s) on mainnet?")
    how = How(wait=target, timeout_s=settings.timeout_s, dry_run=dry_run, despite_unknown=despite_unknown)
    if intent is None:
        return _place_many(call, rows, how)
    is_new_id = client_id is None
    client_id = client_id or new_client_order_id(SystemEntropy())
    if is_new_id:
        output.note(f"client order id {client_id}", client_order_id=client_id)
    placed = call.run(_place(call, intent, client_id, how, is_new_id=is_new_id))
    return output.finish(placed.record, placed.error)


def _wait(word: str) -> Wait:
    from .placing import WAITS

    if word not in WAITS:
        raise UsageError(f"--wait: {word[:60]!r} is not known", hint=nearest(word, WAITS))
    return WAITS[word]


def _needed(word: str | None, what: str) -> str:
    if word is None:
        raise UsageError(f"{what} is missing", hint="latentspeed place SIDE PAIR AMOUNT [PRICE]")
    return word


def _one_of(argument: str | None, option: str | None, what: str) -> str | None:
    if argument is not None and option is not None:
        raise UsageError(f"{what} is given twice, as an argument and as an option")
    return argument if option is None else option


async def _place(call: Call, intent: OrderIntent, client_order_id: str, how: How, *, is_new_id: bool) -> Placed:
    from ..session import open_connector
    from .placing import place_one

    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        return await place_one(call, connector, intent, client_order_id, how, is_new_id=is_new_id)


def _place_many(call: Call, rows: list[batch.Row], how: How) -> Exit:
    """Place the rows of a file. Each has its record on stdout; the exit code speaks for all of them."""
    from ..records import ResultList

    results = call.run(_place_rows(call, rows, how))
    ends = [result.end for result in results]
    return call.output.finish(
        ResultList(items=tuple(result.record for result in results)), many_as_error(ends, call.stopped)
    )


async def _place_rows(call: Call, rows: list[batch.Row], how: How) -> list[batch.Result]:
    from . import batch

    if all(row.intent is None for row in rows):
        return await batch.place_all(call, None, rows, how)
    from ..session import open_connector

    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        return await batch.place_all(call, connector, rows, how)
