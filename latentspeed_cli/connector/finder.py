"""Finder: which order does a person mean? The journal knows ours, the venue may know others."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..core.decimals import ZERO
from ..core.ids import check_client_order_id
from ..core.in_flight_order import InFlightOrder
from ..core.order_state import Facts
from ..core.reports import OrderUpdate, TradeUpdate
from ..core.types import OrderType, TimeInForce, TradeType
from ..errors import IdConflict, OrderRefused, UsageError
from .ledger import Ledger
from .parts import Parts
from .reader import Reader
from .venue import VenueFlows


class Finder:
    """Orders by client order id, exchange order id, or a prefix of a client order id that fits one order only."""

    def __init__(self, flows: VenueFlows, parts: Parts, reader: Reader, ledger: Ledger) -> None:
        self._flows = flows
        self._parts = parts
        self._reader = reader
        self._ledger = ledger

    def in_journal(self, text: str) -> InFlightOrder | None:
        """An order we know. Raises IdConflict when a prefix fits several, UsageError for one of another account."""
        known = self._parts.journal.find(text)
        found = [order for order in known if self._ledger.is_ours(order)]
        other = next((order for order in known if order.client_order_id.startswith(text)), None)
        if other is not None and not found:
            venue = f"--venue {other.venue}, or " if other.venue != self._parts.venue else ""
            raise UsageError(
                f"order {other.client_order_id} is one of {other.account} on {other.venue}",
                hint=f"say {venue}the profile of that account",
            )
        if len(found) > 1:
            ids = ", ".join(sorted(order.client_order_id for order in found)[:5])
            raise IdConflict(f"{text!r} fits {len(found)} orders", hint=f"give more of the id; among them {ids}")
        return self._ledger.start(found[0]) if found else None

    async def at_venue(self, text: str) -> InFlightOrder | None:
        """An order that the journal does not know, as the venue describes it; None is no proof of absence.

        One that bears our twin of `text` is ours, from a journal that was lost, and is adopted. Another is external:
        it is tracked, and not journaled before something is done to it.
        """
        await self._reader.markets()
        if self._flows.is_exchange_order_id(text):
            found = await self._by_exchange_id(text)
            if found is not None:
                return found
        try:
            check_client_order_id(text)
        except OrderRefused:
            return None
        return await self._by_client_id(text)

    async def _by_exchange_id(self, text: str) -> InFlightOrder | None:
        updates = [update for update in await self._reader.open_orders() if update.exchange_order_id == text]
        if not updates:
            probe = self._probe("probe", exchange_order_id=text)
            updates = list(await self._reader.ask(lambda: self._flows.order_status_flow(probe)))
        return self.take_up(updates)

    async def _by_client_id(self, text: str) -> InFlightOrder | None:
        twin = self._flows.venue_client_id(text, network=self._parts.network, account=self._account)
        probe = self._probe(text, venue_client_id=twin)
        updates = await self._reader.ask(lambda: self._flows.order_status_flow(probe))
        return self.take_up(updates, client_order_id=text)

    def take_up(self, updates: Sequence[OrderUpdate], *, client_order_id: str | None = None) -> InFlightOrder | None:
        """The one order that these reports are about, with what they say written down. None when they say too little.

        client_order_id: the id of ours that it bears, if it does; then it is adopted.
        """
        if not updates:
            return None
        parts = self._parts
        order = self._ledger.match(updates[-1])
        if order is None:
            found = external_order(updates[-1], venue=parts.venue, network=parts.network, account=self._account)
            if found is None:
                return None
            if client_order_id is not None:
                found = msgspec.structs.replace(found, client_order_id=client_order_id, is_external=False)
                found = parts.journal.adopt(found)
            order = self._ledger.start(found)
        self._ledger.record(updates, of=order)
        return self._ledger.now(order)

    def take_up_all(self, updates: Sequence[OrderUpdate]) -> list[InFlightOrder]:
        """The orders of a list, one report each."""
        found = [self.take_up([update]) for update in updates]
        return [order for order in found if order is not None]

    def named(self, fills: Sequence[TradeUpdate]) -> tuple[TradeUpdate, ...]:
        """Fills with the client order ids of the orders that are ours."""
        return tuple(self._named(fill) for fill in fills)

    def _named(self, fill: TradeUpdate) -> TradeUpdate:
        order = self._ledger.match(fill)
        if order is None or order.is_external:
            return fill
        return msgspec.structs.replace(fill, client_order_id=order.client_order_id)

    @property
    def _account(self) -> str:
        return self._parts.account or ""

    def _probe(
        self, client_order_id: str, *, venue_client_id: str = "", exchange_order_id: str | None = None
    ) -> InFlightOrder:
        """An order that has nothing but ids, to ask the venue with."""
        return InFlightOrder(
            client_order_id=client_order_id,
            venue_client_id=venue_client_id,
            venue=self._parts.venue,
            network=self._parts.network,
            account=self._account,
            trading_pair="",
            side=TradeType.BUY,
            order_type=OrderType.LIMIT,
            amount=ZERO,
            price=None,
            created_ts_ns=0,
            exchange_order_id=exchange_order_id,
            facts=Facts(),
        )


def external_order(item: OrderUpdate, *, venue: str, network: str, account: str) -> InFlightOrder | None:
    """An order we did not place, from what the venue says it is; None when it says too little.

    Its client order id is the venue's id with a prefix, since it has none of ours.
    """
    if item.exchange_order_id is None or item.side is None or not item.amount:
        return None
    immediate = item.price is None
    return InFlightOrder(
        client_order_id=f"external-{item.exchange_order_id}",
        venue_client_id=item.venue_client_id or "",
        venue=venue,
        network=network,
        account=account,
        trading_pair=item.trading_pair,
        side=item.side,
        order_type=OrderType.MARKET if immediate else OrderType.LIMIT,
        tif=TimeInForce.IOC if immediate else TimeInForce.GTC,
        amount=item.amount,
        price=item.price,
        created_ts_ns=item.created_ts_ns or item.ts_ns,
        reduce_only=bool(item.reduce_only),
        is_external=True,
        good_til_block=item.good_til_block,
        good_til_ts_ns=item.good_til_ts_ns,
        exchange_order_id=item.exchange_order_id,
        facts=Facts(),
    )
