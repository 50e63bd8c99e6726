"""The program: argv in, one exit code out. Every error becomes one message and its code here, and nowhere else."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

import typer

from . import COMPLETION_VARIABLE, __version__
from .commands.call import Call
from .commands.grammar import LazyGroup
from .errors import Exit, LatentspeedError, OutputLost, UsageError
from .hostile import check_arguments

PROGRAM = "latentspeed"
# Typer's own base of what its parser raises: ClickException, wherever this version of Typer keeps it.
_WORDS_DO_NOT_FIT = cast("type[Exception]", typer.BadParameter.__mro__[2])
VERBS = {
    "place": "Place one order, or many from a file.",
    "cancel": "Cancel orders by id, or all that match.",
    "stream": "Follow a market or your own orders live.",
    "status": "Show the state of the account, or of orders by id.",
    "positions": "List open positions.",
    "balances": "List balances.",
    "orders": "List open orders, or with --all also those that ended.",
    "fills": "List fills.",
    "funding": "List funding payments, or the rates of markets.",
    "leverage": "Show or set the leverage of a market.",
    "markets": "List markets and their rules.",
    "book": "Show order books.",
    "bbo": "Show best bids and offers.",
    "trades": "List trades of a market.",
    "candles": "List candles of a market.",
    "watch": "Keep a read on the screen, up to date.",
    "plot": "Draw a book, candles, profit or funding.",
    "wait": "Wait until an order is open, filled or done.",
    "reconcile": "Decide every undecided order.",
    "journal": "Show, export and verify the operation log.",
    "connectors": "Show and check installed connectors.",
    "sandbox": "Run the local exchange.",
    "demo": "Walk a whole order life on the local exchange.",
    "schema": "Print the JSON Schema of a record.",
    "doctor": "Check all that a command needs, and say what is wrong.",
    "docs": "Print help topics.",
}


class Root(LazyGroup):
    verbs = VERBS


app = typer.Typer(
    name=PROGRAM,
    cls=Root,
    help="Place, cancel, stream and status on perpetual exchanges from one command line.",
    epilog="The default network is a local exchange that needs no key: try `latentspeed demo`.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = main(sys.argv[1:])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        code = code or Exit.PIPE_CLOSED.code
        sys.stdout = None  # the interpreter flushes it once more at its end
        if not isinstance(error, BrokenPipeError):
            _told(Call(), OutputLost(f"stdout cannot be written: {error.strerror}"))
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command line and say how it ended. Nothing it raises gets past here, and nobody sees a traceback."""
    call = Call()
    try:
        if COMPLETION_VARIABLE not in os.environ:
            check_arguments(arguments)
        command = typer.main.get_command(app)
        result = command.main(args=list(arguments) or ["--help"], prog_name=PROGRAM, standalone_mode=False, obj=call)
    except LatentspeedError as error:
        return _told(call, error)
    except BrokenPipeError:
        return Exit.PIPE_CLOSED.code
    except (KeyboardInterrupt, typer.Abort):
        return Exit.INTERRUPTED.code
    except _WORDS_DO_NOT_FIT as error:
        return _told(call, _usage_error(error))
    except Exception as error:  # our bug: the user gets a file to send us instead of a traceback
        return _told(call, _internal_error(error))
    if isinstance(result, Exit):
        return result.code
    return result if isinstance(result, int) else Exit.OK.code


def _told(call: Call, error: LatentspeedError) -> int:
    call.error_output().error(error)
    return error.exit_code


def _usage_error(error: Any) -> UsageError:
    """What Typer's parser found wrong, as an error of ours."""
    message = str(error.format_message()).strip().splitlines()[0][:300]
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    return UsageError(message.rstrip("."), hint=f"see `{path} --help`")


def _internal_error(error: Exception) -> LatentspeedError:
    from .crash import write_report

    where = write_report(error)
    return LatentspeedError(
        f"internal error ({type(error).__name__}); this is a bug of {PROGRAM}",
        hint=f"details are in {where}" if where else "no log could be written",
    )
