"""Flags, environment and file become settings in one order of precedence; a wrong word says what was meant."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from latentspeed_cli import config
from latentspeed_cli.config import Settings, check_may_change, check_url, parse_duration, resolve
from latentspeed_cli.errors import ConfigError, GuardRefused, JournalError, UsageError


class Home:
    """A home of its own for one test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {
            "LATENTSPEED_STATE_DIR": str(path / "state"),
            "LATENTSPEED_CACHE_DIR": str(path / "cache"),
        }

    def write(self, text: str, mode: int = 0o600) -> Path:
        file = self.path / "config.toml"
        file.write_text(text)
        file.chmod(mode)
        self.environ["LATENTSPEED_CONFIG"] = str(file)
        return file

    def resolve(self, environ: dict[str, str] | None = None, /, **flags: str) -> Settings:
        return resolve(flags, {**self.environ, **(environ or {})})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return Home(tmp_path)


PROFILES = """
default_profile = "paper"
[profiles.paper]
venue = "hyperliquid"
output = "csv"
[profiles.live]
network = "mainnet"
key = "file:/keys/live"
account = "0x00000000000000000000000000000000000000aa"
subaccount = "0x00000000000000000000000000000000000000bb"
[profiles.live.guards]
max_order_notional = 1000.10
max_day_notional = "5000"
price_band_bps = 200
allow_master_key = true
[profiles.locked]
network = "sandbox"
key = "file:/keys/live"
"""


def test_a_fresh_install_uses_the_sandbox(home: Home) -> None:
    settings = home.resolve()
    assert (settings.venue, settings.network, settings.profile, settings.key) == ("hyperliquid", "sandbox", None, None)
    assert settings.guards.price_band_bps == 5000
    assert not settings.state_dir.exists()


def test_flag_beats_environment_beats_profile_beats_default(home: Home) -> None:
    home.write(PROFILES)
    assert home.resolve().output == "csv"
    assert home.resolve({"LATENTSPEED_OUTPUT": "id"}).output == "id"
    assert home.resolve({"LATENTSPEED_OUTPUT": "id"}, output="json").output == "json"
    assert home.resolve(profile="live").output is None


def test_a_profile_is_read_whole(home: Home) -> None:
    home.write(PROFILES)
    settings = home.resolve(profile="live")
    assert settings.network == "mainnet"
    assert str(settings.key) == "file:/keys/live"
    assert (settings.account or "").endswith("aa")
    assert (settings.vault or "").endswith("bb")
    assert settings.guards.max_order_notional == Decimal("1000.10")
    assert settings.guards.max_day_notional == Decimal(5000)
    assert settings.guards.price_band_bps == 200
    assert settings.guards.allow_master_key


def test_flags_only_tighten_the_guards(home: Home) -> None:
    home.write(PROFILES)
    tight = home.resolve(profile="live", max_notional="10", price_band="50").guards
    loose = home.resolve(profile="live", max_notional="99999", price_band="9000").guards
    assert (tight.max_order_notional, tight.price_band_bps) == (Decimal(10), 50)
    assert (loose.max_order_notional, loose.price_band_bps) == (Decimal("1000.10"), 200)


def test_mainnet_must_be_said_twice(home: Home) -> None:
    home.write(PROFILES)
    check_may_change(home.resolve())
    check_may_change(home.resolve(profile="live", network="mainnet"))
    for settings in (
        home.resolve(profile="live"),
        home.resolve(network="mainnet"),
        home.resolve({"LATENTSPEED_NETWORK": "mainnet"}, profile="live"),
    ):
        with pytest.raises(GuardRefused, match="twice"):
            check_may_change(settings)


def test_the_sandbox_never_gets_a_key_of_the_user(home: Home) -> None:
    home.write(PROFILES.replace('"paper"\n[', '"live"\n[', 1))
    settings = home.resolve(network="sandbox")
    assert (settings.key, settings.account, settings.vault) == (None, None, None)
    for flags in ({"profile": "locked"}, {"profile": "live", "network": "sandbox"}):
        with pytest.raises(GuardRefused, match="sandbox"):
            home.resolve(**flags)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profles = 1", "profiles"),
        ('[profiles.a]\nvenu = "x"', "venue"),
        ("[profiles.a.guards]\nmax_order = 1", "max_order_notional"),
        ('[profiles.a]\nnetwork = "mainet"', "mainnet"),
        ("[profiles.a]\nvenue = 1", "text"),
        ("[profiles]\na = 1", "table"),
        ("default_profile = 1", "name"),
        ("[[[", "TOML"),
        ("\udcff", "TOML"),
        ('default_profile = "paper"\n[profiles.papr]', "papr"),
        ('default_profile = "a"\n[profiles.a.guards]\nmax_order_notional = nan', "number"),
        ('default_profile = "a"\n[profiles.a.guards]\nmax_order_notional = true', "number"),
        ('default_profile = "a"\n[profiles.a.guards]\nprice_band_bps = 0', "above"),
        (f'default_profile = "a"\n[profiles.a]\nkey = "{"11" * 32}"', "key source"),
    ],
)
def test_a_wrong_word_in_the_file_is_named_with_the_right_one(home: Home, text: str, says: str) -> None:
    file = home.path / "config.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    file.chmod(0o600)
    home.environ["LATENTSPEED_CONFIG"] = str(file)
    with pytest.raises(ConfigError) as caught:
        home.resolve()
    message = f"{caught.value} {caught.value.hint}"
    assert says in message
    assert "11" * 32 not in message


