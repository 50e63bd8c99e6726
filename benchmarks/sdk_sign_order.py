"""The same as sign_order.py with hyperliquid-python-sdk: what Exchange.order does between its arguments and the socket.

`sdk_sign_order.py COUNT`, in a peers' environment; whether coincurve is installed there makes the difference.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter_ns

import eth_account
from hyperliquid.utils.signing import order_request_to_order_wire, order_wires_to_order_action, sign_l1_action
from hyperliquid.utils.types import Cloid

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
FIRST_NONCE = 1_700_000_000_000


def main(count: int) -> None:
    wallet = eth_account.Account.from_key(KEY)
    taken = []
    signature = None
    for number in range(-min(count, 200), count):
        request = {
            "coin": "ETH",
            "is_buy": True,
            "sz": 0.0147,
            "limit_px": 1670.1,
            "order_type": {"limit": {"tif": "Gtc"}},
            "reduce_only": False,
            "cloid": Cloid.from_int(number & 0xFFFF if number else 1),
        }
        nonce = FIRST_NONCE + number
        before = perf_counter_ns()
        action = order_wires_to_order_action([order_request_to_order_wire(request, 4)], None, "na")
        signed = sign_l1_action(wallet, action, None, nonce, nonce + 15_000, False)
        payload = {
            "action": action,
            "nonce": nonce,
            "signature": signed,
            "vaultAddress": None,
            "expiresAfter": nonce + 15_000,
        }
        json.dumps(payload, separators=(",", ":"), allow_nan=False).encode()  # what requests does with json=
        after = perf_counter_ns()
        if number >= 0:
            taken.append(after - before)
        if number == 0:
            signature = signed
    json.dump({"ns": taken, "signature": signature}, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
