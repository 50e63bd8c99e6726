"""Who may import whom. The table is the rule; a module that needs more needs another place, not another line here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PRODUCT = "latentspeed_cli"
EVERYWHERE = {"errors"}
SEAMS = {"clock", "entropy"}

# part -> parts of the product it may import
PARTS: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "entropy": set(),
    "hostile": EVERYWHERE,
    "crash": EVERYWHERE | SEAMS | {"hostile"},
    "core": EVERYWHERE | SEAMS,
    "connector": {"core"} | EVERYWHERE | SEAMS,
    "transport": {"core", "connector"} | EVERYWHERE | SEAMS,
    "journal": {"core"} | EVERYWHERE | SEAMS,
    "keys": {"core"} | EVERYWHERE,
    "config": {"core", "keys"} | EVERYWHERE,
    "cache": {"core"} | EVERYWHERE | SEAMS,
    "completion": {"cache", "config", "core", "journal"} | EVERYWHERE | SEAMS,
    "charts": EVERYWHERE | {"hostile"},
    "cursor": {"core"} | EVERYWHERE | SEAMS,
    "records": {"core", "connector", "plugins"} | EVERYWHERE | SEAMS,
    "hookspecs": {"core", "connector", "sandbox"},
    "plugins": {"hookspecs", "core"} | EVERYWHERE,
    "telemetry": EVERYWHERE | SEAMS | {"core", "hostile"},
    "output": {"records", "core", "hostile", "lines"} | EVERYWHERE | SEAMS,
    "lines": {"records"} | EVERYWHERE,
    "live": {"records", "hostile"},
    "sandbox": {"core"} | EVERYWHERE | SEAMS,
    "testing": {"core", "connector", "sandbox", "hookspecs"} | EVERYWHERE | SEAMS,
}
ANYTHING_BUT_COMMANDS = {"session"}
COMMANDS = {"commands", "main", "__main__"}
COMMANDS_MAY_NOT = {"transport", "journal", "cache"}
PLUGINS_MAY = {"core", "connector", "hookspecs", "sandbox", "testing"} | EVERYWHERE | SEAMS
# Composition roots of their own: `python -m latentspeed_cli.sandbox` finds the venue models, and the simulator puts a
# whole product together, with its own sockets, disk and time beneath it (a folder ends with "/"). The conformance cases
# use a connector as programs do.
COMPOSITION_ROOTS = {
    "latentspeed_cli/sandbox/__main__.py": {"plugins"},
    "latentspeed_cli/testing/simulator/": {"journal", "keys", "plugins", "records", "transport"},
    "latentspeed_cli/testing/conformance/ground.py": {"session", "config", "plugins"},
}

# part -> third-party packages it may import
LIBRARIES: dict[str, set[str]] = {
    "core": {"msgspec"},
    "connector": {"msgspec"},
    "transport": {"msgspec", "aiohttp", "websockets", "grpc"},
    "journal": {"msgspec", "apsw"},
    "keys": {"msgspec", "eth_account", "keyring", "coincurve"},
    "config": {"msgspec", "platformdirs"},
    "cache": {"msgspec", "platformdirs"},
    "charts": {"msgspec", "plotille", "matplotlib"},
    "cursor": {"msgspec"},
    "records": {"msgspec"},
    "hookspecs": {"msgspec", "pluggy"},
    "plugins": {"msgspec", "pluggy"},
    "output": {"msgspec", "tabulate"},
    "live": {"msgspec", "rich"},
    "sandbox": {"msgspec", "aiohttp", "multidict", "grpc", "apsw"},
    "crash": {"platformdirs"},
    "session": {"msgspec"},
    "main": {"click", "typer"},
    "commands": {"msgspec", "click", "typer"},
    "testing": {"msgspec", "vcr", "pytest", "aiohttp", "apsw"},
    "plugin": {
        "msgspec",
        "coincurve",
        "Crypto",
        "sha3",
        "eth_account",
        "eth_keys",
        "eth_utils",
        "hexbytes",
        "cosmpy",
        "google",
    },
    "errors": set(),
    "clock": set(),
    "entropy": set(),
}


def part_of(path: str) -> str:
    """`core` for latentspeed_cli/core/ids.py, `plugin:hyperliquid` for a file below plugins/hyperliquid/."""
    pieces = Path(path).parts
    if pieces[0] == "plugins":
        return f"plugin:{pieces[1]}"
    return pieces[1].removesuffix(".py")


def imported(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything imported, in functions and for typing too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *((node.module,) if node.module else ())))
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def faults(path: str, source: str) -> list[str]:
    """What `source`, as the file `path` of the tree, imports against the rules."""
    part = part_of(path)
    pieces = Path(path).with_suffix("").parts
    package = pieces[2:-1] if part.startswith("plugin:") else pieces[:-1]
    found = []
    for line, name in imported(ast.parse(source), package):
        top, _, rest = name.partition(".")
        if top == PRODUCT:
            target = rest.split(".")[0]
            if target not in ("", part, "__version__") and not _may(part, path, target):
                found.append(f"{path}:{line}: {part} imports {target}")
        elif top.startswith("latentspeed_"):
            if part != f"plugin:{top.removeprefix('latentspeed_')}":
                found.append(f"{path}:{line}: {part} imports the plugin {top}")
        elif top not in sys.stdlib_module_names and top != "__future__":
            allowed = LIBRARIES.get("plugin" if part.startswith("plugin:") else part, set())
            if top not in allowed:
                found.append(f"{path}:{line}: {part} imports the library {top}")
    return found


def _may(part: str, path: str, target: str) -> bool:
    if any(path.startswith(root) and target in parts for root, parts in COMPOSITION_ROOTS.items()):
        return True
    if part.startswith("plugin:"):
        return target in PLUGINS_MAY
    if part in ANYTHING_BUT_COMMANDS:
        return target not in COMMANDS
    if part in COMMANDS:
        return target not in COMMANDS_MAY_NOT
    return target in PARTS[part]


def product_files(root: Path) -> list[Path]:
    return sorted([*root.glob("latentspeed_cli/**/*.py"), *root.glob("plugins/*/latentspeed_*/**/*.py")])


def test_every_import_goes_the_way_it_may(root: Path) -> None:
    files = product_files(root)
    assert len(files) > 50
    found = [
        fault
        for path in files
        if path.parent != root / PRODUCT or path.name != "__init__.py"
        for fault in faults(path.relative_to(root).as_posix(), path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("latentspeed_cli/core/ids.py", "import aiohttp"),
        ("latentspeed_cli/core/ids.py", "from ..connector import base"),
        ("latentspeed_cli/core/ids.py", "def f():\n    from ..journal import Journal"),
        ("latentspeed_cli/connector/base.py", "from ..transport.http import HttpTransport"),
        ("latentspeed_cli/session.py", "from .commands import place"),
        ("latentspeed_cli/commands/place.py", "from ..journal import Journal"),
        ("latentspeed_cli/commands/place.py", "import latentspeed_hyperliquid.auth"),
        ("plugins/hyperliquid/latentspeed_hyperliquid/auth.py", "from latentspeed_cli.transport import http"),
        ("plugins/hyperliquid/latentspeed_hyperliquid/sandbox/model.py", "import latentspeed_dydx_v4.auth"),
        ("plugins/hyperliquid/latentspeed_hyperliquid/auth.py", "import hyperliquid"),
    ],
)
def test_the_rule_bites(path: str, source: str) -> None:
    assert len(faults(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("latentspeed_cli/core/ids.py", "import re\nimport msgspec\nfrom ..errors import OrderRefused"),
        ("latentspeed_cli/connector/base.py", "from ..core.flow import Flow\nfrom .auth import Auth"),
        (
            "plugins/hyperliquid/latentspeed_hyperliquid/auth.py",
            "from latentspeed_cli.core import ids\nimport coincurve",
        ),
        (
            "plugins/hyperliquid/latentspeed_hyperliquid/sandbox/model.py",
            "from ..constants import X\nimport eth_account",
        ),
    ],
)
def test_the_rule_lets_good_imports_pass(path: str, source: str) -> None:
    assert faults(path, source) == []


def test_the_sandbox_reads_and_checks_with_code_of_its_own(root: Path) -> None:
    for path in root.glob("plugins/*/latentspeed_*/sandbox/*.py"):
        names = [name for _, name in imported(ast.parse(path.read_text()), path.relative_to(root).parts[2:-1])]
        plugin = path.parents[1].name
        borrowed = [name for name in names if name.startswith(plugin) and not name.startswith(f"{plugin}.sandbox")]
        assert not borrowed, f"{path.name} shares code with the client: {borrowed}"
