"""The list of cases is whole, its page is what it says, and the cases bite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from latentspeed_cli.sandbox.faults import AFTER, BEFORE, Fault, Faults
from latentspeed_cli.testing.conformance import CASES
from latentspeed_cli.testing.conformance.account_cases import _unused
from latentspeed_cli.testing.conformance.ground import Ground
from latentspeed_cli.testing.conformance.page import page

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def test_cases_are_numbered_without_a_gap() -> None:
    assert [case.number for case in CASES] == [f"C{number:02}" for number in range(1, len(CASES) + 1)]


def test_every_case_says_what_it_proves_and_holds() -> None:
    assert all(case.proves and case.holds for case in CASES)


def test_the_page_lists_the_cases() -> None:
    assert PAGE.read_text() == page(), "make docs"


@pytest.mark.parametrize(
    ("exchange_order_id", "unused"),
    [
        ("7", "1000000007"),
        ("60000000001", "61000000001"),
        ("d2e79040-13e7-58da-8d87-cd91a9fbdf1e", "d2e79040-13e7-58da-8d87-cd91ba0ce02f"),
    ],
)
def test_an_unused_id_has_the_look_of_a_used_one(exchange_order_id: str, unused: str) -> None:
    assert _unused(exchange_order_id) == unused


class Exchange:
    """The trouble that a local exchange was asked for, and nothing else of it."""

    def __init__(self) -> None:
        self.faults = Faults()

    def call(self, venue: str, command: str, **arguments: object) -> Any:
        if command == "clear":
            self.faults.clear()
        elif command == "pending":
            return self.faults.pending()
        else:
            self.faults.add(command, msgspec.convert(arguments, Fault))
        return None


def test_a_venue_may_take_cancels_at_another_path_than_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange, ground = Exchange(), object.__new__(Ground)
    for name, value in {"venue": "v", "_control": exchange, "_place_path": "/order", "_cancel_path": "/cancel"}.items():
        monkeypatch.setattr(ground, name, value, raising=False)
    ground.trouble("lose_reply", with_cancels=True)
    assert exchange.faults.take(AFTER, "/order", "") is None
    assert exchange.faults.take(AFTER, "/cancel", "") is not None
    assert ground.sent() == 0
    for path, count in (("/order", 2), ("/cancel", 1)):
        for _ in range(count):
            assert exchange.faults.take(BEFORE, path, "") is not None
    assert ground.sent() == 3
