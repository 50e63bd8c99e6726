"""The state of an order is a function of a set of facts: cell by cell, and as laws."""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core import state_table
from latentspeed_cli.core.order_state import (
    PRECEDENCE,
    Facts,
    News,
    contradiction,
    evidence_of,
    exchange_order_id_of,
    fills_complete,
    join,
    learn,
    outcome_unknown,
    reason_of,
    state_of,
)
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.state_table import AMOUNT, ANNOTATIONS, NEWS, transition_table
from latentspeed_cli.core.types import Liquidity, OrderState, TradeType
from latentspeed_cli.errors import ProtocolError

S = OrderState
RANK = {state: rank for rank, state in enumerate(reversed(PRECEDENCE))}
DOCUMENT = Path(__file__).parents[2] / "docs" / "order-states.md"
MakeReport = Callable[..., OrderUpdate]
MakeFill = Callable[..., TradeUpdate]


def known(*news: News) -> Facts:
    return functools.reduce(learn, news, Facts())


# The table, cell by cell


def proven_by(names: frozenset[str], *, is_ioc: bool) -> OrderState:
    """The highest state that any one of these pieces of news proves by itself: a second opinion on the precedence."""
    fills = {"first fill", "last fill"} & names
    proven = {S.PENDING_CREATE}
    if names & {"attempted", "attempted again", "unknown"}:
        proven.add(S.PENDING_SUBMIT)
    accepted = bool(names & {"accepted", "cancelled", "filled", "filled, all of it", "filled, a part"})
    if accepted:
        proven.add(S.OPEN)
    if fills:
        proven.add(S.FILLED if len(fills) == 2 else S.PARTIALLY_FILLED)
    if names & {"cancel_attempted", "cancel_unknown"} and "cancel_refused" not in names:
        proven.add(S.PENDING_CANCEL)
    if "failed" in names and "attempted again" not in names and not accepted and not fills:
        proven.add(S.FAILED)
    if "expired" in names:
        proven.add(S.EXPIRED)
    if "cancelled" in names:
        proven.add(S.EXPIRED if is_ioc else S.CANCELLED)
    if "filled, all of it" in names or (not is_ioc and names & {"filled", "filled, a part"}):
        proven.add(S.FILLED)
    if is_ioc and "filled, a part" in names:
        proven.add(S.EXPIRED)
    return max(proven, key=RANK.__getitem__)


@functools.cache
def second_opinion(is_ioc: bool) -> dict[tuple[OrderState, str], set[OrderState]]:
    cells: dict[tuple[OrderState, str], set[OrderState]] = {(state, name): set() for state in S for name in NEWS}
    for names, _ in state_table.histories():
        before = proven_by(names, is_ioc=is_ioc)
        for name in NEWS:
            cells[before, name].add(proven_by(names | {name}, is_ioc=is_ioc))
    return cells


@pytest.mark.parametrize("is_ioc", [False, True], ids=["rests", "ioc"])
@pytest.mark.parametrize("name", NEWS)
@pytest.mark.parametrize("state", S)
def test_every_cell(state: OrderState, name: str, is_ioc: bool) -> None:
    cell = transition_table(is_ioc=is_ioc)[state][name]
    assert cell == second_opinion(is_ioc)[state, name]
    never = is_ioc and state is S.CANCELLED
    assert bool(cell) is not never
    for after in cell:
        assert not state.is_done or state is S.FAILED or RANK[after] >= RANK[state]
        assert name not in ANNOTATIONS - {"unknown", "cancel_unknown"} or after is state


def test_every_report_has_a_column() -> None:
    assert {report.value for report in Report} <= set(NEWS)
    assert set(PRECEDENCE) == set(OrderState)


def test_the_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == state_table.document()


def test_the_diagram_shows_every_state_and_only_moves_of_the_table() -> None:
    edges = [line.strip().split(" --> ") for line in state_table.diagram().splitlines()[2:]]
    seen = set()
    for before, rest in edges:
        after, names = rest.split(": ")
        seen |= {before, after}
        for name in names.split(", "):
            assert (
                S(after) in transition_table(is_ioc=False)[S(before)][name if name in NEWS else name.replace(" ", "_")]
            )
    assert seen == {state.value for state in S}


