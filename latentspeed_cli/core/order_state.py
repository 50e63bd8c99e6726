"""One function from facts to state. The table in the docs and its test are generated from it; there is no second one.

Facts form a join semilattice: `learn` is commutative, associative and idempotent, so an order's state does not depend
on which of the venue's channels happened to be faster, or on how often they repeat themselves.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

import msgspec

from ..errors import ProtocolError
from .decimals import EXACT, ZERO
from .reports import Evidence, OrderUpdate, Report, TradeUpdate
from .types import OrderState

News: TypeAlias = OrderUpdate | TradeUpdate

_NONE: frozenset[int] = frozenset()
PRECEDENCE = (
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.EXPIRED,
    OrderState.FAILED,
    OrderState.PENDING_CANCEL,
    OrderState.PARTIALLY_FILLED,
    OrderState.OPEN,
    OrderState.PENDING_SUBMIT,
    OrderState.PENDING_CREATE,
)


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known about what happened to one order.

    attempts, failed, unknown: numbers of the place attempts that were made, that were refused or proved never to
    land, and whose reply is missing. cancels, cancels_refused, cancels_unknown: the same for cancel attempts.
    accepted: the venue has or had it. filled: the venue calls it completely filled; final_filled: how much it said
    was executed when it ended. venue_filled: the most it ever said was executed. fills: by fill id. executed: their
    sum, base units. fills_disagree: one fill id was told with two contents. reasons: (report, text) pairs.
    """

    attempts: frozenset[int] = _NONE
    failed: frozenset[int] = _NONE
    unknown: frozenset[int] = _NONE
    accepted: bool = False
    filled: bool = False
    final_filled: Decimal | None = None
    venue_filled: Decimal | None = None
    cancelled: bool = False
    expired: bool = False
    cancels: frozenset[int] = _NONE
    cancels_refused: frozenset[int] = _NONE
    cancels_unknown: frozenset[int] = _NONE
    fills: dict[str, TradeUpdate] = {}
    executed: Decimal = ZERO
    fills_disagree: bool = False
    exchange_order_ids: frozenset[str] = frozenset()
    evidence: frozenset[Evidence] = frozenset()
    reasons: frozenset[tuple[str, str]] = frozenset()


# From facts to state


def state_of(facts: Facts, amount: Decimal, *, is_ioc: bool) -> OrderState:
    """The state that this set of facts proves. amount: base units ordered. is_ioc: nothing of it ever rests.

    One precedence, read top to bottom. A venue that calls an IOC "filled" says only that it ended; how much of it was
    executed decides between FILLED and EXPIRED, and until that is known it counts as accepted. What an IOC leaves over
    is EXPIRED even where the venue calls it cancelled: nobody can cancel what never rests.
    """
    if facts.executed >= amount or (facts.filled and (not is_ioc or (facts.final_filled or ZERO) >= amount)):
        return OrderState.FILLED
    if facts.cancelled and not is_ioc:
        return OrderState.CANCELLED
    if facts.expired or facts.cancelled or (facts.filled and facts.final_filled is not None):
        return OrderState.EXPIRED
    accepted = facts.accepted or facts.filled
    if facts.failed and facts.failed >= facts.attempts and not (accepted or facts.executed):
        return OrderState.FAILED
    if facts.cancels - facts.cancels_refused:
        return OrderState.PENDING_CANCEL
    if facts.executed:
        return OrderState.PARTIALLY_FILLED
    if accepted:
        return OrderState.OPEN
    return OrderState.PENDING_SUBMIT if facts.attempts else OrderState.PENDING_CREATE


def outcome_unknown(facts: Facts, amount: Decimal, is_ioc: bool) -> bool:
    """Whether the reply to a request that may have changed something is missing and nothing else has told since.

    An annotation on PENDING_SUBMIT and PENDING_CANCEL, never a state of its own.
    """
    state = state_of(facts, amount, is_ioc=is_ioc)
    if state not in (OrderState.PENDING_SUBMIT, OrderState.PENDING_CANCEL):
        return False
    seen = facts.accepted or facts.filled or bool(facts.executed)
    return bool(facts.cancels_unknown - facts.cancels_refused) or (not seen and bool(facts.unknown - facts.failed))


