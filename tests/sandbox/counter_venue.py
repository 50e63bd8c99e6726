"""A small, real venue for the shell: it counts, stores its count, and tells everybody who listens.

Installed as a connector of its own into a folder of the test (see conftest.py), so it comes through the same door as
any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from latentspeed_cli.hookspecs import API_VERSION, ConnectorSpec, hookimpl
from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_cli.sandbox.model import (
    Close,
    HttpRequest,
    HttpResponse,
    SandboxAccount,
    Scenario,
    Send,
    StoredRow,
)

TICK_NS = 20_000_000


class CounterModel:
    """POST /count adds one and tells all connections; POST /echo says what came; words on /count/ws mean things."""

    name = "counter"
    http_paths = ("/count", "/echo", "/below/")
    ws_paths = ("/count/ws",)

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.count = 0
        self.ticks = 0
        self.pause_ns = TICK_NS
        self.open: list[int] = []
        self.closed: list[int] = []
        self.refusing = False
        self.last_ns = 0
        self._changed: list[StoredRow] = []
        self._outbox: list[Send | Close] = []

    def accounts(self) -> tuple[SandboxAccount, ...]:
        return tuple(
            SandboxAccount(index=index, address=address, private_key=key)
            for index, (address, key) in enumerate(zip(ADDRESSES, PRIVATE_KEYS, strict=True))
        )

    def load(self, rows: Iterable[StoredRow], now_ns: int) -> None:
        for row in rows:
            self.count = msgspec.json.decode(row.value or b"0", type=int)

    def changed_rows(self) -> list[StoredRow]:
        changed, self._changed = self._changed, []
        return changed

    def outbox(self) -> list[Send | Close]:
        items, self._outbox = self._outbox, []
        return items

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        self.last_ns = now_ns
        if request.path == "/count":
            self._add()
            return HttpResponse(status=200, body=b"%d" % self.count)
        if request.path == "/echo":
            return HttpResponse(
                status=200,
                body=msgspec.json.encode(
                    {
                        "method": request.method,
                        "query": dict(request.query),
                        "headers": dict(request.headers),
                        "body": request.body.decode(),
                        "peer": request.peer,
                        "now_ns": now_ns,
                        "seed": self.scenario.seed,
                    }
                ),
                headers={"Access-Control-Allow-Origin": "*", "Vary": "origin, access-control-request-method"},
            )
        return HttpResponse(status=422, body=b"no such thing", content_type="text/plain")

    def ws_open(self, connection: int, path: str, peer: str, now_ns: int) -> HttpResponse | None:
        if self.refusing:
            return HttpResponse(status=403, body=b"no", content_type="text/plain")
        self.open.append(connection)
        self._outbox.append(Send(connection, "welcome"))
        return None

    def ws_frame(self, connection: int, text: str, now_ns: int) -> None:
        if text == "drop":
            self._outbox += [Send(connection, "last words"), Close(connection=connection, code=None)]
        elif text == "expire":
            self._outbox.append(Close(connection=connection, code=1000, reason="Expired"))
        elif text == "flood":
            self._outbox += [Send(connection, "x" * 100_000)] * 200
        elif text == "count":
            self._add()
        else:
            self._outbox.append(Send(connection, f"echo {text}"))

    def ws_close(self, connection: int, now_ns: int) -> None:
        self.open.remove(connection)
        self.closed.append(connection)

    def tick(self, now_ns: int) -> int:
        self.ticks += 1
        return now_ns + self.pause_ns

    def control(self, command: str, arguments: Mapping[str, object], now_ns: int) -> object:
        if command == "look":
            return {
                "count": self.count,
                "ticks": self.ticks,
                "open": self.open,
                "closed": self.closed,
                "now_ns": now_ns,
            }
        if command == "set":
            self.count = int(str(arguments["count"]))
            self._add()
            return self.count
        if command == "refuse":
            self.refusing = True
            return None
        raise ValueError(f"unknown command {command!r}")

    def _add(self) -> None:
        self.count += 1
        self._changed.append(StoredRow("counter", "count", msgspec.json.encode(self.count)))
        self._outbox += [Send(connection, f"count {self.count}") for connection in self.open]


class CounterConfig(msgspec.Struct, frozen=True, kw_only=True):
    network: str
    base_url: str | None = None
    account: str | None = None
    key: str | None = None


@hookimpl
def latentspeed_connector_spec() -> ConnectorSpec:
    return ConnectorSpec(
        name="counter",
        title="A venue that counts",
        api_version=API_VERSION,
        config_type=CounterConfig,
        networks=("sandbox",),
        order_types=(),
        tifs=(),
        capabilities=(),
        channels=(),
    )


@hookimpl
def latentspeed_sandbox(scenario: Scenario) -> CounterModel:
    return CounterModel(scenario)
