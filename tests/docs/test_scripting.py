"""docs/scripting.md tells every fault that can be rehearsed, in the program's own words."""

from __future__ import annotations

from pathlib import Path

from latentspeed_cli.sandbox.rehearsal import FAULTS

PAGE = Path(__file__).parents[2] / "docs" / "scripting.md"


def test_the_table_of_faults_is_the_programs() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {fault.help} |" for name, fault in FAULTS.items()]