def contradiction(facts: Facts, amount: Decimal) -> str | None:
    """How these facts contradict each other, or None. The venue's truth has won already: this only tells."""
    if facts.failed and facts.failed >= facts.attempts and (facts.accepted or facts.filled or facts.executed):
        return "it was refused or proved never to land, and yet the venue accepted or filled it"
    if facts.executed > amount:
        return "more was executed than was ordered"
    if len(facts.exchange_order_ids) > 1:
        return "the venue gave it more than one order id: " + ", ".join(sorted(facts.exchange_order_ids))
    if facts.fills_disagree:
        return "one fill was reported with two contents"
    return None


def fills_complete(facts: Facts, amount: Decimal) -> bool:
    """Whether the fills known explain everything the venue says was executed."""
    if facts.executed >= amount:
        return True
    if facts.filled and facts.final_filled is None:
        return False
    return facts.executed >= (facts.venue_filled or ZERO)


_REASON_OF = {
    OrderState.CANCELLED: Report.CANCELLED,
    OrderState.EXPIRED: Report.EXPIRED,
    OrderState.FAILED: Report.FAILED,
    OrderState.PENDING_SUBMIT: Report.UNKNOWN,
    OrderState.PENDING_CANCEL: Report.CANCEL_UNKNOWN,
}


def reason_of(facts: Facts, amount: Decimal, *, is_ioc: bool) -> str | None:
    """Why the order is in its state: the venue's word, or `ioc_unmatched` and `ioc_remainder` for an ended IOC."""
    state = state_of(facts, amount, is_ioc=is_ioc)
    if state is OrderState.EXPIRED and is_ioc:
        return "ioc_remainder" if facts.executed or facts.venue_filled else "ioc_unmatched"
    report = _REASON_OF.get(state)
    if report is None:
        return None
    return min((text for kind, text in facts.reasons if kind == report.value), default=None)


def evidence_of(facts: Facts, amount: Decimal) -> tuple[Evidence, ...]:
    """Why a final state is believed, oldest first. Fills that add up to the whole order are evidence themselves.

    A last block is passed once, whoever else notices it later: a stream, a question, another process.
    """
    evidence = facts.evidence
    passed = [item for item in evidence if item.kind == "block_limit_passed"]
    if len(passed) > 1:
        evidence -= {*passed} - {min(passed, key=_age)}
    if facts.fills and facts.executed >= amount:
        last = max(facts.fills.values(), key=lambda fill: (fill.ts_ns, fill.fill_id))
        evidence |= {Evidence(kind="venue_fill", ts_ns=last.ts_ns, detail=f"fill {last.fill_id}")}
    return tuple(sorted(evidence, key=_age))


def _age(item: Evidence) -> tuple[int, str, str]:
    return item.ts_ns, item.kind, item.detail


def exchange_order_id_of(facts: Facts) -> str | None:
    """The venue's id of the order; the oldest one if the venue gave several, which is a contradiction."""
    return min(facts.exchange_order_ids, key=lambda text: (len(text), text), default=None)


# From news to facts


def learn(facts: Facts, news: News) -> Facts:
    """`facts` and what `news` says. The same object when that was known already. Raises ProtocolError."""
    joined = join(facts, _facts_in_fill(news) if isinstance(news, TradeUpdate) else _facts_in_report(news))
    return facts if joined == facts else joined


def join(a: Facts, b: Facts) -> Facts:
    """Everything that either knows."""
    fills, executed, disagree = _join_fills(a, b) if b.fills else (a.fills, a.executed, False)
    return Facts(
        attempts=a.attempts | b.attempts,
        failed=a.failed | b.failed,
        unknown=a.unknown | b.unknown,
        accepted=a.accepted or b.accepted,
        filled=a.filled or b.filled,
        final_filled=_most(a.final_filled, b.final_filled),
        venue_filled=_most(a.venue_filled, b.venue_filled),
        cancelled=a.cancelled or b.cancelled,
        expired=a.expired or b.expired,
        cancels=a.cancels | b.cancels,
        cancels_refused=a.cancels_refused | b.cancels_refused,
        cancels_unknown=a.cancels_unknown | b.cancels_unknown,
        fills=fills,
        executed=executed,
        fills_disagree=a.fills_disagree or b.fills_disagree or disagree,
        exchange_order_ids=a.exchange_order_ids | b.exchange_order_ids,
        evidence=a.evidence | b.evidence,
        reasons=a.reasons | b.reasons,
    )


