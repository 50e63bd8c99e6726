"""Lines of a series on their way to stdout, whose reader may be slow or take nothing at all.

A pipe is written piece by piece, each of which it takes at once, so that a slow reader holds up nobody but himself.
What is written, and in which format, is output.py's.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import stat
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from .errors import StreamLost
from .records import Record

# A burst that is longer goes out in several writes.
MAX_WAITING_LINES = 256
# A pipe that is ready takes so many bytes at once (POSIX calls it PIPE_BUF). One that is not is looked at again after a
# pause, which doubles.
PIECE = select.PIPE_BUF
MAX_UTF8 = 4
FIRST_PAUSE_S, MAX_PAUSE_S = 0.0002, 0.005


@contextmanager
def patient(
    line: Callable[[Record], str | None], put: Callable[[str], None], stdout: IO[str] | None, stalled_after_s: float
) -> Iterator[Lines]:
    """Lines for a while; what waits at the end is written.

    line: what is shown of a record, None for nothing. put: writes to `stdout`. A reader that takes nothing for
    `stalled_after_s` seconds is given up: StreamLost (16). It works with an alarm signal, since a blocked write cannot
    be waited for in any other way; so only on the main thread.
    """

    def give_up(number: int, frame: object) -> None:
        raise _stalled(stalled_after_s)

    previous = signal.signal(signal.SIGALRM, give_up)
    lines = Lines(line, put, stalled_after_s, pipe=_pipe(stdout))
    try:
        yield lines
        lines.flush()
    finally:
        signal.signal(signal.SIGALRM, previous)


class Lines:
    """Lines that go out together. Whoever shows them says when.

    pipe: the descriptor of stdout if that is a pipe, whose reader may be slow. Then they go out in pieces that a pipe
    takes at once if it takes any, and `out` waits for a slow reader without holding up anything else.
    """

    def __init__(
        self,
        line: Callable[[Record], str | None],
        put: Callable[[str], None],
        stalled_after_s: float,
        *,
        pipe: int | None,
    ) -> None:
        self._line = line
        self._put = put
        self._stalled_after_s = stalled_after_s
        self._waiting: list[str] = []
        self._text = ""  # what is on its way out, piece by piece, and where the next piece begins
        self._at, self._width = 0, 1
        self._full_since_s: float | None = None
        self._pipe = pipe
        self._is_measured = (
            pipe is not None and hasattr(fcntl, "F_GETPIPE_SZ") and stat.S_ISFIFO(os.fstat(pipe).st_mode)
        )
        self._poll: select.poll | None = None
        if pipe is not None:
            self._poll = select.poll()
            self._poll.register(pipe, select.POLLOUT)

    def show(self, record: Record) -> None:
        line = self._line(record)
        if line is not None:
            self._waiting.append(line)

    @property
    def is_held_up(self) -> bool:
        """Whether nothing should be added before what waits is out."""
        return self._full_since_s is not None or len(self._waiting) >= MAX_WAITING_LINES

    def flush(self) -> None:
        """Write what waits, however long it takes. Raises BrokenPipeError, or StreamLost when nobody takes it."""
        while piece := self._next():
            signal.setitimer(signal.ITIMER_REAL, self._stalled_after_s)
            try:
                self._put(piece)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

    async def out(self) -> None:
        """The same, without holding up anything else."""
        if self._poll is None:
            self.flush()
            return
        import asyncio  # a stream has it already; other commands print without it

        loop, pause_s = asyncio.get_running_loop(), FIRST_PAUSE_S
        while self._waiting or self._text:
            if self._poll.poll(0):
                self._full_since_s, pause_s = None, FIRST_PAUSE_S
                self._put(self._next())
                continue
            if self._full_since_s is None:
                self._full_since_s = loop.time()
            if loop.time() - self._full_since_s >= self._stalled_after_s:
                raise _stalled(self._stalled_after_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _next(self) -> str:
        """The next piece of what waits; empty when nothing does."""
        if not self._text and self._waiting:
            self._text, self._waiting, self._at = "\n".join(self._waiting) + "\n", [], 0
            self._width = 1 if self._text.isascii() else MAX_UTF8
        size = self._room() // self._width
        piece = self._text[self._at : self._at + size]
        self._at += size
        if self._at >= len(self._text):
            self._text = ""
        return piece

    def _room(self) -> int:
        """Bytes that stdout takes at once when it is ready for some. An empty pipe takes all that it can hold."""
        if self._pipe is None:
            return MAX_UTF8 * len(self._text)
        if not self._is_measured:
            return PIECE
        (queued,) = struct.unpack("i", fcntl.ioctl(self._pipe, termios.FIONREAD, b"\0" * 4))
        return PIECE if queued else fcntl.fcntl(self._pipe, fcntl.F_GETPIPE_SZ)


def _stalled(after_s: float) -> StreamLost:
    return StreamLost(f"the reader of stdout took nothing for {after_s:g} s")


def _pipe(stdout: IO[str] | None) -> int | None:
    try:
        descriptor = -1 if stdout is None else stdout.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):  # it is closed, or nothing of the system's
        return None
    return descriptor if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None
