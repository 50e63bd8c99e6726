"""The only place that makes randomness: ids and jitter."""

from __future__ import annotations

import os
import random
from typing import Protocol


class Entropy(Protocol):
    """Randomness as the parts of the product see it; a simulator hands in a seeded one."""

    def token_hex(self, nbytes: int) -> str:
        """2 * nbytes random hex digits."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A number between low and high; for jitter, never for ids or keys."""
        ...


class SystemEntropy:
    """The operating system's randomness for ids, an ordinary generator for jitter."""

    def token_hex(self, nbytes: int) -> str:
        return os.urandom(nbytes).hex()

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)


class SeededEntropy:
    """The same seed gives the same sequence, on every machine."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)

    def token_hex(self, nbytes: int) -> str:
        return self.random.randbytes(nbytes).hex()

    def uniform(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)
