"""Transactions in SIGN_MODE_DIRECT: what is signed, what is sent, what a node says of it. Bytes in, bytes out.

Source: cosmos-sdk, proto/cosmos/tx/v1beta1; equal to cosmpy and to the published vectors (tests/plugins/dydx_v4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import msgspec

from latentspeed_cli.errors import ProtocolError

from .constants import BROADCAST_SYNC, GAS_LIMIT, PUBLIC_KEY, TX_EXTENSION
from .node import fields
from .protowire import data, message, number, packed

# A type URL and the message.
Message: TypeAlias = tuple[str, bytes]
# A denomination and an amount, as decimal text.
Coin: TypeAlias = tuple[str, str]

_SIGN_MODE_DIRECT = message(1, number(1, 1))
_NO_FEE = message(2, number(2, GAS_LIMIT))


class TxResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of a transaction. code 0: it was not refused. height 0: it is in no block yet."""

    code: int
    codespace: str
    raw_log: str
    hash: str
    height: int

    @property
    def name(self) -> str:
        """The code with its codespace, as "clob 11"."""
        return f"{self.codespace} {self.code}"


# What is signed


@cache
def _type_of(type_url: str) -> bytes:
    return data(1, type_url.encode())


def any_of(type_url: str, value: bytes) -> bytes:
    return _type_of(type_url) + data(2, value)


def body(
    messages: Sequence[Message], *, memo: str = "", timeout_height: int = 0, authenticators: tuple[int, ...] = ()
) -> bytes:
    """TxBody. authenticators: which one stands for each message, when another key than the account's signs."""
    out = b"".join([message(1, any_of(*item)) for item in messages])
    out += data(2, memo.encode()) + number(3, timeout_height)
    if authenticators:
        out += message(2047, any_of(TX_EXTENSION, packed(1, authenticators)))
    return out


def signer_of(public_key: bytes) -> bytes:
    """SignerInfo without its last member, the sequence. public_key: 33 bytes."""
    return message(1, any_of(PUBLIC_KEY, data(1, public_key))) + message(2, _SIGN_MODE_DIRECT)


def auth_info(signer: bytes, sequence: int, *, fee: bytes = _NO_FEE) -> bytes:
    """AuthInfo of one signer. signer: what `signer_of` gives; fee: what `fee_of` gives."""
    return message(1, signer + number(3, sequence)) + fee


def fee_of(gas_limit: int, coins: Sequence[Coin] = ()) -> bytes:
    """A fee as AuthInfo's last member, which is there even when nothing is paid."""
    paid = b"".join([message(1, data(1, denom.encode()) + data(2, amount.encode())) for denom, amount in coins])
    return message(2, paid + number(2, gas_limit))


def content(body_bytes: bytes, auth_info_bytes: bytes) -> bytes:
    """With what SignDoc and TxRaw both begin; the one goes on with a `domain`, the other with signatures."""
    return data(1, body_bytes) + data(2, auth_info_bytes)


@cache
def domain(chain_id: str, account_number: int) -> bytes:
    """The end of a SignDoc: for which chain and account the content is signed."""
    return data(3, chain_id.encode()) + number(4, account_number)


def signatures(signature: bytes) -> bytes:
    """The end of a TxRaw. signature: r and s, 64 bytes."""
    return message(3, signature)


def tx_hash(raw: bytes) -> str:
    """How the chain calls a transaction."""
    return hashlib.sha256(raw).hexdigest().upper()


# What is sent, and what comes back


def broadcast_request(raw: bytes) -> bytes:
    """BroadcastTxRequest that is answered when the node has checked the transaction."""
    return data(1, raw) + number(2, BROADCAST_SYNC)


def get_tx_request(hash_: str) -> bytes:
    """GetTxRequest."""
    return data(1, hash_.encode())


def broadcast_response(answer: bytes) -> TxResponse:
    """BroadcastTxResponse. Raises ProtocolError."""
    return _response(answer, 1)


def get_tx_response(answer: bytes) -> TxResponse:
    """GetTxResponse. Raises ProtocolError."""
    return _response(answer, 2)


def _response(answer: bytes, member: int) -> TxResponse:
    for field, value in fields(answer):
        if field == member and isinstance(value, bytes):
            found = dict(fields(value))
            return TxResponse(
                height=_whole(found.get(1, 0)),
                hash=_text(found.get(2, b"")),
                codespace=_text(found.get(3, b"")),
                code=_whole(found.get(4, 0)),
                raw_log=_text(found.get(6, b"")),
            )
    raise ProtocolError("a node's answer to a transaction says nothing about it", payload=answer)


def _text(value: int | bytes) -> str:
    if isinstance(value, int):
        raise ProtocolError("a node's answer to a transaction makes no sense")
    return value.decode("utf-8", "replace")


def _whole(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ProtocolError("a node's answer to a transaction makes no sense")
    return value
