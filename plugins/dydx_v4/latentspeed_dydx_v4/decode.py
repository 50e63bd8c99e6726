"""From what the indexer says to the words of core. Pure; names, signs and units change here and in encode.py only.

Whatever does not make sense raises ProtocolError with the start of what was said.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from latentspeed_cli.connector.answers import number, optional
from latentspeed_cli.core.account import AccountState, Balance, FundingPayment, Position, Transfer
from latentspeed_cli.core.decimals import EXACT, ZERO
from latentspeed_cli.core.market_data import Candle, FundingRate, MarketContext, PriceLevel, PublicTrade
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import TradeType
from latentspeed_cli.errors import ProtocolError

from . import payloads
from .markets import DydxV4Market
from .payloads import (
    AssetPosition,
    CandleRow,
    Count,
    FundingPaymentRow,
    Level,
    LevelRow,
    PerpetualMarket,
    PerpetualPosition,
    Subaccount,
    Trade,
)
from .wire import NS_PER_MS, count, time_ns

COLLATERAL = "USDC"
PPM = Decimal(1_000_000)
SIDES = {"BUY": TradeType.BUY, "SELL": TradeType.SELL}
# Resolutions of candles: our word, the venue's, and their length.
RESOLUTIONS = {
    "1m": ("1MIN", 60_000),
    "5m": ("5MINS", 300_000),
    "15m": ("15MINS", 900_000),
    "30m": ("30MINS", 1_800_000),
    "1h": ("1HOUR", 3_600_000),
    "4h": ("4HOURS", 14_400_000),
    "1d": ("1DAY", 86_400_000),
}
_INTERVALS = {resolution: (interval, length_ms) for interval, (resolution, length_ms) in RESOLUTIONS.items()}


def pair_of(ticker: str | None, clob_pair_id: Count | None, symbols: SymbolMap) -> str:
    """The trading pair of a row. A market we do not know keeps its own name, so that its row does not hide others."""
    if ticker is not None:
        market = symbols.by_symbol(ticker)
        return ticker if market is None else market.trading_pair
    if clob_pair_id is not None:
        number_ = count(clob_pair_id)
        return next((one.trading_pair for one in symbols if one.asset_id == number_), "")
    return ""


def side_of(text: str | None) -> TradeType:
    side = SIDES.get(text or "")
    if side is None:
        raise ProtocolError(f"an unknown side: {text!r}", payload=text or "")
    return side


# Public market data


def levels(rows: Iterable[LevelRow]) -> tuple[PriceLevel, ...]:
    """As they come: of a change, an amount of 0 deletes."""
    return tuple(
        PriceLevel(number(row.price), number(row.size))
        if isinstance(row, Level)
        else PriceLevel(number(row[0]), number(row[1]))
        for row in rows
    )


def public_trade(row: Trade, trading_pair: str, received_ns: int | None = None) -> PublicTrade:
    return PublicTrade(
        trading_pair=trading_pair,
        trade_id=row.id,
        ts_ns=time_ns(row.created_at),
        side=side_of(row.side),
        price=number(row.price),
        amount=number(row.size),
        received_ns=received_ns,
    )


def candle(row: CandleRow, symbols: SymbolMap, received_ns: int | None = None) -> Candle:
    known = _INTERVALS.get(row.resolution)
    if known is None:
        raise ProtocolError(f"candles of an unknown resolution: {row.resolution!r}", payload=row.resolution)
    interval, length_ms = known
    open_ts_ns = time_ns(row.started_at)
    return Candle(
        trading_pair=pair_of(row.ticker, None, symbols),
        interval=interval,
        open_ts_ns=open_ts_ns,
        close_ts_ns=open_ts_ns + (length_ms - 1) * NS_PER_MS,
        open=number(row.open),
        high=number(row.high),
        low=number(row.low),
        close=number(row.close),
        volume=number(row.base_token_volume),
        trades=row.trades,
        received_ns=received_ns,
    )


def context(row: PerpetualMarket, symbols: SymbolMap, ts_ns: int) -> MarketContext:
    """Orders are margined at the oracle price: it is mark and index in one. Raises ProtocolError before the first one.

    The venue puts no time into this: ts_ns is when it was received.
    """
    oracle = optional(row.oracle_price)
    if oracle is None:
        raise ProtocolError(f"{row.ticker} has no oracle price yet", payload=row.ticker)
    return MarketContext(
        trading_pair=pair_of(row.ticker, None, symbols),
        ts_ns=ts_ns,
        mark_price=oracle,
        index_price=oracle,
        mid_price=None,
        funding_rate=optional(row.next_funding_rate) or ZERO,
        open_interest=optional(row.open_interest),
        day_volume=optional(row.volume_24h),
    )


def funding_rate(row: payloads.FundingRate, symbols: SymbolMap) -> FundingRate:
    return FundingRate(
        trading_pair=pair_of(row.ticker, None, symbols), ts_ns=time_ns(row.effective_at), rate=number(row.rate)
    )


# Accounts


def transfer(row: payloads.Transfer) -> Transfer:
    """Seen from the subaccount whose news it is in: what arrives is positive."""
    leaves = row.type in ("TRANSFER_OUT", "WITHDRAWAL")
    other = row.recipient if leaves else row.sender
    amount = number(row.size)
    return Transfer(
        ts_ns=time_ns(row.created_at),
        kind=row.type.lower(),
        currency=row.symbol,
        amount=-amount if leaves else amount,
        counterparty=other.address if other.subaccount_number is None else f"{other.address}/{other.subaccount_number}",
    )


def funding_payment(row: FundingPaymentRow, symbols: SymbolMap) -> FundingPayment:
    size = number(row.size)
    return FundingPayment(
        trading_pair=pair_of(row.ticker, None, symbols),
        ts_ns=time_ns(row.created_at),
        amount=number(row.payment),
        rate=number(row.rate),
        position_amount=-size if row.side == "SHORT" and size > 0 else size,
    )


def position(row: PerpetualPosition, symbols: SymbolMap) -> Position:
    """Valued at the price that its unrealised profit was computed with, else at the oracle price of the market list.

    The indexer knows nothing of the leverage that was set: only the chain does (see with_leverage).
    """
    market = symbols.by_symbol(row.market)
    known = market if isinstance(market, DydxV4Market) else None
    amount = number(row.size)
    if row.side == "SHORT" and amount > 0:  # signed in every recording; a source that is not must not turn a short long
        amount = -amount
    entry, profit = optional(row.entry_price), optional(row.unrealized_pnl)
    value = ZERO
    if entry is not None and profit is not None:
        value = abs(EXACT.add(EXACT.multiply(amount, entry), profit))
    elif known is not None and known.oracle_price is not None:
        value = abs(EXACT.multiply(amount, known.oracle_price))
    is_isolated = known is not None and known.is_isolated
    return Position(
        trading_pair=pair_of(row.market, None, symbols),
        amount=amount,
        entry_price=entry,
        position_value=value,
        unrealized_pnl=ZERO if profit is None else profit,
        liquidation_price=None,
        leverage=None,
        margin="isolated" if is_isolated else "cross",
        margin_used=None,
    )


def with_leverage(told: Position, market: DydxV4Market, ppm: int) -> Position:
    """A position with its initial margin. ppm: the fraction that was set for the market, 0 when none was."""
    return msgspec.structs.replace(
        told,
        leverage=leverage_of(market, ppm),
        margin_used=EXACT.multiply(told.position_value, max(market.initial_margin_fraction, EXACT.scaleb(ppm, -6))),
    )


def leverage_of(market: DydxV4Market, ppm: int) -> Decimal:
    """What was set, else the most that the market allows. ppm: see with_leverage."""
    return (PPM / ppm).quantize(Decimal("0.01")).normalize() if ppm else Decimal(market.max_leverage)


def asset_amount(row: AssetPosition) -> Decimal:
    """Signed: debt is negative."""
    amount = number(row.size)
    return -abs(amount) if row.side == "SHORT" else amount


def balances(rows: Iterable[AssetPosition], free: Decimal | None) -> tuple[Balance, ...]:
    """free: what positions leave free of the collateral, when that is known: its amount grows with a short position."""
    found = []
    for row in rows:
        total = asset_amount(row)
        available = free if row.symbol == COLLATERAL else max(total, ZERO)
        found.append(Balance(currency=row.symbol, total=total, available=available))
    return tuple(found)


def account_state(row: Subaccount, symbols: SymbolMap, received_ns: int) -> AccountState:
    """One subaccount, at oracle prices."""
    equity, free = number(row.equity), number(row.free_collateral)
    positions = tuple(position(one, symbols) for one in row.open_perpetual_positions.values())
    notional = ZERO
    for one in positions:
        notional = EXACT.add(notional, one.position_value)
    return AccountState(
        account=row.address,
        ts_ns=received_ns,
        account_value=equity,
        total_notional=notional,
        margin_used=EXACT.subtract(equity, free),
        withdrawable=max(free, ZERO),
        balances=balances(row.asset_positions.values(), free),
        positions=positions,
    )


def no_account(address: str, received_ns: int) -> AccountState:
    """An address that never held anything here: the venue does not know it."""
    return AccountState(
        account=address,
        ts_ns=received_ns,
        account_value=ZERO,
        total_notional=ZERO,
        margin_used=ZERO,
        withdrawable=ZERO,
        balances=(Balance(currency=COLLATERAL, total=ZERO, available=ZERO),),
        positions=(),
    )
