"""The node over HTTP is the same node: what goes in here is on the same chain."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.sandbox.model import HttpRequest

LOT, TICK = 1_000_000, 100_000
LOW = 80_000 * TICK


def ask(venue: Any, path: str, *, body: bytes | None = None, **query: str) -> tuple[int, Any]:
    """(status, answer)."""
    method = "GET" if body is None else "POST"
    request = HttpRequest(method=method, path=path, query=query, headers={}, body=body or b"", peer="127.0.0.1")
    response = venue.model.http(request, venue.now_ns)
    venue.collect()
    return response.status, json.loads(response.body)


def test_a_transaction_as_hex_is_checked_and_delivered(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW, "long"))
    status, answer = ask(venue, "/broadcast_tx_sync", tx="0x" + raw.hex())
    assert (status, answer["result"]["code"], answer["result"]["log"]) == (200, 0, "[]")
    again = ask(venue, "/broadcast_tx_sync", tx="0x" + raw.hex())
    assert again[0] == 500
    assert again[1]["error"]["data"] == "tx already exists in cache"
    venue.block()
    assert [row["status"] for row in venue.rows("orders")] == ["OPEN"]
    assert venue.model.world.txs[answer["result"]["hash"]].code == 0


def test_a_refusal_is_an_answer_and_async_does_not_wait_for_it(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW, "long"), sequence=9)
    refused = ask(venue, "/broadcast_tx_sync", tx=raw.hex())[1]["result"]
    assert (refused["codespace"], refused["code"]) == ("sdk", 32)
    assert refused["log"] == "account sequence mismatch, expected 0, got 9: incorrect account sequence"
    assert ask(venue, "/broadcast_tx_async", tx=raw.hex())[1]["result"]["code"] == 0
    assert ask(venue, "/broadcast_tx_sync", tx="0xno")[0] == 500


def test_an_account_has_a_key_once_it_signed(venue: Any) -> None:
    path = f"/cosmos/auth/v1beta1/account_info/{ADDRESSES[0]}"
    fresh = ask(venue, path)[1]["info"]
    assert fresh == {"address": ADDRESSES[0], "pub_key": None, "account_number": "0", "sequence": "0"}
    venue.place("buy", LOT, LOW, "long")
    venue.block()
    known = ask(venue, path)[1]["info"]
    assert known["sequence"] == "1"
    assert known["pub_key"]["key"] == b64encode(venue.wallets[0].public_key().public_key_bytes).decode()
    status, missing = ask(venue, "/cosmos/auth/v1beta1/account_info/dydx1nobody")
    assert (status, missing["code"], missing["message"]) == (404, 5, "account dydx1nobody not found")


def test_simulation_and_heights(venue: Any) -> None:
    transfer = t.Transfer(
        sender=t.SubaccountId(owner=ADDRESSES[0]),
        recipient=t.SubaccountId(owner=ADDRESSES[1]),
        amount=1,
    )
    raw = venue.sign(t.MsgCreateTransfer(transfer=transfer))
    for spelling in ("tx_bytes", "txBytes"):
        body = json.dumps({spelling: b64encode(raw).decode()}).encode()
        status, answer = ask(venue, "/cosmos/tx/v1beta1/simulate", body=body)
        assert status == 200
        assert int(answer["gas_info"]["gas_used"]) > 60_000
    for body in (b"{", b"[]", b'{"tx_bytes": "%"}', b'{"tx_bytes": 5}', b"{}"):
        assert ask(venue, "/cosmos/tx/v1beta1/simulate", body=body)[0] == 400
    venue.block(3)
    height = ask(venue, "/abci_info")[1]["result"]["response"]["last_block_height"]
    assert height == str(venue.height)
    assert ask(venue, "/cosmos/staking/v1beta1/validators")[0] == 501


def test_a_router_must_be_registered_for_stateful_orders(venue: Any) -> None:
    router = ADDRESSES[5]
    order = venue.order("buy", LOT, LOW, "long").order
    named = t.MsgPlaceOrder(order=t.OrderMessage(**{**_fields(order), "order_router_address": router}))
    refused = venue.submit(named)
    assert (refused.codespace, refused.code) == ("revshare", 8)
    venue.control("router", address=router)
    assert venue.submit(named).code == 0


def _fields(order: t.OrderMessage) -> dict[str, Any]:
    return {name: getattr(order, name) for name in order.__struct_fields__}