# Laws


def _reports() -> st.SearchStrategy[OrderUpdate]:
    maybe_amount = st.none() | st.integers(0, 3).map(Decimal)
    return st.builds(
        OrderUpdate,
        report=st.sampled_from(Report),
        trading_pair=st.just("BTC-USD"),
        ts_ns=st.integers(0, 3),
        attempt=st.none() | st.integers(0, 3),
        exchange_order_id=st.none() | st.sampled_from(["77", "78", "100"]),
        reason=st.none() | st.sampled_from(["margin", "tick"]),
        venue_filled_amount=maybe_amount,
        evidence=st.none() | st.just(Evidence(kind="nonce_burned", ts_ns=5, detail="burned")),
    )


def _fills() -> st.SearchStrategy[TradeUpdate]:
    return st.builds(
        TradeUpdate,
        fill_id=st.sampled_from("abc"),
        exchange_order_id=st.sampled_from(["", "77", "78"]),
        trading_pair=st.just("BTC-USD"),
        side=st.just(TradeType.BUY),
        price=st.sampled_from([Decimal(100), Decimal(101)]),
        amount=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1), Decimal("1.50")]),
        fee=st.sampled_from([Decimal(0), Decimal("-0.1")]),
        fee_currency=st.just("USDC"),
        ts_ns=st.integers(0, 3),
        liquidity=st.none() | st.sampled_from(Liquidity),
        client_order_id=st.none() | st.just("mine"),
        venue_client_id=st.none() | st.just("0xmine"),
        received_ts_ns=st.none() | st.integers(0, 3),
    )


NEWS_LISTS = st.lists(_reports() | _fills(), max_size=12)


@given(news=NEWS_LISTS, data=st.data())
def test_order_and_repetition_do_not_matter(news: list[News], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(news), max_size=8)) if news else []
    shuffled = data.draw(st.permutations(news + again))
    assert known(*shuffled) == known(*news)


@given(a=NEWS_LISTS, b=NEWS_LISTS)
def test_two_ledgers_join_to_what_one_would_have_learnt(a: list[News], b: list[News]) -> None:
    assert join(known(*a), known(*b)) == join(known(*b), known(*a)) == known(*a, *b)


@given(news=NEWS_LISTS)
def test_known_news_changes_nothing(news: list[News]) -> None:
    facts = known(*news)
    for item in news:
        assert learn(facts, item) is facts


@given(news=NEWS_LISTS, is_ioc=st.booleans())
def test_final_states_only_move_up_and_executed_never_falls(news: list[News], is_ioc: bool) -> None:
    facts = Facts()
    for item in news:
        before, facts = facts, learn(facts, item)
        was, now = state_of(before, AMOUNT, is_ioc=is_ioc), state_of(facts, AMOUNT, is_ioc=is_ioc)
        assert facts.executed >= before.executed
        if was is S.FAILED and RANK[now] < RANK[was]:
            reopened = facts.attempts > before.attempts
            assert reopened or contradiction(facts, AMOUNT)
        elif was.is_done:
            assert RANK[now] >= RANK[was]


@given(news=NEWS_LISTS, is_ioc=st.booleans())
def test_every_final_state_has_evidence(news: list[News], is_ioc: bool) -> None:
    facts = known(*news)
    if state_of(facts, AMOUNT, is_ioc=is_ioc).is_done:
        assert evidence_of(facts, AMOUNT)


@given(news=NEWS_LISTS, is_ioc=st.booleans())
def test_unknown_is_only_said_of_what_is_pending(news: list[News], is_ioc: bool) -> None:
    facts = known(*news)
    if outcome_unknown(facts, AMOUNT, is_ioc):
        assert state_of(facts, AMOUNT, is_ioc=is_ioc) in (S.PENDING_SUBMIT, S.PENDING_CANCEL)


@given(news=NEWS_LISTS)
def test_executed_is_the_sum_of_the_fills(news: list[News]) -> None:
    facts = known(*news)
    assert facts.executed == sum(fill.amount for fill in facts.fills.values())


