"""What a case says when a venue does not do as it should. Plain exceptions: any test runner will do, or none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...errors import LatentspeedError

T = TypeVar("T")
E = TypeVar("E", bound=LatentspeedError)

PATIENCE_S = 10.0
_POLL_S = 0.05


def equal(what: str, found: object, wanted: object) -> None:
    """Raise AssertionError, with both values, unless they are equal."""
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, and should be {wanted!r}")


def holds(what: str, is_so: object, *shown: object) -> None:
    """Raise AssertionError with what is shown, unless `is_so`."""
    if not is_so:
        raise AssertionError(what + (": " + ", ".join(map(repr, shown)) if shown else ""))


async def raises(kind: type[E], attempt: Awaitable[object]) -> E:
    """The error of that class that `attempt` raises. Raises AssertionError when it raises none."""
    try:
        outcome = await attempt
    except kind as error:
        return error
    raise AssertionError(f"it should raise {kind.__name__}, and gave {outcome!r}")


async def eventually(what: str, read: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
    """What `read` gives once it is as it should be: venues show some things a moment later. Raises AssertionError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while True:
        found = await read()
        if is_so(found):
            return found
        if loop.time() > deadline:
            raise AssertionError(f"{what}: still {found!r} after {PATIENCE_S:g} s")
        await asyncio.sleep(_POLL_S)


async def becomes(what: str, look: Callable[[], T], is_so: Callable[[T], bool]) -> T:
    """The same for what stands in memory."""

    async def read() -> T:
        return look()

    return await eventually(what, read, is_so)
