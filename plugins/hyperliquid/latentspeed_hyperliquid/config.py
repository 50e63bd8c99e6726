"""What the connector needs to be told, and the reading of an account's address."""

from __future__ import annotations

import re

import msgspec

from latentspeed_cli.connector.auth import Secret
from latentspeed_cli.errors import ConfigError, CredentialError

from .constants import BASE_URLS

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


class HyperliquidConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one connection.

    network: "sandbox", "testnet" or "mainnet"; it fixes the address and the signing domain. base_url: another address
    for the same network. account: the address the key acts for; None is the key's own. vault: a vault or sub-account
    of that account, for which every action is done. key: the private key of the account or of an approved agent.
    """

    network: str = "sandbox"
    base_url: str | None = None
    account: str | None = None
    vault: str | None = None
    key: Secret | None = None

    def __post_init__(self) -> None:
        if self.network not in BASE_URLS:
            raise ConfigError(f"unknown network {self.network!r}", hint="one of: " + ", ".join(BASE_URLS))

    @property
    def acts_for(self) -> str | None:
        """Whose orders are meant, when an address is configured. Raises CredentialError for what is none."""
        account = self.vault or self.account
        return None if account is None else parse_address(account)


def parse_address(text: str) -> str:
    """`text` in lower case. Raises CredentialError unless it is 0x and 40 hex digits with a right checksum.

    Mixed case carries the checksum of EIP-55; all lower or all upper case carries none and is taken as it is.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise CredentialError("an address is 0x and 40 hexadecimal digits", hint="check the configured account")
    digits = text[2:]
    lower = digits.lower()
    if digits not in (lower, digits.upper()):
        from .keccak import keccak256  # only mixed-case addresses pay for the import

        checksum = keccak256(lower.encode()).hex()
        right = "".join(c.upper() if int(n, 16) > 7 else c for c, n in zip(lower, checksum, strict=False))
        if digits != right:
            raise CredentialError("the checksum of the address is wrong", hint="copy the address again")
    return "0x" + lower
