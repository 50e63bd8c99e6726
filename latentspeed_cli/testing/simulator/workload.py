"""What users do in one world: several at once, each with one command after the other, as shell scripts and cron do.

Each command is a process of its own on the one journal; a bot is a longer one, with streams. Everything is drawn from
the seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from decimal import Decimal
from random import Random
from typing import TypeAlias

import msgspec

from ...connector.perpetual import PerpetualDerivativeBase
from ...connector.streams import Channel
from ...core.in_flight_order import InFlightOrder, OrderIntent
from ...core.reports import TradeUpdate
from ...core.types import OrderState, OrderType, TimeInForce, TradeType
from ...errors import Exit, LatentspeedError, OutcomeUnknown
from .process import Process
from .watch import Planned, Watch
from .weather import Weather
from .world import World

Work: TypeAlias = Callable[[Process], Awaitable[None]]
# Relative prices: far below, near, at the touch, through it (for a buy; a sell mirrors them).
_PRICES = ("mid-0.5%", "mid-0.05%", "best-1tick", "best", "best+1tick", "mid+0.05%", "mid+0.3%")
TIMEOUT_S = 15.0


class Stopped(LatentspeedError):
    """A signal ended the command, and no order is in doubt; as the command line says it."""

    exit = Exit.INTERRUPTED


class Workload:
    """The users of a world."""

    def __init__(self, world: World, watch: Watch, *, size: int) -> None:
        self._world = world
        self._watch = watch
        self._chance = world.faults.chance("workload")
        self._size = size
        self._numbers = 0
        self._planned: list[Planned] = []
        self._signals: list[asyncio.TimerHandle] = []

    async def run(self) -> None:
        """Everything that happens before the world heals."""
        users = self._chance.choice((1, 2, 2, 3))
        async with asyncio.TaskGroup() as tasks:
            weather = Weather(self._world).begin(tasks)
            async with asyncio.TaskGroup() as at_work:
                for number in range(users):
                    at_work.create_task(self._user(number, Random(self._chance.random())))
            for blow in weather:
                blow.cancel()
        self._world.has_power.set()
        for signal in self._signals:
            signal.cancel()

    async def _user(self, number: int, chance: Random) -> None:
        await asyncio.sleep(chance.choice((0.0, 0.0, 1.0)))
        for turn in range(chance.randrange(2, self._size + 1)):
            work = self._choose(chance)
            world = self._world
            await world.has_power.wait()
            die_at = None
            if world.faults.strikes("kill_at_disk_step"):
                die_at = chance.randrange(1, 40)
            process = Process(world, f"user{number}.{turn}", die_at_step=die_at)
            if world.faults.strikes("stop_signal"):
                self._signals.append(world.loop.call_later(chance.uniform(0.0, 3.0), process.stop))
            await process.run(work)
            await asyncio.sleep(chance.choice((0.0, 0.05, 0.5, 3.0, 20.0)))

    def _choose(self, chance: Random) -> Work:
        fate = chance.random()
        known = chance.choice(self._planned) if self._planned else None
        if known is None or fate < 0.45:
            return self._place(self._plan(chance))
        if fate < 0.6:
            return self._place(known)
        if fate < 0.64:
            return self._place(_changed(known))
        if fate < 0.82:
            return self._cancel(known)
        if fate < 0.9:
            return self._status(known)
        return self._bot(chance)

    def _plan(self, chance: Random) -> Planned:
        self._numbers += 1
        pair = chance.choice(self._world.site.pairs)
        is_market = chance.random() < 0.15
        tif = TimeInForce.IOC if is_market or chance.random() < 0.25 else TimeInForce.GTC
        side = chance.choice((TradeType.BUY, TradeType.SELL))
        price = chance.choice(_PRICES)
        if side is TradeType.SELL:
            price = price.translate(str.maketrans("+-", "-+"))
        intent = OrderIntent(
            trading_pair=pair,
            side=side,
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            amount=Decimal(chance.choice(self._world.site.sizes[pair])),
            price_expression=None if is_market else price,
            tif=tif,
            post_only=tif is TimeInForce.GTC and chance.random() < 0.2,
            reduce_only=tif is TimeInForce.IOC and chance.random() < 0.2,
        )
        planned = Planned(client_order_id=f"order-{self._numbers}", intent=intent)
        self._planned.append(planned)
        return planned

    # Commands

    def _place(self, planned: Planned) -> Work:
        async def work(process: Process) -> None:
            began_s, error, order, replayed = process.world.loop.time(), None, None, False
            connector: PerpetualDerivativeBase | None = None
            try:
                async with process.connector() as connector:
                    self._watch.expect(connector, planned)
                    outcome = await connector.place_order(
                        planned.intent, client_order_id=planned.client_order_id, timeout_s=TIMEOUT_S
                    )
                    order, error, replayed = outcome.order, outcome.error, outcome.replayed
            except LatentspeedError as trouble:
                error = trouble
            except asyncio.CancelledError:
                if process.dead or not process.stopped:
                    raise
                order = connector.order(planned.client_order_id) if connector is not None else None
                if order is None:
                    return
                is_open = order.outcome_unknown or order.state is OrderState.PENDING_SUBMIT
                error = OutcomeUnknown("stopped by a signal") if is_open else Stopped("stopped by a signal")
            self._watch.ended(
                process, "place", planned.client_order_id, order=order, error=error, replayed=replayed, began_s=began_s
            )

        return work

    def _cancel(self, planned: Planned) -> Work:
        async def work(process: Process) -> None:
            began_s, error, order = process.world.loop.time(), None, None
            try:
                async with process.connector() as connector:
                    found = await connector.find(planned.client_order_id)
                    if found is None:
                        return
                    outcome = await connector.cancel(found, timeout_s=TIMEOUT_S)
                    order, error = outcome.order, outcome.error
            except LatentspeedError as trouble:
                error = trouble
            except asyncio.CancelledError:
                if process.dead or not process.stopped:
                    raise
                return
            self._watch.ended(process, "cancel", planned.client_order_id, order=order, error=error, began_s=began_s)

        return work

    def _status(self, planned: Planned) -> Work:
        async def work(process: Process) -> None:
            began_s, error, order = process.world.loop.time(), None, None
            try:
                async with process.connector() as connector:
                    order = await connector.find(planned.client_order_id)
                    if order is None:
                        return
                    order = await settle(connector, order)
            except LatentspeedError as trouble:
                error = trouble
            except asyncio.CancelledError:
                if process.dead or not process.stopped:
                    raise
                return
            self._watch.ended(process, "status", planned.client_order_id, order=order, error=error, began_s=began_s)

        return work

    def _bot(self, chance: Random) -> Work:
        """A program: it follows its orders, submits several at once, and cancels some of them."""
        plans = [self._plan(chance) for _ in range(chance.randrange(1, 4))]
        rest_s, cancels = chance.choice((1.0, 8.0, 40.0)), chance.random() < 0.7

        async def work(process: Process) -> None:
            try:
                async with process.connector() as connector, asyncio.TaskGroup() as tasks:
                    follower = tasks.create_task(_follow(process, connector))
                    try:
                        for planned in plans:
                            self._watch.expect(connector, planned)
                            connector.submit(planned.intent, client_order_id=planned.client_order_id)
                        await asyncio.sleep(rest_s)
                        for planned in plans if cancels else ():
                            await _cancel_if_alive(process, connector, planned.client_order_id)
                    finally:
                        follower.cancel()
            except LatentspeedError as trouble:
                process.world.trace.note(process.name, f"gives up: {trouble}")
            except asyncio.CancelledError:
                if process.dead or not process.stopped:
                    raise

        return work


async def settle(connector: PerpetualDerivativeBase, order: InFlightOrder) -> InFlightOrder:
    """As `status ID` does: an undecided order is resolved, any other brought up to date."""
    if order.outcome_unknown or not order.is_done:
        return await connector.resolve(order, timeout_s=TIMEOUT_S)
    return await connector.refresh(order)


async def _cancel_if_alive(process: Process, connector: PerpetualDerivativeBase, client_order_id: str) -> None:
    order = connector.order(client_order_id)
    if order is None or order.is_done:
        return
    try:
        await connector.cancel(order, timeout_s=TIMEOUT_S)
    except LatentspeedError as trouble:
        process.world.trace.note(process.name, f"cannot cancel {client_order_id}: {trouble}")


async def _follow(process: Process, connector: PerpetualDerivativeBase) -> None:
    seen: set[str] = set()
    try:
        async with aclosing(connector.stream((Channel.ORDERS, Channel.FILLS))) as items:
            async for item in items:
                if isinstance(item, TradeUpdate):
                    process.world.trace.note(process.name, f"streams fill {item.fill_id}")
                    if item.fill_id in seen:
                        process.world.broken("I3", f"{process.name} streams fill {item.fill_id} twice")
                    seen.add(item.fill_id)
    except LatentspeedError as trouble:
        process.world.trace.note(process.name, f"loses its stream: {trouble}")


def _changed(planned: Planned) -> Planned:
    """The same id with another amount: another order."""
    intent = planned.intent
    return msgspec.structs.replace(
        planned, intent=msgspec.structs.replace(intent, amount=(intent.amount or Decimal(1)) * 2)
    )
