"""Laws of the way to the wire: exact, canonical, and read back as the same order."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latentspeed_hyperliquid import encode
from latentspeed_hyperliquid.actions import Envelope, OrderAction
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig

from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.symbols import Market
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import OrderRefused
from latentspeed_cli.keys import Secret

from .conftest import K1

CANONICAL = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]{0,7}[1-9])?", re.ASCII)
wire_values = st.integers(1, 10**15).map(lambda units: Decimal(units).scaleb(-8))
# The same value may be spelt with zeros at its end or with an exponent.
spellings = st.builds(
    lambda value, places: value.quantize(Decimal(1).scaleb(-places)) if places > 8 else value.normalize(),
    wire_values,
    st.integers(0, 20),
)


@given(spellings)
def test_numbers_are_exact_and_canonical(value: Decimal) -> None:
    text = encode.wire_number(value)
    assert Decimal(text) == value
    assert CANONICAL.fullmatch(text), text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100.0", "100"),
        ("2000.0", "2000"),
        ("1E+3", "1000"),
        ("0.0147", "0.0147"),
        ("1e-8", "0.00000001"),
        ("12345678.12345678", "12345678.12345678"),
        ("0.3000", "0.3"),
    ],
)
def test_numbers_of_the_documentation(value: str, text: str) -> None:
    assert encode.wire_number(Decimal(value)) == text


@pytest.mark.parametrize("value", ["1e-9", "0.000012312312", "0", "-0", "-1", "0.30000000000000004"])
def test_numbers_that_would_change_are_refused(value: str) -> None:
    with pytest.raises(OrderRefused):
        encode.wire_number(Decimal(value))


orders = st.builds(
    InFlightOrder,
    client_order_id=st.just("x"),
    venue_client_id=st.from_regex(r"0x[0-9a-f]{32}", fullmatch=True),
    venue=st.just("hyperliquid"),
    network=st.just("sandbox"),
    account=st.just("0x00"),
    trading_pair=st.just("ETH-USD"),
    side=st.sampled_from(TradeType),
    order_type=st.sampled_from([OrderType.LIMIT, OrderType.MARKET]),
    tif=st.sampled_from([TimeInForce.GTC, TimeInForce.IOC]),
    post_only=st.booleans(),
    reduce_only=st.booleans(),
    amount=spellings,
    price=spellings,
    created_ts_ns=st.just(0),
    nonce=st.integers(0, 2**63),
    expires_after_ms=st.integers(0, 2**63),
    facts=st.just(Facts()),
)
signer = HyperliquidAuth(HyperliquidConfig(key=Secret(K1)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(orders, st.integers(0, 200_000))
def test_what_is_sent_reads_back_as_the_order(order: InFlightOrder, asset_id: int) -> None:
    market = Market(trading_pair="ETH-USD", symbol="ETH", asset_id=asset_id, size_decimals=4)
    assert order.nonce is not None
    body = signer.sign(encode.place_action(order, market), order.nonce, expires_after=order.expires_after_ms)
    read = msgspec.json.decode(body, type=Envelope)
    assert isinstance(read.action, OrderAction)
    (wire,) = read.action.orders
    assert (read.nonce, read.expires_after, read.action.grouping) == (order.nonce, order.expires_after_ms, "na")
    assert (wire.a, wire.b, wire.r, wire.c) == (
        asset_id,
        order.side is TradeType.BUY,
        order.reduce_only,
        order.venue_client_id,
    )
    assert (Decimal(wire.p), Decimal(wire.s)) == (order.price, order.amount)
    assert wire.t.limit is not None
    assert (wire.t.limit.tif == "Ioc") is order.is_ioc
    # What is hashed has the order of members of what is posted: the venue rebuilds the one from the other.
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(read.action))
    assert json.dumps(packed) == json.dumps(json.loads(body)["action"])


def test_an_order_without_a_price_is_refused(make_order: Callable[..., InFlightOrder]) -> None:
    market = Market(trading_pair="ETH-USD", symbol="ETH", asset_id=1, size_decimals=4)
    with pytest.raises(OrderRefused):
        encode.place_action(make_order(price=None), market)


def test_cloids() -> None:
    own = "0123456789abcdef0123456789abcdef"
    assert encode.cloid(own, network="mainnet", account="0xAB") == "0x" + own
    named = encode.cloid("my-order", network="mainnet", account="0xAB")
    assert named == "0x" + hashlib.sha256(b"mainnet\n0xab\nmy-order").hexdigest()[:32]
    others = [
        encode.cloid("my-order", network="testnet", account="0xAB"),
        encode.cloid("my-order", network="mainnet", account="0xAC"),
        encode.cloid("my-orde", network="mainnet", account="0xAB"),
        encode.cloid(own.upper(), network="mainnet", account="0xAB"),
    ]
    assert len({named, *others}) == 5
    assert all(re.fullmatch(r"0x[0-9a-f]{32}", text) for text in others)
