"""From what the indexer says to the words of core. Pure; names, signs and units change here and in encode.py only.

Whatever does not make sense raises ProtocolError with the start of what was said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from latentspeed_cli.core.account import AccountState, Balance, FundingPayment, Position
from latentspeed_cli.core.decimals import EXACT, ZERO
from latentspeed_cli.core.market_data import Candle, FundingRate, MarketContext, PriceLevel, PublicTrade
from latentspeed_cli.core.reports import TURNED_AWAY, Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import Liquidity, TradeType
from latentspeed_cli.errors import ProtocolError

from . import identifiers, payloads
from .constants import SHORT_TERM
from .markets import DydxV4Market
from .payloads import (
    AssetPosition,
    CandleRow,
    Count,
    EventBuffer,
    Fill,
    FundingPaymentRow,
    Level,
    LevelRow,
    OrderRow,
    PerpetualMarket,
    PerpetualPosition,
    Subaccount,
    Trade,
)
from .wire import NS_PER_MS, count, number, optional, shape, time_ns

COLLATERAL = "USDC"
SIDES = {"BUY": TradeType.BUY, "SELL": TradeType.SELL}
LIQUIDITIES = {"TAKER": Liquidity.TAKER, "MAKER": Liquidity.MAKER}
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

# What the order of a removal reason became. All other reasons are somebody's decision: CANCELLED.
REASON_PREFIX = "ORDER_REMOVAL_REASON_"
_EXPIRED = frozenset({"expired", "indexer_expired"})
_IMMEDIATE = frozenset({"immediate_or_cancel_would_rest_on_book", "fok_order_could_not_be_fully_fulled"})
CROSSES = "post_only_would_cross_maker_order"
_NOT_AN_END = frozenset({"replaced", "fully_filled"})
# A note of this text: the gossip of one node says that the order ends. Fills may follow.
ENDING = "ending"
REPLACED = "replaced"


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


# Orders


def cause_of(row: OrderRow) -> str | None:
    """Why an order was removed, in lower case; messages of 2023 lack the prefix."""
    reason = row.removal_reason
    if reason is None:
        return None
    cause = reason.removeprefix(REASON_PREFIX).lower()
    return None if cause == "unspecified" else cause


def is_short_term(row: OrderRow) -> bool:
    return count(row.order_flags) == SHORT_TERM


def report_of(row: OrderRow) -> tuple[Report, str | None]:
    """What a row says about its order, and the reason to keep with it.

    The gossip of one node may call an order cancelled while the chain fills it, before or after, so
    BEST_EFFORT_CANCELED is a note. An unknown status is a note too, never a guess.
    """
    match row.status:
        case "OPEN" | "BEST_EFFORT_OPENED":
            return Report.ACCEPTED, None
        case "UNTRIGGERED":
            return Report.ACCEPTED, "untriggered"
        case "FILLED":
            return Report.FILLED, None
        case "BEST_EFFORT_CANCELED":
            return Report.NOTE, REPLACED if cause_of(row) == REPLACED else ENDING
        case "CANCELED":
            return _removed(row)
        case "ERROR":
            return Report.FAILED, "error"
        case status:
            return Report.NOTE, status


def ended_as(row: OrderRow) -> tuple[Report, str | None]:
    """How a short-term order ended that has no final status, once the chain is past its last block.

    What gossip called cancelled was cancelled, unless it says otherwise: expiry is told in words of its own.
    """
    if row.status == "BEST_EFFORT_CANCELED" and cause_of(row) is None and row.time_in_force != "IOC":
        return Report.CANCELLED, "canceled"
    return _removed(row)


def _removed(row: OrderRow) -> tuple[Report, str | None]:
    """Every remainder of an immediate order is EXPIRED; core sees to that where the venue names another reason."""
    cause = cause_of(row)
    if cause in _EXPIRED:
        return Report.EXPIRED, "expired"
    if cause in _IMMEDIATE or (cause is None and row.time_in_force == "IOC"):
        return Report.EXPIRED, cause
    if cause in _NOT_AN_END:
        return Report.NOTE, cause
    if cause == "internal_error":
        was_accepted = row.created_at_height is not None or bool(optional(row.total_filled))
        return (Report.CANCELLED if was_accepted else Report.FAILED), cause
    if cause == CROSSES or (cause is None and _was_turned_away(row)):
        return Report.CANCELLED, TURNED_AWAY
    if cause is not None:
        return Report.CANCELLED, cause
    # Answers of the REST API give no reason. A short-term order is CANCELED there when its last block has passed, and
    # another when its time has, unless somebody was quicker.
    if is_short_term(row) or _is_past(row.good_til_block_time, row.updated_at):
        return Report.EXPIRED, "expired"
    return Report.CANCELLED, "canceled"


def _was_turned_away(row: OrderRow) -> bool:
    """A stateful order is first matched in the block after its own, and one that must not take is removed there.

    Nobody who had seen it rest could cancel it so soon.
    """
    if not row.post_only or is_short_term(row) or row.created_at_height is None or row.updated_at_height is None:
        return False
    return count(row.updated_at_height) == count(row.created_at_height) + 1 and not optional(row.total_filled)


def _is_past(limit: str | None, updated: str | None) -> bool:
    return limit is not None and updated is not None and time_ns(updated) >= time_ns(limit)


def order_update(row: OrderRow, symbols: SymbolMap, received_ns: int) -> OrderUpdate:
    """One order of a list, of a query or of a frame. received_ns: for rows that carry no time of their own."""
    report, reason = report_of(row)
    ts_ns = received_ns if row.updated_at is None else time_ns(row.updated_at)
    return _order(row, symbols, report, reason, ts_ns, kind="venue_status", detail=_said(row))


def order_over(row: OrderRow, symbols: SymbolMap, ts_ns: int, *, height: int) -> OrderUpdate:
    """The same for a short-term order that nobody will speak of again: `height` is beyond its last block."""
    report, reason = ended_as(row)
    detail = f"block {height} is past {row.good_til_block}; {_said(row)}"
    return _order(row, symbols, report, reason, ts_ns, kind="block_limit_passed", detail=detail)


def _said(row: OrderRow) -> str:
    return row.status if row.removal_reason is None else f"{row.status} {row.removal_reason}"


def _order(
    row: OrderRow, symbols: SymbolMap, report: Report, reason: str | None, ts_ns: int, *, kind: str, detail: str
) -> OrderUpdate:
    """A note says what the order is of nobody's: an order that is only known to end is not taken up from it."""
    final = report in (Report.FILLED, Report.CANCELLED, Report.EXPIRED, Report.FAILED)
    known = report is not Report.NOTE and row.side is not None
    size = optional(row.size)
    filled = optional(row.total_filled)
    if report is Report.FILLED and size is not None:
        filled = size  # it means just this; the sums of some messages lag behind
    metadata = row.client_metadata
    return OrderUpdate(
        report=report,
        trading_pair=pair_of(row.ticker, row.clob_pair_id, symbols),
        ts_ns=ts_ns,
        venue_client_id=None
        if metadata is None
        else identifiers.venue_client_id(count(row.client_id), count(metadata)),
        exchange_order_id=row.id,
        reason=reason,
        venue_code=row.status,
        venue_filled_amount=filled if filled is not None and filled > 0 else None,
        evidence=Evidence(kind=kind, ts_ns=ts_ns, detail=detail) if final else None,
        side=side_of(row.side) if known else None,
        amount=size if known else None,
        price=optional(row.price) if known else None,
        reduce_only=row.reduce_only if known else None,
        created_ts_ns=None if row.created_at is None else time_ns(row.created_at),
        good_til_block=count(row.good_til_block) if known and row.good_til_block is not None else None,
        good_til_ts_ns=time_ns(row.good_til_block_time) if known and row.good_til_block_time is not None else None,
    )


