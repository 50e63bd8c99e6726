"""The venue's memory: accounts, orders, fills, markets, counters, and the news that feeds pass on.

Parts are functions that take the World. It is told the time at each entrance and reads no clock.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from latentspeed_cli.sandbox.accounts import ADDRESSES
from latentspeed_cli.sandbox.model import Scenario, StoredRow

from . import universe
from .market import Market
from .numbers import E6, E8
from .state import Account, Agent, Counters, Fill, History, Order, OrderUpdate, StoredFill
from .views import basic_order

NS_PER_MS = 1_000_000
FIRST_OID = 60_000_000_000
KEPT_ORDERS = 2_000
KEPT_FILLS = 10_000
KEPT_HISTORY = 2_000
START_CASH = 100_000 * E6
ZERO_HASH = "0x" + "0" * 64

Stored = Account | Order | StoredFill | History | Counters


class UserOrders:
    """One user's orders: live ones by id, all remembered ones in order of arrival, the newest order per cloid."""

    def __init__(self) -> None:
        self.live: dict[int, Order] = {}
        self.known: deque[int] = deque()
        self.overdue: set[int] = set()  # live, though older than what is remembered
        self.cloids: dict[str, int] = {}
        self.open_sizes: dict[tuple[int, bool], int] = {}


class News:
    """What happened since the feeds last looked: per user in order, and which coins traded."""

    def __init__(self) -> None:
        self.updates: dict[str, list[OrderUpdate]] = {}
        self.fills: dict[str, list[Fill]] = {}
        self.events: list[tuple[str, dict[str, object]]] = []
        self.notes: list[tuple[str, str]] = []
        self.history: list[History] = []
        self.users: set[str] = set()

    def clear(self) -> None:
        self.updates.clear()
        self.fills.clear()
        self.events.clear()
        self.notes.clear()
        self.history.clear()
        self.users.clear()


