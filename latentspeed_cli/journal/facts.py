"""Facts of the journal: what each kind holds, the chain of their hashes, and the order that follows from them. Pure.

A fact's body is JSON. `intent` and `adopted` hold the order, `attempt` what the attempt fixed, `cancel_intent` a
number and a nonce, `reserved` a nonce; every other kind holds news: a TradeUpdate in `fill`, else an OrderUpdate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias

import msgspec

from ..core.in_flight_order import InFlightOrder
from ..core.order_state import Facts, News, exchange_order_id_of, join, learn
from ..core.reports import OrderUpdate, Report, TradeUpdate
from ..errors import JournalError

INTENT = "intent"
ATTEMPT = "attempt"
CANCEL_INTENT = "cancel_intent"
ADOPTED = "adopted"
FILL = "fill"
RESERVED = "reserved"
# What `record` may be asked to call its news.
NEWS_KINDS = frozenset({"reply", "report", FILL, "cancel_reply", "proof", "note"})


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal. body: JSON. hash: of this fact and the one before it."""

    seq: int
    ts_ns: int
    client_order_id: str | None
    attempt: int | None
    kind: str
    body: bytes
    hash: bytes


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt fixed: with its order, all that is needed to build the bytes again, but never a signature.

    body_sha256: of the exact bytes, in hex. submit_deadline_ns: until then only the writer says what became of it.
    scope: whose nonces are counted together, None for the signer's.
    """

    attempt: int
    signer: str
    nonce: int
    submit_deadline_ns: int
    body_sha256: str
    expires_after_ms: int | None
    amount: Decimal
    price: Decimal | None
    reference_price: Decimal | None
    ts_ns: int
    good_til_block: int | None = None
    good_til_ts_ns: int | None = None
    timeout_height: int | None = None
    scope: str | None = None


class CancelIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A cancel that is about to be sent. attempt: cancels are numbered apart from attempts to place."""

    attempt: int
    signer: str
    nonce: int
    ts_ns: int
    scope: str | None = None


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """A nonce that was handed out for a request about no order."""

    signer: str
    nonce: int
    scope: str | None = None


Body: TypeAlias = InFlightOrder | Attempt | CancelIntent | Reserved | OrderUpdate | TradeUpdate

_TYPES: dict[str, type[Body]] = {
    INTENT: InFlightOrder,
    ADOPTED: InFlightOrder,
    ATTEMPT: Attempt,
    CANCEL_INTENT: CancelIntent,
    RESERVED: Reserved,
    FILL: TradeUpdate,
}
# Sets have no order of their own: without "deterministic" the same facts would be other bytes in every process.
encode = msgspec.json.Encoder(order="deterministic").encode
_DECODERS: dict[type[Body], msgspec.json.Decoder[Body]] = {
    kind: msgspec.json.Decoder(kind) for kind in {*_TYPES.values(), OrderUpdate}
}


def decode_body(kind: str, body: bytes) -> Body:
    """What a fact of this kind holds. Raises JournalError."""
    return _decode(_TYPES.get(kind, OrderUpdate), body, f"a fact of kind {kind!r}")


def decode_order(body: bytes) -> InFlightOrder:
    """Raises JournalError."""
    order = _decode(InFlightOrder, body, "an order")
    assert isinstance(order, InFlightOrder)
    return order


def decode_fill(body: bytes) -> TradeUpdate:
    """Raises JournalError."""
    fill = _decode(TradeUpdate, body, "a fill")
    assert isinstance(fill, TradeUpdate)
    return fill


def _decode(type_: type[Body], body: bytes, what: str) -> Body:
    try:
        return _DECODERS[type_].decode(body)
    except msgspec.DecodeError as error:
        raise JournalError(f"the journal is damaged: {what} cannot be read: {error}") from error


def fact_of(row: Sequence[Any]) -> Fact:
    """The fact of a row of `facts`. Raises JournalError."""
    seq, ts_ns, client_order_id, attempt, kind, body, hash_ = row
    if not (isinstance(kind, str) and isinstance(body, bytes) and isinstance(hash_, bytes)):
        raise JournalError(f"the journal is damaged: fact {seq} cannot be read")
    return Fact(
        seq=seq, ts_ns=ts_ns, client_order_id=client_order_id, attempt=attempt, kind=kind, body=body, hash=hash_
    )


def genesis(network: str, instance: str) -> bytes:
    """The hash ahead of the first fact: the facts of one network never follow from those of another."""
    return hashlib.sha256(f"latentspeed journal\0{network}\0{instance}".encode()).digest()


