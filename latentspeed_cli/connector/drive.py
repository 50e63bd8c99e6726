"""Driving a flow: requests out, replies in, and what a lost reply means. Also the reading of cached replies."""

from __future__ import annotations

from typing import TypeVar

from ..core.flow import Flow, Reply, Request
from ..errors import ConnectFailed, OutcomeUnknown, ProtocolError, TransportError, VenueError
from .parts import Http, ReplyCache

T = TypeVar("T")


async def drive(http: Http, flow: Flow[T], *, first: Request | None = None) -> T:
    """What the flow returns. first: its first request, when the flow was already advanced to it.

    Once a request that changes something was handed over, only its own reply may refuse it: a VenueError raised while
    that reply is read is definite, everything else (a lost or unreadable reply, trouble with a later read) is
    OutcomeUnknown. ConnectFailed means that no byte of a change left. Transport errors enter the flow, so that it may
    try again before anything was handed over.
    """
    handed_over = False  # a change may have arrived
    own_reply = False  # the flow is reading the reply of the latest change
    try:
        request = next(flow) if first is None else first
        while True:
            was_handed_over = handed_over
            handed_over = handed_over or request.changes
            own_reply = False
            try:
                reply = await http.send(request)
            except ConnectFailed as error:
                handed_over = was_handed_over
                request = flow.throw(error)
            except TransportError as error:
                request = flow.throw(error)
            else:
                own_reply = request.changes
                request = flow.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result
    except (OutcomeUnknown, VenueError) as error:
        if handed_over and not own_reply and isinstance(error, VenueError):
            raise _unknown(error) from error
        raise
    except Exception as error:  # whatever broke, also by a bug of ours: something signed is out there
        if handed_over:
            raise _unknown(error) from error
        raise
    finally:
        flow.close()


def _unknown(error: Exception) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the request left and its outcome is not known: {error}", venue_code=getattr(error, "venue_code", None)
    )


class CachedHttp:
    """Http in front of a cache, for one flow of reads that rarely change. Nothing is stored before `keep`.

    scope: what the replies depend on beside the request.
    """

    def __init__(self, http: Http, cache: ReplyCache, *, scope: str, max_age_s: float, now_ns: int) -> None:
        self._http = http
        self._cache = cache
        self._scope = scope
        self._max_age_s = max_age_s
        self._now_ns = now_ns
        self._fresh: dict[str, bytes] = {}
        self.used = False

    async def send(self, request: Request) -> Reply:
        if request.changes:
            raise ProtocolError("a change must not be answered from a cache")
        key = f"{self._scope} {request.method} {request.url} {request.body.decode('utf-8', 'replace')}"
        data = self._cache.get(key, max_age_s=self._max_age_s) if self._max_age_s > 0 else None
        if data is not None:
            self.used = True
            return Reply(status=200, body=data, headers={}, received_ns=self._now_ns)
        reply = await self._http.send(request)
        if reply.status == 200:
            self._fresh[key] = reply.body
        return reply

    def keep(self) -> bool:
        """The flow understood what it read: store it. Whether there was anything new."""
        for key, data in self._fresh.items():
            self._cache.put(key, data)
        return bool(self._fresh)
