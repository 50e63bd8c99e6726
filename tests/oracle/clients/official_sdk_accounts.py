"""What a trader with hyperliquid-python-sdk does beside plain orders: vaults, sub-accounts, margin, TP/SL, money.

Runs in the peers' environment: `official_sdk_accounts.py BASE_URL PRIVATE_KEY`. Everything the SDK returned, or the
text of what it raised, goes to stdout as one JSON object by step; test_official_sdk_accounts.py judges it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid

COIN = "ETH"
GTC = {"limit": {"tif": "Gtc"}}
# Neither exists at the venue.
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
BUILDER, OTHER_BUILDER = "0x" + "2" * 40, "0x" + "3" * 40
CLOIDS = (Cloid.from_int(0xB1), Cloid.from_int(0xB2))
HOUR_MS = 3_600_000

said: dict[str, Any] = {}


def step(name: str, call: Callable[[], Any]) -> Any:
    """Keep what `call` returns, or what it raises, under `name`."""
    try:
        said[name] = call()
    except Exception as error:  # the judge wants to see it, whatever it is
        said[name] = {"raised": type(error).__name__, "text": str(vars(error) or error)}
    return said[name]


def oid_of(reply: Any, index: int = 0) -> int:
    status = reply["response"]["data"]["statuses"][index]
    return int((status.get("resting") or status.get("filled"))["oid"])


def order(coin: str, is_buy: bool, size: float, price: float, order_type: Any = None, **more: Any) -> dict[str, Any]:
    plain = {"coin": coin, "is_buy": is_buy, "sz": size, "limit_px": price, "order_type": order_type or GTC}
    return {**plain, "reduce_only": False, **more}


def take_profit(coin: str, size: float, price: float) -> dict[str, Any]:
    trigger = {"trigger": {"isMarket": True, "triggerPx": price, "tpsl": "tp"}}
    return order(coin, False, size, price, trigger, reduce_only=True)


def figures(value: float) -> float:
    """A price the venue takes: four significant figures."""
    return float(f"{value:.4g}")


def main(base_url: str, private_key: str) -> None:
    wallet = eth_account.Account.from_key(private_key)
    user = wallet.address
    info, exchange = Info(base_url), Exchange(wallet, base_url)
    said["user"] = user.lower()
    mid = float(info.all_mids()[COIN])
    low = figures(mid * 0.7)
    heard: dict[str, list[Any]] = {"webData2": [], "userNonFundingLedgerUpdates": [], "activeAssetData": []}
    numbers = {
        kind: info.subscribe({"type": kind, "user": user, **({"coin": COIN} if kind == "activeAssetData" else {})}, add)
        for kind, add in ((kind, messages.append) for kind, messages in heard.items())
    }

    be_no_vault(Exchange(wallet, base_url, vault_address=VAULT), exchange, low)
    name_orders(exchange, low)
    hold_an_isolated_position(info, exchange, user)
    attach_exits(info, exchange, user, mid)
    pay_a_builder(info, exchange, user, low)
    move_money(info, exchange, user)
    keep_a_sub_account(info, exchange, user, base_url, wallet, low)

    step("rates of funding", lambda: info.funding_history(COIN, get_timestamp_ms() - 5 * HOUR_MS))
    step("portfolio", lambda: info.portfolio(user))
    step("referral", lambda: info.query_referral_state(user))
    deadline = time.monotonic() + 10
    while not all(heard.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    said["first of each stream"] = {kind: messages[:1] for kind, messages in heard.items()}
    said["ledger as streamed"] = [
        update["delta"]["type"]
        for message in heard["userNonFundingLedgerUpdates"]
        for update in message["data"]["nonFundingLedgerUpdates"]
    ]
    step("unsubscribed", lambda: info.unsubscribe({"type": "webData2", "user": user}, numbers["webData2"]))


def be_no_vault(vault: Exchange, exchange: Exchange, low: float) -> None:
    step("vault: order", lambda: vault.order(COIN, True, 0.1, low, GTC))
    step("vault: cancel", lambda: vault.cancel(COIN, 1))
    step("vault: leverage", lambda: vault.update_leverage(3, COIN))
    step("vault: deposit", lambda: exchange.vault_usd_transfer(VAULT, True, 5_000_000))


def name_orders(exchange: Exchange, low: float) -> None:
    named = [order(COIN, True, 0.1, low, cloid=cloid) for cloid in CLOIDS]
    step("named", lambda: exchange.bulk_orders(named))
    step("named: cancelled", lambda: exchange.bulk_cancel_by_cloid([{"coin": COIN, "cloid": c} for c in CLOIDS]))
    step("named: cancelled again", lambda: exchange.cancel_by_cloid(COIN, CLOIDS[0]))


def hold_an_isolated_position(info: Info, exchange: Exchange, user: str) -> None:
    step("isolated", lambda: exchange.update_leverage(5, COIN, is_cross=False))
    step("isolated: opened", lambda: exchange.market_open(COIN, True, 1.0))
    step("isolated: before", lambda: info.user_state(user))
    step("isolated: margin added", lambda: exchange.update_isolated_margin(50.0, COIN))
    step("isolated: after", lambda: info.user_state(user))
    step("isolated: not cross while it is open", lambda: exchange.update_leverage(5, COIN, is_cross=True))


def attach_exits(info: Info, exchange: Exchange, user: str, mid: float) -> None:
    """A take-profit of a position, one of an order that rests, and a position closed in two parts."""
    exit_order = take_profit(COIN, 1.0, figures(mid * 1.2))
    step("exit of the position", lambda: exchange.bulk_orders([exit_order], grouping="positionTpsl"))
    btc = float(info.all_mids()["BTC"])
    pair = [order("BTC", True, 0.01, figures(btc * 0.8)), take_profit("BTC", 0.01, figures(btc * 1.2))]
    parent = step("exit of an order", lambda: exchange.bulk_orders(pair, grouping="normalTpsl"))
    step("exits: open orders", lambda: info.frontend_open_orders(user))
    step("exits: parent cancelled", lambda: exchange.cancel("BTC", oid_of(parent)))
    step("exits: after the parent", lambda: info.frontend_open_orders(user))
    step("closed in part", lambda: exchange.market_close(COIN, 0.4))
    step("closed", lambda: exchange.market_close(COIN))
    step("flat", lambda: info.user_state(user))
    step("exits: after the position", lambda: info.frontend_open_orders(user))


def pay_a_builder(info: Info, exchange: Exchange, user: str, low: float) -> None:
    fee = {"b": BUILDER, "f": 10}
    step("builder: not approved", lambda: exchange.order(COIN, True, 0.1, low, GTC, builder={**fee}))
    step("builder: approved", lambda: exchange.approve_builder_fee(BUILDER, "0.05%"))
    step("builder: opened", lambda: exchange.market_open(COIN, True, 0.1, builder={**fee}))
    step("builder: fill", lambda: info.user_fills(user)[0])
    step("builder: another", lambda: exchange.order(COIN, True, 0.1, low, GTC, builder={"b": OTHER_BUILDER, "f": 10}))
    step("builder: closed", lambda: exchange.market_close(COIN))


def move_money(info: Info, exchange: Exchange, user: str) -> None:
    step("to spot", lambda: exchange.usd_class_transfer(100.0, False))
    step("to spot: balances", lambda: info.spot_user_state(user))
    step("from spot", lambda: exchange.usd_class_transfer(100.0, True))
    step("too much", lambda: exchange.usd_transfer(1e9, BUILDER))
    step("withdrawn", lambda: exchange.withdraw_from_bridge(5.0, user))
    step("ledger", lambda: info.user_non_funding_ledger_updates(user, get_timestamp_ms() - HOUR_MS))


def keep_a_sub_account(info: Info, exchange: Exchange, user: str, base_url: str, wallet: Any, low: float) -> None:
    """Refused before there is volume; then it trades by its address in `vault_address`."""
    step("sub-account: too early", lambda: exchange.create_sub_account("oracle"))
    for _ in range(2):
        exchange.market_open(COIN, True, 10.0)
        exchange.market_close(COIN)
    created = step("sub-account", lambda: exchange.create_sub_account("oracle"))
    address = created["response"]["data"]
    step("sub-account: funded", lambda: exchange.sub_account_transfer(address, True, 1_000_000_000))
    trader = Exchange(wallet, base_url, vault_address=address)
    resting = step("sub-account: order", lambda: trader.order(COIN, True, 0.1, low, GTC))
    step("sub-account: its open orders", lambda: info.open_orders(address))
    step("sub-account: master's open orders", lambda: info.open_orders(user))
    step("sub-account: cancelled", lambda: trader.cancel(COIN, oid_of(resting)))
    step("sub-account: role", lambda: info.user_role(address))
    step("sub-account: listed", lambda: info.query_sub_accounts(user))


if __name__ == "__main__":
    code = 0
    try:
        main(*sys.argv[1:3])
    except Exception:  # what a story that broke off had to say is wanted too
        traceback.print_exc()
        code = 1
    json.dump(said, sys.stdout)
    sys.stdout.flush()
    os._exit(code)  # the SDK's socket thread may need ten seconds to see that its socket was closed
