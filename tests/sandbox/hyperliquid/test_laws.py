"""Laws that hold whatever users do: money is kept, the book is what the orders say, storage is what memory says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from latentspeed_cli.sandbox.accounts import ADDRESSES
from latentspeed_cli.sandbox.model import Scenario

USERS = range(3)
MARK = 83_500
FAR = st.integers(MARK - 40, MARK + 40)
SIZES = st.sampled_from(["0.001", "0.01", "0.05", "0.3", "2", "9"])

place = st.tuples(
    st.just("place"),
    st.sampled_from(USERS),
    st.sampled_from(["buy", "sell"]),
    SIZES,
    FAR,
    st.sampled_from(["Gtc", "Gtc", "Gtc", "Ioc", "Alo"]),
    st.booleans(),
)
trigger = st.tuples(
    st.just("trigger"), st.sampled_from(USERS), st.sampled_from(["buy", "sell"]), SIZES, FAR, st.booleans()
)
group = st.tuples(st.just("group"), st.sampled_from(USERS), SIZES, FAR)
cancel = st.tuples(st.just("cancel"), st.sampled_from(USERS), st.integers(0, 5))
modify = st.tuples(
    st.just("modify"),
    st.sampled_from(USERS),
    st.integers(0, 5),
    SIZES,
    FAR,
    st.sampled_from(["buy", "sell"]),
    st.booleans(),
)
leverage = st.tuples(st.just("leverage"), st.sampled_from(USERS), st.integers(1, 40), st.booleans())
margin = st.tuples(st.just("margin"), st.sampled_from(USERS), st.integers(-(10**9), 10**9))
mark = st.tuples(st.just("mark"), st.integers(MARK - 60, MARK + 60))
STEPS = st.lists(
    st.one_of(place, place, place, trigger, group, cancel, modify, leverage, margin, mark), min_size=10, max_size=60
)


def carry_out(venue: Any, step: tuple[Any, ...]) -> None:
    kind = step[0]
    if kind == "place":
        _, key, side, size, price, tif, reduce = step
        venue.place(venue.order(side, size, str(price), tif, reduce=reduce), key=key)
    elif kind == "trigger":
        _, key, side, size, price, reduce = step
        wanted = {"isMarket": True, "triggerPx": str(price), "tpsl": "sl"}
        limit = str(price + 500 if side == "buy" else price - 500)
        venue.place(venue.order(side, size, limit, reduce=reduce, trigger=wanted), key=key)
    elif kind == "group":
        _, key, size, price = step
        orders = [venue.order("buy", size, str(price))]
        for what, at in (("tp", price + 20), ("sl", price - 20)):
            wanted = {"isMarket": True, "triggerPx": str(at), "tpsl": what}
            orders.append(venue.order("sell", size, str(price - 900), reduce=True, trigger=wanted))
        venue.place(*orders, grouping="normalTpsl", key=key)
    elif kind in {"cancel", "modify"}:
        live = venue.info(type="openOrders", user=ADDRESSES[step[1]])
        oid = live[step[2] % len(live)]["oid"] if live else 1
        if kind == "cancel":
            venue.cancel(oid, key=step[1])
        else:
            order = venue.order(step[5], step[3], str(step[4]))
            venue.act({"type": "modify", "oid": oid, "order": order, "a": step[6]}, key=step[1])
    elif kind == "leverage":
        venue.act({"type": "updateLeverage", "asset": 0, "isCross": step[3], "leverage": step[2]}, key=step[1])
    elif kind == "margin":
        venue.act({"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": step[2]}, key=step[1])
    else:
        venue.control("price", coin="BTC", mark=str(step[1]))
    venue.wait(70)


def check(venue: Any, fees: int) -> None:
    world = venue.model.world
    market = world.by_coin["BTC"]
    accounts = [world.accounts[ADDRESSES[key]] for key in USERS]
    positions = [account.positions[0] for account in accounts if 0 in account.positions]
    assert sum(position.size for position in positions) == 0
    assert all(position.size != 0 and position.entry > 0 for position in positions)
    # Cash leaves only as fees: what one pays for a contract the other receives.
    cash = sum(account.cash for account in accounts) + sum(position.isolated_raw for position in positions)
    assert cash == 300_000 * 10**6 - fees
    live = {order.oid: order for order in world.live_orders()}
    assert market.resting.keys() | market.triggers.keys() == live.keys()
    assert not market.resting.keys() & market.triggers.keys()
    assert {oid: resting.size for oid, resting in market.book.orders.items()} == {
        oid: order.sz for oid, order in market.resting.items()
    }
    assert all(0 < order.sz <= order.orig_sz for order in market.resting.values())
    bid, ask = market.book.best_price(True), market.book.best_price(False)
    assert bid is None or ask is None or bid < ask
    for account in accounts:
        position = account.positions.get(0)
        size = position.size if position else 0
        mine = [order for order in market.resting.values() if order.user == account.address]
        reducing = [order for order in mine if order.reduce_only]
        assert all(order.is_buy == (size < 0) for order in reducing)
        assert sum(order.sz for order in reducing) <= abs(size)
        for is_buy in (True, False):
            held = sum(order.sz for order in mine if not order.reduce_only and order.is_buy == is_buy)
            assert world.user_orders(account.address).open_sizes.get((0, is_buy), 0) == held


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_books_and_money_agree(make_venue: Any, steps: list[tuple[Any, ...]]) -> None:
    venue = make_venue(Scenario(name="laws", limits_factor=None, flow=False))
    venue.control("seed_book", coin="BTC")
    venue.control("price", coin="BTC", mark=str(MARK))
    for step in steps:
        carry_out(venue, step)
        fills = [fill.fill for fills in venue.model.world.fills.values() for fill in fills]
        check(venue, sum(round(float(fill.fee) * 10**6) for fill in fills))
    rows = venue.rows()
    again = make_venue(Scenario(name="laws", limits_factor=None, flow=False), rows=rows, now_ns=venue.now_ns)
    again.control("seed_book", coin="BTC")
    before, after = venue.model.world, again.model.world
    assert after.accounts == before.accounts
    assert after.orders == before.orders
    assert after.fills == before.fills
    assert after.nonces == before.nonces
    for address in ADDRESSES:
        assert after.user_orders(address).open_sizes == before.user_orders(address).open_sizes
    book = {oid: order.size for oid, order in before.by_coin["BTC"].book.orders.items()}
    assert {oid: order.size for oid, order in after.by_coin["BTC"].book.orders.items()} == book
