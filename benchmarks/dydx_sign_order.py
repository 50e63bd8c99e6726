"""Times one thing: from a dYdX order to the bytes of its signed transaction. Prints {"ns": [...], "tx": hex} as JSON.

`dydx_sign_order.py COUNT`. Order, key, account number and sequence of number 0 are those of client_sign_order.py, so
both transactions must be equal.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from time import perf_counter_ns

import msgspec
from latentspeed_dydx_v4 import encode, identifiers
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.constants import PLACE_ORDER
from latentspeed_dydx_v4.markets import DydxV4Market
from latentspeed_dydx_v4.sandbox.accounts import PRIVATE_KEYS

from latentspeed_cli.clock import NS_PER_S
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.keys import Secret

ACCOUNT_NUMBER = 12
FIRST_SEQUENCE = 1_700_000_000_000
GOOD_TIL_S = 1_767_225_600
METADATA = 2  # the client puts it into every order
WARM_UP = 200
MARKET = DydxV4Market(
    trading_pair="ETH-USD",
    symbol="ETH-USD",
    asset_id=1,
    size_decimals=3,
    atomic_resolution=-9,
    quantum_conversion_exponent=-9,
    step_base_quantums=1_000_000,
    subticks_per_tick=100_000,
    initial_margin_fraction=Decimal("0.02"),
)


def main(count: int) -> None:
    auth = DydxV4Auth(DydxV4Config(network="sandbox", key=Secret(PRIVATE_KEYS[0])))
    first = InFlightOrder(
        client_order_id="x",
        venue_client_id=identifiers.venue_client_id(1, METADATA),
        venue="dydx_v4",
        network="sandbox",
        account=auth.account,
        trading_pair=MARKET.trading_pair,
        side=TradeType.SELL,
        order_type=OrderType.LIMIT,
        amount=Decimal("1.5"),
        price=Decimal("3000.1"),
        created_ts_ns=0,
        post_only=True,
        good_til_ts_ns=GOOD_TIL_S * NS_PER_S,
        nonce=FIRST_SEQUENCE,
        facts=Facts(),
    )
    taken = []
    tx = ""
    for number in range(-WARM_UP, count):
        order = first
        if number:
            client_id = identifiers.venue_client_id(number & 0xFFFF, METADATA)
            order = msgspec.structs.replace(first, venue_client_id=client_id, nonce=FIRST_SEQUENCE + number)
        before = perf_counter_ns()
        message = encode.place_order(order, MARKET, encode.subaccount(auth.owner, 0))
        raw = auth.sign(PLACE_ORDER, message, account_number=ACCOUNT_NUMBER, sequence=order.nonce or 0)
        after = perf_counter_ns()
        if number >= 0:
            taken.append(after - before)
        if number == 0:
            tx = raw.hex()
    json.dump({"ns": taken, "tx": tx}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
