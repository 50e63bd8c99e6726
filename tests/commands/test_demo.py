"""The tour: on every venue of one local exchange, in tables and in JSON, and loud when something is not as told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.commands import tour
from latentspeed_cli.commands.tour import LIFE, STEPS
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.control_client import ControlClient
from latentspeed_cli.sandbox.home import Options

from .conftest import Terminal

VENUES = ["hyperliquid", "dydx_v4"]
MOST_MS = 20_000  # on a machine that does other things as well; alone, dYdX takes 3 s and Hyperliquid 1


@pytest.fixture(scope="module")
def exchange_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    supervisor.start(folder, Options(port=0, seed=7))
    yield folder
    supervisor.stop(folder)


@pytest.fixture
def at_home(offline: Terminal, exchange_folder: Path) -> Terminal:
    """A command line whose own local exchange has all venues."""
    offline.set("LATENTSPEED_STATE_DIR", str(exchange_folder))
    return offline


@pytest.fixture
def control(exchange_folder: Path) -> Iterator[ControlClient]:
    control = supervisor.control(exchange_folder)
    yield control
    for venue in VENUES:
        control.call(venue, "clear")


def told(record: dict[str, Any]) -> list[str]:
    return [step["told"] for step in record["steps"]]


@pytest.mark.parametrize(
    ("average", "shown"),
    [("84121.05622542595019659239843", "84121.05623"), ("84008", "84008"), ("0.00001", "0.00001"), (None, "0")],
)
def test_an_average_is_shown_to_the_figures_that_people_read(average: str | None, shown: str) -> None:
    assert tour.shown_price(None if average is None else Decimal(average)) == shown


def test_the_tour_shows_the_same_life_on_every_venue(at_home: Terminal) -> None:
    ended = at_home.run(["demo", "-o", "json"])
    assert ended.code == 0, ended.out
    assert ended.json["schema"] == "demos"
    records = ended.json["items"]
    assert [record["venue"] for record in records] == VENUES
    for record in records:
        assert record["held"], told(record)
        assert record["took_ms"] < MOST_MS
        assert len(record["steps"]) == STEPS
        assert all(state in told(record)[4] for state in LIFE)
    titles = [[step["title"] for step in record["steps"]] for record in records]
    assert titles[0] == titles[1]


def test_only_the_name_of_the_venue_differs_between_the_commands(at_home: Terminal) -> None:
    first, second = ([step["command"] for step in record["steps"]] for record in at_home.run(["demo"]).json["items"])
    for number in (0, 1, 4):  # the ones without an id and a price
        assert f"{first[number]} -x dydx_v4" == second[number]


def test_a_venue_that_is_named_is_the_only_one(at_home: Terminal) -> None:
    for venue in VENUES:
        ended = at_home.run(["demo", "-x", venue, "-o", "ndjson"])
        assert (ended.code, ended.json["venue"], ended.json["held"]) == (0, venue, True)


def test_people_see_the_venues_side_by_side(at_home: Terminal) -> None:
    ended = at_home.run(["demo", "-o", "table"])
    assert ended.code == 0, ended.out
    steps = ended.out.split("\n\n")
    assert len(steps) == STEPS + 1
    for number, step in enumerate(steps[:-1], start=1):
        lines = step.strip("\n").split("\n")
        assert lines[0].startswith(f"{number}. ")
        assert [line.split()[0] for line in lines[1::2]] == VENUES
        assert len({line.index("$") for line in lines[1::2]}) == 1
    assert steps[-1].startswith("Done in ")


def test_a_venue_that_refuses_everything_is_told_apart(
    at_home: Terminal, control: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tour, "PATIENCE_S", 0.2)
    monkeypatch.setattr(tour, "TRIES", 1)
    control.call("hyperliquid", "reject", text="Not today", count=4)
    ended = at_home.run(["demo", "-o", "json"])
    assert ended.code == 1
    assert "hyperliquid" in ended.error["message"]
    first, second = ended.json["items"]
    assert (first["held"], second["held"]) == (False, True), ended.out


def test_a_venue_that_cannot_be_reached_does_not_stop_the_other(at_home: Terminal, control: ControlClient) -> None:
    control.call("hyperliquid", "drop_request", path="/info", count=1000)
    ended = at_home.run(["demo", "-o", "table"])
    assert ended.code == 8, ended.err
    assert "replayed: order demo-" in ended.out
    assert "This did not go as it should." in ended.out
