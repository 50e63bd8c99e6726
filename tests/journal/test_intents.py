"""What must be on disk before anything leaves: ids, nonces, attempts, cancels, leases."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from latentspeed_cli.clock import NS_PER_MS
from latentspeed_cli.core.drafts import CountedNonces, Draft
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report
from latentspeed_cli.core.types import OrderState, TradeType
from latentspeed_cli.journal import Journal
from latentspeed_cli.journal.facts import Attempt, decode_body

START_NS = 1_764_000_000_000_000_000
START_MS = START_NS // NS_PER_MS
SIGNER = "0x" + "5" * 40

Opened = Callable[..., Journal]
Drafts = Callable[..., Draft]
Orders = Callable[..., InFlightOrder]


def news(report: Report, name: str = "order-1", *, attempt: int | None = 1, ts_ns: int = START_NS) -> OrderUpdate:
    return OrderUpdate(report=report, trading_pair="BTC-USD", ts_ns=ts_ns, client_order_id=name, attempt=attempt)


def known(journal: Journal, name: str = "order-1") -> InFlightOrder:
    found = journal.order(name)
    assert found is not None
    return found


def refused(attempt: int) -> OrderUpdate:
    evidence = Evidence(kind="nonce_burned", ts_ns=START_NS, detail="burned")
    return OrderUpdate(
        report=Report.FAILED,
        trading_pair="BTC-USD",
        ts_ns=START_NS,
        client_order_id="order-1",
        attempt=attempt,
        evidence=evidence,
    )


# Beginning


def test_an_order_begun_is_on_disk_with_all_that_rebuilds_its_bytes(
    journal: Journal, opened: Opened, draft: Drafts
) -> None:
    built = []

    def build(order: InFlightOrder) -> bytes:
        built.append(order)
        return b"bytes of " + str(order.nonce).encode()

    (begun,) = journal.begin([draft(build=build, expires_after_ms=17)])
    assert begun.fresh
    assert not begun.conflict
    assert (begun.order.attempt, begun.order.nonce, begun.order.state) == (1, START_MS, OrderState.PENDING_SUBMIT)
    assert built == [begun.order]

    other = opened()
    assert other.order("order-1") == begun.order
    intent, attempt = other.facts()
    assert (intent.kind, attempt.kind, attempt.attempt) == ("intent", "attempt", 1)
    body = decode_body("attempt", attempt.body)
    assert isinstance(body, Attempt)
    assert (body.signer, body.nonce, body.expires_after_ms) == (SIGNER, START_MS, 17)
    assert (body.amount, body.price) == (Decimal("0.010"), Decimal("95000.5"))
    assert body.body_sha256 == hashlib.sha256(f"bytes of {START_MS}".encode()).hexdigest()


def test_a_signature_is_never_on_disk(journal: Journal, path: Path, draft: Drafts) -> None:
    journal.begin([draft()])
    journal.close()
    files = list(path.parent.iterdir())
    assert files
    assert not [file for file in files if b"SIGNATURE" in file.read_bytes()]


def test_nothing_is_written_when_the_bytes_cannot_be_built(journal: Journal, draft: Drafts) -> None:
    def build(order: InFlightOrder) -> bytes:
        raise ValueError("no key")

    with pytest.raises(ValueError, match="no key"):
        journal.begin([draft("order-1"), draft("order-2", build=build)])
    assert list(journal.facts()) == []
    assert journal.orders() == []
    assert journal.begin([draft()])[0].order.nonce == START_MS


def test_nonces_grow_whatever_the_clock_does(journal: Journal, opened: Opened, clock: Any, draft: Drafts) -> None:
    first = [begun.order.nonce for begun in journal.begin([draft("a"), draft("b")])]
    clock.ns -= 60_000 * NS_PER_MS
    after_step_back = [journal.begin([draft("c")])[0].order.nonce, opened().reserve_nonce(SIGNER)]
    clock.ns += 120_000 * NS_PER_MS
    later = journal.reserve_nonce(SIGNER)
    assert [*first, *after_step_back] == [START_MS + n for n in range(4)]
    assert later == START_MS + 60_000
    assert journal.reserve_nonce("another signer") == START_MS + 60_000


# The same id again


def test_a_known_id_with_the_same_parameters_is_told_and_not_begun(
    journal: Journal, opened: Opened, draft: Drafts
) -> None:
    (first,) = journal.begin([draft()])
    facts = list(journal.facts())
    (again,) = opened().begin([draft(price=Decimal(1), created_ts_ns=5)])
    assert (again.fresh, again.conflict, again.order) == (False, False, first.order)
    assert list(journal.facts()) == facts


def test_a_known_id_with_other_parameters_is_a_conflict(journal: Journal, draft: Drafts) -> None:
    (first,) = journal.begin([draft()])
    (again,) = journal.begin([draft(parameters_hash="h2")])
    assert (again.fresh, again.conflict, again.order) == (False, True, first.order)


def test_one_id_twice_in_one_group_is_begun_once(journal: Journal, draft: Drafts) -> None:
    first, second, other = journal.begin([draft(), draft(), draft("order-2")])
    assert (first.fresh, second.fresh, other.fresh) == (True, False, True)
    assert second.order == first.order


def test_an_id_that_another_order_has_at_the_venue_is_a_conflict(journal: Journal, draft: Drafts) -> None:
    (first,) = journal.begin([draft("ABC", venue_client_id="0xabc")])
    (second,) = journal.begin([draft("abc", venue_client_id="0xabc")])
    (elsewhere,) = journal.begin([draft("Abc", venue_client_id="0xabc", account="0xb")])
    assert (second.fresh, second.conflict, second.order) == (False, True, first.order)
    assert elsewhere.fresh
    assert journal.venue_client_id_taken("0xabc", venue="hyperliquid", account="0xb") == "Abc"
    assert journal.venue_client_id_taken("0xdef", venue="hyperliquid", account="0xb") is None


def test_a_new_attempt_needs_a_failure_and_the_number_of_the_last_one(
    journal: Journal, opened: Opened, clock: Any, draft: Drafts
) -> None:
    journal.begin([draft()])
    retry = draft(attempt=1, price=Decimal(94000), expires_after_ms=99)
    assert not journal.begin([retry])[0].fresh  # the first attempt is undecided

    journal.record([refused(1)], kind="proof", client_order_id="order-1")
    assert not journal.begin([draft()])[0].fresh  # nobody asked for another one
    clock.ns += 5 * NS_PER_MS
    (mine,), (theirs,) = journal.begin([retry]), opened().begin([retry])
    assert (mine.fresh, theirs.fresh) == (True, False)
    assert (mine.order.attempt, mine.order.nonce) == (2, START_MS + 5)
    assert (mine.order.price, mine.order.expires_after_ms) == (Decimal(94000), 99)
    assert mine.order.state is OrderState.PENDING_SUBMIT
    assert theirs.order == mine.order == opened().order("order-1")


# Leases


def test_until_the_deadline_only_the_writer_says_what_became_of_it(
    journal: Journal, opened: Opened, draft: Drafts
) -> None:
    order = journal.begin([draft()])[0].order
    deadline_ns = START_NS + 30_000_000_000
    other = opened()
    assert other.submit_deadline_ns("order-1") == deadline_ns
    assert other.signer_of("order-1") == SIGNER
    assert not other.lease_over(order, deadline_ns - 1)
    assert other.lease_over(order, deadline_ns)
    journal.record([news(Report.UNKNOWN)], kind="note", client_order_id="order-1")
    assert not other.lease_over(known(other), deadline_ns - 1)
    journal.record([news(Report.ACCEPTED)], kind="reply", client_order_id="order-1")
    assert other.lease_over(known(other), START_NS)


def test_an_order_without_an_attempt_has_no_lease(journal: Journal, order: Orders) -> None:
    adopted = journal.adopt(order("external", is_external=True))
    assert journal.submit_deadline_ns("external") == 0
    assert journal.signer_of("external") is None
    assert journal.lease_over(adopted, 0)


# Cancels


def test_cancels_are_numbered_and_on_disk_before_they_leave(journal: Journal, opened: Opened, draft: Drafts) -> None:
    order = journal.begin([draft()])[0].order
    journal.record([news(Report.ACCEPTED)], kind="reply", client_order_id="order-1")
    assert journal.begin_cancel(order, signer=SIGNER) == (1, START_MS + 1)
    assert known(opened()).state is OrderState.PENDING_CANCEL
    refusal = news(Report.CANCEL_REFUSED, attempt=1)
    journal.record([refusal], kind="cancel_reply", client_order_id="order-1")
    assert known(journal).state is OrderState.OPEN
    assert opened().begin_cancel(order, signer=SIGNER) == (2, START_MS + 2)
    assert [fact.kind for fact in journal.facts("order-1")][2:] == [
        "reply",
        "cancel_intent",
        "cancel_reply",
        "cancel_intent",
    ]


def test_cancelling_an_order_that_is_not_here_takes_it_up(journal: Journal, order: Orders) -> None:
    assert journal.begin_cancel(order("external", is_external=True), signer=SIGNER)[0] == 1
    assert known(journal, "external").is_external
    assert [fact.kind for fact in journal.facts()] == ["adopted", "cancel_intent"]


# Questions


def test_undecided_orders(journal: Journal, draft: Drafts) -> None:
    journal.begin(
        [draft("a"), draft("b", side=TradeType.SELL), draft("c", trading_pair="ETH-USD"), draft("d"), draft("e")]
    )
    journal.record([news(Report.ACCEPTED, "d")], kind="reply", client_order_id="d")
    journal.record([news(Report.ACCEPTED, "e")], kind="reply", client_order_id="e")
    journal.begin_cancel(known(journal, "e"), signer=SIGNER)

    def ids(orders: list[InFlightOrder]) -> list[str]:
        return [order.client_order_id for order in orders]

    assert ids(journal.undecided()) == ["a", "b", "c", "e"]
    assert ids(journal.undecided("BTC-USD", TradeType.BUY)) == ["a", "e"]
    assert ids(journal.undecided("ETH-USD", TradeType.SELL)) == []


def test_finding_orders(journal: Journal, draft: Drafts) -> None:
    journal.begin([draft("abc1"), draft("abc2"), draft("77"), draft("770", venue_client_id="")])
    accepted = OrderUpdate(report=Report.ACCEPTED, trading_pair="BTC-USD", ts_ns=1, exchange_order_id="1234")
    journal.record([accepted], kind="reply", client_order_id="abc1")

    def ids(text: str) -> list[str]:
        return [order.client_order_id for order in journal.find(text)]

    assert ids("abc1") == ids("1234") == ids("0xabc1") == ["abc1"]
    assert ids("abc") == ["abc1", "abc2"]
    assert ids("77") == ["77"]  # exact, though another one starts with it
    assert ids("123") == ids("") == ids("%") == ids("ABC") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("grid-1", []),
        ("grid-", ["grid-10", "grid-11"]),
        ("grid", ["grid-10", "grid-11"]),
        ("dca-2026", ["dca-2026-11-26"]),
        ("dca-2026-1", ["dca-2026-11-26"]),
        ("dca-2026-11-2", []),
        ("run-17641", ["run-1764158047"]),
        ("run-176415804", ["run-1764158047"]),
        ("0123", ["0123456789abcdef0123456789abcdef"]),
        ("3b", ["3b0123456789abcdef0123456789abcd"]),
    ],
)
def test_a_prefix_does_not_cut_a_counter_in_two(journal: Journal, draft: Drafts, text: str, found: list[str]) -> None:
    names = ("grid-10", "grid-11", "dca-2026-11-26", "run-1764158047")
    ours = ("0123456789abcdef0123456789abcdef", "3b0123456789abcdef0123456789abcd")
    journal.begin([draft(name, venue_client_id=name) for name in (*names, *ours)])
    assert [order.client_order_id for order in journal.find(text)] == found


def test_lists_of_orders(journal: Journal, clock: Any, draft: Drafts) -> None:
    journal.begin([draft("a"), draft("b", side=TradeType.SELL, created_ts_ns=START_NS + 1)])
    journal.begin([draft("c", trading_pair="ETH-USD", created_ts_ns=START_NS + 2)])
    journal.record([news(Report.ACCEPTED, "a")], client_order_id="a")

    def ids(**filters: Any) -> list[str]:
        return [order.client_order_id for order in journal.orders(**filters)]

    assert ids() == ["c", "b", "a"]
    assert ids(limit=2) == ["c", "b"]
    assert ids(pair="BTC-USD") == ["b", "a"]
    assert ids(side=TradeType.SELL) == ["b"]
    assert ids(states=[OrderState.OPEN]) == ["a"]
    assert ids(states=[]) == []
    assert ids(since_ns=START_NS + 1) == ["c", "b"]


def test_a_clock_that_was_years_ahead_once_spoils_no_nonce(journal: Journal, clock: Any, draft: Drafts) -> None:
    clock.ns = START_NS + 4 * 365 * 86_400 * 10**9
    order = journal.begin([draft("a")])[0].order
    journal.begin_cancel(order, signer=SIGNER)
    clock.ns = START_NS
    assert [journal.reserve_nonce(SIGNER) for _ in range(2)] == [START_MS, START_MS + 1]
    clock.ns = START_NS - 3600 * 10**9
    assert journal.reserve_nonce(SIGNER) == START_MS + 2, "an hour back is no reason to use one twice"


def test_nonces_that_the_venue_counts_follow_what_it_expects(journal: Journal, opened: Opened, draft: Drafts) -> None:
    def counted(least: int, *, is_exact: bool = False) -> CountedNonces:
        return CountedNonces(scope="the account", next=least, is_exact=is_exact)

    def begun(name: str, sequence: CountedNonces) -> int | None:
        return journal.begin([msgspec.structs.replace(draft(name), sequence=lambda: sequence)])[0].order.nonce

    assert [begun("a", counted(5)), begun("b", counted(5))] == [5, 6]
    assert opened().begin_cancel(known(journal, "a"), signer=SIGNER, sequence=counted(5)) == (1, 7)
    assert begun("c", counted(6, is_exact=True)) == 6, "the venue named it, so what was handed out since counts no more"
    assert begun("d", counted(6)) == 7
    assert journal.begin([draft("e")])[0].order.nonce == START_MS, "the signer's own nonces are counted apart"
    assert journal.reserve_nonce(SIGNER, sequence=counted(30)) == 30
    journal.verify()


def test_an_order_keeps_where_it_ends_and_each_attempt_its_own(journal: Journal, draft: Drafts) -> None:
    journal.begin([draft(good_til_block=10, exchange_order_id="x1")])
    journal.record([refused(1)], client_order_id="order-1")
    (begun,) = journal.begin([draft(attempt=1, good_til_block=20, good_til_ts_ns=5, timeout_height=7)])
    assert begun.fresh
    stored = known(journal)
    assert (stored.attempt, stored.good_til_block, stored.good_til_ts_ns, stored.timeout_height) == (2, 20, 5, 7)
    assert stored.exchange_order_id == "x1"
    journal.rebuild()
    assert known(journal) == stored


def test_an_id_that_is_known_before_the_order_is_sent_is_one_order_s(journal: Journal, draft: Drafts) -> None:
    journal.begin([draft("a", exchange_order_id="x1")])
    assert [found.client_order_id for found in journal.find("x1")] == ["a"]
    (begun,) = journal.begin([draft("b", exchange_order_id="x1")])
    assert (begun.fresh, begun.conflict, begun.order.client_order_id) == (False, True, "a")
    (other,) = journal.begin([draft("c", exchange_order_id="x1", account="another")])
    assert other.fresh
    journal.verify()
