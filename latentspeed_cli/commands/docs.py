"""`docs TOPIC`: pages that are generated from the code they describe, so that they cannot be out of date."""

from __future__ import annotations

import typer

from ..errors import Exit
from .call import of
from .grammar import VerbCommand, verb_app

app = verb_app("Print help topics.")


def exit_codes_page() -> str:
    """docs/exit-codes.md. Source: errors.Exit."""
    lines = [
        "# Exit codes",
        "",
        "Stable within a major version. 5 wins over every other code when an order may be live.",
        "",
        "| code | name | meaning | same command again? |",
        "|---|---|---|---|",
    ]
    lines += [f"| {item.code} | {item.label} | {item.meaning} | {item.again} |" for item in Exit]
    return "\n".join(lines) + "\n"


@app.command("exit-codes", cls=VerbCommand)
def exit_codes(ctx: typer.Context) -> None:
    """Print the exit codes and what they promise."""
    of(ctx).output.text(exit_codes_page())


@app.callback()
def _group() -> None:
    """Print help topics."""
