"""The records of `latentspeed stream book`, with hyperliquid-python-sdk.

`sdk_stream.py BASE_URL SECONDS COIN...`, in the peers' environment.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from hyperliquid.info import Info


def main(base_url: str, seconds: float, coins: list[str]) -> None:
    info = Info(base_url)
    seq = 0

    def show(message: dict[str, Any]) -> None:
        nonlocal seq
        seq += 1
        book = message["data"]
        at = datetime.fromtimestamp(book["time"] // 1000, UTC)
        bids, asks = (
            [{"price": level["px"], "amount": level["sz"], "orders": level["n"]} for level in side]
            for side in book["levels"]
        )
        record = {
            "schema": "book",
            "schema_version": 1,
            "venue": "hyperliquid",
            "network": "sandbox",
            "trading_pair": f"{book['coin']}-USD",
            "bids": bids,
            "asks": asks,
            "ts_ns": book["time"] * 1_000_000,
            "ts_iso": f"{at:%Y-%m-%dT%H:%M:%S}.{book['time'] % 1000:03d}000000Z",
            "seq": seq,
        }
        print(json.dumps(record), flush=True)

    for coin in coins:
        info.subscribe({"type": "l2Book", "coin": coin}, show)
    time.sleep(seconds)
    os._exit(0)  # its threads know no end


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
