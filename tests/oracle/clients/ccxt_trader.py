"""A trader who uses ccxt's hyperliquid in its sandbox mode, with the URLs pointed at another host.

Runs in the peers' environment: `ccxt_trader.py BASE_URL ADDRESS PRIVATE_KEY`. What ccxt returned, or the text of what
it raised, goes to stdout as one JSON object by step; test_ccxt.py judges it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import ccxt

SYMBOL = "ETH/USDC:USDC"

said: dict[str, Any] = {}


def step(name: str, call: Callable[[], Any]) -> Any:
    """Keep what `call` returns, or what it raises, under `name`."""
    try:
        said[name] = call()
    except ccxt.BaseError as error:
        said[name] = {"raised": type(error).__name__, "text": str(error)}
    return said[name]


def main(base_url: str, address: str, private_key: str) -> None:
    exchange = ccxt.hyperliquid({"walletAddress": address, "privateKey": private_key, "enableRateLimit": False})
    exchange.set_sandbox_mode(True)
    exchange.urls["api"] = {"public": base_url, "private": base_url}

    markets = exchange.load_markets()
    said["market"] = {
        name: markets[SYMBOL][name] for name in ("base", "quote", "swap", "precision", "limits", "baseId")
    }
    step("book", lambda: exchange.fetch_order_book(SYMBOL))
    step("ticker", lambda: exchange.fetch_ticker(SYMBOL))
    step("candles", lambda: exchange.fetch_ohlcv(SYMBOL, "1m", limit=5))
    step("funding", lambda: exchange.fetch_funding_rates([SYMBOL]))
    step("balance", exchange.fetch_balance)
    low = exchange.price_to_precision(SYMBOL, said["book"]["bids"][0][0] * 0.7)

    step("leverage", lambda: exchange.set_leverage(5, SYMBOL, {"marginMode": "cross"}))
    placed = step("placed", lambda: exchange.create_order(SYMBOL, "limit", "buy", 0.1, low, {"postOnly": True}))
    step("builder fee taken", lambda: exchange.options["builderFee"])
    step("open orders", lambda: exchange.fetch_open_orders(SYMBOL))
    step("found", lambda: exchange.fetch_order(placed["id"], SYMBOL))
    edited = step("edited", lambda: exchange.edit_order(placed["id"], SYMBOL, "limit", "buy", 0.2, low))
    step("cancelled", lambda: exchange.cancel_order(edited["id"], SYMBOL))
    step("found cancelled", lambda: exchange.fetch_order(edited["id"], SYMBOL))
    step("cancelled again", lambda: exchange.cancel_order(edited["id"], SYMBOL))

    cloid = "0x000000000000000000000000000000c1"
    step("named", lambda: exchange.create_order(SYMBOL, "limit", "buy", 0.1, low, {"clientOrderId": cloid}))
    step("named: cancelled", lambda: exchange.cancel_order("", SYMBOL, {"clientOrderId": cloid}))

    ask = said["book"]["asks"][0][0]
    bought = step("bought", lambda: exchange.create_order(SYMBOL, "market", "buy", 0.05, ask))
    step("bought: found", lambda: exchange.fetch_order(bought["id"], SYMBOL))
    step("positions", lambda: exchange.fetch_positions([SYMBOL]))
    step("my trades", lambda: exchange.fetch_my_trades(SYMBOL))
    step("sold", lambda: exchange.create_order(SYMBOL, "market", "sell", 0.05, ask, {"reduceOnly": True}))
    step("flat", lambda: exchange.fetch_positions([SYMBOL]))
    step("refused", lambda: exchange.create_order(SYMBOL, "limit", "buy", 0.001, low))
    step("nothing rests", lambda: exchange.fetch_open_orders(SYMBOL))


if __name__ == "__main__":
    main(*sys.argv[1:4])
    json.dump(said, sys.stdout)