# Missing replies


def test_a_missing_reply_is_an_annotation_until_something_tells(report: MakeReport) -> None:
    sent = known(report(Report.ATTEMPTED, attempt=1))
    assert not outcome_unknown(sent, AMOUNT, False)
    lost = learn(sent, report(Report.UNKNOWN, attempt=1, reason="timeout"))
    assert state_of(lost, AMOUNT, is_ioc=False) is S.PENDING_SUBMIT
    assert outcome_unknown(lost, AMOUNT, False)
    assert reason_of(lost, AMOUNT, is_ioc=False) == "timeout"
    assert not outcome_unknown(learn(lost, report(Report.ACCEPTED)), AMOUNT, False)
    proved = learn(lost, report(Report.FAILED, attempt=1))
    assert not outcome_unknown(proved, AMOUNT, False)
    again = learn(proved, report(Report.ATTEMPTED, attempt=2))
    assert state_of(again, AMOUNT, is_ioc=False) is S.PENDING_SUBMIT
    assert not outcome_unknown(again, AMOUNT, False)
    assert outcome_unknown(learn(again, report(Report.UNKNOWN, attempt=2)), AMOUNT, False)


def test_a_missing_cancel_reply_is_told_apart_from_a_missing_place_reply(report: MakeReport) -> None:
    resting = known(report(Report.ATTEMPTED, attempt=1), report(Report.ACCEPTED))
    cancelling = learn(resting, report(Report.CANCEL_ATTEMPTED, attempt=1))
    assert not outcome_unknown(cancelling, AMOUNT, False)
    lost = learn(cancelling, report(Report.CANCEL_UNKNOWN, attempt=1, reason="reset"))
    assert state_of(lost, AMOUNT, is_ioc=False) is S.PENDING_CANCEL
    assert outcome_unknown(lost, AMOUNT, False)
    assert reason_of(lost, AMOUNT, is_ioc=False) == "reset"
    other_refused = learn(lost, report(Report.CANCEL_REFUSED, attempt=2))
    assert outcome_unknown(other_refused, AMOUNT, False)
    refused = learn(lost, report(Report.CANCEL_REFUSED, attempt=1))
    assert state_of(refused, AMOUNT, is_ioc=False) is S.OPEN
    assert not outcome_unknown(refused, AMOUNT, False)
    again = learn(refused, report(Report.CANCEL_ATTEMPTED, attempt=2))
    assert state_of(again, AMOUNT, is_ioc=False) is S.PENDING_CANCEL
    assert not outcome_unknown(again, AMOUNT, False)


def test_cancelling_an_order_whose_place_reply_is_missing_stays_unknown(report: MakeReport) -> None:
    facts = known(report(Report.UNKNOWN, attempt=1), report(Report.CANCEL_ATTEMPTED, attempt=1))
    assert state_of(facts, AMOUNT, is_ioc=False) is S.PENDING_CANCEL
    assert outcome_unknown(facts, AMOUNT, False)


def test_a_refused_cancel_without_a_number_refuses_none(report: MakeReport) -> None:
    facts = known(report(Report.ACCEPTED), report(Report.CANCEL_ATTEMPTED, attempt=1), report(Report.CANCEL_REFUSED))
    assert state_of(facts, AMOUNT, is_ioc=False) is S.PENDING_CANCEL


def test_a_refusal_without_a_number_never_fails_a_later_attempt(report: MakeReport) -> None:
    facts = known(report(Report.ATTEMPTED, attempt=1), report(Report.FAILED), report(Report.ATTEMPTED, attempt=2))
    assert state_of(facts, AMOUNT, is_ioc=False) is S.PENDING_SUBMIT
    facts = learn(facts, report(Report.FAILED, reason="late news of attempt 1"))
    assert state_of(facts, AMOUNT, is_ioc=False) is S.PENDING_SUBMIT


def test_an_order_that_never_came_to_an_attempt_can_be_tried(report: MakeReport) -> None:
    never_sent = known(report(Report.FAILED, attempt=0))
    assert state_of(never_sent, AMOUNT, is_ioc=False) is S.FAILED
    tried = learn(never_sent, report(Report.ATTEMPTED, attempt=1))
    assert state_of(tried, AMOUNT, is_ioc=False) is S.PENDING_SUBMIT


