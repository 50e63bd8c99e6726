"""The server recovers whoever signed: published vectors, and requests the venue really answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from latentspeed_hyperliquid.sandbox import actions, signatures
from latentspeed_hyperliquid.sandbox.user_actions import UserAction

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "hyperliquid"
recorded = [pytest.mark.recordings, pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings here")]

# Published in the official SDK's signing tests (key K1), copied so that this test runs anywhere.
K1 = "0x14791697260e4c9a71f18484c9f997b308e59325"
ORDER: dict[str, Any] = {
    "type": "order",
    "orders": [{"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}],
    "grouping": "na",
}
ORDER_TESTNET = {
    "r": "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
    "s": "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
    "v": 27,
}


def read(action: dict[str, Any], signature: dict[str, Any], nonce: int = 0, **more: Any) -> Any:
    return actions.read({"action": action, "nonce": nonce, "signature": signature, **more})


def test_constants_are_the_published_ones() -> None:
    assert signatures.EXCHANGE_DOMAIN.hex() == "d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040"
    assert (
        signatures.domain_separator("HyperliquidSignTransaction", 0x66EEE).hex()
        == "feb1393ca4412a4ca577bd51d04f0a77033514c602f4d0a11490fb95f7428df6"
    )


def test_published_order_recovers_its_signer() -> None:
    envelope, action = read(ORDER, ORDER_TESTNET)
    assert signatures.recover(signatures.l1_message(action, 0, None, None), envelope.signature) == K1


@pytest.mark.parametrize(
    "change",
    [
        {"p": "100.0", "s": "100.000"},
        {"p": "0100"},
        {"extra": 1},
        {"t": {"limit": {"tif": "Gtc"}, "note": "ignored"}},
    ],
)
def test_the_posted_form_does_not_matter(change: dict[str, Any]) -> None:
    order = {**ORDER["orders"][0], **change}
    reordered = dict(reversed(list({**ORDER, "orders": [dict(reversed(list(order.items())))]}.items())))
    envelope, action = read(reordered, ORDER_TESTNET)
    assert signatures.recover(signatures.l1_message(action, 0, None, None), envelope.signature) == K1


def test_a_foreign_form_signed_recovers_somebody_else() -> None:
    envelope, action = read(ORDER, ORDER_TESTNET)
    other = signatures.recover(signatures.l1_message(action, 1, None, None), envelope.signature)
    assert other is not None
    assert other != K1


@pytest.mark.parametrize(
    ("r", "s", "v"),
    [
        ("0x0", "0x0", 27),
        ("zz", "0x1", 27),
        ("0x" + "f" * 64, "0x1", 27),
        ("0x1", "0x1", 99),
        ("0x1" + "0" * 64, "0x1", 27),
    ],
)
def test_signatures_that_yield_nobody(r: str, s: str, v: int) -> None:
    _, action = read(ORDER, ORDER_TESTNET)
    message = signatures.l1_message(action, 0, None, None)
    assert signatures.recover(message, actions.Signature(r, s, v)) is None


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RECORDINGS / "signing/vectors.json").read_text())
    return found


class TestRecorded:
    pytestmark = recorded

    def test_every_vector_recovers_its_signer(self) -> None:
        for vector in vectors():
            signature = actions.Signature(vector["r"], vector["s"], vector["v"])
            chain = vector["network"].capitalize()
            if "connectionId" in vector:
                message = signatures.agent_message(bytes.fromhex(vector["connectionId"][2:]), chain)
            elif vector["kind"] == "l1":
                connection = signatures.connection_id(
                    bytes.fromhex(vector["msgpack"][2:]),
                    vector["nonce"],
                    vector["vaultAddress"],
                    vector["expiresAfter"],
                )
                assert "0x" + connection.hex() == vector["actionHash"], vector["name"]
                message = signatures.agent_message(connection, chain)
            else:
                fields = vector["message"]
                primary = vector["primaryType"].removeprefix("HyperliquidTransaction:")
                message = signatures.typed_message(
                    primary, fields, fields["hyperliquidChain"], int(vector["signatureChainId"], 16)
                )
            assert signatures.recover(message, signature) == vector["signer"], vector["name"]

    def test_the_canonical_encoding_is_the_vectors(self) -> None:
        seen = 0
        for vector in vectors():
            action = vector.get("action")
            # `dummy` is no action of the venue; the Rust SDK's own vectors hash "2000.0", which the venue would not.
            if action is None or action["type"] == "dummy" or "2000.0" in json.dumps(action):
                continue
            _, typed = read(action, {"r": vector["r"], "s": vector["s"], "v": vector["v"]}, vector["nonce"])
            assert "0x" + actions.canonical_bytes(typed).hex() == vector["msgpack"], vector["name"]
            seen += 1
        assert seen > 50

    def test_requests_the_venue_answered(self) -> None:
        path = RECORDINGS / "http-exchange/testnet_signed_requests_2026-09-07.json"
        for item in json.loads(path.read_text()):
            envelope, action = actions.read(item["request"])
            if isinstance(action, UserAction):
                message = signatures.user_message(action)
            else:
                message = signatures.l1_message(action, envelope.nonce, envelope.vaultAddress, envelope.expiresAfter)
            assert signatures.recover(message, envelope.signature) == item["recoveredSigner"], item["what"]