_FINAL = frozenset({Report.FILLED, Report.CANCELLED, Report.EXPIRED, Report.FAILED})


def _facts_in_report(news: OrderUpdate) -> Facts:
    """What one report says, by itself.

    News that does not number its attempt can only be trusted to speak of the first one: reading it as the latest
    could call a new attempt failed that is alive. A refusal of a cancel without a number refuses none.
    """
    report = news.report
    attempt = frozenset((1 if news.attempt is None else news.attempt,))
    final = report in _FINAL
    evidence = news.evidence
    if final and evidence is None:
        detail = news.venue_code or news.reason or report.value
        evidence = Evidence(kind="venue_status", ts_ns=news.ts_ns, detail=detail)
    ended = report in (Report.FILLED, Report.CANCELLED, Report.EXPIRED)
    return Facts(
        attempts=attempt if report in (Report.ATTEMPTED, Report.UNKNOWN) else _NONE,
        failed=attempt if report is Report.FAILED else _NONE,
        unknown=attempt if report is Report.UNKNOWN else _NONE,
        accepted=report in (Report.ACCEPTED, Report.CANCELLED),
        filled=report is Report.FILLED,
        final_filled=news.venue_filled_amount if ended else None,
        venue_filled=news.venue_filled_amount,
        cancelled=report is Report.CANCELLED,
        expired=report is Report.EXPIRED,
        cancels=attempt if report in (Report.CANCEL_ATTEMPTED, Report.CANCEL_UNKNOWN) else _NONE,
        cancels_refused=attempt if report is Report.CANCEL_REFUSED and news.attempt is not None else _NONE,
        cancels_unknown=attempt if report is Report.CANCEL_UNKNOWN else _NONE,
        exchange_order_ids=frozenset((news.exchange_order_id,)) if news.exchange_order_id else frozenset(),
        evidence=frozenset((evidence,)) if final and evidence is not None else frozenset(),
        reasons=frozenset(((report.value, news.reason),)) if news.reason else frozenset(),
    )


def _facts_in_fill(news: TradeUpdate) -> Facts:
    if news.amount < 0:
        raise ProtocolError(f"fill {news.fill_id} has a negative amount")
    return Facts(
        fills={news.fill_id: news},
        executed=news.amount,
        exchange_order_ids=frozenset((news.exchange_order_id,)) if news.exchange_order_id else frozenset(),
    )


def _most(a: Decimal | None, b: Decimal | None) -> Decimal | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _join_fills(a: Facts, b: Facts) -> tuple[dict[str, TradeUpdate], Decimal, bool]:
    fills, executed, disagree = dict(a.fills), a.executed, False
    for fill_id, fill in b.fills.items():
        known = fills.get(fill_id)
        if known is None:
            fills[fill_id] = fill
            executed = EXACT.add(executed, fill.amount)
            continue
        disagree = disagree or _content(known) != _content(fill)
        fills[fill_id] = joined = _join_fill(known, fill)
        executed = EXACT.add(executed, EXACT.subtract(joined.amount, known.amount))
    return fills, executed, disagree


def _content(fill: TradeUpdate) -> tuple[Decimal, Decimal, Decimal, str, str, str]:
    """What two reports of one fill must agree on; when they do not, the largest counts, so executed never falls."""
    return fill.amount, fill.price, fill.fee, fill.fee_currency, fill.side.value, fill.exchange_order_id


def _join_fill(a: TradeUpdate, b: TradeUpdate) -> TradeUpdate:
    """One fill from two reports of it: channels differ in how much they tell beside the content."""
    liquidities = [fill.liquidity for fill in (a, b) if fill.liquidity is not None]
    received = [fill.received_ts_ns for fill in (a, b) if fill.received_ts_ns is not None]
    return msgspec.structs.replace(
        max(a, b, key=_content),
        ts_ns=min(a.ts_ns, b.ts_ns),
        liquidity=max(liquidities, key=lambda liquidity: liquidity.value, default=None),
        client_order_id=max(a.client_order_id or "", b.client_order_id or "") or None,
        venue_client_id=max(a.venue_client_id or "", b.venue_client_id or "") or None,
        received_ts_ns=min(received, default=None),
    )