# Fills


def trade_updates(rows: Iterable[msgspec.Raw], symbols: SymbolMap, received_ns: int) -> Iterator[TradeUpdate]:
    """Every fill of a list that makes sense, then ProtocolError for the first that did not.

    A fill without an id is told from its equals by its place among them: two of one list may share the trade id.
    """
    equals: Counter[str] = Counter()
    first: ProtocolError | None = None
    for raw in rows:
        try:
            fill: Fill = shape(raw, Fill)
            fill_id = _fill_id(fill)
            if fill.id is None and fill_id.startswith("("):
                equals[fill_id] += 1
                fill_id = f"{fill_id}#{equals[fill_id]}"
            update = trade_update(fill, fill_id, symbols, received_ns)
        except ProtocolError as error:
            first = first or error
            continue
        yield update
    if first is not None:
        raise first


def _fill_id(fill: Fill) -> str:
    if fill.id is not None:
        return fill.id
    event = fill.event_id
    event_id = bytes(event.data).hex() if isinstance(event, EventBuffer) else event
    if event_id is not None and fill.liquidity in LIQUIDITIES:
        return identifiers.fill_id(event_id, fill.liquidity)
    return f"({fill.order_id},{event_id},{fill.side},{fill.price},{fill.size})"


def trade_update(fill: Fill, fill_id: str, symbols: SymbolMap, received_ns: int) -> TradeUpdate:
    """exchange_order_id is empty for a liquidation: that was no order of the account."""
    return TradeUpdate(
        fill_id=fill_id,
        exchange_order_id=fill.order_id or "",
        trading_pair=pair_of(fill.market or fill.ticker, fill.clob_pair_id, symbols),
        side=side_of(fill.side),
        price=number(fill.price),
        amount=number(fill.size),
        fee=number(fill.fee),
        fee_currency=COLLATERAL,
        ts_ns=time_ns(fill.created_at),
        liquidity=LIQUIDITIES.get(fill.liquidity or ""),
        received_ts_ns=received_ns,
    )


