"""The node: what it does with a transaction on arrival (CheckTx), and how blocks come about (sections 3.1, 11.1)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import msgspec

from . import ledger, limits, shortterm, signing, stateful, timers, transfers, tx, validate
from .numbers import NS_PER_MS
from .refusals import Refused, sdk
from .state import IOC, Account, Block, Holdings, Match, Order, Subaccount, TxResult, Waiting
from .tx import Tx
from .tx_messages import MsgBatchCancel, MsgCancelOrder, MsgPlaceOrder, MsgUpdateLeverage

if TYPE_CHECKING:
    from .market import Trade
    from .world import World

SEEN = 10_000
MAX_TX_BYTES = 1_048_576


class Answer(msgspec.Struct, frozen=True):
    """What BroadcastTx says of a transaction."""

    hash: str
    code: int = 0
    codespace: str = ""
    raw_log: str = "[]"


class Committed(msgspec.Struct, frozen=True):
    """A block as market data feeds see it: its public trades by pair."""

    height: int
    time_ns: int
    trades: dict[int, list[Trade]]


class Chain:
    """One node that is also the only proposer.

    hold_blocks: stateful transactions stay in the mempool for that many blocks more. forced: answers of the control
    API for the next broadcasts. unready: how many of the next transactions meet a node that was just restarted.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.rates = limits.RateLimits(world.scenario.limits_factor)
        self.halted = False
        self.hold_blocks = 0
        self.forced: list[Refused] = []
        self.at_height_zero = 0
        self._seen: dict[str, None] = {}

    # ---- the mempool -----------------------------------------------------------------------------

    def broadcast(self, raw: bytes) -> Answer:
        """A transaction arrives. Never raises."""
        name = tx.hash_of(raw)
        try:
            if len(raw) > MAX_TX_BYTES:
                raise sdk(21)
            if name in self._seen:
                raise sdk(19)
            if self.forced:
                raise self.forced.pop(0)
            self._check(tx.read(raw))
        except Refused as refused:
            return Answer(name, refused.code, refused.codespace, refused.raw_log)
        self._seen[name] = None
        if len(self._seen) > SEEN:
            del self._seen[next(iter(self._seen))]
        return Answer(name)

    def _check(self, given: Tx) -> None:
        """CheckTx. Raises Refused; a refused transaction leaves no trace but in the rate limits."""
        world = self.world
        tx.check_envelope(given, world.next_height)
        signers = given.signers
        if not given.is_short_term:
            for place, address in enumerate(signers):
                signing.check_replay(world, signing.account_of(world, address), given.signer_infos[place])
        zero = self.at_height_zero > 0
        self.at_height_zero -= zero
        signing.check_signatures(world, given, at_height_zero=zero)
        tx.check_alone(given)
        self._count(given, signers[0])
        tx.check_mix(given)
        first = given.messages[0]
        if given.is_short_term:
            self._short_term(first)
            return
        account = world.accounts[signers[0]]
        if not given.is_clob:
            transfers.charge(world, given, account)
        self._stateful(given)
        signing.use_up(world, account, given.sequence)
        world.counters.waiting += 1
        world.enqueue(
            Waiting(
                number=world.counters.waiting,
                raw=given.raw,
                signer=account.address,
                deadline=given.body.timeout_height,
                uses_sequence=given.sequence < tx.NONCE_FLOOR,
            )
        )

    def _count(self, given: Tx, owner: str) -> None:
        """The block rate limits. Short-term messages out of their window are refused here already."""
        world = self.world
        kind = tx.messages_of(given)
        first = given.messages[0]
        if kind == "short_term":
            window = first.order.good_til_block if isinstance(first, MsgPlaceOrder) and first.order else None
            if isinstance(first, MsgCancelOrder | MsgBatchCancel):
                window = first.good_til_block
            validate.window(world, window or 0)
            self.rates.short_term.count(owner, world.next_height, 2 if isinstance(first, MsgBatchCancel) else 1)
        else:
            for message in given.messages:
                if isinstance(message, MsgPlaceOrder):
                    self.rates.stateful.count(owner, world.next_height)
                elif isinstance(message, MsgUpdateLeverage):
                    self.rates.leverage.count(owner, world.next_height)

    def _short_term(self, message: object) -> None:
        if isinstance(message, MsgPlaceOrder):
            shortterm.place(self.world, validate.order_of(message))
        elif isinstance(message, MsgCancelOrder):
            shortterm.cancel(self.world, message)
        elif isinstance(message, MsgBatchCancel):
            shortterm.batch_cancel(self.world, message)

    def _stateful(self, given: Tx) -> None:
        """Check every stateful message; what the first ones reserved is given back when a later one is refused."""
        world = self.world
        placed: list[str] = []
        cancelled: list[str] = []
        try:
            for message in given.messages:
                if isinstance(message, MsgPlaceOrder):
                    order = validate.order_of(message)
                    stateful.check_place(world, order)
                    placed.append(order.key)
                elif isinstance(message, MsgCancelOrder):
                    stateful.check_cancel(world, message)
                    cancelled.append(stateful.key_of(message))
                elif isinstance(message, MsgUpdateLeverage):
                    transfers.check_leverage(world, message)
        except Refused:
            self._give_back(placed, cancelled)
            raise

    def _give_back(self, placed: list[str], cancelled: list[str]) -> None:
        for key in placed:
            self.world.drop("uncommitted", key)
        for key in cancelled:
            self.world.stateful_cancel(key, None)

    def evict(self, waiting: Waiting) -> None:
        """A transaction leaves the mempool without a block; later sequences of its signer cannot follow either."""
        world = self.world
        given = tx.read(waiting.raw)
        self._give_back(
            [validate.order_of(m).key for m in given.messages if isinstance(m, MsgPlaceOrder)],
            [stateful.key_of(m) for m in given.messages if isinstance(m, MsgCancelOrder)],
        )
        world.dequeue(waiting)
        if waiting.uses_sequence:
            account = world.accounts[waiting.signer]
            account.check_sequence = given.sequence
            world.touch_account(account)
            for later in [w for w in world.mempool if w.signer == waiting.signer and w.uses_sequence]:
                if tx.read(later.raw).sequence > given.sequence:
                    self.evict(later)

    def simulate(self, raw: bytes) -> int:
        """Gas a transaction would use. Raises Refused; signature and clob checks are left out."""
        given = tx.read(raw)
        if not given.messages:
            raise sdk(18, "must contain at least one message")
        for message in given.messages:
            validate.basic(message)
        for place, address in enumerate(given.signers):
            account = signing.account_of(self.world, address)
            if not given.is_short_term and place < len(given.signer_infos):
                signing.check_replay(self.world, account, given.signer_infos[place])
        return transfers.gas_of(given)

    # ---- blocks ----------------------------------------------------------------------------------

    def commit(self, time_ns: int, skipped: int = 0) -> Committed:
        """Make the next block, `skipped` heights later than usual (time that nobody saw go by)."""
        world = self.world
        counters = world.counters
        counters.height += skipped
        height = counters.height + 1
        world.items = []
        removed: set[str] = set()
        told_ns = time_ns // NS_PER_MS * NS_PER_MS  # the indexer keeps milliseconds
        trades = self._trades(height, told_ns)
        fills = self._apply_matches(removed, trades)
        if not self.hold_blocks:
            self._deliver_all(height, time_ns, removed)
        else:
            self.hold_blocks -= 1
        for waiting in [w for w in world.mempool if w.deadline and w.deadline <= height]:
            self.evict(waiting)
        traded = {pair: [trade.price for trade in made] for pair, made in trades.items()}
        counters.height, counters.block_time_ns = height, time_ns
        world.new_oracles()
        stateful.expire(world, time_ns // 1_000_000_000, removed)
        stateful.trigger(world, traded)
        timers.run(world)
        world.items += [_holdings(world, key) for key in world.commit_subaccounts()]
        world.items += shortterm.expire(world)
        for pair, made in trades.items():
            world.markets[pair].print_trades(made)
        if world.items:
            world.tell(Block(height, told_ns, world.digest("operations", height), [*fills, *world.items]))
            world.touch("counters", "0", counters)
        elif height % 32 < skipped + 1:
            world.touch("counters", "0", counters)
        world.items = []
        stateful.match_new(world)
        timers.liquidate(world)
        return Committed(height, told_ns, trades)

    def _trades(self, height: int, time_ns: int) -> dict[int, list[Trade]]:
        """Number the public trades of the block. Matches of users keep their number in the match itself."""
        from .market import Trade

        made: dict[int, list[Trade]] = {}
        number = 2
        for pair, market in self.world.markets.items():
            if not market.fresh:
                continue
            fresh, market.fresh = market.fresh, []
            made[pair] = []
            for item in fresh:
                made[pair].append(Trade(item.is_buy, item.price, item.size, height, number, time_ns, item.kind))
                number += 3
        return made

    def _apply_matches(self, removed: set[str], trades: dict[int, list[Trade]]) -> list[Match]:
        """The proposer's operations: the matches of this node, then removals of stateful orders."""
        world = self.world
        matches, removals = world.clear_proposal()
        numbered = []
        numbers = {pair: list(made) for pair, made in trades.items()}
        for match in matches:
            numbered.append(msgspec.structs.replace(match, number=_number_of(match, numbers)))
            for side in (match.taker, match.maker):
                order = world.stateful.get(side.order.key) if side else None
                if side is not None and order is not None:
                    order.committed_filled = side.filled
                    world.touch_order(order)
                    if not order.left and order.committed_filled == order.quantums:
                        stateful.remove(world, order, stateful.FULLY_FILLED, removed)
        for removal in removals:
            order = world.stateful.get(removal.order.key)
            if order is not None:
                stateful.remove(world, order, removal.reason, removed)
        return numbered

    def _deliver_all(self, height: int, time_ns: int, removed: set[str]) -> None:
        world = self.world
        for index, waiting in enumerate(list(world.mempool), start=1):
            if waiting.deadline and waiting.deadline < height:
                continue
            world.dequeue(waiting)
            given = tx.read(waiting.raw)
            account = world.accounts[waiting.signer]
            if waiting.uses_sequence:
                account.sequence += 1
            account.public_key = account.public_key or _own_key(given)
            world.touch_account(account)
            code, codespace, raw_log = self._deliver(given, index, removed)
            world.keep_tx(
                TxResult(
                    hash=given.hash,
                    height=height,
                    index=index,
                    time_ns=time_ns,
                    code=code,
                    codespace=codespace,
                    raw_log=raw_log,
                    raw=waiting.raw,
                    gas_wanted=given.fee.gas_limit if given.fee else 0,
                    gas_used=0 if given.is_clob else transfers.gas_of(given),
                )
            )

    def _deliver(self, given: Tx, index: int, removed: set[str]) -> tuple[int, str, str]:
        """Carry out a transaction's messages: all of them or none. (code, codespace, raw_log)."""
        world = self.world
        before = len(world.items)
        money = copy.deepcopy((world.subaccounts, world.accounts)) if len(given.messages) > 1 else None
        placed: list[Order] = []
        try:
            for place, message in enumerate(given.messages):
                if isinstance(message, MsgPlaceOrder):
                    order = validate.order_of(message)
                    stateful.deliver_place(world, order, index)
                    placed.append(order)
                elif isinstance(message, MsgCancelOrder):
                    stateful.deliver_cancel(world, message, removed)
                else:
                    transfers.deliver(world, message, given, index * 16 + place)
        except Refused as refused:
            for order in placed:
                stateful.remove(world, order, stateful.FULLY_FILLED, set())
            del world.items[before:]
            if money is not None:
                self._put_back(*money)
            self._give_back(
                [validate.order_of(m).key for m in given.messages if isinstance(m, MsgPlaceOrder)],
                [stateful.key_of(m) for m in given.messages if isinstance(m, MsgCancelOrder)],
            )
            return refused.code, refused.codespace, refused.raw_log
        return 0, "", ""

    def _put_back(self, subaccounts: dict[str, Subaccount], accounts: dict[str, Account]) -> None:
        """Undo what a failed transaction's first messages did to the money."""
        world = self.world
        world.subaccounts, world.accounts = subaccounts, accounts
        for key in world.touched:
            world.touch("subaccount", key, subaccounts.get(key))
        world.touched &= subaccounts.keys()
        for account in accounts.values():
            world.touch_account(account)

    # ---- after a restart -------------------------------------------------------------------------

    def rebuild_book(self) -> None:
        """Put every order that rests back on the book, in its old place, and the trades that wait for their block."""
        world = self.world
        for match in world.matches:
            minute = world.now_ns // 60_000_000_000
            world.markets[match.pair].traded(match.is_buy, match.price, match.size, minute, match.kind)
        leaving = {removal.order.key for removal in world.removals}
        resting = list(world.short.values())
        for order in world.stateful.values():
            waits = order.flags == 32 and not order.triggered
            if waits:
                world.markets[order.pair].conditionals += 1
            elif order.key not in leaving and order.key not in world.to_match and order.time_in_force != IOC:
                resting.append(order)
        for order in sorted(resting, key=lambda order: order.book_id):
            if order.left and order.book_id:
                world.by_book_id[order.book_id] = order
                market = world.markets[order.pair]
                market.put_back(order.book_id, order.subaccount, order.is_buy, order.subticks, order.left)


def _own_key(given: Tx) -> bytes:
    """The signer's public key as the account keeps it; an API key is not the account's own."""
    return b"" if given.authenticators or not given.signer_infos else signing.public_key(given.signer_infos[0])


def _number_of(match: Match, numbers: dict[int, list[Trade]]) -> int:
    """The event index of the public trade a match printed."""
    made = numbers.get(match.pair, [])
    for place, trade in enumerate(made):
        if trade.price == match.price and trade.size == match.size and trade.is_buy == match.is_buy:
            del made[place]
            return trade.number
    return 0x10000 + match.number % 0x10000


def _holdings(world: World, key: str) -> Holdings:
    subaccount = world.committed[key]
    return Holdings(subaccount.owner, subaccount.number, subaccount.usdc, ledger.sizes_of(subaccount))
