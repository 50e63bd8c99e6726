"""The control API: what no venue has. POST /control/VENUE/COMMAND with a JSON object and `Authorization: Bearer TOKEN`.

The answer is {"ok": true, "result": ...}, or {"ok": false, "error": "..."} with status 400, 401 or 404. The token is in
sandbox.json, which only the owner of the state folder can read. control_client.py is the other end.

Commands of the shell, for every venue:

    drop_request status delay_request   trouble before the venue sees a request; fields: faults.Fault
    lose_reply delay garbage cut status_after crash   trouble after the venue did its work and stored it
    drop_frame duplicate_frame reorder_frames   trouble with frames to clients
    refuse_ws                           a handshake is answered with a status
    clear, pending                      forget the trouble ordered so far; show it
    disconnect {code, reason}           end every WebSocket; without a code, without a close frame
    mute                                send nothing more on the WebSockets open now, as on a dead path
    inject {text}                       send a raw text frame on every WebSocket
    connections                         how many WebSockets are open
    advance {seconds}                   move the clock of all venues forward
    kill                                die at once, as by kill -9

In the place of a venue, the word "sandbox" takes `keep` (never end by idleness) and `stop`. All other commands (fund,
price, rate_limit, ...) are the venue model's own; see its control().
"""

from __future__ import annotations

import hmac
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec
from aiohttp import web

from ..errors import LatentspeedError
from .faults import Fault, FrameFaultKind, HandshakeFaultKind, RequestFaultKind
from .shell import Shell
from .venue import Venue

OWN_NAME = "sandbox"
_FAULTS = (*get_args(RequestFaultKind), *get_args(FrameFaultKind), *get_args(HandshakeFaultKind))
# What the shell does itself. A venue's own command of the same name would never be reached.
SHELL_COMMANDS = frozenset(
    (*_FAULTS, "clear", "pending", "connections", "disconnect", "mute", "inject", "advance", "kill")
)


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: float


class Disconnect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: int | None = None
    reason: str = ""


class Inject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class Control:
    """Answers control requests of one shell. on_keep: called when the sandbox is told not to end by idleness."""

    def __init__(self, shell: Shell, token: str, on_keep: Callable[[], None]) -> None:
        self._shell = shell
        self._token = token
        self._on_keep = on_keep

    async def handle(self, path: str, request: web.BaseRequest) -> web.Response:
        """path: what follows "/control/"."""
        said = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(said, b"Bearer " + self._token.encode()):
            return _said(401, "the control token is missing or wrong")
        name, _, command = path.partition("/")
        venue = self._shell.venues.get(name)
        if request.method != "POST" or (venue is None and name != OWN_NAME):
            return _said(404, "POST /control/VENUE/COMMAND")
        body = await request.read()
        try:
            arguments = msgspec.json.decode(body or b"{}", type=dict[str, Any])
            result = self._own(command) if venue is None else self._command(venue, command, arguments)
        except (msgspec.MsgspecError, ValueError, KeyError, LatentspeedError) as error:
            return _said(400, f"{command}: {error}")
        if venue is not None and (stored := self._shell.settle(venue)) is not None:
            await stored
        return web.Response(
            body=msgspec.json.encode({"ok": True, "result": result}), headers={"Content-Type": "application/json"}
        )

    def _own(self, command: str) -> object:
        if command == "keep":
            self._shell.idle_s = None
            self._on_keep()
        elif command == "stop":
            self._shell.stop()
        else:
            raise ValueError("not a command of the sandbox")
        return None

    def _command(self, venue: Venue, command: str, arguments: Mapping[str, Any]) -> object:
        if command not in SHELL_COMMANDS:
            return venue.model.control(command, arguments, self._shell.now_ns())
        if command in _FAULTS:
            venue.faults.add(command, msgspec.convert(arguments, Fault))
        elif command == "clear":
            venue.faults.clear()
        elif command == "pending":
            return venue.faults.pending()
        elif command == "connections":
            return len(venue.connections)
        elif command == "disconnect":
            wish = msgspec.convert(arguments, Disconnect)
            for connection in venue.connections.values():
                connection.end(wish.code, wish.reason)
                connection.flush()
        elif command == "mute":
            for connection in venue.connections.values():
                connection.muted = True
        elif command == "inject":
            text = msgspec.convert(arguments, Inject).text
            for connection in venue.connections.values():
                connection.send(text)
                connection.flush()
        elif command == "advance":
            self._shell.advance(msgspec.convert(arguments, Advance).seconds)
        elif command == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return None


def _said(status: int, error: str) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode({"ok": False, "error": error}),
        headers={"Content-Type": "application/json"},
    )
