"""Flags, environment and config.toml -> Settings. Reads files and variables, and nothing else happens.

Precedence: flag > environment > profile > default. A wrong word is exit 2, with the nearest right one.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from .core.decimals import parse
from .core.guards import Guards
from .core.words import nearest
from .errors import ConfigError, GuardRefused, JournalError, OrderRefused, UsageError
from .keys import KeySource

APP = "latentspeed"
NETWORKS = ("sandbox", "testnet", "mainnet")
OUTPUTS = ("table", "json", "ndjson", "csv", "id")
DEFAULT_VENUE = "hyperliquid"
DEFAULT_NETWORK = "sandbox"
DEFAULT_TIMEOUT_S = 15.0
MAX_CONFIG_BYTES = 1024 * 1024
MAX_INPUT_BYTES = 16 * 1024 * 1024
_VENUE = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_DURATION = re.compile(r"(-?[0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?", re.ASCII)
_DURATIONS = "for example 500ms, 90s, 10m"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|::1", re.ASCII)

_TOP_KEYS = ("default_profile", "profiles")
# Settings that some connectors have; a connector that lacks one refuses it.
_VENUE_KEYS = ("node_url", "ws_url", "authenticator", "nonces")
_PROFILE_KEYS = ("venue", "network", "account", "subaccount", "key", "output", "base_url", "guards", *_VENUE_KEYS)
_GUARD_KEYS = ("max_order_notional", "max_day_notional", "price_band_bps", "allow_master_key")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a command needs to know before it looks anything up.

    account: the address the key acts for, None for the key's own. vault: a sub-account or vault of it. key: where the
    profile says its key is; always None on the sandbox, whose own keys are used; sandbox_account says which of them.
    base_url: None for the network's own. mainnet_confirmed: mainnet was said both by the profile and on the command
    line. The folders need not exist yet. venue_options: settings that only some connectors have, as they stand there.
    """

    venue: str
    network: str
    profile: str | None
    account: str | None
    vault: str | None
    key: KeySource | None
    base_url: str | None
    guards: Guards
    output: str | None
    state_dir: Path
    cache_dir: Path
    config_path: Path
    timeout_s: float
    mainnet_confirmed: bool
    sandbox_account: int = 0
    venue_options: dict[str, str] = {}


