"""`demo`: a whole order life on the local exchange, on every venue it has, told step by step while it is checked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..clock import monotonic_s
from ..config import DEFAULT_VENUE
from ..errors import Exit, LatentspeedError, UsageError
from ..records import DemoList, DemoRecord, DemoStep
from .call import of
from .grammar import VerbCommand, verb_app
from .tour import STEPS, Tell, tour

if TYPE_CHECKING:
    from ..output import Output
    from .call import Call

app = verb_app()


class Board:
    """The steps as people read them: each is shown when all venues have come that far, one block a venue."""

    def __init__(self, output: Output, venues: tuple[str, ...]) -> None:
        self._output = output
        self._told: dict[str, list[DemoStep]] = {venue: [] for venue in venues}
        self._ended: set[str] = set()
        self._shown = 0
        self._margin = max(map(len, venues)) + 2 if len(venues) > 1 else 0

    def tell(self, venue: str, step: DemoStep) -> None:
        self._told[venue].append(step)
        self._show()

    def end(self, venue: str) -> None:
        """This venue has no more to tell: nobody waits for it."""
        self._ended.add(venue)
        self._show()

    def steps(self, venue: str) -> tuple[DemoStep, ...]:
        return tuple(self._told[venue])

    def _show(self) -> None:
        if self._output.format != "table":
            return
        while any(len(steps) > self._shown for steps in self._told.values()) and all(
            len(steps) > self._shown or venue in self._ended for venue, steps in self._told.items()
        ):
            now = {venue: steps[self._shown] for venue, steps in self._told.items() if len(steps) > self._shown}
            self._shown += 1
            title = next(iter(now.values())).title
            self._output.text("\n".join([f"\n{self._shown}. {title}", *map(self._block, now, now.values())]))

    def _block(self, venue: str, step: DemoStep) -> str:
        mark = "" if step.held else "  <- not as it should be"
        name = f"   {venue:{self._margin}}" if self._margin else "   "
        return f"{name}$ {step.command}\n{' ' * len(name)}{step.told}{mark}"


@app.command(cls=VerbCommand)
def demo(ctx: typer.Context, pair: Annotated[str, typer.Argument(help="Trading pair.")] = "BTC-USD") -> Exit:
    """Walk a whole order life on the local exchange: placed, partly filled, cancelled, streamed, found again.

    On all its venues at the same time, or with --venue on one.
    """
    call = of(ctx)
    output = call.show_as(DemoRecord)
    if call.settings.network != "sandbox":
        raise UsageError("the tour takes place on the sandbox only", hint="leave --network out")
    venues = _venues(call)
    started_s = monotonic_s()
    records, trouble = call.run(_tours(call, Board(output, venues), venues, pair))
    if output.format == "table":
        took_s = monotonic_s() - started_s
        held = all(record.held for record in records)
        output.text(f"\nDone in {took_s:.1f} s." if held else "\nThis did not go as it should.")
    else:
        output.show(DemoList(items=tuple(records)))
    if trouble is not None:
        raise trouble
    failed = [record.venue for record in records if not record.held]
    if failed:
        hint = "run it again, and tell us if it stays so"
        raise LatentspeedError(f"the tour of {' and '.join(failed)} did not go as told", hint=hint)
    return Exit.OK


def _venues(call: Call) -> tuple[str, ...]:
    """The venue that was asked for, else all that the local exchange has, the usual one first."""
    settings = call.settings
    if call.text("venue") is not None or settings.base_url is not None:
        return (settings.venue,)
    from ..sandbox import supervisor

    names = supervisor.ensure(settings.state_dir, notify=call.output.note).venues
    return tuple(sorted(names, key=lambda name: (name != DEFAULT_VENUE, name)))


async def _tours(
    call: Call, board: Board, venues: tuple[str, ...], pair: str
) -> tuple[list[DemoRecord], LatentspeedError | None]:
    """The tour of every venue, and the first thing that broke one off. A broken one does not stop the others."""
    trouble: list[LatentspeedError] = []

    async def one(venue: str) -> DemoRecord:
        settings = msgspec.structs.replace(call.settings, venue=venue)
        started_s = monotonic_s()
        try:
            await tour(settings, pair, _teller(board, venue))
        except LatentspeedError as error:
            trouble.append(error)
        finally:
            board.end(venue)
        steps = board.steps(venue)
        return DemoRecord(
            venue=venue,
            network=settings.network,
            held=len(steps) == STEPS and all(step.held for step in steps),
            took_ms=round((monotonic_s() - started_s) * 1000),
            steps=steps,
        )

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(venue)) for venue in venues]
    return [task.result() for task in tasks], trouble[0] if trouble else None


def _teller(board: Board, venue: str) -> Tell:
    """How a tour tells its steps. Commands name the venue unless it is the one that is meant anyway."""

    def tell(title: str, command: str, told: str, *, held: bool) -> None:
        if venue != DEFAULT_VENUE:
            command = f"{command} -x {venue}"
        board.tell(venue, DemoStep(title=title, command=f"latentspeed {command}", told=told, held=held))

    return tell
