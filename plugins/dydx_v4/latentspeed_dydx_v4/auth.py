"""Signing: one key, one chain, a closed list of messages. Pure: no socket, no clock, no randomness.

The hot path is two SHA-256 and one deterministic (RFC 6979) signature; what does not depend on the message is encoded
once. Withdrawals and transfers are not on the list and cannot be signed here.
Source: cosmos-sdk, SIGN_MODE_DIRECT; x/accountplus of v4-chain for keys that an account has permitted.
"""

from __future__ import annotations

import hashlib
from typing import Final

from coincurve import PrivateKey

from latentspeed_cli.errors import CredentialError, OrderRefused

from . import tx
from .config import DydxV4Config, labelled
from .constants import BATCH_CANCEL, CANCEL_ORDER, CHAIN_IDS, PLACE_ORDER, UPDATE_LEVERAGE
from .sandbox.accounts import PRIVATE_KEYS as SANDBOX_KEYS
from .wallet import address_of, parse_address, private_key

MESSAGES: Final = frozenset({PLACE_ORDER, CANCEL_ORDER, BATCH_CANCEL, UPDATE_LEVERAGE})


class DydxV4Auth:
    """Signs for one account.

    signer: the address of the key. owner: the address it acts for. account: the same with the number of the subaccount
    behind a stroke, unless that is 0. master: the owner, who may do everything. is_permitted_key: the key is another
    than the owner's, so every transaction names the authenticator that allows it. public_key: 33 bytes.
    Raises CredentialError.
    """

    def __init__(self, config: DydxV4Config) -> None:
        self.network = config.network
        self.signer = self.account = ""  # repr must work while the lines below raise
        if config.key is None:
            raise CredentialError(
                "this needs a key, and none is configured",
                hint="set LATENTSPEED_DYDX_V4_KEY or LATENTSPEED_DYDX_V4_MNEMONIC, or a profile's key",
            )
        key = private_key(config.key)
        if config.network != "sandbox" and key.to_hex() in SANDBOX_KEYS:
            raise CredentialError(
                f"the configured key is a published sandbox key; it is refused on {config.network}",
                hint="anybody can spend what such a key holds",
            )
        self._key = key
        self.public_key = key.public_key.format()
        self.signer = address_of(self.public_key)
        self.owner = self.master = self.signer if config.account is None else parse_address(config.account)
        self.account = labelled(self.owner, config.subaccount)
        self.is_permitted_key = self.signer != self.owner
        self.chain_id = CHAIN_IDS[config.network]
        self._signer_info = tx.signer_of(self.public_key)

    def __repr__(self) -> str:
        return f"DydxV4Auth(network={self.network!r}, signer={self.signer!r}, account={self.account!r})"

    def sign(
        self,
        type_url: str,
        message: bytes,
        *,
        account_number: int,
        sequence: int,
        timeout_height: int = 0,
        authenticator: int | None = None,
    ) -> bytes:
        """TxRaw of one message. account_number, sequence: the owner's, also when another key signs for it.

        timeout_height: the last block that may include it, 0 for any.
        """
        if type_url not in MESSAGES:
            raise OrderRefused(f"{type_url} is not on the list of messages that may be signed")
        authenticators = () if authenticator is None else (authenticator,)
        body = tx.body(((type_url, message),), timeout_height=timeout_height, authenticators=authenticators)
        content = tx.content(body, tx.auth_info(self._signer_info, sequence))
        document = content + tx.domain(self.chain_id, account_number)
        return content + tx.signatures(signature(self._key, document))


def signature(key: PrivateKey, document: bytes) -> bytes:
    """r and s over the SHA-256 of a SignDoc, 64 bytes; s is the low one."""
    return key.sign_recoverable(hashlib.sha256(document).digest(), hasher=None)[:64]
