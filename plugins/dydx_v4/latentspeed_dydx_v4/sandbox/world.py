"""The chain's memory, one node's view: committed state, what its mempool adds to it, and its order book.

Parts are functions that take the World. It is told the time at each entrance and reads no clock.
"""

from __future__ import annotations

import copy
import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from latentspeed_cli.sandbox.model import Scenario, StoredRow

from . import universe
from .accounts import ADDRESSES
from .market import Market
from .state import (
    Account,
    Block,
    Counters,
    FillRecord,
    Gone,
    Item,
    Match,
    News,
    Order,
    Pending,
    Subaccount,
    TxResult,
    Waiting,
)

START_HEIGHT = 50_000_000
KEPT_TXS = 5_000
START_USDC = 100_000 * 10**6
START_COINS = {universe.USDC_DENOM: 1_000 * 10**6, universe.NATIVE_DENOM: 100 * 10**18}
_KINDS: dict[str, Any] = {
    "counters": Counters,
    "account": Account,
    "subaccount": Subaccount,
    "committed": Subaccount,
    "short": Order,
    "stateful": Order,
    "uncommitted": Order,
    "fill_record": FillRecord,
    "cancel": int,
    "stateful_cancel": int,
    "tx": TxResult,
    "waiting": Waiting,
    "match": Match,
    "removal": Gone,
    "to_match": str,
    "pending": Pending,
    "router": str,
}


