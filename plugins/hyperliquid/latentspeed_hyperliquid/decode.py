"""From what the venue says to the words of core. Pure; units, signs and names change here and in encode.py only.

Whatever does not make sense raises ProtocolError with the start of what was said. Orders and fills: decode_orders.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from latentspeed_cli.connector.answers import MAX_TIME_NS, number, optional
from latentspeed_cli.core.account import AccountState, Balance, FundingPayment, Position, Transfer
from latentspeed_cli.core.decimals import parse
from latentspeed_cli.core.market_data import (
    BestBidOffer,
    Candle,
    FundingRate,
    MarketContext,
    OrderBookSnapshot,
    PriceLevel,
    PublicTrade,
)
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import TradeType
from latentspeed_cli.errors import ProtocolError

from . import payloads
from .constants import COLLATERAL
from .payloads import (
    AssetContext,
    BboData,
    Book,
    CandleRow,
    ClearinghouseState,
    FundingDelta,
    LedgerRow,
    Level,
    SpotState,
    Trade,
)

NS_PER_MS = 1_000_000


def moment_ns(time_ms: int) -> int:
    """Unix nanoseconds of the venue's milliseconds. Raises ProtocolError for what no journal could hold."""
    if not 0 <= time_ms <= MAX_TIME_NS // NS_PER_MS:
        raise ProtocolError("an answer of the venue makes no sense: a time that is none", payload=str(time_ms)[:40])
    return time_ms * NS_PER_MS


def side_of(letter: str) -> TradeType:
    """B is bid, A is ask."""
    return TradeType.BUY if letter == "B" else TradeType.SELL


def pair_of(coin: str, symbols: SymbolMap) -> str:
    """The trading pair of a coin. A coin we do not know keeps its own name: a row of it must not hide the others."""
    market = symbols.by_symbol(coin)
    return coin if market is None else market.trading_pair


# Public market data


def _levels(rows: Sequence[Level]) -> tuple[PriceLevel, ...]:
    try:
        return tuple([PriceLevel(parse(row.px), parse(row.sz), row.n) for row in rows])
    except ValueError as error:
        raise ProtocolError(f"a level of the venue makes no sense: {error}") from None


def book(data: Book, symbols: SymbolMap, received_ns: int | None = None) -> OrderBookSnapshot:
    return OrderBookSnapshot(
        trading_pair=pair_of(data.coin, symbols),
        ts_ns=data.time * NS_PER_MS,
        bids=_levels(data.levels[0]),
        asks=_levels(data.levels[1]),
        received_ns=received_ns,
    )


def best_bid_offer(data: BboData, symbols: SymbolMap, received_ns: int | None = None) -> BestBidOffer:
    bid, ask = ((None if level is None else _levels((level,))[0]) for level in data.bbo)
    return BestBidOffer(
        trading_pair=pair_of(data.coin, symbols),
        ts_ns=data.time * NS_PER_MS,
        bid=bid,
        ask=ask,
        received_ns=received_ns,
    )


def public_trade(row: Trade, symbols: SymbolMap, received_ns: int | None = None) -> PublicTrade:
    return PublicTrade(
        trading_pair=pair_of(row.coin, symbols),
        trade_id=str(row.tid),
        ts_ns=row.time * NS_PER_MS,
        side=side_of(row.side),
        price=number(row.px),
        amount=number(row.sz),
        received_ns=received_ns,
    )


def candle(row: CandleRow, symbols: SymbolMap, received_ns: int | None = None) -> Candle:
    return Candle(
        trading_pair=pair_of(row.coin, symbols),
        interval=row.interval,
        open_ts_ns=row.open_time * NS_PER_MS,
        close_ts_ns=row.close_time * NS_PER_MS,
        open=number(row.open),
        high=number(row.high),
        low=number(row.low),
        close=number(row.close),
        volume=number(row.volume),
        trades=row.trades,
        received_ns=received_ns,
    )


