"""`plot book|candles|pnl|funding`: a chart in the terminal, or a picture in a file; as JSON the numbers behind it."""

from __future__ import annotations

from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..clock import NS_PER_S
from ..core.market_data import INTERVALS_S
from ..core.words import nearest
from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Pairs, Since, Until, filter_of, named, progress, reading
from .words import count_of

if TYPE_CHECKING:
    from ..charts import Chart
    from ..connector.perpetual import PerpetualDerivativeBase
    from ..core.market_data import Candle
    from ..records import PlotRecord
    from .call import Call
    from .reads import Filter

app = verb_app()

KINDS = ("book", "candles", "pnl", "funding")
CANDLES = 60
INTERVAL = "1h"
DEPTH = 50
DAYS_NS = {"pnl": 30 * 86_400 * NS_PER_S, "funding": 86_400 * NS_PER_S}
PIPE_COLUMNS, PIPE_ROWS = 100, 30


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """One line of numbers: x is a price, or a time in Unix nanoseconds. tone: good, bad or neutral."""

    name: str
    points: tuple[tuple[Decimal, Decimal], ...]
    tone: str = "neutral"


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart shows. candle_ns: the drawings are open, high, low and close of candles that long; 0 for lines."""

    title: str
    x_label: str
    y_label: str
    drawings: tuple[Drawing, ...]
    candle_ns: int = 0


def _kinds(ctx: object, args: object, incomplete: str) -> list[str]:
    return list(KINDS)


@app.command(cls=VerbCommand)
def plot(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="book, candles, pnl or funding", autocompletion=_kinds)],
    pairs: Pairs = None,
    interval: Annotated[str, typer.Option(help="Of candles, 1m to 1M.")] = INTERVAL,
    since: Since = None,
    until: Until = None,
    depth: Annotated[str | None, typer.Option(help="Levels of a book, 50 by default.")] = None,
    to: Annotated[str | None, typer.Option(metavar="FILE", help="Put a picture there: .svg or .png.")] = None,
) -> Exit:
    """Draw a chart; candles and funding of one market, pnl of the account."""
    from .. import charts, config
    from ..records import PlotRecord

    call = of(ctx)
    if kind not in KINDS:
        raise UsageError(f"{kind[:60]!r} cannot be drawn", hint=nearest(kind, KINDS))
    if interval not in INTERVALS_S:
        raise UsageError(f"--interval: {interval[:60]!r} is not known", hint=nearest(interval, list(INTERVALS_S)))
    if interval != INTERVAL and kind != "candles":
        raise UsageError("--interval goes with candles")
    if depth is not None and kind != "book":
        raise UsageError("--depth goes with book")
    if (since is not None or until is not None) and kind == "book":
        raise UsageError("a book is drawn as it is now; --since and --until go with the other charts")
    wanted = filter_of(pairs, since=since, until=until)
    if len(wanted.names) > 1 or (not wanted.names and kind != "pnl"):
        raise UsageError(f"plot {kind} needs one trading pair", hint=f"latentspeed plot {kind} BTC-USD")
    picture = None if to is None else to.rpartition(".")[2].lower()
    if picture is not None and picture not in charts.FORMATS:
        raise UsageError("--to names a file that ends with .svg or .png")
    output = call.show_as(PlotRecord)
    chart, record = call.run(_read(call, kind, wanted, interval, count_of(depth, "--depth") or DEPTH))
    if not any(series.points for series in record.series):
        output.note("there is nothing to draw")
    if to is not None and picture is not None:
        config.write_output(to, charts.picture(chart, picture))
        series = () if output.format == "table" and output.fields is None else record.series
        output.show(msgspec.structs.replace(record, file=to, series=series))
    elif output.format == "table":
        columns, rows = output.size or (PIPE_COLUMNS, PIPE_ROWS)
        output.text(charts.text(chart, columns=columns, rows=rows, color=output.color))
    else:
        output.show(record)
    return Exit.OK


async def _read(call: Call, kind: str, wanted: Filter, interval: str, depth: int) -> tuple[Chart, PlotRecord]:
    from ..records import PlotRecord, PlotSeries, number

    async with reading(call, public=kind != "pnl") as connector:
        pair = next(iter(await named(connector, wanted.names)), "")
        if kind == "book":
            sketch = await _book(connector, pair, depth)
        elif kind == "candles":
            sketch = await _candles(call, connector, pair, wanted, interval)
        elif kind == "funding":
            sketch = await _funding(connector, pair, *_span(wanted, DAYS_NS["funding"]))
        else:
            sketch = await _pnl(connector, pair, *_span(wanted, DAYS_NS["pnl"]))
        record = PlotRecord(
            venue=connector.name,
            network=connector.domain,
            kind=kind,
            trading_pair=pair or None,
            file=None,
            series=tuple(
                PlotSeries(name=line.name, points=tuple((number(x) or "0", number(y) or "0") for x, y in line.points))
                for line in sketch.drawings
            ),
        )
        return _chart(sketch, f"{connector.name}, {connector.domain}", is_time=kind != "book"), record


def _span(wanted: Filter, default_ns: int) -> tuple[int, int]:
    end_ns = wanted.now_ns if wanted.until_ns is None else wanted.until_ns
    return max(end_ns - default_ns, 0) if wanted.since_ns is None else wanted.since_ns, end_ns


# What is drawn


async def _book(connector: PerpetualDerivativeBase, pair: str, depth: int) -> Sketch:
    """How much there is up to each price, from the middle outwards."""
    book = await connector.book(pair)
    drawings = []
    for name, tone, levels in (("bids", "good", book.bids[:depth]), ("asks", "bad", book.asks[:depth])):
        sums = accumulate(level.amount for level in levels)
        points = tuple(zip((level.price for level in levels), sums, strict=True))
        drawings.append(Drawing(name=name, points=points[::-1] if name == "bids" else points, tone=tone))
    return Sketch(title=f"{pair} book", x_label="price", y_label="amount", drawings=tuple(drawings))


async def _candles(call: Call, connector: PerpetualDerivativeBase, pair: str, wanted: Filter, interval: str) -> Sketch:
    length_ns = INTERVALS_S[interval] * NS_PER_S
    start_ns, end_ns = _span(wanted, (CANDLES - 1) * length_ns)
    rows: list[Candle] = []
    with progress(call.output, "candles", (end_ns - start_ns) // length_ns + 1) as advance:
        async for page in connector.candle_pages(pair, interval, start_ns // length_ns * length_ns, end_ns):
            rows += page
            advance(len(page))
    drawings = tuple(
        Drawing(name=name, points=tuple((Decimal(row.open_ts_ns), getattr(row, name)) for row in rows))
        for name in ("open", "high", "low", "close")
    )
    title = f"{pair} candles of {interval}"
    return Sketch(title=title, x_label="UTC", y_label="price", drawings=drawings, candle_ns=length_ns)


async def _funding(connector: PerpetualDerivativeBase, pair: str, start_ns: int, end_ns: int) -> Sketch:
    rates = await connector.funding_rates(pair, start_ns=start_ns, end_ns=end_ns)
    points = tuple((Decimal(rate.ts_ns), rate.rate * 100) for rate in rates)
    drawings = (Drawing(name="rate", points=points),)
    return Sketch(title=f"{pair} funding, percent an hour", x_label="UTC", y_label="%", drawings=drawings)


async def _pnl(connector: PerpetualDerivativeBase, pair: str, start_ns: int, end_ns: int) -> Sketch:
    """What was realised since the beginning of the time, as if nothing had been held then."""
    from ..core.pnl import realised

    fills = await connector.fills(since_ns=start_ns, until_ns=end_ns)
    payments = await connector.funding_payments(start_ns=start_ns, end_ns=end_ns)
    profits = realised(
        [fill for fill in fills if pair in ("", fill.trading_pair)],
        [payment for payment in payments if pair in ("", payment.trading_pair)],
    )
    drawings = (Drawing(name="pnl", points=tuple((Decimal(one.ts_ns), one.total) for one in profits)),)
    title = f"{pair or 'all markets'}, realised profit"
    return Sketch(title=title, x_label="UTC", y_label="quote", drawings=drawings)


# Numbers for the eye


def _chart(sketch: Sketch, where: str, *, is_time: bool) -> Chart:
    from ..charts import Bar, Chart, Line

    unit = NS_PER_S if is_time else 1
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    if sketch.candle_ns:
        opened, high, low, close = (drawing.points for drawing in sketch.drawings)
        bars = tuple(
            Bar(
                x=float(x / unit),
                width=sketch.candle_ns / unit,
                open=float(first),
                high=float(most),
                low=float(least),
                close=float(last),
            )
            for (x, first), (_, most), (_, least), (_, last) in zip(opened, high, low, close, strict=True)
        )
    else:
        lines = tuple(
            Line(
                name=drawing.name,
                xs=tuple(float(x / unit) for x, _ in drawing.points),
                ys=tuple(float(y) for _, y in drawing.points),
                steps=True,
                tone=drawing.tone,
            )
            for drawing in sketch.drawings
        )
    return Chart(
        title=f"{sketch.title}  ({where})",
        x_label=sketch.x_label,
        y_label=sketch.y_label,
        lines=lines,
        bars=bars,
        x_is_time=is_time,
    )
