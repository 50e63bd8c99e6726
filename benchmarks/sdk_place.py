"""A minimal script that does what `latentspeed place` does, with hyperliquid-python-sdk: one post-only order.

`sdk_place.py BASE_URL PRIVATE_KEY SIDE COIN SIZE OFFSET_PERCENT`, in the peers' environment. It prices the order by the
middle of the book, names it by a client order id, places it, and ends when the venue has said that it rests: the same
evidence that `latentspeed place --wait ack` waits for.
"""

import json
import secrets
import sys

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.utils.types import Cloid


def main(base_url: str, private_key: str, side: str, coin: str, size: str, offset_percent: str) -> None:
    exchange = Exchange(eth_account.Account.from_key(private_key), base_url)
    (bid, *_), (ask, *_) = exchange.info.l2_snapshot(coin)["levels"]
    middle = (float(bid["px"]) + float(ask["px"])) / 2
    price = float(f"{middle * (1 + float(offset_percent) / 100):.5g}")
    cloid = Cloid.from_str("0x" + secrets.token_hex(16))
    reply = exchange.order(coin, side == "buy", float(size), price, {"limit": {"tif": "Alo"}}, cloid=cloid)
    (status,) = reply["response"]["data"]["statuses"]
    oid = status["resting"]["oid"]
    print(json.dumps({"state": "OPEN", "exchange_order_id": oid, "client_order_id": cloid.to_raw(), "price": price}))


if __name__ == "__main__":
    main(*sys.argv[1:7])
