"""Where keys come from, and the one type that holds them.

A key comes from exactly one source: an environment variable, a file only its owner can read, an eth keystore (version
3), or the keyring when that library is installed. It is never on a command line, and no repr, error or log shows it.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from .errors import ConfigError, CredentialError

KINDS = ("env", "file", "keystore", "keyring")
PASSWORD_VARIABLE = "LATENTSPEED_KEYSTORE_PASSWORD_FILE"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
MAX_FILE_BYTES = 64 * 1024
MAX_SCRYPT_BYTES = 512 * 1024 * 1024  # memory of one derivation: 128 * n * r
MAX_SCRYPT_WORK = 1 << 26  # n * r * p; the usual strong setting is 2**21 to 2**24
MAX_PBKDF2_ROUNDS = 10_000_000
_PRIVATE_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_WORDS = re.compile(r"[a-z]+(?: [a-z]+)+", re.ASCII)
_WORD_COUNTS = frozenset({12, 15, 18, 21, 24})


class Secret:
    """Text that hides itself. reveal() is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be copied or pickled")

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class KeySource(msgspec.Struct, frozen=True, kw_only=True):
    """Where one key is. kind: env, file, keystore or keyring. name: the variable, path or entry; never the key."""

    kind: str
    name: str

    @classmethod
    def parse(cls, text: str, where: str) -> KeySource:
        """What "file:PATH" and its kin name. where: which setting it is; the text is not echoed, it could be a key."""
        kind, colon, name = text.partition(":")
        if not colon or kind not in KINDS or not name:
            raise ConfigError(
                f"{where} is not a key source",
                hint="env:NAME, file:PATH, keystore:PATH or keyring:NAME; a key itself never stands in a configuration",
            )
        if _PRIVATE_KEY.fullmatch(name.strip()):
            raise ConfigError(f"{where} seems to hold a key itself", hint="put the key in a file and say file:PATH")
        return cls(kind=kind, name=name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def choose(
    configured: KeySource | None, variables: Sequence[str], environ: Mapping[str, str] | None = None
) -> KeySource:
    """The one source there is. configured: the profile's. variables: where the connector looks without a profile.

    Raises CredentialError when there is none, or more than one: which of two keys was meant is never guessed.
    """
    environ = os.environ if environ is None else environ
    found = [configured] if configured is not None else []
    for name in variables:
        same = configured is not None and configured.kind == "env" and configured.name == name
        if environ.get(name) and not same:
            found.append(KeySource(kind="env", name=name))
    if not found:
        named = " or ".join(variables)
        raise CredentialError(
            "no key",
            hint=f"set {named}, or `key` in a profile" if named else "set `key` in a profile",
        )
    if len(found) > 1:
        raise CredentialError("more than one key source: " + " and ".join(map(str, found)), hint="keep exactly one")
    return found[0]


def load(source: KeySource, environ: Mapping[str, str] | None = None) -> Secret:
    """The key of a source: a private key in hex, or a mnemonic of 12 to 24 words.

    Raises CredentialError for everything that keeps it from being usable. Core dumps are off from here on.
    """
    _no_core_dumps()
    environ = os.environ if environ is None else environ
    if source.kind == "env":
        text = environ.get(source.name, "")
        if not text:
            raise CredentialError(f"environment variable {source.name} is not set")
    elif source.kind == "file":
        text = _owners_file(source.name, "key file").decode("ascii", "replace")
    elif source.kind == "keystore":
        text = _from_keystore(source.name, environ)
    else:
        text = _from_keyring(source.name)
    return _checked(" ".join(text.split()), source)  # words may stand on several lines


def _checked(text: str, source: KeySource) -> Secret:
    if _WORDS.fullmatch(text) and len(text.split(" ")) in _WORD_COUNTS:
        return Secret(text)
    match = _PRIVATE_KEY.fullmatch(text)
    if match is None:
        raise CredentialError(
            f"{source} does not hold a private key",
            hint="64 hex digits, with or without 0x; for a venue with mnemonics also 12, 15, 18, 21 or 24 words",
        )
    if not 0 < int(match[1], 16) < CURVE_ORDER:
        raise CredentialError(
            f"{source} holds a number that is no private key", hint="it is 0 or above the curve's order"
        )
    return Secret("0x" + match[1].lower())


def _owners_file(name: str, what: str) -> bytes:
    """The bytes of a regular file of ours that nobody else can read; no link, no device, no pipe."""
    path = Path(name).expanduser()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        link = path.is_symlink()
        reason = "it is a link" if link else (error.strerror or "cannot be opened")
        raise CredentialError(f"{what} {path}: {reason}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise CredentialError(f"{what} {path} is not a regular file")
        if found.st_uid != os.geteuid():
            raise CredentialError(f"{what} {path} belongs to another user")
        if found.st_mode & 0o077:
            raise CredentialError(f"{what} {path} can be read by others", hint=f"chmod 600 {path}")
        data = os.read(descriptor, MAX_FILE_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_FILE_BYTES:
        raise CredentialError(f"{what} {path} is too large")
    return data


class _Crypto(msgspec.Struct):
    kdf: str
    kdfparams: dict[str, Any]


class _Keystore(msgspec.Struct):
    crypto: _Crypto
    version: int


def _from_keystore(name: str, environ: Mapping[str, str]) -> str:
    """Decrypt an eth keystore of version 3. Its cost is bounded before any work is done."""
    data = _owners_file(name, "keystore")
    password_file = environ.get(PASSWORD_VARIABLE)
    if not password_file:
        raise CredentialError(
            f"keystore {name} needs a password", hint=f"set {PASSWORD_VARIABLE} to a file with mode 600"
        )
    password = _owners_file(password_file, "password file").decode("utf-8", "replace").rstrip("\r\n")
    try:
        head = msgspec.json.decode(data, type=_Keystore)
        content = msgspec.json.decode(data, type=dict[str, Any])
        affordable = _affordable(head.crypto)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise CredentialError(f"keystore {name} is damaged") from None
    if head.version != 3:
        raise CredentialError(f"keystore {name} has version {head.version}; only 3 is known")
    if not affordable:
        raise CredentialError(f"keystore {name} asks for an absurd amount of work to open")
    limit = sys.getrecursionlimit()
    from eth_account import Account

    # That import raises it to a depth at which a JSON scanner exhausts the stack; what the venue sends is read later.
    sys.setrecursionlimit(limit)
    try:
        return "0x" + Account.decrypt(content, password).hex().removeprefix("0x")
    except (ValueError, KeyError, TypeError, NotImplementedError, OverflowError):
        # eth-keyfile reports a wrong password and damaged fields by these; its texts may quote the file.
        raise CredentialError(f"keystore {name} does not open: wrong password, or damaged") from None


def _affordable(crypto: _Crypto) -> bool:
    parameters = crypto.kdfparams
    if crypto.kdf == "scrypt":
        n, r, p = (int(parameters[key]) for key in ("n", "r", "p"))
        return min(n, r, p) > 0 and 128 * n * r <= MAX_SCRYPT_BYTES and n * r * p <= MAX_SCRYPT_WORK
    if crypto.kdf == "pbkdf2":
        return 0 < int(parameters["c"]) <= MAX_PBKDF2_ROUNDS
    raise ValueError("unknown kdf")


def _from_keyring(name: str) -> str:
    import importlib

    try:
        keyring = importlib.import_module("keyring")
        found = keyring.get_password("latentspeed", name)
    except ImportError:
        raise CredentialError("the keyring library is not installed", hint="pip install keyring") from None
    except Exception as error:  # a keyring back end is foreign code: whatever it raises, there is no key
        raise CredentialError(f"the keyring gave no key: {type(error).__name__}") from None
    if not isinstance(found, str) or not found:
        raise CredentialError(f"the keyring has no entry {name!r} of service latentspeed")
    return found


def _no_core_dumps() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