class World:
    """Everything the node knows.

    short: short-term orders that rest. stateful: long-term and conditional orders in state. uncommitted: placements in
    the mempool; stateful_cancels: cancels in the mempool. matches, removals: what the next block proposes. to_match:
    stateful orders to be matched once the block is committed. cancels: short-term fences by OrderId. routers: addresses
    of order routers that are registered.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.block_ns = scenario.block_ns["dydx_v4"]
        self.now_ns = 0
        self.lag_ns = int(scenario.indexer_lag_s * 1e9)
        self.late_ns = 0
        self._told_ns = 0
        self.drop_offchain = False
        self.double_offchain = False
        self.counters = Counters()
        self.accounts: dict[str, Account] = {}
        self.subaccounts: dict[str, Subaccount] = {}
        self.committed: dict[str, Subaccount] = {}
        self.short: dict[str, Order] = {}
        self.stateful: dict[str, Order] = {}
        self.uncommitted: dict[str, Order] = {}
        self.stateful_cancels: dict[str, int] = {}
        self.fill_records: dict[str, FillRecord] = {}
        self.cancels: dict[str, int] = {}
        self.txs: dict[str, TxResult] = {}
        self.mempool: deque[Waiting] = deque()
        self.matches: list[Match] = []
        self.removals: list[Gone] = []
        self.to_match: list[str] = []
        self.pending: deque[Pending] = deque()
        self.routers: set[str] = set()
        self.by_book_id: dict[int, Order] = {}
        self.touched: set[str] = set()
        self.items: list[Item] = []
        self.markets = {spec.pair: Market(spec, scenario) for spec in universe.MARKETS}
        self.by_ticker = {market.spec.ticker: market for market in self.markets.values()}
        self._dirty: dict[tuple[str, str], Any] = {}
        self._oracles: dict[int, int] = {}

    # ---- time ------------------------------------------------------------------------------------

    @property
    def next_height(self) -> int:
        """The height a transaction is checked against."""
        return self.counters.height + 1

    @property
    def block_time_s(self) -> int:
        """Unix seconds of the last block."""
        return self.counters.block_time_ns // 1_000_000_000

    def elapsed(self) -> int:
        """Nanoseconds since the instance began; zero while the flow is off."""
        return self.now_ns - self.counters.start_ns if self.scenario.flow else 0

    def hour(self) -> int:
        return self.now_ns // 3_600_000_000_000

    def oracle(self, pair: int) -> int:
        """The oracle price of the last block, in subticks."""
        price = self._oracles.get(pair)
        if price is None:
            market = self.markets[pair]
            elapsed = self.counters.block_time_ns - self.counters.start_ns if self.scenario.flow else 0
            price = self._oracles[pair] = market.oracle(elapsed)
        return price

    def new_oracles(self) -> None:
        """The next look at a price is a new one: a block, or the control API."""
        self._oracles.clear()

    def start(self, now_ns: int) -> None:
        """A fresh chain: the fixed accounts, each with its dollars."""
        self.counters = Counters(
            start_ns=now_ns,
            start_height=START_HEIGHT,
            height=START_HEIGHT,
            block_time_ns=now_ns,
            funding_hour=now_ns // 3_600_000_000_000,
        )
        self.touch("counters", "0", self.counters)
        for address in ADDRESSES:
            account = self.open_account(address)
            for denom, amount in START_COINS.items():
                account.hold(denom, amount)
            subaccount = self.subaccount(address, 0)
            subaccount.usdc = START_USDC
            self.changed(subaccount)
        self.commit_subaccounts()

    # ---- accounts --------------------------------------------------------------------------------

    def open_account(self, address: str) -> Account:
        account = self.accounts[address] = Account(address=address, number=self.counters.account)
        self.counters.account += 1
        self.touch("counters", "0", self.counters)
        self.touch("account", address, account)
        return account

    def touch_account(self, account: Account) -> None:
        self.touch("account", account.address, account)

    def subaccount(self, owner: str, number: int) -> Subaccount:
        """The subaccount as this node sees it now; an unknown one is empty and not yet remembered."""
        return self.subaccounts.get(f"{owner}/{number}") or Subaccount(owner, number)

    def changed(self, subaccount: Subaccount) -> None:
        """Remember a change of a subaccount; it becomes committed with the next block."""
        key = subaccount.key
        self.subaccounts[key] = subaccount
        self.touched.add(key)
        self.touch("subaccount", key, subaccount)

    def commit_subaccounts(self) -> list[str]:
        """What this node saw becomes state. The keys that changed."""
        keys = sorted(self.touched)
        self.touched.clear()
        for key in keys:
            self.committed[key] = copy.deepcopy(self.subaccounts[key])
            self.touch("committed", key, self.committed[key])
        return keys

    # ---- orders ----------------------------------------------------------------------------------

    def next_book_id(self) -> int:
        self.counters.book_id += 1
        self.touch("counters", "0", self.counters)
        return self.counters.book_id

    def next_row(self) -> int:
        """The number of the indexer's next row."""
        self.counters.row += 1
        self.touch("counters", "0", self.counters)
        return self.counters.row

    def put(self, kind: str, order: Order) -> None:
        """Keep an order as "short", "stateful" or "uncommitted"."""
        kept: dict[str, Order] = getattr(self, kind)
        kept[order.key] = order
        self.touch(kind, order.key, order)

    def drop(self, kind: str, key: str) -> Order | None:
        kept: dict[str, Order] = getattr(self, kind)
        order = kept.pop(key, None)
        if order is not None:
            self.touch(kind, key, None)
        return order

    def touch_order(self, order: Order) -> None:
        if order.is_short_term:
            if order.key in self.short:
                self.touch("short", order.key, order)
        elif order.key in self.stateful:
            self.touch("stateful", order.key, order)

    def filled(self, key: str) -> int:
        """What an OrderId has filled so far."""
        record = self.fill_records.get(key)
        return record.filled if record else 0

    def fence(self, key: str, height: int | None) -> None:
        """Remember (None: forget) a short-term cancel."""
        if height is None:
            if self.cancels.pop(key, None) is not None:
                self.touch("cancel", key, None)
        else:
            self.cancels[key] = height
            self.touch("cancel", key, height)

    def stateful_cancel(self, key: str, until_s: int | None) -> None:
        """Remember (None: forget) an uncommitted stateful cancel."""
        if until_s is None:
            self.stateful_cancels.pop(key, None)
        else:
            self.stateful_cancels[key] = until_s
        self.touch("stateful_cancel", key, until_s)

    # ---- what the next block proposes ------------------------------------------------------------

    def propose(self, match: Match) -> None:
        self.matches.append(match)
        self.touch("match", str(match.number), match)

    def next_match(self) -> int:
        self.counters.match += 1
        self.touch("counters", "0", self.counters)
        return self.counters.match

    def remove_later(self, order: Order, reason: str) -> None:
        """A stateful order has left the book; the next block takes it out of the state."""
        removal = Gone(copy.copy(order), reason)
        self.removals.append(removal)
        self.touch("removal", order.key, removal)

    def match_later(self, key: str) -> None:
        self.to_match.append(key)
        self.touch("to_match", key, key)

    def clear_proposal(self) -> tuple[list[Match], list[Gone]]:
        """Take what was proposed so far."""
        for match in self.matches:
            self.touch("match", str(match.number), None)
        for removal in self.removals:
            self.touch("removal", removal.order.key, None)
        taken = self.matches, self.removals
        self.matches, self.removals = [], []
        return taken

    # ---- news ------------------------------------------------------------------------------------

    def tell(self, news: News) -> None:
        """Send news to the indexer; it learns of it after the lag. Off-chain news can be late, lost or doubled.

        All of it comes in its order, also when the lag has just become shorter; only what is late is overtaken.
        """
        offchain = not isinstance(news, Block)
        if offchain and self.drop_offchain:
            return
        due_ns = self._told_ns = max(self.now_ns + self.lag_ns, self._told_ns)
        if offchain:
            due_ns += self.late_ns
        for _ in range(2 if offchain and self.double_offchain else 1):
            self.counters.news += 1
            pending = Pending(self.counters.news, due_ns, news)
            self.pending.append(pending)
            self.touch("pending", str(pending.number), pending)
        self.touch("counters", "0", self.counters)

    def take_news(self) -> list[News]:
        """News that has arrived, in order of arrival."""
        ready = [item for item in self.pending if item.due_ns <= self.now_ns]
        if not ready:
            return []
        self.pending = deque(item for item in self.pending if item.due_ns > self.now_ns)
        for item in ready:
            self.touch("pending", str(item.number), None)
        return [item.news for item in sorted(ready, key=lambda item: (item.due_ns, item.number))]

    # ---- transactions ----------------------------------------------------------------------------

    def keep_tx(self, result: TxResult) -> None:
        self.txs[result.hash] = result
        self.touch("tx", result.hash, result)
        if len(self.txs) > KEPT_TXS:
            oldest = next(iter(self.txs))
            del self.txs[oldest]
            self.touch("tx", oldest, None)

    def enqueue(self, waiting: Waiting) -> None:
        self.mempool.append(waiting)
        self.touch("counters", "0", self.counters)
        self.touch("waiting", str(waiting.number), waiting)

    def dequeue(self, waiting: Waiting) -> None:
        self.mempool.remove(waiting)
        self.touch("waiting", str(waiting.number), None)

    # ---- ids -------------------------------------------------------------------------------------

    def digest(self, *parts: object) -> str:
        """64 hex digits, upper case, that depend on the seed and the parts only."""
        text = "|".join([str(self.scenario.seed), *map(str, parts)])
        return hashlib.sha256(text.encode()).hexdigest().upper()

    # ---- storage ---------------------------------------------------------------------------------

    def touch(self, kind: str, key: str, value: Any) -> None:
        """Store an object (None: delete it) with the next changed_rows()."""
        self._dirty[kind, key] = value

    def changed_rows(self) -> list[StoredRow]:
        encode = msgspec.msgpack.encode
        rows = [
            StoredRow(kind, key, None if value is None else encode(value)) for (kind, key), value in self._dirty.items()
        ]
        self._dirty.clear()
        return rows

    def load(self, rows: Iterable[StoredRow]) -> bool:
        """Take up the chain's rows; False when there were none."""
        found: dict[str, dict[str, Any]] = {kind: {} for kind in _KINDS}
        for row in rows:
            if row.value is not None and row.kind in _KINDS:
                found[row.kind][row.key] = msgspec.msgpack.decode(row.value, type=_KINDS[row.kind])
        if not found["counters"]:
            return False
        self.counters = found["counters"]["0"]
        self.accounts = found["account"]
        self.subaccounts, self.committed = found["subaccount"], found["committed"]
        self.short, self.stateful, self.uncommitted = found["short"], found["stateful"], found["uncommitted"]
        self.fill_records, self.cancels = found["fill_record"], found["cancel"]
        self.stateful_cancels = found["stateful_cancel"]
        self.txs = dict(sorted(found["tx"].items(), key=lambda item: (item[1].height, item[1].index)))
        self.mempool = deque(sorted(found["waiting"].values(), key=lambda waiting: waiting.number))
        self.matches = sorted(found["match"].values(), key=lambda match: match.number)
        self.removals = list(found["removal"].values())
        self.to_match = list(found["to_match"])
        self.pending = deque(sorted(found["pending"].values(), key=lambda pending: pending.number))
        self._told_ns = max((pending.due_ns for pending in self.pending), default=0)
        self.routers = set(found["router"])
        self.touched = {key for key, value in self.subaccounts.items() if self.committed.get(key) != value}
        self._dirty.clear()
        return True
