"""Keccak-256, by the fastest implementation that is installed. Why two: docs/decisions/0001-keccak.md."""

from __future__ import annotations

try:
    from sha3 import keccak_256

    def keccak256(data: bytes) -> bytes:
        """32 bytes."""
        digest: bytes = keccak_256(data).digest()
        return digest

except ImportError:  # no wheel for this platform
    from Crypto.Hash import keccak

    def keccak256(data: bytes) -> bytes:
        """32 bytes."""
        return keccak.new(digest_bits=256, data=data).digest()
