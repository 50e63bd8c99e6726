"""Public streams: books, best prices, trades, candles and market contexts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.streams import Channel, Subscription
from latentspeed_cli.core.market_data import MidPrice
from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.errors import OrderRefused, ProtocolError

from . import decode
from .config import HyperliquidConfig
from .constants import CANDLE_INTERVALS
from .payloads import BboData, Book, CandleRow, ContextData, MidsData, Trade
from .streams import FrameSource, subscription
from .web_utils import HyperliquidWebUtils


class HyperliquidOrderBookDataSource(FrameSource):
    """Books are the fast ones: five levels about every half second; the ordinary feed is five seconds slow.

    Every book message is a whole book. The trades feed begins with a replay of the last thirty, not marked as such:
    join them by trade id. candle_interval: of the candles channel.
    """

    def __init__(self, config: HyperliquidConfig, symbols: SymbolMap, *, candle_interval: str = "1m") -> None:
        if candle_interval not in CANDLE_INTERVALS:
            raise OrderRefused(f"no candles of {candle_interval!r}", hint="one of: " + " ".join(CANDLE_INTERVALS))
        self.url = HyperliquidWebUtils(config).ws_url
        self._symbols = symbols
        self._interval = candle_interval

    def subscriptions(self, channels: Sequence[Channel], trading_pairs: Sequence[str]) -> Sequence[Subscription]:
        """The venue drops the whole connection for one unknown coin, so every pair is looked up first.

        Ticker without pairs is the middle price of every market.
        """
        markets = [self._streamable(trading_pair) for trading_pair in trading_pairs]
        wanted: dict[str, Subscription] = {}
        for channel in channels:
            if channel is Channel.TICKER and not markets:
                found = [subscription(channel, None, "allMids")]
            else:
                found = [self._one(channel, market) for market in markets]
            if not found:
                raise OrderRefused(f"the {channel.value} stream needs a trading pair")
            for asked in found:
                wanted.setdefault(asked.key, asked)
        return tuple(wanted.values())

    def _streamable(self, trading_pair: str) -> Market:
        market = self._symbols.find(trading_pair)
        if market.refusal is not None and market.kind != "perp":
            raise OrderRefused(f"{market.trading_pair}: {market.refusal}")
        return market

    def _one(self, channel: Channel, market: Market) -> Subscription:
        pair, coin = market.trading_pair, market.symbol
        match channel:
            case Channel.BOOK:
                return subscription(channel, pair, "l2Book", coin=coin, fast=True)
            case Channel.BBO:
                return subscription(channel, pair, "bbo", coin=coin)
            case Channel.TRADES:
                return subscription(channel, pair, "trades", coin=coin)
            case Channel.CANDLES:
                return subscription(channel, pair, "candle", coin=coin, interval=self._interval)
            case Channel.TICKER | Channel.FUNDING:
                return subscription(channel, pair, "activeAssetCtx", coin=coin)
            case _:
                raise OrderRefused(f"{channel.value} is not a public stream of this venue")

    def items(self, channel: str, data: msgspec.Raw, received_ns: int) -> Iterator[object]:
        symbols = self._symbols
        match channel:
            case "l2Book":
                yield decode.book(answers.shape(data, Book), symbols, received_ns)
            case "bbo":
                yield decode.best_bid_offer(answers.shape(data, BboData), symbols, received_ns)
            case "trades":
                rows = answers.shape(data, list[msgspec.Raw])
                yield from answers.each(
                    rows, lambda row: decode.public_trade(answers.shape(row, Trade), symbols, received_ns)
                )
            case "candle":
                yield decode.candle(answers.shape(data, CandleRow), symbols, received_ns)
            case "activeAssetCtx":
                said: ContextData = answers.shape(data, ContextData)
                yield decode.context(decode.pair_of(said.coin, symbols), said.ctx, received_ns)
            case "allMids":
                mids: MidsData = answers.shape(data, MidsData)
                yield from answers.each(mids.mids.items(), lambda mid: self._mid(*mid, received_ns))
            case _:
                raise ProtocolError(f"a frame of the unknown channel {channel!r}", payload=bytes(data))

    def _mid(self, coin: str, price: str, received_ns: int) -> MidPrice:
        return MidPrice(
            trading_pair=decode.pair_of(coin, self._symbols), ts_ns=received_ns, price=answers.number(price)
        )
