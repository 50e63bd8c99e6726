"""DydxV4Perpetual: every conversation that changes something, as flows. No await, no socket, no clock.

What has to be known first is read by terms.py. What a node answers is its opinion; blocks decide, and order_status_flow
reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.connector.parts import Parts
from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.connector.reconciler import was_seen
from latentspeed_cli.connector.venue import FenceVerdict
from latentspeed_cli.core.flow import Flow
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.reports import OrderUpdate, Report
from latentspeed_cli.errors import OrderRefused

from . import encode, refusals, tx
from .chain_state import ChainState
from .config import DydxV4Config
from .constants import (
    BATCH_CANCEL,
    BROADCAST_TX,
    CANCEL_ORDER,
    GAS_LIMIT,
    GET_TX,
    LONG_TERM,
    MAX_BATCH_CANCEL,
    PLACE_ORDER,
    SHORT_TERM,
    TIMEOUT_BLOCKS,
    UPDATE_LEVERAGE,
    VENUE,
)
from .markets import DydxV4Market
from .order_reads import cancel_was_accepted
from .payloads import Height, OrderRow
from .refusals import Meaning
from .terms import DydxV4Terms, End
from .wire import count

if TYPE_CHECKING:
    from .auth import DydxV4Auth

# A refused attempt is looked for until this many blocks after the refusal: accepted elsewhere, it would be in one.
REFUSAL_BLOCKS = 3
# Where a row does not tell its block, that may be one after the height that was read; the next one may remove it.
SURE_BLOCKS = 2
MAX_UNMATCHED = 1_000


class DydxV4Perpetual(DydxV4Terms, PerpetualDerivativeBase):
    """Perpetual markets of the dYdX chain, for one subaccount.

    Reads need an address, never a key. Changes are signed by `auth`, each in a transaction of its own.
    """

    auth: DydxV4Auth | None

    def __init__(self, parts: Parts, config: DydxV4Config) -> None:
        super().__init__(parts)
        self.subaccount = config.subaccount
        self.authenticator = config.authenticator
        self.chain = ChainState()
        self.counts_sequences = config.nonces == "sequence"
        self.ends: dict[str, End] = {}
        # Post-only orders that may not have been matched yet: at which height each was first seen, 0 before.
        self._unmatched: dict[str, int] = {}

    # What became of an order

    def order_status_flow(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        """A stateful post-only order that would meet another is in its block all the same, and removed in the next one:
        that it rests is believed a block later.
        """
        is_new = not was_seen(order) or order.client_order_id in self._unmatched
        if not (is_new and _is_matched_later(order)):
            said = yield from super().order_status_flow(order)
            return tuple(_ended_by_us(order, update) for update in said)
        height = yield from self._indexed_height()
        row, received_ns = yield from self._row(order)
        said = yield from self._told(order, row, received_ns)
        rests = any(update.report is Report.ACCEPTED and not update.venue_filled_amount for update in said)
        # The chain's state may hold it; the indexer, whose heights are counted here, does not show it yet then.
        if rests and (row is None or height < self._sure_from(order, row, height)):
            self._unmatched.setdefault(order.client_order_id, 0)
            return ()
        if said:
            self._unmatched.pop(order.client_order_id, None)
        return said

    def may_be_taken_off(self, order: InFlightOrder) -> bool:
        return order.client_order_id in self._unmatched and not order.facts.executed

    def _sure_from(self, order: InFlightOrder, row: OrderRow, height: int) -> int:
        """The height from which on a post-only order that rests has been matched. height: read before the row."""
        if row.created_at_height is not None:
            return count(row.created_at_height) + 1
        first = self._unmatched.get(order.client_order_id) or height
        self._unmatched[order.client_order_id] = first
        return first + SURE_BLOCKS

    # Changes

    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        self._tradable(order.trading_pair)
        self._use(order.nonce)
        if _is_matched_later(order):
            if len(self._unmatched) >= MAX_UNMATCHED:
                del self._unmatched[next(iter(self._unmatched))]
            self._unmatched[order.client_order_id] = 0
        reply = yield self._broadcast(self._placement(order))
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if said.code:
            kind = self._meaning(said)
            if kind is Meaning.NONCE:
                self.chain.note_refusal(order.client_order_id, order.attempt)
            raise refusals.error_of(said, kind)
        return _noted(order, reply.received_ns, f"a node has checked transaction {said.hash}")

    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        """With the order's own kind and end: one that ends earlier would be answered with code 0 and do nothing.

        Each attempt is a message of its own. Of a short-term order it reaches a block further than the last one: a node
        that has seen the very same bytes would not pass them on.
        """
        end = self._end_of(order)
        if end is None:
            raise OrderRefused(f"order {order.client_order_id} cannot be named: its kind and end are not known")
        last_block = end.good_til_block
        if last_block is not None:
            last_block = max(last_block, min(last_block + attempt - 1, self._block().height + self.chain.window))
        body = encode.cancel_order(self._owner(), end.ids, good_til_block=last_block, good_til_ts_ns=end.good_til_ts_ns)
        is_short_term = end.ids.order_flags == SHORT_TERM
        timeout_height = 0 if is_short_term else self._block().height + TIMEOUT_BLOCKS
        raw = self._sign(CANCEL_ORDER, body, self._sequence(nonce, is_short_term), timeout_height)
        self._use(nonce)
        reply = yield self._broadcast(raw)
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if not said.code:
            return _noted(order, reply.received_ns, f"a node has checked cancel {said.hash}")
        kind = self._meaning(said, cancels=True)
        if kind is Meaning.STANDS:
            return _noted(order, reply.received_ns, refusals.words(said))
        if kind in (Meaning.GONE, Meaning.NONCE):  # nothing came of this one; the next one, if it is needed, is another
            refused = _noted(order, reply.received_ns, refusals.words(said))
            return msgspec.structs.replace(refused, report=Report.CANCEL_REFUSED, attempt=attempt, venue_code=said.name)
        raise refusals.error_of(said, kind)

    def cancels_together(self, orders: Sequence[InFlightOrder]) -> list[list[InFlightOrder]]:
        """Short-term orders. Stateful cancels could share a transaction too, but one that is refused, because its order
        was just filled, would take the others with it.
        """
        found = []
        for order in orders:
            end = self._end_of(order)
            if end is not None and end.ids.order_flags == SHORT_TERM and end.good_til_block is not None:
                found.append(order)
        return [found[at : at + MAX_BATCH_CANCEL] for at in range(0, len(found), MAX_BATCH_CANCEL)]

    def cancel_together_flow(self, orders: Sequence[InFlightOrder]) -> Flow[None]:
        """The block until which the cancels hold is the last one of any of the orders. Code 0 is also the answer when
        not one of them was cancelled.
        """
        client_ids: dict[int, list[int]] = {}
        last_block = 0
        for end in filter(None, map(self._end_of, orders)):
            client_ids.setdefault(end.ids.clob_pair_id, []).append(end.ids.client_id)
            last_block = max(last_block, end.good_til_block or 0)
        body = encode.batch_cancel(self._owner(), client_ids, last_block)
        reply = yield self._broadcast(self._sign(BATCH_CANCEL, body, self._sequence(0, True), 0))
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if said.code and (kind := self._meaning(said, cancels=True)) is not Meaning.STANDS:
            raise refusals.error_of(said, kind)

    def fence_flow(self, order: InFlightOrder) -> Flow[FenceVerdict]:
        """Whether an attempt can land no more. Asks only: it ends by itself, in memory at its last block, else at its
        timeout height; one whose nonce was refused is over a few blocks later, unless something of it is found.
        """
        flags = encode.flags_of(order)
        limit = self._over_after(order)
        if flags == SHORT_TERM:
            return _pending("a short-term order ends with its last block")  # which order_status_flow looks for
        if limit is None:
            return FenceVerdict(burned=False, used=False, detail="when the attempt ends is not known")
        height = yield from self._height_past(limit)
        if height is None:
            return _pending(f"the attempt is over after block {limit}")
        if self.chain.account is None:  # another run has sent it
            for read in self.ready_to_sign_flows(0):
                yield from read()
        name = tx.tx_hash(self._placement(order))
        reply = yield self.web_utils.call(GET_TX, tx.get_tx_request(name))
        body = self.web_utils.found(reply)
        if body is not None:
            found = tx.get_tx_response(body)
            if not found.code:
                return _there(f"block {found.height} holds transaction {name}")
            detail = f"block {found.height} refused transaction {name}: {refusals.words(found)}"
            return FenceVerdict(burned=True, used=False, detail=detail)
        if (yield from self._in_state(order)):
            return _there("the chain's state holds the order")
        is_late = order.timeout_height is not None and height > order.timeout_height
        return FenceVerdict(
            burned=True,
            used=False,
            may_have_landed=True,  # the indexer's row is asked for as well
            detail=f"block {height} is past {limit}, and neither transaction {name} nor the order is there",
            evidence="timeout_height_passed" if is_late else "nonce_burned",
        )

    def leverage_flow(self, trading_pair: str, leverage: int, *, cross: bool, nonce: int) -> Flow[None]:
        """The market decides whether its margin is isolated, and so it cannot be chosen."""
        market = self._tradable(trading_pair)
        if cross is market.is_isolated:
            margin = "isolated" if market.is_isolated else "cross"
            raise OrderRefused(
                f"the margin of {market.trading_pair} is {margin} on {VENUE}", hint=f"use --margin {margin}"
            )
        body = encode.update_leverage(self._owner(), market.asset_id, leverage)
        self._use(nonce)
        reply = yield self._broadcast(self._sign(UPDATE_LEVERAGE, body, self._sequence(nonce, False), 0))
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if said.code:
            kind = self._meaning(said)
            raise refusals.error_of(said, kind)

    def unsigned_request(self, order: InFlightOrder) -> dict[str, Any]:
        from . import proto  # a protobuf runtime, for people only

        body = encode.place_order(order, self._tradable(order.trading_pair), self._owner())
        auth, is_short_term = self._signer(), encode.flags_of(order) == SHORT_TERM
        return {
            "method": "GRPC",
            "url": self._broadcast(b"").url,
            "body": {
                "messages": [proto.shown(PLACE_ORDER, body)],
                "timeout_height": 0 if is_short_term else order.timeout_height,
                "fee": {"amount": [], "gas_limit": GAS_LIMIT},
                "public_key": auth.public_key.hex(),
                "authenticator": self.chain.authenticator,
                "chain_id": auth.chain_id,
                "account_number": self._account().number,
                "sequence": self._sequence(order.nonce or 0, is_short_term),
            },
        }

    # Transactions

    def _placement(self, order: InFlightOrder) -> bytes:
        """The signed transaction of an order's latest attempt: the same bytes whenever they are made, also when its
        market is not traded any more.
        """
        if order.nonce is None:
            raise ValueError("an order is signed with its nonce set")
        body = encode.place_order(order, self._market(order.trading_pair), self._owner())
        is_short_term = encode.flags_of(order) == SHORT_TERM
        return self._sign(
            PLACE_ORDER, body, self._sequence(order.nonce, is_short_term), 0 if is_short_term else order.timeout_height
        )

    def _sign(self, type_url: str, body: bytes, sequence: int, timeout_height: int | None) -> bytes:
        auth = self._signer()
        return auth.sign(
            type_url,
            body,
            account_number=self._account().number,
            sequence=sequence,
            timeout_height=timeout_height or 0,
            authenticator=self.chain.authenticator if auth.is_permitted_key else None,
        )

    def _sequence(self, nonce: int, is_short_term: bool) -> int:
        """Of short-term messages the chain takes any; the last one known is what all clients send."""
        if is_short_term:
            return self._account().sequence
        return nonce

    def _use(self, nonce: int | None) -> None:
        """A sequence that a refusal named is used now; the next one follows it."""
        if nonce == self.chain.expected:
            self.chain.expected = None

    def _broadcast(self, raw: bytes) -> Any:
        return self.web_utils.call(BROADCAST_TX, tx.broadcast_request(raw), changes=True)

    def _meaning(self, said: tx.TxResponse, *, cancels: bool = False) -> Meaning:
        """Of a refusal, and what is learnt from it."""
        kind = refusals.meaning(said, cancels=cancels, account_number=self._account().number)
        self.chain.learn_window(said.raw_log)
        if kind is Meaning.NONCE and self.counts_sequences:
            self.chain.learn_sequence(said.raw_log)
        self.chain.stale()
        return kind

    def _over_after(self, order: InFlightOrder) -> int | None:
        """The block after which the order's latest attempt can land no more."""
        refusal = self.chain.refusal_of(order.client_order_id, order.attempt)
        return order.timeout_height if refusal is None else refusal.height + REFUSAL_BLOCKS

    # Asking

    def _indexed_height(self) -> Flow[int]:
        said: Height = yield from self._get(Height, "height")
        return count(said.height)

    # Small parts

    def _owner(self) -> bytes:
        """The subaccount, as messages name it."""
        return encode.subaccount(self._signer().owner, self.subaccount)

    def _tradable(self, trading_pair: str) -> DydxV4Market:
        market = self._market(trading_pair)
        if market.refusal is not None:
            raise OrderRefused(f"{market.trading_pair}: {market.refusal}")
        return market


