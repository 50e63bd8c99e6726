"""Keys, messages and transactions equal the published vectors, byte for byte.

The file of all vectors lies beside the checkout on the project's own machines; the sheet's first one is repeated here.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey
from latentspeed_dydx_v4 import encode, identifiers, tx
from latentspeed_dydx_v4.auth import DydxV4Auth, signature
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.constants import CANCEL_ORDER, PLACE_ORDER
from latentspeed_dydx_v4.markets import DydxV4Market
from latentspeed_dydx_v4.wallet import address_of, private_key

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import CredentialError, OrderRefused
from latentspeed_cli.keys import Secret

FILE = Path(__file__).parents[4] / "shared" / "protocols" / "dydx_v4_vectors.json"
OFFICIAL_3_KEY = "0a7ff605269ed00853a425beda719da038a11792f6dddf31c087b2988b4dc8fe"
OFFICIAL_3 = "dydx1wldnytkerzs39rs28djn0p9vvqer2x2k5x8hjy"
V1_HASH = "18BC77B15B5D5B7844BB914366DE2179711310551C18C9B6C409CE679B41A127"
V2_HASH = "DDAEE2ADF6C19717C30D8931553A75C2932AF9D5B56CDEAE69823D597157956A"
V4_HASH = "A76E8105A1C8D4AC02C56297FB2BE37AD024056C796254D6483130E353D7EDA0"


def market(pair: str) -> DydxV4Market:
    """The figures of the sheet's section 6."""
    number, resolution = {"BTC-USD": (0, -10), "ETH-USD": (1, -9)}[pair]
    return DydxV4Market(
        trading_pair=pair,
        symbol=pair,
        asset_id=number,
        size_decimals=4,
        atomic_resolution=resolution,
        quantum_conversion_exponent=-9,
        step_base_quantums=1_000_000,
        subticks_per_tick=100_000,
        initial_margin_fraction=Decimal("0.05"),
    )


def order(pair: str, amount: str, price: str, client_id: int, **more: Any) -> InFlightOrder:
    fields: dict[str, Any] = {
        "client_order_id": "x",
        "venue_client_id": identifiers.venue_client_id(client_id, 0),
        "venue": "dydx_v4",
        "network": "testnet",
        "account": OFFICIAL_3,
        "trading_pair": pair,
        "side": TradeType.BUY,
        "order_type": OrderType.LIMIT,
        "amount": Decimal(amount),
        "price": Decimal(price),
        "created_ts_ns": 0,
        "facts": Facts(),
    }
    return InFlightOrder(**{**fields, **more})


def auth(network: str) -> DydxV4Auth:
    return DydxV4Auth(DydxV4Config(network=network, key=Secret(OFFICIAL_3_KEY)))


OWNER = encode.subaccount(OFFICIAL_3, 0)
SHORT_TERM = order("BTC-USD", "0.01", "50000", 123456789, good_til_block=12345678)
LONG_TERM = order(
    "ETH-USD", "1.5", "3000.1", 42, side=TradeType.SELL, post_only=True, good_til_ts_ns=1767225600 * NS_PER_S
)


def test_a_short_term_order_is_v1() -> None:
    message = encode.place_order(SHORT_TERM, market("BTC-USD"), OWNER)
    raw = auth("testnet").sign(PLACE_ORDER, message, account_number=4567, sequence=89)
    assert tx.tx_hash(raw) == V1_HASH


def test_a_long_term_order_and_its_cancel_are_v2_and_v4() -> None:
    signer, eth = auth("mainnet"), market("ETH-USD")
    placed = signer.sign(PLACE_ORDER, encode.place_order(LONG_TERM, eth, OWNER), account_number=12, sequence=0)
    assert tx.tx_hash(placed) == V2_HASH
    cancel = encode.cancel_order(
        OWNER, encode.id_of(LONG_TERM, eth), good_til_block=None, good_til_ts_ns=LONG_TERM.good_til_ts_ns
    )
    cancelled = signer.sign(CANCEL_ORDER, cancel, account_number=12, sequence=1)
    assert tx.tx_hash(cancelled) == V4_HASH


@pytest.mark.parametrize(
    ("pair", "amount", "quantums"), [("BTC-USD", "0.01", 100_000_000), ("BTC-USD", "0.0003", 3_000_000)]
)
def test_amounts_are_exact(pair: str, amount: str, quantums: int) -> None:
    assert encode.quantums(Decimal(amount), market(pair)) == quantums


