"""Somebody who trades for the account of a soak, with a journal of their own, so that its streams have much to tell."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from decimal import Decimal
from itertools import count
from typing import Any

from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import LatentspeedError

PAIRS = tuple(f"{coin}-USD" for coin in ("BTC", "ETH", "SOL", "AVAX", "LTC", "ARB", "DOGE", "SUI", "LINK", "XRP"))
# Well above the least that either venue takes, and so little that an hour moves neither books nor margin.
NOTIONAL = Decimal(50)
# One of so many orders rests. A chain takes 20 stateful orders in 100 blocks, which is one in 3.2 s at most.
RESTING = {"hyperliquid": 3, "dydx_v4": 40}
# An order that rests is cancelled when so many more do: late enough for some to be filled, or to live through a cut.
RESTING_AT_ONCE = 4


class Trader:
    """`rate` orders a second, in turns over pairs and sides; most are filled at once, of those that rest some.

    sent: orders that the venue answered. refused: how often for each reason an order or a cancel came to nothing, which
    is no fault. acknowledged: ids of orders that the venue has to list.
    """

    def __init__(self, connector: PerpetualDerivativeBase, rate: float) -> None:
        self.sent = 0
        self.refused: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self._connector = connector
        self._rate = rate
        self._resting: list[InFlightOrder] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Send orders until cancelled. Raises what an order or cancel raised that is no answer of ours."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for number in count():
            await asyncio.sleep(began_s + number / self._rate - loop.time())
            if self._failure is not None:
                raise self._failure
            self._spawn(self._order(number))
            if len(self._resting) > RESTING_AT_ONCE:
                self._spawn(self._cancel(self._resting.pop(0)))

    async def end(self) -> None:
        """Wait for what is on its way, and cancel what rests. Raises as `run` does."""
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*(self._cancel(order) for order in self._resting))
        if self._failure is not None:
            raise self._failure

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._failure = task.exception()

    async def _order(self, number: int) -> None:
        every = RESTING[self._connector.name]
        rests = number % every == every - 1
        turn, place = divmod(number, len(PAIRS))
        buys = (turn + place) % 2 == 1
        intent = OrderIntent(
            trading_pair=PAIRS[place],
            side=TradeType.BUY if buys else TradeType.SELL,
            order_type=OrderType.LIMIT if rests else OrderType.MARKET,
            notional=NOTIONAL,
            price_expression=_resting_price(number // every, buys) if rests else None,
        )
        try:
            # Others go on where one outcome is unknown, as they do where each order has a process of its own.
            outcome = await self._connector.place_order(intent, despite_unknown=True)
        except LatentspeedError as error:
            self.refused[str(error)[:80]] += 1
            return
        self.sent += 1
        if outcome.error is not None:
            self.refused[str(outcome.error)[:80]] += 1
            return
        if rests:
            self._resting.append(outcome.order)
        if outcome.order.exchange_order_id is not None and (rests or outcome.order.executed_amount):
            self.acknowledged.add(outcome.order.exchange_order_id)

    async def _cancel(self, order: InFlightOrder) -> None:
        try:
            await self._connector.cancel(order)
        except LatentspeedError as error:  # it was filled meanwhile, mostly; the venue's list says what became of it
            self.refused[str(error)[:80]] += 1


def _resting_price(turn: int, buys: bool) -> str:
    """Every other one is close enough to be filled."""
    if turn % 2:
        return "best"
    return "mid-1%" if buys else "mid+1%"
