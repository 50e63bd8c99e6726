"""What a process does in a world: the verbs of the command line, and a bot. Each is work for one Process.

They use the connector as the verbs of the same name do, and hand to the watch what these would show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from random import Random
from typing import TypeAlias

from ...connector.parts import WaitFor
from ...connector.perpetual import PerpetualDerivativeBase
from ...connector.streams import Channel
from ...core.in_flight_order import InFlightOrder
from ...core.reports import TradeUpdate
from ...core.types import OrderState
from ...errors import Exit, LatentspeedError, OutcomeUnknown
from .process import Process
from .watch import Planned, Watch

Work: TypeAlias = Callable[[Process], Awaitable[None]]
TIMEOUT_S = 15.0


class Stopped(LatentspeedError):
    """A signal ended the command, and no order is in doubt; as the command line says it."""

    exit = Exit.INTERRUPTED


class Commands:
    """watch: hears what users are told."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def place(self, planned: Planned, wait: WaitFor = "ack") -> Work:
        async def work(process: Process) -> None:
            began_s, error, order, replayed = process.world.loop.time(), None, None, False
            connector: PerpetualDerivativeBase | None = None
            try:
                async with process.connector() as connector:
                    self._watch.expect(connector, planned)
                    outcome = await connector.place_order(
                        planned.intent, client_order_id=planned.client_order_id, wait=wait, timeout_s=TIMEOUT_S
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
                error = _stopped(order)
            self._watch.ended(
                process, "place", planned.client_order_id, order=order, error=error, replayed=replayed, began_s=began_s
            )

        return work

    def cancel(self, client_order_id: str) -> Work:
        async def change(connector: PerpetualDerivativeBase) -> tuple[InFlightOrder, LatentspeedError | None] | None:
            found = await connector.find(client_order_id)
            if found is None:
                return None
            outcome = await connector.cancel(found, timeout_s=TIMEOUT_S, to_the_end=True)
            return outcome.order, outcome.error

        return self._about_one("cancel", client_order_id, change)

    def status(self, client_order_id: str) -> Work:
        async def ask(connector: PerpetualDerivativeBase) -> tuple[InFlightOrder, LatentspeedError | None] | None:
            order = await connector.find(client_order_id)
            if order is None:
                return None
            if order.outcome_unknown or not order.is_done:
                return await connector.resolve(order, timeout_s=TIMEOUT_S), None
            return await connector.refresh(order), None

        return self._about_one("status", client_order_id, ask)

    def _about_one(
        self,
        verb: str,
        client_order_id: str,
        do: Callable[[PerpetualDerivativeBase], Awaitable[tuple[InFlightOrder, LatentspeedError | None] | None]],
    ) -> Work:
        async def work(process: Process) -> None:
            began_s, error, order = process.world.loop.time(), None, None
            try:
                async with process.connector() as connector:
                    found = await do(connector)
                    if found is None:
                        return
                    order, error = found
            except LatentspeedError as trouble:
                error = trouble
            except asyncio.CancelledError:
                if process.dead or not process.stopped:
                    raise
                return
            self._watch.ended(process, verb, client_order_id, order=order, error=error, began_s=began_s)

        return work

    def cancel_all(self) -> Work:
        """What the venue takes together is sent together."""

        async def work(process: Process) -> None:
            try:
                async with process.connector() as connector:
                    orders = [order for order in await connector.open_orders() if not order.is_external]
                    together = asyncio.create_task(connector.cancel_together(orders, timeout_s=TIMEOUT_S))
                    try:
                        async with asyncio.TaskGroup() as tasks:
                            for order in orders:
                                tasks.create_task(self._cancel_one(process, connector, order, together))
                    finally:
                        together.cancel()
            except* LatentspeedError as troubles:
                process.world.trace.note(process.name, f"cannot cancel all: {troubles.exceptions!r}")
            except* asyncio.CancelledError:
                if process.dead or not process.stopped:
                    raise

        return work

    async def _cancel_one(
        self,
        process: Process,
        connector: PerpetualDerivativeBase,
        order: InFlightOrder,
        together: asyncio.Task[None],
    ) -> None:
        began_s = process.world.loop.time()
        error: LatentspeedError | None
        try:
            await together
            left_s = max(began_s + TIMEOUT_S - process.world.loop.time(), 0.0)
            outcome = await connector.cancel(order, timeout_s=left_s, to_the_end=True)
            order, error = outcome.order, outcome.error
        except LatentspeedError as trouble:
            error = trouble
        self._watch.ended(process, "cancel", order.client_order_id, order=order, error=error, began_s=began_s)

    def bot(self, plans: list[Planned], chance: Random) -> Work:
        """A program: it follows its orders, submits several at once, and cancels them later, or not."""
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


def _stopped(order: InFlightOrder) -> LatentspeedError:
    """What a run that a signal stopped says of its order."""
    is_open = order.outcome_unknown or order.state is OrderState.PENDING_SUBMIT
    return OutcomeUnknown("stopped by a signal") if is_open else Stopped("stopped by a signal")


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
