"""Where the cases are run: one venue on a local exchange of its own, reached as a program would reach it."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ... import plugins
from ...config import Settings
from ...connector.perpetual import PerpetualDerivativeBase
from ...core.flow import Flow
from ...core.guards import Guards
from ...core.in_flight_order import InFlightOrder, OrderIntent
from ...core.types import OrderType, TimeInForce, TradeType
from ...errors import OrderRefused
from ...sandbox import supervisor
from ...sandbox.home import Home, Options
from ...session import open_connector
from .expect import equal, eventually, raises

OWN, OTHER = 2, 3  # of the ten published accounts; the first two are the command line's and the demo's
ORDER_VALUE = Decimal(1000)
COUNTED = 1_000_000
TRIES = 8


class Ground:
    """One venue on a running local exchange.

    spec: what the connector says it can do; pair: the market that is traded; amount: a size worth some 1,000 in its
    quote currency. A case has the account OWN for itself, and OTHER for whom it trades with.
    """

    def __init__(self, venue: str, folder: Path, *, pair: str = "BTC-USD", scenario: str = "brisk") -> None:
        self.plugin = plugins.load(venue)
        self.spec = self.plugin.spec
        self.venue, self.pair = venue, pair
        self.amount = Decimal(0)
        self._folder = folder
        self._place_path = self._cancel_path = ""
        supervisor.start(folder, Options(port=0, seed=7, scenario=scenario))
        self._control = supervisor.control(folder)

    def close(self) -> None:
        """End the local exchange."""
        supervisor.stop(self._folder)

    # The connector, as programs have it

    @asynccontextmanager
    async def trader(
        self,
        account: int = OWN,
        *,
        program: str = "",
        sign: bool = True,
        public: bool = False,
        guards: Guards | None = None,
    ) -> AsyncIterator[PerpetualDerivativeBase]:
        """A running connector. Programs of other names have other journals, as on another machine."""
        settings = self.settings(account, program=program, guards=guards)
        async with open_connector(settings, sign=sign, public=public) as connector:
            yield connector

    def settings(self, account: int = OWN, *, program: str = "", guards: Guards | None = None) -> Settings:
        folder = self._folder
        if program:
            folder = folder / program
            Home(self._folder).share(folder)
        return Settings(
            venue=self.venue,
            network="sandbox",
            profile=None,
            account=None,
            vault=None,
            key=None,
            base_url=None,
            guards=guards or Guards(),
            output=None,
            state_dir=folder,
            cache_dir=self._folder / "cache",
            config_path=folder / "config.toml",
            timeout_s=15.0,
            mainnet_confirmed=False,
            sandbox_account=account,
        )

    def environment(self) -> dict[str, str]:
        """For a process that is to use the same exchange."""
        settings = self.settings()
        return {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(self._folder),
            "LATENTSPEED_STATE_DIR": str(settings.state_dir),
            "LATENTSPEED_CACHE_DIR": str(settings.cache_dir),
        }

    def can(self, *words: str) -> bool:
        """Whether the connector says that it has all of these: order types, times in force, capabilities, channels."""
        known = {*self.spec.order_types, *self.spec.tifs, *self.spec.capabilities, *self.spec.channels}
        return known.issuperset(words)

    # Orders

    def intent(self, side: TradeType = TradeType.BUY, **fields: Any) -> OrderIntent:
        """An order on the market that is traded: a limit order, unless the fields say otherwise."""
        values = {"order_type": OrderType.LIMIT, "amount": self.amount, **fields}
        return OrderIntent(trading_pair=self.pair, side=side, **values)

    def resting(self, side: TradeType = TradeType.BUY, **fields: Any) -> OrderIntent:
        """An order too far from the market to meet anybody."""
        price = "mid-1%" if side is TradeType.BUY else "mid+1%"
        return self.intent(side, **{"price_expression": price, "post_only": self.can("post_only"), **fields})

    def market(self, side: TradeType = TradeType.BUY, **fields: Any) -> OrderIntent:
        return self.intent(side, order_type=OrderType.MARKET, tif=TimeInForce.IOC, **fields)

    async def partly_filled(self, trader: PerpetualDerivativeBase) -> InFlightOrder:
        """An order of ours of which the other account has taken a part, and of which the rest is open.

        The market moves: an order that is overtaken, or taken whole, is tried again with a fresh one.
        """
        await trader.markets()
        part = trader.quantize_order_amount(self.pair, self.amount / 2)
        async with self.trader(OTHER) as other:
            for _ in range(TRIES):
                await trader.book(self.pair)  # so that the next order is priced by it
                order = (await trader.place_order(self.resting(price_expression="best"))).order
                if not order.is_done:
                    price = order.price or Decimal(0)
                    bids = (await other.book(self.pair)).bids
                    ahead = sum((level.amount for level in bids if level.price >= price), Decimal(0)) - self.amount
                    amount = max(ahead, Decimal(0)) + part
                    await other.place_order(
                        self.intent(TradeType.SELL, amount=amount, price=price, tif=TimeInForce.IOC)
                    )
                    order = await trader.refresh(order)
                if order.executed_amount and not order.is_done:
                    return order
                if not order.is_done:
                    await trader.cancel(order)
        raise AssertionError(f"in {TRIES} tries no order was taken in part; the last one is {order!r}")

    async def refused(self, trader: PerpetualDerivativeBase, intent: OrderIntent) -> OrderRefused:
        """Why `intent` is refused. Raises AssertionError unless it is (exit 3), and nothing was sent."""
        sent = self.sent()
        error = await raises(OrderRefused, trader.place_order(intent))
        equal("requests sent", self.sent(), sent)
        return error

    async def position(self, trader: PerpetualDerivativeBase) -> Decimal:
        """What the account holds of the base, below zero when it is short."""
        held = [position.amount for position in await trader.positions() if position.trading_pair == self.pair]
        return sum(held, Decimal(0))

    async def flatten(self, trader: PerpetualDerivativeBase) -> None:
        """Trade until the account holds nothing."""
        held = await self.position(trader)
        if held:
            side = TradeType.SELL if held > 0 else TradeType.BUY
            await trader.place_order(self.market(side, amount=abs(held)), wait="filled")

            async def rest() -> Decimal:
                return await self.position(trader)

            await eventually("the position", rest, lambda amount: not amount)

    async def at_venue(self, trader: PerpetualDerivativeBase, count: int) -> list[InFlightOrder]:
        """All open orders of the account, which are so many. Raises AssertionError when there are not."""
        return await eventually("open orders", trader.open_orders, lambda orders: len(orders) == count)

    # What only the exchange can do

    def control(self, command: str, **arguments: object) -> Any:
        """A command of the sandbox about this venue; see sandbox/control.py."""
        return self._control.call(self.venue, command, **arguments)

    def trouble(self, kind: str, *, with_cancels: bool = False, **how: object) -> None:
        """Order trouble (sandbox/faults.py) with the next placement, or the next cancel; changes are counted anew."""
        self.control("clear")
        self.control(kind, path=self._cancel_path if with_cancels else self._place_path, **how)
        self._count_anew()

    def sent(self) -> int:
        """How many placements and cancels have come to the venue since this case, or the trouble, began."""
        counters = [item for item in self.control("pending") if item["kind"] == "delay_request"]
        left = [int(item["count"]) for item in counters if item["count"] > COUNTED // 2]
        return len(left) * COUNTED - sum(left)

    def unstruck(self) -> list[str]:
        """The kinds of trouble that were ordered and have not struck: what was then seen proves nothing."""
        return [item["kind"] for item in self.control("pending") if item["count"] <= COUNTED // 2]

    def _count_anew(self) -> None:
        for path in {self._place_path, self._cancel_path}:
            self.control("delay_request", path=path, seconds=0, count=COUNTED)

    async def begin(self) -> None:
        """Before a case: nothing rests, nothing is wrong, nothing was sent."""
        self.control("clear")
        async with self.trader() as trader:
            if not self._place_path:
                await self._learn(trader)
            for order in await trader.open_orders():
                await trader.cancel(order)
        self._count_anew()

    async def _learn(self, trader: PerpetualDerivativeBase) -> None:
        """A size to trade, and where placements and cancels go; the order that tells is cancelled with the others."""
        book = await trader.book(self.pair)
        self.pair = book.trading_pair
        try:
            self.amount = trader.quantize_order_amount(self.pair, ORDER_VALUE / book.bids[0].price)
        except OrderRefused:
            self.amount = trader.rules[self.pair].min_amount
        order = (await trader.place_order(self.resting())).order
        self._place_path = _path_of(trader.place_flow(order))
        self._cancel_path = _path_of(trader.cancel_flow(order, nonce=order.nonce or 0, attempt=1))


def _path_of(flow: Flow[Any]) -> str:
    """Where the first request of a flow goes."""
    request = next(flow)
    flow.close()
    return urlsplit(request.url).path
