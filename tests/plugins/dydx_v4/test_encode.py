"""From the words of core to the chain's integers and messages: the sheet's tables, and laws."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentspeed_dydx_v4 import encode, identifiers, markets, proto
from latentspeed_dydx_v4.constants import BATCH_CANCEL, CANCEL_ORDER, PLACE_ORDER

from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import OrderRefused

from .reading import market_row, symbols_of
from .test_vectors import LONG_TERM, OWNER, SHORT_TERM

# Clob pair id, atomic resolution and subticks per tick, as the sheet's section 6 lists them.
GRID = {
    "BTC-USD": (0, -10, 100_000),
    "ETH-USD": (1, -9, 100_000),
    "LINK-USD": (2, -6, 1_000_000),
    "SOL-USD": (5, -7, 1_000_000),
    "ADA-USD": (6, -5, 1_000_000),
    "DOGE-USD": (10, -4, 1_000_000),
    "PEPE-USD": (28, 1, 1_000_000),
    "SHIB-USD": (30, 0, 1_000_000),
}
SYMBOLS = symbols_of({"markets": {ticker: market_row(ticker, *grid) for ticker, grid in GRID.items()}})


def market(ticker: str) -> markets.DydxV4Market:
    return markets.of(SYMBOLS, ticker)


# Numbers


@pytest.mark.parametrize(
    ("ticker", "size", "quantums", "price", "below", "above"),
    [
        ("BTC-USD", "0.01", 100_000_000, "50000", 5_000_000_000, 5_000_000_000),
        ("BTC-USD", "0.0003", 3_000_000, "89919.2", 8_991_900_000, 8_992_000_000),
        ("BTC-USD", "0.00015", 1_000_000, "89950.5", 8_995_000_000, 8_995_100_000),
        ("ETH-USD", "1.5", 1_500_000_000, "3000.1", 3_000_100_000, 3_000_100_000),
        ("ETH-USD", "0.0019", 1_000_000, "3103.06", 3_103_000_000, 3_103_100_000),
        ("SOL-USD", "12.3", 123_000_000, "135.307", 13_530_000_000, 13_531_000_000),
        ("SOL-USD", "0.25", 2_000_000, "128.53", 12_853_000_000, 12_853_000_000),
        ("DOGE-USD", "250", 2_000_000, "0.132501", 13_250_000_000, 13_251_000_000),
        ("LINK-USD", "7.9", 7_000_000, "13.5435", 13_543_000_000, 13_544_000_000),
        ("ADA-USD", "55", 5_000_000, "0.42445", 4_244_000_000, 4_245_000_000),
        ("SHIB-USD", "2500000", 2_000_000, "0.0000171230816", 17_123_000_000, 17_124_000_000),
        ("PEPE-USD", "25000000", 2_000_000, "0.00001191790656", 119_179_000_000, 119_180_000_000),
    ],
)
def test_what_is_computed_is_rounded_as_the_sheet_says(
    ticker: str, size: str, quantums: int, price: str, below: int, above: int
) -> None:
    found = market(ticker)
    rule = markets.trading_rule(found)
    assert encode.quantums(rule.fit_amount(Decimal(size)), found) == quantums
    assert encode.subticks(rule.fit_price(Decimal(price), TradeType.BUY), found) == below
    assert encode.subticks(rule.fit_price(Decimal(price), TradeType.SELL), found) == above


def test_what_is_below_a_step_or_a_tick_is_refused_and_not_raised_to_one() -> None:
    rule = markets.trading_rule(market("BTC-USD"))
    with pytest.raises(OrderRefused):
        rule.fit_amount(Decimal("0.00001"))
    with pytest.raises(OrderRefused):
        rule.fit_price(Decimal("0.4"), TradeType.BUY)


@given(ticker=st.sampled_from(sorted(GRID)), steps=st.integers(1, 10**10), ticks=st.integers(1, 10**10))
def test_numbers_on_the_grid_are_exact(ticker: str, steps: int, ticks: int) -> None:
    found = market(ticker)
    assert encode.quantums(found.amount_step * steps, found) == steps * found.step_base_quantums
    assert encode.subticks(found.price_tick * ticks, found) == ticks * found.subticks_per_tick


@pytest.mark.parametrize("value", ["0", "-1", "1e30", "1e-40", "NaN", "Infinity"])
def test_what_the_chain_cannot_hold_is_refused(value: str) -> None:
    for convert in (encode.quantums, encode.subticks):
        with pytest.raises(OrderRefused):
            convert(Decimal(value), market("BTC-USD"))


@pytest.mark.parametrize(("leverage", "ppm"), [(1, 1_000_000), (3, 333_334), (5, 200_000), (50, 20_000)])
def test_a_margin_fraction_allows_no_more_than_was_asked(leverage: int, ppm: int) -> None:
    assert encode.margin_fraction_ppm(leverage) == ppm


# Messages


@given(
    numbers=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    end=st.one_of(
        st.fixed_dictionaries({"good_til_block": st.integers(1, 2**32 - 1)}),
        st.fixed_dictionaries({"good_til_ts_ns": st.integers(1, 2**32 - 1).map(lambda s: s * 1_000_000_000)}),
    ),
    amount=st.integers(1, 10**9),
    price=st.integers(1, 10**9),
    ticker=st.sampled_from(sorted(GRID)),
    side=st.sampled_from(TradeType),
    kind=st.sampled_from(["", "post_only", "ioc", "reduce_only"]),
    subaccount=st.integers(0, 128_000),
)
def test_orders_and_their_cancels_are_what_the_definitions_read(
    numbers: tuple[int, int],
    end: dict[str, int],
    amount: int,
    price: int,
    ticker: str,
    side: TradeType,
    kind: str,
    subaccount: int,
) -> None:
    found = market(ticker)
    order = msgspec.structs.replace(
        SHORT_TERM,
        **{"good_til_block": None, "good_til_ts_ns": None, **end},
        trading_pair=ticker,
        venue_client_id=identifiers.venue_client_id(*numbers),
        amount=found.amount_step * amount,
        price=found.price_tick * price,
        side=side,
        post_only=kind == "post_only",
        tif=TimeInForce.IOC if kind in ("ioc", "reduce_only") else TimeInForce.GTC,
        reduce_only=kind == "reduce_only",
    )
    owner = encode.subaccount(order.account, subaccount)
    body = encode.place_order(order, found, owner)
    placed = proto.message(PLACE_ORDER).FromString(body)
    assert placed.SerializeToString(deterministic=True) == body
    told = placed.order
    assert (told.order_id.client_id, told.client_metadata) == numbers
    assert (told.order_id.subaccount_id.owner, told.order_id.subaccount_id.number) == (order.account, subaccount)
    assert told.order_id.clob_pair_id == found.asset_id
    assert (told.quantums, told.subticks) == (amount * found.step_base_quantums, price * found.subticks_per_tick)
    assert told.side == (1 if side is TradeType.BUY else 2)
    assert told.reduce_only is (kind == "reduce_only")
    assert told.time_in_force == {"": 0, "post_only": 2}.get(kind, 1)
    is_short_term = "good_til_block" in end
    assert told.order_id.order_flags == (0 if is_short_term else 64)
    assert told.WhichOneof("good_til") == ("good_til_block" if is_short_term else "good_til_block_time")

    cancel_body = encode.cancel_order(
        owner,
        encode.id_of(order, found),
        good_til_block=order.good_til_block,
        good_til_ts_ns=order.good_til_ts_ns,
    )
    cancel = proto.message(CANCEL_ORDER).FromString(cancel_body)
    assert cancel.SerializeToString(deterministic=True) == cancel_body
    assert cancel.order_id == told.order_id, "a cancel names the order with its own flags"
    assert cancel.good_til_block == told.good_til_block
    assert cancel.good_til_block_time == told.good_til_block_time


@pytest.mark.parametrize(
    ("order_type", "condition", "tif"),
    [
        (OrderType.STOP, 1, 1),
        (OrderType.STOP_LIMIT, 1, 0),
        (OrderType.TAKE_PROFIT, 2, 1),
        (OrderType.TAKE_PROFIT_LIMIT, 2, 0),
    ],
)
def test_orders_with_a_trigger_are_conditional(order_type: OrderType, condition: int, tif: int) -> None:
    order = msgspec.structs.replace(LONG_TERM, order_type=order_type, post_only=False, trigger_price=Decimal("2999.9"))
    told = proto.message(PLACE_ORDER).FromString(encode.place_order(order, market("ETH-USD"), OWNER)).order
    assert (told.order_id.order_flags, told.condition_type, told.time_in_force) == (32, condition, tif)
    assert told.conditional_order_trigger_subticks == 2_999_900_000


def test_v8_is_a_stop_with_a_timestamp_for_a_sequence() -> None:
    stop = msgspec.structs.replace(
        LONG_TERM,
        trading_pair="BTC-USD",
        venue_client_id=identifiers.venue_client_id(1000, 1),
        order_type=OrderType.STOP,
        post_only=False,
        reduce_only=True,
        amount=Decimal("0.0005"),
        price=Decimal("80750"),
        trigger_price=Decimal("85000"),
    )
    from latentspeed_dydx_v4 import tx

    from .test_vectors import auth

    message = encode.place_order(stop, market("BTC-USD"), OWNER)
    raw = auth("mainnet").sign(PLACE_ORDER, message, account_number=12, sequence=1_765_210_316_125)
    assert tx.tx_hash(raw) == "17D1997A31995681635C78B17CBA6990325A1E058AE81AC7B69818207651ACF2"


def test_a_batch_cancel_packs_its_ids() -> None:
    body = encode.batch_cancel(OWNER, {0: [1, 123456789], 1: [4294967295]}, 12345690)
    told = proto.message(BATCH_CANCEL).FromString(body)
    assert [(batch.clob_pair_id, list(batch.client_ids)) for batch in told.short_term_cancels] == [
        (0, [1, 123456789]),
        (1, [4294967295]),
    ]


@pytest.mark.parametrize("ids", [{}, {0: []}, {0: [1], 1: []}, {0: [1, 1]}, {0: list(range(101))}])
def test_a_batch_that_the_chain_would_refuse_is_refused(ids: dict[int, list[int]]) -> None:
    with pytest.raises(OrderRefused):
        encode.batch_cancel(OWNER, ids, 12345690)


@pytest.mark.parametrize(
    "changes",
    [{"price": None}, {"venue_client_id": ""}, {"good_til_block": None}, {"order_type": OrderType.STOP}],
)
def test_an_order_that_lacks_something_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(OrderRefused):
        encode.place_order(msgspec.structs.replace(SHORT_TERM, **changes), market("BTC-USD"), OWNER)


@given(text=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:]{0,63}", fullmatch=True), probe=st.integers(0, 7))
def test_numbers_of_an_id_are_numbers_of_the_chain(text: str, probe: int) -> None:
    client_id, metadata = encode.client_numbers(text, network="testnet", account="dydx1x", probe=probe)
    assert 0 <= client_id < 2**32
    assert 0 <= metadata < 2**32
    first = encode.client_numbers(text, network="testnet", account="dydx1x")
    assert ((first[0] + probe) % 2**32, first[1]) == (client_id, metadata)


def test_the_numbers_of_an_id_are_the_first_eight_bytes_of_its_hash() -> None:
    # the SHA-256 of "testnet\ndydx1x\norder-1"
    assert encode.client_numbers("order-1", network="testnet", account="dydx1x") == (0x96DE3A0B, 0xCB2F0C7F)
