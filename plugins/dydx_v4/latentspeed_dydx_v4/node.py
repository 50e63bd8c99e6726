"""Questions to a node and the reading of its answers, without the weight of a protobuf runtime: commands that only read
must not pay for it. Field numbers: v4-chain and cosmos-sdk, as the fact sheet of the protocol lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from latentspeed_cli.errors import ProtocolError

from .protowire import data, fixed32, message, number

LATEST_BLOCK = "cosmos.base.tendermint.v1beta1.Service/GetLatestBlock"
STATEFUL_ORDER = "dydxprotocol.clob.Query/StatefulOrder"
LEVERAGE = "dydxprotocol.clob.Query/Leverage"
AUTHENTICATORS = "dydxprotocol.accountplus.Query/GetAuthenticators"

MAX_NESTING = 8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Value: TypeAlias = int | bytes


class StatefulOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A long-term or conditional order in the chain's state. fill_amount: base quantums."""

    fill_amount: int
    is_triggered: bool


class Authenticator(msgspec.Struct, frozen=True, kw_only=True):
    """What an account allows another key. config: a public key, a filter, or JSON of several authenticators."""

    id: int
    type: str
    config: bytes


# Questions


def account_query(address: str) -> bytes:
    """GetAuthenticatorsRequest, QueryAccountRequest."""
    return data(1, address.encode())


def subaccount_query(address: str, subaccount: int) -> bytes:
    """QueryLeverageRequest."""
    return data(1, address.encode()) + number(2, subaccount)


def stateful_order_query(address: str, subaccount: int, client_id: int, order_flags: int, clob_pair_id: int) -> bytes:
    """QueryStatefulOrderRequest."""
    owner = message(1, subaccount_query(address, subaccount))
    return message(1, owner + fixed32(2, client_id) + number(3, order_flags) + number(4, clob_pair_id))


# Answers


def stateful_order(body: bytes) -> StatefulOrder:
    """QueryStatefulOrderResponse."""
    numbers = {field: value for field, value in fields(body) if isinstance(value, int)}
    return StatefulOrder(fill_amount=numbers.get(2, 0), is_triggered=bool(numbers.get(3, 0)))


def leverages(body: bytes) -> dict[int, int]:
    """QueryLeverageResponse: the initial margin fraction that was set, in ppm, by clob pair id."""
    found = {}
    for entry in _of(body, 1):
        numbers = {field: value for field, value in fields(entry) if isinstance(value, int)}
        found[numbers.get(1, 0)] = numbers.get(2, 0)
    return found


def authenticators(body: bytes) -> tuple[Authenticator, ...]:
    """GetAuthenticatorsResponse."""
    found = []
    for entry in _of(body, 1):
        members = dict(fields(entry))
        kind, config, id_ = members.get(2, b""), members.get(3, b""), members.get(1, 0)
        if not (isinstance(kind, bytes) and isinstance(config, bytes) and isinstance(id_, int)):
            raise ProtocolError("an authenticator makes no sense", payload=entry)
        found.append(Authenticator(id=id_, type=kind.decode("utf-8", "replace"), config=config))
    return tuple(found)


def allows(found: Authenticator, public_key: bytes) -> bool:
    """Whether an authenticator lets a key sign: filters may narrow for what, and are the chain's to apply."""
    return _allows(found.type, found.config, public_key, 0)


class _Part(msgspec.Struct, frozen=True):
    """A member of AllOf or AnyOf; its config travels as base64."""

    type: str
    config: bytes


def _allows(kind: str, config: bytes, public_key: bytes, depth: int) -> bool:
    if kind == "SignatureVerification":
        return config == public_key
    if kind not in ("AllOf", "AnyOf") or depth > MAX_NESTING:
        return False
    try:
        parts = msgspec.json.decode(config, type=list[_Part])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    signing = [part for part in parts if part.type in ("SignatureVerification", "AllOf", "AnyOf")]
    said = [_allows(part.type, part.config, public_key, depth + 1) for part in signing]
    return any(said) and (kind == "AnyOf" or all(said))


def _of(body: bytes, wanted: int) -> Iterator[bytes]:
    for field, value in fields(body):
        if field == wanted and isinstance(value, bytes):
            yield value


def fields(body: bytes) -> Iterator[tuple[int, Value]]:
    """Field numbers and values of one message, in their order: numbers as int, everything else as bytes.

    Raises ProtocolError when it is no message.
    """
    at = 0
    while at < len(body):
        tag, at = _read_varint(body, at)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _read_varint(body, at)
            yield field, value
            continue
        if kind == _BYTES:
            length, at = _read_varint(body, at)
        else:
            length = {_FIXED64: 8, _FIXED32: 4}.get(kind, -1)
        if field == 0 or length < 0 or at + length > len(body):
            raise ProtocolError("an answer of the node is cut off or no message", payload=body)
        piece = body[at : at + length]
        at += length
        yield field, piece if kind == _BYTES else int.from_bytes(piece, "little")


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            break
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ProtocolError("an answer of the node is cut off or no message", payload=body)
