"""`connectors list|info|check`: what is installed, from metadata; what it says; whether it keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .. import plugins
from ..errors import Exit, LatentspeedError, PluginError
from ..records import ConnectorCheckList, ConnectorCheckRecord, ConnectorInfoRecord, ConnectorList, ConnectorRecord
from .call import of
from .grammar import VerbCommand, complete_venue, verb_app

if TYPE_CHECKING:
    from ..plugins import PluginInfo

app = verb_app("Show and check installed connectors.")


@app.command("list", cls=VerbCommand)
def list_connectors(ctx: typer.Context) -> None:
    """List installed connectors.

    From package metadata; nothing is imported.
    """
    output = of(ctx).show_as(ConnectorRecord)
    output.show(ConnectorList(items=tuple(_row(info) for info in plugins.discover())))


@app.command("info", cls=VerbCommand)
def info(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Connector, as in `connectors list`.", autocompletion=complete_venue)],
) -> None:
    """Show what a connector says about itself."""
    output = of(ctx).show_as(ConnectorInfoRecord)
    loaded = plugins.load(name)
    spec = loaded.spec
    output.show(
        ConnectorInfoRecord(
            name=spec.name,
            title=spec.title,
            distribution=loaded.info.distribution,
            version=loaded.info.version,
            target=loaded.info.target,
            api_version=spec.api_version,
            connector_type=spec.connector_type,
            networks=spec.networks,
            order_types=spec.order_types,
            tifs=spec.tifs,
            channels=spec.channels,
            capabilities=spec.capabilities,
            key_variables=spec.key_variables,
        )
    )


@app.command("check", cls=VerbCommand)
def check(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Connectors; all of them without a name.", autocompletion=complete_venue
        ),
    ] = None,
) -> Exit:
    """Load connectors and grade each. A broken one is exit 15, and the others are graded all the same."""
    output = of(ctx).show_as(ConnectorCheckRecord)
    installed = {known.name: known for known in plugins.discover()}
    wanted = names or list(installed)
    missing = [name for name in wanted if name not in installed]
    grades = tuple(_grade(installed[name]) for name in wanted if name in installed)
    broken = [grade.name for grade in grades if grade.grade == "broken"]
    output.show(ConnectorCheckList(items=grades), ok=not broken)
    if missing:
        plugins.find(missing[0])
    if broken:
        raise PluginError(f"broken: {', '.join(broken)}")
    return Exit.OK


def _row(info: PluginInfo) -> ConnectorRecord:
    return ConnectorRecord(
        name=info.name,
        distribution=info.distribution,
        version=info.version,
        summary=info.summary,
        target=info.target,
        problem=info.problem,
    )


def _grade(info: PluginInfo) -> ConnectorCheckRecord:
    """Load one connector. ok: it loads, speaks our API version and implements every hook."""
    api_version: int | None = None
    hooks = 0
    problem: str | None = None
    try:
        loaded = plugins.load(info.name)
    except LatentspeedError as error:
        problem = str(error)
    else:
        api_version = loaded.spec.api_version
        missing = plugins.missing_hooks(loaded)
        hooks = len(plugins.HOOKS) - len(missing)
        if missing:
            problem = "does not implement " + ", ".join(missing)
    return ConnectorCheckRecord(
        name=info.name,
        distribution=info.distribution,
        version=info.version,
        api_version=api_version,
        grade="broken" if problem else "ok",
        hooks=hooks,
        problem=problem,
    )
