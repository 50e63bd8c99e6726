"""What the README tells people to type works as written, in the README's order, on one fresh sandbox."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def blocks(language: str) -> list[str]:
    """The code blocks of the README that call the program."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in found if "latentspeed " in block]


@pytest.mark.parametrize("block", blocks("bash"), ids=lambda block: block.split("\n", 1)[0][:60])
def test_what_the_readme_shows_runs(block: str, environment: dict[str, str]) -> None:
    done = subprocess.run(["bash", "-eu", "-c", block], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_cron_line_sends_once(environment: dict[str, str]) -> None:
    (block,) = blocks("cron")
    command = block.split(maxsplit=5)[5].replace("\\%", "%").replace("-p dca -n mainnet ", "")
    ids = set()
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-eu", "-c", command.strip() + " -o json --fields client_order_id,exchange_order_id"],
            env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        ids.add(done.stdout)
    assert len(ids) == 1


def test_every_page_the_readme_links_to_exists() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_set_up_commands_are_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"^make (\w+)", README.read_text(), re.MULTILINE)
    assert commands == ["demo", "test"]
    assert all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in commands)
