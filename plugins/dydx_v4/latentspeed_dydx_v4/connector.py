"""DydxV4Perpetual: every conversation that changes something, as flows. No await, no socket, no clock.

A transaction is signed for an account number, an order for a block or a time at which it ends: both are read first
(chain_state.py). What the node answers is its opinion; blocks decide, and order_status_flow reads them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from latentspeed_cli.connector.parts import Parts
from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.connector.venue import FenceVerdict
from latentspeed_cli.core.drafts import CountedNonces
from latentspeed_cli.core.flow import Flow
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.reports import OrderUpdate, Report
from latentspeed_cli.core.types import OrderType, TimeInForce
from latentspeed_cli.errors import CredentialError, GuardRefused, OrderRefused, ProtocolError

from . import chain_state, encode, identifiers, node, refusals, tx
from .auth import DydxV4Auth
from .chain_state import Account, Block, ChainState
from .config import DydxV4Config
from .constants import (
    ACCOUNT,
    BROADCAST_TX,
    CANCEL_ORDER,
    GAS_LIMIT,
    GET_TX,
    GTC_S,
    PLACE_ORDER,
    SHORT_TERM,
    SHORT_TERM_BLOCKS,
    SHORT_TERM_EXPIRE_S,
    STATEFUL_WINDOW_S,
    TIMEOUT_BLOCKS,
    UPDATE_LEVERAGE,
    VENUE,
)
from .markets import DydxV4Market
from .payloads import Trade, Trades
from .reads import DydxV4Reads
from .refusals import Meaning
from .wire import count, each, kept, shape, time_ns

NS_PER_S = 1_000_000_000
# A refused attempt is looked for until this many blocks after the refusal: accepted elsewhere, it would be in one.
REFUSAL_BLOCKS = 3
MAX_KNOWN_ENDS = 1_000
PACE_TRADES = 100


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Kind, number and end of an order, as the venue's row tells of one that we did not place."""

    ids: encode.OrderId
    good_til_block: int | None
    good_til_ts_ns: int | None


