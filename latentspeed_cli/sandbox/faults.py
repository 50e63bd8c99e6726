"""Trouble on order: what the shell does to the next answers when somebody asks for it through the control API."""

from __future__ import annotations

import enum
from collections import deque

import msgspec

from ..errors import UsageError


class FaultKind(enum.Enum):
    """drop_request: the model never sees it. lose_reply: the model has done it, and the socket is cut. delay: the answer
    comes `seconds` later. status: an HTTP error instead of an answer, before the model sees the request; status_after:
    the same after the model has done it. garbage: HTTP 200 and no sense, after the model has done it."""

    DROP_REQUEST = "drop_request"
    LOSE_REPLY = "lose_reply"
    DELAY = "delay"
    STATUS = "status"
    STATUS_AFTER = "status_after"
    GARBAGE = "garbage"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of trouble for the next `count` requests to `path`; None means any path."""

    kind: FaultKind
    count: int = 1
    path: str | None = None
    seconds: float = 0.0
    status: int = 502


class Faults:
    """Faults that wait for their request, first come first served."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()

    def add(self, command: str, arguments: object) -> bool:
        """Take up a fault. False when `command` names none. Raises UsageError for arguments that do not fit."""
        if command not in {kind.value for kind in FaultKind}:
            return False
        fields = arguments if isinstance(arguments, dict) else {}
        try:
            self._waiting.append(msgspec.convert({**fields, "kind": command}, Fault))
        except msgspec.ValidationError as error:
            raise UsageError(f"{command}: {error}") from error
        return True

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """The fault that the next request to `path` gets, used up by one."""
        for index, fault in enumerate(self._waiting):
            if fault.path in (None, path):
                if fault.count <= 1:
                    del self._waiting[index]
                else:
                    self._waiting[index] = msgspec.structs.replace(fault, count=fault.count - 1)
                return fault
        return None
