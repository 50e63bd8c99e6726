"""A case: a number, a function, and what its docstring promises. They are found in a module by their names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TypeAlias

import msgspec

from .ground import Ground

Run: TypeAlias = Callable[[Ground], Awaitable[None]]
_NAME = re.compile(r"c(\d\d)_(\w+)")
_HOLDS = "Holds:"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """number: "C07", for ever that of this case. proves: its docstring. holds: the promise that it keeps the venue to.

    run: raises AssertionError where the venue does not do as it should.
    """

    number: str
    title: str
    proves: str
    holds: str
    run: Run


def cases_of(module: ModuleType) -> tuple[Case, ...]:
    """The cases of a module: its functions called c07_like_this, each with a docstring that ends in "Holds: ..."."""
    return tuple(_case(name, function) for name, function in vars(module).items() if _NAME.fullmatch(name))


def _case(name: str, function: Run) -> Case:
    found = _NAME.fullmatch(name)
    proves, stroke, promise = " ".join((inspect.getdoc(function) or "").split()).partition(_HOLDS)
    if found is None or not stroke:
        raise ValueError(f"{name} has no docstring that says what it holds")
    return Case(
        number=f"C{found[1]}",
        title=found[2].replace("_", " "),
        proves=proves.strip(),
        holds=promise.strip(),
        run=function,
    )
