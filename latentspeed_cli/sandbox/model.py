"""What the shell and a venue model agree on.

A model is pure and synchronous: it is told the time, answers requests, and leaves frames in its outbox. The shell owns
sockets, latency, the clock and the disk. So the same model runs behind real sockets and inside a simulator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """How the local exchange behaves.

    seed fixes prices and background flow per tick. limits_factor multiplies the venue's rate limits; None means none.
    latency_s is added to every answer. block_ns: {venue: block interval}. flow: whether background flow runs.
    indexer_lag_s: how far the indexer of a chain is behind its node.
    """

    name: str = "default"
    seed: int = 1
    limits_factor: int | None = 100
    latency_s: float = 0.005
    block_ns: Mapping[str, int] = msgspec.field(
        default_factory=lambda: {"hyperliquid": 70_000_000, "dydx_v4": 640_000_000}
    )
    flow: bool = True
    indexer_lag_s: float = 0.2


SCENARIOS: dict[str, Scenario] = {
    "default": Scenario(),
    "venue": Scenario(name="venue", limits_factor=1, latency_s=0.2, indexer_lag_s=0.35),
    # For tests: as the default, and a chain's blocks do not take longer than they must.
    "brisk": Scenario(
        name="brisk", latency_s=0.0, block_ns={"hyperliquid": 70_000_000, "dydx_v4": 160_000_000}, indexer_lag_s=0.05
    ),
    "bench": Scenario(name="bench", limits_factor=None, latency_s=0.0, flow=False, indexer_lag_s=0.0),
}


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request as the shell hands it over. path starts with "/"; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Send(msgspec.Struct, frozen=True):
    """A text frame for one connection."""

    connection: int
    text: str


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """End a connection. code None: drop the socket without a close frame (the peer sees 1006)."""

    connection: int
    code: int | None
    reason: str = ""


class Ping(msgspec.Struct, frozen=True):
    """A ping frame of the protocol for one connection; its pong comes back through ws_pong()."""

    connection: int


class StoredRow(msgspec.Struct, frozen=True):
    """One object that must outlive a restart; value None deletes it."""

    kind: str
    key: str
    value: bytes | None


class SandboxAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One of the fixed, published accounts. They hold nothing outside this machine."""

    index: int
    address: str
    private_key: str
    mnemonic: str | None = None


class VenueModel(Protocol):
    """One venue. All times are Unix nanoseconds handed in by the shell, never read."""

    # A path in http_paths that ends with "/" covers all below it. Of ws_paths the first is the one that is published.
    name: str
    http_paths: tuple[str, ...]
    ws_paths: tuple[str, ...]

    def accounts(self) -> tuple[SandboxAccount, ...]:
        """The ten fixed accounts."""
        ...

    def load(self, rows: Iterable[StoredRow], now_ns: int) -> None:
        """Take up the state of an earlier run, or start afresh when there are no rows. Called once, first."""
        ...

    def changed_rows(self) -> list[StoredRow]:
        """Objects changed since the last call. The shell stores them before it lets an answer out."""
        ...

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse: ...

    def ws_open(self, connection: int, path: str, peer: str, now_ns: int) -> HttpResponse | None:
        """A new connection; an HttpResponse refuses the handshake."""
        ...

    def ws_frame(self, connection: int, text: str, now_ns: int) -> None: ...

    def ws_close(self, connection: int, now_ns: int) -> None: ...

    def tick(self, now_ns: int) -> int:
        """Do what is due (blocks, background flow, timers). The time of the next due work.

        Called again at that time, and soon after any request: that may bring work that is due earlier.
        """
        ...

    def outbox(self) -> Sequence[Send | Close | Ping]:
        """Frames to send since the last call, in order."""
        ...

    def control(self, command: str, arguments: Mapping[str, object], now_ns: int) -> object:
        """The control API, outside the venue's own paths: fund, price, rate_limit, ... Faults of the network and the
        clock are the shell's own commands (control.py) and never come here. Raises ValueError or a LatentspeedError.
        """
        ...


@runtime_checkable
class GrpcModel(VenueModel, Protocol):
    """A venue that has the gRPC services of a chain's node beside its HTTP, and pings its WebSockets itself."""

    chain_id: str

    @property
    def grpc_methods(self) -> tuple[str, ...]:
        """The method paths it serves."""
        ...

    def grpc(self, method: str, body: bytes, now_ns: int) -> tuple[int, bytes]:
        """One unary call by method path ("/package.Service/Method"): (status code, answer or status message)."""
        ...

    def ws_pong(self, connection: int, now_ns: int) -> None:
        """A pong came."""
        ...
