"""One run of the command line: what was given, and what follows from it, worked out when it is first asked for."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import LatentspeedError, UsageError
from .grammar import Given
from .outcome import Interrupted, Terminated

if TYPE_CHECKING:
    import asyncio

    import typer

    from ..config import Settings
    from ..output import Output
    from ..records import Record

T = TypeVar("T")


class Call(Given):
    """What a verb is handed as `ctx.obj`.

    options: what the verb itself adds to the settings, such as timeout and max_notional. stopped: the signal that ended
    the run, or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.options: dict[str, str | None] = {}
        self.streaming = False
        self.stopped: type[LatentspeedError] | None = None

    @cached_property
    def settings(self) -> Settings:
        from .. import config, telemetry

        if self.flag("verbose"):
            telemetry.set_up_logging(2)
        else:
            logging.getLogger(telemetry.ROOT).addHandler(logging.NullHandler())
        said = {name: self.text(name) for name in ("venue", "network", "profile", "account", "output")}
        return config.resolve({**said, **self.options})

    @cached_property
    def output(self) -> Output:
        """How to show results; once the settings are known to be right, as they say."""
        return self.output_as(self.settings.output)

    def output_as(self, chosen: str | None) -> Output:
        from ..output import Output

        terminal = sys.stdout is not None and sys.stdout.isatty()
        plain = "table" if terminal else "ndjson" if self.streaming else "json"
        fields = self.text("fields")
        return Output(
            format=chosen or plain,
            chosen=chosen is not None,
            fields=tuple(name.strip() for name in fields.split(",") if name.strip()) if fields else None,
            quiet=self.flag("quiet"),
            color=terminal and not self.flag("no_color") and not os.environ.get("NO_COLOR"),
            stdout=sys.stdout,
            stderr=sys.stderr,
        )

    def show_as(
        self, *record_types: type[Record], streaming: bool = False, among: type[Record] | None = None
    ) -> Output:
        """The output, checked to be able to show such records. Call it before anything is sent. among: see `check`."""
        self.streaming = streaming
        self.output.check(*record_types, among=among)
        return self.output

    def error_output(self) -> Output:
        """How to show an error, even one in the settings themselves."""
        known = self.__dict__.get("output")
        if known is not None:
            return cast("Output", known)
        from ..config import OUTPUTS

        said = self.text("output") or os.environ.get("LATENTSPEED_OUTPUT")
        return self.output_as(said if said in OUTPUTS else None)

    def confirm(self, question: str) -> None:
        """Ask, unless --yes answered. Without a terminal, or with --no-input, an open question is a usage error."""
        if self.flag("yes"):
            return
        if self.flag("no_input") or sys.stdin is None or not sys.stdin.isatty() or not sys.stderr.isatty():
            raise UsageError(f"an answer is needed: {question}", hint="say --yes")
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise UsageError("not confirmed; nothing was done")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end. A signal cancels it; what it returns then still counts."""
        import asyncio
        import signal

        async def supervised() -> T:
            loop = asyncio.get_running_loop()
            task = asyncio.current_task()
            assert task is not None
            loop.add_signal_handler(signal.SIGINT, self._stop, Interrupted, task)
            loop.add_signal_handler(signal.SIGTERM, self._stop, Terminated, task)
            loop.add_signal_handler(signal.SIGHUP, self._stop, Terminated, task)
            return await work

        try:
            return asyncio.run(supervised())
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise (self.stopped or Interrupted)("stopped by a signal") from None

    def _stop(self, kind: type[LatentspeedError], task: asyncio.Task[Any]) -> None:
        if self.stopped is None:  # a second signal would cut off what is told because of the first
            self.stopped = kind
            task.cancel()


def of(ctx: typer.Context) -> Call:
    """The call behind a Typer context."""
    return cast(Call, ctx.obj)
