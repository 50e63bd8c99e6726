"""Who signed: replay protection, public keys, signatures and API trading keys (sections 2.3 and 5.3)."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING

from . import keys
from .refusals import Refused, sdk
from .state import Account, Authenticator
from .tx import NONCE_FLOOR, Tx
from .tx_messages import (
    MESSAGES,
    PUBLIC_KEY_URL,
    MsgBatchCancel,
    MsgCancelOrder,
    MsgPlaceOrder,
    OrderId,
    PubKey,
    SignDoc,
    SignerInfo,
)
from .universe import CHAIN_ID
from .wire import Message, WireError, decode, encode

if TYPE_CHECKING:
    from .world import World

KEPT_NONCES = 20
NONCE_WINDOW_MS = 30_000
_URLS = {cls: url for url, cls in MESSAGES.items()}


# ---- replay protection ---------------------------------------------------------------------------


def account_of(world: World, address: str) -> Account:
    account = world.accounts.get(address)
    if account is None:
        raise sdk(9, f"account {address} does not exist")
    return account


def check_replay(world: World, account: Account, info: SignerInfo) -> None:
    """The sequence must be the account's next one, or a fresh timestamp nonce. Raises Refused (sdk 32)."""
    if info.sequence < NONCE_FLOOR:
        if info.sequence != account.check_sequence:
            raise sdk(32, f"account sequence mismatch, expected {account.check_sequence}, got {info.sequence}")
        return
    block_ms = world.counters.block_time_ns // 1_000_000
    if abs(info.sequence - block_ms) > NONCE_WINDOW_MS:
        raise sdk(32, f"timestamp nonce {info.sequence} not within valid time window")
    kept, largest_ejected = _fresh(account, block_ms)
    held = sorted(kept)
    full = len(held) >= KEPT_NONCES and info.sequence <= held[0]
    if info.sequence in kept or info.sequence <= largest_ejected or full:
        raise sdk(32, f"timestamp nonce {info.sequence} rejected")


def _fresh(account: Account, block_ms: int) -> tuple[list[int], int]:
    """(nonces that are not too old, the largest one ejected so far)."""
    stale = [nonce for nonce in account.nonces if nonce < block_ms - NONCE_WINDOW_MS]
    largest = max([account.largest_ejected, *stale])
    return [nonce for nonce in account.nonces if nonce not in stale], largest


