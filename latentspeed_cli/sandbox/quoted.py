"""A market's book with the background quotes of a moment in it, for any venue.

A market that nobody watches does no work: its touch is computed when somebody asks, its quotes are laid when somebody
looks at the book or trades. `elapsed` is nanoseconds since the instance began.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeAlias

from .flow import Flow, Quoter, Touch
from .matching import Book

# By side (true: bids), price -> (size, number of orders).
Ladders: TypeAlias = dict[bool, dict[int, tuple[int, int]]]


class QuotedMarket(ABC):
    """Touch, quotes and book. Venues add what users rest there, and how that trades.

    seeded: the quotes that the control API wants, in place of the flow's. shift: how far it moved the path.
    """

    def __init__(self, flow: Flow, makers: tuple[str, ...]) -> None:
        self.flow = flow
        self.book = Book()
        self.quoter = Quoter(flow, makers)
        self.touch: Touch | None = None
        self.quoted: Touch | None = None
        self.seeded: Ladders | None = None
        self.shift = 0

    @property
    @abstractmethod
    def is_active(self) -> bool:
        """Whether it is traded: otherwise there are no quotes."""

    @property
    @abstractmethod
    def watched(self) -> bool:
        """Whether every step has to happen, because somebody would see it."""

    @abstractmethod
    def best_resting(self) -> tuple[int | None, int | None]:
        """The best bid and the best ask price of users."""

    def look(self, elapsed: int) -> Touch:
        """The touch at this moment, without running any flow."""
        step = self.flow.step_at(elapsed)
        if self.touch is None or (self.touch.step != step and not self.watched):
            self.touch = self.flow.touch(step, self.shift)
        return self.touch

    def lay_quotes(self, elapsed: int) -> Book:
        """The book with the background quotes of this moment in it."""
        touch = self.look(elapsed)
        if self.quoted is not touch:
            self._quote(touch)
        return self.book

    def move_to(self, touch: Touch, sweep: Callable[[Touch], None]) -> None:
        """The path has moved: quotes that are gone leave, users' orders that are crossed fill, new quotes come.

        sweep: fills what users rest beyond the touch.
        """
        self.touch = touch
        self._quote(touch, sweep if self.seeded is None else None)

    def _quote(self, touch: Touch, sweep: Callable[[Touch], None] | None = None) -> None:
        ladders = self._ladders(touch)
        self.quoter.withdraw(self.book, ladders)
        if sweep is not None:
            sweep(touch)
        self.quoter.quote(self.book, self._without_crossing(ladders))
        self.quoted = touch

    def _ladders(self, touch: Touch) -> Ladders:
        """The quotes that belong to a touch."""
        if not self.is_active:
            return {True: {}, False: {}}
        if self.seeded is not None:
            return self.seeded
        return {True: self.flow.ladder(touch, True), False: self.flow.ladder(touch, False)}

    def _without_crossing(self, ladders: Ladders) -> Ladders:
        """The quotes that would not trade with what users have resting."""
        bid, ask = self.best_resting()
        if bid is None and ask is None:
            return ladders
        return {
            True: {p: level for p, level in ladders[True].items() if ask is None or p < ask},
            False: {p: level for p, level in ladders[False].items() if bid is None or p > bid},
        }
