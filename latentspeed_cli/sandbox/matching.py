"""Price-time matching on integers, for any venue.

Prices and sizes are integers in units the venue model chooses. The book knows owners only as text and asks nobody:
whoever matches takes the best resting order, decides what happens to it, and tells the book.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec


class Resting(msgspec.Struct, eq=False):
    """One order on the book. size: what is left. count: how many orders it is shown as (quotes stand for many)."""

    order_id: int
    owner: str
    is_buy: bool
    price: int
    size: int
    count: int = 1


class Level(msgspec.Struct, frozen=True):
    """One price of one side, as a market data feed shows it."""

    price: int
    size: int
    count: int


class Book:
    """Both sides of one market. Orders at a price stand in order of arrival; a reduction keeps the place."""

    def __init__(self) -> None:
        self.orders: dict[int, Resting] = {}
        # Per side: price -> its orders in arrival order, and the prices sorted so that the best one is last.
        self._queues: dict[bool, dict[int, dict[int, Resting]]] = {True: {}, False: {}}
        self._keys: dict[bool, list[int]] = {True: [], False: []}

    def add(self, order: Resting) -> None:
        """Put an order behind the others at its price. The id must be new and the order must not cross."""
        queue = self._queues[order.is_buy].get(order.price)
        if queue is None:
            queue = self._queues[order.is_buy][order.price] = {}
            keys = self._keys[order.is_buy]
            key = order.price if order.is_buy else -order.price
            keys.insert(bisect_left(keys, key), key)
        queue[order.order_id] = order
        self.orders[order.order_id] = order

    def remove(self, order_id: int) -> Resting | None:
        """Take an order off the book; None when it is not there."""
        order = self.orders.pop(order_id, None)
        if order is None:
            return None
        queue = self._queues[order.is_buy][order.price]
        del queue[order_id]
        if not queue:
            del self._queues[order.is_buy][order.price]
            keys = self._keys[order.is_buy]
            del keys[bisect_left(keys, order.price if order.is_buy else -order.price)]
        return order

    def reduce(self, order_id: int, by: int) -> None:
        """Make an order smaller by a fill or an amendment; it leaves the book when nothing is left."""
        order = self.orders[order_id]
        order.size -= by
        if order.size <= 0:
            self.remove(order_id)

    def best_price(self, is_buy: bool) -> int | None:
        keys = self._keys[is_buy]
        return None if not keys else keys[-1] if is_buy else -keys[-1]

    def best(self, is_buy: bool) -> Resting | None:
        """The order of that side which trades first."""
        price = self.best_price(is_buy)
        return None if price is None else next(iter(self._queues[is_buy][price].values()))

    def crosses(self, is_buy: bool, limit: int) -> bool:
        """Whether an order of that side with that limit would trade at once."""
        price = self.best_price(not is_buy)
        return price is not None and (price <= limit if is_buy else price >= limit)

    def first_match(self, is_buy: bool, limit: int) -> Resting | None:
        """The resting order an incoming order of that side trades with next, if any."""
        return self.best(not is_buy) if self.crosses(is_buy, limit) else None

    def prices(self, is_buy: bool) -> list[int]:
        """Prices of a side, best first."""
        keys = self._keys[is_buy]
        return keys[::-1] if is_buy else [-key for key in reversed(keys)]

    def queue(self, is_buy: bool, price: int) -> list[Resting]:
        """The orders at a price, first to trade first."""
        return list(self._queues[is_buy].get(price, {}).values())

    def levels(self, is_buy: bool, depth: int | None = None) -> list[Level]:
        """Aggregated levels of a side, best first."""
        prices = self.prices(is_buy) if depth is None else self._top(is_buy, depth)
        result = []
        for price in prices:
            size = count = 0
            for order in self._queues[is_buy][price].values():
                size += order.size
                count += order.count
            result.append(Level(price, size, count))
        return result

    def _top(self, is_buy: bool, depth: int) -> list[int]:
        keys = self._keys[is_buy][-depth:]
        keys.reverse()
        return keys if is_buy else [-key for key in keys]
