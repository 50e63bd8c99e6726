"""What a venue's data sources and the stream transport agree on.

A data source is pure: it says what to send and what a frame means. The transport (transport/ws.py) owns sockets,
reconnection and heartbeats, and knows no venue. Trackers put the two together.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Protocol, TypeAlias

import msgspec


class Channel(enum.Enum):
    """A kind of stream, in the words of the command line."""

    BOOK = "book"
    BBO = "bbo"
    TRADES = "trades"
    CANDLES = "candles"
    TICKER = "ticker"
    FUNDING = "funding"
    ORDERS = "orders"
    FILLS = "fills"
    POSITIONS = "positions"
    BALANCES = "balances"
    EVENTS = "events"

    @property
    def is_public(self) -> bool:
        """Whether it is of markets, and not of an account."""
        return self in _OF_MARKETS


_OF_MARKETS = frozenset({Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.CANDLES, Channel.TICKER, Channel.FUNDING})


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One member of the desired set.

    key: how its acknowledgement is recognised, unique in the set. message: the text frame that asks for it.
    """

    key: str
    message: str
    channel: Channel
    trading_pair: str | None = None


class SubscriptionAck(msgspec.Struct, frozen=True):
    """The venue confirmed the subscription with this key."""

    key: str


class SubscriptionRefused(msgspec.Struct, frozen=True):
    """The venue refused a subscription; key is None when it does not say which one.

    passing: it is trouble of the venue's own, and another connection may fare better.
    """

    key: str | None
    reason: str
    passing: bool = False


class Gap(msgspec.Struct, frozen=True):
    """The venue numbers what it sends on a connection, and something is missing."""

    detail: str
    channel: Channel | None = None
    trading_pair: str | None = None


class Resubscribe(msgspec.Struct, frozen=True):
    """Ask for a subscription of this connection anew: what was built from its news is not to be relied on any more.

    messages: the text frames that do so, in order.
    """

    key: str
    messages: tuple[str, ...]


class Heartbeat(msgspec.Struct, frozen=True):
    """A frame that only proves that the line is alive."""


class SnapshotEnd(msgspec.Struct, frozen=True):
    """The items of this channel so far in this connection were a snapshot; live news follows."""

    channel: Channel
    trading_pair: str | None = None


class ControlKind(enum.Enum):
    CONNECTED = "connected"
    SNAPSHOT = "snapshot"
    GAP = "gap"
    CONFLATED = "conflated"
    BACKFILLED = "backfilled"
    STALE = "stale"
    RECONNECTED = "reconnected"
    CLOSED = "closed"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream says about itself: what it may have missed, and since when. since_ns: last frame before a gap."""

    kind: ControlKind
    ts_ns: int
    channel: Channel | None = None
    trading_pair: str | None = None
    since_ns: int | None = None
    detail: str | None = None


class DataSource(Protocol):
    """The pure half of one stream connection.

    url: where to connect. heartbeat: the text frame to send every heartbeat_s seconds. dead_after_s: no frame for
    this long means the socket is dead. max_pairs: of how many trading pairs one connection may take a channel.
    """

    url: str
    max_pairs: int
    heartbeat: str
    heartbeat_s: float
    dead_after_s: float

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        """What to ask for. Raises OrderRefused for pairs or channels that the venue does not have."""
        ...

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        """The items one frame holds, in order.

        SubscriptionAck, SubscriptionRefused, Heartbeat, Gap, Resubscribe, SnapshotEnd, or values of core
        (OrderBookSnapshot, BestBidOffer, PublicTrade, MarketContext, Candle, OrderUpdate, TradeUpdate, ...). Raises
        ProtocolError when the frame makes no sense; one bad row of a frame does not hide the others.
        """
        ...


# A source, which is the pure half of one connection, and what to ask for there.
Conversation: TypeAlias = tuple[DataSource, Sequence[Subscription]]


class StreamTransport(Protocol):
    """The one supervised reconnect loop."""

    def run(self, *conversations: Conversation) -> AsyncGenerator[object, None]:
        """Items of the sources and Control values, for as long as the consumer asks. A connection for each source.

        Every subscription is asked for, and its acknowledgement awaited, on every new socket; CONNECTED or RECONNECTED
        is yielded only when all are there. Raises StreamLost when the reconnect budget is spent, ProtocolError when
        frames repeatedly make no sense.
        """
        ...
