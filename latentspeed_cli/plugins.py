"""Connectors as plugins: discovery reads package metadata only, loading imports one connector and nothing else.

A broken connector is a PluginError with its cause; it never stops another one. The library that reads metadata is
imported where it is used: a shell that completes venues does not wait for it.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pluggy

from .errors import PluginError
from .hookspecs import API_VERSION, ENTRY_POINT_GROUP, PROJECT, ConnectorHooks, ConnectorSpec

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

BUNDLE = "latentspeed"  # the distribution whose connectors need no allow-list on mainnet
HOOKS = tuple(name for name in vars(ConnectorHooks) if name.startswith(f"{PROJECT}_"))


class PluginInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One installed connector, from metadata. target: "package.module". problem: why it cannot be loaded, or None."""

    name: str
    target: str
    distribution: str
    version: str
    summary: str
    problem: str | None = None


class LoadedPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """A connector in a plugin manager of its own. hook: calls its hookimpls by name."""

    info: PluginInfo
    spec: ConnectorSpec
    hook: pluggy.HookRelay


@lru_cache(maxsize=1)
def discover() -> tuple[PluginInfo, ...]:
    """All installed connectors by name, imported by nobody.

    Two entry points of one name and one target are one connector (a bundle and the same connector installed alone);
    with different targets the name is a problem that load() raises, since neither can be meant for sure.
    """
    from importlib.metadata import distributions

    found: dict[str, list[PluginInfo]] = {}
    seen: set[tuple[str, str]] = set()
    for distribution in distributions():
        for point in _points(distribution):
            info = _info(point, distribution)
            # The same distribution twice on the path: Python imports from the first.
            key = (re.sub(r"[-_.]+", "-", info.distribution).lower(), info.name)
            if key not in seen:
                seen.add(key)
                found.setdefault(info.name, []).append(info)
    return tuple(_merged(found[name]) for name in sorted(found))


def names() -> tuple[str, ...]:
    """Names of the installed connectors, sorted: what discover() finds in folders, within a few milliseconds."""
    found: set[str] = set()
    for folder in sys.path:
        try:
            inside = os.listdir(folder or ".")
        except OSError:
            continue
        for name in inside:
            if name.endswith((".dist-info", ".egg-info")):
                found.update(_named(Path(folder, name, "entry_points.txt")))
    return tuple(sorted(found))


def _named(path: Path) -> list[str]:
    """Names in our group of one distribution's entry points."""
    try:
        text = path.read_text()
    except (OSError, ValueError):
        return []
    if f"[{ENTRY_POINT_GROUP}]" not in text:
        return []
    section = text.split(f"[{ENTRY_POINT_GROUP}]")[1].partition("\n[")[0]
    return [line.partition("=")[0].strip() for line in section.splitlines() if "=" in line]


def find(name: str) -> PluginInfo:
    """The installed connector called `name`. Raises PluginError."""
    for info in discover():
        if info.name == name:
            if info.problem:
                raise PluginError(f"connector {name}: {info.problem}", hint="uninstall one of them")
            return info
    known = ", ".join(info.name for info in discover()) or "none"
    raise PluginError(f"connector {name!r} is not installed", hint=f"installed: {known}")


def load(name: str) -> LoadedPlugin:
    """Import the connector called `name` and check it against the contract. Raises PluginError."""
    from importlib.metadata import EntryPoint

    info = find(name)
    try:
        module = EntryPoint(name=name, value=info.target, group=ENTRY_POINT_GROUP).load()
    except (Exception, SystemExit) as error:  # foreign code: whatever it raises, this connector is broken
        raise PluginError(f"connector {name} failed to load: {_cause(error)}") from error
    manager = pluggy.PluginManager(PROJECT)
    manager.register(module)
    spec = _spec(name, manager)
    try:
        manager.add_hookspecs(ConnectorHooks)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"connector {name} does not keep the contract: {_cause(error)}") from error
    return LoadedPlugin(info=info, spec=spec, hook=manager.hook)


def check_allowed(info: PluginInfo, network: str) -> str | None:
    """Whether this connector may run on `network`: a notice for people, or None. Raises PluginError on mainnet.

    Only connectors of this distribution run on mainnet; code from elsewhere would hold the key.
    """
    if info.distribution == BUNDLE:
        return None
    if network == "mainnet":
        raise PluginError(
            f"connector {info.name} from {info.distribution} {info.version} is not allowed on mainnet",
            hint="only bundled connectors run there",
        )
    return f"connector {info.name} comes from {info.distribution} {info.version}, not from {BUNDLE}"


def missing_hooks(plugin: LoadedPlugin) -> tuple[str, ...]:
    """Names of hooks that a connector does not implement; it must implement all."""
    return tuple(name for name in HOOKS if not getattr(plugin.hook, name).get_hookimpls())


def _spec(name: str, manager: pluggy.PluginManager) -> ConnectorSpec:
    """What the connector says about itself, asked before it is held to our hooks: its version explains the rest."""
    caller = getattr(manager.hook, "latentspeed_connector_spec", None)
    try:
        answers = caller() if caller is not None else []
    except Exception as error:  # foreign code, as above
        raise PluginError(f"connector {name} failed to describe itself: {_cause(error)}") from error
    if len(answers) != 1 or not isinstance(answers[0], ConnectorSpec):
        raise PluginError(f"connector {name} does not describe itself", hint="it lacks latentspeed_connector_spec")
    spec = answers[0]
    if spec.api_version != API_VERSION:
        raise PluginError(f"connector {name} speaks plugin API {spec.api_version}, this version speaks {API_VERSION}")
    if spec.name != name:
        raise PluginError(f"connector {name} calls itself {spec.name!r}")
    return spec


def _points(distribution: Distribution) -> list[EntryPoint]:
    text = distribution.read_text("entry_points.txt")
    if not text or ENTRY_POINT_GROUP not in text:
        return []
    return [point for point in distribution.entry_points if point.group == ENTRY_POINT_GROUP]


def _info(point: EntryPoint, distribution: Distribution) -> PluginInfo:
    metadata = distribution.metadata
    return PluginInfo(
        name=point.name,
        target=point.value,
        distribution=metadata["Name"] or "unknown",
        version=metadata["Version"] or "unknown",
        summary=metadata["Summary"] or "",
    )


def _merged(infos: list[PluginInfo]) -> PluginInfo:
    first = next((info for info in infos if info.distribution == BUNDLE), infos[0])
    if len({info.target for info in infos}) == 1:
        return first
    owners = " and ".join(f"{info.distribution} ({info.target})" for info in infos)
    return msgspec.structs.replace(first, problem=f"claimed by {owners}")


def _cause(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
