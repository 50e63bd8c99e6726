"""An event loop on virtual time: when nothing is ready, time jumps to the next timer. Nothing ever waits or threads."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from itertools import count
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MAX_STEPS = 400_000
# Whose task it is: tasks belong to whom the task that made them belongs to.
OWNER: contextvars.ContextVar[object] = contextvars.ContextVar("owner", default=None)


class Stuck(Exception):
    """Nothing is ready and no timer is set: whoever waits would wait for ever."""


class RealWait(Exception):
    """Simulated code reached for a thread, a socket or a subprocess."""


class OrderedTask(asyncio.Task[T]):
    """A task that hashes by its number, so that sets of tasks have the same order in every run."""

    number: int
    owner: object

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.BaseEventLoop):
    """Seconds start at 0. troubles: what nobody caught. steps: turns of the loop; too many mean that time stands still.

    tasks: those that live, by number.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._numbers = count(1)
        # What BaseEventLoop asks of the selector that its subclasses bring.
        self._selector = self
        self.steps = 0
        self.tasks: dict[int, OrderedTask[Any]] = {}
        self.troubles: list[str] = []
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._note_trouble)
        self.slow_callback_duration = float("inf")

    def time(self) -> float:
        return self._now_s

    def select(self, timeout: float | None) -> list[object]:
        """Called once a turn, with how long until the next timer."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Stuck(f"{MAX_STEPS} turns, and it is {self._now_s:.3f} s")
        if timeout is None:
            raise Stuck(f"at {self._now_s:.3f} s everybody waits for somebody else")
        if timeout > 0:
            timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
            self._now_s = max(self._now_s, timers[0].when())
        return []

    def _process_events(self, events: list[object]) -> None:
        """There are none: no file descriptor is watched."""

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)  # asyncio closes generators by it; there is no thread

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        raise RealWait(f"a thread was asked for: {func}")

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, T] | Generator[Any, None, T],
        context: contextvars.Context | None = None,
    ) -> OrderedTask[T]:
        number = next(self._numbers)
        # Registering hashes the task, so the number has to be there before.
        OrderedTask.number = number
        task = OrderedTask(work, loop=loop, context=context)
        task.number = number
        task.owner = OWNER.get() if context is None else context.get(OWNER)
        self.tasks[number] = task
        task.add_done_callback(self._forget)
        return task

    def owned_by(self, owner: object) -> list[OrderedTask[Any]]:
        """Living tasks of one owner, oldest first."""
        return [task for task in self.tasks.values() if task.owner is owner]

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(hash(task), None)

    def _note_trouble(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.troubles.append(f"{context.get('message')}: {error!r}")
