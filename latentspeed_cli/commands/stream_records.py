"""What a stream gives -> records: which channels there are, what each of them shows, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from ..connector.streams import Channel, Control
from ..core.account import Balance, FundingPayment, Liquidation, Position, Transfer
from ..core.in_flight_order import InFlightOrder
from ..core.market_data import BestBidOffer, Candle, MarketContext, MidPrice, OrderBookSnapshot, PublicTrade
from ..core.reports import TradeUpdate
from ..records import (
    BalanceRecord,
    BboRecord,
    BookRecord,
    CandleRecord,
    FillRecord,
    FundingPaymentRecord,
    FundingRateRecord,
    LiquidationRecord,
    OrderRecord,
    PositionRecord,
    Record,
    TickerRecord,
    TradeRecord,
    TransferRecord,
    balance_record,
    bbo_record,
    book_record,
    candle_record,
    control_record,
    fill_record,
    funding_payment_record,
    funding_rate_record,
    liquidation_record,
    mid_record,
    order_record,
    position_record,
    ticker_record,
    trade_record,
    transfer_record,
)

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase

_Private: TypeAlias = InFlightOrder | Position | Balance | FundingPayment | Liquidation | Transfer

RECORDS: dict[Channel, tuple[type[Record], ...]] = {
    Channel.BOOK: (BookRecord,),
    Channel.BBO: (BboRecord,),
    Channel.TRADES: (TradeRecord,),
    Channel.CANDLES: (CandleRecord,),
    Channel.TICKER: (TickerRecord,),
    Channel.FUNDING: (FundingRateRecord,),
    Channel.ORDERS: (OrderRecord,),
    Channel.FILLS: (FillRecord,),
    Channel.POSITIONS: (PositionRecord,),
    Channel.BALANCES: (BalanceRecord,),
    Channel.EVENTS: (FundingPaymentRecord, LiquidationRecord, TransferRecord),
}


def shown_in(channels: Sequence[Channel]) -> list[type[Record]]:
    """The records of these channels, beside controls."""
    return [record for channel in channels for record in RECORDS[channel]]


class Recorder:
    """Makes records of the items of one stream, numbered from 1. Most items are one record.

    A market's context is a ticker, and a funding rate when that changed; each as far as its channel was asked for.
    """

    def __init__(self, connector: PerpetualDerivativeBase, channels: Sequence[Channel], *, depth: int | None) -> None:
        self._venue = connector.name
        self._network = connector.domain
        self._account = connector.account or ""
        self._now_ns = connector.parts.clock.now_ns
        self._channels = frozenset(channels)
        self._depth = depth
        self._rates: dict[str, str] = {}
        self.seq = 0

    def records(self, item: object) -> Sequence[Record]:
        """The records of an item. Raises TypeError for what no stream gives."""
        make = _MAKERS.get(type(item))
        if make is None:
            raise TypeError(f"a stream gave {type(item).__name__}")
        return make(self, item)

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _received_ns(self, item: _Private) -> int:
        """When it came; what a read and the journal tell is news of this moment."""
        return self._now_ns() if item.received_ts_ns is None else item.received_ts_ns

    def _book(self, item: OrderBookSnapshot) -> Sequence[Record]:
        record = book_record(
            item,
            venue=self._venue,
            network=self._network,
            depth=self._depth,
            received_ns=item.received_ns,
            seq=self._next(),
        )
        return (record,)

    def _bbo(self, item: BestBidOffer) -> Sequence[Record]:
        return (
            bbo_record(item, venue=self._venue, network=self._network, received_ns=item.received_ns, seq=self._next()),
        )

    def _trade(self, item: PublicTrade) -> Sequence[Record]:
        return (
            trade_record(
                item, venue=self._venue, network=self._network, received_ns=item.received_ns, seq=self._next()
            ),
        )

    def _candle(self, item: Candle) -> Sequence[Record]:
        return (
            candle_record(
                item, venue=self._venue, network=self._network, received_ns=item.received_ns, seq=self._next()
            ),
        )

    def _context(self, item: MarketContext) -> Sequence[Record]:
        """No venue puts a time into contexts: that of the item is when it came here."""
        where = {"venue": self._venue, "network": self._network}
        found: list[Record] = []
        if Channel.TICKER in self._channels:
            found.append(ticker_record(item, **where, received_ns=item.ts_ns, seq=self._next()))
        if Channel.FUNDING in self._channels:
            rate = str(item.funding_rate)
            if self._rates.get(item.trading_pair) != rate:
                self._rates[item.trading_pair] = rate
                found.append(funding_rate_record(item, **where, received_ns=item.ts_ns, seq=self._next()))
        return found

    def _mid(self, item: MidPrice) -> Sequence[Record]:
        return (mid_record(item, venue=self._venue, network=self._network, seq=self._next()),)

    def _order(self, item: InFlightOrder) -> Sequence[Record]:
        return (order_record(item, received_ns=self._received_ns(item), seq=self._next()),)

    def _fill(self, item: TradeUpdate) -> Sequence[Record]:
        return (fill_record(item, venue=self._venue, network=self._network, account=self._account, seq=self._next()),)

    def _position(self, item: Position) -> Sequence[Record]:
        received_ns = self._received_ns(item)
        record = position_record(
            item,
            venue=self._venue,
            network=self._network,
            account=self._account,
            ts_ns=item.ts_ns or received_ns,
            received_ns=received_ns,
            seq=self._next(),
        )
        return (record,)

    def _balance(self, item: Balance) -> Sequence[Record]:
        received_ns = self._received_ns(item)
        record = balance_record(
            item,
            venue=self._venue,
            network=self._network,
            account=self._account,
            ts_ns=item.ts_ns or received_ns,
            received_ns=received_ns,
            seq=self._next(),
        )
        return (record,)

    def _payment(self, item: FundingPayment) -> Sequence[Record]:
        record = funding_payment_record(
            item,
            venue=self._venue,
            network=self._network,
            account=self._account,
            received_ns=self._received_ns(item),
            seq=self._next(),
        )
        return (record,)

    def _liquidation(self, item: Liquidation) -> Sequence[Record]:
        record = liquidation_record(
            item, venue=self._venue, network=self._network, received_ns=self._received_ns(item), seq=self._next()
        )
        return (record,)

    def _transfer(self, item: Transfer) -> Sequence[Record]:
        record = transfer_record(
            item,
            venue=self._venue,
            network=self._network,
            account=self._account,
            received_ns=self._received_ns(item),
            seq=self._next(),
        )
        return (record,)

    def _control(self, item: Control) -> Sequence[Record]:
        return (control_record(item, venue=self._venue, network=self._network, seq=self._next()),)


_MAKERS: dict[type, Callable[..., Sequence[Record]]] = {
    OrderBookSnapshot: Recorder._book,
    BestBidOffer: Recorder._bbo,
    PublicTrade: Recorder._trade,
    Candle: Recorder._candle,
    MarketContext: Recorder._context,
    MidPrice: Recorder._mid,
    InFlightOrder: Recorder._order,
    TradeUpdate: Recorder._fill,
    Position: Recorder._position,
    Balance: Recorder._balance,
    FundingPayment: Recorder._payment,
    Liquidation: Recorder._liquidation,
    Transfer: Recorder._transfer,
    Control: Recorder._control,
}
