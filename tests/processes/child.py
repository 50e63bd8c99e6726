"""The command line in a process in which one thing goes wrong. Arguments: SEAM, then the words of the command.

SEAM is what goes wrong, at which of its turns, as `WHAT:N`, or `WHAT:N@K`: counted once K transactions are committed.

    commit-before, commit-after   kill -9 around the Nth transaction of the journal, counted once it is open
    send-before, send-after       kill -9 around the Nth request that may change something
    hasty:1                       nothing; a stream connects anew at once, as often as it takes, and bears no silence
    full, eio, sync               the Nth write to the journal's files finds no room, fails, or its fsync fails
    full+, eio+, sync+            and so does every one after it
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import Any

import apsw

from latentspeed_cli import config
from latentspeed_cli.journal import journal
from latentspeed_cli.main import run
from latentspeed_cli.transport import ws
from latentspeed_cli.transport.grpc import GrpcTransport
from latentspeed_cli.transport.http import HttpTransport
from latentspeed_cli.transport.line import Limits, Line


class Turns:
    """Counts, and knows when it is time. commits: how many have to come first. stays: it is time ever after."""

    def __init__(self, number: int, *, commits: int = 0, stays: bool = False) -> None:
        self._left = number
        self._commits = commits
        self._stays = stays

    def is_now(self) -> bool:
        if self._commits > 0:
            return False
        self._left -= 1
        return self._left == 0 or (self._stays and self._left < 0)

    def committed(self) -> None:
        self._commits -= 1


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def around_commits(when: str, turns: Turns) -> None:
    leave = journal._Transaction.__exit__

    def exit_(self: Any, kind: Any, error: Any, trace: Any) -> None:
        counts = not self._setting_up and error is None and turns.is_now()
        if counts and when == "commit-before":
            die()
        leave(self, kind, error, trace)
        if counts:
            die()

    journal._Transaction.__exit__ = exit_  # type: ignore[method-assign]


def after_commits(turns: Turns) -> None:
    """Let the counting of turns begin when the journal has committed so often."""
    leave = journal._Transaction.__exit__

    def exit_(self: Any, kind: Any, error: Any, trace: Any) -> None:
        leave(self, kind, error, trace)
        if not self._setting_up and error is None:
            turns.committed()

    journal._Transaction.__exit__ = exit_  # type: ignore[method-assign]


def around_sending(when: str, turns: Turns) -> None:
    for transport in (HttpTransport, GrpcTransport):
        send: Any = transport.send

        async def sending(self: Any, request: Any, send: Any = send) -> Any:
            counts = request.changes and turns.is_now()
            if counts and when == "send-before":
                die()
            reply = await send(self, request)
            if counts:
                die()
            return reply

        transport.send = sending  # type: ignore[method-assign]


def make_hasty() -> None:
    vars(ws)["Limits"] = partial(
        Limits, first_delay_s=0.01, max_delay_s=0.05, steady_s=0.0, connect_timeout_s=3.0, ack_timeout_s=3.0
    )
    vars(config)["DEFAULT_TIMEOUT_S"] = 5.0
    begin = Line.__init__

    def begin_impatient(self: Any, clock: Any, jitter: Any, limits: Any, source: Any, *more: Any, **named: Any) -> None:
        source.heartbeat_s, source.dead_after_s = 1.0, 3.0
        begin(self, clock, jitter, limits, source, *more, **named)

    Line.__init__ = begin_impatient  # type: ignore[method-assign]


def on_disk(what: str, turns: Turns) -> apsw.VFS:
    """The disk; it lives as long as somebody holds it."""

    usual = apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def xWrite(self, data: Any, offset: int) -> None:
            if what != "sync" and turns.is_now():
                raise apsw.FullError("no room") if what == "full" else apsw.IOError("the disk failed")
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:
            if what == "sync" and turns.is_now():
                raise apsw.IOError("the disk failed")
            super().xSync(flags)

    class Disk(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("failing", usual, makedefault=True)

        def xOpen(self, name: Any, flags: Any) -> File:
            return File(usual, name, flags)

    return Disk()


def main(seam: str, words: list[str]) -> None:
    what, _, when = seam.partition(":")
    number, _, commits = when.partition("@")
    turns = Turns(int(number), commits=int(commits or 0), stays=what.endswith("+"))
    if commits:
        after_commits(turns)
    if what.startswith("commit"):
        around_commits(what, turns)
    elif what.startswith("send"):
        around_sending(what, turns)
    elif what == "hasty":
        make_hasty()
    else:
        _disk = on_disk(what.removesuffix("+"), turns)
    sys.argv[1:] = words
    run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