def test_a_file_that_is_no_file_of_ours_is_refused(home: Home) -> None:
    file = home.write("")
    for mode in (0o606, 0o666, 0o602):
        file.chmod(mode)
        with pytest.raises(ConfigError, match="everybody"):
            home.resolve()
    pipe, link = home.path / "pipe", home.path / "link"
    os.mkfifo(pipe)
    link.symlink_to(home.path / "nowhere")
    for path in (home.path, pipe, link, home.path / "missing"):
        with pytest.raises(ConfigError):
            home.resolve({"LATENTSPEED_CONFIG": str(path)})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(home: Home) -> None:
    os.chown(home.write(""), 12345, -1)
    with pytest.raises(ConfigError, match="another user"):
        home.resolve()


def test_without_a_home_there_is_no_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("XDG_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(JournalError):
        resolve({}, {})


def test_a_state_folder_that_cannot_be_made_is_exit_11(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError):
        config.ensure_folder(tmp_path / "file" / "state")
    made = config.ensure_folder(tmp_path / "state")
    assert made.stat().st_mode & 0o777 == 0o700


def test_addresses_of_ones_own(home: Home) -> None:
    url = {"LATENTSPEED_BASE_URL": "http://127.0.0.1:3001/"}
    assert home.resolve(url, network="sandbox").base_url == "http://127.0.0.1:3001"
    assert home.resolve({**url, "LATENTSPEED_NETWORK": "sandbox"}).base_url == "http://127.0.0.1:3001"
    with pytest.raises(ConfigError, match="network"):
        home.resolve(url)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://example.com", GuardRefused),
        ("http://127.0.0.1.example.com", GuardRefused),
        ("http://localhost.example.com", GuardRefused),
        ("https://user:secret@example.com", ConfigError),
        ("http://secret@127.0.0.1", ConfigError),
        ("ftp://example.com", ConfigError),
        ("https://", ConfigError),
        ("example.com", ConfigError),
        ("https://example.com:999999", ConfigError),
        ("https://example.com/?key=secret", ConfigError),
    ],
)
def test_unusable_addresses(url: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "flags", [{"venue": "Hyper-Liquid"}, {"venue": ""}, {"venue": "../x"}, {"network": "main"}, {"output": "xml"}]
)
def test_words_that_are_none_of_ours(home: Home, flags: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        home.resolve(**flags)


def test_durations() -> None:
    assert [parse_duration(text, "--x") for text in ("90s", "500ms", "10m", "1h", "2d", "15", "1.5s")] == [
        90,
        0.5,
        600,
        3600,
        172800,
        15,
        1.5,
    ]
    for text in ("", "0", "-1s", "-0", "1w", "1e3", "\uff11s", "s", "99999999999s", "nan"):
        with pytest.raises(UsageError):
            parse_duration(text, "--x")


NODE = '[profiles.a]\nvenue = "dydx_v4"\nnetwork = "testnet"\n'


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('node_url = "https://node.example:443"', ConfigError),
        ('node_url = "node.example"', ConfigError),
        ('node_url = "user:secret@node.example:443"', ConfigError),
        ('node_url = "node.example:0"', ConfigError),
        ('node_url = "node.example:70000"', ConfigError),
        ('ws_url = "https://indexer.example"', ConfigError),
        ('ws_url = "wss://user:secret@indexer.example"', ConfigError),
        ('ws_url = "ws://indexer.example/v4/ws"', GuardRefused),
    ],
)
def test_other_addresses_are_as_strict_as_the_base_url(home: Home, line: str, kind: type[Exception]) -> None:
    home.write(NODE + line)
    with pytest.raises(kind) as caught:
        home.resolve(profile="a")
    assert "secret" not in str(caught.value)


def test_a_profiles_addresses_are_those_of_its_network(home: Home) -> None:
    lines = ['base_url = "https://a.example"', 'ws_url = "wss://a.example/ws/"', 'node_url = "[::1]:9090"']
    home.write(NODE + "\n".join([*lines, 'nonces = "sequence"', 'authenticator = "7"']))
    there = home.resolve(profile="a")
    assert there.base_url == "https://a.example"
    assert there.venue_options == {
        "ws_url": "wss://a.example/ws",
        "node_url": "[::1]:9090",
        "nonces": "sequence",
        "authenticator": "7",
    }
    elsewhere = home.resolve(profile="a", network="mainnet")
    assert (elsewhere.base_url, elsewhere.venue_options) == (None, {"nonces": "sequence", "authenticator": "7"})
    rehearsed = home.resolve(profile="a", network="sandbox")
    assert (rehearsed.base_url, rehearsed.venue_options) == (None, {"nonces": "sequence"})
    for_another = home.resolve(profile="a", network="sandbox", account="dydx1x")
    assert for_another.venue_options == {"nonces": "sequence", "authenticator": "7"}
