"""From the venue's metadata to markets and their rules. Pure, and exact: the grid is made of integers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from latentspeed_cli.connector import answers
from latentspeed_cli.connector.venue import Markets
from latentspeed_cli.core.decimals import EXACT, plain
from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.core.trading_rule import TradingRule
from latentspeed_cli.errors import OrderRefused, ProtocolError

from . import wire
from .payloads import PerpetualMarket, PerpetualMarkets

QUOTE_ATOMIC_RESOLUTION = -6  # of USDC: prices are first in quote quantums
NO_MINIMUM = Decimal(0)


class DydxV4Market(Market, frozen=True, kw_only=True):
    """A market with the integers of the chain. asset_id is the clob pair id, symbol the ticker.

    amount = base quantums * 10^atomic_resolution; price = subticks * 10^price_exponent. is_isolated: its position must
    be alone in a subaccount. oracle_price: as of when the markets were read.
    """

    atomic_resolution: int
    quantum_conversion_exponent: int
    step_base_quantums: int
    subticks_per_tick: int
    initial_margin_fraction: Decimal
    is_isolated: bool = False
    oracle_price: Decimal | None = None

    @property
    def price_exponent(self) -> int:
        return self.quantum_conversion_exponent + QUOTE_ATOMIC_RESOLUTION - self.atomic_resolution

    @property
    def amount_step(self) -> Decimal:
        """Base units."""
        return _scaled(self.step_base_quantums, self.atomic_resolution)

    @property
    def price_tick(self) -> Decimal:
        """Quote per base."""
        return _scaled(self.subticks_per_tick, self.price_exponent)


def market(row: PerpetualMarket) -> DydxV4Market:
    """One row of the venue's list. Raises ProtocolError when its numbers make no grid."""
    initial = answers.number(row.initial_margin_fraction)
    if row.step_base_quantums <= 0 or row.subticks_per_tick <= 0 or not 0 < initial <= 1:
        raise ProtocolError(f"the market {row.ticker!r} has no sensible grid or margin", payload=repr(row))
    if not (abs(row.atomic_resolution) <= 32 and abs(row.quantum_conversion_exponent) <= 32):
        raise ProtocolError(f"the market {row.ticker!r} has no sensible units", payload=repr(row))
    step = _scaled(row.step_base_quantums, row.atomic_resolution)
    is_active = row.status == "ACTIVE"
    return DydxV4Market(
        trading_pair=row.ticker,
        symbol=row.ticker,
        asset_id=wire.count(row.clob_pair_id),
        size_decimals=len(plain(step).partition(".")[2]),
        max_leverage=int(1 / initial),
        is_active=is_active,
        refusal=None if is_active else f"the venue does not trade this market now: it is {row.status}",
        atomic_resolution=row.atomic_resolution,
        quantum_conversion_exponent=row.quantum_conversion_exponent,
        step_base_quantums=row.step_base_quantums,
        subticks_per_tick=row.subticks_per_tick,
        initial_margin_fraction=initial,
        is_isolated=row.market_type == "ISOLATED",
        oracle_price=None if row.oracle_price is None else answers.number(row.oracle_price),
    )


def _scaled(units: int, exponent: int) -> Decimal:
    """units * 10^exponent, without superfluous zeros."""
    return EXACT.scaleb(Decimal(units), exponent).normalize(EXACT)


def trading_rule(found: DydxV4Market) -> TradingRule:
    """Whole steps, whole ticks; the smallest order is one step, and there is no least notional on this chain."""
    return TradingRule(
        trading_pair=found.trading_pair,
        amount_step=found.amount_step,
        min_amount=found.amount_step,
        min_notional=NO_MINIMUM,
        price_tick=found.price_tick,
    )


def rows(reply: PerpetualMarkets) -> Iterator[PerpetualMarket]:
    """Every row that makes sense, then ProtocolError for the first that did not."""
    return answers.each(reply.markets.values(), lambda raw: answers.shape(raw, PerpetualMarket))


def markets(listed: Iterable[PerpetualMarket]) -> Markets:
    """All of them, in the order of their clob pair ids, with the rules of each."""
    found = sorted(answers.kept(answers.each(listed, market)), key=lambda one: one.asset_id)
    return Markets(symbols=SymbolMap(found), rules={one.trading_pair: trading_rule(one) for one in found})


def of(symbols: SymbolMap, trading_pair: str) -> DydxV4Market:
    """The market a person means. Raises OrderRefused."""
    found = symbols.find(trading_pair)
    if not isinstance(found, DydxV4Market):
        raise OrderRefused(f"{trading_pair} is not a market of this venue")
    return found
