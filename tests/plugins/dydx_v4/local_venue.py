"""The local venue with a clock of its own, and the ways to it: flows, frames, and control."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES
from latentspeed_dydx_v4.sandbox.model import DydxModel

from latentspeed_cli.connector.streams import Channel, DataSource, Heartbeat, Resubscribe
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.sandbox.model import HttpRequest, Scenario, Send

START_NS = 1_790_000_000_000_000_000
BLOCK_NS = 640_000_000
STEP_NS = 20_000_000


class Venue:
    """One model. flow: whether its markets move by themselves."""

    def __init__(self, *, flow: bool = False, lag_s: float = 0.2) -> None:
        self.now_ns = START_NS
        self.model = DydxModel(Scenario(name="test", flow=flow, latency_s=0.0, indexer_lag_s=lag_s))
        self.model.load((), START_NS)
        self.frames: dict[int, list[str]] = {}
        self.pass_time(2 * BLOCK_NS)

    @property
    def address(self) -> str:
        return ADDRESSES[0]

    def send(self, request: Request) -> Reply:
        self.pass_time(STEP_NS)
        parts = urlsplit(request.url)
        if request.method == "GRPC":
            status, body = self.model.grpc(parts.path, request.body, self.now_ns)
            return Reply(status=status, body=body, headers={}, received_ns=self.now_ns)
        asked = HttpRequest(
            method=request.method,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={},
            body=request.body,
            peer="127.0.0.1",
        )
        said = self.model.http(asked, self.now_ns)
        return Reply(status=said.status, body=said.body, headers=said.headers, received_ns=self.now_ns)

    def drive(self, flow: Generator[Request, Reply, Any]) -> Any:
        try:
            request = next(flow)
            while True:
                request = flow.send(self.send(request))
        except StopIteration as end:
            return end.value

    def pass_time(self, ns: int) -> None:
        until = self.now_ns + ns
        while self.now_ns < until:
            self.now_ns = min(self.now_ns + STEP_NS, until)
            self.model.tick(self.now_ns)
            self._collect()

    def pass_blocks(self, count: int) -> None:
        self.pass_time(count * BLOCK_NS)

    def _collect(self) -> None:
        for item in self.model.outbox():
            if isinstance(item, Send):
                self.frames.setdefault(item.connection, []).append(item.text)


class Listener:
    """One connection of a data source, which does what the transport would do."""

    def __init__(
        self, venue: Venue, source: DataSource, channels: Sequence[Channel], trading_pairs: Sequence[str] = ()
    ) -> None:
        self.venue, self.source = venue, source
        self.number = max(venue.frames, default=0) + 1
        self.messages = [one.message for one in source.subscriptions(channels, trading_pairs)]
        venue.frames[self.number] = []
        assert venue.model.ws_open(self.number, "/v4/ws", "127.0.0.1", venue.now_ns) is None
        for message in self.messages:
            self.say(message)

    def say(self, message: str) -> None:
        self.venue.model.ws_frame(self.number, message, self.venue.now_ns)

    def hear(self, *, lose: Callable[[dict[str, Any]], bool] = lambda said: False) -> list[object]:
        """What has come since the last time, but for frames that are lost."""
        self.venue.pass_time(STEP_NS)
        waiting = self.venue.frames[self.number]
        found: list[object] = []
        while waiting:
            frame = waiting.pop(0)
            if lose(json.loads(frame)):
                continue
            for item in self.source.decode(frame, self.venue.now_ns):
                if isinstance(item, Resubscribe):
                    for message in item.messages:
                        self.say(message)
                if not isinstance(item, Heartbeat):
                    found.append(item)
        return found
