"""Trouble on order: what a test asks the shell to do wrong, once or a few times, on requests and frames that match."""

from __future__ import annotations

from typing import Literal

import msgspec

# What may go wrong with one HTTP request. Before the venue sees it: drop_request, status, delay_request. After it did
# its work and stored it: lose_reply, delay, garbage, cut, status_after, crash.
RequestFaultKind = Literal[
    "drop_request", "status", "delay_request", "lose_reply", "delay", "garbage", "cut", "status_after", "crash"
]
# What may go wrong with one WebSocket frame on its way to the client. reorder_frames: it comes after the next one.
FrameFaultKind = Literal["drop_frame", "duplicate_frame", "reorder_frames"]
# A WebSocket handshake that is answered with a status.
HandshakeFaultKind = Literal["refuse_ws"]
BEFORE = ("drop_request", "status", "delay_request")
AFTER = ("lose_reply", "delay", "garbage", "cut", "status_after", "crash")
FRAMES = ("drop_frame", "duplicate_frame", "reorder_frames")
FaultKind = RequestFaultKind | FrameFaultKind | HandshakeFaultKind


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of trouble. It strikes `count` times, after letting `skip` matches pass.

    path: only this path. contains: only when the request's body, or the frame, contains this text. seconds: of a delay.
    status, body, content_type: what a refusal, or garbage, says.
    """

    path: str | None = None
    contains: str | None = None
    count: int = 1
    skip: int = 0
    seconds: float = 1.0
    status: int = 502
    body: str = "<html>Bad Gateway</html>"
    content_type: str = "text/html"

    def matches(self, path: str, text: str) -> bool:
        return (self.path is None or self.path == path) and (self.contains is None or self.contains in text)


class Faults:
    """The trouble that is still to come at one venue, in the order it was asked for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, Fault]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, kind: str, fault: Fault) -> None:
        self._waiting.append((kind, fault))

    def clear(self) -> None:
        self._waiting.clear()

    def pending(self) -> list[dict[str, object]]:
        return [{"kind": kind, **msgspec.to_builtins(fault)} for kind, fault in self._waiting]

    def take(self, kinds: tuple[str, ...], path: str, text: str) -> tuple[str, Fault] | None:
        """The first fault of these kinds that strikes here, or None. Each match uses up one of its skips or counts."""
        for place, (kind, fault) in enumerate(self._waiting):
            if kind not in kinds or not fault.matches(path, text):
                continue
            if fault.skip > 0:
                self._waiting[place] = kind, msgspec.structs.replace(fault, skip=fault.skip - 1)
                continue
            if fault.count > 1:
                self._waiting[place] = kind, msgspec.structs.replace(fault, count=fault.count - 1)
            else:
                del self._waiting[place]
            return kind, fault
        return None
