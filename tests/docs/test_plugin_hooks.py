"""docs/plugin_hooks.md tells what hookspecs.py says, no more and no less."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from latentspeed_cli.hookspecs import API_VERSION, ConnectorHooks

PAGE = Path(__file__).parents[2] / "docs" / "plugin_hooks.md"


def hooks_in_code() -> dict[str, tuple[str, str, str]]:
    found = {}
    for name, function in vars(ConnectorHooks).items():
        if name.startswith("latentspeed_"):
            signature = inspect.signature(function)
            arguments = ", ".join(argument for argument in signature.parameters if argument != "self")
            found[name] = (arguments, str(signature.return_annotation), inspect.getdoc(function) or "")
    return found


def hooks_on_page(text: str) -> dict[str, tuple[str, str, str]]:
    rows = re.findall(r"^\| `(\w+)\((.*?)\)` \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    return {name: (arguments, returns, what) for name, arguments, returns, what in rows}


def test_the_page_lists_the_hooks_as_they_are() -> None:
    code = hooks_in_code()
    assert len(code) == 7
    assert hooks_on_page(PAGE.read_text()) == code


def test_the_page_names_the_version() -> None:
    assert f"API version: **{API_VERSION}**" in PAGE.read_text()
