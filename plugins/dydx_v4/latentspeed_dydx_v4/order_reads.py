"""DydxV4OrderReads: what became of orders, as flows. The indexer answers, and a node what only the chain knows.

The indexer follows the chain at a distance, and a short-term order that never filled leaves no row behind. So "not
found" proves nothing; what ends such an order is the height of node and indexer.
"""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from functools import partial

import msgspec

from latentspeed_cli.connector.answers import each, kept, shape
from latentspeed_cli.connector.placer import MAX_PROBES
from latentspeed_cli.core.decimals import EXACT, ZERO
from latentspeed_cli.core.flow import Flow, Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.errors import CredentialError, ProtocolError, TransportError

from . import chain_state, decode_orders, encode, identifiers, node
from .constants import CONDITIONAL, LONG_TERM, SHORT_TERM
from .market_reads import MAX_PAGES, DydxV4MarketReads
from .payloads import Fill, Fills, Height, OrderRow
from .wire import count, iso, time_ns

LIVE_STATUSES = "OPEN,BEST_EFFORT_OPENED,UNTRIGGERED"
ENDED_STATUSES = "FILLED,CANCELED"
LAST_BLOCK = 2**31 - 1  # as a filter it lets every short-term order through, and no other
ORDERS_PAGE = 1_000
# Fills: most questions are about the last few.
FIRST_FILLS_PAGE, FILLS_PAGE = 100, 1_000
ORDER_FLAGS = (SHORT_TERM, LONG_TERM, CONDITIONAL)
# A short-term order fills at most this many blocks before its last one, replacements included.
SHORT_TERM_BLOCKS = 200
IN_STATE = "in state"  # what the chain holds, and the indexer does not show yet
_FINAL = frozenset({Report.FILLED, Report.CANCELLED, Report.EXPIRED, Report.FAILED})


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    rows: tuple[OrderRow, ...]
    is_full: bool
    received_ns: int


