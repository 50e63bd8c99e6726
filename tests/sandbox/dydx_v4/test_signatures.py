"""Who may sign what: published vectors, addresses, sequences, timestamp nonces, API keys."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cosmpy.aerial.wallet import LocalWallet
from cosmpy.mnemonic import entropy_to_mnemonic
from latentspeed_dydx_v4.sandbox import accounts, chain, keys, signing, tx, universe, wire
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox.refusals import Refused
from latentspeed_dydx_v4.sandbox.state import Authenticator

SHEET = Path(__file__).parents[4] / "shared" / "protocols" / "dydx_v4_vectors.json"
VECTORS = json.loads(SHEET.read_text()) if SHEET.exists() else {"vectors": [], "keys": {}}
LOT, TICK = 1_000_000, 100_000
LOW = 80_000 * TICK


def test_the_accounts_are_the_published_ones() -> None:
    for index, words in enumerate(accounts.MNEMONICS):
        assert words == entropy_to_mnemonic(hashlib.sha256(b"latentspeed sandbox account %d" % index).digest())
        wallet = LocalWallet.from_mnemonic(words, prefix="dydx")
        assert wallet.signer().private_key_bytes.hex() == accounts.PRIVATE_KEYS[index]
        assert str(wallet.address()) == accounts.ADDRESSES[index]
        assert keys.address_of(wallet.public_key().public_key_bytes) == accounts.ADDRESSES[index]
        assert keys.address_bytes(accounts.ADDRESSES[index]) == bytes(wallet.address())


@pytest.mark.recordings
@pytest.mark.skipif(not SHEET.exists(), reason="the shared vectors are not here")
@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_every_vector_passes_the_verifier(vector: Any, venue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded strictly, encoded back to the same bytes, and accepted with the right account and chain, and no other."""
    raw = bytes.fromhex(vector["tx_raw_hex"])
    given = tx.read(raw)
    assert given.hash == vector["tx_hash"]
    assert wire.encode(given.envelope) == raw
    assert [wire.encode(message).hex() for message in given.messages] == vector["msg_hex"]
    world = venue.model.world
    [owner] = given.signers
    account = world.open_account(owner)
    account.number, account.check_sequence = vector["account_number"], vector["sequence"]
    if vector["selected_authenticators"]:
        key = bytes.fromhex(VECTORS["keys"][vector["signer"]]["public_key"])
        [chosen] = vector["selected_authenticators"]
        account.authenticators = [Authenticator(chosen, "SignatureVerification", key)]
    with pytest.raises(Refused, match="verif"):
        signing.check_signatures(world, given, at_height_zero=False)
    monkeypatch.setattr(signing, "CHAIN_ID", vector["chain_id"])
    signing.check_signatures(world, given, at_height_zero=False)
    if not given.is_short_term and vector["sequence"] < tx.NONCE_FLOOR:
        signing.check_replay(world, account, given.signer_infos[0])
    account.number += 1
    with pytest.raises(Refused, match="verif"):
        signing.check_signatures(world, given, at_height_zero=False)


@pytest.mark.recordings
@pytest.mark.skipif(not SHEET.exists(), reason="the shared vectors are not here")
def test_keys_of_the_sheet_have_their_addresses() -> None:
    for entry in VECTORS["keys"].values():
        assert keys.address_of(bytes.fromhex(entry["public_key"])) == entry["address"]
        assert keys.address_bytes(entry["address"]) == bytes.fromhex(entry["address_bytes"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dydx1",
        accounts.ADDRESSES[0][:-1],
        accounts.ADDRESSES[0].upper(),
        accounts.ADDRESSES[0][:-1] + "q",
        "cosmos1depk54cuajgkzea6zpgkq36tnjwdzv4afc3d27",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert keys.address_bytes(text) is None


def test_a_high_s_does_not_pass(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW))
    given = tx.read(raw)
    signature = given.envelope.signatures[0]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    answer = venue.send(wire.encode(t.TxRaw(**{**_fields(given.envelope), "signatures": (high,)})))
    assert (answer.codespace, answer.code) == ("sdk", 4)


def _fields(message: Any) -> dict[str, Any]:
    return {field.name: getattr(message, field.name) for field in message.FIELDS}


def test_a_wrong_account_number_or_chain_names_the_right_one(venue: Any) -> None:
    for how in ({"account_number": 5}, {"chain_id": "dydx-testnet-4"}):
        answer = venue.submit(venue.order("buy", LOT, LOW), **how)
        assert (answer.codespace, answer.code) == ("sdk", 4)
        assert answer.raw_log == (
            "signature verification failed; please verify account number (0) and chain-id (localdydxprotocol): "
            "(unable to verify single signer signature): unauthorized"
        )


def test_somebody_elses_key_is_not_the_signer(venue: Any) -> None:
    answer = venue.submit(venue.order("buy", LOT, LOW, key=1), key=0)
    assert (answer.codespace, answer.code) == ("sdk", 8)
    assert answer.raw_log.startswith(f"pubKey does not match signer address {accounts.ADDRESSES[1]}")


def test_a_restarted_node_takes_zero_for_the_account_number(venue: Any) -> None:
    venue.control("restarted")
    answer = venue.submit(venue.order("buy", LOT, LOW, key=1), key=1)
    assert (answer.code, "account number (0)" in answer.raw_log) == (4, True)
    assert venue.submit(venue.order("buy", LOT, LOW, key=1), key=1).code == 0


def test_short_term_messages_do_not_care_for_the_sequence(venue: Any) -> None:
    for sequence in (0, 7, 7, 3):
        assert venue.submit(venue.order("buy", LOT, LOW), sequence=sequence).code == 0
    assert venue.model.world.accounts[accounts.ADDRESSES[0]].check_sequence == 0


def test_stateful_messages_use_up_the_sequence_at_once(venue: Any) -> None:
    assert venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=0).code == 0
    answer = venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=0)
    assert (answer.codespace, answer.code) == ("sdk", 32)
    assert answer.raw_log == "account sequence mismatch, expected 1, got 0: incorrect account sequence"
    assert venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=1).code == 0