def use_up(world: World, account: Account, sequence: int) -> None:
    """An accepted transaction consumes its sequence in the check state, or stores its nonce."""
    if sequence < NONCE_FLOOR:
        account.check_sequence += 1
    else:
        kept, largest = _fresh(account, world.counters.block_time_ns // 1_000_000)
        if len(kept) >= KEPT_NONCES:
            largest = max(largest, min(kept))
            kept.remove(min(kept))
        account.nonces, account.largest_ejected = [*kept, sequence], largest
    world.touch_account(account)


# ---- signatures ----------------------------------------------------------------------------------


def public_key(info: SignerInfo) -> bytes:
    """The key of a signer info; empty when it names none. Raises Refused (sdk 2)."""
    if info.public_key is None:
        return b""
    if info.public_key.type_url != PUBLIC_KEY_URL:
        raise sdk(2, f"unable to resolve type URL {info.public_key.type_url}")
    try:
        key = decode(PubKey, info.public_key.value).key
    except WireError as error:
        raise sdk(2, str(error)) from error
    if not keys.is_public_key(key):
        raise sdk(8, "length of pubkey is incorrect")
    return key


def sign_bytes(tx: Tx, account_number: int) -> bytes:
    """What was signed, over the bytes as they came."""
    return encode(
        SignDoc(
            body_bytes=tx.envelope.body_bytes,
            auth_info_bytes=tx.envelope.auth_info_bytes,
            chain_id=CHAIN_ID,
            account_number=account_number,
        )
    )


def is_direct(info: SignerInfo) -> bool:
    """Whether the signature is of SIGN_MODE_DIRECT, the only one taken here."""
    return info.mode_info is not None and info.mode_info.single is not None and info.mode_info.single.mode == 1


def check_signatures(world: World, tx: Tx, *, at_height_zero: bool) -> None:
    """Public keys and signatures of all signers. Raises Refused.

    at_height_zero: the node has just been restarted and takes 0 for every account number.
    """
    for place, address in enumerate(tx.signers):
        info = tx.signer_infos[place]
        account = account_of(world, address)
        number = 0 if at_height_zero else account.number
        key = public_key(info)
        if tx.authenticators:
            _check_authenticators(tx, account, number, key, place)
            continue
        if key and keys.address_of(key) != address:
            raise sdk(8, f"pubKey does not match signer address {address} with signer index: {place}")
        key = key or account.public_key
        if not key:
            raise sdk(8, "pubkey on account is not set")
        if not is_direct(info) or not keys.verify(key, tx.envelope.signatures[place], sign_bytes(tx, number)):
            raise sdk(
                4,
                f"signature verification failed; please verify account number ({number}) and chain-id "
                f"({CHAIN_ID}): (unable to verify single signer signature)",
            )


# ---- API trading keys ----------------------------------------------------------------------------


class _Failed(Exception):
    """An authenticator says no: texts and codes from the innermost outwards."""

    def __init__(self, code: int, detail: str) -> None:
        self.code = code
        self.detail = detail


_TEXTS = {
    100: "Signature verification failed",
    101: "Message type verification failed",
    102: "Clob pair id verification failed",
    103: "Subaccount verification failed",
    104: "AllOf verification failed",
    105: "AnyOf verification failed",
}


def _check_authenticators(tx: Tx, account: Account, number: int, key: bytes, place: int) -> None:
    if len(tx.authenticators) != len(tx.messages):
        raise sdk(
            18,
            "Mismatch between the number of selected authenticators and messages, "
            f"msg count {len(tx.messages)}, got {len(tx.authenticators)} selected authenticators",
        )
    if len(tx.signers) != 1:
        raise Refused("dydxaccountplus", 6)
    signed = sign_bytes(tx, number)
    signature = tx.envelope.signatures[place]
    for index, (chosen, message) in enumerate(zip(tx.authenticators, tx.messages, strict=True)):
        found = next((known for known in account.authenticators if known.id == chosen), None)
        if found is None:
            raise Refused("dydxaccountplus", 1, f"authenticator id {chosen}")

        def verify(config: bytes) -> None:
            if key != config or not keys.verify(config, signature, signed):
                raise _Failed(
                    100,
                    f"signature verification failed; please verify account number ({number}), sequence "
                    f"({tx.sequence}) and chain-id ({CHAIN_ID}): {_TEXTS[100]}",
                )

        try:
            _authenticate(found.kind, found.config, message, verify)
        except _Failed as failed:
            detail = failed.detail.removesuffix(_TEXTS[failed.code]).rstrip(": ")
            raise Refused(
                "dydxaccountplus",
                failed.code,
                f"authentication failed for message {index}, authenticator id {chosen}, type {found.kind}: {detail}",
            ) from failed


def _authenticate(kind: str, config: bytes, message: Message, verify: object) -> None:
    if kind == "SignatureVerification":
        assert callable(verify)
        verify(config)
    elif kind == "MessageFilter":
        if _URLS[type(message)] not in config.decode().split(","):
            raise _Failed(101, f"message type {_URLS[type(message)]} not allowed: {_TEXTS[101]}")
    elif kind == "SubaccountFilter":
        if str(_target(message)[0]) not in config.decode().split(","):
            raise _Failed(103, f"subaccount {_target(message)[0]} not in whitelist: {_TEXTS[103]}")
    elif kind == "ClobPairIdFilter":
        refused = [pair for pair in _target(message)[1] if str(pair) not in config.decode().split(",")]
        if refused:
            raise _Failed(102, f"clob pair id {refused[0]} not in whitelist: {_TEXTS[102]}")
    else:
        _authenticate_many(kind, config, message, verify)


def _authenticate_many(kind: str, config: bytes, message: Message, verify: object) -> None:
    code = 104 if kind == "AllOf" else 105
    last = None
    for part in json.loads(config):
        try:
            _authenticate(part["type"], b64decode(part["config"]), message, verify)
        except _Failed as failed:
            last = failed
            if kind == "AllOf":
                break
        else:
            if kind == "AnyOf":
                return
    if last is not None:
        raise _Failed(code, f"{last.detail}: {_TEXTS[code]}") from last


def _target(message: Message) -> tuple[int, list[int]]:
    """(subaccount number, clob pair ids) a message is about; -1 for no subaccount."""
    if isinstance(message, MsgBatchCancel):
        number = message.subaccount_id.number if message.subaccount_id else 0
        return number, [batch.clob_pair_id for batch in message.short_term_cancels]
    order_id: OrderId | None = None
    if isinstance(message, MsgPlaceOrder) and message.order:
        order_id = message.order.order_id
    elif isinstance(message, MsgCancelOrder):
        order_id = message.order_id
    if order_id is None:
        return -1, []
    return (order_id.subaccount_id.number if order_id.subaccount_id else 0), [order_id.clob_pair_id]


def check_authenticator(kind: str, config: bytes) -> bool:
    """Whether a new authenticator makes sense, and forces a signature check on every path. Raises Refused (5)."""
    bad = Refused("dydxaccountplus", 5, f"failed to initialize authenticator of type {kind}")
    if kind == "SignatureVerification":
        if not keys.is_public_key(config):
            raise bad
        return True
    if kind in ("MessageFilter", "SubaccountFilter", "ClobPairIdFilter"):
        try:
            parts = config.decode().split(",")
        except UnicodeDecodeError as error:
            raise bad from error
        if kind != "MessageFilter" and not all(part.isdecimal() for part in parts):
            raise bad
        return False
    if kind not in ("AllOf", "AnyOf"):
        raise bad
    try:
        parts = json.loads(config)
        forced = [check_authenticator(part["type"], b64decode(part["config"])) for part in parts]
    except (ValueError, KeyError, TypeError) as error:
        raise bad from error
    if len(forced) < 2:
        raise bad
    return any(forced) if kind == "AllOf" else all(forced)


def new_authenticator(world: World, account: Account, kind: str, config: bytes) -> Authenticator:
    """Register an authenticator. Raises Refused."""
    if not check_authenticator(kind, config):
        raise Refused("dydxaccountplus", 5, "authenticator does not require a signature")
    found = Authenticator(world.counters.authenticator, kind, config)
    world.counters.authenticator += 1
    account.authenticators = [*account.authenticators, found]
    world.touch_account(account)
    return found
