"""Addresses, requests to the indexer and to a node, and what the status of an answer means."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from latentspeed_cli.connector.answers import shape
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.rate_limit import Rate
from latentspeed_cli.errors import (
    AuthRejected,
    ConfigError,
    ProtocolError,
    RateLimited,
    ReplyLost,
)

from .config import DydxV4Config
from .payloads import Errors
from .wire import NS_PER_MS

# Indexer, and a node that takes transactions. The sandbox's addresses are handed in by whoever started it; these are
# the ones of a chain of one's own, as the venue's repository starts it.
BASE_URLS = {
    "mainnet": "https://indexer.dydx.trade",
    "testnet": "https://indexer.v4testnet.dydx.exchange",
    "sandbox": "http://127.0.0.1:3002",
}
NODE_URLS = {
    "mainnet": "oegs.dydx.trade:443",
    "testnet": "oegs-testnet.dydx.exchange:443",
    "sandbox": "127.0.0.1:9090",
}
WS_PATH = "/v4/ws"

# The indexer takes 100 requests per IP in 10 s. It counts several kinds of reads apart, and we count all as one. Nodes
# publish no limit of their own.
REQUESTS_PER_WINDOW = 100
RATE_WINDOW_MS = 10_000
SANDBOX_LEEWAY = 100  # the default scenario of the sandbox takes that many times more

# gRPC status codes; an HTTP status is never so small.
GRPC_OK = 0
GRPC_NOT_FOUND = 5
GRPC_RESOURCE_EXHAUSTED = 8
GRPC_LAST = 16
# Trouble of the way or of the node's, which another try may not meet: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, ABORTED,
# INTERNAL, UNAVAILABLE.
_GRPC_PASSING = frozenset({1, 2, 4, 10, 13, 14})


class DydxV4WebUtils:
    """Addresses of one network.

    base_url: the indexer's REST root. ws_url: its streams. node: host and port of the gRPC services.
    """

    def __init__(self, config: DydxV4Config) -> None:
        self.base_url = (config.base_url or BASE_URLS[config.network]).rstrip("/")
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigError("the indexer's address must begin with http:// or https://")
        self.ws_url = config.ws_url or "ws" + self.base_url.removeprefix("http") + WS_PATH
        self.node = (config.node_url or NODE_URLS[config.network]).rpartition("://")[2].rstrip("/")
        leeway = SANDBOX_LEEWAY if config.network == "sandbox" else 1
        self.rate = Rate(weight=REQUESTS_PER_WINDOW * leeway, window_s=RATE_WINDOW_MS // 1_000)

    def get(self, *path: str | int, **parameters: str | int | None) -> Request:
        """A read from the indexer. path: its pieces behind /v4; parameters: in the venue's spelling, None is absent."""
        url = "/".join((self.base_url, "v4", *(quote(str(piece), safe="") for piece in path)))
        asked = {name: value for name, value in parameters.items() if value is not None}
        return Request(method="GET", url=f"{url}?{urlencode(asked)}" if asked else url, body=b"")

    def call(self, method: str, message: bytes, *, changes: bool = False) -> Request:
        """A call of a node. method: service and name, as cosmos.tx.v1beta1.Service/BroadcastTx. It costs the indexer
        nothing.
        """
        url = f"grpc://{self.node}/{method}"
        return Request(method="GRPC", url=url, body=message, changes=changes, weight=0, content_type="application/grpc")

    def check(self, reply: Reply, *, changes: bool) -> bytes:
        """The body of a 200, or of a call that succeeded.

        Raises RateLimited for 429, AuthRejected where the venue does not serve this address or place, ReplyLost for
        5xx and for what may pass at a node, ProtocolError for everything else. Of a change nothing is known unless the
        call succeeded: a status of gRPC may be a proxy's, so it is ReplyLost.
        """
        status = reply.status
        if status in (200, GRPC_OK):
            return reply.body
        said = words(reply)
        if 0 < status <= GRPC_LAST:
            if changes or status in _GRPC_PASSING:
                raise ReplyLost(f"the node answered {said}", venue_code=f"grpc {status}")
            if status == GRPC_RESOURCE_EXHAUSTED:
                raise RateLimited(f"the node refused: {said}", venue_code="grpc 8", retry_after_ms=RATE_WINDOW_MS)
            raise ProtocolError(f"the node answered with status {status}: {said}", payload=reply.body)
        if status == 429:
            raise RateLimited(
                "the venue refused: too many requests from this address",
                venue_code="429",
                retry_after_ms=_retry_after_ms(reply),
                hint="the venue takes 100 requests in 10 seconds per IP address",
            )
        if status == 403:
            raise AuthRejected(f"the venue does not serve this address: {said}", venue_code=_code(reply) or "403")
        if 500 <= status < 600 or changes:
            raise ReplyLost(f"the venue answered {status}", venue_code=str(status))
        raise ProtocolError(f"the venue answered {status}: {said}", payload=reply.body)

    def found(self, reply: Reply) -> bytes | None:
        """The same for a read of one thing; None when the venue says that it does not know it, which proves nothing."""
        if reply.status == GRPC_NOT_FOUND or (reply.status == 404 and _errors(reply) is not None):
            return None
        return self.check(reply, changes=False)


def words(reply: Reply) -> str:
    """What the venue says about a refused request; the start of the body where that is no list of errors."""
    errors = _errors(reply)
    if errors is not None and errors.errors:
        return "; ".join(row.msg or row.code or "?" for row in errors.errors)[:300]
    return reply.body[:200].decode("utf-8", "replace")


def _errors(reply: Reply) -> Errors | None:
    try:
        found: Errors = shape(reply.body, Errors)
    except ProtocolError:
        return None
    return found


def _code(reply: Reply) -> str | None:
    errors = _errors(reply)
    return next((row.code for row in errors.errors if row.code), None) if errors is not None else None


def _retry_after_ms(reply: Reply) -> int:
    """Until the window ends, as the headers say: its end in epoch milliseconds, or the wait, in milliseconds too."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    end, wait = (_whole(headers.get(name)) for name in ("ratelimit-reset", "retry-after"))
    left = None if end is None else end - reply.received_ns // NS_PER_MS
    for found in (left, wait):
        if found is not None and 0 < found <= 60 * RATE_WINDOW_MS:
            return found
    return RATE_WINDOW_MS


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 16 else None
