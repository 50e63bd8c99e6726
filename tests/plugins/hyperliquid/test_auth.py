from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey
from latentspeed_hyperliquid import auth
from latentspeed_hyperliquid.actions import Envelope, L1Action, OrderAction, OrderKind, OrderWire, Tif
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig
from latentspeed_hyperliquid.encode import NOOP
from latentspeed_hyperliquid.keccak import keccak256

from latentspeed_cli.errors import CredentialError, OrderRefused
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.accounts import PRIVATE_KEYS

from .conftest import K1, K1_ADDRESS, MASTER, VAULT

CURVE_ORDER = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
TYPES = {
    "UsdSend": "destination string,amount string,time uint64",
    "SpotSend": "destination string,token string,amount string,time uint64",
    "Withdraw": "destination string,amount string,time uint64",
    "UsdClassTransfer": "amount string,toPerp bool,nonce uint64",
    "SendAsset": "destination string,sourceDex string,destinationDex string,token string,amount string,"
    "fromSubAccount string,nonce uint64",
    "ApproveAgent": "agentAddress address,agentName string,nonce uint64",
    "ApproveBuilderFee": "maxFeeRate string,builder address,nonce uint64",
    "TokenDelegate": "validator address,wei uint64,isUndelegate bool,nonce uint64",
}
PUBLISHED = json.loads((Path(__file__).parent / "signing_vectors.json").read_text())
CLOSED_LIST = {member.__struct_config__.tag for member in L1Action.__args__}


def check_vector(vector: dict[str, Any], make_auth: Callable[..., HyperliquidAuth]) -> None:
    """Every stage that the vector names, and for actions of the closed list the whole body too."""
    key = PrivateKey(bytes.fromhex(vector["privateKey"][2:]))
    assert auth.address_of(key) == vector["signer"]
    source = "a" if vector["network"] == "mainnet" else "b"
    if vector["kind"] == "user":
        name = vector["primaryType"].removeprefix("HyperliquidTransaction:")
        pairs = (field.split() for field in TYPES[name].split(","))
        fields = [("hyperliquidChain", "string"), *((field, kind) for field, kind in pairs)]
        digest = auth.typed_digest(name, fields, vector["message"], int(vector["signatureChainId"], 16))
    elif vector["kind"] == "agent":
        digest = auth.agent_digest(bytes.fromhex(vector["connectionId"][2:]), source)
    else:
        vault, expires_after = vector["vaultAddress"], vector["expiresAfter"]
        packed = msgspec.msgpack.encode(vector["action"])
        assert "0x" + packed.hex() == vector["msgpack"]
        connection_id = auth.action_hash(
            packed,
            vector["nonce"],
            vault=None if vault is None else bytes.fromhex(vault[2:]),
            expires_after=expires_after,
        )
        assert "0x" + connection_id.hex() == vector["actionHash"]
        digest = auth.agent_digest(connection_id, source)
        if vector["action"]["type"] in CLOSED_LIST:
            action = msgspec.convert(vector["action"], L1Action)
            signer = make_auth(vector["privateKey"], network=vector["network"], vault=vault)
            body = json.loads(signer.sign(action, vector["nonce"], expires_after=expires_after))
            check_body(body, vector)
    assert "0x" + digest.hex() == vector["digest"]
    signed = auth.sign_digest(key, digest)
    assert (int(signed.r, 16), int(signed.s, 16), signed.v) == (int(vector["r"], 16), int(vector["s"], 16), vector["v"])
    assert len(signed.r) == len(signed.s) == 66


def check_body(body: dict[str, Any], vector: dict[str, Any]) -> None:
    assert body["action"] == vector["action"]
    assert list(body["action"]) == list(vector["action"])
    assert body["nonce"] == vector["nonce"]
    assert body.get("vaultAddress") == vector["vaultAddress"]
    assert body.get("expiresAfter") == vector["expiresAfter"]
    assert int(body["signature"]["r"], 16) == int(vector["r"], 16)
    assert int(body["signature"]["s"], 16) == int(vector["s"], 16)
    assert body["signature"]["v"] == vector["v"]


