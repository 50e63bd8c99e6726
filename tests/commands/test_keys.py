"""Keys come from one source, owned and readable by us alone, and never show themselves."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from eth_account import Account

from latentspeed_cli.errors import ConfigError, CredentialError
from latentspeed_cli.keys import CURVE_ORDER, KeySource, Secret, choose, load

KEY = "0x" + "11" * 32  # nobody's: 32 equal bytes
ENVIRON: dict[str, str] = {}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str, mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def file_source(path: Path) -> KeySource:
    return KeySource(kind="file", name=str(path))


def test_a_secret_hides_itself() -> None:
    secret = Secret(KEY)
    shown = f"{secret} {secret!r} {secret!s} {secret:>40} {[secret]}"
    assert KEY not in shown
    assert KEY[2:] not in shown
    assert secret.reveal() == KEY
    for leak in (pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode, json.dumps, vars):
        with pytest.raises(TypeError):
            leak(secret)


@pytest.mark.parametrize("text", [KEY, KEY[2:], f"{KEY}\n", f"  {KEY.upper().replace('X', 'x')}  "])
def test_a_private_key_is_read_in_every_usual_spelling(write: Write, text: str) -> None:
    assert load(file_source(write("key", text)), ENVIRON).reveal() == KEY


def test_a_mnemonic_is_read_from_a_file_and_the_environment(write: Write) -> None:
    words = "test test test test test test test test test test test junk"
    assert load(file_source(write("words", words + "\n")), ENVIRON).reveal() == words
    assert load(KeySource(kind="env", name="WORDS"), {"WORDS": words}).reveal() == words


@pytest.mark.parametrize(
    "text",
    ["", "0x", "zz" * 32, "11" * 31, "11" * 33, "0" * 64, f"{CURVE_ORDER:064x}", "f" * 64, "one two three", "a b"],
)
def test_malformed_zero_and_too_large_keys_are_refused_without_an_echo(write: Write, text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        load(file_source(write("key", text)), ENVIRON)
    if len(text) > 3:
        assert text not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602])
def test_a_key_file_others_can_touch_is_refused(write: Write, mode: int) -> None:
    with pytest.raises(CredentialError, match="others"):
        load(file_source(write("key", KEY, mode)), ENVIRON)


def test_a_key_file_must_be_a_file_of_ours(write: Write, tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(write("key", KEY))
    os.mkfifo(pipe, 0o600)
    for path in (link, pipe, tmp_path, tmp_path / "missing"):
        with pytest.raises(CredentialError):
            load(file_source(path), ENVIRON)
    with pytest.raises(CredentialError, match="too large"):
        load(file_source(write("big", "1" * 100_000)), ENVIRON)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_another_user_is_refused(write: Write) -> None:
    path = write("key", KEY)
    os.chown(path, 12345, -1)
    with pytest.raises(CredentialError, match="another user"):
        load(file_source(path), ENVIRON)


def test_exactly_one_source() -> None:
    variables = ("LATENTSPEED_HYPERLIQUID_KEY", "LATENTSPEED_HYPERLIQUID_OTHER")
    one = {variables[0]: KEY}
    profile = KeySource(kind="file", name="/somewhere")
    assert choose(None, variables, one) == KeySource(kind="env", name=variables[0])
    assert choose(profile, variables, {}) == profile
    assert choose(KeySource(kind="env", name=variables[0]), variables, one).name == variables[0]
    for configured, environ in [(None, {}), (profile, one), (None, {variables[0]: KEY, variables[1]: KEY})]:
        with pytest.raises(CredentialError) as caught:
            choose(configured, variables, environ)
        assert KEY not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("text", [KEY, KEY[2:], "file:", "nothing:x", f"file:{KEY}", "", f"env:{KEY[2:]}"])
def test_a_setting_that_is_no_source_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        KeySource.parse(text, "profile p: key")
    assert KEY[2:] not in f"{caught.value} {caught.value.hint}"


@pytest.fixture(scope="module")
def keystore() -> str:
    return json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), "correct horse", kdf="pbkdf2", iterations=10))


def keystore_source(write: Write, text: str, password: str = "correct horse") -> tuple[KeySource, dict[str, str]]:
    path = write("keystore.json", text)
    environ = {"LATENTSPEED_KEYSTORE_PASSWORD_FILE": str(write("password", password + "\n"))}
    return KeySource(kind="keystore", name=str(path)), environ


def test_a_keystore_opens_with_its_password(write: Write, keystore: str) -> None:
    source, environ = keystore_source(write, keystore)
    assert load(source, environ).reveal() == KEY


def damaged(keystore: str, **crypto: object) -> str:
    content = json.loads(keystore)
    content["crypto"].update(crypto)
    return json.dumps(content)


def test_a_keystore_that_does_not_open_is_refused(write: Write, keystore: str) -> None:
    absurd = {"dklen": 32, "n": 1 << 30, "r": 8, "p": 1, "salt": "00" * 16}
    broken = [
        damaged(keystore, ciphertext="00" * 32),
        damaged(keystore, mac="zz"),
        damaged(keystore, kdf="scrypt", kdfparams=absurd),
        damaged(keystore, kdf="scrypt", kdfparams={**absurd, "n": -1}),
        damaged(keystore, kdf="pbkdf2", kdfparams={"c": 10**12, "dklen": 32, "prf": "hmac-sha256", "salt": "00"}),
        damaged(keystore, kdf="unheard-of"),
        json.dumps({**json.loads(keystore), "version": 4}),
        keystore[:-20],
        "{}",
        "[1]",
        "not json",
    ]
    for text in broken:
        source, environ = keystore_source(write, text)
        with pytest.raises(CredentialError):
            load(source, environ)
    source, environ = keystore_source(write, keystore, password="wrong")
    with pytest.raises(CredentialError, match="wrong password"):
        load(source, environ)
    with pytest.raises(CredentialError, match="password"):
        load(source, {})


def test_without_the_keyring_library_there_is_no_key() -> None:
    with pytest.raises(CredentialError, match="keyring"):
        load(KeySource(kind="keyring", name="main"), ENVIRON)


DEEP = """
import sys
from latentspeed_cli.keys import KeySource, load
from latentspeed_cli.errors import ProtocolError
limit = sys.getrecursionlimit()
load(KeySource(kind="keystore", name=sys.argv[1]))
assert "eth_account" in sys.modules and sys.getrecursionlimit() == limit
from latentspeed_cli.connector.answers import shape
from latentspeed_dydx_v4 import payloads
from latentspeed_hyperliquid import payloads as theirs
from latentspeed_hyperliquid.streams import _refused
deep = b"[" * 99_000 + b"]" * 99_000
for kind in (payloads.SubaccountReply, payloads.PerpetualMarkets, theirs.Book):
    for body in (deep, b'{"unknown":' + deep + b"}", b'{"markets":{"a":' + deep + b"}}", b'{"a":' * 99_000):
        try:
            shape(body, kind)
        except ProtocolError:
            continue
        raise SystemExit(f"{kind} of {body[:20]}")
print(_refused("Invalid subscription {" + deep.decode()).key)
"""


def test_a_keystore_leaves_deep_nesting_bounded(write: Write, keystore: str) -> None:
    """Its library raises the recursion limit; deep JSON from the venue must end in an error, not the process."""
    source, environ = keystore_source(write, keystore)
    ended = subprocess.run(
        [sys.executable, "-c", DEEP, source.name],
        env={**os.environ, **environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (0, "None\n"), ended.stderr


def test_words_may_stand_on_several_lines(write: Write) -> None:
    words = "test test test test test test test test test test test junk"
    assert load(file_source(write("words", words.replace(" ", "\n", 3) + "\n")), ENVIRON).reveal() == words