class DydxV4OrderReads(DydxV4MarketReads):
    """Orders and fills of one subaccount. They need its address, never a key."""

    subaccount: int = 0

    # What an order of ours was sent as; rows of the venue say it of others

    def order_flags_of(self, order: InFlightOrder) -> int | None:
        """The flags that the order was sent with, or None."""
        return encode.flags_of(order)

    def last_block_of(self, order: InFlightOrder) -> int | None:
        """The last block in which a short-term order can be filled, or None."""
        return order.good_til_block

    def is_ahead(self, block: int, now_ns: int) -> bool:
        """Whether it is certain without asking that the chain has not come to this block."""
        return False

    def is_exchange_order_id(self, text: str) -> bool:
        return identifiers.is_order_id(text)

    # Flows

    def open_orders_flow(self) -> Flow[tuple[OrderUpdate, ...]]:
        """A row that makes no sense is left out; only when none makes sense is that an error.

        Stateful orders come first, then short-term ones by their last block, falling: pages go on from there.
        """
        found: dict[str, OrderUpdate] = {}
        before: int | None = None
        for _ in range(MAX_PAGES):
            page = yield from self._orders(status=LIVE_STATUSES, goodTilBlockBeforeOrAt=before)
            for update in kept(each(page.rows, partial(self._update, page.received_ns))):
                if update.report is Report.ACCEPTED and update.exchange_order_id is not None:
                    found.setdefault(update.exchange_order_id, update)
            last = page.rows[-1].good_til_block if page.rows else None
            if not page.is_full or last is None or count(last) == before:
                break
            before = count(last)
        return tuple(found.values())

    def ended_orders_flow(self, since_ns: int) -> Flow[tuple[OrderUpdate, ...]]:
        """Short-term orders that were never filled are in no list. Where stateful ones fill a page, the short-term
        ones, which come after them, are asked for by themselves; then pages go on as those of open orders do.
        """
        found: dict[str, OrderUpdate] = {}
        before: int | None = None
        for _ in range(MAX_PAGES):
            page = yield from self._orders(status=ENDED_STATUSES, goodTilBlockBeforeOrAt=before)
            updates = kept(each(page.rows, partial(self._update, page.received_ns)))
            late = [update for update in updates if update.report in _FINAL and update.ts_ns >= since_ns]
            for update in late:
                found.setdefault(update.exchange_order_id or "", update)
            last = page.rows[-1].good_til_block if page.rows else None
            following = LAST_BLOCK if last is None else count(last)
            if not page.is_full or following == before or (before is not None and not late):
                break
            before = following
        return tuple(sorted(found.values(), key=lambda update: update.ts_ns))

    def order_status_flow(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        """The indexer's row, by the id that was computed before the order was sent.

        Without a row: what the node has in its state. And for a short-term order whose last block is behind both node
        and indexer: how it ended, since nobody else will say so.
        """
        row, received_ns = yield from self._row(order)
        return (yield from self._told(order, row, received_ns))

    def _told(self, order: InFlightOrder, row: OrderRow | None, received_ns: int) -> Flow[tuple[OrderUpdate, ...]]:
        """What a row means, or that there is none."""
        said = () if row is None else (decode_orders.order_update(row, self.symbols, received_ns),)
        if said and said[0].report in _FINAL:
            return said
        limit = self._last_block(order, row)
        if limit is None:
            return said if row is not None else (yield from self._in_state_if_told(order))
        return said if self.is_ahead(limit, received_ns) else said + (yield from self._over(order, row, limit))

    def fills_flow(self, since_ns: int, until_ns: int | None = None) -> Flow[tuple[TradeUpdate, ...]]:
        fills = yield from self._fills(since_ns, until_ns=until_ns)
        return fills

    # One order

    def _row(self, order: InFlightOrder) -> Flow[tuple[OrderRow | None, int]]:
        """The indexer's row of an order, and when it was received.

        Another order under the same number is not it. Then it may have been sent under one of the numbers that follow,
        by a run whose journal was lost.
        """
        if order.exchange_order_id is None and not order.trading_pair:
            return (yield from self._search(order))
        received_ns = 0
        for probe in range(MAX_PROBES):
            is_taken = False
            for order_id in self._order_ids(order, probe):
                reply = yield self.web_utils.get("orders", order_id)
                received_ns = reply.received_ns
                body = self.web_utils.found(reply)
                if body is not None:
                    row: OrderRow = shape(body, OrderRow)
                    if _is_of(row, order):
                        return row, received_ns
                    is_taken = True
            if not is_taken:
                break
        return None, received_ns

    def _order_ids(self, order: InFlightOrder, probe: int = 0) -> list[str]:
        """The ids under which the indexer may show an order. probe: how many orders were met under its number."""
        if order.exchange_order_id is not None and not probe:
            return [order.exchange_order_id]
        numbers = identifiers.client_ids(order.venue_client_id)
        if numbers is None or not order.trading_pair:
            return []
        client_id = (numbers[0] + probe) % encode.U32
        subaccount = identifiers.subaccount_id(self._address(), self.subaccount)
        pair_id, flags = self._market(order.trading_pair).asset_id, self.order_flags_of(order)
        return [
            identifiers.order_id(subaccount, client_id, pair_id, flag)
            for flag in (ORDER_FLAGS if flags is None else (flags,))
        ]

    def _search(self, order: InFlightOrder) -> Flow[tuple[OrderRow | None, int]]:
        """An order of which only our own number is known, among the latest of each kind."""
        received_ns = 0
        if identifiers.client_ids(order.venue_client_id) is None:
            return None, received_ns
        kinds: tuple[dict[str, str | int], ...] = ({"goodTilBlockAfter": 0}, {"goodTilBlockTimeAfter": iso(0)})
        for asked in kinds:
            page = yield from self._orders(**asked)
            received_ns = page.received_ns
            for row in page.rows:
                if row.client_metadata is not None and _is_of(row, order):
                    return row, received_ns
        return None, received_ns

    def _orders(self, **asked: str | int | None) -> Generator[Request, Reply, _Page]:
        """A page of the list of orders. Rows that make no sense are left out."""
        reply = yield self.web_utils.get(
            "orders", address=self._address(), subaccountNumber=self.subaccount, limit=ORDERS_PAGE, **asked
        )
        raws: list[msgspec.Raw] = shape(self.web_utils.check(reply, changes=False), list[msgspec.Raw])
        rows: tuple[OrderRow, ...] = kept(each(raws, lambda raw: shape(raw, OrderRow)))
        return _Page(rows=rows, is_full=len(raws) >= ORDERS_PAGE, received_ns=reply.received_ns)

    def _update(self, received_ns: int, row: OrderRow) -> OrderUpdate:
        return decode_orders.order_update(row, self.symbols, received_ns)

    def _last_block(self, order: InFlightOrder, row: OrderRow | None) -> int | None:
        if row is None:
            return self.last_block_of(order)
        if row.good_til_block is None or not decode_orders.is_short_term(row):
            return None
        return count(row.good_til_block)

    def _over(self, order: InFlightOrder, row: OrderRow | None, limit: int) -> Flow[tuple[OrderUpdate, ...]]:
        """How a short-term order ended, if node and indexer are past its last block; else nothing.

        Its row and its fills are read after that: then they are all there are.
        """
        if any(item.kind == "block_limit_passed" for item in order.facts.evidence):
            return ()
        height = yield from self._height_past(limit)
        if height is None:
            return ()
        row, received_ns = yield from self._row(order)
        if row is not None:
            told = decode_orders.order_update(row, self.symbols, received_ns)
            if told.report in _FINAL:
                return (told,)
        first_height = limit - SHORT_TERM_BLOCKS
        fills = yield from self._fills(0, first_height=first_height, last_height=limit, all_make_sense=True)
        order_ids = self._order_ids(order) if row is None else [row.id]
        executed = ZERO
        for fill in fills:
            if fill.exchange_order_id in order_ids:
                executed = EXACT.add(executed, fill.amount)
        return (self._ended(order, row, executed, height=height, limit=limit, received_ns=received_ns),)

    def _ended(
        self,
        order: InFlightOrder,
        row: OrderRow | None,
        executed: Decimal,
        *,
        height: int,
        limit: int,
        received_ns: int,
    ) -> OrderUpdate:
        if row is not None:
            update = decode_orders.order_over(row, self.symbols, received_ns, height=height)
        else:
            detail = f"block {height} is past {limit}, and the venue has no row of it"
            update = OrderUpdate(
                report=Report.EXPIRED,
                trading_pair=order.trading_pair,
                ts_ns=received_ns,
                client_order_id=order.client_order_id,
                venue_client_id=order.venue_client_id or None,
                exchange_order_id=order.exchange_order_id,
                reason=None if order.is_ioc else "expired",
                evidence=Evidence(kind="block_limit_passed", ts_ns=received_ns, detail=detail),
            )
        report, reason = update.report, update.reason
        amount = update.amount or order.amount
        if amount and executed >= amount:
            report, reason = Report.FILLED, None
        elif report is Report.EXPIRED and cancel_was_accepted(order):
            report, reason = Report.CANCELLED, "canceled"
        filled = max(executed, update.venue_filled_amount or ZERO)
        return msgspec.structs.replace(update, report=report, reason=reason, venue_filled_amount=filled or None)

    def _height_past(self, limit: int) -> Flow[int | None]:
        """The lower of the heights of indexer and node, if both are past `limit`; a silent node proves nothing."""
        said: Height = yield from self._get(Height, "height")
        indexed = count(said.height)
        if indexed <= limit:
            return None
        try:
            reply = yield self.web_utils.call(node.LATEST_BLOCK, b"")
            committed = chain_state.block(self.web_utils.check(reply, changes=False)).height
        except TransportError:
            return None
        return min(indexed, committed) if committed > limit else None

    def _in_state_if_told(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        """The same, or nothing where the node is silent."""
        try:
            return (yield from self._in_state(order))
        except TransportError:
            return ()

    def _in_state(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        """What the node's state holds of a stateful order that the indexer does not show (yet).

        Raises TransportError where the node is silent.
        """
        numbers, flags = identifiers.client_ids(order.venue_client_id), self.order_flags_of(order)
        if numbers is None or flags not in (CONDITIONAL, LONG_TERM) or not order.trading_pair:
            return ()
        market = self._market(order.trading_pair)
        question = node.stateful_order_query(self._address(), self.subaccount, numbers[0], flags, market.asset_id)
        reply = yield self.web_utils.call(node.STATEFUL_ORDER, question)
        body = self.web_utils.found(reply)
        if body is None:
            return ()
        found = node.stateful_order(body)
        filled = EXACT.scaleb(Decimal(found.fill_amount), market.atomic_resolution)
        update = OrderUpdate(
            report=Report.ACCEPTED,
            trading_pair=order.trading_pair,
            ts_ns=reply.received_ns,
            client_order_id=order.client_order_id,
            venue_client_id=order.venue_client_id or None,
            exchange_order_id=self._order_ids(order)[0],
            reason="untriggered" if flags == CONDITIONAL and not found.is_triggered else None,
            venue_code=IN_STATE,
            venue_filled_amount=filled or None,
        )
        return (update,)

    # Fills

    def _fills(
        self,
        since_ns: int,
        *,
        until_ns: int | None = None,
        first_height: int = 0,
        last_height: int | None = None,
        all_make_sense: bool = False,
    ) -> Flow[tuple[TradeUpdate, ...]]:
        """Oldest first. Answers come newest first and include their bound, so pages overlap and are joined by id.

        A row that makes no sense is left out, unless nothing else is there: the next page would hide it no better.
        all_make_sense: one row that does not is an error, as where they are added up.
        """
        found: dict[str, TradeUpdate] = {}
        before = None if until_ns is None else iso(until_ns)
        limit = FIRST_FILLS_PAGE
        for _ in range(MAX_PAGES):
            reply = yield self.web_utils.get(
                "fills",
                address=self._address(),
                subaccountNumber=self.subaccount,
                limit=limit,
                createdBeforeOrAt=before,
                createdBeforeOrAtHeight=last_height,
            )
            said: Fills = shape(self.web_utils.check(reply, changes=False), Fills)
            updates = decode_orders.trade_updates(said.fills, self.symbols, reply.received_ns)
            for fill in updates if all_make_sense else kept(updates):
                found.setdefault(fill.fill_id, fill)
            if len(said.fills) < limit:
                break
            oldest: Fill = shape(said.fills[-1], Fill)
            height = None if oldest.created_at_height is None else count(oldest.created_at_height)
            if time_ns(oldest.created_at) < since_ns or (height is not None and height < first_height):
                break
            if oldest.created_at == before and limit == FILLS_PAGE:
                raise ProtocolError("the venue's pages of fills do not end")
            before, limit = oldest.created_at, FILLS_PAGE
        else:
            raise ProtocolError("the venue's pages of fills do not end")
        oldest_first = [fill for fill in found.values() if fill.ts_ns >= since_ns][::-1]
        return tuple(sorted(oldest_first, key=lambda fill: fill.ts_ns))

    # Small parts

    def _address(self) -> str:
        """Without the number of the subaccount, which an account's name may bear behind a stroke."""
        if not self.account:
            raise CredentialError(
                "this needs an account, and none is configured", hint="set the profile's account or key"
            )
        return self.account.partition("/")[0]


def _is_of(row: OrderRow, order: InFlightOrder) -> bool:
    """Whether a row bears the numbers of an order, as far as both say them; or the number that a probe gave it."""
    numbers = identifiers.client_ids(order.venue_client_id)
    if numbers is None:
        return True
    probe = (count(row.client_id) - numbers[0]) % encode.U32
    if row.client_metadata is None:
        return not probe
    return probe < MAX_PROBES and count(row.client_metadata) == numbers[1]


def cancel_was_accepted(order: InFlightOrder) -> bool:
    facts = order.facts
    return bool(facts.cancels - facts.cancels_refused - facts.cancels_unknown)
