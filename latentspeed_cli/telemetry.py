"""Logging set-up and counters. Logs go to stderr, results never do; neither ever holds a key or a signature."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import Counter
from typing import TextIO

from .hostile import redact

ROOT = "latentspeed_cli"
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: level, logger, message, and the facts given in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(), **facts}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str))


def set_up_logging(verbosity: int, stream: TextIO | None = None) -> None:
    """Log to `stream`, stderr by default. verbosity: 0 warnings, 1 what happens, 2 everything. Call it once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(max(verbosity, 0), 2)])


class Counters:
    """How often each kind of event happened, as plain integers with names like order_filled_total."""

    def __init__(self, connector: str) -> None:
        self._connector = connector
        self._counts: Counter[str] = Counter()

    def count(self, event: object) -> None:
        """A listener for every event."""
        words = re.findall(r"[A-Z][a-z]*", type(event).__name__.removesuffix("Event"))
        self._counts["_".join(words).lower() + "_total"] += 1

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def lines(self) -> list[str]:
        """One a line, sorted, as Prometheus reads them."""
        return [f'{name}{{connector="{self._connector}"}} {count}' for name, count in sorted(self._counts.items())]
