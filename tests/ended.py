"""How a command line ended, for tests that give one, in this process or in another."""

from __future__ import annotations

import json
from typing import Any

import msgspec


class Ended(msgspec.Struct, frozen=True):
    """code: the exit code. out, err: what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error object on stderr."""
        objects = [json.loads(line) for line in self.err.splitlines()]
        found: dict[str, Any] = next(item["error"] for item in objects if item["schema"] == "error")
        return found
