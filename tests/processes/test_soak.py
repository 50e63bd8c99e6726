"""benchmarks/soak.py for some seconds: the commands as processes, real trading, connections that are cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import VENUES

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"
WORDS = ("--duration", "8s", "--cut-every", "4s", "--rate", "200", "--orders", "4")


def _with(folder: str) -> str:
    return os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), folder)))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it reads memory from /proc")
@pytest.mark.parametrize("venue", VENUES)
def test_nothing_private_is_lost_while_connections_are_cut(venue: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SOAK), "--venue", venue, *WORDS],
        # Its own folder is hidden from it where PYTHONSAFEPATH is set.
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": _with(str(SOAK.parent))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert said["whole"], said
    assert done.returncode == 0
    assert said["unproven"] == []
    assert said["cuts"] == 2
    assert said["fills"]["told"] == said["fills"]["at_venue"] > 5
    assert said["orders"]["told"] > 5
    assert said["positions"]["told"] > 0
    for name in ("account", "markets"):
        assert said["commands"][name]["controls"]["reconnected"] == 2
