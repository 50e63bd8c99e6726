"""What every venue's web utils offer: addresses and the reading of replies that are not about one order."""

from __future__ import annotations

from typing import Protocol

from ..core.flow import Reply
from ..core.rate_limit import Rate


class WebUtils(Protocol):
    """Addresses of one network, and what a reply's status means.

    base_url: REST root. ws_url: stream root. Both follow from the network, or from an explicit base URL.
    rate: the most that the venue takes from one address, in the weights of its requests.
    """

    base_url: str
    ws_url: str
    rate: Rate

    def check(self, reply: Reply, *, changes: bool) -> bytes:
        """The body of a usable reply.

        Raises RateLimited (429), OrderRejected (an explicit refusal, 4xx), ReplyLost for 5xx, ProtocolError for
        anything unreadable. `changes` says that the request may have changed something at the venue; its driver turns
        ReplyLost and ProtocolError into OutcomeUnknown.
        """
        ...
