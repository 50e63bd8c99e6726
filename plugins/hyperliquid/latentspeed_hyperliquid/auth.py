"""Signing: one key, one network, a closed list of actions. Pure: no socket, no clock, no randomness.

The hot path is MessagePack, three Keccak hashes and one deterministic (RFC 6979) signature; everything that does not
depend on the action is hashed once. Withdrawals and transfers are not on the list and cannot be signed here.
Source: the API page Signing and the official SDK; checked by the venue's published vectors (tests/plugins/hyperliquid).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, get_args

import msgspec
from coincurve import PrivateKey

from latentspeed_cli.connector.auth import Secret
from latentspeed_cli.errors import CredentialError, OrderRefused
from latentspeed_cli.sandbox.accounts import PRIVATE_KEYS as SANDBOX_KEYS

from .actions import ApproveAgentAction, Envelope, L1Action, Signature
from .config import HyperliquidConfig, parse_address
from .constants import CHAIN_NAMES, SIGNATURE_SOURCES
from .keccak import keccak256

_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode

L1_ACTIONS: Final = frozenset(get_args(L1Action))
USER_CHAIN_ID: Final = 0x66EEE  # the chain id that the official SDK always signs user actions for

# (name, type) of what is hashed, in order; hyperliquidChain comes first in each.
APPROVE_AGENT_FIELDS: Final = (
    ("hyperliquidChain", "string"),
    ("agentAddress", "address"),
    ("agentName", "string"),
    ("nonce", "uint64"),
)


def _domain_separator(name: str, chain_id: int) -> bytes:
    """EIP-712, version "1", verifying contract zero."""
    kind = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return keccak256(kind + keccak256(name.encode()) + keccak256(b"1") + chain_id.to_bytes(32, "big") + bytes(32))


_AGENT_TYPEHASH = keccak256(b"Agent(string source,bytes32 connectionId)")
_EXCHANGE_PREFIX = b"\x19\x01" + _domain_separator("Exchange", 1337)
_AGENT_PREFIXES = {source: _AGENT_TYPEHASH + keccak256(source.encode()) for source in ("a", "b")}


def action_hash(packed: bytes, nonce: int, *, vault: bytes | None = None, expires_after: int | None = None) -> bytes:
    """The connection id of an L1 action. packed: its MessagePack. vault: 20 address bytes. Times: Unix ms."""
    tail = nonce.to_bytes(8, "big") + (b"\x00" if vault is None else b"\x01" + vault)
    if expires_after is not None:
        tail += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak256(packed + tail)


def agent_digest(connection_id: bytes, source: str) -> bytes:
    """What is signed for an L1 action. source: "a" on mainnet, "b" everywhere else."""
    return keccak256(_EXCHANGE_PREFIX + keccak256(_AGENT_PREFIXES[source] + connection_id))


def typed_digest(
    primary_type: str, fields: Sequence[tuple[str, str]], message: Mapping[str, object], chain_id: int
) -> bytes:
    """What is signed for a user action: EIP-712 with a flat type. fields: (name, type) in order."""
    listed = ",".join(f"{kind} {name}" for name, kind in fields)
    struct = keccak256(f"HyperliquidTransaction:{primary_type}({listed})".encode())
    struct += b"".join(_typed_word(kind, message[name]) for name, kind in fields)
    return keccak256(b"\x19\x01" + _domain_separator("HyperliquidSignTransaction", chain_id) + keccak256(struct))


def _typed_word(kind: str, value: object) -> bytes:
    if kind == "string" and isinstance(value, str):
        return keccak256(value.encode())
    if kind == "address" and isinstance(value, str):
        return bytes(12) + bytes.fromhex(value[2:])
    if kind in ("bool", "uint32", "uint64") and isinstance(value, int):
        return int(value).to_bytes(32, "big")
    raise TypeError(f"cannot hash {type(value).__name__} as {kind}")


def sign_digest(key: PrivateKey, digest: bytes) -> Signature:
    signed = key.sign_recoverable(digest, hasher=None)
    digits = signed.hex()
    return Signature("0x" + digits[:64], "0x" + digits[64:128], 27 + signed[64])


def address_of(key: PrivateKey) -> str:
    """The address of a key, in lower case."""
    return "0x" + keccak256(key.public_key.format(compressed=False)[1:])[-20:].hex()


def _private_key(secret: Secret) -> PrivateKey | None:
    """The key, or None when the text is none. It raises nothing, so that no traceback can hold the text."""
    try:
        digits = secret.reveal().strip().removeprefix("0x")
        return PrivateKey(bytes.fromhex(digits)) if len(digits) == 64 and digits.isalnum() else None
    except ValueError:  # not hexadecimal, zero, or not below the order of the curve
        return None


class HyperliquidAuth:
    """Signs the closed list for one network.

    signer: the address of the key. master: the account the key acts for, which is its own unless it is an agent.
    vault: the vault or sub-account for which the actions are done, or None. account: whose orders they are.
    Raises CredentialError for a missing or malformed key, a bad address, and a sandbox key on another network.
    """

    __slots__ = ("_agent_prefix", "_chain", "_key", "_vault", "account", "master", "network", "signer", "vault")

    def __init__(self, config: HyperliquidConfig) -> None:
        self.network = config.network
        self.signer = self.account = ""  # repr must work while the lines below raise
        if config.key is None:
            raise CredentialError(
                "this needs a key, and none is configured", hint="set LATENTSPEED_HYPERLIQUID_KEY or a profile's key"
            )
        key = _private_key(config.key)
        if key is None:
            raise CredentialError("the configured key is no private key", hint="it is 64 hexadecimal digits")
        if config.network != "sandbox" and "0x" + key.to_hex() in SANDBOX_KEYS:
            raise CredentialError(
                f"the configured key is a published sandbox key; it is refused on {config.network}",
                hint="anybody can spend what such a key holds",
            )
        self._key = key
        self.signer = address_of(key)
        self.master = self.signer if config.account is None else parse_address(config.account)
        self.vault = None if config.vault is None else parse_address(config.vault)
        self.account = self.vault or self.master
        self._vault = None if self.vault is None else bytes.fromhex(self.vault[2:])
        self._agent_prefix = _AGENT_PREFIXES[SIGNATURE_SOURCES[config.network]]
        self._chain = CHAIN_NAMES[config.network]

    def __repr__(self) -> str:
        return f"HyperliquidAuth(network={self.network!r}, signer={self.signer!r}, account={self.account!r})"

    def sign(self, action: L1Action, nonce: int, *, expires_after: int | None = None) -> bytes:
        """The complete body of an /exchange request. nonce, expires_after: Unix milliseconds."""
        if type(action) not in L1_ACTIONS:
            raise OrderRefused(f"{type(action).__name__} is not on the list of actions that may be signed")
        connection_id = action_hash(_pack(action), nonce, vault=self._vault, expires_after=expires_after)
        digest = keccak256(_EXCHANGE_PREFIX + keccak256(self._agent_prefix + connection_id))
        return _json(Envelope(action, nonce, sign_digest(self._key, digest), self.vault, expires_after))

    def sign_without_vault(self, action: L1Action, nonce: int) -> bytes:
        """The same for the signer's own account: nonces belong to the signer, whatever vault an order was for."""
        if type(action) not in L1_ACTIONS:
            raise OrderRefused(f"{type(action).__name__} is not on the list of actions that may be signed")
        digest = keccak256(_EXCHANGE_PREFIX + keccak256(self._agent_prefix + action_hash(_pack(action), nonce)))
        return _json(Envelope(action, nonce, sign_digest(self._key, digest)))

    def sign_approve_agent(self, agent_address: str, agent_name: str | None, nonce: int) -> bytes:
        """The only user-signed action: let another key trade, never withdraw, for this account."""
        agent = parse_address(agent_address)
        message = {
            "hyperliquidChain": self._chain,
            "agentAddress": agent,
            "agentName": agent_name or "",
            "nonce": nonce,
        }
        digest = typed_digest("ApproveAgent", APPROVE_AGENT_FIELDS, message, USER_CHAIN_ID)
        action = ApproveAgentAction(self._chain, hex(USER_CHAIN_ID), agent, nonce, agent_name or None)
        return _json(Envelope(action, nonce, sign_digest(self._key, digest)))
