"""What the examples of the pages run in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A new user's: nothing configured, a state folder of its own."""
    folder = tmp_path_factory.mktemp("docs")
    environment = {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LATENTSPEED_STATE_DIR": str(folder / "state"),
        "LATENTSPEED_CACHE_DIR": str(folder / "cache"),
    }
    yield environment
    subprocess.run(["latentspeed", "sandbox", "stop"], env=environment, capture_output=True, timeout=30, check=True)
