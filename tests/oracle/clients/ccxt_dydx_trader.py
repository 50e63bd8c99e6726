"""A trader who uses ccxt's dydx, with the URLs pointed at another host and the name of the chain that is there.

Runs in the peers' environment: `ccxt_dydx_trader.py BASE_URL ADDRESS PRIVATE_KEY`. What ccxt returned, or the text of
what it raised, goes to stdout as one JSON object by step; test_ccxt_dydx.py judges it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
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


def until(name: str, call: Callable[[], Any], wanted: Callable[[Any], bool], timeout_s: float = 10.0) -> None:
    """Ask again until the answer is as wanted; the last answer is kept."""
    deadline = time.monotonic() + timeout_s
    while not _is(step(name, call), wanted) and time.monotonic() < deadline:
        time.sleep(0.1)


def _is(answer: Any, wanted: Callable[[Any], bool]) -> bool:
    return not (isinstance(answer, dict) and "raised" in answer) and wanted(answer)


def main(base_url: str, address: str, private_key: str) -> None:
    exchange = ccxt.dydx(
        {
            "walletAddress": address,
            "enableRateLimit": False,
            "options": {"privateKey": private_key, "chainName": "localdydxprotocol"},
        }
    )
    exchange.urls["api"] = {"indexer": f"{base_url}/v4", "nodeRpc": base_url, "nodeRest": base_url}
    # Its reckoning of quantums expects numbers as text, which its JSON reader does not give.
    exchange.on_json_response = partial(json.loads, parse_int=str, parse_float=str)

    markets = exchange.load_markets()
    said["market"] = {name: markets[SYMBOL][name] for name in ("base", "quote", "swap", "precision", "id")}
    step("time", exchange.fetch_time)
    step("book", lambda: exchange.fetch_order_book(SYMBOL))
    step("trades", lambda: exchange.fetch_trades(SYMBOL, limit=5))
    step("candles", lambda: exchange.fetch_ohlcv(SYMBOL, "1m", limit=5))
    step("funding", lambda: exchange.fetch_funding_rate_history(SYMBOL, limit=3))
    step("height", exchange.fetch_latest_block_height)
    step("balance", exchange.fetch_balance)
    bid = said["book"]["bids"][0][0]
    low = float(exchange.price_to_precision(SYMBOL, bid * 0.8))

    placed = step("placed", lambda: exchange.create_order(SYMBOL, "limit", "buy", 0.1, low, {"postOnly": True}))
    until("found", lambda: exchange.fetch_order(placed["id"], SYMBOL), lambda order: order["status"] == "open")
    step("open orders", lambda: exchange.fetch_open_orders(SYMBOL))
    step("cancelled", lambda: exchange.cancel_order(str(placed["clientOrderId"]), SYMBOL, {"orderFlags": 64}))
    until(
        "found cancelled", lambda: exchange.fetch_order(placed["id"], SYMBOL), lambda order: order["status"] != "open"
    )
    step("cancelled again", lambda: exchange.cancel_order(str(placed["clientOrderId"]), SYMBOL, {"orderFlags": 64}))

    bought = step("bought", lambda: exchange.create_order(SYMBOL, "market", "buy", 0.05, bid * 1.05))
    until("bought: found", lambda: exchange.fetch_order(bought["id"], SYMBOL), lambda order: order["filled"] == 0.05)
    step("positions", lambda: exchange.fetch_positions([SYMBOL]))
    sold = step("sold", lambda: exchange.create_order(SYMBOL, "market", "sell", 0.05, bid * 0.95, {"reduceOnly": True}))
    until("sold: found", lambda: exchange.fetch_order(sold["id"], SYMBOL), lambda order: order["filled"] == 0.05)
    step("flat", lambda: exchange.fetch_positions([SYMBOL]))
    step("refused", lambda: exchange.create_order(SYMBOL, "limit", "buy", 10**6, bid * 1.05))


if __name__ == "__main__":
    main(*sys.argv[1:4])
    json.dump(said, sys.stdout)
