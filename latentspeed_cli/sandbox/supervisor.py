"""Starts, finds and ends the sandbox of a state folder. Blocking, and cheap when one runs already.

Nobody decides for anybody else: who gets the lock starts the server, everybody else waits until it is ready.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from ..clock import monotonic_s, sleep_s
from ..errors import AccountBusy, ConfigError, ConnectFailed, LatentspeedError, PluginError, UsageError
from .control_client import ControlClient
from .home import Home, Lock, Options, Running, SandboxInfo, StoreUnreadable

# Without a request for so long, a sandbox that a command started ends.
IDLE_S = 1800.0
# Fifty cold processes on a small machine need their time.
READY_S = 60.0
STOP_S = 10.0
_POLL_S = 0.02
_LOG_BYTES = 1_000_000
_FAILURES: dict[str, type[LatentspeedError]] = {
    kind.__name__: kind for kind in (UsageError, ConfigError, PluginError, StoreUnreadable)
}


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure"):
    """What a server that cannot start tells its launcher instead of Ready. kind: an error class."""

    kind: str
    message: str
    hint: str | None


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    running: Running


def status(state_dir: Path) -> SandboxInfo:
    """What runs there; running False when nothing does."""
    found = Home(state_dir).running()
    return found.info if found else SandboxInfo(running=False)


def ensure(state_dir: Path, *, notify: Callable[[str], None], idle_s: float = IDLE_S) -> SandboxInfo:
    """The running sandbox, started if there is none; one that is started here ends after `idle_s` without work.

    Raises ConfigError (folder), StoreUnreadable, PluginError, ConnectFailed (it does not get ready).
    """
    home = Home(state_dir)
    found = _obtain(home)
    if isinstance(found, Lock):
        found = _launch(home, found, Options(idle_s=idle_s))
        notify(f"started a sandbox at {found.url}; it ends after {idle_s / 60:g} idle minutes")
    return found.info


def start(state_dir: Path, options: Options) -> SandboxInfo:
    """A sandbox that stays until stop(). One that runs already stays too, if it is as asked for.

    Raises what ensure() raises, and UsageError when it cannot be as asked for.
    """
    home = Home(state_dir)
    found = _obtain(home)
    if isinstance(found, Lock):
        return _launch(home, found, options).info
    has = (
        ("port", options.port or None, found.port),
        ("seed", options.seed, found.seed),
        ("scenario", options.scenario, found.info.scenario),
    )
    for name, wanted, real in has:
        if wanted not in (None, real):
            raise UsageError(f"a sandbox with {name} {real} runs already", hint="`latentspeed sandbox stop` first")
    ControlClient(found.url, found.control_token).call("sandbox", "keep")
    return found.info


def stop(state_dir: Path) -> bool:
    """End the running sandbox; False when there was none. Raises AccountBusy when it does not end."""
    home = Home(state_dir)
    deadline = monotonic_s() + READY_S
    while home.is_locked():
        pid = home.holder()
        if pid is not None:
            _end(home, pid)
            return True
        _wait(home, deadline)
    return False


def reset(state_dir: Path, *, seed: int | None = None, scenario: str | None = None) -> SandboxInfo:
    """Put what was kept aside and begin a new instance, with the same seed and scenario unless told otherwise.

    A sandbox that runs is started again on its port. Raises what start() and stop() raise.
    """
    from .identity import renew

    home = Home(state_dir)
    before: Running | None = None
    found = _obtain(home)
    while not isinstance(found, Lock):
        before = found
        _end(home, found.pid)
        found = _obtain(home)
    try:
        begun = renew(home, seed=seed, scenario=scenario)
    except BaseException:
        found.close()
        raise
    if before is None:
        found.close()
        return begun
    return _launch(home, found, Options(port=before.port, idle_s=before.idle_s)).info


def take(state_dir: Path) -> Lock:
    """The lock, for a server in this process. Raises AccountBusy when a sandbox runs already."""
    found = _obtain(Home(state_dir))
    if isinstance(found, Lock):
        return found
    raise AccountBusy(
        f"a sandbox runs already at {found.url} (process {found.pid})", hint="`latentspeed sandbox stop` first"
    )


def control(state_dir: Path) -> ControlClient:
    """A client of the control API of the running sandbox. Raises ConnectFailed when none runs."""
    found = Home(state_dir).running()
    if found is None:
        raise ConnectFailed("no sandbox is running", hint="`latentspeed sandbox start`")
    return ControlClient(found.url, found.control_token)


def failure(error: LatentspeedError) -> Failure:
    """An error of a server that is starting, as its launcher reads it."""
    kind = next((name for name, kind in _FAILURES.items() if isinstance(error, kind)), "")
    return Failure(kind=kind, message=error.message, hint=error.hint)


def _obtain(home: Home) -> Running | Lock:
    """The sandbox that runs, or the lock to start one. Waits for one that is starting or ending."""
    found: Running | Lock | None = home.running()
    if found is not None:
        return found
    home.make()
    deadline = monotonic_s() + READY_S
    while True:
        found = home.running() or home.take()
        if found is not None:
            return found
        _wait(home, deadline)


def _wait(home: Home, deadline: float) -> None:
    """For somebody else's sandbox to get ready, or to be gone."""
    if monotonic_s() > deadline:
        raise ConnectFailed("a sandbox is starting but does not get ready", hint=f"its log is {home.log}")
    sleep_s(_POLL_S)


