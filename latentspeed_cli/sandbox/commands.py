"""The control commands that a venue's model has of its own: names, the arguments of each, and what carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from ..errors import UsageError

V = TypeVar("V")


class Arguments(msgspec.Struct, forbid_unknown_fields=True):
    """What a command takes, as the JSON object of a control request."""


class Nothing(Arguments):
    pass


class Count(Arguments):
    """How often something is to happen."""

    count: int = 1


class Commands(Generic[V]):
    """The commands of one kind of venue V: by name, the type of the arguments and a function of (venue, arguments).

    misfits: what the functions raise, beside a LatentspeedError, for arguments that do not fit.
    """

    def __init__(
        self,
        table: Mapping[str, tuple[type[Arguments], Callable[[V, Any], object]]],
        *,
        misfits: tuple[type[Exception], ...] = (ValueError,),
    ) -> None:
        self._table = table
        self._misfits: tuple[type[Exception], ...] = (msgspec.ValidationError, *misfits)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._table)

    def run(self, venue: V, name: str, arguments: Mapping[str, object]) -> object:
        """Carry out a command; its result. Raises UsageError for an unknown one or arguments that do not fit."""
        known = self._table.get(name)
        if known is None:
            raise UsageError(f"unknown control command {name!r}; there are {', '.join(sorted(self._table))}")
        shape, function = known
        try:
            return function(venue, msgspec.convert(dict(arguments), shape))
        except self._misfits as error:
            raise UsageError(f"{name}: {error}") from error