def _is_matched_later(order: InFlightOrder) -> bool:
    """Whether a block takes the order before another one finds out whether it would meet somebody, and must not."""
    return order.post_only and encode.flags_of(order) == LONG_TERM


def _ended_by_us(order: InFlightOrder, update: OrderUpdate) -> OrderUpdate:
    """A row does not say why an order was removed. One that waited for its trigger, and would have been immediate then,
    looks as if it had met nobody, also when we cancelled it.
    """
    is_doubtful = update.report is Report.EXPIRED and order.order_type.has_trigger and not update.venue_filled_amount
    if not (is_doubtful and cancel_was_accepted(order)):
        return update
    return msgspec.structs.replace(update, report=Report.CANCELLED, reason="canceled")


def _noted(order: InFlightOrder, ts_ns: int, reason: str) -> OrderUpdate:
    """Something was said about an order that decides nothing."""
    return OrderUpdate(
        report=Report.NOTE,
        trading_pair=order.trading_pair,
        ts_ns=ts_ns,
        client_order_id=order.client_order_id,
        venue_client_id=order.venue_client_id or None,
        exchange_order_id=order.exchange_order_id,
        reason=reason,
    )


def _there(detail: str) -> FenceVerdict:
    return FenceVerdict(burned=False, used=False, is_there=True, detail=detail)


def _pending(detail: str) -> FenceVerdict:
    return FenceVerdict(burned=False, used=False, is_pending=True, detail=detail)
