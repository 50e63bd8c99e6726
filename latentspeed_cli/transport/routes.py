"""Routes: requests to the transport of their scheme. A venue may speak HTTP here and gRPC there."""

from __future__ import annotations

from ..connector.parts import Http
from ..core.flow import Reply, Request
from . import grpc


class Routes:
    """http: for http and https. calls: for grpc."""

    def __init__(self, http: Http, calls: Http) -> None:
        self._http = http
        self._calls = calls

    async def send(self, request: Request) -> Reply:
        """As the transport it goes to."""
        is_call = request.url.startswith(grpc.SCHEME + "://")
        return await (self._calls if is_call else self._http).send(request)
