"""`plot`: the numbers behind a chart, the chart in a terminal, and pictures in files."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from latentspeed_cli import charts
from latentspeed_cli.charts import Bar, Chart, Line
from latentspeed_cli.records import json_schema

from ..ended import Ended
from .conftest import Exchange, Terminal

VENUES = ("hyperliquid", "dydx_v4")


def told(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    found: dict[str, Any] = ended.json
    jsonschema.validate(found, json_schema("plot"))
    return found


@pytest.mark.parametrize("venue", VENUES)
def test_the_numbers_behind_each_chart(terminal: Terminal, exchange: Exchange, venue: str) -> None:
    terminal.go_to(exchange.of(venue))
    book = told(terminal.run(["plot", "book", "BTC-USD", "--depth", "5", "-o", "json"]))
    bids, asks = (series["points"] for series in book["series"])
    assert (len(bids), len(asks)) == (5, 5)
    assert [float(amount) for _, amount in asks] == sorted(float(amount) for _, amount in asks)
    assert float(bids[-1][0]) < float(asks[0][0])
    candles = told(terminal.run(["plot", "candles", "BTC-USD", "--interval", "5m", "-o", "json"]))
    assert [series["name"] for series in candles["series"]] == ["open", "high", "low", "close"]
    assert len(candles["series"][0]["points"]) == 60
    funding = told(terminal.run(["plot", "funding", "BTC-USD", "--since", "6h", "-o", "json"]))
    assert len(funding["series"][0]["points"]) == 6
    bought = terminal.run(["place", "buy", "ETH-USD", "0.1", "--type", "market"])
    sold = terminal.run(["place", "sell", "ETH-USD", "0.1", "--type", "market", "--reduce-only"])
    assert (bought.code, sold.code) == (0, 0)
    pnl = told(terminal.run(["plot", "pnl", "ETH-USD", "--since", "1m", "-o", "json"]))
    assert float(pnl["series"][0]["points"][-1][1]) < 0, "a spread and two fees were paid"


@pytest.mark.parametrize("kind", charts.FORMATS)
def test_pictures(terminal: Terminal, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"chart.{kind}"
    drawn = told(terminal.run(["plot", "candles", "ETH-USD", "--to", str(path), "-o", "json"]))
    assert drawn["file"] == str(path)
    start = path.read_bytes()[:100]
    assert start.startswith(b"\x89PNG" if kind == "png" else b"<?xml")


def test_people_are_told_where_the_picture_is_and_not_its_points(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    shown = terminal.run(["plot", "candles", "ETH-USD", "--to", str(path), "-o", "table"]).out
    assert str(path) in shown
    assert "series" not in shown


def test_a_chart_in_the_terminal(terminal: Terminal) -> None:
    shown = terminal.run(["plot", "book", "BTC-USD", "-o", "table"]).out
    assert shown.startswith("BTC-USD book")
    assert "bids" in shown
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 110


def test_words_that_do_not_fit(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.run(["plot", "weather"]).code == 2
    assert terminal.run(["plot", "book"]).code == 2
    for words in (
        ["candles", "BTC-USD", "--depth", "5"],
        ["book", "BTC-USD", "--since", "1h"],
        ["pnl", "--interval", "5m"],
    ):
        assert terminal.run(["plot", *words]).code == 2
    assert terminal.run(["plot", "book", "BTC-USD", "ETH-USD"]).code == 2
    assert terminal.run(["plot", "book", "BTC-USD", "--to", "chart.gif"]).code == 2
    assert terminal.run(["plot", "book", "BTC-USD", "--to", str(tmp_path / "no" / "chart.svg")]).code == 2


def test_without_matplotlib_a_picture_is_refused_with_advice(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    ended = terminal.run(["plot", "book", "BTC-USD", "--to", str(tmp_path / "chart.svg"), "-o", "json"])
    assert ended.code == 2
    assert "latentspeed[plot]" in ended.error["hint"]


def test_an_empty_chart_is_a_chart() -> None:
    empty = Chart(title="nothing", x_label="x", y_label="y", x_is_time=True)
    assert charts.text(empty, columns=60, rows=20, color=False).startswith("nothing")
    assert charts.picture(empty, "svg").startswith(b"<?xml")


def test_words_of_a_venue_are_text() -> None:
    chart = Chart(
        title="$x^2$ \x1b[31m",
        x_label="$",
        y_label="[red]",
        lines=(Line(name="$_a_$", xs=(1.0, 2.0), ys=(1.0, 2.0)),),
        bars=(Bar(x=1.0, width=1.0, open=1.0, high=2.0, low=0.5, close=1.5),),
    )
    assert "\x1b" not in charts.text(chart, columns=60, rows=20, color=False)
    assert charts.picture(chart, "svg").startswith(b"<?xml")
