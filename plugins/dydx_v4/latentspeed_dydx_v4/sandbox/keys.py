"""Addresses and signatures as the chain checks them. Shares no code with the client's signing path.

Both rest on libsecp256k1; the client signs compact, this side parses to DER and verifies.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import coincurve
from Crypto.Hash import RIPEMD160

PREFIX = "dydx"
_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _expanded(prefix: str) -> list[int]:
    return [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]


@lru_cache(maxsize=4096)
def address_bytes(text: str) -> bytes | None:
    """The 20 bytes of a `dydx1...` address; None when it is none (bech32, not bech32m)."""
    if text != text.lower() or not text.startswith(PREFIX + "1"):
        return None
    words = [_CHARSET.find(letter) for letter in text[len(PREFIX) + 1 :]]
    if len(words) < 6 or -1 in words or _polymod(_expanded(PREFIX) + words) != 1:
        return None
    number = bits = 0
    out = bytearray()
    for word in words[:-6]:
        number, bits = number << 5 | word, bits + 5
        if bits >= 8:
            bits -= 8
            out.append(number >> bits & 0xFF)
    padding_is_clean = bits < 5 and not number & ((1 << bits) - 1)
    return bytes(out) if len(out) in (20, 32) and padding_is_clean else None


def address_text(raw: bytes) -> str:
    """bech32 of address bytes."""
    number = int.from_bytes(raw, "big")
    bits = len(raw) * 8
    pad = -bits % 5
    number <<= pad
    words = [number >> shift & 31 for shift in range(bits + pad - 5, -1, -5)]
    check = _polymod([*_expanded(PREFIX), *words, 0, 0, 0, 0, 0, 0]) ^ 1
    return PREFIX + "1" + "".join(_CHARSET[word] for word in words + [check >> 5 * (5 - i) & 31 for i in range(6)])


@lru_cache(maxsize=4096)
def address_of(public_key: bytes) -> str:
    """The address a 33-byte public key belongs to: RIPEMD160(SHA256(key))."""
    return address_text(RIPEMD160.new(hashlib.sha256(public_key).digest()).digest())


def is_public_key(raw: bytes) -> bool:
    """Whether these are 33 bytes of a compressed secp256k1 key."""
    return len(raw) == 33 and raw[0] in (2, 3)


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (r, s; low s) over SHA256(message) is by `public_key`."""
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < r < _ORDER or not 0 < s <= _ORDER // 2:
        return False
    try:
        return bool(coincurve.PublicKey(public_key).verify(_der(r, s), hashlib.sha256(message).digest(), None))
    except ValueError:
        return False


def _der(r: int, s: int) -> bytes:
    parts = b"".join(bytes((2, len(raw))) + raw for raw in (n.to_bytes(n.bit_length() // 8 + 1, "big") for n in (r, s)))
    return bytes((0x30, len(parts))) + parts