def chain(
    before: bytes, seq: int, ts_ns: int, client_order_id: str | None, attempt: int | None, kind: str, body: bytes
) -> bytes:
    """The hash of a fact that follows the one with the hash `before`."""
    head = f"{seq}\0{ts_ns}\0{client_order_id or ''}\0{'' if attempt is None else attempt}\0{kind}\0"
    return hashlib.sha256(b"".join((before, head.encode(), body))).digest()


def check_first(first: Fact | None, start: bytes) -> None:
    """Raise JournalError unless `first` is the first fact after `start`, the genesis."""
    if first is not None and first.seq != 1:
        raise JournalError("the journal is damaged: its first fact is missing")
    if first is not None and first.hash != _hash_after(start, first):
        raise JournalError("the journal is damaged: its first fact is of another network or instance, or was changed")


def check_chain(facts: Sequence[Fact]) -> None:
    """Raise JournalError unless each fact follows from the one before it."""
    for before, fact in pairwise(facts):
        if fact.seq != before.seq + 1:
            raise JournalError(f"the journal is damaged: facts are missing before number {fact.seq}")
        if fact.hash != _hash_after(before.hash, fact):
            raise JournalError(f"the journal is damaged: fact {fact.seq} does not follow from the one before it")


def check_all(facts: Iterable[Fact], start: bytes, use: Callable[[Fact], object]) -> int:
    """Check a whole chain after `start`, the genesis, and hand each fact to `use`. How many there were.

    Raises JournalError, which names the first fact that is damaged: what cannot be read or used is, too.
    """
    before: Fact | None = None
    count = 0
    try:
        for fact in facts:
            if before is None:
                check_first(fact, start)
            else:
                check_chain((before, fact))
            use(fact)
            before, count = fact, count + 1
    except JournalError as error:
        raise JournalError(f"{error}; the first damaged fact is number {count + 1}") from error
    return count


def _hash_after(before: bytes, fact: Fact) -> bytes:
    return chain(before, fact.seq, fact.ts_ns, fact.client_order_id, fact.attempt, fact.kind, fact.body)


def digest_of(news: News) -> bytes:
    """Equal for news that says the same, whenever it was received."""
    if isinstance(news, TradeUpdate):
        news = msgspec.structs.replace(news, received_ts_ns=None)
    return hashlib.sha256(type(news).__name__.encode() + encode(news)).digest()


# From a fact to the order after it


def after(order: InFlightOrder | None, body: Body) -> InFlightOrder | None:
    """The order once `body` is known; None for what is about no order known. The same object if it says nothing new."""
    if isinstance(body, InFlightOrder):
        return body if order is None else with_facts(order, join(order.facts, body.facts), body.updated_ts_ns)
    if order is None or isinstance(body, Reserved):
        return order
    if isinstance(body, Attempt):
        return attempted(order, body)
    if isinstance(body, CancelIntent):
        return after_news(order, cancel_attempted(order, body))
    return after_news(order, body)


def attempted(order: InFlightOrder, body: Attempt) -> InFlightOrder:
    """The order with the numbers of its new attempt."""
    facts = msgspec.structs.replace(order.facts, attempts=order.facts.attempts | {body.attempt})
    return msgspec.structs.replace(
        order,
        attempt=body.attempt,
        nonce=body.nonce,
        expires_after_ms=body.expires_after_ms,
        good_til_block=body.good_til_block,
        good_til_ts_ns=body.good_til_ts_ns,
        timeout_height=body.timeout_height,
        amount=body.amount,
        price=body.price,
        reference_price=body.reference_price,
        facts=facts,
        updated_ts_ns=max(order.updated_ts_ns, body.ts_ns),
    )


def cancel_attempted(order: InFlightOrder, body: CancelIntent) -> OrderUpdate:
    """The news that a cancel is about to be sent."""
    return OrderUpdate(
        report=Report.CANCEL_ATTEMPTED,
        trading_pair=order.trading_pair,
        ts_ns=body.ts_ns,
        client_order_id=order.client_order_id,
        attempt=body.attempt,
    )


def after_news(order: InFlightOrder, news: News) -> InFlightOrder:
    """The order that has learnt `news`; the same object when it knew."""
    facts = learn(order.facts, news)
    return order if facts is order.facts else with_facts(order, facts, news.ts_ns)


def with_facts(order: InFlightOrder, facts: Facts, ts_ns: int) -> InFlightOrder:
    """The order with other facts, and the id and time that follow from them."""
    return msgspec.structs.replace(
        order,
        facts=facts,
        exchange_order_id=exchange_order_id_of(facts) or order.exchange_order_id,
        updated_ts_ns=max(order.updated_ts_ns, ts_ns),
    )


def next_cancel(facts: Facts) -> int:
    """The number of the next attempt to cancel."""
    return max(facts.cancels | facts.cancels_refused | facts.cancels_unknown, default=0) + 1
