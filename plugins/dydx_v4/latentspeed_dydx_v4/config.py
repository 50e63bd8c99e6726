"""What the connector needs to be told, and whose account that means."""

from __future__ import annotations

import msgspec

from latentspeed_cli.connector.auth import Secret
from latentspeed_cli.errors import ConfigError

from .constants import CHAIN_IDS, MAX_SUBACCOUNT

NONCES = ("timestamp", "sequence")


class DydxV4Config(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one connection.

    network: "sandbox", "testnet" or "mainnet"; it fixes the addresses and the chain that is signed for. base_url,
    ws_url, node_url: other addresses for the same network, of the indexer, its streams and a node's gRPC (host:port).
    account: the address the key acts for; None is the key's own. subaccount: its number. authenticator: the id under
    which the account allows another key to trade; None finds it. key: a private key or a mnemonic. nonces: what keeps
    a stateful transaction from being sent twice, the "timestamp" or the account's "sequence".
    """

    network: str = "sandbox"
    base_url: str | None = None
    ws_url: str | None = None
    node_url: str | None = None
    account: str | None = None
    subaccount: int = 0
    authenticator: int | None = None
    key: Secret | None = None
    nonces: str = "timestamp"

    def __post_init__(self) -> None:
        if self.network not in CHAIN_IDS:
            raise ConfigError(f"unknown network {self.network!r}", hint="one of: " + ", ".join(CHAIN_IDS))
        if not 0 <= self.subaccount <= MAX_SUBACCOUNT:
            raise ConfigError(f"subaccounts are numbered from 0 to {MAX_SUBACCOUNT}")
        if self.nonces not in NONCES:
            raise ConfigError(f"unknown nonces {self.nonces!r}", hint="one of: " + ", ".join(NONCES))

    @property
    def acts_for(self) -> str | None:
        """The account as orders bear it, when its address is configured. Raises CredentialError for what is none."""
        if self.account is None:
            return None
        from .wallet import parse_address

        return labelled(parse_address(self.account), self.subaccount)


def labelled(address: str, subaccount: int) -> str:
    """How an account is called: orders of two subaccounts must not be taken for each other's."""
    return f"{address}/{subaccount}" if subaccount else address


def account_of(config: DydxV4Config) -> str | None:
    """The address whose orders are meant: the configured one, else the key's own; None without either.

    Raises CredentialError for what is no address or no key.
    """
    if config.account is not None:
        from .wallet import parse_address

        return parse_address(config.account)
    if config.key is None:
        return None
    from .wallet import address_of, private_key

    return address_of(private_key(config.key).public_key.format())
