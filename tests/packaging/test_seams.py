"""Time, randomness, ids, sockets and disk are reached only through their seam modules: a simulator can own them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

# what is reached -> the files that may reach it (a folder ends with "/")
SEAMS: dict[str, tuple[str, ...]] = {
    "time": ("latentspeed_cli/clock.py",),
    "randomness": (
        "latentspeed_cli/entropy.py",
        "latentspeed_cli/sandbox/flow.py",
        "latentspeed_cli/testing/simulator/",  # it brings seeded generators
    ),
    "sockets": ("latentspeed_cli/transport/", "latentspeed_cli/sandbox/"),
    "disk": (
        "latentspeed_cli/config.py",
        "latentspeed_cli/keys.py",
        "latentspeed_cli/cache.py",
        "latentspeed_cli/cursor.py",
        "latentspeed_cli/crash.py",
        "latentspeed_cli/plugins.py",
        "latentspeed_cli/journal/",
        "latentspeed_cli/sandbox/",
        "latentspeed_cli/testing/simulator/",  # it is a disk
    ),
    "environment": (
        "latentspeed_cli/config.py",
        "latentspeed_cli/keys.py",
        "latentspeed_cli/crash.py",
        "latentspeed_cli/__init__.py",  # whether this is a completion, before the first import of weight
        "latentspeed_cli/main.py",
        "latentspeed_cli/commands/call.py",
        "latentspeed_cli/transport/grpc.py",  # it keeps the library's own words off stderr
        "latentspeed_cli/sandbox/supervisor.py",  # it keeps the user's keys out of the server's environment
    ),
    "stdout": (
        "latentspeed_cli/output.py",
        "latentspeed_cli/main.py",
        "latentspeed_cli/commands/call.py",
        "latentspeed_cli/testing/simulator/__main__.py",  # a program of its own, for developers
    ),
    "processes": (
        "latentspeed_cli/sandbox/",
        "latentspeed_cli/testing/simulator/campaign.py",  # a world for each core
    ),
}
MODULES = {
    "time": "time",
    "random": "randomness",
    "secrets": "randomness",
    "socket": "sockets",
    "socketserver": "sockets",
    "sqlite3": "disk",
    "apsw": "disk",
    "shutil": "disk",
    "tempfile": "disk",
    "subprocess": "processes",
    "multiprocessing": "processes",
}
CALLS = {
    "datetime.now": "time",
    "datetime.utcnow": "time",
    "datetime.today": "time",
    "date.today": "time",
    "os.urandom": "randomness",
    "uuid.uuid1": "randomness",
    "uuid.uuid4": "randomness",
    "os.getrandom": "randomness",
    "os.open": "disk",
    "os.remove": "disk",
    "os.unlink": "disk",
    "os.replace": "disk",
    "os.rename": "disk",
    "os.makedirs": "disk",
    "open": "disk",
    "os.getenv": "environment",
    "print": "stdout",
    "sys.stdout.write": "stdout",
    "os.fork": "processes",
    "os.kill": "processes",
}
ATTRIBUTES = {"os.environ": "environment", "sys.stdout": "stdout"}
METHODS = {
    "read_text": "disk",
    "read_bytes": "disk",
    "write_text": "disk",
    "write_bytes": "disk",
    "mkdir": "disk",
    "unlink": "disk",
}


def reached(source: str) -> list[tuple[int, str, str]]:
    """(line, seam, how) of everything in `source` that belongs behind a seam."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt | ast.expr):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [(node.module or "").split(".")[0]]
            found += [
                (node.lineno, CALLS[f"{node.module}.{alias.name}"], alias.name)
                for alias in node.names
                if f"{node.module}.{alias.name}" in CALLS
            ]
        else:
            names = []
        found += [(node.lineno, MODULES[name], f"import {name}") for name in names if name in MODULES]
        if isinstance(node, ast.Call):
            how = ast.unparse(node.func)
            if how in CALLS:
                found.append((node.lineno, CALLS[how], how))
            elif isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                found.append((node.lineno, METHODS[node.func.attr], how))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ATTRIBUTES:
            found.append((node.lineno, ATTRIBUTES[ast.unparse(node)], ast.unparse(node)))
    return found


def test_only_the_seam_modules_reach_the_world(root: Path) -> None:
    found = []
    for path in [*root.glob("latentspeed_cli/**/*.py"), *root.glob("plugins/*/latentspeed_*/**/*.py")]:
        name = path.relative_to(root).as_posix()
        found += [
            f"{name}:{line}: {how} reaches {seam}"
            for line, seam, how in reached(path.read_text())
            if not name.startswith(SEAMS[seam])
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "seam"),
    [
        ("import time\ntime.time()", "time"),
        ("from time import monotonic", "time"),
        ("from datetime import datetime\ndatetime.now()", "time"),
        ("import random", "randomness"),
        ("import uuid\nuuid.uuid4()", "randomness"),
        ("from uuid import uuid4", "randomness"),
        ("import os\nos.urandom(8)", "randomness"),
        ("from os import urandom", "randomness"),
        ("import socket", "sockets"),
        ("open('x')", "disk"),
        ("path.write_text('x')", "disk"),
        ("import sqlite3", "disk"),
        ("import os\nos.environ['HOME']", "environment"),
        ("print('x')", "stdout"),
    ],
)
def test_the_lint_bites(source: str, seam: str) -> None:
    assert seam in {found for _, found, _ in reached(source)}


def test_the_lint_lets_pure_code_pass() -> None:
    assert (
        reached(
            "from uuid import uuid5\nimport asyncio\nfrom datetime import datetime\nasyncio.sleep(1)\nreopen('x')\n"
        )
        == []
    )
