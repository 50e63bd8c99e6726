"""What every venue's auth module offers. Signing is pure: no socket, no clock, no randomness."""

from __future__ import annotations

from typing import Protocol


class Secret(Protocol):
    """A key, as a connector's settings hold it: hidden until it is asked for."""

    def reveal(self) -> str: ...


class Auth(Protocol):
    """Holds one key and signs a closed list of actions for one network.

    signer: the address of the key. account: the address it acts for (equal to signer, or the master, sub-account or
    vault). master: the account that may do everything; signer is equal to it when the key is a master key. The key
    appears in no repr, error or log.
    """

    signer: str
    account: str
    master: str
