"""What the conductor hands the journal before an order may leave, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .in_flight_order import InFlightOrder


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is about to be sent; its nonce and attempt are the journal's to give.

    signer: whose nonces it takes. submit_deadline_ns: until then only the writer may say what became of it. build:
    makes the exact bytes from the order with nonce and attempt set; it is called inside the transaction, and whatever
    it raises undoes the transaction.
    """

    order: InFlightOrder
    signer: str
    submit_deadline_ns: int
    build: Callable[[InFlightOrder], bytes]


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a draft.

    fresh: its intent and attempt are durable, and its bytes may leave now. Otherwise its client order id was known:
    nothing was written, order is the journal's, and conflict says that it was asked for with other parameters.
    """

    order: InFlightOrder
    fresh: bool
    conflict: bool = False
