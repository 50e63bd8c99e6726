"""Protobuf as the chain reads it: strict where it checks transactions, lenient where it reads queries.

Shares nothing with the client's encoders. A message is a Struct with a FIELDS table; oneof members are `optional`.
Transactions must be free of unknown fields and wrong wire types, nested ones included (cosmos-sdk unknownproto).
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

import msgspec

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIRE_NAMES = {0: "varint", 1: "fixed64", 2: "bytes", 3: "start_group", 4: "end_group", 5: "fixed32"}
_WIRE_TYPES = {"string": BYTES, "bytes": BYTES, "fixed32": FIXED32}
_DEFAULTS: dict[str, Any] = {"string": "", "bytes": b"", "bool": False}
_MAX_DEPTH = 32


class WireError(Exception):
    """The bytes are not a message of the wanted type; the text is what the chain says of it."""


class Field(msgspec.Struct, frozen=True):
    """One field. kind: a scalar's protobuf name ("enum" too) or a Message class."""

    number: int
    name: str
    kind: Any
    repeated: bool = False
    optional: bool = False

    @property
    def is_message(self) -> bool:
        return not isinstance(self.kind, str)

    @property
    def wire_type(self) -> int:
        return BYTES if self.is_message else _WIRE_TYPES.get(self.kind, VARINT)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all messages."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


M = TypeVar("M", bound=Message)


@lru_cache(maxsize=256)
def _by_number(cls: type[Message]) -> dict[int, Field]:
    return {field.number: field for field in cls.FIELDS}


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, next position); at most 64 bits."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise WireError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= 70:
            raise WireError("proto: integer overflow")
    if value > U64:
        raise WireError("proto: integer overflow")
    return value, at


def _value(data: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    if wire_type == VARINT:
        return read_varint(data, at)
    if wire_type == BYTES:
        length, at = read_varint(data, at)
    elif wire_type in (FIXED32, FIXED64):
        length = 4 if wire_type == FIXED32 else 8
    else:
        raise WireError(f"proto: illegal wireType {wire_type}")
    if at + length > len(data):
        raise WireError("unexpected EOF")
    return data[at : at + length], at + length


def _scalar(kind: str, raw: int) -> Any:
    if kind == "bool":
        return raw != 0
    if kind == "uint32":
        return raw & U32
    if kind in ("sint32", "sint64"):
        return (raw >> 1) ^ -(raw & 1)
    if kind in ("enum", "int32"):
        raw &= U32
        return raw - (1 << 32) if raw >> 31 else raw
    if kind == "int64":
        return raw - (1 << 64) if raw >> 63 else raw
    return raw


def _item(field: Field, raw: int | bytes, strict: bool, depth: int) -> Any:
    if isinstance(raw, int):
        return _scalar(field.kind, raw)
    if field.is_message:
        return decode(field.kind, raw, strict=strict, depth=depth + 1)
    if field.kind == "fixed32":
        return struct.unpack("<I", raw)[0]
    if field.kind == "string":
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise WireError("proto: invalid UTF-8") from error
    return raw


def decode(cls: type[M], data: bytes, *, strict: bool = True, depth: int = 0) -> M:
    """Read a message. Raises WireError; lenient reading skips unknown fields."""
    if depth > _MAX_DEPTH:
        raise WireError("proto: too deep")
    known = _by_number(cls)
    found: dict[str, Any] = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise WireError("proto: illegal tag 0")
        raw, at = _value(data, at, wire_type)
        field = known.get(number)
        if field is None:
            if strict and not _may_be_unknown(cls, number):
                raise WireError(
                    f'errUnknownField "*types.{cls.__name__}": '
                    f'{{TagNum: {number}, WireType:"{_WIRE_NAMES[wire_type]}"}}'
                )
            continue
        packed = field.repeated and wire_type == BYTES and field.wire_type == VARINT
        if wire_type != field.wire_type and not packed:
            if strict:
                raise WireError(
                    f'errMismatchedWireType "*types.{cls.__name__}": {{TagNum: {number}, GotWireType: '
                    f'"{_WIRE_NAMES[wire_type]}" != WantWireType: "{_WIRE_NAMES[field.wire_type]}"}}'
                )
            continue
        if not field.repeated:
            found[field.name] = _item(field, raw, strict, depth)
        elif packed:
            assert isinstance(raw, bytes)
            found.setdefault(field.name, []).extend(_unpack(field, raw))
        else:
            found.setdefault(field.name, []).append(_item(field, raw, strict, depth))
    for field in cls.FIELDS:
        if field.repeated:
            found[field.name] = tuple(found.get(field.name, ()))
        elif field.name not in found:
            found[field.name] = None if field.is_message or field.optional else _DEFAULTS.get(field.kind, 0)
    return cls(**found)


def _may_be_unknown(cls: type[Message], number: int) -> bool:
    """Non-critical fields of the transaction body (cosmos ADR-020)."""
    return cls.__name__ == "TxBody" and 1024 <= number <= 2047


def _unpack(field: Field, raw: bytes) -> list[Any]:
    values, at = [], 0
    while at < len(raw):
        value, at = read_varint(raw, at)
        values.append(_scalar(field.kind, value))
    return values


def varint(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(message: Message) -> bytes:
    """The canonical form: ascending fields, defaults left out, repeated numbers packed."""
    out = bytearray()
    for field in message.FIELDS:
        value = getattr(message, field.name)
        if field.repeated:
            if field.wire_type == VARINT:
                if value:
                    packed = b"".join(varint(_unsigned(field.kind, item)) for item in value)
                    out += varint(field.number << 3 | BYTES) + varint(len(packed)) + packed
            else:
                for item in value:
                    out += _encoded(field, item)
        elif value is not None and (field.is_message or field.optional or value):
            out += _encoded(field, value)
    return bytes(out)


def _unsigned(kind: str, value: int) -> int:
    return (value << 1) ^ (value >> 63) if kind in ("sint32", "sint64") else int(value)


def _encoded(field: Field, value: Any) -> bytes:
    key = varint(field.number << 3 | field.wire_type)
    if field.wire_type == VARINT:
        return key + varint(_unsigned(field.kind, value))
    if field.kind == "fixed32":
        return key + struct.pack("<I", value)
    body = encode(value) if field.is_message else value.encode() if isinstance(value, str) else value
    return key + varint(len(body)) + body
