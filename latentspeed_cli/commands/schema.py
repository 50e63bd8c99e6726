"""`schema [NAME]`: the JSON Schema of a record. Needs no network."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from ..core.words import nearest
from ..errors import UsageError
from ..records import SCHEMAS, json_schema
from .call import of
from .grammar import VerbCommand, verb_app

app = verb_app()


def _names(ctx: object, args: object, incomplete: str) -> list[str]:
    return list(SCHEMAS)


@app.command(cls=VerbCommand)
def schema(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Record, as in its `schema` field.", autocompletion=_names)] = None,
) -> None:
    """Print the JSON Schema of a record; without a name, list the records."""
    output = of(ctx).output
    if name is None:
        output.text("\n".join(SCHEMAS))
        return
    if name not in SCHEMAS:
        raise UsageError(f"no record is called {name[:60]!r}", hint=nearest(name, SCHEMAS))
    output.text(msgspec.json.format(msgspec.json.encode(json_schema(name)), indent=2).decode())