# What an IOC leaves over


@pytest.mark.parametrize(
    ("kind", "executed", "state", "reason"),
    [
        (Report.EXPIRED, 0, S.EXPIRED, "ioc_unmatched"),
        (Report.FILLED, 1, S.EXPIRED, "ioc_remainder"),
        (Report.FILLED, 2, S.FILLED, None),
        (Report.CANCELLED, 0, S.EXPIRED, "ioc_unmatched"),
        (Report.CANCELLED, 1, S.EXPIRED, "ioc_remainder"),
    ],
)
def test_an_ended_ioc(kind: Report, executed: int, state: OrderState, reason: str | None, report: MakeReport) -> None:
    facts = known(report(Report.ATTEMPTED, attempt=1), report(kind, venue_filled_amount=Decimal(executed)))
    assert state_of(facts, AMOUNT, is_ioc=True) is state
    assert reason_of(facts, AMOUNT, is_ioc=True) == reason


def test_a_filled_ioc_is_open_until_it_is_known_how_much_was_filled(report: MakeReport, fill: MakeFill) -> None:
    facts = known(report(Report.FILLED))
    assert state_of(facts, AMOUNT, is_ioc=True) is S.OPEN
    facts = learn(facts, fill("a"))
    assert state_of(facts, AMOUNT, is_ioc=True) is S.PARTIALLY_FILLED
    assert state_of(learn(facts, fill("b")), AMOUNT, is_ioc=True) is S.FILLED


def test_late_fills_count_after_the_end(report: MakeReport, fill: MakeFill) -> None:
    facts = known(report(Report.ACCEPTED), report(Report.CANCELLED), fill("a"))
    assert state_of(facts, AMOUNT, is_ioc=False) is S.CANCELLED
    assert facts.executed == 1
    assert state_of(learn(facts, fill("b")), AMOUNT, is_ioc=False) is S.FILLED


# Contradictions


def test_no_contradiction_in_an_ordinary_life(report: MakeReport, fill: MakeFill) -> None:
    facts = known(
        report(Report.ATTEMPTED, attempt=1), report(Report.ACCEPTED, exchange_order_id="77"), fill("a"), fill("b")
    )
    assert contradiction(facts, AMOUNT) is None


@pytest.mark.parametrize("later", [Report.ACCEPTED, Report.FILLED, Report.CANCELLED])
def test_an_accept_outranks_a_proof_of_failure(later: Report, report: MakeReport) -> None:
    facts = known(report(Report.ATTEMPTED, attempt=1), report(Report.FAILED, attempt=1))
    assert contradiction(facts, AMOUNT) is None
    facts = learn(facts, report(later))
    assert state_of(facts, AMOUNT, is_ioc=False) is not S.FAILED
    assert "refused" in str(contradiction(facts, AMOUNT))


def test_a_fill_outranks_a_proof_of_failure(report: MakeReport, fill: MakeFill) -> None:
    facts = known(report(Report.ATTEMPTED, attempt=1), report(Report.FAILED, attempt=1), fill())
    assert state_of(facts, AMOUNT, is_ioc=False) is S.PARTIALLY_FILLED
    assert "refused" in str(contradiction(facts, AMOUNT))


def test_a_second_attempt_that_is_accepted_contradicts_nothing(report: MakeReport) -> None:
    facts = known(
        report(Report.ATTEMPTED, attempt=1),
        report(Report.FAILED, attempt=1),
        report(Report.ATTEMPTED, attempt=2),
        report(Report.ACCEPTED, attempt=2),
    )
    assert state_of(facts, AMOUNT, is_ioc=False) is S.OPEN
    assert contradiction(facts, AMOUNT) is None


def test_more_executed_than_ordered(fill: MakeFill) -> None:
    assert "more was executed" in str(contradiction(known(fill("a"), fill("b"), fill("c")), AMOUNT))


