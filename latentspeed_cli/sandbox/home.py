"""The sandbox's files in a state folder: who runs there, and the lock that says so.

`sandbox.lock` is held by the running server, and only by it: alive means locked. A launcher takes the lock and hands it
to the server it starts, so that of fifty commands that find no sandbox one starts it. The server writes its pid into
the lock file once `sandbox.json` is there and every port listens.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from ..errors import AccountBusy, ConfigError, Exit, LatentspeedError, PluginError, UsageError

_NAMES = ("sandbox.json", "sandbox.lock", "sandbox.db", "sandbox.log", "sandbox.archive")


class StoreUnreadable(LatentspeedError):
    """What the sandbox kept cannot be read. Nothing of it is touched until somebody says `sandbox reset`."""

    exit = Exit.INVALID


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A published account of one venue."""

    address: str
    private_key: str
    mnemonic: str | None = None


class VenueInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where one venue listens, and who has an account there. node_url (host:port, gRPC), chain_id: of a chain only."""

    base_url: str
    ws_url: str
    node_url: str | None = None
    chain_id: str | None = None
    accounts: tuple[AccountInfo, ...]


class SandboxInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody may know about a sandbox. instance, scenario: None when none runs."""

    running: bool
    instance: str | None = None
    scenario: str | None = None
    venues: dict[str, VenueInfo] = {}

    def venue(self, name: str) -> VenueInfo:
        """Where the venue `name` listens. Raises PluginError when the sandbox has none of that name."""
        if name not in self.venues:
            raise PluginError(
                f"the sandbox that runs has no venue {name!r}",
                hint="if the connector is newer than it, `latentspeed sandbox stop`; else see its log (sandbox.log), "
                "and `latentspeed connectors check`",
            )
        return self.venues[name]


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """sandbox.json: a running server as its owner sees it.

    url: the listener that takes control requests. idle_s: it ends after that long without work; None means never.
    """

    info: SandboxInfo
    pid: int
    url: str
    port: int
    seed: int
    idle_s: float | None
    control_token: str


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. None: as this sandbox was before, else the default.

    port: exact; None is 3001 if it is free, else the kernel's choice, which 0 always is. idle_s: end after that long
    without a request; None is never. faults: of rehearsal.py, each striking fault_rate of a hundred times.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    seed: int | None = None
    scenario: str | None = None
    idle_s: float | None = None
    faults: tuple[str, ...] = ()
    fault_rate: int = 25


def loopback_address(host: str) -> str:
    """The address to bind for `host`. Raises UsageError unless it is this machine's own."""
    import ipaddress

    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError(f"the sandbox listens on this machine only, not on {host!r}", hint="leave the host out")
    return str(address)


class Lock:
    """The held lock. It stays held while any process has its descriptor open."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def announce(self, pid: int | None) -> None:
        """Say who is ready to serve; None: nobody yet."""
        os.ftruncate(self.descriptor, 0)
        if pid is not None:
            os.pwrite(self.descriptor, b"%d\n" % pid, 0)

    def close(self) -> None:
        os.close(self.descriptor)


class Home:
    """The sandbox's files in one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info, self.lock, self.store, self.log, self.archive = (folder / name for name in _NAMES)

    def make(self) -> None:
        """Make the folder, for its owner only. Raises ConfigError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot make {self.folder}: {error.strerror}", hint="set LATENTSPEED_STATE_DIR"
            ) from error

    def share(self, folder: Path) -> None:
        """Make this sandbox that of another state folder too, which has a journal of its own, as another machine."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for own in (self.info, self.lock):
            link = folder / own.name
            if not link.is_symlink():
                link.symlink_to(own)

    def take(self) -> Lock | None:
        """Take the lock if nobody holds it. Raises ConfigError when the folder cannot be written."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"cannot write in {self.folder}: {error.strerror}", hint="set LATENTSPEED_STATE_DIR"
            ) from error
        if not _lock(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            return None
        lock = Lock(descriptor)
        lock.announce(None)
        return lock

    def is_locked(self) -> bool:
        """Whether a server, or somebody about to start one, is alive."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The pid of the server that is alive and ready, or None."""
        if not self.is_locked():
            return None
        try:
            pid = int(self.lock.read_bytes())
        except (OSError, ValueError):
            return None  # it is still starting
        return pid if _is_alive(pid) else None

    def running(self) -> Running | None:
        """The server that is alive and ready, or None. Raises AccountBusy when another version of us wrote about it."""
        pid = self.holder()
        if pid is None:
            return None
        try:
            found = msgspec.json.decode(self.info.read_bytes(), type=Running)
        except OSError:
            return None  # it has just ended
        except msgspec.MsgspecError as error:
            raise AccountBusy(
                f"the sandbox that runs (process {pid}) is of another version", hint="`latentspeed sandbox stop`"
            ) from error
        return found if found.pid == pid else None

    def write(self, running: Running) -> None:
        """Replace sandbox.json in one step, mode 0600."""
        draft = self.info.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(running), indent=2) + b"\n")
        draft.rename(self.info)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
