"""The indexer: news of the node in, rows and messages out. Messages of a block in the recorded order (section 8.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.sandbox.model import StoredRow

from . import pnl, rows, shapes
from .market import event_id
from .movements import Movements
from .positions import Positions
from .rows import FillRow, OrderRow, PaymentRow, PositionRow, SubaccountRow, TransferRow
from .state import (
    IOC,
    Block,
    Expired,
    Gone,
    Holdings,
    Match,
    Moved,
    News,
    Opened,
    Order,
    Paid,
    Placed,
    Removed,
    Side,
    Triggered,
)

if TYPE_CHECKING:
    from .world import World

KEPT = 20_000
# Orders that ended unheard leave the cache by a job (section 10.3).
SWEEP_NS = 120_000_000_000
SWEPT_BLOCKS_LATE = 20
FINAL = frozenset({"FILLED", "CANCELED"})
_KINDS: dict[str, Any] = {
    "i_order": OrderRow,
    "i_live": Order,
    "i_fill": FillRow,
    "i_position": PositionRow,
    "i_transfer": TransferRow,
    "i_payment": PaymentRow,
    "i_subaccount": SubaccountRow,
    "i_cancelled": str,
    "i_pnl": pnl.PnlRow,
}


class Update(msgspec.Struct, frozen=True):
    """Contents of one message of v4_subaccounts."""

    owner: str
    number: int
    contents: dict[str, Any]


class Indexer:
    """Everything the indexer knows. height, time_ns: of the last block it has processed.

    orders: database rows. live: short-term orders in its cache. cancelled: orders it holds for cancelled off chain, by
    id, with the status they get when a fill arrives after all.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.height = 0
        self.time_ns = 0
        self.orders: dict[str, OrderRow] = {}
        self.live: dict[str, Order] = {}
        self.cancelled: dict[str, str] = {}
        self.fills: dict[str, deque[FillRow]] = {}
        self.positions = Positions(world)
        self.movements = Movements(world)
        self.subaccounts: dict[str, SubaccountRow] = {}
        self.pnl = pnl.PnlRows(world)
        self._out: list[Update] = []

    # ---- storage ---------------------------------------------------------------------------------

    def start(self) -> None:
        """A fresh chain: what genesis gave to the subaccounts."""
        counters = self.world.counters
        self.height, self.time_ns = counters.height, counters.block_time_ns
        for subaccount in self.world.committed.values():
            self._keep_subaccount(
                SubaccountRow(
                    subaccount.owner, subaccount.number, subaccount.usdc, {}, self.height, self.time_ns, subaccount.usdc
                )
            )

    def load(self, stored: Iterable[StoredRow]) -> None:
        """Take up the rows of an earlier run."""
        counters = self.world.counters
        blocks = [item.news for item in self.world.pending if isinstance(item.news, Block)]
        self.height = blocks[0].height - 1 if blocks else counters.height
        self.time_ns = counters.block_time_ns
        found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
        for row in stored:
            if row.value is not None and row.kind in _KINDS:
                found[row.kind][row.key] = msgspec.msgpack.decode(row.value, type=_KINDS[row.kind])
        self.orders, self.live, self.cancelled = found["i_order"], found["i_live"], found["i_cancelled"]
        self.subaccounts = found["i_subaccount"]
        self.positions.load(found["i_position"])
        for fill in sorted(found["i_fill"].values(), key=lambda fill: fill.event):
            self.fills.setdefault(f"{fill.owner}/{fill.number}", deque()).append(fill)
        self.pnl.load(found["i_pnl"].values())
        self.movements.load(found["i_transfer"].values(), found["i_payment"].values())

    def _keep(self, kind: str, key: str, value: Any) -> None:
        self.world.touch(kind, key, value)

    def _keep_order(self, key: str, row: OrderRow) -> None:
        self.orders[key] = row
        self._keep("i_order", key, row)
        if len(self.orders) > KEPT:
            oldest = next((name for name, old in self.orders.items() if old.status in FINAL), None)
            if oldest is not None:
                del self.orders[oldest]
                self._keep("i_order", oldest, None)

    def _keep_subaccount(self, row: SubaccountRow) -> None:
        self.subaccounts[f"{row.owner}/{row.number}"] = row
        self._keep("i_subaccount", f"{row.owner}/{row.number}", row)

    # ---- entrance --------------------------------------------------------------------------------

    def apply(self, news: News) -> list[Update]:
        """Process one piece of news; the messages for subscribers, in order."""
        self._out = []
        if isinstance(news, Opened):
            self._opened(news.order)
        elif isinstance(news, Removed):
            self._removed(news)
        else:
            self._block(news)
        return self._out

    def reached(self, height: int, time_ns: int) -> list[Update]:
        """A block is processed, whatever was in it: the jobs that go by height and time. Messages for subscribers."""
        self._out = []
        swept = time_ns // SWEEP_NS > self.time_ns // SWEEP_NS
        self.height, self.time_ns = height, time_ns
        if swept:
            self._sweep()
        self.pnl.reached(self.subaccounts, height, time_ns)
        return self._out

    def _sweep(self) -> None:
        """Drop short-term orders from the cache that ended unheard, as when their removal was lost."""
        for key, order in list(self.live.items()):
            if (order.good_til_block or 0) + SWEPT_BLOCKS_LATE > self.height:
                continue
            self._forget(key)
            row = self.orders.get(key)
            if row is not None and row.status not in FINAL:
                row.status = "CANCELED"
                self._keep_order(key, row)
            shown = shapes.ws_order(self.world, order, row, status="CANCELED", reason="INDEXER_EXPIRED")
            self._say(order.owner, order.number, {"orders": [shown]})

    def granted(self, owner: str, number: int, amount: int) -> None:
        """The control API gave micro-USDC to a subaccount: that is no profit."""
        row = self.subaccounts.get(f"{owner}/{number}")
        if row is None:
            row = SubaccountRow(owner, number, 0, {}, self.height, self.time_ns)
        row.net_transfers += amount
        self._keep_subaccount(row)

    def _say(self, owner: str, number: int, contents: dict[str, Any]) -> None:
        self._out.append(Update(owner, number, {**contents, "blockHeight": str(self.height)}))

    # ---- off chain -------------------------------------------------------------------------------

    def _opened(self, order: Order) -> None:
        key = rows.id_of(order)
        self.live[key] = order
        self._keep("i_live", key, order)
        if self.cancelled.pop(key, None) is not None:
            self._keep("i_cancelled", key, None)
        shown = shapes.ws_order(self.world, order, self.orders.get(key), status="BEST_EFFORT_OPENED")
        self._say(order.owner, order.number, {"orders": [shown]})

    def _forget(self, key: str) -> Order | None:
        order = self.live.pop(key, None)
        if order is not None:
            self._keep("i_live", key, None)
        return order

    def _removed(self, news: Removed) -> None:
        owner, number, client_id, flags, pair = news.key.split("/")
        key = rows.order_id(owner, int(number), int(client_id), int(flags), int(pair))
        order = self._forget(key)
        row = self.orders.get(key)
        if row is not None and row.status == "FILLED":
            return
        if order is None:
            return
        status = "BEST_EFFORT_CANCELED"
        if len(self.cancelled) > KEPT:
            oldest = next(iter(self.cancelled))
            del self.cancelled[oldest]
            self._keep("i_cancelled", oldest, None)
        self.cancelled[key] = status
        self._keep("i_cancelled", key, status)
        if row is not None and row.status not in FINAL:
            row.status = status
            self._keep_order(key, row)
        shown = shapes.ws_order(
            self.world, order, row, status=status, reason=news.reason, optimistic=min(news.optimistic, order.quantums)
        )
        self._say(order.owner, order.number, {"orders": [shown]})

    # ---- blocks ----------------------------------------------------------------------------------

    def _block(self, block: Block) -> None:
        holdings = {f"{h.owner}/{h.number}": h for h in block.items if isinstance(h, Holdings)}
        self._matches(block, holdings)
        for item in block.items:
            if isinstance(item, Placed):
                self._placed(item.order, block)
            elif isinstance(item, Triggered):
                self._changed(item.order, "OPEN", None, block)
            elif isinstance(item, Gone):
                self._changed(item.order, "CANCELED", item.reason, block)
            elif isinstance(item, Moved):
                self._moved(item, block, holdings)
            elif isinstance(item, Paid):
                self._paid(item, block)
            elif isinstance(item, Expired):
                self._expired(item.order, block)
        for held in holdings.values():
            self._hold(held, block)

    def _hold(self, held: Holdings, block: Block) -> None:
        row = self.subaccounts.get(f"{held.owner}/{held.number}")
        if row is None:
            row = SubaccountRow(held.owner, held.number, 0, {}, block.height, block.time_ns)
        row.usdc, row.sizes, row.updated_height = held.usdc, dict(held.sizes), block.height
        self._keep_subaccount(row)

    def _placed(self, order: Order, block: Block) -> None:
        key = rows.id_of(order)
        status = "UNTRIGGERED" if order.flags == 32 and not order.triggered else "OPEN"
        row = OrderRow(order, status, 0, block.height, block.height, block.time_ns, self.world.next_row())
        self._keep_order(key, row)
        shown = shapes.ws_order(self.world, order, row, status=status, onchain=True)
        self._say(order.owner, order.number, {"orders": [shown]})

    def _changed(self, order: Order, status: str, reason: str | None, block: Block) -> None:
        """A stateful order changed its status on chain."""
        key = rows.id_of(order)
        row = self.orders.get(key)
        if row is None:
            return
        if row.status not in FINAL:
            row.status, row.reason = status, reason
            row.updated_height, row.updated_ns = block.height, block.time_ns
            self._keep_order(key, row)
        shown = shapes.ws_order(
            self.world, row.order, row, status=status, reason=reason, onchain=True, filled=row.filled
        )
        self._say(order.owner, order.number, {"orders": [shown]})

    def _expired(self, order: Order, block: Block) -> None:
        """A short-term order rested to its end. The indexer may have dropped it long ago."""
        key = rows.id_of(order)
        known = self._forget(key)
        row = self.orders.get(key)
        if row is not None and row.status not in FINAL and row.status != "BEST_EFFORT_CANCELED":
            row.status, row.updated_height, row.updated_ns = "CANCELED", block.height, block.time_ns
            self._keep_order(key, row)
        if known is None:
            shown = shapes.bare_order(self.world, order, "CANCELED", "EXPIRED")
        else:
            shown = shapes.ws_order(
                self.world, known, row, status="CANCELED", reason="EXPIRED", optimistic=order.filled
            )
        self._say(order.owner, order.number, {"orders": [shown]})

    # ---- fills -----------------------------------------------------------------------------------

    def _matches(self, block: Block, holdings: dict[str, Holdings]) -> None:
        """Fills of a block: per fill a position update, then per order one message with all its fills."""
        by_order: dict[str, list[FillRow]] = {}
        last: dict[str, Side] = {}
        for match in block.items:
            if not isinstance(match, Match):
                continue
            for side, is_taker in ((match.taker, True), (match.maker, False)):
                if side is None:
                    continue
                fill = self._fill(match, side, is_taker, block)
                held = holdings.get(f"{fill.owner}/{fill.number}")
                self._before_fill(fill, held)
                self.positions.book(fill)
                by_order.setdefault(fill.order or f"liquidation {fill.owner}/{fill.number}", []).append(fill)
                last[fill.order or f"liquidation {fill.owner}/{fill.number}"] = side
        for key, fills in by_order.items():
            order, first = last[key].order, fills[0]
            contents: dict[str, Any] = {"fills": [shapes.ws_fill(self.world, fill) for fill in fills]}
            if first.order is not None:
                row = self._filled(key, order, last[key].filled, block)
                contents["orders"] = [
                    shapes.ws_order(self.world, order, row, status=row.status, onchain=True, filled=row.filled)
                ]
            position = self.positions.latest(f"{first.owner}/{first.number}", first.pair)
            if position is not None:
                contents["perpetualPositions"] = [shapes.ws_position(self.world, position, with_pnl=False)]
            self._say(first.owner, first.number, contents)

    def _fill(self, match: Match, side: Side, is_taker: bool, block: Block) -> FillRow:
        order = side.order
        event = event_id(block.height, match.number)
        liquidity = "TAKER" if is_taker else "MAKER"
        is_liquidation = match.kind == "LIQUIDATED"
        position = self.positions.open(order.subaccount, match.pair)
        fill = FillRow(
            id=rows.named(f"{event}-{liquidity}"),
            owner=order.owner,
            number=order.number,
            pair=match.pair,
            is_buy=order.is_buy,
            is_taker=is_taker,
            kind="LIMIT" if not is_liquidation else "LIQUIDATED" if is_taker else "LIQUIDATION",
            price=match.price,
            size=match.size,
            quote=match.quote,
            fee=side.fee,
            height=block.height,
            time_ns=block.time_ns,
            event=event,
            tx_hash=block.hash,
            order=None if is_liquidation and is_taker else rows.id_of(order),
            metadata=order.client_metadata,
            builder=order.builder,
            builder_fee=side.builder_fee,
            before=position.size if position else 0,
            entry_before=position.entry if position else "0",
        )
        mine = self.fills.setdefault(f"{fill.owner}/{fill.number}", deque())
        mine.append(fill)
        self._keep("i_fill", fill.id, fill)
        if len(mine) > KEPT:
            self._keep("i_fill", mine.popleft().id, None)
        return fill

    def _before_fill(self, fill: FillRow, held: Holdings | None) -> None:
        """The position's new size and the money are seen before the fill that made them."""
        position = self.positions.open(f"{fill.owner}/{fill.number}", fill.pair)
        contents: dict[str, Any] = {}
        if position is not None and held is not None:
            ahead = msgspec.structs.replace(position, size=held.sizes.get(fill.pair, 0) or position.size)
            contents["perpetualPositions"] = [shapes.ws_position(self.world, ahead, with_pnl=True)]
        if held is not None:
            contents["assetPositions"] = [shapes.ws_asset(held.owner, held.number, held.usdc)]
        if contents:
            self._say(fill.owner, fill.number, contents)

    def _filled(self, key: str, order: Order, filled: int, block: Block) -> OrderRow:
        """The row of an order after its fills of this block."""
        row = self.orders.get(key)
        if row is None:
            row = OrderRow(order, "OPEN", 0, block.height, block.height, block.time_ns, self.world.next_row())
        row.order = order
        row.filled = max(row.filled, filled)
        row.updated_height, row.updated_ns = block.height, block.time_ns
        if row.filled >= order.quantums:
            row.status = "FILLED"
            self._forget(key)
        elif row.status != "CANCELED":
            is_over = order.is_short_term and order.time_in_force == IOC
            row.status = "CANCELED" if is_over else self.cancelled.get(key, "OPEN")
        self._keep_order(key, row)
        return row

    # ---- money -----------------------------------------------------------------------------------

    def _moved(self, moved: Moved, block: Block, holdings: dict[str, Holdings]) -> None:
        row = self.movements.moved(moved, block)
        ends = ((moved.sender, moved.sender_number, -1), (moved.recipient, moved.recipient_number, 1))
        for owner, number, sign in ends:
            held = holdings.get(f"{owner}/{number}")
            if number is None or held is None:
                continue
            self._hold(held, block)
            known = self.subaccounts[f"{owner}/{number}"]
            known.net_transfers += sign * moved.amount
            self._say(owner, number, {"assetPositions": [shapes.ws_asset(owner, number, held.usdc)]})
            self._say(owner, number, {"transfers": shapes.ws_transfer(row, owner, number)})

    def _paid(self, paid: Paid, block: Block) -> None:
        self.movements.paid(paid, block)
        self.positions.fund(f"{paid.owner}/{paid.number}", paid.pair, paid.amount)