def resolve(flags: Mapping[str, str | None], environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the options of the command line and the environment.

    flags: venue, network, profile, account, output, timeout, max_notional, price_band; missing or None where not given.
    Raises ConfigError (2), GuardRefused for an unprotected address or a key on the sandbox (13), JournalError where no
    state folder can be found (11).
    """
    environ = os.environ if environ is None else environ
    config_path, content = _content(environ)
    name, profile = _profile(content, flags.get("profile") or environ.get("LATENTSPEED_PROFILE"))

    def value(flag: str, default: str | None = None) -> str | None:
        said = flags.get(flag)
        if said is None:
            said = environ.get(f"LATENTSPEED_{flag.upper()}") or profile.get(flag)
        return default if said is None else said

    venue = value("venue", DEFAULT_VENUE) or ""
    if _VENUE.fullmatch(venue) is None:
        raise UsageError(f"{_shown(venue)} is not the name of a venue", hint="see `latentspeed connectors list`")
    named_network = value("network")
    network = _one_of(named_network or DEFAULT_NETWORK, NETWORKS, "network")
    output = value("output")
    is_home = profile.get("network", network) == network  # the profile's addresses are those of its network
    base_url = environ.get("LATENTSPEED_BASE_URL") or (profile.get("base_url") if is_home else None)
    if base_url is not None:
        base_url = check_url(base_url)
        if named_network is None:
            raise ConfigError(
                "an address of one's own needs a network", hint="say --network, it fixes the signing domain"
            )
    key = _key(profile, name, network, chosen=bool(flags.get("profile") or environ.get("LATENTSPEED_PROFILE")))
    return Settings(
        venue=venue,
        network=network,
        profile=name,
        account=None if network == "sandbox" and flags.get("account") is None else value("account"),
        vault=None if network == "sandbox" else profile.get("subaccount"),
        key=key,
        base_url=base_url,
        guards=_guards(profile.get("guards", {}), flags),
        output=None if output is None else _one_of(output, OUTPUTS, "output"),
        state_dir=_folder(environ, "LATENTSPEED_STATE_DIR", "state"),
        cache_dir=_folder(environ, "LATENTSPEED_CACHE_DIR", "cache"),
        config_path=config_path,
        timeout_s=parse_duration(flags["timeout"] or "", "--timeout") if flags.get("timeout") else DEFAULT_TIMEOUT_S,
        venue_options=_venue_options(profile, network, is_home=is_home, said_account=flags.get("account") is not None),
        mainnet_confirmed=flags.get("network") == "mainnet" and profile.get("network") == "mainnet",
    )


def profile_names(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Names of the profiles of config.toml, in its order. Raises ConfigError for a file that does not fit."""
    _, content = _content(os.environ if environ is None else environ)
    return tuple(content.get("profiles", {}))


def check_may_change(settings: Settings) -> None:
    """Refuse to change anything on mainnet that was not named twice: in the profile and on the command line."""
    if settings.network == "mainnet" and not settings.mainnet_confirmed:
        raise GuardRefused(
            "mainnet must be said twice: in the profile and on the command line",
            hint='network = "mainnet" in the profile, and --network mainnet with the command',
        )


def ensure_folder(path: Path) -> Path:
    """`path` as a folder only we can enter, made when missing. Raises JournalError (11)."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        usable = os.access(path, os.R_OK | os.W_OK | os.X_OK)
    except OSError as error:
        raise JournalError(
            f"folder {path} cannot be made: {error.strerror}", hint="set LATENTSPEED_STATE_DIR"
        ) from None
    if not usable:
        raise JournalError(f"folder {path} is not writable", hint="set LATENTSPEED_STATE_DIR")
    return path


def free_bytes(path: Path) -> int:
    """How much may still be written where `path` is. Raises JournalError."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise JournalError(f"the disk of {path} cannot be looked at: {error.strerror}") from None
    return found.f_bavail * found.f_frsize


def read_input(name: str) -> bytes:
    """The bytes of a file a command was given, or of stdin for "-". Raises OrderRefused (3): nothing was sent."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
        else:
            with Path(name).expanduser().open("rb") as file:
                data = file.read(MAX_INPUT_BYTES + 1)
    except (OSError, AttributeError) as error:  # stdin may be closed, and is None then
        raise OrderRefused(f"{name} cannot be read: {getattr(error, 'strerror', None) or 'it is closed'}") from None
    if len(data) > MAX_INPUT_BYTES:
        raise OrderRefused(f"{name} is larger than {MAX_INPUT_BYTES // 1024 // 1024} MB")
    return data


def write_output(name: str, data: bytes) -> None:
    """Put `data` into a file that a command was told to write. Raises UsageError."""
    try:
        Path(name).expanduser().write_bytes(data)
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {error.strerror}") from None


def parse_duration(text: str, what: str) -> float:
    """Seconds: "90s", "500ms", "10m", "1h", "2d"; a bare number is seconds. Above zero. Raises UsageError."""
    seconds = parse_time_from_now(text, what)
    if seconds <= 0:
        raise UsageError(f"{what}: {_shown(text)} is not a duration", hint=_DURATIONS)
    return seconds


def parse_time_from_now(text: str, what: str) -> float:
    """Seconds as `parse_duration` reads them; one below zero is past. Raises UsageError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"{what}: {_shown(text)} is not a duration", hint=_DURATIONS)
    return float(match[1]) * _UNITS[match[2] or "s"]


