"""News in the journal: nothing twice, nothing lost, and everything can be made again from the facts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from pathlib import Path
from random import Random
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.core.drafts import Draft
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts, News, learn
from latentspeed_cli.core.reports import OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.types import Liquidity, OrderState, TradeType
from latentspeed_cli.errors import JournalError
from latentspeed_cli.journal import Journal

Opened = Callable[..., Journal]
Drafts = Callable[..., Draft]
Orders = Callable[..., InFlightOrder]


def report(
    report: Report = Report.ACCEPTED,
    *,
    client_order_id: str | None = None,
    venue_client_id: str | None = None,
    exchange_order_id: str | None = "77",
    trading_pair: str = "BTC-USD",
    attempt: int | None = None,
    ts_ns: int = 1,
) -> OrderUpdate:
    return OrderUpdate(
        report=report,
        trading_pair=trading_pair,
        ts_ns=ts_ns,
        client_order_id=client_order_id,
        venue_client_id=venue_client_id,
        exchange_order_id=exchange_order_id,
        attempt=attempt,
    )


def fill(
    fill_id: str = "f1",
    amount: str = "0.004",
    *,
    client_order_id: str | None = None,
    exchange_order_id: str = "77",
    received_ts_ns: int | None = None,
    ts_ns: int = 5,
    liquidity: Liquidity | None = None,
) -> TradeUpdate:
    return TradeUpdate(
        fill_id=fill_id,
        exchange_order_id=exchange_order_id,
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        price=Decimal(95000),
        amount=Decimal(amount),
        fee=Decimal("0.1"),
        fee_currency="USDC",
        ts_ns=ts_ns,
        client_order_id=client_order_id,
        received_ts_ns=received_ts_ns,
        liquidity=liquidity,
    )


def known(journal: Journal, name: str = "order-1") -> InFlightOrder:
    found = journal.order(name)
    assert found is not None
    return found


def kinds(journal: Journal) -> list[str]:
    return [fact.kind for fact in journal.facts()]


def test_news_moves_the_order_and_is_seen_by_others(journal: Journal, opened: Opened, draft: Drafts) -> None:
    journal.begin([draft()])
    news: list[News] = [report(), fill()]
    assert journal.record(news, kind="reply", client_order_id="order-1") == news
    order = known(opened())
    assert (order.state, order.exchange_order_id) == (OrderState.PARTIALLY_FILLED, "77")
    assert order.executed_amount == Decimal("0.004")
    assert kinds(journal) == ["intent", "attempt", "reply", "fill"]


def test_news_that_is_known_is_not_written_again(journal: Journal, opened: Opened, draft: Drafts) -> None:
    journal.begin([draft()])
    journal.record([report(), fill(received_ts_ns=3)], client_order_id="order-1")
    before = list(journal.facts())
    again: list[News] = [report(ts_ns=9), fill(received_ts_ns=8), report(client_order_id="order-1")]
    assert opened().record(again, kind="reply", client_order_id="order-1") == []
    assert list(journal.facts()) == before


@pytest.mark.parametrize(
    "ids",
    [
        {"client_order_id": "order-1"},
        {"venue_client_id": "0xorder-1"},
        {"exchange_order_id": "77"},
        {"client_order_id": "nobody", "venue_client_id": "0xnobody", "exchange_order_id": "77"},
    ],
    ids=lambda ids: "+".join(ids),
)
def test_news_finds_its_order_by_any_id(journal: Journal, draft: Drafts, ids: dict[str, Any]) -> None:
    journal.begin([draft(), draft("order-2")])
    journal.record([report(exchange_order_id="77")], client_order_id="order-1")
    news = report(Report.CANCELLED, **({"exchange_order_id": None} | ids))
    assert journal.record([news]) == [news]
    assert known(journal).state is OrderState.CANCELLED
    assert known(journal, "order-2").state is OrderState.PENDING_SUBMIT


def test_news_of_another_market_is_not_about_the_order(journal: Journal, draft: Drafts) -> None:
    journal.begin([draft()])
    news = report(Report.CANCELLED, client_order_id="order-1", trading_pair="ETH-USD")
    assert journal.record([news], client_order_id="order-1") == [news]
    assert known(journal).state is OrderState.PENDING_SUBMIT


def test_news_of_no_order_is_kept_once_and_its_fills_count(journal: Journal, opened: Opened) -> None:
    news: list[News] = [fill(received_ts_ns=1), report(exchange_order_id="78")]
    assert journal.record(news) == news
    assert opened().record([fill(received_ts_ns=2), report(exchange_order_id="78")]) == []
    assert [found.fill_id for found in journal.fills()] == ["f1"]
    assert journal.orders() == []
    assert kinds(journal) == ["fill", "report"]


def test_an_orphan_fill_is_not_counted_twice_when_its_order_turns_up(
    journal: Journal, order: Orders, draft: Drafts
) -> None:
    journal.record([fill()])
    journal.adopt(order("external", is_external=True))
    journal.record([report(), fill(received_ts_ns=3)], client_order_id="external")
    assert [found.received_ts_ns for found in journal.fills()] == [3]
    assert known(journal, "external").executed_amount == Decimal("0.004")
    journal.verify()


def test_one_trade_between_two_of_our_orders_is_two_fills(journal: Journal, draft: Drafts) -> None:
    journal.begin([draft("buy"), draft("sell", side=TradeType.SELL)])
    journal.record([fill("t", exchange_order_id="1")], client_order_id="buy")
    journal.record([fill("t", exchange_order_id="2")], client_order_id="sell")
    assert len(journal.fills()) == 2


def test_a_fill_that_another_channel_tells_more_of(journal: Journal, draft: Drafts) -> None:
    journal.begin([draft()])
    journal.record([fill()], client_order_id="order-1")
    more = fill(liquidity=Liquidity.MAKER)
    assert journal.record([more], client_order_id="order-1") == [more]
    assert [found.liquidity for found in journal.fills()] == [Liquidity.MAKER]
    journal.verify()


def test_lists_of_fills(journal: Journal) -> None:
    journal.record([fill("c", ts_ns=30), fill("a", ts_ns=10), fill("b", ts_ns=20)])

    def ids(trading_pair: str | None = None, since_ns: int | None = None, limit: int | None = None) -> list[str]:
        return [found.fill_id for found in journal.fills(trading_pair, since_ns=since_ns, limit=limit)]

    assert ids() == ["a", "b", "c"]
    assert ids(since_ns=20) == ["b", "c"]
    assert ids(limit=2) == ["b", "c"]
    assert ids("ETH-USD") == []


def test_adopting_keeps_what_is_known(journal: Journal, order: Orders, draft: Drafts) -> None:
    begun = journal.begin([draft()])[0].order
    found = order(facts=learn(order().facts, report(exchange_order_id="9")))
    adopted = journal.adopt(found)
    assert (adopted.state, adopted.exchange_order_id, adopted.nonce) == (OrderState.OPEN, "9", begun.nonce)
    assert journal.adopt(found) == adopted == known(journal)
    assert kinds(journal) == ["intent", "attempt", "adopted"]
    assert [one.client_order_id for one in journal.find("9")] == ["order-1"]


def test_kinds_of_news(journal: Journal) -> None:
    with pytest.raises(ValueError, match="intent"):
        journal.record([report()], kind="intent")


# Everything follows from the facts


def tables(path: Path) -> dict[str, list[Any]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = ("orders", "venue_ids", "exchange_ids", "fills", "nonces", "orphans")
    return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def busy(journal: Journal, draft: Drafts, order: Orders) -> None:
    """A bit of everything."""
    journal.record([fill("early", exchange_order_id="1")])
    journal.begin([draft("a"), draft("b"), draft("c")])
    journal.record([report(exchange_order_id="1"), fill("f1", exchange_order_id="1")], client_order_id="a")
    journal.record([fill("early", exchange_order_id="1")], client_order_id="a")
    journal.record([report(Report.FAILED, exchange_order_id=None, attempt=1)], kind="reply", client_order_id="b")
    journal.begin([draft("b", attempt=1, price=Decimal(1))])
    journal.begin_cancel(known(journal, "a"), signer="s")
    journal.begin_cancel(order("external", facts=learn(order().facts, fill("x", exchange_order_id="5"))), signer="s")
    journal.reserve_nonce("s")
    journal.record([report(Report.UNKNOWN, attempt=1)], kind="note", client_order_id="c")


def test_the_tables_can_be_made_again(journal: Journal, path: Path, draft: Drafts, order: Orders) -> None:
    busy(journal, draft, order)
    before = tables(path)
    count = len(list(journal.facts()))
    assert all(before.values())
    assert journal.verify() == count
    apsw.Connection(str(path)).execute("DELETE FROM orders; DELETE FROM nonces; UPDATE fills SET ts_ns = 0")
    with pytest.raises(JournalError):
        journal.verify()
    assert journal.rebuild() == count
    assert tables(path) == before
    assert journal.verify() == count
    assert not journal.begin([draft("a")])[0].fresh


NEWS = st.one_of(
    st.builds(
        report,
        st.sampled_from([kind for kind in Report if kind is not Report.NOTE]),
        exchange_order_id=st.sampled_from([None, "1", "2"]),
        attempt=st.sampled_from([None, 1, 2]),
    ),
    st.builds(
        fill,
        st.sampled_from(["f1", "f2", "f3"]),
        st.sampled_from(["0.001", "0.004"]),
        exchange_order_id=st.sampled_from(["1", "2"]),
        received_ts_ns=st.sampled_from([None, 7]),
        liquidity=st.sampled_from([None, *Liquidity]),
    ),
)


def whenever_received(facts: Facts) -> Facts:
    """Without the moments at which a process received fills: that it did so earlier than another is not written."""
    fills = {name: msgspec.structs.replace(found, received_ts_ns=None) for name, found in facts.fills.items()}
    return msgspec.structs.replace(facts, fills=fills)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news=st.lists(NEWS, max_size=8), dice=st.randoms(use_true_random=False))
def test_the_journal_knows_what_the_facts_say_in_whatever_order(draft: Drafts, news: list[News], dice: Random) -> None:
    """Also when they come in pieces, twice, and from two processes."""
    shuffled = news * 2
    dice.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        clock = SystemClock()
        with (
            Journal.open(path, network="sandbox", instance="", clock=clock, synchronous="OFF") as one,
            Journal.open(path, network="sandbox", instance="", clock=clock, synchronous="OFF") as two,
        ):
            begun = one.begin([draft()])[0].order
            for item in shuffled:
                dice.choice([one, two]).record([item], client_order_id="order-1")
            expected = whenever_received(reduce(learn, news, begun.facts))
            assert whenever_received(known(one).facts) == whenever_received(known(two).facts) == expected
            written = {found.fill_id: msgspec.structs.replace(found, received_ts_ns=None) for found in one.fills()}
            assert written == expected.fills
            assert len(one.fills()) == len(expected.fills)
            one.verify()


def test_a_fill_that_another_process_received_earlier_is_no_news(opened: Opened, draft: Drafts) -> None:
    one, other = opened(), opened()
    one.begin([draft()])
    later = fill(client_order_id="order-1", received_ts_ns=9)
    assert one.record([later]) == [later]
    assert other.record([fill(client_order_id="order-1", received_ts_ns=8)]) == []
    known = fill(client_order_id="order-1", received_ts_ns=7, liquidity=Liquidity.TAKER)
    assert other.record([known]) == [known]  # it tells more
    assert [fact.kind for fact in one.facts()].count("fill") == 2
