"""A trader who uses dydx-v4-client as it is published, and points it at other endpoints. Nothing else differs.

Runs in the client's environment: `official_dydx.py REST_URL WS_URL NODE_URL ADDRESS MNEMONIC OTHER_ADDRESS
OTHER_MNEMONIC`. Everything the client returned, or the text of what it raised, goes to stdout as one JSON object by
step; test_official_dydx.py judges it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from dydx_v4_client import OrderFlags
from dydx_v4_client.indexer.candles_resolution import CandlesResolution
from dydx_v4_client.indexer.rest.constants import OrderExecution, OrderStatus, OrderType
from dydx_v4_client.indexer.rest.indexer_client import IndexerClient
from dydx_v4_client.indexer.socket.websocket import IndexerSocket
from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.network import make_local
from dydx_v4_client.node.authenticators import Authenticator, AuthenticatorType
from dydx_v4_client.node.builder import TxOptions
from dydx_v4_client.node.client import NodeClient
from dydx_v4_client.node.market import Market, since_now
from dydx_v4_client.node.message import order_id as order_id_of
from dydx_v4_client.node.message import subaccount
from dydx_v4_client.wallet import Wallet
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from v4_proto.dydxprotocol.clob.order_pb2 import Order, OrderId
from v4_proto.dydxprotocol.clob.tx_pb2 import OrderBatch

TICKER = "ETH-USD"
# A market with room between its best bid and its best offer, most of the time.
MEETING_TICKER = "LTC-USD"
GTT, IOC, POST_ONLY = (
    Order.TIME_IN_FORCE_UNSPECIFIED,
    Order.TIME_IN_FORCE_IOC,
    Order.TIME_IN_FORCE_POST_ONLY,
)
USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
CHANNELS = ("v4_orderbook", "v4_trades", "v4_markets", "v4_candles", "v4_subaccounts", "v4_block_height")

said: dict[str, Any] = {}


def plain(value: Any) -> Any:
    """A message as a JSON object with the field names of its definition, and unset fields left out."""
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True)
    return value


async def step(name: str, call: Awaitable[Any]) -> Any:
    """Keep what `call` returns, or what it raises, under `name`. What it returned comes back as it is."""
    try:
        answer = await call
        said[name] = plain(answer)
    except Exception as error:  # the judge wants to see it, whatever it is
        answer = None
        said[name] = {"raised": type(error).__name__, "text": str(error)}
    return answer


async def until(look: Callable[[], Awaitable[Any]], timeout_s: float = 10.0) -> bool:
    """Ask again and again until there is an answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if await look():
                return True
        except Exception:  # what is not there yet is an error of the client's
            pass
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)


