"""The section of docs/reliability.md that lists the mutants. `make docs` writes it anew."""

from __future__ import annotations

import sys
from pathlib import Path

from .mutant import Mutant
from .mutants import MUTANTS

BEGIN, END = "<!-- mutants: written by make docs -->", "<!-- end of mutants -->"
VENUE_WORDS = {"hyperliquid": "Hyperliquid", "dydx_v4": "dYdX"}


def section() -> str:
    """From BEGIN to END, as Markdown."""
    rows = "\n".join(map(_row, MUTANTS))
    plays = sum(len(mutant.venues) for mutant in MUTANTS)
    return f"""{BEGIN}
{len(MUTANTS)} bugs, {plays} hunts. Faults are the kinds that strike in the worlds of a hunt; without any, the bug shows
where nothing goes wrong.

| mutant | what is wrong then | venues | faults | caught by |
|---|---|---|---|---|
{rows}
{END}"""


def _row(mutant: Mutant) -> str:
    venues = ", ".join(VENUE_WORDS[venue] for venue in mutant.venues)
    faults = " ".join(f"`{kind}`" for kind in sorted(mutant.faults))
    return f"| {mutant.name} | {mutant.breaks} | {venues} | {faults} | {mutant.caught_by} |"


def with_section(page: str) -> str:
    """The page with its section as it has to be. Raises ValueError when it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no section of mutants")
    return before + section() + after


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_section(path.read_text()))
