"""The examples of docs/reading.md run as written, on one fresh sandbox, and its tables tell all there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from latentspeed_cli.commands.stream_records import RECORDS
from latentspeed_cli.commands.watch import VIEWS

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"


def examples() -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_there_are_examples() -> None:
    assert len(examples()) > 20


@pytest.mark.parametrize("venue", ["hyperliquid", "dydx_v4"])
@pytest.mark.parametrize("line", examples())
def test_an_example_runs(line: str, venue: str, environment: dict[str, str]) -> None:
    here = {**environment, "LATENTSPEED_VENUE": venue}
    done = subprocess.run(["bash", "-eu", "-c", line], env=here, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_page_names_every_channel_and_every_view() -> None:
    page = PAGE.read_text()
    for channel, records in RECORDS.items():
        (row,) = [line for line in page.splitlines() if re.match(rf"\| .*`{channel.value}`.* \| `", line)]
        assert all(f"`{record.__struct_config__.tag}`" in row for record in records)
    (views,) = re.findall(r"up to date: `([a-z ]+)`", page)
    assert views.split() == list(VIEWS)
