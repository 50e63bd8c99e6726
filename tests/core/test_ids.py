"""Client order ids, parameters and nonces."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeed_cli.core.ids import (
    check_client_order_id,
    new_client_order_id,
    parameters_hash,
    typed_parameters,
)
from latentspeed_cli.core.in_flight_order import OrderIntent
from latentspeed_cli.core.nonce import next_nonce
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.entropy import SeededEntropy
from latentspeed_cli.errors import OrderRefused

MakeIntent = Callable[..., OrderIntent]


@pytest.mark.parametrize("text", ["a", "9", "dca-2026-11-26", "a.b_c:d-e", "x" * 64, "a-"])
def test_legal_ids(text: str) -> None:
    assert check_client_order_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 65,
        "-a",
        ".a",
        "a--b",
        "a b",
        "a;b",
        "../a",
        "a/b",
        "a\n",
        "a\x1b[31m",
        "ä",
        "\uff41",
        "a\u202e",
        "x" * 1_000_000,
    ],
)
def test_illegal_ids(text: str) -> None:
    with pytest.raises(OrderRefused) as caught:
        check_client_order_id(text)
    assert caught.value.exit_code == 3
    assert len(caught.value.message) < 500
    assert caught.value.message.isprintable()


def test_new_ids_are_legal_and_differ() -> None:
    entropy = SeededEntropy(1)
    ids = {check_client_order_id(new_client_order_id(entropy)) for _ in range(100)}
    assert len(ids) == 100
    assert {len(text) for text in ids} == {32}


def hash_of(intent: OrderIntent, **place: str) -> str:
    where = {"venue": "hyperliquid", "network": "sandbox", "account": "0xAb", **place}
    return parameters_hash(typed_parameters(intent), **where)


def test_the_hash_is_stable_over_versions_of_the_program(make_intent: MakeIntent) -> None:
    """A journal written earlier must still recognise its commands; a change here needs a new INTENT_VERSION."""
    intent = make_intent(price_expression="mid-1%", post_only=True)
    assert hash_of(intent) == "4c4761c594180aead9978c100b0db1c07311241c68366604fb93ef25a9bb7cca"


def test_equal_commands_have_equal_hashes(make_intent: MakeIntent) -> None:
    one = make_intent(price=Decimal("60000"), amount=Decimal("0.010"))
    assert hash_of(one) == hash_of(make_intent(price=Decimal("6E+4"), amount=Decimal("1e-2")))
    assert hash_of(one) == hash_of(one, account="0xaB")
    assert parameters_hash({"a": "1", "b": None}, "v", "n", "x") == parameters_hash({"a": "1"}, "v", "n", "x")


@pytest.mark.parametrize(
    "changes",
    [
        {"trading_pair": "ETH-USD"},
        {"side": TradeType.SELL},
        {"amount": Decimal("0.02")},
        {"price": Decimal(60_001)},
        {"price": None, "price_expression": "mid"},
        {"tif": TimeInForce.IOC},
        {"post_only": True},
        {"reduce_only": True},
        {"expire_s": 60},
        {"trigger_price": Decimal(1)},
        {"amount": None, "notional": Decimal("0.01")},
        {"order_type": OrderType.MARKET},
    ],
)
def test_every_parameter_counts(changes: dict[str, Any], make_intent: MakeIntent) -> None:
    typed: dict[str, Any] = {"price": Decimal(60_000), "amount": Decimal("0.01")}
    assert hash_of(make_intent(**{**typed, **changes})) != hash_of(make_intent(**typed))


def test_slippage_counts_where_it_has_an_effect(make_intent: MakeIntent) -> None:
    market = {"order_type": OrderType.MARKET}
    assert hash_of(make_intent(**market)) != hash_of(make_intent(**market, slippage_bps=60))
    limit = {"price": Decimal(1)}
    assert hash_of(make_intent(**limit)) == hash_of(make_intent(**limit, slippage_bps=60))


def test_the_place_counts(make_intent: MakeIntent) -> None:
    intent = make_intent(price=Decimal(1))
    hashes = {hash_of(intent), hash_of(intent, venue="x"), hash_of(intent, network="x"), hash_of(intent, account="x")}
    assert len(hashes) == 4


@given(times=st.lists(st.integers(0, 10**13), min_size=1))
def test_nonces_only_grow_and_never_lag_the_clock(times: list[int]) -> None:
    last: int | None = None
    for now_ms in times:
        nonce = next_nonce(last, now_ms)
        assert nonce >= now_ms
        assert last is None or nonce > last
        last = nonce


def test_a_nonce_is_the_time_when_it_can_be() -> None:
    assert [next_nonce(None, 5), next_nonce(5, 5), next_nonce(7, 5), next_nonce(4, 9)] == [5, 6, 8, 9]
