"""The list of cases is whole, its page is what it says, and the cases bite."""

from __future__ import annotations

from pathlib import Path

from latentspeed_cli.testing.conformance import CASES
from latentspeed_cli.testing.conformance.page import page

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


def test_cases_are_numbered_without_a_gap() -> None:
    assert [case.number for case in CASES] == [f"C{number:02}" for number in range(1, len(CASES) + 1)]


def test_every_case_says_what_it_proves_and_holds() -> None:
    assert all(case.proves and case.holds for case in CASES)


def test_the_page_lists_the_cases() -> None:
    assert PAGE.read_text() == page(), "make docs"
