"""Private streams of one subaccount: order news, fills, positions and balances. No key is needed, only the address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

import msgspec

from latentspeed_cli.connector.answers import each, optional, shape
from latentspeed_cli.connector.streams import Channel, SnapshotEnd, Subscription
from latentspeed_cli.core.account import Balance, Position
from latentspeed_cli.core.reports import OrderUpdate, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.errors import CredentialError, OrderRefused, ProtocolError

from . import decode, decode_orders
from .config import DydxV4Config, account_of
from .markets import DydxV4Market
from .payloads import AssetPosition, OrderRow, PerpetualPosition, SubaccountNews
from .streams import FrameSource, heights, subscription
from .web_utils import DydxV4WebUtils
from .wire import count

SUBACCOUNTS = "v4_subaccounts"
_CHANNELS = (Channel.ORDERS, Channel.FILLS, Channel.POSITIONS, Channel.BALANCES, Channel.EVENTS)
MAX_ENDING = 10_000
MAX_DOUBTFUL = 1_000
# A block's own news may come a moment after its height.
GRACE_BLOCKS = 2


class DydxV4UserStreamDataSource(FrameSource):
    """One subaccount to a connection.

    An immediate order that met nobody, and a short-term order that was cancelled, get no last message: once the blocks
    in which they could have been filled are over, this source says so itself. One that may be refused although the
    indexer believes for a moment that it rests is called accepted only when that moment is over.
    """

    def __init__(self, config: DydxV4Config, symbols: SymbolMap) -> None:
        super().__init__()
        address = account_of(config)
        if address is None:
            raise CredentialError(
                "a private stream needs an account, and none is configured", hint="set the profile's account or key"
            )
        self.url = DydxV4WebUtils(config).ws_url
        self.account = address
        self._name = f"{address}/{config.subaccount}"
        self._symbols = symbols
        self._wanted: frozenset[Channel] = frozenset()
        self._ending: dict[str, OrderRow] = {}
        self._doubtful: dict[str, tuple[int, OrderUpdate]] = {}  # from which height on it is true
        self._held: dict[str, Position] = {}

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        """The venue streams the whole subaccount on one channel; trading_pairs only have to exist."""
        for trading_pair in trading_pairs:
            self._symbols.find(trading_pair)
        for channel in channels:
            if channel not in _CHANNELS:
                raise OrderRefused(f"{channel.value} is not a private stream of this venue")
        self._wanted = frozenset(channels)
        asked = [subscription(channel, None, SUBACCOUNTS, self._name) for channel in channels]
        return self._ask((*asked, heights(Channel.EVENTS)))

    def connected(self) -> None:
        """What happened meanwhile is fetched, and says how these orders stand."""
        self._ending.clear()
        self._doubtful.clear()

    def gap(self, received_ns: int) -> Iterator[object]:
        """Orders and fills are fetched by whoever reads this; positions and balances come with a snapshot."""
        self.connected()
        if not self._wanted.isdisjoint((Channel.POSITIONS, Channel.BALANCES)):
            for key in self._asked:
                if key.startswith(SUBACCOUNTS):
                    yield from self._renew(key)

    # Contents

    def snapshot(
        self, channel: str, name: str | None, contents: msgspec.Raw, message_id: int, received_ns: int
    ) -> Iterator[object]:
        said = self._mine(channel, name, contents)
        height = None if said.block_height is None else count(said.block_height)
        listed = each(said.orders, partial(self._listed, received_ns, height))
        yield from (update for update in listed if update is not None)
        if said.subaccount is not None:
            if Channel.POSITIONS in self._wanted:
                yield from self._positions(said.subaccount.open_perpetual_positions.values())
            if Channel.BALANCES in self._wanted:
                state = decode.account_state(said.subaccount, self._symbols, received_ns)
                yield from state.balances
        for one in _CHANNELS:
            if one in self._wanted:
                yield SnapshotEnd(one)

    def news(
        self, channel: str, name: str | None, changes: Sequence[msgspec.Raw], message_id: int, received_ns: int
    ) -> Iterator[object]:
        first: ProtocolError | None = None
        for change in changes:
            try:
                yield from self._one(self._mine(channel, name, change), received_ns)
            except ProtocolError as error:
                first = first or error
        if first is not None:
            raise first

    def _mine(self, channel: str, name: str | None, contents: msgspec.Raw) -> SubaccountNews:
        if channel != SUBACCOUNTS:
            raise ProtocolError(f"a frame of the unknown channel {channel!r}", payload=bytes(contents))
        if name != self._name:
            raise ProtocolError(f"news of another account, {name}", payload=bytes(contents))
        said: SubaccountNews = shape(contents, SubaccountNews)
        return said

    def _one(self, said: SubaccountNews, received_ns: int) -> Iterator[object]:
        """Fills first: an order's last state is told with them. One bad row hides no other."""
        first: ProtocolError | None = None
        kinds: list[Iterator[object]] = [
            self._filled(decode_orders.trade_updates(said.fills, self._symbols, received_ns)),
            chain.from_iterable(each(said.orders, partial(self._orders, received_ns))),
        ]
        if Channel.POSITIONS in self._wanted:
            kinds.append(each(said.perpetual_positions, lambda raw: self._position(shape(raw, PerpetualPosition))))
        if Channel.BALANCES in self._wanted:
            kinds.append(each(said.asset_positions, self._balance))
        if Channel.EVENTS in self._wanted:
            kinds.append(decode_orders.liquidations(said.fills, self.account, self._symbols))
            kinds.append(decode.transfer(row) for row in (said.transfers,) if row is not None)
        for items in kinds:
            try:
                yield from items
            except ProtocolError as error:
                first = first or error
        if first is not None:
            raise first

    def _filled(self, fills: Iterator[TradeUpdate]) -> Iterator[object]:
        """Fills, each after what was held back about its order: who was filled did rest."""
        for fill in fills:
            held = self._doubtful.pop(fill.exchange_order_id, None)
            if held is not None:
                yield held[1]
            yield fill

    def _positions(self, rows: Iterable[PerpetualPosition]) -> Iterator[Position]:
        """All that are open, and each that was and is no more: it was closed while nobody listened."""
        before, self._held = self._held, {}
        yield from each(rows, self._position)
        yield from (held.closed() for trading_pair, held in before.items() if trading_pair not in self._held)

    def _position(self, row: PerpetualPosition) -> Position:
        told = decode.position(row, self._symbols)
        if told.amount:
            self._held[told.trading_pair] = told
        else:
            self._held.pop(told.trading_pair, None)
        return told

    def _balance(self, raw: msgspec.Raw) -> Balance:
        row: AssetPosition = shape(raw, AssetPosition)
        (balance,) = decode.balances([row], None)
        return balance

    # Orders

    def _listed(self, received_ns: int, height: int | None, raw: msgspec.Raw) -> OrderUpdate | None:
        """An order of the snapshot. Those that one node called cancelled stay listed long after they are over."""
        row: OrderRow = shape(raw, OrderRow)
        limit = _last_block(row)
        if row.status == "BEST_EFFORT_CANCELED" and limit is not None and height is not None and height > limit:
            ts_ns = decode_orders.order_update(row, self._symbols, received_ns).ts_ns
            over = decode_orders.order_over(row, self._symbols, ts_ns, height=height)
            return msgspec.structs.replace(over, side=None, amount=None, price=None)  # old news takes nothing up
        update = self._noted(row, received_ns)
        sure_from = self._sure_from(row)
        if height is not None and sure_from is not None and height < sure_from:
            self._doubtful[row.id] = sure_from, update
            return None
        return update

    def _orders(self, received_ns: int, raw: msgspec.Raw) -> tuple[OrderUpdate, ...]:
        """What one row says, and what was held back about its order until this showed that it was so."""
        row: OrderRow = shape(raw, OrderRow)
        update = self._noted(row, received_ns)
        held = self._doubtful.pop(row.id, None)
        sure_from = self._sure_from(row)
        if sure_from is not None and len(self._doubtful) < MAX_DOUBTFUL:
            self._doubtful[row.id] = sure_from, update
            return ()
        return (update,) if held is None or _was_refused(row) else (held[1], update)

    def _sure_from(self, row: OrderRow) -> int | None:
        """The height from which on it is true that an order rests, of which this is said too early; else None.

        A node that refuses a short-term order lets the indexer show it all the same, and the removal follows at once. A
        stateful one that must not take is in its block, and removed when it is first matched, in the next. Waiting for
        more than that block's height would tell of an order that rested only when it may be cancelled already.
        """
        if row.status == "BEST_EFFORT_OPENED" and decode_orders.is_short_term(row):
            return 0 if row.post_only or self._is_isolated(row) else None
        is_new = row.created_at_height is not None and not optional(row.total_filled)
        if row.status == "OPEN" and row.post_only and is_new and not decode_orders.is_short_term(row):
            return count(row.created_at_height or 0) + 1
        return None

    def _is_isolated(self, row: OrderRow) -> bool:
        """Whether the market's positions must be alone in a subaccount: a node refuses orders that would break that."""
        market = self._symbols.by_symbol(row.ticker or "")
        return isinstance(market, DydxV4Market) and market.is_isolated

    def _noted(self, row: OrderRow, received_ns: int) -> OrderUpdate:
        """What a row says; what it leaves open is kept until its last block is over, or the chain says how it ended.

        News that it rests does not count then: gossip may be late.
        """
        update = decode_orders.order_update(row, self._symbols, received_ns)
        if update.evidence is not None:
            self._ending.pop(row.id, None)
        elif update.reason == decode_orders.ENDING and _last_block(row) is not None and not _was_refused(row):
            if len(self._ending) >= MAX_ENDING:
                del self._ending[next(iter(self._ending))]
            self._ending[row.id] = row
        return update

    def block(self, height: int, received_ns: int) -> Iterator[OrderUpdate]:
        sure = [name for name, (sure_from, _) in self._doubtful.items() if height >= sure_from]
        for name in sure:
            yield self._doubtful.pop(name)[1]
        over = [row for row in self._ending.values() if height >= (_last_block(row) or height) + GRACE_BLOCKS]
        for row in over:
            del self._ending[row.id]
            yield decode_orders.order_over(row, self._symbols, received_ns, height=height)


def _last_block(row: OrderRow) -> int | None:
    """The last block in which a short-term order can be filled."""
    if row.good_til_block is None or not decode_orders.is_short_term(row):
        return None
    return count(row.good_til_block)


def _was_refused(row: OrderRow) -> bool:
    """It never was in the book; the reply to its placement says so."""
    return decode_orders.cause_of(row) in (decode_orders.CROSSES, "violates_isolated_subaccount_constraints")