class Listener:
    """The client's socket in a thread of its own; it blocks. heard: messages by channel, in order."""

    def __init__(self, url: str, address: str) -> None:
        self.heard: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._address = address
        self._socket = IndexerSocket(url, on_message=self._on_message)
        self._thread = threading.Thread(target=self._socket.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._socket.close()
        self._thread.join(5)

    def _on_message(self, socket: IndexerSocket, message: dict[str, Any]) -> None:
        if message["type"] == "connected":
            socket.order_book.subscribe(TICKER)
            socket.trades.subscribe(TICKER)
            socket.markets.subscribe()
            socket.candles.subscribe(TICKER, CandlesResolution.ONE_MINUTE)
            socket.subaccounts.subscribe(self._address, 0)
            # The client has no class for this channel.
            socket.send(json.dumps({"type": "subscribe", "channel": "v4_block_height"}))
        self.heard[message.get("channel", message["type"])].append(message)


class Trader:
    """One account with the client's node and indexer objects."""

    def __init__(self, node: NodeClient, indexer: IndexerClient, wallet: Wallet, market: Market) -> None:
        self.node, self.indexer, self.wallet, self.market = node, indexer, wallet, market
        self.address = wallet.address

    def order_id(self, client_id: int, flags: int) -> OrderId:
        return self.market.order_id(self.address, 0, client_id, flags)

    def order(self, order_id: OrderId, side: int, size: float, price: float, tif: int, **others: Any) -> Order:
        chosen: dict[str, Any] = {"reduce_only": False, "order_type": OrderType.LIMIT, **others}
        return self.market.order(order_id=order_id, side=side, size=size, price=price, time_in_force=tif, **chosen)

    async def short(self, client_id: int, side: int, size: float, price: float, tif: int = GTT) -> Order:
        height = await self.node.latest_block_height()
        order_id = self.order_id(client_id, OrderFlags.SHORT_TERM)
        return self.order(order_id, side, size, price, tif, good_til_block=height + 15)

    async def row(self, client_id: int) -> dict[str, Any] | None:
        """The indexer's row of an order."""
        rows = await self.indexer.account.get_subaccount_orders(self.address, 0)
        return next((row for row in rows if row["clientId"] == str(client_id)), None)

    async def has(self, client_id: int, *statuses: str) -> bool:
        row = await self.row(client_id)
        return row is not None and row["status"] in statuses


async def main(rest: str, ws: str, node_url: str, address: str, words: str, other: str, other_words: str) -> None:
    network = make_local(rest_indexer=rest, websocket_indexer=ws, node_url=node_url)
    node = await NodeClient.connect(network.node)
    indexer = IndexerClient(network.rest_indexer)
    listener = Listener(network.websocket_indexer, address)
    listener.start()
    wallet = await Wallet.from_mnemonic(node, words, address)
    markets = await indexer.markets.get_perpetual_markets(TICKER)
    market = Market(markets["markets"][TICKER])
    me = Trader(node, indexer, wallet, market)
    it = Trader(node, indexer, await Wallet.from_mnemonic(node, other_words, other), market)
    said["all channels spoke"] = await until(lambda: truth(all(listener.heard[name] for name in CHANNELS)))

    await read_markets(indexer)
    await ask_the_node(node, address)
    price = float(market.market["oraclePrice"])
    low = price * 0.8
    await short_term(me, low)
    await long_term(me, low)
    await conditional(me, price)
    await in_batch(me, low)
    await fill_and_close(me, price)
    await meet(me, it)
    me.market = it.market = market
    await be_refused(me, low)
    await use_an_api_key(me, low)
    await move_money(me, it)
    await read_accounts(me)

    said["channels at the end"] = {name: listener.heard[name][:60] for name in CHANNELS}
    said["errors of the socket"] = listener.heard["error"]
    listener.stop()


async def truth(value: bool) -> bool:
    return value


async def read_markets(indexer: IndexerClient) -> None:
    markets, utility = indexer.markets, indexer.utility
    await step("markets", markets.get_perpetual_markets())
    await step("book", markets.get_perpetual_market_orderbook(TICKER))
    await step("trades", markets.get_perpetual_market_trades(TICKER, limit=5))
    await step("candles", markets.get_perpetual_market_candles(TICKER, CandlesResolution.ONE_MINUTE.value, limit=10))
    await step("funding", markets.get_perpetual_market_historical_funding(TICKER, limit=3))
    await step("sparklines", markets.get_perpetual_market_sparklines())
    await step("time", utility.get_time())
    await step("height", utility.get_height())
    await step("screen", utility.compliance_screen("dydx1y8an57mylhme5qx8easytfcggnr9mw046tqxcl"))


async def ask_the_node(node: NodeClient, address: str) -> None:
    await step("node: account", node.get_account(address))
    await step("node: balances", node.get_account_balances(address))
    await step("node: balance", node.get_account_balance(address, USDC))
    await step("node: height", node.latest_block_height())
    await step("node: info", node.get_node_info())
    await step("node: subaccount", node.get_subaccount(address, 0))
    await step("node: subaccounts", node.get_subaccounts())
    await step("node: clob pair", node.get_clob_pair(1))
    await step("node: clob pairs", node.get_clob_pairs())
    await step("node: price", node.get_price(1))
    await step("node: prices", node.get_prices())
    await step("node: perpetual", node.get_perpetual(1))
    await step("node: perpetuals", node.get_perpetuals())
    await step("node: equity tiers", node.get_equity_tier_limit_config())
    await step("node: fee tiers", node.get_fee_tiers())
    await step("node: fee tier", node.get_user_fee_tier(address))
    await step("node: stats", node.get_user_stats(address))
    await step("node: authenticators", node.get_authenticators(address))
    await step("node: address", node.query_address(address))


async def short_term(me: Trader, low: float) -> None:
    order = await me.short(101, Order.SIDE_BUY, 0.1, low)
    await step("short: placed", me.node.place_order(me.wallet, order))
    said["short: rests"] = await until(lambda: me.has(101, "OPEN", "BEST_EFFORT_OPENED"))
    said["short: row"] = await me.row(101)
    await step(
        "short: cancelled",
        me.node.cancel_order(me.wallet, order.order_id, good_til_block=order.good_til_block),
    )
    said["short: gone"] = await until(lambda: gone(me, 101))


async def gone(me: Trader, client_id: int) -> bool:
    """A short-term order without fills leaves the indexer's rows, or ends there as best effort."""
    return await me.row(client_id) is None or await me.has(client_id, "BEST_EFFORT_CANCELED", "CANCELED")


async def long_term(me: Trader, low: float) -> None:
    until_s = since_now(seconds=600)
    order_id = me.order_id(102, OrderFlags.LONG_TERM)
    order = me.order(order_id, Order.SIDE_BUY, 0.2, low, POST_ONLY, good_til_block_time=until_s, post_only=True)
    placed = await step("long: placed", me.node.place_order(me.wallet, order))
    said["long: rests"] = await until(lambda: me.has(102, "OPEN"))
    row = said["long: row"] = await me.row(102)
    await step("long: by its id", me.indexer.account.get_order(row["id"] if row else "none"))
    await step("long: its transaction", me.node.query_transaction(placed.tx_response.txhash))
    await step(
        "long: cancelled",
        me.node.cancel_order(me.wallet, order_id, good_til_block_time=until_s),
    )
    said["long: gone"] = await until(lambda: me.has(102, "CANCELED"))
    said["long: row at the end"] = await me.row(102)


async def conditional(me: Trader, price: float) -> None:
    until_s = since_now(seconds=600)
    order_id = me.order_id(103, OrderFlags.CONDITIONAL)
    order = me.order(
        order_id,
        Order.SIDE_SELL,
        0.1,
        price * 0.5,
        IOC,
        order_type=OrderType.STOP_MARKET,
        execution=OrderExecution.IOC,
        condition_type=Order.CONDITION_TYPE_STOP_LOSS,
        good_til_block_time=until_s,
        conditional_order_trigger_subticks=me.market.calculate_subticks(price * 0.55),
    )
    await step("stop: placed", me.node.place_order(me.wallet, order))
    said["stop: waits"] = await until(lambda: me.has(103, "UNTRIGGERED"))
    said["stop: row"] = await me.row(103)
    await step("stop: cancelled", me.node.cancel_order(me.wallet, order_id, good_til_block_time=until_s))
    said["stop: gone"] = await until(lambda: me.has(103, "CANCELED"))


async def in_batch(me: Trader, low: float) -> None:
    for client_id in (104, 105):
        order = await me.short(client_id, Order.SIDE_BUY, 0.1, low)
        await step(f"batch: placed {client_id}", me.node.place_order(me.wallet, order))
    said["batch: rest"] = await until(lambda: me.has(104, "OPEN", "BEST_EFFORT_OPENED"))
    height = await me.node.latest_block_height()
    cancels = [OrderBatch(clob_pair_id=int(me.market.market["clobPairId"]), client_ids=[104, 105])]
    await step(
        "batch: cancelled",
        me.node.batch_cancel_orders(me.wallet, subaccount(me.address, 0), cancels, height + 20),
    )
    said["batch: gone"] = await until(lambda: gone(me, 104)) and await until(lambda: gone(me, 105))


async def fill_and_close(me: Trader, price: float) -> None:
    """A market order, which is a short-term IOC order, and its way back."""
    await step("opened", me.node.place_order(me.wallet, await me.short(106, Order.SIDE_BUY, 0.5, price * 1.05, IOC)))
    said["opened: filled"] = await until(lambda: me.has(106, "FILLED"))
    said["opened: row"] = await me.row(106)
    await step("opened: positions", me.indexer.account.get_subaccount_perpetual_positions(me.address, 0, status="OPEN"))
    await step("opened: fills", me.indexer.account.get_subaccount_fills(me.address, 0, ticker=TICKER))
    await step("opened: on the chain", me.node.get_subaccount(me.address, 0))
    await step("closed", me.node.place_order(me.wallet, await me.short(107, Order.SIDE_SELL, 0.5, price * 0.95, IOC)))
    said["closed: filled"] = await until(lambda: me.has(107, "FILLED"))
    await step("closed: positions", me.indexer.account.get_subaccount_perpetual_positions(me.address, 0, status="OPEN"))


async def meet(me: Trader, it: Trader) -> None:
    """Two accounts trade with each other, inside a spread where nobody else is in the way."""
    rows = await me.indexer.markets.get_perpetual_markets(MEETING_TICKER)
    me.market = it.market = Market(rows["markets"][MEETING_TICKER])
    price, tick = float(me.market.market["oraclePrice"]), float(me.market.market["tickSize"])
    touch: list[float] = []

    async def room() -> bool:
        book = await me.indexer.markets.get_perpetual_market_orderbook(MEETING_TICKER)
        touch[:] = (float(book[side][0]["price"]) for side in ("bids", "asks"))
        return touch[1] - touch[0] > 1.5 * tick

    said["meeting: room"] = await until(room)
    # The client rounds down: this is one tick below the best offer.
    resting = await me.short(108, Order.SIDE_SELL, 3, touch[1] - tick / 2)
    taking = await it.short(108, Order.SIDE_BUY, 3, price * 1.05, IOC)
    await step("maker", me.node.place_order(me.wallet, resting))
    await step("taker", it.node.place_order(it.wallet, taking))
    said["taker: filled"] = await until(lambda: it.has(108, "FILLED"))
    said["maker: filled"] = await until(lambda: me.has(108, "FILLED"))
    said["maker: price"] = plain(resting)["subticks"]
    await step("maker: fills", me.indexer.account.get_subaccount_fills(me.address, 0, ticker=MEETING_TICKER))
    await step("taker: fills", it.indexer.account.get_subaccount_fills(it.address, 0, ticker=MEETING_TICKER))
    for trader, side, limit, name in ((it, Order.SIDE_SELL, 0.95, "taker"), (me, Order.SIDE_BUY, 1.05, "maker")):
        back = await trader.short(109, side, 3, price * limit, IOC)
        await step(f"{name}: closed", trader.node.place_order(trader.wallet, back))


async def be_refused(me: Trader, low: float) -> None:
    height = await me.node.latest_block_height()
    short = me.order_id(110, OrderFlags.SHORT_TERM)

    async def refuse(name: str, order: Order) -> None:
        await step(f"refused: {name}", me.node.place_order(me.wallet, order))

    def buy(order_id: OrderId = short, tif: int = GTT, **others: Any) -> Order:
        chosen = {"good_til_block": height + 15, **others}
        return me.order(order_id, Order.SIDE_BUY, 0.1, low, tif, **chosen)

    await refuse("expired", buy(good_til_block=height - 5))
    await refuse("too far", buy(good_til_block=height + 100))
    odd = buy()
    odd.subticks += 1
    await refuse("tick", odd)
    unknown = order_id_of(me.address, 0, 110, 99_999, OrderFlags.SHORT_TERM)
    await refuse("no such market", buy(unknown))
    fok = buy()
    fok.time_in_force = Order.TIME_IN_FORCE_FILL_OR_KILL
    await refuse("fill or kill", fok)
    await refuse("reduce only", buy(reduce_only=True))
    crossing = me.order(short, Order.SIDE_BUY, 0.1, low * 2, POST_ONLY, good_til_block=height + 15, post_only=True)
    await refuse("post-only", crossing)
    long_id = me.order_id(110, OrderFlags.LONG_TERM)
    await step(
        "refused: unknown cancel",
        me.node.cancel_order(me.wallet, long_id, good_til_block_time=since_now(seconds=600)),
    )
    stale = TxOptions([], me.wallet.sequence + 7, me.wallet.account_number)
    order = me.order(long_id, Order.SIDE_BUY, 0.1, low, GTT, good_til_block_time=since_now(seconds=600))
    await step("refused: sequence", me.node.place_order(me.wallet, order, tx_options=stale))
    await step("refused: nobody", me.node.get_account("dydx1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdhxxl6"))


async def use_an_api_key(me: Trader, low: float) -> None:
    """Another key trades for the account through an authenticator."""
    key = Wallet(KeyPair.from_hex("44" * 32), 0, 0)
    rule = Authenticator.compose(
        AuthenticatorType.AllOf,
        [
            Authenticator.signature_verification(key.key.public_key_bytes),
            Authenticator.message_filter("/dydxprotocol.clob.MsgPlaceOrder,/dydxprotocol.clob.MsgCancelOrder"),
        ],
    )
    await step("key: added", me.node.add_authenticator(me.wallet, rule))

    async def listed() -> bool:
        return bool((await me.node.get_authenticators(me.address)).account_authenticators)

    said["key: in force"] = await until(listed)
    known = await step("key: listed", me.node.get_authenticators(me.address))
    options = TxOptions([known.account_authenticators[0].id], me.wallet.sequence, me.wallet.account_number)
    order = await me.short(111, Order.SIDE_BUY, 0.1, low)
    await step("key: placed", me.node.place_order(key, order, tx_options=options))
    said["key: rests"] = await until(lambda: me.has(111, "OPEN", "BEST_EFFORT_OPENED"))
    await step(
        "key: cancelled",
        me.node.cancel_order(key, order.order_id, good_til_block=order.good_til_block, tx_options=options),
    )
    await step("key: removed", me.node.remove_authenticator(me.wallet, options.authenticators[0]))
    await until_next_block(me)
    late = await me.short(112, Order.SIDE_BUY, 0.1, low)
    await step("key: still placed", me.node.place_order(key, late, tx_options=options))


async def move_money(me: Trader, it: Trader) -> None:
    mine, theirs = subaccount(me.address, 0), subaccount(it.address, 0)
    await step("transfer: sent", me.node.transfer(me.wallet, mine, theirs, 0, 12_500_000))
    await until_next_block(me)
    await step("transfer: withdrawn", me.node.withdraw(me.wallet, mine, me.address, 0, 3_000_000))
    await until_next_block(me)
    await step("transfer: deposited", me.node.deposit(me.wallet, me.address, mine, 0, 1_000_000))
    await until_next_block(me)
    await step("transfer: coins sent", me.node.send_token(me.wallet, me.address, it.address, 5, USDC))
    await until_next_block(me)

    async def three() -> bool:
        rows = await me.indexer.account.get_subaccount_transfers(me.address, 0)
        return len(rows["transfers"]) >= 3

    said["transfer: all there"] = await until(three)
    await step("transfer: rows", me.indexer.account.get_subaccount_transfers(me.address, 0))
    await step("transfer: received", it.indexer.account.get_subaccount_transfers(it.address, 0, limit=1))


async def until_next_block(me: Trader) -> None:
    height: int = await me.node.latest_block_height()

    async def later() -> bool:
        now: int = await me.node.latest_block_height()
        return now > height

    await until(later)


async def read_accounts(me: Trader) -> None:
    account = me.indexer.account
    await step("account: subaccounts", account.get_subaccounts(me.address))
    await step("account: subaccount", account.get_subaccount(me.address, 0))
    await step("account: parent", account.get_parent_subaccount(me.address, 0))
    await step("account: positions", account.get_subaccount_perpetual_positions(me.address, 0))
    await step("account: assets", account.get_subaccount_asset_positions(me.address, 0))
    await step("account: orders", account.get_subaccount_orders(me.address, 0))
    await step("account: parent orders", account.list_parent_orders(me.address, 0))
    await step("account: cancelled orders", account.get_subaccount_orders(me.address, 0, status=OrderStatus.CANCELED))
    await step("account: fills", account.get_subaccount_fills(me.address, 0))
    await step("account: pnl", account.get_subaccount_historical_pnls(me.address, 0))
    await step("account: funding", account.get_funding_payments(me.address, 0))


if __name__ == "__main__":
    code = 0
    try:
        asyncio.run(main(*sys.argv[1:8]))
    except Exception:  # what a story that broke off had to say is wanted too
        traceback.print_exc()
        code = 1
    json.dump(said, sys.stdout, default=str)
    sys.stdout.flush()
    os._exit(code)  # neither the socket's thread nor the channel's is waited for
