"""What a command imports: people wait for it at every start."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "aiohttp",
    "websockets",
    "grpc",
    "cosmpy",
    "eth_account",
    "coincurve",
    "Crypto",
    "apsw",
    "tabulate",
    "pydantic",
)


def loaded_after(*arguments: str) -> set[str]:
    """Top-level modules in the process after `latentspeed ARGUMENTS` has ended."""
    script = (
        "import sys\n"
        f"sys.argv = ['latentspeed', *{list(arguments)!r}]\n"
        "from latentspeed_cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("LOADED "), done.stderr
    return set(last.split()[1:])


@pytest.mark.parametrize("arguments", [("--help",), ("place", "--help"), ("stream", "--help"), ("--version",)])
def test_help_loads_no_network_and_no_crypto_library(arguments: tuple[str, ...]) -> None:
    loaded = loaded_after(*arguments)
    assert "latentspeed_cli" in loaded
    assert not loaded.intersection(HEAVY)


def test_help_of_the_program_loads_no_connector() -> None:
    loaded = loaded_after("--help")
    assert not {name for name in loaded if name.startswith("latentspeed_") and name != "latentspeed_cli"}


def test_listing_connectors_imports_none() -> None:
    loaded = loaded_after("connectors", "list")
    assert "latentspeed_hyperliquid" not in loaded
    assert not loaded.intersection(HEAVY)
