"""PerpetualDerivativeBase: what perpetual markets add. Positions, leverage, funding, mark and index prices."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from ..core.account import Position
from ..core.market_data import MarketContext
from ..core.types import TradeType
from ..errors import LatentspeedError, OrderRefused, OutcomeUnknown
from .base import ConnectorBase
from .drive import drive

# After which waits a venue is asked again whether it has done it: a few blocks of a slow chain.
LEVERAGE_WAITS_S = (0.2, 0.3, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0)


class PerpetualDerivativeBase(ConnectorBase):
    """A connector to perpetual markets."""

    async def positions(self) -> tuple[Position, ...]:
        """Open positions of the account."""
        return (await self.account_state()).positions

    async def get_funding_info(self, trading_pair: str) -> MarketContext:
        """Funding rate (current, hourly), mark and index price of one market."""
        (context,) = await self.context([trading_pair])
        return context

    async def get_mark_price(self, trading_pair: str) -> Decimal:
        return (await self.get_funding_info(trading_pair)).mark_price

    async def get_index_price(self, trading_pair: str) -> Decimal:
        return (await self.get_funding_info(trading_pair)).index_price

    async def get_leverage(self, trading_pair: str) -> tuple[Decimal, str]:
        """The leverage set for a market and its margin kind, "cross" or "isolated"."""
        return await self.reader.leverage((await self.reader.market(trading_pair)).trading_pair)

    async def set_leverage(self, trading_pair: str, leverage: int, cross: bool = True) -> tuple[Decimal, str]:
        """Set the leverage of a market; what is set then. Raises OrderRefused, OrderRejected, OutcomeUnknown.

        A reading decides, since some venues answer before they do it, and a reply may be lost: what was asked for is
        set, or it is not known whether it will be.
        """
        signer = self.signer
        market = await self.reader.market(trading_pair)
        if not 1 <= leverage <= market.max_leverage:
            raise OrderRefused(
                f"leverage {leverage} is out of range", hint=f"{market.trading_pair} allows 1 to {market.max_leverage}"
            )
        await self.reader.ready()
        await self.reader.know_identity()
        nonce = self.parts.journal.reserve_nonce(signer, sequence=self.sequence_for(None))
        asked = (Decimal(leverage), "cross" if cross else "isolated")
        unknown = OutcomeUnknown("the venue took it, and does not show it yet", hint="read the leverage in a moment")
        waits_s: tuple[float, ...] = LEVERAGE_WAITS_S
        try:
            await drive(self.parts.http, self.leverage_flow(market.trading_pair, leverage, cross=cross, nonce=nonce))
        except OutcomeUnknown as lost:
            unknown, waits_s = lost, ()
        for wait_s in (0.0, *waits_s):
            await asyncio.sleep(wait_s)
            try:
                if await self.reader.leverage(market.trading_pair) == asked:
                    return asked
            except LatentspeedError:
                break
        raise unknown

    def quantize_order_amount(self, trading_pair: str, amount: Decimal) -> Decimal:
        """The largest legal amount that is not above `amount`. The markets must have been read. Raises OrderRefused."""
        return self.rules[trading_pair].fit_amount(amount)

    def quantize_order_price(self, trading_pair: str, price: Decimal, side: TradeType) -> Decimal:
        """The nearest legal price on the passive side of `price`. The markets must have been read."""
        return self.rules[trading_pair].fit_price(price, side)
