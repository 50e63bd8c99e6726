"""A transaction as the node reads it: decoded strictly, with its kind. Nothing here looks at the state."""

from __future__ import annotations

import hashlib

import msgspec

from . import validate
from .refusals import Refused, sdk
from .state import SHORT_TERM
from .tx_messages import (
    CLOB_MESSAGES,
    EXTENSION_URL,
    MESSAGES,
    AnyMessage,
    AuthInfo,
    Fee,
    MsgBatchCancel,
    MsgCancelOrder,
    MsgCreateTransfer,
    MsgPlaceOrder,
    MsgUpdateLeverage,
    SignerInfo,
    TxBody,
    TxExtension,
    TxRaw,
)
from .wire import Message, WireError, decode, encode

NONCE_FLOOR = 1 << 40
MAX_MEMO = 256


class Tx(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded transaction. is_clob: it pays nothing. is_short_term: its one message is of the short-term kind."""

    raw: bytes
    hash: str
    envelope: TxRaw
    body: TxBody
    messages: tuple[Message, ...]
    signer_infos: tuple[SignerInfo, ...]
    fee: Fee | None
    authenticators: tuple[int, ...]
    is_clob: bool
    is_short_term: bool

    @property
    def signers(self) -> list[str]:
        """Who has to sign, each once, in order of the messages."""
        return list(dict.fromkeys(validate.signer(message) for message in self.messages))

    @property
    def sequence(self) -> int:
        return self.signer_infos[0].sequence if self.signer_infos else 0


def hash_of(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest().upper()


def read(raw: bytes) -> Tx:
    """Decode a transaction. Raises Refused (sdk 2)."""
    try:
        envelope = decode(TxRaw, raw)
        body = decode(TxBody, envelope.body_bytes)
        auth_info = decode(AuthInfo, envelope.auth_info_bytes)
        messages = tuple(_message(item) for item in body.messages)
        authenticators = _authenticators(body)
    except WireError as error:
        raise sdk(2, str(error)) from error
    if encode(envelope) != raw:
        raise sdk(2, "tx is not canonical")
    return Tx(
        raw=raw,
        hash=hash_of(raw),
        envelope=envelope,
        body=body,
        messages=messages,
        signer_infos=auth_info.signer_infos,
        fee=auth_info.fee,
        authenticators=authenticators,
        is_clob=any(isinstance(message, CLOB_MESSAGES) for message in messages),
        is_short_term=any(_is_short_term(message) for message in messages),
    )


def _message(item: AnyMessage) -> Message:
    cls = MESSAGES.get(item.type_url)
    if cls is None:
        raise WireError(f"unable to resolve type URL {item.type_url}")
    return decode(cls, item.value)


def _authenticators(body: TxBody) -> tuple[int, ...]:
    found: tuple[int, ...] = ()
    for option in body.non_critical_extension_options:
        if option.type_url != EXTENSION_URL:
            raise WireError(f"unable to resolve type URL {option.type_url}")
        found = decode(TxExtension, option.value).selected_authenticators
    return found


def _is_short_term(message: Message) -> bool:
    if isinstance(message, MsgBatchCancel):
        return True
    if isinstance(message, MsgPlaceOrder):
        return bool(message.order and message.order.order_id and message.order.order_id.order_flags == SHORT_TERM)
    if isinstance(message, MsgCancelOrder):
        return bool(message.order_id and message.order_id.order_flags == SHORT_TERM)
    return False


def check_envelope(tx: Tx, next_height: int) -> None:
    """The checks before the account is looked at, in the chain's order. Raises Refused."""
    if not tx.messages:
        raise sdk(18, "must contain at least one message")
    for message in tx.messages:
        validate.basic(message)
    if tx.body.extension_options:
        raise sdk(31)
    if tx.fee is None:
        raise Refused("undefined", 1, "missing fee", plain=True)
    if not tx.envelope.signatures:
        raise sdk(15)
    if tx.body.timeout_height and next_height > tx.body.timeout_height:
        raise sdk(30, f"block height: {next_height}, timeout height: {tx.body.timeout_height}")
    if len(tx.body.memo.encode()) > MAX_MEMO:
        raise sdk(12, f"maximum number of characters is {MAX_MEMO} but received {len(tx.body.memo)} characters")
    if len(tx.envelope.signatures) > 7:
        raise sdk(14, f"signatures: {len(tx.envelope.signatures)}, limit: 7")
    wanted = len(tx.signers)
    for got in (len(tx.envelope.signatures), len(tx.signer_infos)):
        if got != wanted:
            raise sdk(4, f"invalid number of signer;  expected: {wanted}, got {got}")


def check_alone(tx: Tx) -> None:
    """A short-term message travels alone. Raises Refused."""
    if tx.is_short_term and len(tx.messages) > 1:
        if any(isinstance(message, MsgBatchCancel) for message in tx.messages):
            raise sdk(18, "a transaction containing short term order may not contain more than one message")
        raise sdk(
            18,
            "a transaction containing short term MsgCancelOrder or MsgPlaceOrder may not contain more than one message",
        )


def check_mix(tx: Tx) -> None:
    """What may travel with stateful messages, and the timeout of a short-term placement. Raises Refused."""
    if not tx.is_clob:
        return
    others = [message for message in tx.messages if not isinstance(message, CLOB_MESSAGES)]
    if any(not isinstance(message, MsgCreateTransfer) for message in others):
        raise sdk(18, "a transaction containing stateful orders cannot be accompanied by non transfer msgs")
    if len(others) > 1:
        raise sdk(18, "a transaction containing stateful orders can only be accompanied by 1 transfer msg")
    first = tx.messages[0]
    if tx.is_short_term and isinstance(first, MsgPlaceOrder) and first.order:
        timeout = tx.body.timeout_height
        if timeout and timeout < (first.order.good_til_block or 0):
            raise sdk(
                18, "timeout height (if non-zero) may not be less than `goodTilBlock` for a short-term place order"
            )


def messages_of(tx: Tx) -> str:
    """Which limiter a transaction is counted by: "short_term", "leverage", "stateful" or ""."""
    if tx.is_short_term:
        return "short_term"
    if any(isinstance(message, MsgUpdateLeverage) for message in tx.messages):
        return "leverage"
    return "stateful" if any(isinstance(message, MsgPlaceOrder) for message in tx.messages) else ""
