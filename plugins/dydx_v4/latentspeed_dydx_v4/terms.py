"""DydxV4Terms: what has to be known and fixed before something is signed. Account, height, an order's kind and its end.

An order is signed for a block or a time at which it ends, a transaction for an account number and a sequence or a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from latentspeed_cli.connector.answers import each, kept, shape
from latentspeed_cli.core.drafts import CountedNonces
from latentspeed_cli.core.flow import Flow
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.pricing import MAX_CLOCK_SKEW_S
from latentspeed_cli.core.types import OrderType, TimeInForce
from latentspeed_cli.errors import CredentialError, GuardRefused, OrderRefused, ProtocolError

from . import chain_state, encode, identifiers, node
from .chain_state import Account, Block, ChainState
from .constants import (
    ACCOUNT,
    GTC_S,
    SHORT_TERM,
    SHORT_TERM_BLOCKS,
    SHORT_TERM_EXPIRE_S,
    STATEFUL_WINDOW_S,
    TIMEOUT_BLOCKS,
    VENUE,
)
from .payloads import HistoricalFunding, Trade, Trades
from .reads import DydxV4Reads
from .wire import NS_PER_MS, count, count_32, time_ns

if TYPE_CHECKING:
    from .auth import DydxV4Auth

NS_PER_S = 1_000_000_000
MAX_KNOWN_ENDS = 1_000
PACE_TRADES, PACE_BLOCKS = 100, 5
FASTEST_BLOCK_NS = NS_PER_S // 4
SLOW_BLOCK_S, INDEXER_BLOCKS = 1.0, 3  # and how far the indexer may be behind
MAX_BLOCK_NS = 5 * NS_PER_S  # slower than this, the chain stood still in between


class End(msgspec.Struct, frozen=True, kw_only=True):
    """Kind, number and end of an order, as the venue's row tells of one that we did not place."""

    ids: encode.OrderId
    good_til_block: int | None
    good_til_ts_ns: int | None