def check_url(url: str, what: str = "base URL", schemes: tuple[str, str] = ("http", "https")) -> str:
    """An address without its last slash. schemes: in the clear, which is for this machine only, and in cipher.

    Raises ConfigError for one that is malformed or holds credentials (never echoed), GuardRefused for one that would go
    to another machine in the clear.
    """
    from urllib.parse import urlsplit

    clear, cipher = schemes
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"the {what} is malformed") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"a {what} must not hold credentials, a query or a fragment")
    if parts.scheme not in schemes or not host:
        raise ConfigError(f"a {what} starts with {cipher}:// and names a host")
    if parts.scheme == clear and _LOOPBACK.fullmatch(host) is None:
        raise GuardRefused(
            f"plain {clear} to {host} is refused", hint=f"use {cipher}; {clear} is for this machine only"
        )
    return url.rstrip("/")


def check_node(address: str) -> str:
    """host:port of a node. Raises ConfigError for anything else, such as a URL, which is not echoed."""
    host, _, port = address.rpartition(":")
    if _HOST.fullmatch(host) is None or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ConfigError("node_url is not the address of a node", hint="host:port, such as node.example:443")
    return address


def _venue_options(profile: Mapping[str, Any], network: str, *, is_home: bool, said_account: bool) -> dict[str, str]:
    """On the sandbox the addresses are its own, and an authenticator belongs to an account that was named beside it."""
    found: dict[str, str] = {name: profile[name] for name in _VENUE_KEYS if name in profile}
    if "ws_url" in found:
        found["ws_url"] = check_url(found["ws_url"], "ws_url", ("ws", "wss"))
    if "node_url" in found:
        check_node(found["node_url"])
    dropped: tuple[str, ...] = ()
    if network == "sandbox":
        dropped = ("ws_url", "node_url") if said_account else ("ws_url", "node_url", "authenticator")
    elif not is_home:
        dropped = ("ws_url", "node_url")
    return {name: text for name, text in found.items() if name not in dropped}


