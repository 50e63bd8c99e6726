"""What both data sources share: envelopes, acknowledgements, the numbers of messages, errors, and block heights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from latentspeed_cli.connector.answers import shape
from latentspeed_cli.connector.streams import (
    Channel,
    Gap,
    Heartbeat,
    Resubscribe,
    Subscription,
    SubscriptionAck,
    SubscriptionRefused,
)
from latentspeed_cli.errors import ProtocolError

from .payloads import BlockHeight, Frame
from .wire import count

# The server pings by itself every 30 s; what we send it ignores, but a dead line does not take it for long. Blocks tick
# in about every second, so a minute without a frame is no quiet market.
PING = '{"type":"ping"}'
HEARTBEAT_S = 30.0
DEAD_AFTER_S = 60.0
# Of each public channel, on one connection.
MAX_PAIRS = 32
HEIGHTS = "v4_block_height"
MARKETS = "v4_markets"
_WITHOUT_ID = frozenset({HEIGHTS, MARKETS})
MAX_MISSING = 1_000

_BOTH = re.compile(r"\((v4_[a-z_]+)-(.+)\)", re.ASCII)
_CHANNEL = re.compile(r"\b(v4_[a-z_]+)\b", re.ASCII)
_encode = msgspec.json.Encoder().encode


def key_of(channel: str, name: str | None) -> str:
    """How an acknowledgement is recognised: the venue answers with an id of its own where none was asked for."""
    return channel if channel in _WITHOUT_ID or name is None else f"{channel}:{name}"


def subscription(
    channel: Channel, trading_pair: str | None, kind: str, name: str | None = None, *, batched: bool = False
) -> Subscription:
    """One subscription. kind, name: the venue's channel and id. batched: news comes every 250 ms, in one frame."""
    return Subscription(
        key=key_of(kind, name),
        message=_message("subscribe", kind, name, batched=batched),
        channel=channel,
        trading_pair=trading_pair,
    )


def heights(channel: Channel) -> Subscription:
    """The ticking of blocks, which shows that a line is alive."""
    return subscription(channel, None, HEIGHTS)


def _message(verb: str, kind: str, name: str | None, **more: object) -> str:
    wire: dict[str, object] = {"type": verb, "channel": kind}
    if name is not None:
        wire["id"] = name
    return _encode({**wire, **more}).decode()


class MessageCount:
    """Finds out from the numbers of one connection's messages whether one is missing. Pure.

    An acknowledgement takes its number when it is asked for and may come late, so as many numbers may be missing as
    acknowledgements are. A number that was seen before proves nothing.
    """

    def __init__(self) -> None:
        self._next: int | None = None
        self._missing: set[int] = set()

    def start(self, message_id: int) -> None:
        """A new connection, of which this is the first message."""
        self._next = message_id + 1
        self._missing.clear()

    def hear(self, message_id: int, *, unanswered: int) -> bool:
        """Whether something is missing. unanswered: acknowledgements that are due after this message."""
        if self._next is None:
            self.start(message_id)
            return False
        if message_id in self._missing:
            self._missing.discard(message_id)
        elif message_id >= self._next:
            leap = message_id - self._next
            self._missing.update(range(self._next, self._next + min(leap, MAX_MISSING)))
            self._next = message_id + 1
        if len(self._missing) <= unanswered:
            return False
        self._missing.clear()
        return True


