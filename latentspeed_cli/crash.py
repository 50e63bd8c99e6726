"""Writes down what only we can make sense of: the traceback of a bug, without secrets, in a file of the user's."""

from __future__ import annotations

import os
import sys
import traceback

from . import __version__
from .clock import SystemClock
from .hostile import escape, redact


def write_report(error: BaseException) -> str | None:
    """The path of a new file with the traceback of `error`, or None where no file can be written."""
    from pathlib import Path
    from tempfile import gettempdir

    from platformdirs import user_state_path

    stamp = SystemClock().now_ns()
    lines = traceback.format_exception(error)
    text = "\n".join([f"latentspeed {__version__}, Python {sys.version}", *(redact(line) for line in lines)])
    named = os.environ.get("LATENTSPEED_STATE_DIR")
    for folder in (Path(named) if named else user_state_path("latentspeed", appauthor=False), Path(gettempdir())):
        path = folder / f"latentspeed-bug-{stamp}.log"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("\n".join(escape(line) for line in text.splitlines()) + "\n")
        return str(path)
    return None
