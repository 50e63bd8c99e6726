"""Asks a running sandbox for what no venue can do. For tests, the demo and `sandbox start`; never for trading."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from ..errors import ConnectFailed, UsageError

TIMEOUT_S = 10.0


class ControlClient:
    """Blocking calls of the control API (control.py lists the commands). url and token are in sandbox.json."""

    def __init__(self, url: str, token: str) -> None:
        self._address = urlsplit(url)
        self._token = token

    def call(self, venue: str, command: str, **arguments: object) -> Any:
        """Give one command and return its result.

        Raises UsageError when the sandbox refuses it, ConnectFailed when no sandbox answers.
        """
        # Loaded here: every command on the sandbox imports the supervisor, and hardly one asks for this.
        from http.client import HTTPConnection, HTTPException

        connection = HTTPConnection(self._address.hostname or "", self._address.port, timeout=TIMEOUT_S)
        try:
            connection.request(
                "POST",
                f"/control/{venue}/{command}",
                body=msgspec.json.encode(arguments),
                headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            )
            answer = msgspec.json.decode(connection.getresponse().read())
        except (OSError, HTTPException, msgspec.DecodeError) as error:
            raise ConnectFailed(f"the sandbox does not answer: {type(error).__name__}") from error
        finally:
            connection.close()
        if not answer["ok"]:
            raise UsageError(answer["error"])
        return answer["result"]
