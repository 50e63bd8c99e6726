"""News about orders: what a reply, a stream, a query or the journal says. Frozen values, no judgement."""

from __future__ import annotations

import enum
from decimal import Decimal

import msgspec

from .types import Liquidity, TradeType


class Report(enum.Enum):
    """What one piece of news says about an order. How it moves the state: core/order_state.py."""

    ATTEMPTED = "attempted"  # the intent is durable and its bytes are about to leave
    ACCEPTED = "accepted"  # the venue has it, resting or armed
    FILLED = "filled"  # the venue calls it completely filled
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"  # the venue refused it, or it was proved never to land
    CANCEL_ATTEMPTED = "cancel_attempted"
    CANCEL_REFUSED = "cancel_refused"  # a refusal of the cancel attempt with the same number
    UNKNOWN = "unknown"  # the reply to a place attempt is missing: an annotation, never a state
    CANCEL_UNKNOWN = "cancel_unknown"  # the reply to a cancel attempt is missing
    NOTE = "note"  # descriptive only


# The reason of a CANCELLED post-only order that the venue took first and removed when it came to match it.
TURNED_AWAY = "post_only_would_cross"


class Evidence(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Why a final state is believed.

    kind: venue_reply venue_status venue_fill nonce_burned block_limit_passed timeout_height_passed
    expired_before_accept never_sent.
    """

    kind: str
    ts_ns: int
    detail: str


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of news about one order, from a reply, a stream, a query or the journal.

    The order is named by whichever ids the venue gave: our own, the venue's twin of it (venue_client_id), or the
    venue's. attempt numbers the place or cancel attempt that a reply answers; place and cancel attempts are numbered
    apart, from 1 (a FAILED of attempt 0 never came as far as one). ts_ns: the venue's time of the event.
    amount, price, side and where it ends (good_til_block, good_til_ts_ns) are what the venue says the order is; set
    when a query found an order we may not know.
    """

    report: Report
    trading_pair: str
    ts_ns: int
    client_order_id: str | None = None
    venue_client_id: str | None = None
    exchange_order_id: str | None = None
    attempt: int | None = None
    reason: str | None = None
    venue_code: str | None = None
    venue_filled_amount: Decimal | None = None
    evidence: Evidence | None = None
    side: TradeType | None = None
    amount: Decimal | None = None
    price: Decimal | None = None
    reduce_only: bool | None = None
    created_ts_ns: int | None = None
    good_til_block: int | None = None
    good_til_ts_ns: int | None = None


class TradeUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fill of one order. fee: positive is paid. fill_id is unique per order for ever."""

    fill_id: str
    exchange_order_id: str
    trading_pair: str
    side: TradeType
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_currency: str
    ts_ns: int
    liquidity: Liquidity | None = None
    client_order_id: str | None = None
    venue_client_id: str | None = None
    received_ts_ns: int | None = None
