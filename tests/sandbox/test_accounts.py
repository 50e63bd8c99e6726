"""The published accounts are what their rule says."""

from hashlib import sha256

from eth_account import Account

from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS


def test_keys_follow_the_published_rule() -> None:
    rule = [f"0x{sha256(b'latentspeed sandbox account %d' % index).hexdigest()}" for index in range(10)]
    assert list(PRIVATE_KEYS) == rule


def test_addresses_belong_to_the_keys() -> None:
    assert [Account.from_key(key).address.lower() for key in PRIVATE_KEYS] == list(ADDRESSES)
