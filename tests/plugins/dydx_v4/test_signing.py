"""Transactions equal cosmpy's byte for byte, the signer signs for what it was configured, and nobody pays for cosmpy
who does not need it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from cosmpy.aerial.tx import SigningCfg, Transaction, TxFee
from cosmpy.aerial.wallet import LocalWallet
from cosmpy.crypto.keypairs import PrivateKey
from cosmpy.protos.cosmos.tx.v1beta1.service_pb2 import (
    BroadcastTxRequest,
    BroadcastTxResponse,
    GetTxRequest,
    GetTxResponse,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from latentspeed_dydx_v4 import chain_state, encode, identifiers, proto, tx
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config, account_of
from latentspeed_dydx_v4.constants import CANCEL_ORDER, PLACE_ORDER
from latentspeed_dydx_v4.protowire import message
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, MNEMONICS, PRIVATE_KEYS
from latentspeed_dydx_v4.wallet import address_of, parse_address, private_key

from latentspeed_cli.core.types import TimeInForce
from latentspeed_cli.errors import AuthRejected, ConfigError, CredentialError, ProtocolError
from latentspeed_cli.keys import Secret

from .test_vectors import LONG_TERM, OFFICIAL_3, OFFICIAL_3_KEY, OWNER, SHORT_TERM, auth, market

# Section 12.4 of the sheet, V7: an API key (official_2) signs for the owner (official_3) by authenticator 966.
OFFICIAL_2_KEY = "d84cc2fce4fd24a4ffaa7d5a5ce4ddbb41a6b66adaa5c9d9a65f663f397d8b81"
OFFICIAL_2_PUBLIC = "02c6c895029281b357b05b1699d6fd8244622779c85ade50fe0691b78f94f18fd6"
V7_MESSAGE = (
    "0a4b0a340a2d0a2b6479647831776c646e79746b65727a73333972733238646a6e30703976767165723278326b357838686a79"
    "1507000000100118c0843d2080b4c4c32128cec2f10538014801"
)
V7_BODY = (
    "0a710a202f6479647870726f746f636f6c2e636c6f622e4d7367506c6163654f72646572124d" + V7_MESSAGE + "fa7f2d0a252f64"
    "79647870726f746f636f6c2e6163636f756e74706c75732e5478457874656e73696f6e12040a02c607"
)
V7_AUTH_INFO = (
    "0a500a460a1f2f636f736d6f732e63727970746f2e736563703235366b312e5075624b657912230a21" + OFFICIAL_2_PUBLIC + "12"
    "040a0208011859120410c0843d"
)
V7_SIGNATURE = (
    "8591055c18177f6e8b4898b2a62f73ef793a46d362292c4f4b1a407abfaad5803444d4476f2fe44c2b1a0acff1ccd4d49313001c53abc8ba"
    "4d4ffa05f6280c95"
)
V7_HASH = "B7B8C32309FDDEA522F0CF48E9357479AEDCA551A9AB6576EC8735ECB05E72FD"


def by_cosmpy(
    type_url: str, message: bytes, *, key: str, chain_id: str, number: int, sequence: int, timeout: int = 0
) -> bytes:
    """The same transaction, made and signed by cosmpy with the definitions of the private pool."""
    signer = PrivateKey(bytes.fromhex(key))
    made = Transaction()
    made.add_message(proto.message(type_url).FromString(message))
    made.seal(
        SigningCfg.direct(signer.public_key, sequence),
        fee=TxFee(amount=[], gas_limit=1_000_000),
        memo="",
        timeout_height=timeout,
    )
    made.sign(signer, chain_id, number, deterministic=True).complete()
    return bytes(made.tx.SerializeToString())


@settings(deadline=None, max_examples=25)
@given(
    order=st.sampled_from([SHORT_TERM, LONG_TERM]),
    number=st.integers(0, 2**63),
    sequence=st.one_of(st.just(0), st.integers(0, 2**63)),
    timeout=st.integers(0, 2**40),
    index=st.integers(0, 9),
)
def test_transactions_equal_cosmpy_s(order: Any, number: int, sequence: int, timeout: int, index: int) -> None:
    key = PRIVATE_KEYS[index]
    message = encode.place_order(order, market(order.trading_pair), OWNER)
    signer = DydxV4Auth(DydxV4Config(network="sandbox", key=Secret(key)))
    ours = signer.sign(PLACE_ORDER, message, account_number=number, sequence=sequence, timeout_height=timeout)
    theirs = by_cosmpy(
        PLACE_ORDER,
        message,
        key=key,
        chain_id="localdydxprotocol",
        number=number,
        sequence=sequence,
        timeout=timeout,
    )
    assert ours == theirs


def test_a_cancel_equals_cosmpy_s() -> None:
    ids = encode.id_of(LONG_TERM, market("ETH-USD"))
    message = encode.cancel_order(OWNER, ids, good_til_block=None, good_til_ts_ns=LONG_TERM.good_til_ts_ns)
    ours = auth("mainnet").sign(CANCEL_ORDER, message, account_number=12, sequence=1)
    assert ours == by_cosmpy(
        CANCEL_ORDER, message, key=OFFICIAL_3_KEY, chain_id="dydx-mainnet-1", number=12, sequence=1
    )


def test_a_permitted_key_signs_as_v7_tells() -> None:
    body = tx.body(((PLACE_ORDER, bytes.fromhex(V7_MESSAGE)),), authenticators=(966,))
    assert body.hex() == V7_BODY
    info = tx.auth_info(tx.signer_of(bytes.fromhex(OFFICIAL_2_PUBLIC)), 89)
    assert info.hex() == V7_AUTH_INFO
    signer = DydxV4Auth(DydxV4Config(network="testnet", key=Secret(OFFICIAL_2_KEY), account=OFFICIAL_3))
    order = msgspec.structs.replace(
        SHORT_TERM,
        venue_client_id=identifiers.venue_client_id(7, 1),
        amount=Decimal("0.0001"),
        price=Decimal("90000"),
        tif=TimeInForce.IOC,
    )
    placed = encode.place_order(order, market("BTC-USD"), OWNER)
    assert placed.hex() == V7_MESSAGE
    raw = signer.sign(PLACE_ORDER, placed, account_number=4567, sequence=89, authenticator=966)
    assert raw == tx.content(body, info) + tx.signatures(bytes.fromhex(V7_SIGNATURE))
    assert tx.tx_hash(raw) == V7_HASH


def test_a_permitted_key_bears_its_own_public_key_and_the_owner_s_numbers() -> None:
    config = DydxV4Config(network="sandbox", key=Secret(PRIVATE_KEYS[4]), account=ADDRESSES[0])
    signer = DydxV4Auth(config)
    assert (signer.signer, signer.account, signer.master) == (ADDRESSES[4], ADDRESSES[0], ADDRESSES[0])
    assert signer.is_permitted_key
    raw = signer.sign(PLACE_ORDER, b"\x0a\x00", account_number=3, sequence=5, authenticator=17)
    assert signer.public_key in raw
    assert message(2047, tx.any_of("/dydxprotocol.accountplus.TxExtension", b"\x0a\x01\x11")) in raw


def test_what_is_asked_and_answered_equals_cosmpy_s_messages() -> None:
    assert tx.broadcast_request(b"raw") == BroadcastTxRequest(tx_bytes=b"raw", mode=2).SerializeToString()
    assert tx.get_tx_request("AB") == GetTxRequest(hash="AB").SerializeToString()
    answer = BroadcastTxResponse()
    answer.tx_response.code, answer.tx_response.codespace = 11, "clob"
    answer.tx_response.raw_log, answer.tx_response.txhash, answer.tx_response.height = "too far", "AB", 7
    said = tx.broadcast_response(answer.SerializeToString())
    assert (said.name, said.raw_log, said.hash, said.height) == ("clob 11", "too far", "AB", 7)
    found = GetTxResponse()
    found.tx_response.CopyFrom(answer.tx_response)
    found.tx.body.memo = "something else"
    assert tx.get_tx_response(found.SerializeToString()) == said


@pytest.mark.parametrize("answer", [b"", b"\xff", b"\x08\x01", b"\x0a\x02\x08", b"\x0a\x02\x18\x01"])
def test_an_answer_that_is_none_makes_no_sense(answer: bytes) -> None:
    with pytest.raises(ProtocolError):
        tx.broadcast_response(answer)


# Keys and addresses


@pytest.mark.parametrize("index", range(10))
def test_words_and_addresses_equal_cosmpy_s(index: int) -> None:
    wallet = LocalWallet.from_mnemonic(MNEMONICS[index], prefix="dydx")
    assert private_key(Secret(MNEMONICS[index])).to_hex() == wallet.signer().private_key_hex == PRIVATE_KEYS[index]
    assert str(wallet.address()) == ADDRESSES[index]


@settings(deadline=None, max_examples=50)
@given(raw=st.binary(min_size=32, max_size=32).filter(lambda raw: 0 < int.from_bytes(raw, "big") < 2**255))
def test_addresses_equal_cosmpy_s(raw: bytes) -> None:
    key = private_key(Secret(raw.hex()))
    address = address_of(key.public_key.format())
    assert address == str(LocalWallet(PrivateKey(raw), prefix="dydx").address())
    assert parse_address(address) == address


def test_an_openssl_without_the_digest_changes_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, data: bytes) -> None:
        raise ValueError(f"unsupported hash type {name}")

    monkeypatch.setattr(hashlib, "new", refuse)
    assert address_of(private_key(Secret(PRIVATE_KEYS[3])).public_key.format()) == ADDRESSES[3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dydx1",
        OFFICIAL_3[:-1],
        OFFICIAL_3[:-1] + ("q" if OFFICIAL_3[-1] != "q" else "p"),
        OFFICIAL_3.upper(),
        OFFICIAL_3.replace("dydx1", "cosmos1"),
        "0x" + "1" * 40,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(CredentialError):
        parse_address(text)


def test_the_account_is_the_configured_one_else_the_key_s() -> None:
    assert account_of(DydxV4Config()) is None
    assert account_of(DydxV4Config(key=Secret(OFFICIAL_3_KEY))) == OFFICIAL_3
    assert account_of(DydxV4Config(key=Secret(OFFICIAL_3_KEY), account=ADDRESSES[0])) == ADDRESSES[0]
    assert DydxV4Config(account=ADDRESSES[0], subaccount=3).acts_for == f"{ADDRESSES[0]}/3"


@pytest.mark.parametrize("network", ["testnet", "mainnet"])
def test_published_keys_of_the_sandbox_are_refused_elsewhere(network: str) -> None:
    for text in (PRIVATE_KEYS[0], MNEMONICS[9], "0x" + PRIVATE_KEYS[3]):
        with pytest.raises(CredentialError):
            DydxV4Auth(DydxV4Config(network=network, key=Secret(text)))


@pytest.mark.parametrize("changes", [{"network": "devnet"}, {"subaccount": 128_001}, {"nonces": "random"}])
def test_settings_that_are_none_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        DydxV4Config(**changes)


def test_an_account_that_never_held_a_coin_is_an_error_of_the_key() -> None:
    with pytest.raises(AuthRejected):
        chain_state.account(None, OFFICIAL_3)


def test_only_a_mnemonic_pays_for_cosmpy_and_nobody_for_protobuf() -> None:
    script = f"""
import sys
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
import latentspeed_dydx_v4.connector, latentspeed_dydx_v4.plugin
from latentspeed_cli.keys import Secret

heavy = ("cosmpy", "Crypto", "google.protobuf", "grpc", "ecdsa", "aiohttp", "eth_account")
DydxV4Auth(DydxV4Config(network="sandbox", key=Secret("{PRIVATE_KEYS[0]}")))
print([name for name in heavy if name in sys.modules])
DydxV4Auth(DydxV4Config(network="sandbox", key=Secret("{MNEMONICS[0]}")))
print("cosmpy" in sys.modules, "grpc" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines() == ["[]", "True False"], done.stderr
