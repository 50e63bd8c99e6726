"""Charts as values, and how they are drawn: as text for a terminal, or as the bytes of an SVG or PNG picture.

The only place that uses plotille and matplotlib; both are imported when something is drawn. A picture needs the extra
`latentspeed[plot]`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from .errors import UsageError
from .hostile import escape

FORMATS = ("svg", "png")
DPI = 120
# A terminal's line, without the scale on its left, and its height without title and scale below.
MARGIN_COLUMNS, MARGIN_ROWS = 14, 8
MIN_COLUMNS, MIN_ROWS = 20, 5


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Points from left to right. steps: a value holds until the next one. tone: good, bad or neutral."""

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    steps: bool = False
    tone: str = "neutral"


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One candle: x is its beginning, width how long it lasts."""

    x: float
    width: float
    open: float
    high: float
    low: float
    close: float


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn. x_is_time: x counts Unix seconds."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...] = ()
    bars: tuple[Bar, ...] = ()
    x_is_time: bool = False


def text(chart: Chart, *, columns: int, rows: int, color: bool) -> str:
    """The chart in characters, at most so wide and about so high."""
    import plotille

    figure = plotille.Figure()
    figure.width = max(columns - MARGIN_COLUMNS, MIN_COLUMNS)
    figure.height = max(rows - MARGIN_ROWS, MIN_ROWS)
    figure.with_colors = color
    figure.color_mode = "names"
    figure.x_label, figure.y_label = escape(chart.x_label), escape(chart.y_label)
    span = _span(chart)
    figure.x_ticks_fkt = lambda low, high: _moment(low, span) if chart.x_is_time else _number(low)
    figure.y_ticks_fkt = lambda low, high: _number(low)
    for one in chart.lines:
        xs, ys = _stairs(one) if one.steps else (one.xs, one.ys)
        figure.plot(xs, ys, lc=_NAMES[one.tone] if color else None, label=escape(one.name))
    for bar in chart.bars:
        tone = _NAMES["good" if bar.close >= bar.open else "bad"] if color else None
        middle = bar.x + bar.width / 2
        figure.plot((middle, middle), (bar.low, bar.high), lc=tone)
        for part in (0.3, 0.7):  # two strokes make a body that is wider than its wick
            figure.plot((bar.x + bar.width * part,) * 2, (bar.open, bar.close), lc=tone)
    shown = figure.show(legend=len(chart.lines) > 1)
    return f"{escape(chart.title)}\n{shown}"


def picture(chart: Chart, kind: str) -> bytes:
    """The bytes of a picture. kind: svg or png. Raises UsageError where matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("pictures need matplotlib", hint="pip install 'latentspeed[plot]'") from None
    figure: Any = Figure(figsize=(10, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(_plain(chart.title))
    axes.set_xlabel(_plain(chart.x_label))
    axes.set_ylabel(_plain(chart.y_label))
    axes.grid(visible=True, alpha=0.25)
    for one in chart.lines:
        xs = [_time(x) for x in one.xs] if chart.x_is_time else one.xs
        axes.plot(
            xs,
            one.ys,
            color=_COLORS[one.tone],
            drawstyle="steps-post" if one.steps else "default",
            label=_plain(one.name),
        )
    if len(chart.lines) > 1:
        axes.legend()
    for bar in chart.bars:
        color = _COLORS["good" if bar.close >= bar.open else "bad"]
        middle, day_s = _time(bar.x + bar.width / 2), 86_400
        axes.vlines(middle, bar.low, bar.high, color=color, linewidth=0.8)
        axes.bar(middle, bar.close - bar.open, width=bar.width * 0.7 / day_s, bottom=bar.open, color=color)
    if chart.x_is_time:
        figure.autofmt_xdate()
    out = io.BytesIO()
    canvas = FigureCanvasSVG(figure) if kind == "svg" else FigureCanvasAgg(figure)
    canvas.print_figure(out, format=kind, dpi=DPI)
    return out.getvalue()


_NAMES = {"good": "green", "bad": "red", "neutral": "blue"}
_COLORS = {"good": "#2a8f4f", "bad": "#c0392b", "neutral": "#2c5f9e"}


def _stairs(line: Line) -> tuple[Sequence[float], Sequence[float]]:
    xs, ys = [], []
    for index, (x, y) in enumerate(zip(line.xs, line.ys, strict=True)):
        if index:
            xs.append(x)
            ys.append(line.ys[index - 1])
        xs.append(x)
        ys.append(y)
    return xs, ys


def _span(chart: Chart) -> float:
    """How wide the chart is, in units of x."""
    xs = [x for line in chart.lines for x in line.xs] + [bar.x for bar in chart.bars]
    return max(xs, default=0.0) - min(xs, default=0.0)


def _number(value: float) -> str:
    """A number for a scale, with as many figures as tell something."""
    return f"{value:,.6g}" if abs(value) < 1_000_000 else f"{value:,.0f}"


def _moment(seconds: float, span_s: float) -> str:
    return f"{_time(seconds):%H:%M}" if span_s < 2 * 86_400 else f"{_time(seconds):%m-%d}"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _plain(words: str) -> str:
    """Text of a venue for matplotlib, which would read formulas between dollar signs."""
    return escape(words).replace("$", r"\$")
