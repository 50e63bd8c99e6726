"""Questions to a node and its answers, against the protobuf runtime where it has the messages."""

from __future__ import annotations

import base64
import importlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latentspeed_dydx_v4 import chain_state, node

from latentspeed_cli.errors import ProtocolError

query: Any = importlib.import_module("cosmpy.protos.cosmos.base.tendermint.v1beta1.query_pb2")


@pytest.mark.parametrize("height", [1, 127, 128, 66_624_132, 2**62])
def test_the_latest_block(height: int) -> None:
    answer = query.GetLatestBlockResponse()
    answer.block.header.chain_id = "dydx-testnet-4"
    answer.block.header.height = height
    answer.block.header.time.seconds = 1_765_210_316
    answer.block.data.txs.append(b"\x00" * 300)
    assert chain_state.block(answer.SerializeToString()) == chain_state.Block(
        height=height, time_ns=1_765_210_316_000_000_000
    )


def test_a_newer_node_says_it_in_another_member() -> None:
    header = b"\x12\x04dydx" + b"\x18\x05"
    block = b"\x0a" + bytes((len(header),)) + header
    assert chain_state.block(b"\x1a" + bytes((len(block),)) + block).height == 5


@pytest.mark.parametrize("body", [b"", b"\x12\x00", b"\xff", b"\x12\x05\x00", b"\x0b\x0c", b"\x80" * 11, b"<html>"])
def test_answers_without_sense(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        chain_state.block(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in (chain_state.block, node.stateful_order, node.leverages, node.authenticators):
        try:
            read(body)
        except ProtocolError:
            continue


def test_authenticators() -> None:
    first = b"\x08\xc6\x07\x12\x15SignatureVerification\x1a\x02\x02\xc6"
    second = b"\x12\x05AllOf"
    body = b"".join(b"\x0a" + bytes((len(one),)) + one for one in (first, second))
    found = node.authenticators(body)
    assert [(one.id, one.type, one.config) for one in found] == [
        (966, "SignatureVerification", b"\x02\xc6"),
        (0, "AllOf", b""),
    ]


def test_questions_leave_out_what_is_zero() -> None:
    assert node.account_query("dydx1x") == b"\x0a\x06dydx1x"
    assert node.subaccount_query("dydx1x", 0) == b"\x0a\x06dydx1x"
    assert node.subaccount_query("dydx1x", 128) == b"\x0a\x06dydx1x\x10\x80\x01"
    assert node.stateful_order_query("d", 0, 0, 64, 0) == b"\x0a\x07\x0a\x03\x0a\x01d\x18\x40"


KEY, OTHER = b"\x02" + b"k" * 32, b"\x03" + b"o" * 32


def nested(kind: str, *parts: tuple[str, bytes]) -> tuple[str, bytes]:
    rows = [{"type": name, "config": base64.b64encode(config).decode()} for name, config in parts]
    return kind, json.dumps(rows).encode()


MINE, FOREIGN = ("SignatureVerification", KEY), ("SignatureVerification", OTHER)
FILTER = ("MessageFilter", b"/dydxprotocol.clob.MsgPlaceOrder")


@pytest.mark.parametrize(
    ("authenticator", "allowed"),
    [
        (MINE, True),
        (FOREIGN, False),
        (FILTER, False),
        (nested("AllOf", MINE, FILTER), True),
        (nested("AllOf", FOREIGN, FILTER), False),
        (nested("AllOf", MINE, FOREIGN), False),
        (nested("AnyOf", MINE, FOREIGN), True),
        (nested("AllOf", FILTER, nested("AnyOf", FOREIGN, MINE)), True),
        (nested("AllOf"), False),
        (("AllOf", b"{"), False),
        (("AllOf", b"\xff"), False),
        (("Something", KEY), False),
    ],
)
def test_who_may_sign(authenticator: tuple[str, bytes], allowed: bool) -> None:
    kind, config = authenticator
    assert node.allows(node.Authenticator(id=1, type=kind, config=config), KEY) is allowed


def test_authenticators_in_one_another_without_end_allow_nothing() -> None:
    found = MINE
    for _ in range(20):
        found = nested("AnyOf", found)
    assert not node.allows(node.Authenticator(id=1, type=found[0], config=found[1]), KEY)