def test_two_exchange_ids(report: MakeReport) -> None:
    facts = known(report(Report.ACCEPTED, exchange_order_id="100"), report(Report.ACCEPTED, exchange_order_id="99"))
    assert str(contradiction(facts, AMOUNT)).endswith("100, 99")
    assert exchange_order_id_of(facts) == "99"
    assert exchange_order_id_of(Facts()) is None


def test_one_fill_told_with_two_contents_counts_the_larger_once(fill: MakeFill) -> None:
    facts = known(fill("a", amount=Decimal(1)), fill("a", amount=Decimal("1.5")), fill("a", amount=Decimal(1)))
    assert facts.executed == Decimal("1.5")
    assert "two contents" in str(contradiction(facts, AMOUNT))


def test_one_fill_from_two_channels_keeps_what_either_tells(fill: MakeFill) -> None:
    streamed = fill(received_ts_ns=30, liquidity=Liquidity.MAKER)
    queried = fill(received_ts_ns=25, venue_client_id="0xmine", amount=Decimal("1.0"))
    facts = known(streamed, queried)
    assert contradiction(facts, AMOUNT) is None
    assert facts.executed == 1
    kept = facts.fills["f1"]
    assert (kept.liquidity, kept.venue_client_id, kept.received_ts_ns) == (Liquidity.MAKER, "0xmine", 25)


def test_a_negative_fill_is_refused(fill: MakeFill) -> None:
    with pytest.raises(ProtocolError, match="negative"):
        learn(Facts(), fill(amount=Decimal(-1)))


# Fills, reasons, evidence


def test_fills_are_never_invented_from_a_status(report: MakeReport, fill: MakeFill) -> None:
    facts = known(report(Report.FILLED, venue_filled_amount=Decimal(2)))
    assert state_of(facts, AMOUNT, is_ioc=False) is S.FILLED
    assert facts.executed == 0
    assert not fills_complete(facts, AMOUNT)
    assert not fills_complete(learn(facts, fill("a")), AMOUNT)
    assert fills_complete(known(fill("a"), fill("b")), AMOUNT)


def test_a_filled_order_without_an_amount_wants_its_fills(report: MakeReport) -> None:
    assert not fills_complete(known(report(Report.FILLED)), AMOUNT)
    assert fills_complete(known(report(Report.ACCEPTED)), AMOUNT)


def test_reasons_belong_to_their_state(report: MakeReport) -> None:
    facts = known(report(Report.ACCEPTED, reason="resting"))
    assert reason_of(facts, AMOUNT, is_ioc=False) is None
    facts = learn(facts, report(Report.CANCELLED, reason="marginCanceled"))
    assert reason_of(facts, AMOUNT, is_ioc=False) == "marginCanceled"
    assert reason_of(known(report(Report.EXPIRED)), AMOUNT, is_ioc=False) is None


def test_evidence_is_what_the_news_brought(report: MakeReport, fill: MakeFill) -> None:
    burned = Evidence(kind="nonce_burned", ts_ns=5, detail="noop accepted")
    facts = known(report(Report.FAILED, attempt=1, evidence=burned))
    assert evidence_of(facts, AMOUNT) == (burned,)
    facts = known(report(Report.ACCEPTED, evidence=burned))
    assert evidence_of(facts, AMOUNT) == ()


def test_a_last_block_that_several_saw_pass_is_one_piece_of_evidence(report: MakeReport) -> None:
    facts = Facts(attempts=frozenset({1}))
    for ts_ns in (9, 7, 8):
        seen = Evidence(kind="block_limit_passed", ts_ns=ts_ns, detail=f"block {ts_ns} is past 5")
        facts = learn(facts, report(Report.EXPIRED, evidence=seen))
    assert [item.ts_ns for item in evidence_of(facts, AMOUNT)] == [7]


def test_evidence_of_a_status_and_of_the_last_fill(report: MakeReport, fill: MakeFill) -> None:
    facts = known(report(Report.FILLED, venue_code="filled"), fill("a"), fill("b", ts_ns=25))
    assert [(item.kind, item.ts_ns, item.detail) for item in evidence_of(facts, AMOUNT)] == [
        ("venue_status", 10, "filled"),
        ("venue_fill", 25, "fill b"),
    ]
