"""OrderBook: one market's book from snapshots and diffs. A gap empties it; a bad book never passes for a good one."""

from __future__ import annotations

import enum
from bisect import bisect_left, insort
from decimal import Decimal
from itertools import islice

from ..errors import ProtocolError
from .decimals import EXACT, ZERO
from .market_data import OrderBookDiff, OrderBookSnapshot, PriceLevel
from .pricing import BookTop

_HALF = Decimal("0.5")
_INFINITY = Decimal("Infinity")
_NONSENSE = "a level of a book has no sensible price or amount"


class BookChange(enum.Enum):
    """What became of a message. GAP: something is missing, the book is gone until the next snapshot."""

    APPLIED = "applied"
    OLD = "old"
    GAP = "gap"


class BookProblem(enum.Enum):
    """Why a book must not be relied on."""

    MISSING = "missing"
    EMPTY = "empty"
    CROSSED = "crossed"
    STALE = "stale"


class OrderBook:
    """The latest whole book of a market.

    A snapshot replaces everything at once, so a slow reader may skip any number of them and still be right. Diffs
    need every one of their kind; a missing one is a GAP.
    """

    def __init__(self, trading_pair: str) -> None:
        self.trading_pair = trading_pair
        self.ts_ns = 0
        self.received_ns = 0
        self.sequence: int | None = None
        self._has_snapshot = False
        self._bids = _Side(falling=True)
        self._asks = _Side(falling=False)

    def apply_snapshot(self, snapshot: OrderBookSnapshot, *, received_ns: int) -> BookChange:
        """Take over a whole book, unless it is older than the present one. Raises ProtocolError when it is no book."""
        self._check_pair(snapshot.trading_pair)
        if self._has_snapshot and self._is_older(snapshot):
            return BookChange.OLD
        self._bids.check(snapshot.bids)
        self._asks.check(snapshot.asks)
        self._bids.load(snapshot.bids)
        self._asks.load(snapshot.asks)
        self._has_snapshot = True
        self.sequence, self.ts_ns, self.received_ns = snapshot.sequence, snapshot.ts_ns, received_ns
        return BookChange.APPLIED

    def apply_diff(self, diff: OrderBookDiff, *, received_ns: int) -> BookChange:
        """Change single levels. Raises ProtocolError when the diff makes no sense."""
        self._check_pair(diff.trading_pair)
        if self.sequence is None:
            return BookChange.GAP
        if diff.sequence <= self.sequence:
            return BookChange.OLD
        if diff.first_sequence > self.sequence + 1:
            self.drop()
            return BookChange.GAP
        _check_changes(diff.bids + diff.asks)
        for level in diff.bids:
            self._bids.set(level)
        for level in diff.asks:
            self._asks.set(level)
        self.sequence, self.ts_ns, self.received_ns = diff.sequence, diff.ts_ns, received_ns
        return BookChange.APPLIED

    def drop(self) -> None:
        """Forget everything, as after a gap or a lost connection."""
        self._has_snapshot = False
        self.sequence = None
        self._bids.load(())
        self._asks.load(())

    @property
    def best_bid(self) -> PriceLevel | None:
        return self._bids.best()

    @property
    def best_ask(self) -> PriceLevel | None:
        return self._asks.best()

    @property
    def mid(self) -> Decimal | None:
        """(best bid + best ask) / 2, or None for a book that is empty on a side or crossed."""
        bid, ask = self.best_bid, self.best_ask
        if bid is None or ask is None or bid.price >= ask.price:
            return None
        return EXACT.multiply(EXACT.add(bid.price, ask.price), _HALF)

    def problem(self, *, now_ns: int, stale_after_ns: int) -> BookProblem | None:
        """Why the book must not be relied on, or None. Its age counts from when it was last heard of."""
        if not self._has_snapshot:
            return BookProblem.MISSING
        bid, ask = self.best_bid, self.best_ask
        if bid is None or ask is None:
            return BookProblem.EMPTY
        if bid.price >= ask.price:
            return BookProblem.CROSSED
        return BookProblem.STALE if now_ns - self.received_ns > stale_after_ns else None

    def top(self) -> BookTop:
        bid, ask = self.best_bid, self.best_ask
        return BookTop(
            bid=None if bid is None else bid.price,
            ask=None if ask is None else ask.price,
            ts_ns=self.ts_ns,
            received_ns=self.received_ns,
        )

    def snapshot(self, depth: int | None = None) -> OrderBookSnapshot:
        """The book as a value, the `depth` best levels of each side. Raises LookupError when there is no book."""
        if not self._has_snapshot:
            raise LookupError(f"no book of {self.trading_pair} yet")
        return OrderBookSnapshot(
            trading_pair=self.trading_pair,
            ts_ns=self.ts_ns,
            bids=self._bids.levels(depth),
            asks=self._asks.levels(depth),
            sequence=self.sequence,
        )

    def _is_older(self, snapshot: OrderBookSnapshot) -> bool:
        if snapshot.sequence is not None and self.sequence is not None:
            return snapshot.sequence < self.sequence
        return snapshot.ts_ns < self.ts_ns

    def _check_pair(self, trading_pair: str) -> None:
        if trading_pair != self.trading_pair:
            raise ProtocolError(f"a book of {trading_pair} was given to {self.trading_pair}")


class _Side:
    """Levels of one side. A loaded tuple serves as it is until the first change needs an index."""

    def __init__(self, *, falling: bool) -> None:
        self._falling = falling
        self._loaded: tuple[PriceLevel, ...] | None = ()
        self._by_price: dict[Decimal, PriceLevel] = {}
        self._rising_prices: list[Decimal] = []

    def check(self, levels: tuple[PriceLevel, ...]) -> None:
        """Raises ProtocolError for what is no side of a book."""
        falling = self._falling
        last = _INFINITY if falling else ZERO
        for level in levels:
            price = level.price
            if price <= ZERO or level.amount <= ZERO:
                raise ProtocolError(_NONSENSE)
            if price >= last if falling else price <= last:
                raise ProtocolError("the levels of a book are not in order")
            last = price

    def load(self, levels: tuple[PriceLevel, ...]) -> None:
        """Take over checked levels."""
        self._loaded = levels

    def set(self, level: PriceLevel) -> None:
        if self._loaded is not None:
            self._by_price = {known.price: known for known in self._loaded}
            self._rising_prices = sorted(self._by_price)
            self._loaded = None
        if level.amount:
            if level.price not in self._by_price:
                insort(self._rising_prices, level.price)
            self._by_price[level.price] = level
        elif self._by_price.pop(level.price, None) is not None:
            del self._rising_prices[bisect_left(self._rising_prices, level.price)]

    def best(self) -> PriceLevel | None:
        if self._loaded is not None:
            return self._loaded[0] if self._loaded else None
        if not self._rising_prices:
            return None
        return self._by_price[self._rising_prices[-1 if self._falling else 0]]

    def levels(self, depth: int | None) -> tuple[PriceLevel, ...]:
        if self._loaded is not None:
            return self._loaded if depth is None else self._loaded[:depth]
        prices = reversed(self._rising_prices) if self._falling else iter(self._rising_prices)
        return tuple(self._by_price[price] for price in islice(prices, depth))


def _check_changes(levels: tuple[PriceLevel, ...]) -> None:
    """An amount of zero takes a level away."""
    for level in levels:
        if level.price <= ZERO or level.amount < ZERO:
            raise ProtocolError(_NONSENSE)
