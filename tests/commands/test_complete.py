"""What a shell is offered after a tab: from files alone, by a program that imports little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Terminal

# What an answer from files has no use for.
HEAVY = (
    "asyncio",
    "aiohttp",
    "rich",
    "grpc",
    "cosmpy",
    "websockets",
    "latentspeed_cli.records",
    "latentspeed_cli.connector",
)


def offered(words: str, *more: str) -> tuple[list[str], str]:
    """What is offered for the last of these words, and which modules were imported for it."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "latentspeed_cli", *more],
        env={
            **os.environ,
            "_LATENTSPEED_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ended.stdout.split(), ended.stderr


@pytest.fixture
def known(terminal: Terminal) -> Terminal:
    """Somebody who has looked at the markets once."""
    assert terminal.run(["markets", "--limit", "1"]).code == 0
    return terminal


def test_trading_pairs(known: Terminal) -> None:
    found, imported = offered("latentspeed book B")
    assert "BTC-USD" in found
    assert all(pair.startswith("B") for pair in found)
    assert not [name for name in HEAVY if f" {name}\n" in imported]
    assert "ETH-USD" in offered("latentspeed place buy ET")[0]
    assert "ETH-USD" in offered("latentspeed stream book,bbo BTC-USD ET")[0]


@pytest.mark.parametrize("verb", ["stream book", "watch book", "place buy", "orders"])
def test_verbs_of_weight_offer_pairs_as_quickly(known: Terminal, verb: str) -> None:
    found, imported = offered(f"latentspeed {verb} B")
    assert "BTC-USD" in found
    heavy = set(HEAVY) - {"latentspeed_cli.connector"}  # that has the names of channels
    assert not [name for name in heavy if f" {name}\n" in imported]


def test_pairs_are_those_of_the_venue_that_is_meant(known: Terminal) -> None:
    assert offered("latentspeed book -x nowhere B")[0] == []
    assert "BTC-USD" in offered("latentspeed -x hyperliquid book B")[0]


def test_channels_also_behind_a_comma(offline: Terminal) -> None:
    assert "trades" in offered("latentspeed stream tr")[0]
    assert "book,trades" in offered("latentspeed stream book,tr")[0]


def test_open_orders(known: Terminal) -> None:
    there = known.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "id"]).out.strip()
    gone = known.run(["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only", "-o", "id"]).out.strip()
    assert known.run(["cancel", gone]).code == 0
    for verb in ("status", "cancel", "wait"):
        found, imported = offered(f"latentspeed {verb} ")
        assert verb == "status" or not [name for name in HEAVY if f" {name}\n" in imported]
        assert there in found
        assert gone not in found
    assert offered(f"latentspeed cancel {there[:6]}")[0] == [there]


def test_profiles(offline: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[profiles.main]\nvenue = "hyperliquid"\n[profiles.dca]\nvenue = "hyperliquid"\n')
    offline.set("LATENTSPEED_CONFIG", str(path))
    assert offered("latentspeed --profile ")[0] == ["main", "dca"]
    assert offered("latentspeed orders -p d")[0] == ["dca"]


def test_venues(offline: Terminal) -> None:
    found, imported = offered("latentspeed place buy BTC-USD 0.01 -x ")
    assert found == ["dydx_v4", "hyperliquid"]
    assert not [name for name in HEAVY if f" {name}\n" in imported]
    assert "latentspeed_hyperliquid" not in imported
    assert offered("latentspeed --venue hy")[0] == ["hyperliquid"]
    assert offered("latentspeed connectors info d")[0] == ["dydx_v4"]


def test_filters(known: Terminal) -> None:
    assert offered("latentspeed cancel --all --side ")[0] == ["buy", "sell"]
    assert offered("latentspeed fills --side s")[0] == ["sell"]
    assert "BTC-USD" in offered("latentspeed cancel --all --pair B")[0]


def test_trouble_is_silence(offline: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("not toml at all [")
    offline.set("LATENTSPEED_CONFIG", str(path))
    assert offered("latentspeed --profile ")[0] == []
    assert offered("latentspeed book B")[0] == []
    assert offered("latentspeed status ")[0] == []
