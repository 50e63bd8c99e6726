"""The indexer's WebSocket: connections, subscriptions, message ids, batches, keep-alive by frames (section 8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.sandbox.model import Close, Ping, Send

from . import channels, rest
from .account_views import CHILDREN
from .channels import VERSIONS, WITHOUT_ID, SnapshotFailed
from .indexer import Update

if TYPE_CHECKING:
    from .indexer import Indexer

BATCH_NS = 250_000_000
PING_NS = 30_000_000_000
PONG_NS = 10_000_000_000
SECOND_NS = 1_000_000_000
SUBSCRIBES_A_SECOND = 2
INVALID_A_SECOND = 2
_encode = msgspec.json.encode


# No message to a channel is nested deeper.
MAX_OPENINGS = 100
BAD: Any = object()  # stands for a message that is not JSON


class Subscription(msgspec.Struct):
    """One subscription of one connection. waiting: updates of a batched one: (version, subaccount number, contents)."""

    channel: str
    id: str
    batched: bool
    waiting: list[tuple[int | None, Any]] = []


class Connection(msgspec.Struct):
    """One open socket. ping_ns: when it gets its next ping; unanswered_ns: when one without a pong went out."""

    number: int
    name: str
    ping_ns: int
    message_id: int = 0
    unanswered_ns: int | None = None
    subscriptions: dict[tuple[str, str], Subscription] = {}
    attempts: dict[tuple[str, str], list[int]] = {}
    invalid: list[int] = []


class Sockets:
    """All connections.

    fail_snapshots, block_accounts: how many of the next subscriptions (to account channels) are refused.
    """

    def __init__(self, indexer: Indexer) -> None:
        self.indexer = indexer
        self.world = indexer.world
        self.connections: dict[int, Connection] = {}
        self.outbox: list[Send | Close | Ping] = []
        self.fail_snapshots = 0
        self.block_accounts = 0
        self.next_batch_ns = 0
        self._topics: dict[tuple[str, str], dict[int, Subscription]] = {}

    # ---- connections -----------------------------------------------------------------------------

    def open(self, number: int) -> None:
        raw = self.world.digest("connection", number, self.world.now_ns)[:32].lower()
        name = f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:32]}"
        connection = self.connections[number] = Connection(number, name, self.world.now_ns + PING_NS)
        self._send(connection, {"type": "connected"}, number=0)

    def close(self, number: int) -> None:
        connection = self.connections.pop(number, None)
        if connection is not None:
            for key in list(connection.subscriptions):
                self._leave(connection, key)

    def pong(self, number: int) -> None:
        connection = self.connections.get(number)
        if connection is not None:
            connection.unanswered_ns = None

    def keep_alive(self) -> int | None:
        """Send the pings that are due and end what did not answer the last one. When there is more to do."""
        now_ns = self.world.now_ns
        due = []
        for connection in list(self.connections.values()):
            sent_ns = connection.unanswered_ns
            if sent_ns is not None and now_ns >= sent_ns + PONG_NS:
                self._end(connection, 1011, "Heartbeat timeout")
                continue
            if now_ns >= connection.ping_ns:
                connection.ping_ns, connection.unanswered_ns = now_ns + PING_NS, now_ns
                self.outbox.append(Ping(connection.number))
            due.append(connection.ping_ns)
            if connection.unanswered_ns is not None:
                due.append(connection.unanswered_ns + PONG_NS)
        return min(due, default=None)

    def _end(self, connection: Connection, code: int, reason: str) -> None:
        self.outbox.append(Close(connection=connection.number, code=code, reason=reason))
        self.close(connection.number)

    def _leave(self, connection: Connection, key: tuple[str, str]) -> None:
        del connection.subscriptions[key]
        members = self._topics[key]
        del members[connection.number]
        if not members:
            del self._topics[key]
        market = self._market_of(key)
        if market is not None:
            market.subscribers -= 1

    def _market_of(self, key: tuple[str, str]) -> Any:
        if key[0] in (channels.BOOK, channels.TRADES, channels.CANDLES):
            return self.world.by_ticker[key[1].partition("/")[0]]
        return None

    # ---- messages from clients -------------------------------------------------------------------

    def frame(self, number: int, text: str) -> None:
        connection = self.connections.get(number)
        if connection is not None:
            self._dispatch(connection, text)

    def _dispatch(self, connection: Connection, text: str) -> None:
        try:
            # Counted first: with Hyperliquid's model in the process the recursion limit is far beyond the stack.
            message = BAD if text.count("[") + text.count("{") > MAX_OPENINGS else msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            message = BAD
        if message is BAD:
            self._invalid(connection, "Invalid message: could not parse")
            return
        if message is None:  # the venue looks for a type in nothing
            self._error(connection, "Internal error", None)
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if not kind:
            self._invalid(connection, "Invalid message: type is required")
        elif kind in ("subscribe", "unsubscribe"):
            key = self._key(connection, message)
            if key is None:
                return
            if kind == "subscribe":
                self._subscribe(connection, key, bool(message.get("batched")))
            else:
                self._unsubscribe(connection, key)
        elif kind != "ping":
            self._invalid(connection, f"Invalid message type: {_js(kind)}")

    def _key(self, connection: Connection, message: dict[str, Any]) -> tuple[str, str] | None:
        """The channel and id of a message; None once the client has been told what is wrong.

        That does not count as an invalid message, and is said of unsubscribing in the same words.
        """
        channel, given = message.get("channel"), message.get("id")
        if not channel:
            self._error(connection, "Invalid subscribe message: channel is required", None)
        elif not isinstance(channel, str) or channel not in VERSIONS:
            self._error(connection, f"Invalid channel: {_js(channel)}", None)
        elif channel in WITHOUT_ID:
            return channel, channel
        elif not isinstance(given, str):
            self._error(connection, f"Invalid id: {_js(given) if 'id' in message else 'undefined'}", None)
        else:
            return channel, given
        return None

    def _subscribe(self, connection: Connection, key: tuple[str, str], batched: bool) -> None:
        """Every request takes the number of its answer at once, whatever that is. Checks in the venue's order."""
        channel, given = key
        connection.message_id += 1
        if not channels.is_id(self.indexer, channel, given):
            return self._error(connection, f"Invalid subscription id for channel: ({channel}-{given})", None)
        count = sum(1 for known in connection.subscriptions if known[0] == channel)
        limit = channels.LIMITS[channel]
        if count >= limit:
            return self._error(
                connection, f"Per-connection subscription limit reached for {channel} (limit={limit}).", None
            )
        if not self._pace(connection.attempts.setdefault(key, []), SUBSCRIBES_A_SECOND):
            # Two spaces, as the venue writes it.
            text = f"Too many subscribe attempts for channel {channel}-{given}. Please  reconnect and try again."
            self._error(connection, text, None)
            return self._end(connection, 1008, '{"message":"Rate limited"}')
        return self._answer(connection, key, batched)

    def _answer(self, connection: Connection, key: tuple[str, str], batched: bool) -> None:
        """The snapshot, or why there is none."""
        channel, given = key
        number = connection.message_id
        is_account = channel in (channels.SUBACCOUNTS, channels.PARENTS)
        if is_account and self.block_accounts > 0:
            self.block_accounts -= 1
            return self._error(connection, rest.GEOBLOCKED, key)
        try:
            if self.fail_snapshots > 0:
                self.fail_snapshots -= 1
                raise SnapshotFailed(given)
            contents = channels.snapshot(self.indexer, channel, given)
        except SnapshotFailed:
            text = f"Internal error, could not fetch data for subscription: {channel}."
            return self._error(connection, text, key)
        if key in connection.subscriptions:
            text = f"Invalid subscribe message: already subscribed ({channel}-{given})"
            return self._error(connection, text, key)
        shown = {} if channel == channels.MARKETS else {"id": given}
        self._send(connection, {"type": "subscribed", "channel": channel, **shown, "contents": contents}, number=number)
        subscription = Subscription(channel, given, batched)
        connection.subscriptions[key] = subscription
        self._topics.setdefault(key, {})[connection.number] = subscription
        market = self._market_of(key)
        if market is not None:
            market.subscribers += 1
        return None

    def _unsubscribe(self, connection: Connection, key: tuple[str, str]) -> None:
        if key in connection.subscriptions:
            self._leave(connection, key)
        channel, given = key
        shown = {} if channel == channels.MARKETS else {"id": given}
        connection.message_id += 1
        self._send(connection, {"type": "unsubscribed", "channel": channel, **shown}, number=connection.message_id)

    def _pace(self, times: list[int], most: int) -> bool:
        """Count an event; False when there were `most` within the last second already."""
        now_ns = self.world.now_ns
        times[:] = [time for time in times if time > now_ns - SECOND_NS]
        times.append(now_ns)
        return len(times) <= most

    def _invalid(self, connection: Connection, text: str) -> None:
        if not self._pace(connection.invalid, INVALID_A_SECOND):
            self._error(connection, "Too many invalid messages. Please reconnect and try again.", None)
            return self._end(connection, 1008, '{"message":"Rate limited"}')
        return self._error(connection, text, None)

    def _error(self, connection: Connection, text: str, key: tuple[str, str] | None) -> None:
        """An error bears the current number: of a subscribe, the one that was taken for its answer."""
        shown = {} if key is None else {"channel": key[0]}
        if key is not None and key[0] not in WITHOUT_ID:
            shown["id"] = key[1]
        self._send(connection, {"type": "error", "message": text, **shown}, number=connection.message_id)

    # ---- updates ---------------------------------------------------------------------------------

    def has(self, channel: str) -> bool:
        """Whether anybody is subscribed to a channel."""
        return any(key[0] == channel for key in self._topics)

    def topics(self, channel: str) -> Iterable[str]:
        """The ids of a channel that have subscribers."""
        return [key[1] for key in self._topics if key[0] == channel]

    def publish(self, channel: str, given: str, contents: Any, number: int | None = None) -> None:
        """Give an update to all subscribers; batched ones get it with the next batch."""
        for connection_number, subscription in self._topics.get((channel, given), {}).items():
            if subscription.batched:
                subscription.waiting = [*subscription.waiting, (number, contents)]
                if not self.next_batch_ns:
                    self.next_batch_ns = self.world.now_ns + BATCH_NS
            else:
                self._update(self.connections[connection_number], subscription, "channel_data", contents, number)

    def publish_account(self, update: Update) -> None:
        """Give an account update to its subaccount's and its parent's subscribers."""
        self.publish(channels.SUBACCOUNTS, f"{update.owner}/{update.number}", update.contents)
        transfer = update.contents.get("transfers")
        if transfer is not None and _within_parent(transfer):
            return
        parent = update.number % CHILDREN
        self.publish(channels.PARENTS, f"{update.owner}/{parent}", update.contents, update.number)

    def _update(
        self, connection: Connection, subscription: Subscription, kind: str, contents: Any, number: int | None
    ) -> None:
        connection.message_id += 1
        message: dict[str, Any] = {"type": kind}
        if subscription.channel != channels.MARKETS:
            message["id"] = subscription.id
        message |= {"channel": subscription.channel, "version": VERSIONS[subscription.channel], "contents": contents}
        if number is not None:
            message["subaccountNumber"] = number
        self._send(connection, message, number=connection.message_id)

    def flush_batches(self) -> None:
        """Send what batched subscriptions wait for, once it is time."""
        if not self.next_batch_ns or self.world.now_ns < self.next_batch_ns:
            return
        self.next_batch_ns = 0
        for connection in self.connections.values():
            for subscription in connection.subscriptions.values():
                waiting, subscription.waiting = subscription.waiting, []
                groups: dict[int | None, list[Any]] = {}
                for number, contents in waiting:
                    groups.setdefault(number, []).append(contents)
                for number, batch in groups.items():
                    self._update(connection, subscription, "channel_batch_data", batch, number)

    def _send(self, connection: Connection, message: dict[str, Any], *, number: int) -> None:
        whole = {"type": message["type"], "connection_id": connection.name, "message_id": number, **message}
        self.outbox.append(Send(connection.number, _encode(whole).decode()))


def _js(value: Any) -> str:
    """A JSON value as JavaScript puts it into a text."""
    if isinstance(value, list):
        return ",".join("" if item is None else _js(item) for item in value)
    if isinstance(value, dict):
        return "[object Object]"
    return value if isinstance(value, str) else _encode(value).decode()


def _within_parent(transfer: dict[str, Any]) -> bool:
    sender, recipient = transfer["sender"], transfer["recipient"]
    if sender["address"] != recipient["address"]:
        return False
    numbers = sender.get("subaccountNumber"), recipient.get("subaccountNumber")
    return None not in numbers and numbers[0] % CHILDREN == numbers[1] % CHILDREN
