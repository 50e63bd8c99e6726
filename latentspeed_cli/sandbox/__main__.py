"""The process of a sandbox: `python -m latentspeed_cli.sandbox FOLDER [OPTIONS] [--lock N --answer N]`.

OPTIONS is home.Options as JSON. The launcher (supervisor.py) hands over the held lock and a pipe, and reads one JSON
line from it: Ready or Failure. Without them the server takes the lock itself and stays in the foreground.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .. import plugins
from ..errors import LatentspeedError, PluginError
from .home import Home, Lock, Options
from .model import Scenario, VenueModel
from .server import serve
from .supervisor import Failure, Ready, failure, take

log = logging.getLogger("latentspeed_cli.sandbox")


def venue_models(scenario: Scenario) -> Iterator[VenueModel]:
    """A model of every installed connector that has one. A broken connector is logged and does not stop the others."""
    for info in plugins.discover():
        try:
            loaded = plugins.load(info.name)
            model = loaded.hook.latentspeed_sandbox(scenario=scenario)
        except PluginError as error:
            log.error("%s", error)
        except Exception:  # foreign code: whatever it raises, only this connector is out
            log.exception("connector %s has a broken sandbox", info.name)
        else:
            if model is not None:
                yield model


def main(arguments: list[str]) -> int:
    """Run a sandbox; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m latentspeed_cli.sandbox")
    parser.add_argument("folder", type=Path)
    parser.add_argument("options", nargs="?", default="{}")
    parser.add_argument("--lock", type=int, help="descriptor of the held lock")
    parser.add_argument("--answer", type=int, help="descriptor of a pipe to the launcher")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        lock = take(given.folder) if given.lock is None else Lock(given.lock)
        options = msgspec.json.decode(given.options, type=Options)
        asyncio.run(
            serve(Home(given.folder), lock, options, venue_models, lambda running: _tell(given.answer, Ready(running)))
        )
    except LatentspeedError as error:
        log.error("%s", error)
        _tell(given.answer, failure(error))
        return error.exit_code
    return 0


def _tell(descriptor: int | None, what: Ready | Failure) -> None:
    """Answer the launcher, if there is one, and let go of it."""
    if descriptor is not None:
        with contextlib.suppress(BrokenPipeError):  # it did not wait
            os.write(descriptor, msgspec.json.encode(what) + b"\n")
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
