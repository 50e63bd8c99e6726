"""RawBook: the book as the indexer tells it, crossed or not, and the view of it that may be relied on.

The indexer puts its book together from gossip, so bids and asks may cross for many messages. Levels that the view
hides stay here, since the next message may make them right again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

from latentspeed_cli.core.decimals import EXACT, ZERO
from latentspeed_cli.core.market_data import PriceLevel
from latentspeed_cli.errors import ProtocolError

Side = tuple[PriceLevel, ...]
_Level = tuple[Decimal, int]


class RawBook:
    """Levels by price, each with the id of the message that changed it last."""

    def __init__(self) -> None:
        self._bids: dict[Decimal, _Level] = {}
        self._asks: dict[Decimal, _Level] = {}
        self._bid_prices: list[Decimal] = []  # rising, like the asks
        self._ask_prices: list[Decimal] = []

    def load(self, bids: Iterable[PriceLevel], asks: Iterable[PriceLevel], message_id: int) -> None:
        """Take over a snapshot in whatever order. Raises ProtocolError; then the book is as it was."""
        found = []
        for levels in (bids, asks):
            side: dict[Decimal, _Level] = {}
            for level in levels:
                _check(level)
                if level.amount:
                    side[level.price] = level.amount, message_id
            found.append(side)
        self._bids, self._asks = found
        self._bid_prices, self._ask_prices = sorted(self._bids), sorted(self._asks)

    def change(self, bids: Iterable[PriceLevel], asks: Iterable[PriceLevel], message_id: int) -> None:
        """Set absolute amounts; 0 deletes a level, known or not. Raises ProtocolError, and then is not to be used."""
        for levels, side, prices in (
            (bids, self._bids, self._bid_prices),
            (asks, self._asks, self._ask_prices),
        ):
            for level in levels:
                _check(level)
                if level.amount:
                    if level.price not in side:
                        insort(prices, level.price)
                    side[level.price] = level.amount, message_id
                elif side.pop(level.price, None) is not None:
                    del prices[bisect_left(prices, level.price)]

    @property
    def best_bid(self) -> Decimal | None:
        """Raw, like the next ones."""
        return self._bid_prices[-1] if self._bid_prices else None

    @property
    def best_ask(self) -> Decimal | None:
        return self._ask_prices[0] if self._ask_prices else None

    @property
    def depth(self) -> tuple[int, int]:
        """Levels of bids and asks."""
        return len(self._bid_prices), len(self._ask_prices)

    @property
    def is_crossed(self) -> bool:
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid >= ask

    def view(self, limit: int | None = None) -> tuple[Side, Side]:
        """Bids falling and asks rising, never crossed: at most `limit` of each.

        While they cross, the level with the older change gives way; of two changed by one message the larger keeps
        what it has more.
        """
        bid, ask = len(self._bid_prices) - 1, 0
        bid_left = ask_left = None  # what a level keeps after a cut
        while bid >= 0 and ask < len(self._ask_prices):
            bid_price, ask_price = self._bid_prices[bid], self._ask_prices[ask]
            if bid_price < ask_price:
                break
            bid_amount, bid_id = self._bids[bid_price]
            ask_amount, ask_id = self._asks[ask_price]
            bid_amount = bid_amount if bid_left is None else bid_left
            ask_amount = ask_amount if ask_left is None else ask_left
            cut = min(bid_amount, ask_amount) if bid_id == ask_id else ZERO
            bid_left, ask_left = EXACT.subtract(bid_amount, cut), EXACT.subtract(ask_amount, cut)
            if bid_id < ask_id or not bid_left:
                bid, bid_left = bid - 1, None
            if ask_id < bid_id or not ask_left:
                ask, ask_left = ask + 1, None
        last_bid = -1 if limit is None else max(bid - limit, -1)
        last_ask = len(self._ask_prices) if limit is None else min(ask + limit, len(self._ask_prices))
        bids = [PriceLevel(price, self._bids[price][0]) for price in self._bid_prices[last_bid + 1 : bid + 1][::-1]]
        asks = [PriceLevel(price, self._asks[price][0]) for price in self._ask_prices[ask:last_ask]]
        if bids and bid_left is not None:
            bids[0] = PriceLevel(bids[0].price, bid_left)
        if asks and ask_left is not None:
            asks[0] = PriceLevel(asks[0].price, ask_left)
        return tuple(bids), tuple(asks)


def _check(level: PriceLevel) -> None:
    if level.price <= 0 or level.amount < 0:
        raise ProtocolError("a level of a book has no sensible price or amount", payload=repr(level))
