"""Writing protobuf by hand, in its canonical form: the caller puts fields in ascending order, defaults are left out.

The path of an order must not pay for a protobuf runtime. proto.py knows the same messages; tests hold them together.
"""

from __future__ import annotations

from functools import cache

_SHORT = tuple(bytes((value,)) for value in range(128))


def varint(value: int) -> bytes:
    """value: not negative."""
    if value < 128:
        return _SHORT[value]
    if value < 16384:  # most lengths
        return bytes((value & 127 | 128, value >> 7))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


@cache
def key(field: int, wire_type: int) -> bytes:
    """What stands before a value. Fields are those of this program, so few are kept."""
    return varint(field << 3 | wire_type)


def number(field: int, value: int) -> bytes:
    """uint32, uint64, enum or bool."""
    return key(field, 0) + varint(value) if value else b""


def fixed32(field: int, value: int) -> bytes:
    return key(field, 5) + value.to_bytes(4, "little") if value else b""


def data(field: int, value: bytes) -> bytes:
    """bytes or string."""
    return message(field, value) if value else b""


def message(field: int, value: bytes) -> bytes:
    """A member that is there even when it is empty."""
    return key(field, 2) + varint(len(value)) + value


def packed(field: int, values: tuple[int, ...]) -> bytes:
    """repeated uint32 or uint64."""
    return data(field, b"".join(map(varint, values)))
