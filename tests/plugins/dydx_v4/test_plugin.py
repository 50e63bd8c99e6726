"""The hooks, and how a profile's settings reach the connector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4 import plugin
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_hyperliquid.plugin import SPEC as HYPERLIQUID

from latentspeed_cli import config, session
from latentspeed_cli.errors import ConfigError
from latentspeed_cli.hookspecs import API_VERSION, ConnectorSpec

PROFILE = """
[profiles.desk]
venue = "dydx_v4"
network = "testnet"
account = "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art"
subaccount = "3"
node_url = "node.example:443"
authenticator = "17"
nonces = "sequence"
"""


def settings(folder: Path, profile: str) -> config.Settings:
    path = folder / "config.toml"
    path.write_text(profile)
    environ = {"LATENTSPEED_CONFIG": str(path), "LATENTSPEED_STATE_DIR": str(folder), "HOME": str(folder)}
    return config.resolve({"profile": "desk"}, environ)


def made(found: config.Settings, spec: ConnectorSpec = plugin.SPEC) -> Any:
    place = session.Place(base_url=None, instance="", account=None, key=None)
    return session._plugin_config(spec, found, place)


def test_the_spec_names_what_it_is() -> None:
    spec = plugin.latentspeed_connector_spec()
    assert (spec.name, spec.api_version, spec.config_type) == ("dydx_v4", API_VERSION, DydxV4Config)
    assert "fok" not in spec.tifs


def test_a_profile_s_settings_reach_the_connector(tmp_path: Path) -> None:
    found = made(settings(tmp_path, PROFILE))
    assert isinstance(found, DydxV4Config)
    assert (found.subaccount, found.authenticator, found.nonces, found.node_url) == (
        3,
        17,
        "sequence",
        "node.example:443",
    )
    assert found.acts_for == "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art/3"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('subaccount = "3"', 'subaccount = "three"'),
        ('authenticator = "17"', 'authenticator = ""'),
        ('nonces = "sequence"', 'nonces = "dice"'),
        ('subaccount = "3"', 'subaccount = "-1"'),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ConfigError):
        made(settings(tmp_path, PROFILE.replace(old, new)))


def test_a_setting_that_a_connector_lacks_is_refused_there(tmp_path: Path) -> None:
    found = msgspec.structs.replace(settings(tmp_path, PROFILE), venue="hyperliquid", vault=None)
    with pytest.raises(ConfigError):
        made(found, HYPERLIQUID)


def test_the_sandbox_takes_its_addresses_from_whoever_started_it(tmp_path: Path) -> None:
    found = settings(tmp_path, '[profiles.desk]\nvenue = "dydx_v4"\nnode_url = "node.example:443"\n')
    place = session.Place(
        base_url="http://127.0.0.1:1", instance="x", account=None, key=None, ws_url="ws://127.0.0.1:1", node_url="b:2"
    )
    made_ = session._plugin_config(plugin.SPEC, found, place)
    assert (made_.network, made_.base_url, made_.ws_url, made_.node_url) == (
        "sandbox",
        "http://127.0.0.1:1",
        "ws://127.0.0.1:1",
        "b:2",
    )


async def test_a_sandbox_elsewhere_is_not_named_by_one_address(tmp_path: Path) -> None:
    """It has three, and the keys that are published for one venue are not those of another."""
    environ = {"LATENTSPEED_BASE_URL": "http://127.0.0.1:9", "LATENTSPEED_STATE_DIR": str(tmp_path)}
    found = config.resolve({"venue": "dydx_v4", "network": "sandbox"}, environ)
    with pytest.raises(ConfigError, match="more addresses"):
        async with session.open_connector(found, sign=True):
            pass