class World:
    """Everything a venue knows."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.now_ns = 0
        self.counters = Counters()
        self.accounts: dict[str, Account] = {}
        self.agents: dict[str, tuple[str, Agent]] = {}
        self.former_agents: dict[str, str] = {}
        self.orders: dict[int, Order] = {}
        self.by_user: dict[str, UserOrders] = {}
        self.fills: dict[str, deque[StoredFill]] = {}
        self.funding: dict[str, deque[History]] = {}
        self.ledger: dict[str, deque[History]] = {}
        self.nonces: dict[str, list[int]] = {}
        self.markets = [Market(spec, scenario) for spec in universe.PERPS]
        self.by_coin = {market.spec.name: market for market in self.markets}
        self.news = News()
        self.action_hash = ZERO_HASH
        self.refusals: list[str] = []
        self.forced_refusals: list[str] = []
        self.forced_429 = 0
        self.after_fill: list[Order] = []
        self.next_liquidation_ns = 0
        self.partial_liquidations: dict[str, int] = {}
        self.liquidating: dict[str, str] | None = None
        self._dirty: dict[tuple[str, str], Stored | list[int] | None] = {}

    # ---- time ------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        return self.now_ns // NS_PER_MS

    def elapsed(self) -> int:
        """Nanoseconds since the instance began; zero while the flow is off."""
        return self.now_ns - self.counters.start_ns if self.scenario.flow else 0

    def start(self, now_ns: int) -> None:
        """A fresh venue: the fixed accounts, each with its dollars."""
        self.counters = Counters(
            start_ns=now_ns,
            oid=FIRST_OID,
            funding_hour=(now_ns - 15_000_000) // 3_600_000_000_000,
            history=0,
            action=0,
            fill=0,
        )
        self.touch_counters()
        for address in ADDRESSES:
            self.touch(self.open_account(address, START_CASH))

    # ---- accounts --------------------------------------------------------------------------------

    def open_account(self, address: str, cash: int = 0) -> Account:
        account = self.accounts[address] = Account(address=address, cash=cash)
        return account

    def touch(self, account: Account) -> None:
        """Remember to store an account, and that its state is news."""
        self._dirty["account", account.address] = account
        self.news.users.add(account.address)

    def touch_counters(self) -> None:
        self._dirty["counters", "0"] = self.counters

    def touch_nonces(self, signer: str) -> None:
        self._dirty["nonces", signer] = self.nonces[signer]

    # ---- orders ----------------------------------------------------------------------------------

    def next_oid(self) -> int:
        self.counters.oid += 1
        return self.counters.oid

    def user_orders(self, user: str) -> UserOrders:
        found = self.by_user.get(user)
        if found is None:
            found = self.by_user[user] = UserOrders()
        return found

    def remember(self, order: Order) -> None:
        """Take a new order into memory; the oldest finished one beyond the venue's memory is forgotten."""
        mine = self.user_orders(order.user)
        self.orders[order.oid] = order
        mine.known.append(order.oid)
        if order.live:
            mine.live[order.oid] = order
        if order.cloid is not None:
            mine.cloids[order.cloid] = order.oid
        self._dirty["order", str(order.oid)] = order
        self._trim(mine)

    def _trim(self, mine: UserOrders) -> None:
        while len(mine.known) > KEPT_ORDERS:
            oid = mine.known.popleft()
            if oid in mine.live:
                mine.overdue.add(oid)
                continue
            order = self.orders.pop(oid)
            if order.cloid is not None and mine.cloids.get(order.cloid) == oid:
                del mine.cloids[order.cloid]
            self._dirty["order", str(oid)] = None

    def touch_order(self, order: Order) -> None:
        self._dirty["order", str(order.oid)] = order

    def set_status(self, order: Order, status: str, *, sz: int | None = None, announce: bool = True) -> None:
        """Give an order a new status and tell its owner."""
        order.status = status
        order.status_ms = self.now_ms
        order.status_sz = order.sz if sz is None else sz
        mine = self.user_orders(order.user)
        if order.live:
            mine.live[order.oid] = order
        else:
            mine.live.pop(order.oid, None)
            if order.oid in mine.overdue:
                mine.overdue.discard(order.oid)
                mine.known.append(order.oid)
                self._trim(mine)
        self._dirty["order", str(order.oid)] = order
        if announce:
            update = OrderUpdate(basic_order(order, order.status_sz), status, order.status_ms)
            self.news.updates.setdefault(order.user, []).append(update)
            self.news.users.add(order.user)

    def opened(self, order: Order, sz: int) -> OrderUpdate:
        """The entry that says an order was accepted with that size."""
        return OrderUpdate(basic_order(order, sz), "open", self.now_ms)

    # ---- fills and history -----------------------------------------------------------------------

    def add_fill(self, user: str, fill: Fill) -> None:
        self.counters.fill += 1
        stored = StoredFill(user, self.counters.fill, fill)
        mine = self.fills.setdefault(user, deque())
        mine.append(stored)
        self._dirty["fill", str(stored.number)] = stored
        self.news.fills.setdefault(user, []).append(fill)
        self.news.users.add(user)
        if len(mine) > KEPT_FILLS:
            self._dirty["fill", str(mine.popleft().number)] = None

    def add_history(self, user: str, kind: str, delta: dict[str, object], *, time_ms: int | None = None) -> History:
        """Append a funding payment ("funding") or a ledger update ("ledger")."""
        self.counters.history += 1
        number = self.counters.history
        hash_ = ZERO_HASH if kind == "funding" else self.action_hash
        row = History(user, kind, number, time_ms or self.now_ms, hash_, delta)
        mine = (self.funding if kind == "funding" else self.ledger).setdefault(user, deque())
        mine.append(row)
        self.news.history.append(row)
        self._dirty[kind, str(number)] = row
        if len(mine) > KEPT_HISTORY:
            self._dirty[kind, str(mine.popleft().number)] = None
        return row

    # ---- ids and hashes --------------------------------------------------------------------------

    def digest(self, *parts: object, size: int = 32) -> bytes:
        """A hash that depends on the seed and the parts only."""
        text = "|".join([str(self.scenario.seed), *map(str, parts)])
        return hashlib.blake2b(text.encode(), digest_size=size).digest()

    def next_action(self) -> str:
        """Count an action and give it a hash."""
        self.counters.action += 1
        self.touch_counters()
        self.action_hash = "0x" + self.digest("action", self.counters.action).hex()
        return self.action_hash

    def trade_id(self, coin: str, buyer: int, seller: int) -> int:
        """50 bits from the two order ids."""
        return int.from_bytes(self.digest("trade", coin, buyer, seller, size=8), "big") >> 14

    # ---- storage ---------------------------------------------------------------------------------

    def changed_rows(self) -> list[StoredRow]:
        encode = msgspec.msgpack.encode
        rows = [
            StoredRow(kind, key, None if value is None else encode(value)) for (kind, key), value in self._dirty.items()
        ]
        self._dirty.clear()
        return rows

    def load(self, rows: Iterable[StoredRow]) -> bool:
        """Take up stored rows; False when there were none."""
        decode = msgspec.msgpack.decode
        found = False
        orders: list[Order] = []
        fills: list[StoredFill] = []
        history: list[History] = []
        for row in rows:
            if row.value is None:
                continue
            found = True
            if row.kind == "counters":
                self.counters = decode(row.value, type=Counters)
            elif row.kind == "account":
                self.accounts[row.key] = decode(row.value, type=Account)
            elif row.kind == "order":
                orders.append(decode(row.value, type=Order))
            elif row.kind == "fill":
                fills.append(decode(row.value, type=StoredFill))
            elif row.kind == "nonces":
                self.nonces[row.key] = decode(row.value, type=list[int])
            elif row.kind in {"funding", "ledger"}:
                history.append(decode(row.value, type=History))
        for order in sorted(orders, key=lambda order: order.oid):
            self.remember(order)
        for stored in sorted(fills, key=lambda stored: stored.number):
            self.fills.setdefault(stored.user, deque()).append(stored)
        for entry in sorted(history, key=lambda entry: entry.number):
            (self.funding if entry.kind == "funding" else self.ledger).setdefault(entry.user, deque()).append(entry)
        for account in self.accounts.values():
            for agent in account.agents.values():
                self.agents[agent.address] = (account.address, agent)
        self._dirty.clear()
        return found

    def live_orders(self) -> Iterator[Order]:
        for mine in self.by_user.values():
            yield from mine.live.values()


def usd_of_spot(amount_e8: int) -> int:
    """Spot USDC (1e-8) in dollars of 1e-6, toward zero."""
    return amount_e8 * E6 // E8