@pytest.mark.parametrize(
    "amount",
    [
        "0.00015",
        "0.00001",
        "0",
        "-0.01",
        "NaN",
        "Infinity",
        "1E+999999",
        "1E-999999",
        f"0.01{'0' * 130}1",
        "1E10",
    ],
)
def test_an_amount_off_the_grid_is_refused_and_never_rounded(amount: str) -> None:
    with pytest.raises(OrderRefused):
        encode.quantums(Decimal(amount), market("BTC-USD"))


def test_a_price_off_the_grid_is_refused_and_never_rounded() -> None:
    assert encode.subticks(Decimal("3000.1"), market("ETH-USD")) == 3_000_100_000
    with pytest.raises(OrderRefused):
        encode.subticks(Decimal("3103.06"), market("ETH-USD"))


def test_only_what_trades_may_be_signed() -> None:
    with pytest.raises(OrderRefused):
        auth("testnet").sign("/dydxprotocol.sending.MsgCreateTransfer", b"", account_number=1, sequence=1)


@pytest.mark.parametrize("text", ["", "00" * 32, "ff" * 32, "abandon " * 12, "zz" * 32])
def test_what_is_no_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(CredentialError) as refused:
        private_key(Secret(text))
    assert not text.strip() or text.strip() not in str(refused.value)


def test_a_signer_shows_no_key() -> None:
    assert OFFICIAL_3_KEY not in repr(auth("testnet"))


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    if not FILE.exists():
        pytest.skip("the shared vectors are not on this machine")
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


@pytest.mark.recordings
def test_keys(published: dict[str, Any]) -> None:
    assert len(published["keys"]) == 7
    for named in published["keys"].values():
        for text in (named["mnemonic"], named["private_key"]):
            key = private_key(Secret(text))
            assert key.to_hex() == named["private_key"]
            assert key.public_key.format().hex() == named["public_key"]
            assert address_of(key.public_key.format()) == named["address"]


@pytest.mark.recordings
def test_transactions(published: dict[str, Any]) -> None:
    assert len(published["vectors"]) == 11
    for vector in published["vectors"]:
        key = PrivateKey(bytes.fromhex(published["keys"][vector["signer"]]["private_key"]))
        messages = [
            (url, bytes.fromhex(text)) for url, text in zip(vector["msg_type_urls"], vector["msg_hex"], strict=True)
        ]
        body = tx.body(
            messages,
            memo=vector["memo"],
            timeout_height=vector["timeout_height"],
            authenticators=tuple(vector["selected_authenticators"] or ()),
        )
        assert body.hex() == vector["tx_body_hex"], vector["name"]
        coins = [(coin["denom"], coin["amount"]) for coin in vector["fee"]]
        signer = tx.signer_of(key.public_key.format())
        info = tx.auth_info(signer, vector["sequence"], fee=tx.fee_of(vector["gas_limit"], coins))
        assert info.hex() == vector["auth_info_hex"], vector["name"]
        content = tx.content(body, info)
        document = content + tx.domain(vector["chain_id"], vector["account_number"])
        assert document.hex() == vector["sign_doc_hex"], vector["name"]
        assert hashlib.sha256(document).hexdigest() == vector["sign_doc_sha256"]
        signed = signature(key, document)
        assert signed.hex() == vector["signature_hex"], vector["name"]
        raw = content + tx.signatures(signed)
        assert raw.hex() == vector["tx_raw_hex"], vector["name"]
        assert tx.tx_hash(raw) == vector["tx_hash"]


def test_a_client_id_does_not_change_with_anything_but_its_order() -> None:
    first = encode.client_numbers("a", network="sandbox", account=OFFICIAL_3)
    assert first == encode.client_numbers("a", network="sandbox", account=OFFICIAL_3.upper())
    assert first != encode.client_numbers("a", network="testnet", account=OFFICIAL_3)
    probed = encode.client_numbers("a", network="sandbox", account=OFFICIAL_3, probe=1)
    assert probed == ((first[0] + 1) % 2**32, first[1])
    other = msgspec.structs.replace(SHORT_TERM, venue_client_id=identifiers.venue_client_id(*probed))
    assert encode.id_of(other, market("BTC-USD")).client_id == probed[0]
