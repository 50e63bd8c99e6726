"""What is shipped, what is locked, and what must not stand in the tree."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.hookspecs import ENTRY_POINT_GROUP

LOCKS = ("dev", "peers", "peers-plain", "peers-dydx")


def project(path: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(path.read_text())["project"]
    return table


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9_.-]+", requirement)
    assert match
    return match.group().lower().replace("_", "-")


def test_bundled_plugins_stand_alone_and_in_the_bundle(root: Path) -> None:
    bundle = project(root / "pyproject.toml")
    points = bundle["entry-points"][ENTRY_POINT_GROUP]
    plugins = sorted(root.glob("plugins/*/pyproject.toml"))
    assert plugins
    for path in plugins:
        plugin = project(path)
        own = plugin["entry-points"][ENTRY_POINT_GROUP]
        assert own.items() <= points.items(), path
        needs = {name_of(text) for text in plugin["dependencies"]} - {"latentspeed"}
        assert needs <= {name_of(text) for text in bundle["dependencies"]}, path


def test_the_installed_wheel_holds_everything() -> None:
    files = {str(file) for file in distribution("latentspeed").files or ()}
    assert {"latentspeed_cli/py.typed", "latentspeed_hyperliquid/py.typed"} <= files
    assert "latentspeed_hyperliquid/sandbox/model.py" in files
    assert not {file for file in files if file.startswith(("tests/", "docs/", "benchmarks/"))}
    names = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
    assert "hyperliquid" in names


def test_the_wheel_is_built_from_this_tree(root: Path) -> None:
    wheels = list(root.glob("dist/latentspeed-*.whl"))
    if not wheels:
        pytest.skip("not run through make: no wheel was built")
    with zipfile.ZipFile(wheels[0]) as wheel:
        for path in root.glob("latentspeed_cli/**/*.py"):
            assert wheel.read(path.relative_to(root).as_posix()) == path.read_bytes(), path


@pytest.mark.parametrize("name", LOCKS)
def test_locks_have_hashes_and_name_no_index(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(blocks) > 10
    for block in blocks:
        assert re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==\S+", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links| @ ", text)


def test_the_lock_covers_what_the_project_needs(root: Path) -> None:
    text = (root / "requirements" / "dev.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)(?:\[.+\])?==", text, re.MULTILINE))
    needed = {name_of(text) for text in project(root / "pyproject.toml")["dependencies"]}
    assert needed <= locked


def test_no_machine_path_and_no_registry_host_in_the_tree(root: Path) -> None:
    hosts = ["py" + "pi.org", "python" + "hosted", "npm" + "js", "deb." + "debian"]
    forbidden = re.compile(
        "|".join([*map(re.escape, hosts), r"(?<![\w./~-])/(?:" + "|".join(["work", "root", "home"]) + ")/"])
    )
    found = []
    for path in tracked(root):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), 1)
            if forbidden.search(line)
        ]
    assert not found, "\n".join(found)


def tracked(root: Path) -> list[Path]:
    """Files under version control; in an unpacked archive, all but hidden and built ones."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [root / name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]
    hidden = {"dist", "build"}
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") or part in hidden for part in path.relative_to(root).parts)
    ]
