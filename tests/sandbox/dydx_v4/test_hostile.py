"""Whatever comes in, the venue answers and goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from latentspeed_dydx_v4.sandbox import node_messages as m
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox import wire
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

LOT, LOW = 1_000_000, 80_000 * 100_000
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def broadcast(venue: Any, raw: bytes) -> Any:
    body = wire.encode(m.BroadcastTxRequest(tx_bytes=raw, mode=2))
    code, answer = venue.model.grpc("/cosmos.tx.v1beta1.Service/BroadcastTx", body, venue.now_ns)
    assert code == 0
    return wire.decode(m.BroadcastTxResponse, answer).tx_response


@QUICK
@given(raw=st.binary(min_size=1, max_size=200))
def test_any_bytes_are_answered(venue: Any, raw: bytes) -> None:
    assert broadcast(venue, raw).code != 0
    for method in venue.model.grpc_methods:
        assert isinstance(venue.model.grpc(method, raw, venue.now_ns)[0], int)


@QUICK
@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_never_accepted(venue: Any, place: int, byte: int) -> None:
    """No byte of a signed transaction can be another one: body, auth info and signature are all covered."""
    raw = bytearray(venue.sign(venue.order("buy", LOT, LOW, "long", client_id=5), sequence=0))
    place %= len(raw)
    if raw[place] == byte:
        return
    raw[place] = byte
    assert broadcast(venue, bytes(raw)).code != 0
    assert venue.model.world.accounts[ADDRESSES[0]].check_sequence == 0


@QUICK
@given(
    text=st.text(max_size=60) | st.recursive(st.none() | st.text(max_size=5), st.lists, max_leaves=5).map(json.dumps)
)
def test_any_frame_is_answered_or_ignored(venue: Any, text: str) -> None:
    number = venue.connect()
    venue.say(number, text)
    assert all(frame["type"] in ("connected", "error") for frame in venue.take(number))


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "channel": ["v4_trades"]},
        {"type": "subscribe", "channel": "v4_trades", "id": 7},
        {"type": "subscribe", "channel": "v4_subaccounts", "id": "/"},
        {"type": "unsubscribe", "channel": {}},
        {"type": ["subscribe"]},
        "[" * 100_000,
    ],
)
def test_frames_of_the_wrong_shape(venue: Any, message: Any) -> None:
    number = venue.connect()
    [error] = venue.say(number, message)
    assert error["type"] == "error"


@pytest.mark.parametrize("value", ["--5", "9" * 5_000, "", "\u0663", "1e3", "0x1"])
def test_numbers_that_are_none(venue: Any, value: str) -> None:
    for path, name in (("orders", "subaccountNumber"), ("fills", "createdBeforeOrAtHeight"), ("fills", "limit")):
        query = {"address": ADDRESSES[0], "subaccountNumber": "0", name: value}
        expect = 200 if value == "\u0663" else 400
        venue.get(path, expect, **query)


def test_amounts_beyond_all_bounds(venue: Any) -> None:
    endless = t.MsgSend(
        from_address=ADDRESSES[0], to_address=ADDRESSES[1], amount=(t.Coin(denom="x", amount="9" * 5_000),)
    )
    assert venue.submit(endless, gas=400_000, fee=10_000).code == 10
    size = (1 << 64) // LOT * LOT - LOT
    assert venue.submit(venue.order("buy", size, 84_012 * 100_000, "long")).code == 3007
    venue.place("buy", size, LOW, "long")
    venue.block(2)


def test_a_failed_transaction_leaves_nothing_of_its_first_message(venue: Any) -> None:
    def transfer(amount: int) -> Any:
        return t.MsgCreateTransfer(
            transfer=t.Transfer(
                sender=t.SubaccountId(owner=ADDRESSES[0]),
                recipient=t.SubaccountId(owner=ADDRESSES[1]),
                amount=amount,
            )
        )

    answer = venue.submit(transfer(5 * 10**6), transfer(10**12), gas=400_000, fee=10_000)
    assert answer.code == 0
    venue.block()
    assert venue.model.world.txs[answer.txhash].code == 102
    for key in (0, 1):
        assert venue.rows("assetPositions", key=key)["positions"][0]["size"] == "100000"
        assert venue.rows("transfers", key=key)["transfers"] == []
