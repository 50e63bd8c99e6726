"""The venue's WebSocket: connections, subscriptions, acknowledgements, errors, posts and the clock of the feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.sandbox.model import Close, Send

from . import feeds, limits, texts
from . import subscriptions as s
from .jsontext import BadJson, decode
from .numbers import ShapeError
from .subscriptions import Subscription

if TYPE_CHECKING:
    from .world import World

IDLE_NS = 60_000_000_000
DROP_AFTER_NS = 100_000_000
Post = Callable[[str, object, str], dict[str, object]]

_encode = msgspec.json.encode


class Connection(msgspec.Struct):
    """One open socket."""

    number: int
    peer: str
    last_sent_ns: int
    subscriptions: dict[str, Subscription] = {}
    drop_at_ns: int | None = None


class Topic(msgspec.Struct):
    """One normalised subscription and who has it."""

    subscription: Subscription
    connections: set[int]
    due_ns: int | None


class Sockets:
    """All connections of the venue. post(type, payload, peer) carries out a request that came over the socket."""

    def __init__(self, world: World, post: Post) -> None:
        factor = world.scenario.limits_factor
        self.world = world
        self.connections: dict[int, Connection] = {}
        self.topics: dict[str, Topic] = {}
        self.outbox: list[Send | Close] = []
        self._post = post
        self._factor = factor
        self._opens = limits.Window(limits.WS_NEW_CONNECTIONS, factor)
        self._messages = limits.Window(limits.WS_MESSAGES, factor)
        self._changed_users: set[str] = set()

    # ---- connections -----------------------------------------------------------------------------

    def _limit(self, figure: int) -> int | None:
        return None if self._factor is None else figure * self._factor

    def open(self, number: int, peer: str) -> bool:
        """A new connection; False when the peer has too many or opens them too fast."""
        limit = self._limit(limits.WS_CONNECTIONS)
        mine = sum(1 for known in self.connections.values() if known.peer == peer)
        if (limit is not None and mine >= limit) or not self._opens.admit(peer, 1, self.world.now_ns):
            return False
        self.connections[number] = Connection(number, peer, self.world.now_ns)
        return True

    def close(self, number: int) -> None:
        connection = self.connections.pop(number, None)
        if connection is not None:
            for key in list(connection.subscriptions):
                self._leave(connection, key)

    def expire(self, number: int) -> None:
        """Rotate a connection as the venue does: close code 1000, reason Expired."""
        self.outbox.append(Close(connection=number, code=1000, reason="Expired"))
        self.close(number)

    def _drop(self, number: int) -> None:
        self.outbox.append(Close(connection=number, code=None))
        self.close(number)

    # ---- messages from clients -------------------------------------------------------------------

    def frame(self, number: int, text: str) -> None:
        connection = self.connections.get(number)
        if connection is None or connection.drop_at_ns is not None:
            return None
        if not self._messages.admit(connection.peer, 1, self.world.now_ns):
            return self._error(connection, texts.WS_MESSAGES.format(limit=self._messages.limit))
        try:
            self._dispatch(connection, decode(text.encode()))
        except (BadJson, msgspec.ValidationError, ShapeError, KeyError, TypeError):
            self._error(connection, texts.WS_PARSE.format(message=text))
        return None

    def _dispatch(self, connection: Connection, message: Any) -> None:
        method = message["method"]
        if method == "ping":
            self._send(connection, b'{"channel":"pong"}')
        elif method == "subscribe":
            self._subscribe(connection, s.read(message["subscription"]))
        elif method == "unsubscribe":
            self._unsubscribe(connection, s.read(message["subscription"]))
        elif method == "post":
            request = message["request"]
            identity, kind = message["id"], request["type"]
            if type(identity) is not int or not 0 <= identity < 1 << 64 or kind not in {"info", "action"}:
                raise ShapeError("post")
            response = self._post(kind, request["payload"], connection.peer)
            self.flush_news()
            self._send(connection, _message("post", {"id": identity, "response": response}))
        else:
            raise ShapeError(str(method))

    def _subscribe(self, connection: Connection, subscription: Subscription) -> None:
        key = _encode(subscription).decode()
        if key in connection.subscriptions:
            return self._error(connection, texts.WS_SUBSCRIBED.format(subscription=key))
        limit = self._limit(limits.WS_SUBSCRIPTIONS)
        mine = [known for known in self.connections.values() if known.peer == connection.peer]
        if limit is not None and sum(len(known.subscriptions) for known in mine) >= limit:
            return self._error(connection, texts.WS_CHANNELS.format(limit=limit))
        if isinstance(subscription, s.OfUser):
            users = {sub.user for known in mine for sub in known.subscriptions.values() if isinstance(sub, s.OfUser)}
            most = self._limit(limits.WS_USERS)
            if most is not None and len(users | {subscription.user}) > most:
                return self._error(connection, texts.WS_USERS.format(limit=most))
        if s.drops_connection(self.world, subscription):
            connection.drop_at_ns = self.world.now_ns + DROP_AFTER_NS
            return None
        self._acknowledge(connection, "subscribe", subscription)
        first = feeds.first(self.world, subscription)
        if first is not None and first != []:
            self._send(connection, _message(feeds.channel_of(subscription), first))
        connection.subscriptions[key] = subscription
        topic = self.topics.get(key)
        if topic is None:
            period = feeds.period_of(subscription)
            # All topics of a feed are due together, as the venue sends all coins of a feed with one time.
            due = None if period is None else (self.world.now_ns // period + 1) * period
            topic = self.topics[key] = Topic(subscription, set(), due)
            self._watch(subscription, 1)
            if isinstance(subscription, s.Bbo) and subscription.coin in self.world.by_coin:
                market = self.world.by_coin[subscription.coin]
                market.shown_top = market.top(self.world.elapsed())
        topic.connections.add(connection.number)
        return None

    def _unsubscribe(self, connection: Connection, subscription: Subscription) -> None:
        key = _encode(subscription).decode()
        if key not in connection.subscriptions:
            return self._error(connection, texts.WS_UNSUBSCRIBED.format(subscription=key))
        self._leave(connection, key)
        self._acknowledge(connection, "unsubscribe", subscription)
        return None

    def _leave(self, connection: Connection, key: str) -> None:
        subscription = connection.subscriptions.pop(key)
        topic = self.topics[key]
        topic.connections.discard(connection.number)
        if not topic.connections:
            del self.topics[key]
            self._watch(subscription, -1)

    def _watch(self, subscription: Subscription, change: int) -> None:
        """Coins whose book or tape somebody follows take every step."""
        if isinstance(subscription, s.L2Book | s.Trades | s.Bbo | s.Candle):
            market = self.world.by_coin.get(subscription.coin)
            if market is not None:
                market.subscribers += change

    # ---- messages to clients ---------------------------------------------------------------------

    def _send(self, connection: Connection, frame: bytes) -> None:
        connection.last_sent_ns = self.world.now_ns
        self.outbox.append(Send(connection.number, frame.decode()))

    def _acknowledge(self, connection: Connection, method: str, subscription: Subscription) -> None:
        self._send(connection, _message("subscriptionResponse", {"method": method, "subscription": subscription}))

    def _error(self, connection: Connection, text: str) -> None:
        self._send(connection, _message("error", text))

    def _publish(self, topic: Topic, data: object) -> None:
        frame = _message(feeds.channel_of(topic.subscription), data)
        for number in sorted(topic.connections):
            self._send(self.connections[number], frame)

    def flush_news(self) -> None:
        """Pass on what happened to users; called after everything that may change something."""
        news = self.world.news
        if not news.users:
            news.clear()
            return
        if self.topics:
            for topic in self.topics.values():
                if isinstance(topic.subscription, s.OfUser) and topic.subscription.user in news.users:
                    for data in feeds.news_of(self.world, topic.subscription):
                        self._publish(topic, data)
            self._changed_users |= news.users
        news.clear()

    def flush_block(self) -> None:
        """End of a block: changed touches, the block's trades after them, and the state of users who changed."""
        if not self.topics:
            self._changed_users.clear()
            for market in self.world.markets:
                market.fresh.clear()
            return
        for market in self.world.markets:
            if market.subscribers:
                self._flush_market(market)
            market.fresh.clear()
        if self._changed_users:
            for topic in list(self.topics.values()):
                subscription = topic.subscription
                if isinstance(subscription, feeds.ON_CHANGE) and subscription.user in self._changed_users:
                    self._publish(topic, feeds.state(self.world, subscription))
            self._changed_users.clear()

    def _flush_market(self, market: Any) -> None:
        topic = self.topics.get(_key(s.Bbo(market.name)))
        if topic is not None:
            top = market.top(self.world.elapsed())
            if top != market.shown_top:
                market.shown_top = top
                self._publish(topic, feeds.bbo(self.world, market.name))
        if market.fresh:
            topic = self.topics.get(_key(s.Trades(market.name)))
            if topic is not None:
                self._publish(topic, market.fresh)

    def flush_timed(self) -> None:
        """The feeds that are due, and connections that are to end."""
        now = self.world.now_ns
        for topic in list(self.topics.values()):
            if topic.due_ns is not None and topic.due_ns <= now:
                period = feeds.period_of(topic.subscription) or 1
                topic.due_ns = (now // period + 1) * period
                data = feeds.state(self.world, topic.subscription)
                if data is not None:
                    self._publish(topic, data)
        for connection in list(self.connections.values()):
            if connection.drop_at_ns is not None:
                if connection.drop_at_ns <= now:
                    self._drop(connection.number)
            elif now - connection.last_sent_ns >= IDLE_NS:
                self._drop(connection.number)


def _key(subscription: Subscription) -> str:
    return _encode(subscription).decode()


def _message(channel: str, data: object) -> bytes:
    return _encode({"channel": channel, "data": data})
