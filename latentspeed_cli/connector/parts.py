"""The parts a connector is put together from, and what it answers about an order.

Protocols stand for the neighbours (transport, journal, cache): session.py hands in the real ones, a simulator its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from ..clock import Clock
from ..core.drafts import Begun, CountedNonces, Draft
from ..core.flow import Reply, Request
from ..core.guards import Guards
from ..core.in_flight_order import InFlightOrder
from ..core.order_state import News
from ..core.reports import TradeUpdate
from ..core.symbols import SymbolMap
from ..core.types import OrderState, TradeType
from ..entropy import Entropy
from ..errors import LatentspeedError
from .auth import Auth
from .streams import DataSource, StreamTransport
from .web_utils import WebUtils

Outcome: TypeAlias = Literal["accepted", "rejected", "unknown", "not_sent", "replayed", "dry_run"]
WaitFor: TypeAlias = Literal["ack", "open", "filled", "done"]


class Http(Protocol):
    """The way to a venue's HTTP side."""

    async def send(self, request: Request) -> Reply:
        """The reply, whatever its status. Raises ConnectFailed (no byte left) or ReplyLost (may have arrived)."""
        ...


class OrderJournal(Protocol):
    """What is on disk. Every method is synchronous and durable when it returns. Raises JournalError, AccountBusy."""

    def begin(self, drafts: Sequence[Draft]) -> list[Begun]: ...

    def begin_cancel(
        self, order: InFlightOrder, *, signer: str, sequence: CountedNonces | None = None
    ) -> tuple[int, int]:
        """Write the intent to cancel. The number of the cancel attempt, and its nonce."""
        ...

    def reserve_nonce(self, signer: str, *, sequence: CountedNonces | None = None) -> int: ...

    def record(self, updates: Sequence[News], *, kind: str = "report", client_order_id: str | None = None) -> object:
        """Append news; what is known already is not written again."""
        ...

    def adopt(self, order: InFlightOrder) -> InFlightOrder:
        """Take up an order that was found at the venue. The order as known afterwards."""
        ...

    def order(self, client_order_id: str) -> InFlightOrder | None: ...

    def find(self, text: str) -> Sequence[InFlightOrder]:
        """Orders by exact client order id, exchange order id, or a prefix of a client order id."""
        ...

    def orders(
        self,
        pair: str | None = None,
        side: TradeType | None = None,
        states: Iterable[OrderState] | None = None,
        since_ns: int | None = None,
        limit: int | None = None,
    ) -> Sequence[InFlightOrder]: ...

    def fills(self, *, since_ns: int | None = None) -> Sequence[TradeUpdate]:
        """Fills of all orders, oldest first."""
        ...

    def submit_deadline_ns(self, client_order_id: str) -> int:
        """Until when only the writer of the order's latest attempt may say what became of it; 0 without an attempt."""
        ...

    def signer_of(self, client_order_id: str) -> str | None:
        """Who signed the order's latest attempt."""
        ...

    def undecided(self, trading_pair: str | None = None, side: TradeType | None = None) -> Sequence[InFlightOrder]: ...


class ReplyCache(Protocol):
    """Bytes that may be used again for a while; whatever goes wrong with it is a miss."""

    def get(self, key: str, *, max_age_s: float) -> bytes | None: ...

    def put(self, key: str, data: bytes) -> None: ...


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a connector needs; it makes nothing of this itself.

    account: None where only public data is read. auth: None where nothing is signed. streams: called when the first
    stream is opened, so that commands without one need no WebSocket library. The sources need the venue's markets,
    which are read first. instance: of the sandbox; what is cached belongs to one of them.
    """

    venue: str
    network: str
    account: str | None
    auth: Auth | None
    web_utils: WebUtils
    http: Http
    streams: Callable[[], StreamTransport]
    order_book_source: Callable[[SymbolMap], DataSource]
    user_stream_source: Callable[[SymbolMap], DataSource]
    journal: OrderJournal
    clock: Clock
    entropy: Entropy
    guards: Guards
    cache: ReplyCache | None = None
    instance: str = ""
    connector_type: str = "perpetual"
    order_types: tuple[str, ...] = ()


class OrderOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request about an order.

    error: why it is not what was asked for; its exit code is the command's. None: as asked. replayed: the client order
    id was known, and nothing was sent. request: what a dry run would have sent.
    """

    order: InFlightOrder
    outcome: Outcome
    error: LatentspeedError | None = None
    replayed: bool = False
    request: Mapping[str, object] | None = None
