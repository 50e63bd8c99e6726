"""Recorded HTTP conversations (vcrpy): made once against the sandbox, replayed without it.

Signed payloads are bearer tokens, so a signature never reaches a file, and a request matches its recording by method,
path and body without signature. For bodies to be the same again hand `session.open_connector` a
`testing.clock.StillClock` and an `entropy.SeededEntropy`: nonces, ids and expiries then repeat.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import vcr  # type: ignore[import-untyped]

WITHHELD = "withheld"


def recorder(folder: Path, *, record: bool = False) -> Any:
    """A `vcr.VCR` over `folder`; use it as `with recorder(folder).use_cassette("story.yaml")`.

    record False: whatever is not on the tape is an error, and nothing reaches the network. True: everything is
    recorded; remove an old tape first, since a new recording is added to it.
    """
    return vcr.VCR(
        cassette_library_dir=str(folder),
        record_mode=vcr.mode.ALL if record else vcr.mode.NONE,
        match_on=["method", "path", "body"],
        before_record_request=_without_secrets,
        before_record_response=_without_noise,
        decode_compressed_response=True,
    )


def _without_secrets(request: Any) -> Any:
    """The request as it may be kept: no signature, no address of the machine that recorded it."""
    body = request.body
    if body:
        content = json.loads(body)
        if isinstance(content, dict) and "signature" in content:
            content["signature"] = WITHHELD
        request.body = json.dumps(content, sort_keys=True).encode()
    request.uri = f"http://sandbox{request.path}"
    request.headers = {}
    return request


def _without_noise(response: Any) -> Any:
    """The response without headers that differ with every recording."""
    kept = {"content-type"}
    response["headers"] = {name: value for name, value in response["headers"].items() if name.lower() in kept}
    return response
