"""Times one thing: from an order to the signed bytes of its request. Prints {"ns": [...], "signature": {...}} as JSON.

`sign_order.py COUNT`. The order, key, nonce and expiry of number 0 are those of sdk_sign_order.py, so both signatures
must be equal.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from time import perf_counter_ns

import msgspec
from latentspeed_hyperliquid import encode
from latentspeed_hyperliquid.auth import HyperliquidAuth
from latentspeed_hyperliquid.config import HyperliquidConfig

from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.symbols import Market
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.keys import Secret

# Key K1 of the published vectors; it holds nothing.
KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
FIRST_NONCE = 1_700_000_000_000
WARM_UP = 200


def main(count: int) -> None:
    auth = HyperliquidAuth(HyperliquidConfig(network="testnet", key=Secret(KEY)))
    market = Market(trading_pair="ETH-USD", symbol="ETH", asset_id=4, size_decimals=4)
    first = InFlightOrder(
        client_order_id=f"{1:032x}",
        venue_client_id=f"0x{1:032x}",
        venue="hyperliquid",
        network="testnet",
        account=auth.account,
        trading_pair=market.trading_pair,
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=Decimal("0.0147"),
        price=Decimal("1670.1"),
        created_ts_ns=0,
        attempt=1,
        nonce=FIRST_NONCE,
        expires_after_ms=FIRST_NONCE + 15_000,
        facts=Facts(),
    )
    taken = []
    signature = None
    for number in range(-WARM_UP, count):
        order = first
        if number:
            order = msgspec.structs.replace(
                first,
                venue_client_id=f"0x{number & 0xFFFF:032x}",
                nonce=FIRST_NONCE + number,
                expires_after_ms=FIRST_NONCE + number + 15_000,
            )
        before = perf_counter_ns()
        body = auth.sign(encode.place_action(order, market), order.nonce or 0, expires_after=order.expires_after_ms)
        after = perf_counter_ns()
        if number >= 0:
            taken.append(after - before)
        if number == 0:
            signature = json.loads(body)["signature"]
    json.dump({"ns": taken, "signature": signature}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
