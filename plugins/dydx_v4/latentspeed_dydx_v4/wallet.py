"""Keys and addresses: a private key or a mnemonic, and the dydx1... address that belongs to it.

A private key costs one multiplication on the curve; only a mnemonic needs cosmpy, which is imported for it alone.
Source: BIP-32, BIP-39, BIP-44, BIP-173; equal to cosmpy and to the published key vectors (tests/plugins/dydx_v4).
"""

from __future__ import annotations

import hashlib
import re

from coincurve import PrivateKey

from latentspeed_cli.connector.auth import Secret
from latentspeed_cli.errors import CredentialError

from .constants import ADDRESS_PREFIX, HD_PATH

_HEX_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})", re.ASCII)
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6
_EXPANDED_PREFIX = [*(ord(c) >> 5 for c in ADDRESS_PREFIX), 0, *(ord(c) & 31 for c in ADDRESS_PREFIX)]


def private_key(secret: Secret) -> PrivateKey:
    """The key of a secret, which is 64 hex digits or a mnemonic. Raises CredentialError, which never quotes it."""
    text = secret.reveal().strip()
    match = _HEX_KEY.fullmatch(text)
    raw = bytes.fromhex(match[1]) if match is not None else _from_mnemonic(text)
    key = None if raw is None else _valid(raw)
    if key is None:
        raise CredentialError(
            "the configured key is neither a private key nor a mnemonic",
            hint="64 hexadecimal digits, or 12 to 24 words whose checksum fits",
        )
    return key


def _valid(raw: bytes) -> PrivateKey | None:
    try:
        return PrivateKey(raw)
    except ValueError:  # zero, or above the curve's order
        return None


def _from_mnemonic(text: str) -> bytes | None:
    words = text.split()
    if len(words) not in (12, 15, 18, 21, 24):
        return None
    from cosmpy.mnemonic import derive_child_key_from_mnemonic
    from cosmpy.mnemonic.words import ENGLISH_MNEMONIC_WORDS_LIST

    places = {word: place for place, word in enumerate(ENGLISH_MNEMONIC_WORDS_LIST)}
    number = 0
    for word in words:
        if word not in places:
            return None
        number = number << 11 | places[word]
    checksum_bits = len(words) // 3
    entropy = (number >> checksum_bits).to_bytes(checksum_bits * 4, "big")
    if hashlib.sha256(entropy).digest()[0] >> (8 - checksum_bits) != number & ((1 << checksum_bits) - 1):
        return None
    return bytes(derive_child_key_from_mnemonic(" ".join(words), path=HD_PATH))


def address_of(public_key: bytes) -> str:
    """The address of a compressed public key of 33 bytes."""
    words = _groups_of_five(_ripemd160(hashlib.sha256(public_key).digest()))
    check = _polymod([*_EXPANDED_PREFIX, *words, *[0] * _CHECKSUM_LENGTH]) ^ 1
    words += [check >> 5 * (5 - place) & 31 for place in range(_CHECKSUM_LENGTH)]
    return f"{ADDRESS_PREFIX}1" + "".join(_CHARSET[word] for word in words)


def parse_address(text: str) -> str:
    """`text` itself. Raises CredentialError unless it is an address of this chain with a right checksum."""
    prefix, _, data = text.partition("1")
    words = [_CHARSET.find(letter) for letter in data]
    if prefix != ADDRESS_PREFIX or -1 in words or len(words) not in (38, 58):
        raise CredentialError("an address is dydx1 and 38 letters and digits", hint="check the configured account")
    if _polymod([*_EXPANDED_PREFIX, *words]) != 1:
        raise CredentialError("the checksum of the address is wrong", hint="copy the address again")
    return text


def _ripemd160(data: bytes) -> bytes:
    """By OpenSSL, which has it again since 3.0.7; the other library takes 20 ms to import."""
    try:
        return hashlib.new("ripemd160", data).digest()
    except ValueError:
        from Crypto.Hash import RIPEMD160

        return RIPEMD160.new(data).digest()


def _groups_of_five(data: bytes) -> list[int]:
    """The bits of `data` in groups of five, the last one filled up with zeros."""
    bits = len(data) * 8
    padding = -bits % 5
    number = int.from_bytes(data, "big") << padding
    return [number >> shift & 31 for shift in range(bits + padding - 5, -1, -5)]


def _polymod(values: list[int]) -> int:
    """The checksum of BIP-173; 1 for a whole address."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                checksum ^= generator
    return checksum
