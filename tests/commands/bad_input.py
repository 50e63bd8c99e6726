"""The table of bad input: read from bad_input.toml, and the page that docs show of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from latentspeed_cli.hostile import escape

VENUES = ("hyperliquid", "dydx_v4")
# Where changes are sent to.
SUBMIT = {"hyperliquid": "/exchange", "dydx_v4": "/cosmos.tx.v1beta1.Service/BroadcastTx"}
TABLE = Path(__file__).with_name("bad_input.toml")
PAGE = Path(__file__).parents[2] / "docs" / "bad-input.md"


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row; what each field means stands at the top of bad_input.toml."""

    row: int
    verb: str
    cause: str
    run: list[str]
    exit: int
    says: str = ""
    sends: bool = False
    config: str | None = None
    config_mode: str = "0600"
    config_is: str = "file"
    env: dict[str, str] = {}
    files: dict[str, tuple[str, str]] = {}
    stdin: str = ""
    before: list[list[str]] = []
    trouble: list[tuple[str, dict[str, Any]]] = []
    scene: str = ""
    after: list[tuple[str, dict[str, Any]]] = []
    test: str = ""
    only: str | None = None
    why: str = ""
    dydx_v4: dict[str, Any] = {}

    @property
    def venues(self) -> tuple[str, ...]:
        return VENUES if self.only is None else (self.only,)

    def at(self, venue: str) -> Case:
        """The case as it is tried at a venue."""
        own = self.dydx_v4 if venue == "dydx_v4" else {}
        return msgspec.convert({**msgspec.to_builtins(self), **own}, Case)


def cases() -> list[Case]:
    """The table. Raises ValueError where a row leaves a venue out and does not say why."""
    found = msgspec.convert(tomllib.loads(TABLE.read_text())["case"], list[Case])
    for case in found:
        if (case.only is None) is bool(case.why) or case.only not in (None, *VENUES):
            raise ValueError(f"row {case.row}, {case.cause}: `only` names a venue, and `why` says why")
    return found


def page() -> str:
    """docs/bad-input.md."""
    lines = [
        "# Bad input",
        "",
        "What the command line does with what it cannot use. Every row is a test on every venue it names; where the",
        "exit code is not 0 or 5, nothing of it rests at the venue, and no message shows a key. The codes:",
        "[exit-codes.md](exit-codes.md).",
        "",
        "| verb | cause | example | exit | venue |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {case.verb} | {case.cause} | {_example(case)} | {case.exit} | {_where(case)} |" for case in cases()]
    return "\n".join(lines) + "\n"


def _where(case: Case) -> str:
    return "both" if case.only is None else f"{case.only}: {case.why}"


def _example(case: Case) -> str:
    words = [word if word and " " not in word else f"'{word}'" for word in case.run]
    return f"`{escape(' '.join(words)).replace('|', chr(92) + '|')}`"


if __name__ == "__main__":
    PAGE.write_text(page())
