"""What the product logs in a world: heard by whoever looks for secrets in it, and by nobody else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The loggers of the product and of its bundled connectors are named after their packages.
PACKAGES = ("latentspeed_cli", "latentspeed_hyperliquid", "latentspeed_dydx_v4")


class _Ear(logging.Handler):
    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        self._hear(repr(record.__dict__))


@contextmanager
def listening(hear: Callable[[str], None]) -> Iterator[None]:
    """Give each line, with all that goes along with it, to `hear`, and to no other handler."""
    ear = _Ear(hear)
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(ear)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(ear)
            logger.setLevel(level)
            logger.propagate = propagate
