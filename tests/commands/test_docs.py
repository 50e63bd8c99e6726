"""Pages and schemas that are generated equal what they are generated from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from latentspeed_cli.commands.docs import exit_codes_page
from latentspeed_cli.errors import Exit
from latentspeed_cli.records import SCHEMAS

from .conftest import Terminal

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_exit_codes_is_the_table() -> None:
    assert (DOCS / "exit-codes.md").read_text() == exit_codes_page(), "latentspeed docs exit-codes > docs/exit-codes.md"


def test_docs_prints_the_page(offline: Terminal) -> None:
    ended = offline.run(["docs", "exit-codes"])
    assert (ended.code, ended.out) == (0, exit_codes_page())
    for item in Exit:
        assert f"| {item.code} | {item.label} |" in ended.out


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_schema_prints_offline(offline: Terminal, name: str) -> None:
    ended = offline.run(["schema", name])
    assert ended.code == 0
    assert name in json.dumps(json.loads(ended.out)["$defs"])


def test_schema_lists_its_records(offline: Terminal) -> None:
    assert offline.run(["schema"]).out.split() == list(SCHEMAS)


def test_connectors_are_listed_described_and_checked(offline: Terminal) -> None:
    [listed] = [item for item in offline.run(["connectors", "list"]).json["items"] if item["name"] == "hyperliquid"]
    assert listed["problem"] is None
    assert offline.run(["connectors", "info", "hyperliquid"]).json["networks"] == ["sandbox", "testnet", "mainnet"]
    [graded] = offline.run(["connectors", "check", "hyperliquid"]).json["items"]
    assert (graded["grade"], graded["problem"]) == ("ok", None)
