"""`doctor`: what it finds wrong on purpose, what it advises, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from latentspeed_cli import config
from latentspeed_cli.commands import doctor, status
from latentspeed_cli.records import json_schema

from ..ended import Ended
from .conftest import Exchange, Terminal


def findings(ended: Ended) -> dict[str, dict[str, Any]]:
    """What was found, by subject; held to its schema."""
    jsonschema.validate(ended.json, json_schema("findings"))
    return {row["subject"]: row for row in ended.json["items"]}


@pytest.mark.parametrize("venue", ["hyperliquid", "dydx_v4"])
def test_a_sound_house_is_all_ok(terminal: Terminal, exchange: Exchange, venue: str) -> None:
    terminal.go_to(exchange.of(venue))
    ended = terminal.run(["doctor", "-o", "json"])
    found = findings(ended)
    assert ended.code == 0
    expected = {"configuration", "disk", "journal", "key", "venue", "clock", "account", "limits", f"plugin {venue}"}
    assert expected <= set(found)
    assert {name: found[name]["verdict"] for name in expected} == dict.fromkeys(expected, "ok")
    assert "limits" in terminal.run(["doctor", "-o", "table"]).out


def test_a_venue_out_of_reach(terminal: Terminal) -> None:
    terminal.set("LATENTSPEED_BASE_URL", "http://127.0.0.1:9")
    ended = terminal.run(["doctor", "-o", "json"])
    found = findings(ended)
    assert ended.code == 8
    assert (found["venue"]["verdict"], found["venue"]["code"]) == ("failed", 8)
    assert found["venue"]["advice"]
    assert "account" not in found


@pytest.mark.parametrize(
    ("subject", "asked"), [("account", "clearinghouseState"), ("limits", "userRateLimit")], ids=["account", "limits"]
)
def test_a_question_that_the_venue_does_not_answer(
    subject: str, asked: str, terminal: Terminal, exchange: Exchange
) -> None:
    exchange.order("status", path="/info", contains=asked, status=503, count=99)
    try:
        ended = terminal.run(["doctor", "-o", "json"])
    finally:
        exchange.order("clear")
    found = findings(ended)
    assert ended.code == 8
    assert (found["venue"]["verdict"], found[subject]["verdict"]) == ("ok", "failed")
    assert found[subject]["advice"] == "check the network, or whether the venue is up", "nothing is wrong with the key"


def test_words_that_do_not_fit(offline: Terminal) -> None:
    ended = offline.run(["doctor", "--network", "moon", "-o", "json"])
    assert ended.code == 2
    assert findings(ended)["configuration"]["advice"] == "known: sandbox, testnet, mainnet"


def test_a_key_that_others_can_read(terminal: Terminal, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0x" + "11" * 32)
    key.chmod(0o644)
    path = tmp_path / "config.toml"
    path.write_text(f'[profiles.main]\nvenue = "hyperliquid"\nnetwork = "testnet"\nkey = "file:{key}"\n')
    terminal.set("LATENTSPEED_CONFIG", str(path))
    terminal.set("LATENTSPEED_NETWORK", "testnet")
    ended = terminal.run(["doctor", "--profile", "main", "-o", "json"])
    found = findings(ended)
    assert ended.code == 7
    assert found["key"]["verdict"] == "failed"


def test_a_clock_that_is_wrong(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(connector: object) -> status.Trip:
        return status.Trip(latency_ms=10, skew_ms=-7_000)

    monkeypatch.setattr(status, "trip_to", late)
    ended = terminal.run(["doctor", "-o", "json"])
    clock = findings(ended)["clock"]
    assert (ended.code, clock["verdict"], clock["code"]) == (13, "failed", 13)
    assert "7000 ms behind" in clock["detail"]
    assert "NTP" in clock["advice"]


def test_little_and_no_room_on_the_disk(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "free_bytes", lambda path: doctor.LITTLE_DISK - 1)
    ended = terminal.run(["doctor", "-o", "json"])
    assert (ended.code, findings(ended)["disk"]["verdict"]) == (0, "warning")
    monkeypatch.setattr(config, "free_bytes", lambda path: doctor.NO_DISK - 1)
    ended = terminal.run(["doctor", "-o", "json"])
    assert (ended.code, findings(ended)["disk"]["verdict"]) == (11, "failed")


def test_a_damaged_journal(terminal: Terminal) -> None:
    state = terminal.home / "state"
    state.mkdir(exist_ok=True)
    (state / "journal-sandbox.db").write_bytes(b"not a journal at all" * 100)
    ended = terminal.run(["doctor", "-o", "json"])
    found = findings(ended)
    assert (ended.code, found["journal"]["verdict"]) == (11, "failed")
    assert "verify" in found["journal"]["advice"]


def test_an_order_whose_outcome_is_open(terminal: Terminal, exchange: Exchange) -> None:
    exchange.order("lose_reply", path="/exchange", count=50)
    for word in ("orderStatus", "penOrders", "userFills"):
        exchange.order("drop_request", path="/info", contains=word, count=50)
    placed = terminal.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--timeout", "1s", "-o", "id"])
    exchange.order("clear")
    assert placed.code == 5
    journal = findings(terminal.run(["doctor", "-o", "json"]))["journal"]
    assert (journal["verdict"], journal["advice"]) == ("warning", "run `latentspeed reconcile`")
    assert terminal.run(["reconcile"]).code == 0