@pytest.mark.parametrize("vector", PUBLISHED, ids=lambda vector: vector["name"])
def test_published_vectors(vector: dict[str, Any], make_auth: Callable[..., HyperliquidAuth]) -> None:
    check_vector(vector, make_auth)


@pytest.mark.recordings
def test_all_recorded_vectors(recordings: Path, make_auth: Callable[..., HyperliquidAuth]) -> None:
    vectors = json.loads((recordings / "signing" / "vectors.json").read_text())
    assert len(vectors) >= 99
    for vector in vectors:
        check_vector(vector, make_auth)


@pytest.mark.recordings
def test_requests_the_venue_answered_recover_the_signer_it_saw(recordings: Path) -> None:
    stories = json.loads((recordings / "http-exchange" / "testnet_signed_requests_2026-09-07.json").read_text())
    checked = 0
    for story in stories:
        request = story["request"]
        if "signatureChainId" in request["action"]:
            continue
        connection_id = auth.action_hash(
            msgspec.msgpack.encode(request["action"]), request["nonce"], expires_after=request.get("expiresAfter")
        )
        signature = request["signature"]
        raw = bytes.fromhex(signature["r"][2:].zfill(64) + signature["s"][2:].zfill(64)) + bytes([signature["v"] - 27])
        from coincurve import PublicKey

        public = PublicKey.from_signature_and_message(raw, auth.agent_digest(connection_id, "b"), hasher=None)
        assert "0x" + keccak256(public.format(compressed=False)[1:])[-20:].hex() == story["recoveredSigner"]
        checked += 1
    assert checked >= 3


def order_action() -> OrderAction:
    return OrderAction((OrderWire(1, True, "100", "100", False, OrderKind(limit=Tif("Gtc"))),), "na")


def test_the_sandbox_signs_in_the_testnet_domain(make_auth: Callable[..., HyperliquidAuth]) -> None:
    on = {network: make_auth(network=network).sign(order_action(), 0) for network in ("sandbox", "testnet", "mainnet")}
    assert on["sandbox"] == on["testnet"] != on["mainnet"]


def test_signatures_are_deterministic(make_auth: Callable[..., HyperliquidAuth]) -> None:
    assert make_auth().sign(order_action(), 5) == make_auth().sign(order_action(), 5)


@pytest.mark.parametrize("network", ["sandbox", "testnet", "mainnet"])
def test_approving_an_agent_is_signed_by_name(network: str, make_auth: Callable[..., HyperliquidAuth]) -> None:
    """Against the vectors, whose chain is the one that fits the network."""
    wanted = {v["network"]: v for v in PUBLISHED if v.get("message", {}).get("agentName") == "parity"}
    vector = wanted["mainnet" if network == "mainnet" else "testnet"]
    message = vector["message"]
    body = json.loads(
        make_auth(network=network).sign_approve_agent(message["agentAddress"], message["agentName"], message["nonce"])
    )
    assert int(body["signature"]["r"], 16) == int(vector["r"], 16)
    assert body["action"] == {"type": "approveAgent", "signatureChainId": "0x66eee", **message}
    assert body["nonce"] == message["nonce"]


def test_an_unnamed_agent_is_hashed_empty_and_posted_without_a_name(make_auth: Callable[..., HyperliquidAuth]) -> None:
    vector = next(v for v in PUBLISHED if v.get("message", {}).get("agentName") == "" and v["network"] == "testnet")
    body = json.loads(make_auth().sign_approve_agent(vector["message"]["agentAddress"], None, 1700000000000))
    assert int(body["signature"]["s"], 16) == int(vector["s"], 16)
    assert "agentName" not in body["action"]


