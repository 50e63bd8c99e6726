"""Throttle: keeps this process within what the venue takes from one address, so that it is not refused for its rate."""

from __future__ import annotations

import asyncio

from ..clock import NS_PER_S
from ..core.flow import Reply, Request
from ..core.rate_limit import Rate, WindowLimit
from .parts import Http


class Throttle:
    """Http that makes reads wait for room. A change never waits: its time was fixed when it was signed."""

    def __init__(self, http: Http, rate: Rate) -> None:
        self._http = http
        self._limit = WindowLimit(rate.weight, rate.window_s * NS_PER_S)
        self.waited_total = 0

    async def send(self, request: Request) -> Reply:
        """As Http.send. Raises nothing of its own."""
        loop = asyncio.get_running_loop()
        weight = min(request.weight, self._limit.limit)
        while not self._limit.spend(weight, now_ns := int(loop.time() * NS_PER_S)) and not request.changes:
            self.waited_total += 1
            await asyncio.sleep((self._limit.wait_ns(weight, now_ns) or 0) / NS_PER_S)
        return await self._http.send(request)
