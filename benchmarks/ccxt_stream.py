"""The records of `latentspeed stream book`, with ccxt.pro.

`ccxt_stream.py BASE_URL SECONDS COIN...`, in the peers' environment.
"""

import asyncio
import json
import os
import sys
import threading

import ccxt.pro


async def main(base_url: str, seconds: float, coins: list[str]) -> None:
    exchange = ccxt.pro.hyperliquid({"sandboxMode": True, "newUpdates": True})
    exchange.urls["api"] = {
        "public": base_url,
        "private": base_url,
        "ws": {"public": base_url.replace("http", "ws") + "/ws"},
    }
    exchange.urls["test"] = exchange.urls["api"]
    await exchange.load_markets()
    threading.Timer(seconds, os._exit, (0,)).start()  # under a flood its loop reaches no timer
    seq = 0

    async def follow(symbol: str) -> None:
        nonlocal seq
        while True:
            book = await exchange.watch_order_book(symbol)
            seq += 1
            bids, asks = (
                [{"price": str(price), "amount": str(amount), "orders": None} for price, amount in book[side]]
                for side in ("bids", "asks")
            )
            record = {
                "schema": "book",
                "schema_version": 1,
                "venue": "hyperliquid",
                "network": "sandbox",
                "trading_pair": f"{symbol.split('/')[0]}-USD",
                "bids": bids,
                "asks": asks,
                "ts_ns": book["timestamp"] * 1_000_000,
                "ts_iso": book["datetime"],
                "seq": seq,
            }
            print(json.dumps(record), flush=True)

    await asyncio.gather(*(follow(f"{coin}/USDC:USDC") for coin in coins))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
