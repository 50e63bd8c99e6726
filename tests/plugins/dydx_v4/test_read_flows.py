"""Every conversation that only asks, walked with next() and send()."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from latentspeed_dydx_v4 import decode_orders, identifiers
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.payloads import OrderRow
from latentspeed_dydx_v4.wire import iso

from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report
from latentspeed_cli.core.types import OrderType, TimeInForce
from latentspeed_cli.errors import (
    AuthRejected,
    ConnectFailed,
    CredentialError,
    OrderRefused,
    ProtocolError,
    RateLimited,
    ReplyLost,
)
from latentspeed_cli.keys import Secret

from .reading import (
    ADDRESS,
    CLIENT_ID,
    MARKETS,
    METADATA,
    NOT_FOUND,
    ORDER_ID,
    RECEIVED_NS,
    SUBACCOUNT_ID,
    SYMBOLS,
    Flows,
    config,
    fill_row,
    market_row,
    order,
    order_row,
    reply,
    walk,
)

BASE = "https://indexer.v4testnet.dydx.exchange/v4"
NODE = "grpc://oegs-testnet.dydx.exchange:443"
ACCOUNT = f"address={ADDRESS}&subaccountNumber=0"
ORDER = f"GET {BASE}/orders/{ORDER_ID}"
HEIGHT = f"GET {BASE}/height"
LATEST = f"GRPC {NODE}/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock"


@pytest.fixture
def flows() -> Flows:
    return Flows()


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(height: int) -> Any:
    header = field(2, b"dydx-testnet-4") + field(3, height)
    return reply(field(2, field(1, header)), 0)


def height(value: int) -> dict[str, str]:
    return {"height": str(value), "time": "2025-12-08T16:11:59.450Z"}


# Public data


def test_markets(flows: Flows) -> None:
    asked, found = walk(flows.markets_flow(), MARKETS)
    assert asked == [f"GET {BASE}/perpetualMarkets"]
    assert [market.trading_pair for market in found.symbols] == ["BTC-USD", "ETH-USD", "PEPE-USD", "APE-USD", "OLD-USD"]


def test_a_market_that_makes_no_sense_hides_no_other(flows: Flows) -> None:
    rows = {"BAD-USD": market_row("BAD-USD", 5, -7, stepBaseQuantums="x"), "ETH-USD": market_row("ETH-USD", 1, -9)}
    _, found = walk(flows.markets_flow(), {"markets": rows})
    assert [market.trading_pair for market in found.symbols] == ["ETH-USD"]
    with pytest.raises(ProtocolError):
        walk(flows.markets_flow(), {"markets": {"BAD-USD": rows["BAD-USD"]}})


def test_a_book(flows: Flows) -> None:
    said = {"bids": [{"price": "3000", "size": "1"}], "asks": [{"price": "3001", "size": "2"}]}
    date = {"date": "Mon, 08 Dec 2025 16:11:59 GMT"}
    asked, book = walk(flows.book_flow("eth-usd"), reply(said, headers=date))
    assert asked == [f"GET {BASE}/orderbooks/perpetualMarket/ETH-USD"]
    assert (book.trading_pair, book.bids[0].price, book.ts_ns) == ("ETH-USD", Decimal(3000), 1_765_210_319_500_000_000)
    for headers in ({}, {"Date": "soon"}):
        _, book = walk(flows.book_flow("ETH-USD"), reply(said, headers=headers))
        assert book.ts_ns == RECEIVED_NS


def test_a_book_is_never_crossed(flows: Flows) -> None:
    said = {"bids": [{"price": "3002", "size": "3"}], "asks": [{"price": "3001", "size": "2"}]}
    _, book = walk(flows.book_flow("ETH-USD"), said)
    assert (book.bids[0].amount, book.asks) == (Decimal(1), ())


def test_a_market_that_is_none(flows: Flows) -> None:
    with pytest.raises(OrderRefused):
        next(flows.book_flow("NO-USD"))
    gone = reply({"errors": [{"msg": "ETH-USD not found in markets of type PERPETUAL"}]}, 404)
    with pytest.raises(OrderRefused):
        walk(flows.book_flow("ETH-USD"), gone)
    refused = reply({"errors": [{"msg": "ticker must be a valid ticker (BTC-USD, etc)", "param": "ticker"}]}, 400)
    with pytest.raises(OrderRefused, match="valid ticker"):
        walk(flows.trades_flow("ETH-USD"), refused)


def test_contexts(flows: Flows) -> None:
    asked, (context,) = walk(flows.context_flow(["ETH-USD"]), MARKETS)
    assert asked == [f"GET {BASE}/perpetualMarkets?ticker=ETH-USD"]
    assert (context.mark_price, context.index_price, context.funding_rate) == (3000, 3000, Decimal("0.0000125"))
    asked, found = walk(flows.context_flow(["ETH-USD", "BTC-USD"]), MARKETS)
    assert asked == [f"GET {BASE}/perpetualMarkets"]
    assert [one.trading_pair for one in found] == ["ETH-USD", "BTC-USD"]
    _, found = walk(flows.context_flow([]), MARKETS)
    assert len(found) == 4
    with pytest.raises(OrderRefused, match="no price"):
        walk(flows.context_flow(["PEPE-USD"]), MARKETS)


def test_trades_are_oldest_first(flows: Flows) -> None:
    def row(number: int) -> dict[str, str]:
        created = f"2025-12-08T16:11:{number:02}.000Z"
        return {"id": f"{number:024x}", "side": "BUY", "size": "1", "price": "3000", "createdAt": created}

    asked, trades = walk(flows.trades_flow("ETH-USD"), {"trades": [row(2), row(1)]})
    assert asked == [f"GET {BASE}/trades/perpetualMarket/ETH-USD?limit=100"]
    assert [trade.trade_id[-1] for trade in trades] == ["1", "2"]


def candles(first: int, count: int) -> dict[str, Any]:
    def row(minute: int) -> dict[str, Any]:
        values = dict.fromkeys(("low", "high", "open", "close", "baseTokenVolume", "usdVolume"), "1")
        started = iso(minute * 60_000_000_000)
        return {**values, "startedAt": started, "ticker": "ETH-USD", "resolution": "1MIN", "trades": 0}

    return {"candles": [row(minute) for minute in range(first + count - 1, first - 1, -1)]}


def test_candles_come_in_pages(flows: Flows) -> None:
    minute = 60_000_000_000
    flow = flows.candles_flow("ETH-USD", "1m", 100 * minute + 30, 1600 * minute)
    asked, found = walk(flow, candles(601, 1000), candles(100, 501))
    assert [one.open_ts_ns // minute for one in found] == list(range(100, 1601))
    path = f"GET {BASE}/candles/perpetualMarkets/ETH-USD?resolution=1MIN&limit=1000"
    assert asked[0] == f"{path}&fromISO=1970-01-01T01%3A40%3A00.000Z&toISO=1970-01-02T02%3A40%3A00.001Z"
    assert asked[1] == f"{path}&fromISO=1970-01-01T01%3A40%3A00.000Z&toISO=1970-01-01T10%3A01%3A00.000Z"
    # A whole page of just what was wanted is not asked for again.
    asked, found = walk(flows.candles_flow("ETH-USD", "1m", 0, 1000 * minute - 1), candles(0, 1000))
    assert (len(asked), len(found)) == (1, 1000)
    assert "toISO=1970-01-01T16%3A39%3A00.001Z" in asked[0]
    with pytest.raises(OrderRefused):
        next(flows.candles_flow("ETH-USD", "3m", 0, 1))


# The account


def test_an_account(flows: Flows) -> None:
    position = {"market": "ETH-USD", "status": "OPEN", "side": "SHORT", "size": "-0.5", "entryPrice": "3100"}
    subaccount = {
        "address": ADDRESS,
        "subaccountNumber": 0,
        "equity": "1000",
        "freeCollateral": "925",
        "openPerpetualPositions": {"ETH-USD": {**position, "unrealizedPnl": "50"}},
        "assetPositions": {"USDC": {"symbol": "USDC", "side": "LONG", "size": "2500", "assetId": "0"}},
    }
    asked, state = walk(flows.account_flow(), {"subaccount": subaccount})
    assert asked == [f"GET {BASE}/addresses/{ADDRESS}/subaccountNumber/0"]
    assert (state.account_value, state.margin_used, state.withdrawable) == (1000, 75, 925)
    assert (state.total_notional, state.positions[0].amount) == (1500, Decimal("-0.5"))
    assert (state.balances[0].total, state.balances[0].available) == (2500, 925)


def test_an_account_that_never_held_anything(flows: Flows) -> None:
    said = reply({"errors": [{"msg": f"No subaccount found with address {ADDRESS} and subaccountNumber 0"}]}, 404)
    _, state = walk(flows.account_flow(), said)
    assert (state.account_value, state.positions) == (0, ())
    with pytest.raises(ProtocolError):  # but a route that is not there says nothing about the account
        walk(flows.account_flow(), reply({"error": "Not Found", "errorCode": 404}, 404))


def test_account_reads_need_an_address() -> None:
    for flow in (Flows(account=None).account_flow(), Flows(account=None).fills_flow(0)):
        with pytest.raises(CredentialError) as caught:
            next(flow)
        assert caught.value.exit_code == 7


def test_an_address_that_is_not_served(flows: Flows) -> None:
    said = reply({"errors": [{"code": "GEOBLOCKED", "msg": "Because you appear to be a resident of"}]}, 403)
    with pytest.raises(AuthRejected) as caught:
        walk(flows.account_flow(), said)
    assert caught.value.venue_code == "GEOBLOCKED"


def test_open_orders(flows: Flows) -> None:
    rows = [order_row(status="OPEN"), order_row(id="b", status="BEST_EFFORT_CANCELED"), order_row(id="c", side="x")]
    asked, found = walk(flows.open_orders_flow(), rows)
    live = "status=OPEN%2CBEST_EFFORT_OPENED%2CUNTRIGGERED"
    assert asked == [f"GET {BASE}/orders?{ACCOUNT}&limit=1000&{live}"]
    (update,) = found
    assert (update.report, update.exchange_order_id, update.amount) == (Report.ACCEPTED, ORDER_ID, Decimal("0.003"))


def test_many_open_orders_come_in_pages(flows: Flows) -> None:
    rows = [order_row(id=str(number), goodTilBlock=str(3000 - number)) for number in range(1000)]
    asked, found = walk(flows.open_orders_flow(), rows, [rows[-1], order_row(id="last", goodTilBlock="1")])
    assert asked[1].endswith("&goodTilBlockBeforeOrAt=2001")
    assert len(found) == 1001


def test_ended_orders(flows: Flows) -> None:
    rows = [
        order_row(status="FILLED", updatedAt="2026-01-02T00:00:01.000Z"),
        order_row(id="b", status="CANCELED", updatedAt="2026-01-02T00:00:00.000Z"),
        order_row(id="c", status="FILLED", updatedAt="2026-01-01T23:59:59.000Z"),
    ]
    since_ns = 1_767_312_000 * 10**9
    asked, found = walk(flows.ended_orders_flow(since_ns), rows)
    assert asked == [f"GET {BASE}/orders?{ACCOUNT}&limit=1000&status=FILLED%2CCANCELED"]
    assert [update.exchange_order_id for update in found] == ["b", ORDER_ID]


def test_ended_short_term_orders_are_asked_for_behind_a_page_of_stateful_ones(flows: Flows) -> None:
    old = {"status": "FILLED", "updatedAt": "2026-01-01T00:00:00.000Z"}
    stateful = [order_row(id=str(number), goodTilBlock=None, **old) for number in range(1000)]
    late = order_row(id="late", status="FILLED", updatedAt="2026-01-03T00:00:00.000Z")
    asked, found = walk(flows.ended_orders_flow(1_767_312_000 * 10**9), stateful, [late])
    assert asked[1].endswith(f"&goodTilBlockBeforeOrAt={2**31 - 1}")
    assert [update.exchange_order_id for update in found] == ["late"]


# One order


def status(flows: Flows, asked_order: InFlightOrder, *replies: object) -> tuple[list[str], tuple[OrderUpdate, ...]]:
    return walk(flows.order_status_flow(asked_order), *replies)


@pytest.mark.parametrize(("said", "report"), [("FILLED", Report.FILLED), ("CANCELED", Report.EXPIRED)])
def test_a_row_that_is_final_is_the_answer(flows: Flows, said: str, report: Report) -> None:
    asked, (update,) = status(flows, order(), order_row(status=said))
    assert (asked, update.report) == ([ORDER], report)


def test_a_stateful_row_is_the_answer(flows: Flows) -> None:
    row = order_row(orderFlags="64", goodTilBlock=..., goodTilBlockTime="2025-07-28T17:30:52.000Z")
    asked, (update,) = status(flows, order(), row)
    assert (asked, update.report) == ([ORDER], Report.ACCEPTED)


def test_a_short_term_order_lives_while_its_last_block_is_ahead(flows: Flows) -> None:
    asked, (update,) = status(flows, order(), order_row(), height(1000))
    assert (asked, update.report) == ([ORDER, HEIGHT], Report.ACCEPTED)
    asked, found = status(flows, order(), order_row(), height(1001), block(1000))
    assert (asked, len(found)) == ([ORDER, HEIGHT, LATEST], 1)


@pytest.mark.parametrize(
    "trouble", [ReplyLost("gone"), ConnectFailed("no way"), reply(b"unavailable", 14), reply(b"", 13)]
)
def test_a_silent_node_proves_nothing(flows: Flows, trouble: object) -> None:
    asked, found = status(flows, order(), order_row(), height(1001), trouble)
    assert asked[-1] == LATEST
    assert [update.report for update in found] == [Report.ACCEPTED]


SHORT: dict[str, Any] = {"good_til_block": 1000}
LONG: dict[str, Any] = {"good_til_ts_ns": RECEIVED_NS}
STOP: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "trigger_price": Decimal(3000), **LONG}
FILLS = f"GET {BASE}/fills?{ACCOUNT}&limit=100&createdBeforeOrAtHeight=1000"
IOC: dict[str, Any] = {"tif": TimeInForce.IOC}


def test_an_immediate_order_of_which_nothing_is_left() -> None:
    """No row and no message: the heights decide, and fills are read after them."""
    asked, (update,) = status(
        Flows(), order(**IOC, **SHORT), NOT_FOUND, height(1001), block(1002), NOT_FOUND, {"fills": []}
    )
    assert asked == [ORDER, HEIGHT, LATEST, ORDER, FILLS]
    assert (update.report, update.reason, update.venue_filled_amount) == (Report.EXPIRED, None, None)
    assert (update.client_order_id, update.exchange_order_id, update.trading_pair) == ("a" * 32, ORDER_ID, "ETH-USD")
    assert update.evidence is not None
    assert update.evidence.kind == "block_limit_passed"


def over(flows: Flows, asked_order: InFlightOrder, row: object, *fills: dict[str, Any]) -> OrderUpdate:
    first = order_row() if row is not NOT_FOUND else NOT_FOUND
    *_, update = status(flows, asked_order, first, height(1001), block(1002), row, {"fills": list(fills)})[1]
    return update


def test_fills_decide_what_the_heights_have_closed() -> None:
    flows = Flows()
    assert over(flows, order(**SHORT), NOT_FOUND, fill_row(1, size="0.001")).venue_filled_amount == Decimal("0.001")
    filled = over(flows, order(**SHORT), NOT_FOUND, fill_row(1, size="0.001"), fill_row(2, size="0.002"))
    assert (filled.report, filled.venue_filled_amount) == (Report.FILLED, Decimal("0.003"))
    of_another = over(flows, order(**SHORT), NOT_FOUND, fill_row(1, size="0.003", orderId="other"))
    assert (of_another.report, of_another.venue_filled_amount) == (Report.EXPIRED, None)
    with pytest.raises(ProtocolError):  # a sum without one of them would be too small, and final
        over(flows, order(**SHORT), NOT_FOUND, fill_row(1, size="0.001"), fill_row(2, size="much"))


@pytest.mark.parametrize(
    ("changes", "report", "reason"),
    [
        ({"status": "BEST_EFFORT_CANCELED"}, Report.CANCELLED, "canceled"),
        ({"status": "BEST_EFFORT_CANCELED", "timeInForce": "IOC"}, Report.EXPIRED, None),
        ({"status": "OPEN", "totalFilled": "0.001"}, Report.EXPIRED, "expired"),
    ],
)
def test_what_gossip_left_open_ends_with_the_last_block(
    flows: Flows, changes: dict[str, Any], report: Report, reason: str | None
) -> None:
    update = over(flows, order(), order_row(**changes))
    assert (update.report, update.reason) == (report, reason)


def test_the_row_may_have_been_filled_while_the_heights_were_read(flows: Flows) -> None:
    replies = order_row(), height(1001), block(1002), order_row(status="FILLED")
    _, found = status(flows, order(), *replies)
    assert [update.report for update in found] == [Report.ACCEPTED, Report.FILLED]


def test_an_accepted_cancel_of_ours_makes_expiry_a_cancellation() -> None:
    flows = Flows()
    one, unsure = frozenset({1}), frozenset({1})
    accepted = order(**SHORT, facts=Facts(attempts=one, cancels=one))
    assert over(flows, accepted, NOT_FOUND).report is Report.CANCELLED
    for facts in (Facts(cancels=one, cancels_refused=one), Facts(cancels=one, cancels_unknown=unsure)):
        assert over(flows, order(**SHORT, facts=facts), NOT_FOUND).report is Report.EXPIRED


def test_what_is_proved_is_not_proved_again() -> None:
    evidence = frozenset({Evidence(kind="block_limit_passed", ts_ns=1, detail="")})
    done = order(**SHORT, facts=Facts(expired=True, evidence=evidence))
    asked, found = status(Flows(), done, NOT_FOUND)
    assert (asked, found) == ([ORDER], ())


def test_without_a_row_or_a_limit_nothing_is_known(flows: Flows) -> None:
    assert status(flows, order(), NOT_FOUND) == ([ORDER], ())


STATE = f"GRPC {NODE}/dydxprotocol.clob.Query/StatefulOrder"


def test_a_stateful_order_that_only_the_chain_has() -> None:
    said = reply(field(1, b"") + field(2, 2_000_000) + field(3, 0), 0)
    asked, (update,) = status(Flows(), order(**LONG), NOT_FOUND, said)
    assert asked == [ORDER, STATE]
    assert (update.report, update.venue_filled_amount, update.reason) == (Report.ACCEPTED, Decimal("0.002"), None)
    _, (update,) = status(Flows(), order(**STOP), NOT_FOUND, said)
    assert update.reason == "untriggered"


@pytest.mark.parametrize("said", [reply(b"not found", 5), reply(b"", 14), ReplyLost("gone")])
def test_what_the_chain_does_not_have_proves_nothing(said: object) -> None:
    assert status(Flows(), order(**LONG), NOT_FOUND, said)[1] == ()


def test_the_question_about_a_stateful_order() -> None:
    flow = Flows().order_status_flow(order(**LONG))
    next(flow)
    request = flow.send(NOT_FOUND)
    subaccount = field(1, ADDRESS.encode())
    fixed = bytes((2 << 3 | 5,)) + CLIENT_ID.to_bytes(4, "little")
    assert request.body == field(1, field(1, subaccount) + fixed + field(3, 64) + field(4, 1))


def test_the_id_is_computed_where_it_is_not_known_yet() -> None:
    long_term = identifiers.order_id(SUBACCOUNT_ID, CLIENT_ID, 1, 64)
    asked, _ = status(Flows(), order(**SHORT, exchange_order_id=None), NOT_FOUND, height(1))
    assert asked == [ORDER, HEIGHT]
    asked, _ = status(Flows(), order(exchange_order_id=None), NOT_FOUND, order_row(id=long_term, orderFlags="64"))
    assert asked == [ORDER, f"GET {BASE}/orders/{long_term}"]


def test_another_order_under_the_same_number_is_not_ours(flows: Flows) -> None:
    """Nor is it the end of the search: a run whose journal was lost may have met it, and taken the next number."""
    other = order_row(clientMetadata=str(METADATA + 1))
    next_id = identifiers.order_id(SUBACCOUNT_ID, CLIENT_ID + 1, 1, 0)
    asked, said = status(flows, order(**SHORT), other, NOT_FOUND, height(1))
    assert (asked, said) == ([ORDER, f"GET {BASE}/orders/{next_id}", HEIGHT], ())
    row = order_row(id=next_id, clientId=str(CLIENT_ID + 1), status="FILLED")
    asked, (update,) = status(flows, order(**SHORT), other, row)
    assert asked == [ORDER, f"GET {BASE}/orders/{next_id}"]
    assert (update.exchange_order_id, update.venue_client_id) == (next_id, f"{CLIENT_ID + 1}-{METADATA}")


def probe(**changes: Any) -> InFlightOrder:
    return order(exchange_order_id=None, trading_pair="", amount=Decimal(0), created_ts_ns=0, **changes)


def test_an_order_of_a_lost_journal_is_looked_for(flows: Flows) -> None:
    other = order_row(id="x", clientId="5")
    same_number = order_row(id="y", clientMetadata="9")
    mine = order_row(orderFlags="64", goodTilBlock=..., goodTilBlockTime="2025-07-28T17:30:52.000Z", status="FILLED")
    asked, (update,) = status(flows, probe(), [other, same_number], [other, mine])
    assert asked == [
        f"GET {BASE}/orders?{ACCOUNT}&limit=1000&goodTilBlockAfter=0",
        f"GET {BASE}/orders?{ACCOUNT}&limit=1000&goodTilBlockTimeAfter=1970-01-01T00%3A00%3A00.000Z",
    ]
    assert (update.exchange_order_id, update.report, update.trading_pair) == (ORDER_ID, Report.FILLED, "ETH-USD")
    assert status(flows, probe(), [other], [])[1] == ()
    assert status(flows, probe(venue_client_id=""))[1] == ()


def test_an_account_may_be_named_with_its_subaccount() -> None:
    flows = Flows(subaccount=3)
    flows.account = f"{ADDRESS}/3"
    asked, state = walk(flows.account_flow(), reply({"errors": [{"msg": "No subaccount found"}]}, 404))
    assert asked == [f"GET {BASE}/addresses/{ADDRESS}/subaccountNumber/3"]
    assert state.account == f"{ADDRESS}/3"


# Fills


def page(first: int, count: int, *, start: int = 0) -> dict[str, Any]:
    """Newest first, one a second."""

    def row(number: int) -> dict[str, Any]:
        minute, second = divmod(number - start, 60)
        hour, minute = divmod(minute, 60)
        return fill_row(number, createdAt=f"2024-08-01T{hour:02}:{minute:02}:{second:02}.000Z", createdAtHeight=number)

    return {"fills": [row(number) for number in range(first, first - count, -1)]}


DAY_NS = 1_722_470_400_000_000_000


def test_fills_come_in_pages_that_overlap(flows: Flows) -> None:
    asked, fills = walk(flows.fills_flow(0), page(1500, 100), page(1401, 1000), page(402, 402))
    assert [fill.fill_id for fill in fills] == [f"fill-{number}" for number in range(1, 1501)]
    assert asked[0] == f"GET {BASE}/fills?{ACCOUNT}&limit=100"
    assert asked[1] == f"GET {BASE}/fills?{ACCOUNT}&limit=1000&createdBeforeOrAt=2024-08-01T00%3A23%3A21.000Z"


def test_fills_of_a_time(flows: Flows) -> None:
    flow = flows.fills_flow(DAY_NS + 1450 * 10**9, DAY_NS + 1500 * 10**9)
    asked, fills = walk(flow, page(1500, 100))
    assert [fill.fill_id for fill in fills] == [f"fill-{number}" for number in range(1450, 1501)]
    assert asked[0].endswith("&createdBeforeOrAt=2024-08-01T00%3A25%3A00.000Z")


def test_pages_that_do_not_end_are_loud(flows: Flows) -> None:
    rows = [fill_row(number) for number in range(1000)]
    with pytest.raises(ProtocolError, match="do not end"):
        walk(flows.fills_flow(0), {"fills": rows[:100]}, {"fills": rows})


def test_a_fill_that_makes_no_sense_hides_no_other(flows: Flows) -> None:
    _, fills = walk(flows.fills_flow(0), {"fills": [fill_row(2, price="x"), fill_row(1)]})
    assert [fill.fill_id for fill in fills] == ["fill-1"]
    with pytest.raises(ProtocolError):
        walk(flows.fills_flow(0), {"fills": [fill_row(2, price="x")]})


# Whose key


def auth(key: str = "1" * 64, **settings: Any) -> DydxV4Auth:
    return DydxV4Auth(config(key=Secret(key), **settings))


def account_answer(address: str) -> Any:
    base = field(1, address.encode()) + field(3, 4567) + field(4, 89)
    return reply(field(1, field(1, b"/cosmos.auth.v1beta1.BaseAccount") + field(2, base)), 0)


ACCOUNT_QUERY = f"GRPC {NODE}/cosmos.auth.v1beta1.Query/Account"
AUTHENTICATORS = f"GRPC {NODE}/dydxprotocol.accountplus.Query/GetAuthenticators"


def test_a_key_of_its_own() -> None:
    own = auth(account=None)
    flows = Flows(auth=own, account=None)
    asked, _ = walk(flows.identity_flow(), account_answer(own.owner))
    assert asked == [ACCOUNT_QUERY]
    with pytest.raises(AuthRejected, match="does not know"):
        walk(flows.identity_flow(), reply(b"account not found", 5))
    with pytest.raises(CredentialError):
        next(Flows().identity_flow())


def test_a_key_that_another_account_allows() -> None:
    permitted = auth()
    flows = Flows(auth=permitted)
    signature = field(2, b"SignatureVerification")
    mine = field(1, field(1, 966) + signature + field(3, permitted.public_key))
    foreign = field(1, field(1, 965) + signature + field(3, bytes(33)))
    asked, _ = walk(flows.identity_flow(), account_answer(ADDRESS), reply(foreign + mine, 0))
    assert asked == [ACCOUNT_QUERY, AUTHENTICATORS]
    assert walk(flows.authenticator_flow(permitted), reply(foreign + mine, 0))[1] == 966
    for chosen, found in ((965, foreign + mine), (None, foreign), (None, b"")):
        with pytest.raises(AuthRejected, match="not allowed"):
            walk(Flows(auth=permitted, authenticator=chosen).authenticator_flow(permitted), reply(found, 0))


# Leverage


def test_leverage(flows: Flows) -> None:
    asked, found = walk(flows.read_leverage_flow("ETH-USD"), reply(b"", 0))
    assert (asked, found) == ([f"GRPC {NODE}/dydxprotocol.clob.Query/Leverage"], (Decimal(20), "cross"))
    said = field(1, field(1, 76) + field(2, 250_000)) + field(1, field(1, 1) + field(2, 200_000))
    assert walk(flows.read_leverage_flow("ETH-USD"), reply(said, 0))[1] == (Decimal(5), "cross")
    assert walk(flows.read_leverage_flow("APE-USD"), reply(said, 0))[1] == (Decimal(4), "isolated")
    with pytest.raises(ReplyLost):
        walk(flows.read_leverage_flow("ETH-USD"), reply(b"", 14))


# What a status means


@pytest.mark.parametrize(
    ("status_code", "changes", "error"),
    [
        (429, False, RateLimited),
        (400, False, ProtocolError),
        (404, False, ProtocolError),
        (500, False, ReplyLost),
        (503, False, ReplyLost),
        (302, False, ProtocolError),
        (403, False, AuthRejected),
        (8, False, RateLimited),
        (14, False, ReplyLost),
        (4, False, ReplyLost),
        (5, False, ProtocolError),
        (12, False, ProtocolError),
        # Of a change that was broadcast nothing is known, whoever answered.
        *((code, True, ReplyLost) for code in range(1, 17)),
    ],
)
def test_statuses(flows: Flows, status_code: int, changes: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        flows.web_utils.check(reply(b"<html>", status_code), changes=changes)
    assert flows.web_utils.check(reply(b"x", 0), changes=True) == b"x"


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({"Retry-After": "1500"}, 1500),
        ({"ratelimit-reset": str(RECEIVED_NS // 1_000_000 + 700), "retry-after": "9"}, 700),
        ({"ratelimit-reset": "5", "retry-after": "9"}, 9),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 10_000),
        ({}, 10_000),
    ],
)
def test_how_long_to_wait(flows: Flows, headers: dict[str, str], wait_ms: int) -> None:
    with pytest.raises(RateLimited) as caught:
        flows.web_utils.check(reply(b"", 429, headers), changes=False)
    assert caught.value.retry_after_ms == wait_ms


def test_text_in_addresses_is_quoted(flows: Flows) -> None:
    assert flows.web_utils.get("orders", "../x?y").url == f"{BASE}/orders/..%2Fx%3Fy"


def test_calls_of_a_node_cost_the_indexer_nothing(flows: Flows) -> None:
    request = flows.web_utils.call("a.B/C", b"x", changes=True)
    assert (request.method, request.url, request.body, request.changes, request.weight) == (
        "GRPC",
        f"{NODE}/a.B/C",
        b"x",
        True,
        0,
    )


# One order, one name


def test_what_a_probe_finds_is_named_as_a_stream_names_it(flows: Flows) -> None:
    _, (update,) = status(flows, probe(), [order_row(status="FILLED")])
    streamed = decode_orders.order_update(msgspec.convert(order_row(status="FILLED"), OrderRow), SYMBOLS, RECEIVED_NS)
    assert update == streamed
