"""What the simulator has to know of a venue: how to read its requests, what is true there, and how it lies.

Everything is read from the venue's own wire formats, with code of its own: a bug in the client's decoders must not hide
itself here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any, Literal, TypeAlias

import msgspec

from ... import plugins
from ...core.flow import Reply, Request
from ...sandbox.model import HttpResponse, Scenario, VenueModel
from .faults import KINDS, REFUSALS, VENUE

OF_EVERY_VENUE = ("venue_restart", "nonce_refused")
Kind: TypeAlias = Literal["place", "cancel", "fence", "status", "open_orders", "fills", "book", "other"]
# How an order stands at the venue. "gone": it was taken, nothing of it is left, and nothing tells how it ended.
Standing: TypeAlias = Literal["open", "filled", "cancelled", "expired", "gone"]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is. twin: the venue's client id of the order it is about. size, price, is_ioc: of a placement.

    exchange_order_id: where it follows from the request. last_block: with which the venue ends what is sent, where it
    ends with a block.
    """

    kind: Kind
    twin: str | None = None
    nonce: int | None = None
    size: Decimal | None = None
    price: Decimal | None = None
    is_ioc: bool = False
    exchange_order_id: str | None = None
    last_block: int | None = None


class TrueFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill as the venue has it. fill_id: as the client has to call it."""

    fill_id: str
    exchange_order_id: str
    amount: Decimal


class TrueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue has it."""

    twin: str | None
    exchange_order_id: str
    standing: Standing
    amount: Decimal


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one account. Orders that the venue refused are left out."""

    orders: tuple[TrueOrder, ...]
    fills: tuple[TrueFill, ...]

    def of_twin(self, twin: str) -> list[TrueOrder]:
        return [order for order in self.orders if order.twin == twin]

    def fills_of(self, exchange_order_id: str) -> dict[str, TrueFill]:
        return {fill.fill_id: fill for fill in self.fills if fill.exchange_order_id == exchange_order_id}


# A command of the venue's control API and its arguments.
Command: TypeAlias = tuple[str, Mapping[str, object]]


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a venue of this kind may do. end: what ends it, if it does not end by itself."""

    begin: Command
    end: Command | None = None


class Site(ABC):
    """One venue. account: whose orders are simulated. sizes: by trading pair, small to large.

    key: the sandbox's published one, in hex. config_fields: what the connector's settings need, the key among it.
    touch: prices a little below and above the market, by trading pair. expiries: seconds of gtd orders; none where
    there are no such orders. triggers: whether there are stop orders. loses_cancels: it may answer that it took a
    cancel, and do nothing. numbers_frames: whether a frame that is lost shows by the number of the next one.
    troubles: of this venue alone, by kind of fault.
    """

    name: str
    account: str
    key: str
    sizes: Mapping[str, tuple[str, ...]]
    config_fields: Mapping[str, object]
    touch: Mapping[str, tuple[str, str]]
    expiries: tuple[int, ...] = ()
    triggers = False
    loses_cancels = False
    numbers_frames = False
    troubles: Mapping[str, Trouble] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of faults that may strike here."""
        of_some = (VENUE.keys() | REFUSALS.keys()) - set(OF_EVERY_VENUE)
        own = self.troubles.keys() | ({"cancel_lost"} if self.loses_cancels else set())
        return tuple(kind for kind in KINDS if kind not in of_some or kind in own)

    @property
    def pairs(self) -> tuple[str, ...]:
        return tuple(self.sizes)

    def model(self, scenario: Scenario) -> VenueModel:
        """A venue that knows nothing yet."""
        model: VenueModel = plugins.load(self.name).hook.latentspeed_sandbox(scenario=scenario)
        return model

    @abstractmethod
    def read(self, request: Request) -> Sent:
        """What a request of the client is."""

    @abstractmethod
    def accepts(self, sent: Sent, reply: Reply) -> bool:
        """Whether this is the answer to a placement that the venue took."""

    def landed(self, model: VenueModel, sent: Sent, body: bytes) -> bool:
        """Whether a placement that the venue took has become an order there."""
        return True

    @abstractmethod
    def truth(self, model: VenueModel, now_ns: int, accepted: Mapping[str, Sent]) -> Truth:
        """What the venue knows about the account. accepted: placements that it took, by twin."""

    @abstractmethod
    def refusal(self, sent: Sent) -> Reply:
        """The answer to a change that the venue refuses for its nonce, wrongly or not."""

    @abstractmethod
    def cancel_taken(self, sent: Sent) -> Reply:
        """The answer to a cancel that was accepted, for one that got lost inside the venue."""

    @abstractmethod
    def rate_refusal(self, request: Request) -> Reply:
        """The answer to a request that is one too many."""

    @abstractmethod
    def failure(self, request: Request) -> Reply:
        """What a proxy answers when the venue behind it does not."""

    @abstractmethod
    def lie(self, kind: str, sent: Sent, reply: Reply, chance: Random) -> Reply:
        """A read's reply as a venue gives it that lags or loses things. kind: of faults.READS."""

    @abstractmethod
    def market_moves(self, chance: Random) -> list[Command]:
        """Something that others do in one of the markets."""

    @abstractmethod
    def is_ack(self, text: str) -> bool:
        """Whether a frame acknowledges a subscription."""

    @abstractmethod
    def secrets(self, request: Request) -> tuple[str, ...]:
        """What of a signed request must never be seen anywhere else."""


def json_of(response: HttpResponse) -> Any:
    return msgspec.json.decode(response.body)
