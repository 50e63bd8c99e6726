"""The list of cases is whole, its page is what it says, and the cases bite."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentspeed_cli.testing.conformance import CASES
from latentspeed_cli.testing.conformance.account_cases import _unused
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
