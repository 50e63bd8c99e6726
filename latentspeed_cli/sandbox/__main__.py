"""The process of a sandbox: `python -m latentspeed_cli.sandbox FOLDER [OPTIONS] [--lock N]`.

OPTIONS is home.Options as JSON. With --lock the launcher (supervisor.py) hands over the held lock, reads one JSON line
from stdout (Ready or Failure) and is gone; without it the server takes the lock itself and stays in the foreground.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .. import plugins
from ..errors import LatentspeedError, PluginError
from .home import Home, Lock, Options, Running
from .model import Scenario, VenueModel
from .server import serve
from .supervisor import Ready, failure, take

log = logging.getLogger(__name__)


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
    parser.add_argument("--lock", type=int)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        lock = take(given.folder) if given.lock is None else Lock(given.lock)
        options = msgspec.json.decode(given.options, type=Options)
        asyncio.run(serve(Home(given.folder), lock, options, venue_models, _announce))
    except LatentspeedError as error:
        log.error("%s", error)
        _tell(failure(error))
        return error.exit_code
    return 0


def _announce(running: Running) -> None:
    """Tell the launcher, then write to the log what would go to stdout: the launcher's pipe is gone."""
    _tell(Ready(running=running))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _tell(what: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