def test_only_the_closed_list_is_signed(make_auth: Callable[..., HyperliquidAuth]) -> None:
    class Withdraw3(msgspec.Struct, tag_field="type", tag="withdraw3"):
        amount: str

    signer = make_auth()
    foreign: tuple[Any, ...] = (Withdraw3("1"), {"type": "withdraw3", "amount": "1"})
    for action in foreign:
        with pytest.raises(OrderRefused, match="not on the list"):
            signer.sign(action, 1)
        with pytest.raises(OrderRefused, match="not on the list"):
            signer.sign_without_vault(action, 1)
    assert "withdraw3" not in CLOSED_LIST
    assert "usdSend" not in CLOSED_LIST


def test_whose_orders_they_are(make_auth: Callable[..., HyperliquidAuth]) -> None:
    own, agent = make_auth(), make_auth(account=MASTER)
    sub = make_auth(account=MASTER, vault=VAULT)
    assert (own.signer, own.master, own.account) == (K1_ADDRESS, K1_ADDRESS, K1_ADDRESS)
    assert (agent.signer, agent.account) == (K1_ADDRESS, MASTER)
    assert (sub.master, sub.account) == (MASTER, VAULT)


def test_a_fence_names_no_vault(make_auth: Callable[..., HyperliquidAuth]) -> None:
    plain, for_vault = make_auth(), make_auth(vault=VAULT)
    assert for_vault.sign_without_vault(NOOP, 7) == plain.sign(NOOP, 7)
    assert json.loads(for_vault.sign(NOOP, 7))["vaultAddress"] == VAULT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "hello",
        K1[:-1],
        K1 + "0",
        "0x" + "0" * 64,
        CURVE_ORDER,
        "f" * 64,
        K1.replace("0x", "0y"),
        "0x" + "01 " * 21 + "0",
        "0x" + "\u0661" * 64,
    ],
)
def test_malformed_keys_are_refused_without_echo(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        HyperliquidAuth(HyperliquidConfig(key=Secret(text)))
    assert caught.value.exit_code == 7
    told = repr(caught.value) + str(caught.value) + str(caught.value.hint)
    assert len(text) < 6 or text not in told
    assert caught.value.__cause__ is None
    frame = caught.value.__traceback__
    while frame is not None:
        for value in frame.tb_frame.f_locals.values():
            if "latentspeed_hyperliquid" in frame.tb_frame.f_code.co_filename:
                assert len(text) < 6 or text.removeprefix("0x") not in repr(value)
        frame = frame.tb_next


def test_a_key_may_lack_its_prefix_and_carry_a_line_end() -> None:
    assert HyperliquidAuth(HyperliquidConfig(key=Secret(K1[2:] + "\n"))).signer == K1_ADDRESS


def test_no_key_is_a_credential_error() -> None:
    with pytest.raises(CredentialError, match="none is configured"):
        HyperliquidAuth(HyperliquidConfig())


@pytest.mark.parametrize("network", ["testnet", "mainnet"])
def test_sandbox_keys_are_refused_elsewhere(network: str) -> None:
    for key in PRIVATE_KEYS:
        with pytest.raises(CredentialError, match="published sandbox key"):
            HyperliquidAuth(HyperliquidConfig(network=network, key=Secret(key.upper().replace("0X", "0x"))))
        assert HyperliquidAuth(HyperliquidConfig(network="sandbox", key=Secret(key))).signer


def test_the_key_shows_nowhere(make_auth: Callable[..., HyperliquidAuth]) -> None:
    signer = make_auth()
    told = repr(signer) + str(signer) + repr([getattr(signer, name) for name in HyperliquidAuth.__slots__])
    assert K1[2:] not in told
    assert K1_ADDRESS in repr(signer)


def test_a_body_reads_back(make_auth: Callable[..., HyperliquidAuth]) -> None:
    body = make_auth(vault=VAULT).sign(order_action(), 3, expires_after=9)
    read = msgspec.json.decode(body, type=Envelope)
    assert (read.action, read.nonce, read.vault_address, read.expires_after) == (order_action(), 3, VAULT, 9)
