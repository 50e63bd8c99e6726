"""Connectors are found by metadata alone, loaded one by one, and a broken one stops no other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latentspeed_cli import plugins
from latentspeed_cli.errors import PluginError
from latentspeed_cli.hookspecs import API_VERSION

GOOD = """
from latentspeed_cli.hookspecs import ConnectorSpec, hookimpl

@hookimpl
def latentspeed_connector_spec():
    return ConnectorSpec(
        name="{name}", title="Third", api_version={api}, config_type=dict, networks=("sandbox",),
        order_types=("limit",), tifs=("gtc",), capabilities=(), channels=("book",),
    )
"""
ALL_HOOKS = GOOD + "".join(
    f"\n@hookimpl\ndef {name}():\n    return None\n" for name in plugins.HOOKS if name != "latentspeed_connector_spec"
)
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution as pip would leave it: two text files and a module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def install(
        name: str, source: str, *, distribution: str = "third-party", api: int = API_VERSION, target: str | None = None
    ) -> None:
        module = target or f"connector_{name}_{distribution}".replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(source.replace("{name}", name).replace("{api}", str(api)))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\nSummary: A connector\n"
        )
        with (info / "entry_points.txt").open("a") as file:
            if file.tell() == 0:
                file.write("[latentspeed.connectors]\n")
            file.write(f"{name} = {module}\n")
        plugins.discover.cache_clear()

    yield install
    plugins.discover.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


def found(name: str) -> plugins.PluginInfo:
    return next(info for info in plugins.discover() if info.name == name)


def test_listing_imports_nothing(install: Install) -> None:
    install("third", "raise SystemExit('imported')")
    info = found("third")
    assert (info.distribution, info.version, info.summary, info.problem) == ("third-party", "1.2", "A connector", None)
    assert info.target not in sys.modules


def test_a_third_party_connector_loads(install: Install) -> None:
    install("third", ALL_HOOKS)
    loaded = plugins.load("third")
    assert (loaded.spec.name, loaded.spec.title) == ("third", "Third")
    assert loaded.hook.latentspeed_connector_spec().channels == ("book",)
    assert plugins.missing_hooks(loaded) == ()


def test_missing_hooks_are_named(install: Install) -> None:
    install("third", GOOD)
    assert "latentspeed_auth" in plugins.missing_hooks(plugins.load("third"))


@pytest.mark.parametrize(
    ("source", "api", "says"),
    [
        ("import nothing_of_that_name", API_VERSION, "ModuleNotFoundError"),
        ("raise RuntimeError('boom')", API_VERSION, "boom"),
        ("raise SystemExit(3)", API_VERSION, "SystemExit"),
        ("def broken(", API_VERSION, "SyntaxError"),
        ("x = 1", API_VERSION, "describe"),
        (GOOD, API_VERSION + 1, f"{API_VERSION + 1}"),
        (GOOD.replace('"{name}"', '"other"'), API_VERSION, "other"),
        (GOOD + "\n@hookimpl\ndef latentspeed_unheard_of():\n    pass\n", API_VERSION, "unheard_of"),
        (GOOD + "\n@hookimpl\ndef latentspeed_auth(config, wrong):\n    pass\n", API_VERSION, "wrong"),
        (GOOD.replace("return", "raise ValueError('no good')\n    return"), API_VERSION, "no good"),
        (GOOD.split("return")[0] + "return 5\n", API_VERSION, "describe"),
    ],
)
def test_a_broken_connector_says_why_and_stops_no_other(install: Install, source: str, api: int, says: str) -> None:
    install("broken", source, api=api)
    install("sound", ALL_HOOKS, distribution="other-party")
    with pytest.raises(PluginError, match="broken") as caught:
        plugins.load("broken")
    assert says in str(caught.value)
    assert caught.value.exit_code == 15
    assert plugins.load("sound").spec.name == "sound"


def test_one_name_with_two_targets_is_nobodys(install: Install) -> None:
    install("third", ALL_HOOKS, distribution="one-party")
    install("third", ALL_HOOKS, distribution="two-party")
    with pytest.raises(PluginError) as caught:
        plugins.load("third")
    assert "one-party" in str(caught.value)
    assert "two-party" in str(caught.value)


def test_one_name_with_one_target_is_one_connector(install: Install) -> None:
    install("third", ALL_HOOKS, distribution="one-party", target="connector_shared")
    install("third", ALL_HOOKS, distribution="two-party", target="connector_shared")
    assert plugins.load("third").spec.name == "third"
    assert [info.name for info in plugins.discover()].count("third") == 1


def test_a_name_that_is_not_installed(install: Install) -> None:
    install("third", ALL_HOOKS)
    with pytest.raises(PluginError, match="not installed") as caught:
        plugins.load("nowhere")
    assert "third" in (caught.value.hint or "")


def test_foreign_connectors_do_not_run_on_mainnet(install: Install) -> None:
    install("third", ALL_HOOKS)
    assert "third-party" in (plugins.check_allowed(found("third"), "testnet") or "")
    with pytest.raises(PluginError, match="mainnet"):
        plugins.check_allowed(found("third"), "mainnet")
    bundled = plugins.PluginInfo(name="x", target="x", distribution="latentspeed", version="1", summary="")
    assert plugins.check_allowed(bundled, "mainnet") is None


def test_names_are_those_that_discovery_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert plugins.names() == tuple(info.name for info in plugins.discover())
    text = "[console_scripts]\nx = x:run\n[latentspeed.connectors]\nzeta = zeta\n alpha= alpha : x\n\n[other]\nn = n\n"
    for folder, written in {"a-1.dist-info": text, "b-1.egg-info": text, "c-1.dist-info": "[other]\nno = no\n"}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "entry_points.txt").write_text(written)
    (tmp_path / "d-1.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "nowhere")])
    assert plugins.names() == ("alpha", "zeta")
