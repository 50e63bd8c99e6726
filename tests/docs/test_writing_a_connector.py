"""The page on writing a connector shows a plugin.py that loads, and a test file that pytest collects."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from latentspeed_cli import plugins

PAGE = Path(__file__).parents[2] / "docs" / "writing_a_connector.md"
CONFIG = """
import msgspec

from latentspeed_cli.connector.auth import Secret


class MyVenueConfig(msgspec.Struct, frozen=True, kw_only=True):
    network: str = "sandbox"
    base_url: str | None = None
    account: str | None = None
    key: Secret | None = None
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_plugin_it_shows_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, test_file = blocks("python")
    (entry_points,) = blocks("toml")
    package = tmp_path / "latentspeed_myvenue"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "config.py").write_text(CONFIG)
    (package / "plugin.py").write_text(plugin)
    metadata = tmp_path / "latentspeed_myvenue-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: latentspeed-myvenue\nVersion: 1.0\n")
    name, target = re.findall(r'^(\w+) = "([\w.]+)"$', entry_points, re.MULTILINE)[0]
    (metadata / "entry_points.txt").write_text(f"[latentspeed.connectors]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.discover.cache_clear()
    try:
        loaded = plugins.load("myvenue")
        assert plugins.missing_hooks(loaded) == ()
        assert loaded.spec.name == name
        compile(test_file, "test_myvenue.py", "exec")
    finally:
        plugins.discover.cache_clear()
        for module in [module for module in sys.modules if module.startswith("latentspeed_myvenue")]:
            del sys.modules[module]


def test_the_files_it_names_are_there() -> None:
    root = PAGE.parents[1]
    named = re.findall(r"`(latentspeed_cli/[\w/]+\.py)`", PAGE.read_text())
    assert named
    assert [name for name in named if not (root / name).exists()] == []