class FrameSource:
    """The common half of a data source. Subclasses say what is in the contents of a channel."""

    heartbeat = PING
    heartbeat_s = HEARTBEAT_S
    dead_after_s = DEAD_AFTER_S
    max_pairs = MAX_PAIRS

    def __init__(self) -> None:
        self._asked: dict[str, Subscription] = {}
        # Of the present connection: its id, subscriptions without an answer, and cancelled ones without one.
        self._connection_id: str | None = None
        self._unanswered: set[str] = set()
        self._unsubscribing: set[str] = set()
        self._numbers = MessageCount()

    def _ask(self, wanted: Sequence[Subscription]) -> tuple[Subscription, ...]:
        """Keep what is asked for on every connection, each once."""
        self._asked = {}
        for one in wanted:
            self._asked.setdefault(one.key, one)
        self._unanswered = set(self._asked)
        return tuple(self._asked.values())

    # Frames

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        """The items of one frame. Raises ProtocolError, after the rows that did make sense."""
        said: Frame = shape(frame.encode() if isinstance(frame, str) else frame, Frame)
        if said.connection_id != self._connection_id if said.connection_id else said.type == "connected":
            self._begin(said)
        if said.type == "connected":
            yield Heartbeat()
            return
        key = None if said.channel is None else key_of(said.channel, said.id)
        refused = self._refused(said) if said.type == "error" else None
        self._note_answer(said.type, key if refused is None else refused.key)
        if said.message_id is not None and self._numbers.hear(
            said.message_id, unanswered=len(self._unanswered) + len(self._unsubscribing)
        ):
            yield Gap(f"messages before {said.message_id} are missing")
            yield from self.gap(received_ns)
        if refused is not None:
            yield refused
        elif said.channel is None or key is None:
            raise ProtocolError(f"a frame of the unknown type {said.type!r}", payload=frame)
        else:
            yield from self._of_channel(said.channel, key, said, received_ns)

    def _begin(self, said: Frame) -> None:
        """The first frame that is heard of a new connection; every frame bears its connection's id.

        The greeting alone is not to be relied on: should it come behind other frames, what these have answered would
        be waited for once more, and hide as many messages that get lost.
        """
        self._connection_id = said.connection_id
        self._numbers.start(0 if said.message_id is None else said.message_id)
        self._unanswered = set(self._asked)
        self._unsubscribing = set()
        self.connected()

    def _note_answer(self, kind: str, key: str | None) -> None:
        if kind in ("subscribed", "error"):
            self._unanswered.discard(key or "")
        elif kind == "unsubscribed":
            self._unsubscribing.discard(key or "")

    def _of_channel(self, channel: str, key: str, said: Frame, received_ns: int) -> Iterator[object]:
        message_id = said.message_id or 0
        match said.type:
            case "subscribed":
                yield SubscriptionAck(key)
                if channel == HEIGHTS:
                    yield from self._heights([said.contents], received_ns)
                else:
                    yield from self.snapshot(channel, said.id, said.contents, message_id, received_ns)
            case "channel_data" | "channel_batch_data":
                batch = said.type == "channel_batch_data"
                news = shape(said.contents, list[msgspec.Raw]) if batch else [said.contents]
                if channel == HEIGHTS:
                    yield from self._heights(news, received_ns)
                else:
                    yield from self.news(channel, said.id, news, message_id, received_ns)
            case "unsubscribed":
                yield Heartbeat()
            case kind:
                raise ProtocolError(f"a frame of the unknown type {kind!r}", payload=bytes(said.contents))

    def _heights(self, news: Sequence[msgspec.Raw], received_ns: int) -> Iterator[object]:
        yield Heartbeat()
        for contents in news:
            said: BlockHeight = shape(contents, BlockHeight)
            height = said.block_height if said.block_height is not None else said.height
            if height is not None:
                yield from self.block(count(height), received_ns)

    # Refusals

    def _refused(self, said: Frame) -> SubscriptionRefused | SubscriptionAck:
        """What an error says about which subscription; one that is there already is as good as acknowledged.

        Older servers do not name it beside their words. A snapshot that could not be fetched is the venue's trouble.
        """
        text = said.message or ""
        key = None if said.channel is None else key_of(said.channel, said.id)
        if key is None and (found := _BOTH.search(text)) is not None:
            key = key_of(found[1], found[2])
        if key is None and (found := _CHANNEL.search(text)) is not None:
            channel = found[1]
            fitting = [one for one in self._unanswered if one == channel or one.startswith(channel + ":")]
            key = fitting[0] if len(fitting) == 1 else None
        if key is not None and "already subscribed" in text:
            return SubscriptionAck(key)
        return SubscriptionRefused(key, text or "an error without words", passing=text.startswith("Internal error"))

    def _renew(self, key: str) -> Iterator[object]:
        """Ask for a subscription again, unless its snapshot is on the way already."""
        one = self._asked.get(key)
        if one is None or key in self._unanswered:
            return
        self._unanswered.add(key)
        self._unsubscribing.add(key)
        channel, _, name = key.partition(":")
        yield Resubscribe(key, (_message("unsubscribe", channel, name or None), one.message))

    # What a subclass says

    def connected(self) -> None:
        """A new connection: nothing of the last one counts."""

    def gap(self, received_ns: int) -> Iterator[object]:
        """Messages are missing, of whichever channels."""
        return iter(())

    def block(self, height: int, received_ns: int) -> Iterator[object]:
        """The indexer has processed a block."""
        return iter(())

    def snapshot(
        self, channel: str, name: str | None, contents: msgspec.Raw, message_id: int, received_ns: int
    ) -> Iterator[object]:
        """The items of the first message of a channel."""
        raise ProtocolError(f"a frame of the unknown channel {channel!r}", payload=bytes(contents))

    def news(
        self, channel: str, name: str | None, changes: Sequence[msgspec.Raw], message_id: int, received_ns: int
    ) -> Iterator[object]:
        """The items of later messages, oldest first."""
        raise ProtocolError(f"a frame of the unknown channel {channel!r}", payload=b"".join(map(bytes, changes)))
