"""Errors and exit codes: did it arrive, and may the same command be given again?

Every error class names its exit code and its retry rule; both come from the one table below, which also generates
`latentspeed docs exit-codes` and docs/exit-codes.md. Facts are attributes; sentences are built when somebody reads.
This module imports nothing but the standard library, so that `--help` stays cheap.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Exit(enum.Enum):
    """What the process tells its caller. Stable within a major version."""

    OK = (0, "ok", "done as asked, or replayed", "-")
    INTERNAL = (1, "internal", "our bug; the log file is named", "no")
    USAGE = (2, "usage", "bad arguments or configuration; an answer was needed and input is off", "no")
    INVALID = (3, "invalid", "the order breaks a venue rule, or the venue cannot do this; nothing sent", "no")
    REJECTED = (4, "rejected", "the venue refused; nothing rests", "no")
    UNKNOWN = (
        5,
        "unknown",
        "sent, outcome not decided; may be live",
        "only with the same client id, or `reconcile`",
    )
    NOT_FOUND = (6, "not-found", "proven absent", "no")
    AUTH = (7, "auth", "key missing, wrong, expired, not approved", "no")
    UNREACHABLE = (8, "unreachable", "network or venue down; provably nothing sent", "yes")
    RATE_LIMITED = (9, "rate-limited", "nothing accepted", "yes, after `retry_after_ms`")
    BUSY = (10, "busy", "another run holds the account", "yes")
    JOURNAL = (11, "journal", "journal or disk trouble; nothing sent", "after repair")
    ID_CONFLICT = (12, "id-conflict", "client id known with other parameters", "no")
    GUARD = (13, "guard", "cap, price band, kill switch, network gate", "no")
    FILLED = (14, "filled", "nothing left to cancel", "no")
    PLUGIN = (15, "plugin", "connector missing, incompatible, failed to load", "no")
    STREAM_LOST = (16, "stream-lost", "stale, gap not repairable, reconnect budget spent", "yes, with the cursor")
    PROTOCOL = (17, "protocol", "the venue said something impossible, or contradicted itself", "look")
    PARTIAL = (18, "partial", "some of a batch or cancel-all failed; per-item records on stdout", "look")
    NOT_YET = (19, "not-yet", "`wait` ran out; the order is alive", "yes (`wait`)")
    ENDED = (20, "ended", "ended without reaching what was asked (IOC without a fill, expired while waiting)", "look")
    INTERRUPTED = (130, "interrupted", "Ctrl-C (5 wins when an order may be live)", "see journal")
    PIPE_CLOSED = (141, "pipe-closed", "the reader of stdout went away", "see journal")
    TERMINATED = (143, "terminated", "TERM signal (5 wins when an order may be live)", "see journal")

    def __init__(self, code: int, label: str, meaning: str, again: str) -> None:
        self.code = code
        self.label = label
        self.meaning = meaning
        self.again = again


class Retry(enum.Enum):
    """May the same command be given again?"""

    NEVER = "never"
    SAME_ID = "same-id"
    SAFE = "safe"


class LatentspeedError(Exception):
    """Base of everything this product raises on purpose.

    message: what happened, without advice. hint: what to do about it. Neither may hold a secret.
    """

    exit: ClassVar[Exit] = Exit.INTERNAL
    retry: ClassVar[Retry] = Retry.NEVER

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        client_order_id: str | None = None,
        venue_code: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.client_order_id = client_order_id
        self.venue_code = venue_code
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return self.message

    @property
    def exit_code(self) -> int:
        return self.exit.code


# Ours: nothing was sent.


class UsageError(LatentspeedError):
    """The words of the command or of the configuration do not fit."""

    exit = Exit.USAGE


class ConfigError(UsageError):
    """A configuration file or environment variable does not fit."""


class OrderRefused(LatentspeedError):
    """The order breaks a rule of the venue that we know, or the venue cannot do it. Nothing tracked, nothing sent."""

    exit = Exit.INVALID


class OutputLost(LatentspeedError):
    """What was done could not be told: nobody knows it from stdout."""

    exit = Exit.PIPE_CLOSED


class CredentialError(LatentspeedError):
    """No usable key: missing, twice, malformed, readable by others, wrong password."""

    exit = Exit.AUTH


class GuardRefused(LatentspeedError):
    """A guard of ours said no: notional cap, price band, reference book, network gate, clock."""

    exit = Exit.GUARD


class IdConflict(LatentspeedError):
    """The client order id is known with other parameters."""

    exit = Exit.ID_CONFLICT


class AccountBusy(LatentspeedError):
    """Another run holds the account or the journal and did not let go in time."""

    exit = Exit.BUSY
    retry = Retry.SAFE


class JournalError(LatentspeedError):
    """The journal could not be opened, read or written. Nothing was sent."""

    exit = Exit.JOURNAL


class PluginError(LatentspeedError):
    """A connector is missing, incompatible or failed to load."""

    exit = Exit.PLUGIN


# The venue answered.


class VenueError(LatentspeedError):
    """The venue gave a definite answer."""


class OrderRejected(VenueError):
    """The venue refused the order; nothing rests."""

    exit = Exit.REJECTED


class AttemptRefused(OrderRejected):
    """Refused for its timing, so nothing of it rests; the same order may be tried once more, with fresh numbers."""


class OrderNotFound(VenueError):
    """Proven absent. A venue's "not found" alone is not such a proof."""

    exit = Exit.NOT_FOUND


class AuthRejected(VenueError):
    """The venue does not know this key, or the key may not act for this account."""

    exit = Exit.AUTH


class RateLimited(VenueError):
    """The venue refused for the rate of requests; nothing was accepted."""

    exit = Exit.RATE_LIMITED
    retry = Retry.SAFE


# The way to the venue.


class TransportError(LatentspeedError):
    """The network, not the venue, spoke."""

    exit = Exit.UNREACHABLE
    retry = Retry.SAFE


class ConnectFailed(TransportError):
    """No byte of the request left: name look-up, connect, TLS or a local refusal failed."""


class ReplyLost(TransportError):
    """The request may have arrived; its reply did not, or cannot be read to the end."""


class OutcomeUnknown(LatentspeedError):
    """A request that changes something may have arrived. Ask, never send it again blindly."""

    exit = Exit.UNKNOWN
    retry = Retry.SAME_ID


class NonceRefused(OutcomeUnknown):
    """Refused for its nonce or sequence, which an earlier copy of the same request may have used up.

    When it turns out that nothing of it landed, or ever can, the same order may be tried once more with another one.
    """


class ProtocolError(LatentspeedError):
    """What the venue said makes no sense, or contradicts itself. payload: the start of what it said."""

    exit = Exit.PROTOCOL

    def __init__(self, message: str, *, payload: bytes | str = b"", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.payload = payload[:512]


class StreamLost(LatentspeedError):
    """A stream is stale, has a gap that cannot be repaired, or spent its reconnect budget."""

    exit = Exit.STREAM_LOST
    retry = Retry.SAFE


# How an order that is known stands against what was asked of it.


class NotYet(LatentspeedError):
    """The order is alive and short of what was waited for."""

    exit = Exit.NOT_YET
    retry = Retry.SAFE


class EndedShort(LatentspeedError):
    """The order ended without reaching what was asked for."""

    exit = Exit.ENDED


class AlreadyFilled(LatentspeedError):
    """Nothing is left to cancel: the order is filled."""

    exit = Exit.FILLED
