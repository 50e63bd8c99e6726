"""One account by every source of its key; published keys only where they belong; and the README's profiles."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from eth_account import Account
from latentspeed_dydx_v4 import plugin
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, MNEMONICS, PRIVATE_KEYS

from latentspeed_cli import config, keys, session
from latentspeed_cli.errors import CredentialError
from latentspeed_cli.keys import KeySource, Secret
from latentspeed_cli.main import VERBS

README = Path(__file__).parents[3] / "plugins" / "dydx_v4" / "README.md"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def address(source: KeySource, environ: dict[str, str] | None = None) -> str:
    return DydxV4Auth(DydxV4Config(key=keys.load(source, environ or {}))).owner


def test_every_source_is_the_same_account(tmp_path: Path) -> None:
    words, private, password = MNEMONICS[2], PRIVATE_KEYS[2], "correct horse"
    store = json.dumps(Account.encrypt(bytes.fromhex(private), password, kdf="pbkdf2", iterations=10))
    files = {
        name: KeySource(kind="file", name=str(write(tmp_path / name, text)))
        for name, text in {"words": words + "\n", "lines": words.replace(" ", "\n"), "key": f"0x{private}"}.items()
    }
    assert {address(source) for source in files.values()} == {ADDRESSES[2]}
    for name, text in (("LATENTSPEED_DYDX_V4_MNEMONIC", words), ("LATENTSPEED_DYDX_V4_KEY", private)):
        source = keys.choose(None, plugin.SPEC.key_variables, {name: text})
        assert address(source, {name: text}) == ADDRESSES[2]
    keystore = KeySource(kind="keystore", name=str(write(tmp_path / "store", store)))
    environ = {keys.PASSWORD_VARIABLE: str(write(tmp_path / "password", password))}
    assert address(keystore, environ) == ADDRESSES[2]


@pytest.mark.parametrize("network", ["testnet", "mainnet"])
def test_published_keys_are_refused_elsewhere_in_every_form(network: str) -> None:
    for words, private in zip(MNEMONICS, PRIVATE_KEYS, strict=True):
        for text in (words, private, f"0x{private}"):
            with pytest.raises(CredentialError, match="published") as caught:
                DydxV4Auth(DydxV4Config(network=network, key=Secret(text)))
            assert private not in f"{caught.value} {caught.value.hint}"
            assert words not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 64,
        "f" * 64,
        "zz" * 32,
        "legal winner thank year wave sausage worth useful legal winner thank xellow",
        "legal winner thank year wave sausage worth useful legal winner thank thank",
        "legal winner thank year wave sausage worth useful legal winner thank",
        "Legal Winner Thank Year Wave Sausage Worth Useful Legal Winner Thank Yellow",
    ],
)
def test_what_is_no_key_is_not_repeated(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        DydxV4Auth(DydxV4Config(network="testnet", key=Secret(text)))
    if text:
        assert text not in f"{caught.value} {caught.value.hint}"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_readme_s_profiles_are_what_the_connector_takes(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    environ = {"LATENTSPEED_CONFIG": str(write(tmp_path / "config.toml", text)), "LATENTSPEED_STATE_DIR": str(tmp_path)}
    for name, profile in tomllib.loads(text)["profiles"].items():
        found = config.resolve({"profile": name}, environ)
        assert (found.venue, found.network) == ("dydx_v4", profile["network"])
        assert str(found.key) == profile["key"]
        place = session.Place(base_url=found.base_url, instance="", account=found.account, key=None)
        made = session._plugin_config(plugin.SPEC, found, place)
        for setting in ("account", "base_url", "ws_url", "node_url", "nonces"):
            assert getattr(made, setting) == profile.get(setting, getattr(DydxV4Config(), setting))
        assert (made.subaccount, made.authenticator) == (
            int(profile.get("subaccount", 0)),
            int(profile["authenticator"]) if "authenticator" in profile else None,
        )


def test_the_readme_s_commands_name_its_profiles() -> None:
    profiles = tomllib.loads(blocks("toml")[0])["profiles"]
    lines = [line.split() for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 3
    for program, verb, *rest in lines:
        assert (program, verb in VERBS) == ("latentspeed", True)
        profile = profiles[rest[rest.index("-p") + 1]]
        assert ("--network" in rest) == (profile["network"] == "mainnet")


def test_the_readme_names_every_variable() -> None:
    named = set(re.findall(r"`(LATENTSPEED_\w+)`", README.read_text()))
    assert named == {*plugin.SPEC.key_variables, keys.PASSWORD_VARIABLE, "LATENTSPEED_CONFIG"}