def _content(environ: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    """Where the configuration is, and what it says; {} when there is none and none was named."""
    named = environ.get("LATENTSPEED_CONFIG")
    path = Path(named).expanduser() if named else _folder(environ, "", "config") / "config.toml"
    data = _read(path, must_exist=bool(named))
    if data is None:
        return path, {}
    import tomllib

    try:
        content = tomllib.loads(data.decode("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"\(at .*\)", str(error))
        raise ConfigError(f"{path} is not valid TOML {where[0] if where else ''}".rstrip()) from None
    _known_keys(content, _TOP_KEYS, str(path))
    profiles = content.get("profiles", {})
    if not isinstance(profiles, dict) or not isinstance(content.get("default_profile", ""), str):
        raise ConfigError(f"{path}: default_profile is a name, profiles are tables")
    for name, profile in profiles.items():
        _check_profile(profile, f"{path}: profile {_shown(name)}")
    return path, content


def _read(path: Path, *, must_exist: bool) -> bytes | None:
    """The bytes of a configuration that is ours alone to write, or None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.is_symlink():
            raise ConfigError(f"configuration {path} is a dangling link") from None
        if must_exist:
            raise ConfigError(f"configuration {path} does not exist") from None
        return None
    except NotADirectoryError:
        if must_exist:
            raise ConfigError(f"configuration {path} does not exist") from None
        return None
    except OSError as error:
        raise ConfigError(f"configuration {path} cannot be read: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"configuration {path} is not a regular file")
        if found.st_uid not in (os.geteuid(), 0):
            raise ConfigError(f"configuration {path} belongs to another user")
        if found.st_mode & stat.S_IWOTH:
            raise ConfigError(f"configuration {path} can be written by everybody", hint=f"chmod 600 {path}")
        data = os.read(descriptor, MAX_CONFIG_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"configuration {path} is too large")
    return data


def _check_profile(profile: Any, where: str) -> None:
    if not isinstance(profile, dict):
        raise ConfigError(f"{where} is not a table")
    _known_keys(profile, _PROFILE_KEYS, where)
    for key, value in profile.items():
        if key != "guards" and not isinstance(value, str):
            raise ConfigError(f"{where}: {key} is a text")
    if "network" in profile:
        _one_of(profile["network"], NETWORKS, f"{where}: network")
    guards = profile.get("guards", {})
    if not isinstance(guards, dict):
        raise ConfigError(f"{where}: guards is a table")
    _known_keys(guards, _GUARD_KEYS, f"{where}: guards")


def _profile(content: Mapping[str, Any], named: str | None) -> tuple[str | None, dict[str, Any]]:
    name = named or content.get("default_profile")
    if name is None:
        return None, {}
    profiles: dict[str, dict[str, Any]] = content.get("profiles", {})
    if name not in profiles:
        hint = nearest(name, profiles) if profiles else "the configuration has no profiles"
        raise ConfigError(f"unknown profile {_shown(name)}", hint=hint)
    return name, profiles[name]


def _key(profile: Mapping[str, Any], name: str | None, network: str, *, chosen: bool) -> KeySource | None:
    """Where the key is. On the sandbox a user's key is never read, and one that was plainly meant for it is refused."""
    if "key" not in profile:
        return None
    source = KeySource.parse(profile["key"], f"profile {name}: key")
    if network != "sandbox":
        return source
    if chosen or profile.get("network", "sandbox") == "sandbox":
        raise GuardRefused(
            f"profile {name} has a key, and the network is the sandbox",
            hint="the sandbox has keys of its own; use a profile without one",
        )
    return None


def _guards(table: Mapping[str, Any], flags: Mapping[str, str | None]) -> Guards:
    """The profile's guards, tightened by --max-notional and --price-band, which can loosen nothing."""
    allow = table.get("allow_master_key", False)
    if not isinstance(allow, bool):
        raise ConfigError("guards: allow_master_key is true or false")
    band = _bound(table, "price_band_bps")
    guards = Guards(
        max_order_notional=_bound(table, "max_order_notional"),
        max_day_notional=_bound(table, "max_day_notional"),
        price_band_bps=Guards().price_band_bps if band is None else int(band),
        allow_master_key=allow,
    )
    said_band = _said_bound(flags.get("price_band"), "--price-band")
    return guards.tightened(
        max_order_notional=_said_bound(flags.get("max_notional"), "--max-notional"),
        price_band_bps=None if said_band is None else int(said_band),
    )


def _bound(table: Mapping[str, Any], key: str) -> Decimal | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ConfigError(f"guards: {key} is a number")
    return _positive(str(value), f"guards: {key}")


def _said_bound(text: str | None, what: str) -> Decimal | None:
    return None if text is None else _positive(text, what)


def _positive(text: str, what: str) -> Decimal:
    try:
        value = parse(text)
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from None
    if value <= 0:
        raise ConfigError(f"{what} must be above 0")
    return value


def _folder(environ: Mapping[str, str], variable: str, kind: str) -> Path:
    """A folder of ours, from its variable or from where the platform keeps such things. Nothing is created."""
    named = environ.get(variable) if variable else None
    if named:
        return Path(named).expanduser()
    from platformdirs import PlatformDirs

    folders = PlatformDirs(APP, appauthor=False)
    homeless = JournalError("no home folder, so no state folder", hint="set HOME, or LATENTSPEED_STATE_DIR and its kin")
    try:
        path = Path(getattr(folders, f"user_{kind}_dir"))
    except RuntimeError:
        raise homeless from None
    if not path.is_absolute():
        raise homeless
    return path


def _known_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {_shown(key)}", hint=nearest(key, known))


def _one_of(word: str, known: tuple[str, ...], what: str) -> str:
    if word not in known:
        raise ConfigError(f"{what}: {_shown(word)} is not known", hint=nearest(word, known))
    return word


def _shown(text: str) -> str:
    """A user's word as a message may repeat it."""
    return repr(text if len(text) <= 40 else text[:40] + "...")
