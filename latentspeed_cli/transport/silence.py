"""Silence: which of the wanted public channels has said nothing for too long. Pure: it is told the time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from ..connector.streams import Channel, Subscription
from ..core.market_data import (
    BestBidOffer,
    Candle,
    MarketContext,
    MidPrice,
    OrderBookDiff,
    OrderBookSnapshot,
    PublicTrade,
)

# Private channels are missing on purpose: an account where nothing happens is a healthy one.
_CHANNELS_OF: dict[type[object], tuple[Channel, ...]] = {
    OrderBookSnapshot: (Channel.BOOK,),
    OrderBookDiff: (Channel.BOOK,),
    BestBidOffer: (Channel.BBO,),
    PublicTrade: (Channel.TRADES,),
    Candle: (Channel.CANDLES,),
    MarketContext: (Channel.TICKER, Channel.FUNDING),
    MidPrice: (Channel.TICKER,),
}
_PUBLIC = frozenset(channel for channels in _CHANNELS_OF.values() for channel in channels)

Heard = tuple[Channel, str | None]


class Silence:
    """Watches the public subscriptions of one stream. Times are seconds of one steady clock.

    after_s: how long a channel may be silent; None watches nothing.
    """

    def __init__(self, subscriptions: Sequence[Subscription], after_s: float | None) -> None:
        self._after_s = inf if after_s is None else after_s
        asked = dict.fromkeys((one.channel, one.trading_pair) for one in subscriptions if one.channel in _PUBLIC)
        self._watched: tuple[Heard, ...] = () if after_s is None else tuple(asked)
        self._last = [inf] * len(self._watched)
        self._told: set[int] = set()
        # Which of the watched an item of a kind and a trading pair is news of. Looked up for every item.
        self._news: dict[type[object], dict[str | None, list[int]]] = {}
        for index, (channel, trading_pair) in enumerate(self._watched):
            for kind, channels in _CHANNELS_OF.items():
                if channel in channels:
                    self._news.setdefault(kind, {}).setdefault(trading_pair, []).append(index)

    def start(self, now_s: float) -> None:
        """The stream is live from now on."""
        self._last = [now_s] * len(self._watched)
        self._told.clear()

    def stop(self) -> None:
        """The stream is interrupted, which is said in another way."""
        self._last = [inf] * len(self._watched)

    def hear(self, item: object, now_s: float) -> bool:
        """An item has come. Whether it ends a silence that was complained of."""
        ended, news = False, self._news.get(type(item))
        if news is None:
            return False
        for trading_pair in (getattr(item, "trading_pair", None), None):
            for index in news.get(trading_pair, ()):
                self._last[index] = now_s
                if index in self._told:
                    self._told.discard(index)
                    ended = True
        return ended

    def due_s(self) -> float:
        """When to ask `overdue` again at the latest; infinity when there is nothing to wait for."""
        waiting = [last for index, last in enumerate(self._last) if index not in self._told]
        return min(waiting, default=inf) + self._after_s

    def overdue(self, now_s: float) -> Iterator[tuple[Channel, str | None, float]]:
        """Channel, trading pair and seconds of silence of each that is too old by now; each once until it is heard."""
        for index, last in enumerate(self._last):
            if index not in self._told and now_s - last >= self._after_s:
                self._told.add(index)
                yield (*self._watched[index], now_s - last)
