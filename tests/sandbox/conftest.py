"""A state folder, an installed counting venue, and real sandbox processes in it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from latentspeed_cli.sandbox import supervisor

COUNTER = Path(__file__).with_name("counter_venue.py")


@pytest.fixture(scope="session")
def counter_venue() -> ModuleType:
    """The module of the counting venue, for tests in this process."""
    spec = importlib.util.spec_from_file_location("counter_venue", COUNTER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with the counting venue in it, on the path of every process started here."""
    folder = tmp_path / "site"
    metadata = folder / "counter_venue-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "counter_venue.py").write_text(COUNTER.read_text())
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counter-venue\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[latentspeed.connectors]\ncounter = counter_venue\n")
    paths = [str(folder), *(path for path in sys.path if path and Path(path).is_dir())]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return folder


@pytest.fixture
def state_dir(tmp_path: Path, site: Path) -> Iterator[Path]:
    """A state folder; a sandbox that still runs in it when the test ends is ended."""
    folder = tmp_path / "state"
    yield folder
    supervisor.stop(folder)
