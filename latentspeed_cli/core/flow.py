"""A conversation with a venue as a generator: it yields Requests, is sent Replies, and returns what they mean.

A flow holds no socket and awaits nothing, so it is tested with next() and send(). Whoever drives it decides how the
bytes travel, and what a lost reply means (connector/base.py).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, complete.

    url: absolute. changes: the request may change something at the venue, so only its own reply may say that it
    failed. weight: what it costs in the venue's own rate-limit units.
    """

    url: str
    body: bytes
    changes: bool = False
    weight: int = 1
    method: str = "POST"
    content_type: str = "application/json"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, unread. received_ns: Unix time at which the last byte was here."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    received_ns: int


Flow: TypeAlias = Generator[Request, Reply, T]