class DydxV4Perpetual(DydxV4Reads, PerpetualDerivativeBase):
    """Perpetual markets of the dYdX chain, for one subaccount.

    Reads need an address, never a key. Changes are signed by `auth`, each in a transaction of its own.
    """

    auth: DydxV4Auth | None

    def __init__(self, parts: Parts, config: DydxV4Config) -> None:
        super().__init__(parts)
        self.subaccount = config.subaccount
        self.authenticator = config.authenticator
        self.chain = ChainState()
        self._counts_sequences = config.nonces == "sequence"
        self._ends: dict[str, End] = {}

    # Ids and rules

    def venue_client_id(self, client_order_id: str, *, network: str, account: str) -> str:
        return identifiers.venue_client_id(*encode.client_numbers(client_order_id, network=network, account=account))

    def with_another_id(self, order: InFlightOrder, probe: int) -> InFlightOrder | None:
        numbers = encode.client_numbers(
            order.client_order_id, network=order.network, account=order.account, probe=probe
        )
        order = msgspec.structs.replace(order, venue_client_id=identifiers.venue_client_id(*numbers))
        return self._named(order)

    def check_supported(self, intent: OrderIntent) -> None:
        if intent.tif is TimeInForce.FOK:
            raise OrderRefused(f"{VENUE} has no fill-or-kill orders any more", hint="use ioc")
        is_immediate = intent.tif is TimeInForce.IOC or not intent.order_type.has_limit
        if intent.reduce_only and not is_immediate:
            raise OrderRefused(f"on {VENUE} only immediate orders can be reduce-only", hint="use ioc, or --type market")
        if intent.post_only and is_immediate:
            raise OrderRefused("a post-only order rests; it cannot be immediate")
        if intent.tif is TimeInForce.GTD and intent.expire_s is None:
            raise OrderRefused("a gtd order needs to be told when it ends", hint="say --expire")
        if intent.expire_s is not None:
            if intent.order_type is OrderType.MARKET or intent.tif is TimeInForce.IOC:
                raise OrderRefused("an immediate order ends at once; it takes no expiry")
            if intent.expire_s >= STATEFUL_WINDOW_S:
                raise OrderRefused(f"{VENUE} orders end within 95 days")

    # Before something is signed

    def can_sign(self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None) -> bool:
        chain = self.chain
        return (
            chain.is_fresh(now_ns)
            and (chain.authenticator is not None or not self._signer().is_permitted_key)
            and (order is None or self._end_of(order) is not None)
            and (intent is None or not _is_brief(intent) or chain.block_ns is not None)
        )

    def ready_to_sign_flow(
        self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None
    ) -> Flow[None]:
        """Account number, sequence and height from a node; for an order of others, its kind and end from its row."""
        auth = self._signer()
        if auth.is_permitted_key and self.chain.authenticator is None:
            self.chain.authenticator = yield from self.authenticator_flow(auth)
        account = self.chain.account
        if account is None or self._counts_sequences:
            account = yield from self._read_account(auth.owner)
        block = yield from self._read_block()
        self.chain.learn(account=account, block=block, now_ns=now_ns)
        if intent is not None and _is_brief(intent) and self.chain.block_ns is None:
            self.chain.block_ns = yield from self._measure_blocks(intent.trading_pair, block)
        if order is not None and self._end_of(order) is None:
            yield from self._learn_end(order)

    def prepared(self, order: InFlightOrder, intent: OrderIntent) -> InFlightOrder:
        """Immediate orders and brief ones live in the nodes' memory until a block, all others in the chain's state
        until a time. Without an expiry that is 28 days from now.
        """
        block = self._block()
        if not order.order_type.has_trigger and order.is_ioc:
            order = msgspec.structs.replace(order, good_til_block=block.height + SHORT_TERM_BLOCKS)
        elif not order.order_type.has_trigger and _is_brief(intent):
            order = msgspec.structs.replace(order, good_til_block=block.height + self._blocks_in(intent.expire_s or 0))
        else:
            seconds = block.time_ns // NS_PER_S + (intent.expire_s or GTC_S)
            order = msgspec.structs.replace(
                order, good_til_ts_ns=seconds * NS_PER_S, timeout_height=block.height + TIMEOUT_BLOCKS
            )
        return self._named(order)

    def sequence_for(self, order: InFlightOrder | None) -> CountedNonces | None:
        """None for a timestamp, and for short-term messages, of which the chain counts none."""
        if not self._counts_sequences:
            return None
        end = None if order is None else self._end_of(order)
        if end is not None and end.ids.order_flags == SHORT_TERM:
            return None
        expected = self.chain.expected
        return CountedNonces(
            scope=f"{self._signer().owner} sequence",
            next=self._account().sequence if expected is None else expected,
            is_exact=expected is not None,
        )

    def _named(self, order: InFlightOrder) -> InFlightOrder:
        """With the id that the indexer will give it."""
        ids = encode.id_of(order, self._market(order.trading_pair))
        subaccount = identifiers.subaccount_id(self._address(), self.subaccount)
        name = identifiers.order_id(subaccount, ids.client_id, ids.clob_pair_id, ids.order_flags)
        return msgspec.structs.replace(order, exchange_order_id=name)

    def _blocks_in(self, seconds: int) -> int:
        """So many blocks that an order ends before they last longer, by the measured pace; at most the window."""
        pace_ns = self.chain.block_ns
        if pace_ns is None:
            raise GuardRefused("how fast blocks follow each other is not known", hint="use an expiry above 20 s")
        blocks = seconds * NS_PER_S // pace_ns
        if blocks < 1:
            raise OrderRefused(f"{seconds} s is less than a block on {VENUE}: {pace_ns / NS_PER_S:.2f} s")
        return min(blocks, self.chain.window)

    # Changes

    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        reply = yield self._broadcast(self._placement(order))
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if said.code:
            kind = refusals.meaning(said, cancels=False)
            self._learn_refusal(said, kind)
            if kind is Meaning.NONCE:
                self.chain.note_refusal(order.client_order_id, order.attempt)
            raise refusals.error_of(said, kind)
        return _noted(order, reply.received_ns, f"a node has checked transaction {said.hash}")

    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        """With the order's own kind and end: one that ends earlier would be answered with code 0 and do nothing."""
        end = self._end_of(order)
        if end is None:
            raise OrderRefused(f"order {order.client_order_id} cannot be named: its kind and end are not known")
        body = encode.cancel_order(
            self._owner(), end.ids, good_til_block=end.good_til_block, good_til_ts_ns=end.good_til_ts_ns
        )
        is_short_term = end.ids.order_flags == SHORT_TERM
        timeout_height = 0 if is_short_term else self._block().height + TIMEOUT_BLOCKS
        raw = self._sign(CANCEL_ORDER, body, self._sequence(nonce, is_short_term), timeout_height)
        reply = yield self._broadcast(raw)
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if not said.code:
            return _noted(order, reply.received_ns, f"a node has checked cancel {said.hash}")
        kind = refusals.meaning(said, cancels=True)
        self._learn_refusal(said, kind)
        if kind is Meaning.STANDS:
            return _noted(order, reply.received_ns, refusals.words(said))
        if kind in (Meaning.GONE, Meaning.NONCE):  # nothing came of this one; the next one, if it is needed, is another
            refused = _noted(order, reply.received_ns, refusals.words(said))
            return msgspec.structs.replace(refused, report=Report.CANCEL_REFUSED, attempt=attempt, venue_code=said.name)
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
            yield from self.ready_to_sign_flow(0)
        name = tx.tx_hash(self._placement(order))
        reply = yield self.web_utils.call(GET_TX, tx.get_tx_request(name))
        body = self.web_utils.found(reply)
        if body is not None:
            found = tx.get_tx_response(body)
            if not found.code:
                return FenceVerdict(burned=False, used=True, detail=f"block {found.height} holds transaction {name}")
            detail = f"block {found.height} refused transaction {name}: {refusals.words(found)}"
            return FenceVerdict(burned=True, used=True, detail=detail)
        if (yield from self._in_state(order)):
            return FenceVerdict(burned=False, used=True, detail="the chain's state holds the order")
        is_late = order.timeout_height is not None and height > order.timeout_height
        return FenceVerdict(
            burned=True,
            used=False,
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
        reply = yield self._broadcast(self._sign(UPDATE_LEVERAGE, body, self._sequence(nonce, False), 0))
        said = tx.broadcast_response(self.web_utils.check(reply, changes=True))
        if said.code:
            kind = refusals.meaning(said, cancels=False)
            self._learn_refusal(said, kind)
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
        """The signed transaction of an order's latest attempt: the same bytes whenever they are made."""
        if order.nonce is None:
            raise ValueError("an order is signed with its nonce set")
        body = encode.place_order(order, self._tradable(order.trading_pair), self._owner())
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
        if nonce == self.chain.expected:
            self.chain.expected = None  # it is used now; the next one follows it
        return nonce

    def _broadcast(self, raw: bytes) -> Any:
        return self.web_utils.call(BROADCAST_TX, tx.broadcast_request(raw), changes=True)

    def _learn_refusal(self, said: tx.TxResponse, kind: Meaning) -> None:
        self.chain.learn_window(said.raw_log)
        if kind is Meaning.NONCE and self._counts_sequences:
            self.chain.learn_sequence(said.raw_log)
        self.chain.stale()

    def _over_after(self, order: InFlightOrder) -> int | None:
        """The block after which the order's latest attempt can land no more."""
        refusal = self.chain.refusal_of(order.client_order_id, order.attempt)
        return order.timeout_height if refusal is None else refusal.height + REFUSAL_BLOCKS

    # Asking

    def _read_account(self, owner: str) -> Flow[Account]:
        reply = yield self.web_utils.call(ACCOUNT, chain_state.account_query(owner))
        return chain_state.account(self.web_utils.found(reply), owner)

    def _read_block(self) -> Flow[Block]:
        reply = yield self.web_utils.call(node.LATEST_BLOCK, b"")
        return chain_state.block(self.web_utils.check(reply, changes=False))

    def _measure_blocks(self, trading_pair: str, block: Block) -> Flow[int | None]:
        """Nanoseconds a block, since the oldest of the market's latest trades; None when there is none to go by."""
        symbol = self._market(trading_pair).symbol
        said: Trades = yield from self._get(Trades, "trades", "perpetualMarket", symbol, limit=PACE_TRADES)
        for trade in reversed(kept(each(said.trades, lambda raw: shape(raw, Trade)))):
            height = 0 if trade.created_at_height is None else count(trade.created_at_height)
            if 0 < height < block.height and (span_ns := block.time_ns - time_ns(trade.created_at)) > 0:
                return -(-span_ns // (block.height - height))
        return None

    def _learn_end(self, order: InFlightOrder) -> Flow[None]:
        """Kind and end of an order of another program, from its row."""
        row, _ = yield from self._row(order)
        if row is None or row.clob_pair_id is None:
            raise ProtocolError(f"the venue has no row of order {order.exchange_order_id}, so it cannot be named")
        if len(self._ends) >= MAX_KNOWN_ENDS:
            del self._ends[next(iter(self._ends))]
        self._ends[row.id] = End(
            ids=encode.OrderId(
                client_id=count(row.client_id),
                order_flags=count(row.order_flags),
                clob_pair_id=count(row.clob_pair_id),
            ),
            good_til_block=None if row.good_til_block is None else count(row.good_til_block),
            good_til_ts_ns=None if row.good_til_block_time is None else time_ns(row.good_til_block_time),
        )

    # Small parts

    def _end_of(self, order: InFlightOrder) -> End | None:
        """What a cancel needs: known of our own orders, read for others."""
        if encode.flags_of(order) is None or order.is_external:
            return self._ends.get(order.exchange_order_id or "")
        return End(
            ids=encode.id_of(order, self._market(order.trading_pair)),
            good_til_block=order.good_til_block,
            good_til_ts_ns=order.good_til_ts_ns,
        )

    def _owner(self) -> bytes:
        """The subaccount, as messages name it."""
        return encode.subaccount(self._signer().owner, self.subaccount)

    def _account(self) -> Account:
        if self.chain.account is None:
            raise ValueError("the account is read before something is signed")
        return self.chain.account

    def _block(self) -> Block:
        if self.chain.block is None:
            raise ValueError("the height is read before something is signed")
        return self.chain.block

    def _tradable(self, trading_pair: str) -> DydxV4Market:
        market = self._market(trading_pair)
        if market.refusal is not None:
            raise OrderRefused(f"{market.trading_pair}: {market.refusal}")
        return market

    def _signer(self) -> DydxV4Auth:
        if self.auth is None:
            raise CredentialError(
                "this needs a key, and none is configured",
                hint="set LATENTSPEED_DYDX_V4_KEY or LATENTSPEED_DYDX_V4_MNEMONIC",
            )
        return self.auth


def _is_brief(intent: OrderIntent) -> bool:
    """Whether an expiry is so near that the order is short-term."""
    return intent.expire_s is not None and intent.expire_s <= SHORT_TERM_EXPIRE_S and not intent.order_type.has_trigger


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


def _pending(detail: str) -> FenceVerdict:
    return FenceVerdict(burned=False, used=False, is_pending=True, detail=detail)