def test_a_refused_transaction_does_not_use_up_the_sequence(venue: Any) -> None:
    assert venue.submit(venue.order("buy", LOT, LOW + 1, "long"), sequence=0).code == 12
    assert venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=0).code == 0


def test_timestamp_nonces_come_in_any_order_but_once(venue: Any) -> None:
    now = venue.now_ns // 1_000_000
    for nonce in (now, now - 5, now + 20_000):
        assert venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=nonce).code == 0
    again = venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=now - 5)
    assert again.raw_log == f"timestamp nonce {now - 5} rejected: incorrect account sequence"
    for far in (now - 30_001, now + 30_001):
        answer = venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=far)
        assert (answer.code, "not within valid time window" in answer.raw_log) == (32, True)
    assert venue.model.world.accounts[accounts.ADDRESSES[0]].check_sequence == 0


def test_only_twenty_nonces_are_kept_and_the_smallest_goes(venue: Any) -> None:
    now = venue.now_ns // 1_000_000
    world = venue.model.world
    account = world.accounts[accounts.ADDRESSES[0]]

    def use(nonce: int) -> bool:
        info = t.SignerInfo(sequence=nonce)
        try:
            signing.check_replay(world, account, info)
        except Refused:
            return False
        signing.use_up(world, account, nonce)
        return True

    assert all(use(now + k) for k in range(20))
    assert not use(now - 1)
    assert use(now + 100)
    assert not use(now)
    assert len(account.nonces) == 20


def test_the_same_bytes_are_seen_once(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW))
    first, second = venue.send(raw), venue.send(raw)
    assert (first.code, first.raw_log, first.codespace) == (0, "[]", "")
    assert (second.code, second.raw_log, second.codespace) == (19, "", "sdk")
    assert first.txhash == second.txhash == hashlib.sha256(raw).hexdigest().upper()
    refused = venue.sign(venue.order("buy", LOT, LOW + 1))
    assert [venue.send(refused).code for _ in range(2)] == [12, 12]


# ---- API trading keys ----------------------------------------------------------------------------


def register(venue: Any, kind: str, config: bytes) -> int:
    """Add an authenticator to account 0; its id."""
    message = t.MsgAddAuthenticator(sender=accounts.ADDRESSES[0], authenticator_type=kind, data=config)
    assert venue.submit(message, gas=400_000, fee=10_000).code == 0
    venue.block()
    [*_, newest] = venue.model.world.accounts[accounts.ADDRESSES[0]].authenticators
    return int(newest.id)


def all_of(venue: Any, *parts: tuple[str, bytes]) -> bytes:
    return json.dumps([{"type": kind, "config": b64encode(config).decode()} for kind, config in parts]).encode()


def test_an_api_key_trades_for_its_owner_within_its_filters(venue: Any) -> None:
    public = venue.wallets[1].public_key().public_key_bytes
    allowed = b"/dydxprotocol.clob.MsgPlaceOrder,/dydxprotocol.clob.MsgCancelOrder"
    parts = (("SignatureVerification", public), ("MessageFilter", allowed), ("ClobPairIdFilter", b"0,1"))
    chosen = register(venue, "AllOf", all_of(venue, *parts))
    how: dict[str, Any] = {"key": 1, "owner": 0, "authenticators": (chosen,)}
    assert venue.submit(venue.order("buy", LOT, LOW), **how).code == 0
    assert venue.submit(venue.order("buy", LOT, LOW, "long"), **how).code == 0
    other_pair = venue.submit(venue.order("buy", LOT, 10**9, pair=5), **how)
    assert (other_pair.codespace, other_pair.code) == ("dydxaccountplus", 104)
    assert other_pair.raw_log.endswith("Clob pair id verification failed: AllOf verification failed")
    stranger = venue.submit(venue.order("buy", LOT, LOW), **{**how, "key": 2})
    assert stranger.raw_log == (
        f"authentication failed for message 0, authenticator id {chosen}, type AllOf: signature verification failed; "
        "please verify account number (0), sequence (2) and chain-id (localdydxprotocol): Signature verification "
        "failed: AllOf verification failed"
    )
    missing = venue.submit(venue.order("buy", LOT, LOW), **{**how, "authenticators": (99,)})
    assert (missing.codespace, missing.code) == ("dydxaccountplus", 1)
    many = venue.submit(venue.order("buy", LOT, LOW), **{**how, "authenticators": (chosen, chosen)})
    assert (many.codespace, many.code, "msg count 1, got 2" in many.raw_log) == ("sdk", 18, True)


def test_an_authenticator_that_needs_no_signature_is_not_registered(venue: Any) -> None:
    message = t.MsgAddAuthenticator(
        sender=accounts.ADDRESSES[0], authenticator_type="MessageFilter", data=b"/dydxprotocol.clob.MsgPlaceOrder"
    )
    answer = venue.submit(message, gas=400_000, fee=10_000)
    assert answer.code == 0
    venue.block()
    delivered = venue.model.world.txs[answer.txhash]
    assert (delivered.codespace, delivered.code) == ("dydxaccountplus", 5)
    assert venue.model.world.accounts[accounts.ADDRESSES[0]].authenticators == []


def test_chain_constants() -> None:
    assert universe.CHAIN_ID == "localdydxprotocol"
    assert chain.MAX_TX_BYTES > 100_000