class DydxV4Terms(DydxV4Reads):
    """chain: what is known of it. ends: of orders that others placed, by the venue's id."""

    chain: ChainState
    counts_sequences: bool
    ends: dict[str, End]

    # Ids and rules

    def venue_client_id(self, client_order_id: str, *, network: str, account: str) -> str:
        return identifiers.venue_client_id(*encode.client_numbers(client_order_id, network=network, account=account))

    def with_another_id(self, order: InFlightOrder, probe: int) -> InFlightOrder | None:
        numbers = encode.client_numbers(
            order.client_order_id, network=order.network, account=order.account, probe=probe
        )
        order = msgspec.structs.replace(order, venue_client_id=identifiers.venue_client_id(*numbers))
        return self._named(order)

    def _named(self, order: InFlightOrder) -> InFlightOrder:
        """With the id that the indexer will give it."""
        ids = encode.id_of(order, self._market(order.trading_pair))
        subaccount = identifiers.subaccount_id(self._address(), self.subaccount)
        name = identifiers.order_id(subaccount, ids.client_id, ids.clob_pair_id, ids.order_flags)
        return msgspec.structs.replace(order, exchange_order_id=name)

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
            chain.knows_account(now_ns, counts_sequences=self.counts_sequences)
            and chain.knows_block(now_ns)
            and (chain.authenticator is not None or not self._signer().is_permitted_key)
            and (order is None or self._end_of(order) is not None)
            and self._knows_pace(intent)
        )

    def ready_to_sign_flows(
        self, now_ns: int, *, order: InFlightOrder | None = None, intent: OrderIntent | None = None
    ) -> Sequence[Callable[[], Flow[None]]]:
        """Account number, sequence and height from a node; for an order of others, its kind and end from its row."""
        auth = self._signer()
        reads: list[Callable[[], Flow[None]]] = []
        if auth.is_permitted_key and self.chain.authenticator is None:
            reads.append(partial(self._learn_authenticator, auth))
        if not self.chain.knows_account(now_ns, counts_sequences=self.counts_sequences):
            reads.append(partial(self._learn_account, auth.owner, now_ns))
        if not (self.chain.knows_block(now_ns) and self._knows_pace(intent)):
            reads.append(partial(self._learn_block, intent, now_ns))
        if order is not None and self._end_of(order) is None:
            reads.append(partial(self._learn_end, order))
        return reads

    def prepared(self, order: InFlightOrder, intent: OrderIntent) -> InFlightOrder:
        """Immediate orders and brief ones live in the nodes' memory until a block, all others in the chain's state
        until a time. Without an expiry that is 28 days from now. How many blocks a brief one has needs their pace.

        Raises GuardRefused when our clock and the chain's differ.
        """
        block = self._block()
        self._check_clock()
        if not order.order_type.has_trigger and order.is_ioc:
            order = msgspec.structs.replace(order, good_til_block=block.height + SHORT_TERM_BLOCKS)
        elif _is_brief(intent) and (blocks := self._blocks_in(intent.expire_s or 0)):
            order = msgspec.structs.replace(order, good_til_block=block.height + blocks)
        else:
            seconds = block.time_ns // NS_PER_S + (intent.expire_s or GTC_S)
            order = msgspec.structs.replace(
                order, good_til_ts_ns=seconds * NS_PER_S, timeout_height=block.height + TIMEOUT_BLOCKS
            )
        return self._named(order)

    def _blocks_in(self, seconds: int) -> int:
        """The most blocks that last no longer, by the measured pace, within the window; 0 when it is not known."""
        pace_ns = self.chain.block_ns
        return min(seconds * NS_PER_S // pace_ns, self.chain.window) if pace_ns else 0

    def is_ahead(self, block: int, now_ns: int) -> bool:
        """By the last block that was read: an order just sent is asked for often, and no height tells more of it."""
        known, passed_ns = self.chain.block, now_ns - self.chain.block_read_ns
        return known is not None and passed_ns >= 0 and block > known.height + passed_ns // FASTEST_BLOCK_NS

    def ends_within_s(self, order: InFlightOrder, now_ns: int) -> float:
        """One node's word that a short-term order was cancelled proves nothing; that its last block has passed does.

        By the slowest pace that blocks have when nothing is wrong: whoever waits stops when it is proved.
        """
        end, block = self._end_of(order), self.chain.block
        if end is None or end.good_til_block is None or block is None:
            return 0.0
        since_s = (now_ns - self.chain.block_read_ns) / NS_PER_S
        return max((end.good_til_block - block.height + INDEXER_BLOCKS) * SLOW_BLOCK_S - max(since_s, 0.0), 0.0)

    def sequence_for(self, order: InFlightOrder | None) -> CountedNonces | None:
        """None for a timestamp, and for short-term messages, of which the chain counts none.

        Where our clock is off, a timestamp is the chain's: one of ours would be refused, and so would all that follow,
        for as long as the clock was ahead.
        """
        if not self.counts_sequences:
            block = self.chain.block
            if block is None or self._is_clock_right():
                return None
            return CountedNonces(scope=self._signer().signer, next=block.time_ns // NS_PER_MS)
        end = None if order is None else self._end_of(order)
        if end is not None and end.ids.order_flags == SHORT_TERM:
            return None
        expected = self.chain.expected
        return CountedNonces(
            scope=f"{self._signer().owner} sequence",
            next=self._account().sequence if expected is None else expected,
            is_exact=expected is not None,
        )

    # Asking

    def _learn_authenticator(self, auth: DydxV4Auth) -> Flow[None]:
        self.chain.authenticator = yield from self.authenticator_flow(auth)

    def _learn_account(self, owner: str, now_ns: int) -> Flow[None]:
        reply = yield self.web_utils.call(ACCOUNT, chain_state.account_query(owner))
        self.chain.learn_account(chain_state.account(self.web_utils.found(reply), owner), now_ns)

    def _learn_block(self, intent: OrderIntent | None, now_ns: int) -> Flow[None]:
        """The height, and for a brief order how long a block takes."""
        reply = yield self.web_utils.call(node.LATEST_BLOCK, b"")
        block = chain_state.block(self.web_utils.check(reply, changes=False))
        self.chain.learn_block(block, now_ns)
        if intent is not None and not self._knows_pace(intent):
            self.chain.block_ns = yield from self._measure_blocks(intent.trading_pair, block)

    def _measure_blocks(self, trading_pair: str, block: Block) -> Flow[int]:
        """Nanoseconds a block, rounded up: since one of the market's latest trades, else since a settled funding.

        0 when there is nothing to go by, or blocks did not follow each other as they do.
        """
        symbol = self._market(trading_pair).symbol
        said: Trades = yield from self._get(Trades, "trades", "perpetualMarket", symbol, limit=PACE_TRADES)
        trades = kept(each(said.trades, lambda raw: shape(raw, Trade)))
        moments = [(trade.created_at, trade.created_at_height or 0) for trade in trades]
        settled: HistoricalFunding = yield from self._get(HistoricalFunding, "historicalFunding", symbol, limit=2)
        moments += [(row.effective_at, row.effective_at_height) for row in settled.historical_funding]
        for at, height in moments:  # the latest first
            blocks, span_ns = block.height - count(height), block.time_ns - time_ns(at)
            if PACE_BLOCKS <= blocks < block.height and 0 < span_ns <= blocks * MAX_BLOCK_NS:
                return -(-span_ns // blocks)
        return 0

    def _learn_end(self, order: InFlightOrder) -> Flow[None]:
        """Kind and end of an order of another program, from its row."""
        row, _ = yield from self._row(order)
        if row is None or row.clob_pair_id is None:
            raise ProtocolError(f"the venue has no row of order {order.exchange_order_id}, so it cannot be named")
        if len(self.ends) >= MAX_KNOWN_ENDS:
            del self.ends[next(iter(self.ends))]
        self.ends[row.id] = End(
            ids=encode.OrderId(
                client_id=count_32(row.client_id),
                order_flags=count_32(row.order_flags),
                clob_pair_id=count_32(row.clob_pair_id),
            ),
            good_til_block=None if row.good_til_block is None else count_32(row.good_til_block),
            good_til_ts_ns=None if row.good_til_block_time is None else time_ns(row.good_til_block_time),
        )

    # Small parts

    def _check_clock(self) -> None:
        """The indexer's books bear no time, blocks do: none is of the future, and the last is seconds old at most."""
        if not self._is_clock_right():
            age_ns = self.chain.block_age_ns
            raise GuardRefused(
                f"the clock of this machine and the chain's last block differ by {age_ns / NS_PER_S:.1f} s",
                hint="set the clock; if it is right, the chain stands still or the node is behind",
            )

    def _is_clock_right(self) -> bool:
        return -MAX_CLOCK_SKEW_S * NS_PER_S <= self.chain.block_age_ns <= MAX_CLOCK_SKEW_S * NS_PER_S + MAX_BLOCK_NS

    def _knows_pace(self, intent: OrderIntent | None) -> bool:
        return self.chain.block_ns is not None or intent is None or not _is_brief(intent)

    def _end_of(self, order: InFlightOrder) -> End | None:
        """What a cancel needs: known of our own orders, read for others."""
        if encode.flags_of(order) is None or order.is_external:
            return self.ends.get(order.exchange_order_id or "")
        return End(
            ids=encode.id_of(order, self._market(order.trading_pair)),
            good_til_block=order.good_til_block,
            good_til_ts_ns=order.good_til_ts_ns,
        )

    def _account(self) -> Account:
        if self.chain.account is None:
            raise ValueError("the account is read before something is signed")
        return self.chain.account

    def _block(self) -> Block:
        if self.chain.block is None:
            raise ValueError("the height is read before something is signed")
        return self.chain.block

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