# Public market data


def levels(rows: Iterable[LevelRow]) -> tuple[PriceLevel, ...]:
    """As they come: of a change, an amount of 0 deletes."""
    return tuple(
        PriceLevel(number(row.price), number(row.size))
        if isinstance(row, Level)
        else PriceLevel(number(row[0]), number(row[1]))
        for row in rows
    )


def public_trade(row: Trade, trading_pair: str) -> PublicTrade:
    return PublicTrade(
        trading_pair=trading_pair,
        trade_id=row.id,
        ts_ns=time_ns(row.created_at),
        side=side_of(row.side),
        price=number(row.price),
        amount=number(row.size),
    )


def candle(row: CandleRow, symbols: SymbolMap) -> Candle:
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
    """Valued at the price that its unrealised profit was computed with, else at the oracle price of the market list."""
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
    fraction = known.initial_margin_fraction if known is not None else Decimal(1)
    is_isolated = known is not None and known.is_isolated
    return Position(
        trading_pair=pair_of(row.market, None, symbols),
        amount=amount,
        entry_price=entry,
        position_value=value,
        unrealized_pnl=ZERO if profit is None else profit,
        liquidation_price=None,
        leverage=Decimal(1 if known is None else known.max_leverage),
        margin="isolated" if is_isolated else "cross",
        margin_used=EXACT.multiply(value, fraction),
    )


def asset_amount(row: AssetPosition) -> Decimal:
    """Signed: debt is negative."""
    amount = number(row.size)
    return -abs(amount) if row.side == "SHORT" else amount


def balances(rows: Iterable[AssetPosition], free: Decimal | None) -> tuple[Balance, ...]:
    """free: what may be withdrawn of the collateral, when that is known; else all that is there."""
    found = []
    for row in rows:
        total = asset_amount(row)
        available = free if free is not None and row.symbol == COLLATERAL else max(total, ZERO)
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
