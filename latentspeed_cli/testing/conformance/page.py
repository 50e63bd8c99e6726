"""docs/conformance.md: what every connector is held to. Generated from the cases' own words."""

from __future__ import annotations

from types import ModuleType

from . import CASES, MODULES
from .case import cases_of

_HEAD = """# Conformance

What every connector is held to, bundled or not: {count} cases, run against its venue's model on the local exchange,
through the same API that programs use. They are part of the product; a connector's test file says which venue it is,
and nothing else:

```python
from latentspeed_cli.testing.conformance import suite

TestConformance = suite("myvenue")
```

What a connector does not offer, by its `ConnectorSpec`, must be refused before anything is sent; that is what a case
checks then, and none is left out. A case's number stays its own for ever."""

_TABLE = ("| | case | what it proves | what it holds |", "|---|---|---|---|")


def page() -> str:
    """The page, as Markdown."""
    parts = [_HEAD.format(count=len(CASES))]
    for module in MODULES:
        rows = [
            f"| {case.number} | {case.title.capitalize()} | {case.proves} | {case.holds} |" for case in cases_of(module)
        ]
        parts += ["", f"## {_first_line(module).rstrip('.')}", "", *_TABLE, *rows]
    return "\n".join(parts) + "\n"


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").splitlines()[0]
