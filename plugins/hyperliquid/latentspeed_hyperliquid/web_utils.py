"""Addresses, info requests, and what an HTTP status means."""

from __future__ import annotations

import msgspec

from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.rate_limit import Rate
from latentspeed_cli.errors import OrderRejected, ProtocolError, RateLimited, ReplyLost

from .config import HyperliquidConfig
from .constants import (
    BASE_URLS,
    EXCHANGE_WEIGHT,
    INFO_WEIGHT_ELSE,
    INFO_WEIGHTS,
    RATE_WINDOW_MS,
    REQUESTS_PER_MINUTE,
    SANDBOX_LEEWAY,
)

_encode = msgspec.json.Encoder().encode


class HyperliquidWebUtils:
    """Addresses of one network, as the official SDK derives them from a base URL."""

    def __init__(self, config: HyperliquidConfig) -> None:
        self.base_url = (config.base_url or BASE_URLS[config.network]).rstrip("/")
        self.ws_url = "ws" + self.base_url.removeprefix("http") + "/ws"
        self.info_url = self.base_url + "/info"
        self.exchange_url = self.base_url + "/exchange"
        leeway = SANDBOX_LEEWAY if config.network == "sandbox" else 1
        self.rate = Rate(weight=REQUESTS_PER_MINUTE * leeway, window_s=60)

    def info(self, kind: str, **fields: object) -> Request:
        """A read. kind: the venue's `type`; fields: its other members, in the venue's spelling."""
        body = _encode({"type": kind, **fields})
        return Request(url=self.info_url, body=body, weight=INFO_WEIGHTS.get(kind, INFO_WEIGHT_ELSE))

    def exchange(self, body: bytes) -> Request:
        """A signed change of one item."""
        return Request(url=self.exchange_url, body=body, changes=True, weight=EXCHANGE_WEIGHT)

    def check(self, reply: Reply, *, changes: bool) -> bytes:
        """The body of a 200.

        Raises RateLimited for 429 (nothing was accepted), OrderRejected for another 4xx on a change (the venue refused
        it before it executed anything), ProtocolError for 4xx on a read, ReplyLost for 5xx (which says nothing about
        whether an action was executed), ProtocolError for everything else.
        """
        status = reply.status
        if status == 200:
            return reply.body
        said = reply.body[:200].decode("utf-8", "replace")
        if status == 429:
            raise RateLimited(
                "the venue refused: too many requests from this address",
                venue_code="429",
                retry_after_ms=_retry_after_ms(reply),
                hint="the venue counts 1200 units a minute per IP address",
            )
        if 500 <= status < 600:
            raise ReplyLost(f"the venue answered {status}", venue_code=str(status))
        if 400 <= status < 500 and changes:
            raise OrderRejected(f"the venue refused the request: {status} {said}", venue_code=str(status))
        raise ProtocolError(f"the venue answered {status} {said}", payload=reply.body)


def _retry_after_ms(reply: Reply) -> int:
    """What the reply says, else the window in which the venue counts: it was never seen to say anything."""
    for name, value in reply.headers.items():
        if name.lower() == "retry-after" and value.isascii() and value.isdecimal() and len(value) < 6:
            return int(value) * 1000
    return RATE_WINDOW_MS
