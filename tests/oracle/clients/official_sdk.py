"""A trader who uses hyperliquid-python-sdk as it is published, and points it at another base URL. Nothing else differs.

Runs in the peers' environment: `official_sdk.py BASE_URL PRIVATE_KEY OTHER_PRIVATE_KEY`. Everything the SDK returned,
or the text of what it raised, goes to stdout as one JSON object by step; test_official_sdk.py judges it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import eth_account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.signing import get_timestamp_ms
from hyperliquid.utils.types import Cloid

GTC, ALO, IOC = ({"limit": {"tif": tif}} for tif in ("Gtc", "Alo", "Ioc"))
COIN = "ETH"
# A market with room between its best bid and its best ask.
MEETING_COIN, MEETING_TICK = "ARB", 0.00001
CLOID = Cloid.from_str("0x000000000000000000000000000000a1")
CLOID_2 = Cloid.from_str("0x000000000000000000000000000000a2")
SUBSCRIPTIONS: tuple[dict[str, str], ...] = (
    {"type": "allMids"},
    {"type": "l2Book", "coin": COIN},
    {"type": "trades", "coin": COIN},
    {"type": "bbo", "coin": COIN},
    {"type": "activeAssetCtx", "coin": COIN},
    {"type": "candle", "coin": COIN, "interval": "1m"},
)
PRIVATE_SUBSCRIPTIONS = ("orderUpdates", "userFills", "userEvents")

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


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def main(base_url: str, private_key: str, other_private_key: str) -> None:
    wallet = eth_account.Account.from_key(private_key)
    other_wallet = eth_account.Account.from_key(other_private_key)
    user, other = wallet.address, other_wallet.address
    info = Info(base_url)
    exchange = Exchange(wallet, base_url)
    heard: dict[str, list[Any]] = defaultdict(list)
    for subscription in SUBSCRIPTIONS:
        info.subscribe(subscription, heard[subscription["type"]].append)
    for kind in PRIVATE_SUBSCRIPTIONS:
        info.subscribe({"type": kind, "user": user}, heard[kind].append)
    said["public streams in time"] = wait_for(lambda: all(heard[item["type"]] for item in SUBSCRIPTIONS))

    read_markets(info)
    mid = float(info.all_mids()[COIN])
    low = float(f"{mid * 0.7:.4g}")
    rest_and_modify(info, exchange, user, low)
    fill_and_close(info, exchange, user)
    trade_with_each_other(info, exchange, Exchange(other_wallet, base_url), user, other)
    be_refused(info, exchange, user, base_url, mid, low)
    use_an_agent(info, exchange, user, base_url, low)
    move_money(info, exchange, user, other)

    said["private streams in time"] = wait_for(lambda: all(heard[kind] for kind in PRIVATE_SUBSCRIPTIONS))
    said["order update statuses"] = [
        [update["order"]["oid"], update["status"]] for message in heard["orderUpdates"] for update in message["data"]
    ]
    said["streamed fills"] = sorted(
        {fill["tid"] for message in heard["userFills"] for fill in message["data"]["fills"]}
    )
    said["first of each stream"] = {kind: messages[0] for kind, messages in heard.items() if messages}
    step("all fills", lambda: info.user_fills(user))


def read_markets(info: Info) -> None:
    now = get_timestamp_ms()
    step("meta", info.meta)
    step("meta and contexts", info.meta_and_asset_ctxs)
    step("spot meta", info.spot_meta)
    step("mids", info.all_mids)
    step("book", lambda: info.l2_snapshot(COIN))
    step("candles", lambda: info.candles_snapshot(COIN, "1m", now - 600_000, now))


def rest_and_modify(info: Info, exchange: Exchange, user: str, low: float) -> None:
    """A resting order, found by every query, modified by both of its names and cancelled by both."""
    resting = step("resting", lambda: exchange.order(COIN, True, 0.2, low, GTC))
    oid = oid_of(resting)
    step("resting: open orders", lambda: info.open_orders(user))
    step("resting: frontend open orders", lambda: info.frontend_open_orders(user))
    step("resting: by oid", lambda: info.query_order_by_oid(user, oid))
    modified = step("modified", lambda: exchange.modify_order(oid, COIN, True, 0.1, low + 1, GTC))
    said["modified: before"] = info.query_order_by_oid(user, oid)
    new_oid = oid_of(modified)
    said["modified: after"] = info.query_order_by_oid(user, new_oid)

    step("named", lambda: exchange.order(COIN, True, 0.1, low, ALO, cloid=CLOID))
    step("named: by cloid", lambda: info.query_order_by_cloid(user, CLOID))
    both = step(
        "modified in bulk",
        lambda: exchange.bulk_modify_orders_new(
            [
                {
                    "oid": target,
                    "order": {
                        "coin": COIN,
                        "is_buy": True,
                        "sz": 0.3,
                        "limit_px": low + 2,
                        "order_type": GTC,
                        "reduce_only": False,
                        "cloid": cloid,
                    },
                }
                for target, cloid in ((new_oid, CLOID_2), (CLOID, CLOID))
            ]
        ),
    )
    step("cancelled", lambda: exchange.cancel(COIN, oid_of(both, 0)))
    step("cancelled by cloid", lambda: exchange.cancel_by_cloid(COIN, CLOID))
    step("cancelled again", lambda: exchange.cancel(COIN, oid_of(both, 0)))
    said["cancelled: by oid"] = info.query_order_by_oid(user, oid_of(both, 0))
    said["cancelled: by cloid"] = info.query_order_by_cloid(user, CLOID)
    step("unknown order", lambda: info.query_order_by_oid(user, 1))

    request = {"coin": COIN, "is_buy": True, "sz": 0.1, "limit_px": low, "order_type": GTC, "reduce_only": False}
    many = step("two at once", lambda: exchange.bulk_orders([{**request}, {**request, "limit_px": low - 1}]))
    step(
        "two cancelled at once",
        lambda: exchange.bulk_cancel([{"coin": COIN, "oid": oid_of(many, index)} for index in (0, 1)]),
    )
    step("nothing rests", lambda: info.open_orders(user))


def fill_and_close(info: Info, exchange: Exchange, user: str) -> None:
    """A position opened and closed at the market, with the leverage set before."""
    step("leverage", lambda: exchange.update_leverage(7, COIN))
    step("flat", lambda: info.user_state(user))
    opened = step("opened", lambda: exchange.market_open(COIN, True, 3.0))
    step("long", lambda: info.user_state(user))
    step("opened: status", lambda: info.query_order_by_oid(user, oid_of(opened)))
    step("opened: fills", lambda: info.user_fills(user))
    step("opened: fills by time", lambda: info.user_fills_by_time(user, get_timestamp_ms() - 60_000))
    mark = float(info.all_mids()[COIN])
    trigger = float(f"{mark * 0.5:.4g}")
    order_type = {"trigger": {"isMarket": True, "triggerPx": trigger, "tpsl": "sl"}}
    stop = step("stop", lambda: exchange.order(COIN, False, 3.0, trigger, order_type, reduce_only=True))
    step("stop: frontend open orders", lambda: info.frontend_open_orders(user))
    step("stop: cancelled", lambda: exchange.cancel(COIN, oid_of(stop)))
    step("closed", lambda: exchange.market_close(COIN))
    step("flat again", lambda: info.user_state(user))


def trade_with_each_other(info: Info, exchange: Exchange, other_exchange: Exchange, user: str, other: str) -> None:
    """Two strangers meet inside the spread. The market moves meanwhile: being the best bid may take a few attempts."""
    for _ in range(20):
        (bid, *_), (ask, *_) = info.l2_snapshot(MEETING_COIN)["levels"]
        price = round(float(bid["px"]) + MEETING_TICK, 5)
        if price < float(ask["px"]) and meet(info, exchange, other_exchange, user, other, price):
            said["met at"] = price
            return
        time.sleep(0.2)


def meet(info: Info, exchange: Exchange, other_exchange: Exchange, user: str, other: str, price: float) -> bool:
    """The maker is filled in part at its own price, and cancels the rest. False: they did not meet."""
    maker = step("maker", lambda: exchange.order(MEETING_COIN, True, 500, price, ALO))
    if "resting" not in maker["response"]["data"]["statuses"][0]:
        return False
    oid = oid_of(maker)
    step("taker", lambda: other_exchange.order(MEETING_COIN, False, 200, price, IOC))
    step("maker: status", lambda: info.query_order_by_oid(user, oid))
    step("maker: cancelled", lambda: exchange.cancel(MEETING_COIN, oid))
    step("maker: status at the end", lambda: info.query_order_by_oid(user, oid))
    fills = step("maker: fills", lambda: [fill for fill in info.user_fills(user) if fill["oid"] == oid])
    step("taker: fills", lambda: [fill for fill in info.user_fills(other) if fill["coin"] == MEETING_COIN])
    step("maker: closed", lambda: exchange.market_close(MEETING_COIN))
    step("taker: closed", lambda: other_exchange.market_close(MEETING_COIN))
    return [fill["sz"] for fill in fills] == ["200.0"]


def be_refused(info: Info, exchange: Exchange, user: str, base_url: str, mid: float, low: float) -> None:
    """What the venue says no to, in the venue's words."""
    step("refused: too small", lambda: exchange.order(COIN, True, 0.0001, low, GTC))
    step("refused: tick", lambda: exchange.order(COIN, True, 0.1, int(low) + 0.123, GTC))
    step("refused: crossing post-only", lambda: exchange.order(COIN, True, 0.1, float(f"{mid * 1.05:.4g}"), ALO))
    step("refused: empty IOC", lambda: exchange.order(COIN, True, 0.1, low, IOC))
    step("refused: reduce-only when flat", lambda: exchange.order(COIN, True, 0.1, low, GTC, reduce_only=True))
    step("refused: margin", lambda: exchange.order(COIN, True, 1_000.0, low, GTC))
    step("refused: dead man's switch", lambda: exchange.schedule_cancel(get_timestamp_ms() + 60_000))
    step("refused: leverage", lambda: exchange.update_leverage(1000, COIN))
    exchange.set_expires_after(get_timestamp_ms() - 1_000)
    step("refused: expired", lambda: exchange.order(COIN, True, 0.1, low, GTC))
    exchange.set_expires_after(get_timestamp_ms() + 60_000)
    step("expires later", lambda: exchange.order(COIN, True, 0.1, low, GTC, cloid=CLOID_2))
    exchange.set_expires_after(None)
    step("expires later: cancelled", lambda: exchange.cancel_by_cloid(COIN, CLOID_2))
    stranger = Exchange(eth_account.Account.create(), base_url)
    step("refused: stranger", lambda: stranger.order(COIN, True, 0.1, low, GTC))
    step("historical orders", lambda: info.historical_orders(user))


