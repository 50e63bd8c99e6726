"""Who signed: action hashes and typed data, recovered with eth-account.

Nothing here is shared with the client's signer. Both rest on libsecp256k1 in the end (through coincurve), and say so.
Source: the venue's documentation on signing; constants checked against the official SDK's vectors in the tests.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from eth_account import Account
from eth_account.messages import SignableMessage
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from . import user_actions
from .actions import Action, Signature, canonical_bytes
from .user_actions import UserAction

SOURCE = {"Mainnet": "a", "Testnet": "b"}
_ZERO_ADDRESS = bytes(32)
_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT_TYPE = keccak(b"Agent(string source,bytes32 connectionId)")


@lru_cache(maxsize=64)
def domain_separator(name: str, chain_id: int) -> bytes:
    return keccak(_DOMAIN_TYPE + keccak(text=name) + keccak(b"1") + chain_id.to_bytes(32, "big") + _ZERO_ADDRESS)


EXCHANGE_DOMAIN = domain_separator("Exchange", 1337)
_SOURCE_HASH = {name: keccak(text=letter) for name, letter in SOURCE.items()}


def connection_id(encoded: bytes, nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """The hash that an L1 action's phantom agent signs."""
    parts = [encoded, nonce.to_bytes(8, "big")]
    parts.append(b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:]))
    if expires_after is not None:
        parts.append(b"\x00" + expires_after.to_bytes(8, "big"))
    return keccak(b"".join(parts))


def agent_message(connection: bytes, chain: str = "Testnet") -> SignableMessage:
    """What is signed for an L1 action."""
    return SignableMessage(b"\x01", EXCHANGE_DOMAIN, keccak(_AGENT_TYPE + _SOURCE_HASH[chain] + connection))


def l1_message(action: Action, nonce: int, vault: str | None, expires_after: int | None) -> SignableMessage:
    """What is signed for an L1 action on the sandbox, whose chain is Testnet."""
    return agent_message(connection_id(canonical_bytes(action), nonce, vault, expires_after))


# Primary type -> fields after hyperliquidChain, with their types, in order.
USER_TYPES: dict[str, tuple[tuple[str, str], ...]] = {
    "UsdSend": (("destination", "string"), ("amount", "string"), ("time", "uint64")),
    "SpotSend": (("destination", "string"), ("token", "string"), ("amount", "string"), ("time", "uint64")),
    "Withdraw": (("destination", "string"), ("amount", "string"), ("time", "uint64")),
    "UsdClassTransfer": (("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    "SendAsset": (
        ("destination", "string"),
        ("sourceDex", "string"),
        ("destinationDex", "string"),
        ("token", "string"),
        ("amount", "string"),
        ("fromSubAccount", "string"),
        ("nonce", "uint64"),
    ),
    "ApproveAgent": (("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64")),
    "ApproveBuilderFee": (("maxFeeRate", "string"), ("builder", "address"), ("nonce", "uint64")),
    "TokenDelegate": (("validator", "address"), ("wei", "uint64"), ("isUndelegate", "bool"), ("nonce", "uint64")),
    "UserSetAbstraction": (("user", "address"), ("abstraction", "string"), ("nonce", "uint64")),
    "UserDexAbstraction": (("user", "address"), ("enabled", "bool"), ("nonce", "uint64")),
}
_PRIMARY: dict[type[UserAction], str] = {
    user_actions.UsdSend: "UsdSend",
    user_actions.SpotSend: "SpotSend",
    user_actions.Withdraw: "Withdraw",
    user_actions.UsdClassTransfer: "UsdClassTransfer",
    user_actions.SendAsset: "SendAsset",
    user_actions.ApproveAgent: "ApproveAgent",
    user_actions.ApproveBuilderFee: "ApproveBuilderFee",
    user_actions.UserSetAbstraction: "UserSetAbstraction",
    user_actions.UserDexAbstraction: "UserDexAbstraction",
}


def typed_message(primary: str, fields: dict[str, object], chain: str, chain_id: int) -> SignableMessage:
    """Typed data of a user-signed action: hyperliquidChain first, then the fields of the type."""
    members = USER_TYPES[primary]
    signature = ",".join(["string hyperliquidChain", *(f"{kind} {name}" for name, kind in members)])
    words = [keccak(text=f"HyperliquidTransaction:{primary}({signature})"), keccak(text=chain)]
    for name, kind in members:
        value = fields[name]
        if kind == "string":
            words.append(keccak(text=str(value or "")))
        elif kind == "address":
            words.append(bytes.fromhex(str(value)[2:]).rjust(32, b"\x00"))
        else:
            words.append(int(str(int(value)) if isinstance(value, bool) else str(value)).to_bytes(32, "big"))
    domain = domain_separator("HyperliquidSignTransaction", chain_id)
    return SignableMessage(b"\x01", domain, keccak(b"".join(words)))


def user_message(action: UserAction) -> SignableMessage:
    """What is signed for a user-signed action."""
    fields = msgspec.structs.asdict(action)
    return typed_message(_PRIMARY[type(action)], fields, action.hyperliquidChain, int(action.signatureChainId, 16))


def recover(message: SignableMessage, signature: Signature) -> str | None:
    """The signer's address in lower case, None when the signature yields none."""
    if signature.v not in {27, 28}:
        return None
    try:
        r, s = int(signature.r, 16), int(signature.s, 16)
        return str(Account.recover_message(message, vrs=(signature.v, r, s))).lower()
    except (ValueError, OverflowError, BadSignature, ValidationError):
        return None
