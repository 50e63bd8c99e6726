"""What both data sources share: frames, acknowledgements, and errors of the socket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from latentspeed_cli.connector.answers import shape
from latentspeed_cli.connector.streams import Channel, Heartbeat, Subscription, SubscriptionAck, SubscriptionRefused
from latentspeed_cli.errors import ProtocolError

from .constants import DEAD_AFTER_S, GREETING, HEARTBEAT_S, MAX_SUBSCRIPTIONS, PING
from .payloads import Frame, SubscriptionResponse, SubscriptionWire

_encode = msgspec.json.Encoder().encode
_GREETING = GREETING.encode()


def subscription(channel: Channel, trading_pair: str | None, kind: str, **fields: object) -> Subscription:
    """One subscription. kind: the venue's `type`; fields: its other members, in the venue's spelling."""
    wire = {"type": kind, **fields}
    return Subscription(
        key=key_of(msgspec.convert(wire, SubscriptionWire)),
        message=_encode({"method": "subscribe", "subscription": wire}).decode(),
        channel=channel,
        trading_pair=trading_pair,
    )


def key_of(wire: SubscriptionWire) -> str:
    """How an acknowledgement is recognised: the venue adds defaults to what it echoes, so never by equality."""
    parts = (wire.type, wire.coin, wire.interval, None if wire.user is None else wire.user.lower())
    return ":".join(part for part in parts if part is not None)


class FrameSource:
    """The common half of a data source. The server drops a line on which it was silent for 60 s."""

    heartbeat = PING
    heartbeat_s = HEARTBEAT_S
    dead_after_s = DEAD_AFTER_S
    max_pairs = MAX_SUBSCRIPTIONS

    def decode(self, frame: str | bytes, received_ns: int) -> Iterator[object]:
        """The items of one frame. Raises ProtocolError, after the rows that did make sense."""
        text = frame.encode() if isinstance(frame, str) else frame
        if text == _GREETING:
            return iter((Heartbeat(),))
        parsed: Frame = shape(text, Frame)
        match parsed.channel:
            case "pong":
                return iter((Heartbeat(),))
            case "subscriptionResponse":
                response: SubscriptionResponse = shape(parsed.data, SubscriptionResponse)
                subscribed = response.method == "subscribe"
                return iter((SubscriptionAck(key_of(response.subscription)) if subscribed else Heartbeat(),))
            case "error":
                return iter((_refused(shape(parsed.data, str)),))
            case channel:
                return self.items(channel, parsed.data, received_ns)

    def items(self, channel: str, data: msgspec.Raw, received_ns: int) -> Iterator[object]:
        """The items of a channel of this source."""
        raise ProtocolError(f"a frame of the unknown channel {channel!r}", payload=bytes(data))


def _refused(text: str) -> SubscriptionRefused | SubscriptionAck:
    """What an error frame says about which subscription; one that is there already is as good as acknowledged.

    The venue repeats the message, or the subscription of it, behind its words.
    """
    start = text.find("{")
    key = None
    if start >= 0:
        try:
            said = json.loads(text[start:])
            key = key_of(msgspec.convert(said.get("subscription", said), SubscriptionWire))
        except (ValueError, AttributeError, RecursionError):
            key = None  # whatever it repeats names no subscription: then the words alone must do
    if key is not None and text.startswith("Already subscribed"):
        return SubscriptionAck(key)
    return SubscriptionRefused(key, text)