def _end(home: Home, pid: int) -> None:
    """Ask a server to end, and wait. Home has just seen it hold the lock, so the pid is its own."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = monotonic_s() + STOP_S
    while home.is_locked():
        if home.holder() not in (None, pid):
            return  # somebody started another one already
        if monotonic_s() > deadline:
            raise AccountBusy(f"the sandbox (process {pid}) does not end", hint=f"its log is {home.log}")
        sleep_s(_POLL_S)


def _launch(home: Home, lock: Lock, options: Options) -> Running:
    """Start a server in a session of its own, hand it the lock, and wait until it is ready."""
    import subprocess

    reader, writer = os.pipe()
    try:
        with _open_log(home) as log:
            subprocess.Popen(
                [sys.executable, "-P", "-m", "latentspeed_cli.sandbox", *_arguments(home, options, lock, writer)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock.descriptor, writer),
                start_new_session=True,
                env=_environment(),
            )
        os.close(writer)
        writer = -1
        told = _first_line(reader)
    except OSError as error:
        raise ConnectFailed(f"cannot start a sandbox: {error.strerror}") from error
    finally:
        lock.close()
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    if not told:
        raise ConnectFailed("the sandbox did not get ready", hint=f"its log is {home.log}")
    answer = msgspec.json.decode(told, type=Ready | Failure)
    if isinstance(answer, Failure):
        raise _FAILURES.get(answer.kind, LatentspeedError)(answer.message, hint=answer.hint)
    return answer.running


def _arguments(home: Home, options: Options, lock: Lock, answer: int) -> list[str]:
    asked = msgspec.json.encode(options).decode()
    return [str(home.folder.absolute()), asked, "--lock", str(lock.descriptor), "--answer", str(answer)]


def _environment() -> dict[str, str]:
    """Our environment without what is the user's own business: a server that stays has no need of keys."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LATENTSPEED_")}


def _open_log(home: Home) -> IO[bytes]:
    if home.log.exists() and home.log.stat().st_size > _LOG_BYTES:
        home.log.replace(home.log.with_suffix(".log.1"))
    home.log.touch(mode=0o600)
    return home.log.open("ab")


def _first_line(reader: int) -> bytes:
    """What the server says first, or nothing when it ends or takes too long."""
    deadline = monotonic_s() + READY_S
    said = b""
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([reader], [], [], max(deadline - monotonic_s(), 0))
        part = os.read(reader, 65536) if ready else b""
        if not part:
            return b""
        said += part
    return said
