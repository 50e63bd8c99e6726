"""The simulator bites: every bug of a list is caught by the invariant that is named with it.

`make test` leaves out those whose occasion is rare; `make mutants` plays the whole list.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from latentspeed_cli.core import in_flight_order

from .mutant import Mutant, hunt
from .mutants import MUTANTS
from .page import with_section

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def _marks(mutant: Mutant, venue: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.mutants,) if venue in mutant.rare_on else ()


CASES = [
    pytest.param(mutant, venue, id=f"{mutant.name}-{venue}", marks=_marks(mutant, venue))
    for mutant in MUTANTS
    for venue in mutant.venues
]


@pytest.mark.parametrize(("mutant", "venue"), CASES)
def test_the_simulator_catches(mutant: Mutant, venue: str) -> None:
    found = hunt(mutant, venue)
    assert not found.false_alarms, "without the mutant nothing may break"
    assert found.seed is not None, f"{mutant.caught_by} never broke: {mutant.breaks} Broken were {found.others}"


def test_a_mutant_leaves_nothing_behind() -> None:
    before = vars(in_flight_order)["state_of"]
    [mutant] = [one for one in MUTANTS if one.name == "terminal-reopens"]
    with mutant.made():
        assert vars(in_flight_order)["state_of"] is not before
    assert vars(in_flight_order)["state_of"] is before


def test_the_list_is_long_enough_and_names_are_unique() -> None:
    assert len(MUTANTS) >= 18
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_the_page_lists_them() -> None:
    """`make docs` writes it."""
    page = PAGE.read_text()
    assert with_section(page) == page
