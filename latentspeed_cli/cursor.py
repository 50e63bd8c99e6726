"""Where the reader of a private stream stands, in a file of the reader's own: the next run goes on from there.

A record is noted after it was written out. So whatever ends a run, nothing is missed; after a kill -9 or a power cut
the last record may come once more.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec

from .clock import NS_PER_S
from .core.in_flight_order import InFlightOrder
from .core.reports import TradeUpdate
from .errors import JournalError, UsageError

VERSION = 1
MAX_BYTES = 16 * 1024 * 1024
# News may come this much later than what happened after it: everything since then is asked for again, and compared.
OVERLAP_NS = 600 * NS_PER_S
MAX_SEEN = 50_000
# Members of Owner whose names are no words for people.
_WORDS = {"instance": "sandbox", "pairs": "choice of pairs"}


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose news, and which of it. instance: of the sandbox, else empty. pairs: sorted; none are all."""

    venue: str
    network: str
    account: str
    instance: str
    channel: str
    pairs: tuple[str, ...]


class Place(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the file holds. begun_ns: nothing older is of interest. latest_ns: the time of the latest news.

    seen: news by what it is about, to its venue time (None: it may still change, so it is kept) and a digest of what
    was shown of it.
    """

    version: int
    owner: Owner
    begun_ns: int
    latest_ns: int
    seen: dict[str, tuple[int | None, str]] = {}


class Cursor:
    """One reader's place. It is written (0600, in one step) whenever it moves."""

    def __init__(self, path: Path, place: Place, *, is_new: bool) -> None:
        self._path = path
        self._place = place
        self.is_new = is_new

    @classmethod
    def open(cls, path: Path, owner: Owner, *, now_ns: int) -> Cursor:
        """The cursor in this file, or a new one that begins now.

        Raises UsageError when the file is none, or that of another account, network, channel or choice of pairs.
        """
        data = _read(path)
        if data is None:
            cursor = cls(path, Place(version=VERSION, owner=owner, begun_ns=now_ns, latest_ns=now_ns), is_new=True)
            cursor.save()
            return cursor
        try:
            place = msgspec.json.decode(data, type=Place)
        except msgspec.MsgspecError:
            raise UsageError(f"{path} is not a cursor", hint="name another file, or none that exists") from None
        if place.version != VERSION:
            raise UsageError(f"{path} is a cursor of version {place.version}, this program knows {VERSION}")
        for field in msgspec.structs.fields(Owner):
            its, ours = getattr(place.owner, field.name), getattr(owner, field.name)
            if its != ours:
                raise UsageError(
                    f"{path} is the cursor of another {_WORDS.get(field.name, field.name)}: "
                    f"{_shown(its)}, not {_shown(ours)}",
                    hint="each account, network, channel and choice of pairs needs a cursor of its own",
                )
        return cls(path, place, is_new=False)

    @property
    def since_ns(self) -> int:
        """Ask for what happened since then; `is_news` knows what of it was shown."""
        return max(self._place.begun_ns, self._place.latest_ns - OVERLAP_NS)

    def is_news(self, item: TradeUpdate | InFlightOrder) -> bool:
        """Whether this was not shown yet: a fill, or an order as it is now."""
        known = self._place.seen.get(_name(item))
        return known is None or known[1] != _digest(item)

    def missed(self, orders: Iterable[InFlightOrder]) -> list[InFlightOrder]:
        """Of these orders those that have changed since they were shown, if that is recent; oldest change first."""
        changed = [order for order in orders if order.updated_ts_ns >= self.since_ns and self.is_news(order)]
        return sorted(changed, key=lambda order: order.updated_ts_ns)

    def note(self, item: TradeUpdate | InFlightOrder) -> None:
        """This was shown."""
        place = self._place
        ts_ns = item.ts_ns if isinstance(item, TradeUpdate) else item.updated_ts_ns
        is_final = isinstance(item, TradeUpdate) or item.is_done
        name = _name(item)
        place.seen.pop(name, None)
        place.seen[name] = ts_ns if is_final else None, _digest(item)
        if ts_ns > place.latest_ns:
            place.latest_ns = ts_ns
            oldest_ns = self.since_ns
            place.seen = {
                name: known for name, known in place.seen.items() if known[0] is None or known[0] >= oldest_ns
            }
        while len(place.seen) > MAX_SEEN:
            del place.seen[next(iter(place.seen))]
        self.save()

    def save(self) -> None:
        """Raises JournalError when it cannot be written: what is shown after that would be shown again."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(self._place) + b"\n")
                file.flush()
                os.fsync(descriptor)
            os.replace(draft, self._path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise JournalError(f"the cursor {self._path} cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"the cursor {path} cannot be read: {error.strerror}") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise UsageError(f"the cursor {path} is not a file of yours")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_BYTES)


def _name(item: TradeUpdate | InFlightOrder) -> str:
    if isinstance(item, TradeUpdate):
        return f"{item.exchange_order_id}/{item.fill_id}"
    return item.client_order_id


def _digest(item: TradeUpdate | InFlightOrder) -> str:
    """Of what a reader sees of it. Of a fill nothing changes that matters."""
    if isinstance(item, TradeUpdate):
        return ""
    seen = (
        item.state,
        item.outcome_unknown,
        item.exchange_order_id,
        item.executed_amount,
        item.fills_complete,
        item.reason,
        item.contradiction,
        item.amount,
        item.price,
        item.attempt,
    )
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:16]


def _shown(value: object) -> str:
    return (" ".join(value) or "all") if isinstance(value, tuple) else str(value) or "none"