def use_an_agent(info: Info, exchange: Exchange, user: str, base_url: str, low: float) -> None:
    """A key that may trade for the account and nothing more."""
    approval = step("agent: approved", lambda: exchange.approve_agent("oracle"))
    said["agent: approved"] = approval[0] if isinstance(approval, tuple) else approval
    agent = eth_account.Account.from_key(approval[1])
    trader = Exchange(agent, base_url, account_address=user)
    order = step("agent: order", lambda: trader.order(COIN, True, 0.1, low, GTC))
    step("agent: open orders of the account", lambda: info.open_orders(user))
    step("agent: cancelled", lambda: trader.cancel(COIN, oid_of(order)))
    step("agent: role", lambda: info.user_role(agent.address))
    step("agent: listed", lambda: info.extra_agents(user))
    step("agent: may not send", lambda: trader.usd_transfer(1.0, user))


def move_money(info: Info, exchange: Exchange, user: str, other: str) -> None:
    before = float(info.user_state(other)["withdrawable"])
    step("sent", lambda: exchange.usd_transfer(12.5, other))
    said["sent: received"] = float(info.user_state(other)["withdrawable"]) - before
    step("account: role", lambda: info.user_role(user))
    step("account: fees", lambda: info.user_fees(user))
    step("account: rate limit", lambda: info.user_rate_limit(user))
    step("account: sub-accounts", lambda: info.query_sub_accounts(user))
    step("account: spot", lambda: info.spot_user_state(user))


if __name__ == "__main__":
    code = 0
    try:
        main(*sys.argv[1:4])
    except Exception:  # what a story that broke off had to say is wanted too
        traceback.print_exc()
        code = 1
    json.dump(said, sys.stdout)
    sys.stdout.flush()
    os._exit(code)  # the SDK's socket thread may need ten seconds to see that its socket was closed
