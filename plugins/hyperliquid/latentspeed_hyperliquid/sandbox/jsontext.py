"""JSON as the venue's parser takes it: the first value counts, repeated keys do not pass."""

from __future__ import annotations

import json
import re

from .numbers import ShapeError

# 200 orders in a batch need some 800. Deeper nesting than this could exhaust the stack of the JSON scanner.
MAX_OPENINGS = 5_000


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; a repeated key is the wrong shape."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ShapeError("repeated key")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


# An escape of half a character: the venue's parser takes pairs of them, and nothing else can be written as UTF-8.
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


class BadJson(Exception):
    """The body is not JSON: HTTP 400."""


def decode(body: bytes) -> object:
    """The first complete JSON value of a body; what follows it is ignored, as on the venue."""
    if body.count(b"[") + body.count(b"{") > MAX_OPENINGS:
        raise BadJson
    try:
        text = body.decode()
        start = len(text) - len(text.lstrip())
        value = _DECODER.raw_decode(text, start)[0]
        if _HALF.search(body):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise BadJson from error