def funding_rate(row: payloads.FundingRate, symbols: SymbolMap) -> FundingRate:
    return FundingRate(
        trading_pair=pair_of(row.coin, symbols), ts_ns=row.time * NS_PER_MS, rate=number(row.funding_rate)
    )


def context(trading_pair: str, row: AssetContext, ts_ns: int) -> MarketContext:
    """The venue puts no time into contexts: ts_ns is when it was received."""
    return MarketContext(
        trading_pair=trading_pair,
        ts_ns=ts_ns,
        mark_price=number(row.mark_px),
        index_price=number(row.oracle_px),
        mid_price=optional(row.mid_px),
        funding_rate=number(row.funding),
        open_interest=number(row.open_interest),
        day_volume=number(row.day_ntl_vlm),
    )


# Accounts


def account_state(
    account: str, state: ClearinghouseState, spot: SpotState, symbols: SymbolMap, received_ns: int
) -> AccountState:
    """Perps and spot of one account."""
    summary = state.margin_summary
    ts_ns = state.time * NS_PER_MS or received_ns
    return AccountState(
        account=account,
        ts_ns=ts_ns,
        account_value=number(summary.account_value),
        total_notional=number(summary.total_ntl_pos),
        margin_used=number(summary.total_margin_used),
        withdrawable=number(state.withdrawable),
        balances=(collateral(state), *spot_balances(spot)),
        positions=tuple(positions(state, symbols)),
    )


def collateral(state: ClearinghouseState) -> Balance:
    """What backs the perps of an account."""
    total = number(state.margin_summary.account_value)
    return Balance(currency=COLLATERAL, total=total, available=number(state.withdrawable))


def spot_balances(state: SpotState) -> Iterator[Balance]:
    """They carry the venue's own name for that side, "spot:"."""
    for row in state.balances:
        total = number(row.total)
        yield Balance(currency=f"spot:{row.coin}", total=total, available=total - number(row.hold))


def positions(state: ClearinghouseState, symbols: SymbolMap) -> Iterator[Position]:
    for entry in state.asset_positions:
        row = entry.position
        yield Position(
            trading_pair=pair_of(row.coin, symbols),
            amount=number(row.szi),
            entry_price=optional(row.entry_px),
            position_value=number(row.position_value),
            unrealized_pnl=number(row.unrealized_pnl),
            liquidation_price=optional(row.liquidation_px),
            leverage=Decimal(row.leverage.value),
            margin=row.leverage.type,
            margin_used=number(row.margin_used),
        )


# How the ledger says what left the account; everything else came to it, or names who it went to.
_LEAVING = frozenset({"withdraw", "vaultDeposit", "vaultCreate"})


def transfers(rows: Iterable[LedgerRow], account: str) -> Iterator[Transfer]:
    """The ledger's rows that name a sum: in `token` and `amount`, or in USDC. What arrives is positive."""
    for row in rows:
        said = row.delta
        kind, amount = str(said.get("type", "")), said.get("usdc", said.get("amount"))
        if not isinstance(amount, str):
            continue  # it moves no money that it would name, as a liquidation
        other = said.get("destination")
        leaves = (
            kind in _LEAVING or said.get("toPerp") is False or (isinstance(other, str) and other.lower() != account)
        )
        if not leaves:
            other = said.get("user")
        value = number(amount)
        yield Transfer(
            ts_ns=row.time * NS_PER_MS,
            kind=kind,
            currency=str(said.get("token", COLLATERAL)),
            amount=-value if leaves else value,
            counterparty=other if isinstance(other, str) else None,
        )


def funding_payment(delta: FundingDelta, time_ms: int, symbols: SymbolMap) -> FundingPayment:
    return FundingPayment(
        trading_pair=pair_of(delta.coin, symbols),
        ts_ns=time_ms * NS_PER_MS,
        amount=number(delta.usdc),
        rate=number(delta.funding_rate),
        position_amount=number(delta.szi),
    )
