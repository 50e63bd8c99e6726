"""A minimal script that does what `latentspeed place -x dydx_v4` does, with dydx-v4-client: one long-term limit order.

`client_place.py NODE INDEXER WEBSOCKET PRIVATE_KEY SIDE MARKET SIZE OFFSET_PERCENT`, in the environment of that client.
It prices the order by the middle of the book, places it, and ends when the chain's state holds it: the same evidence
that `latentspeed place --wait ack` waits for, from the same call of the node, asked for as often.
"""

import asyncio
import json
import secrets
import sys

import grpc
from dydx_v4_client.indexer.rest.constants import OrderType
from dydx_v4_client.indexer.rest.indexer_client import IndexerClient
from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.network import local_node, make_insecure
from dydx_v4_client.node.client import NodeClient
from dydx_v4_client.node.market import Market, since_now
from dydx_v4_client.wallet import Wallet
from v4_proto.dydxprotocol.clob.order_pb2 import Order
from v4_proto.dydxprotocol.clob.query_pb2 import QueryStatefulOrderRequest
from v4_proto.dydxprotocol.clob.query_pb2_grpc import QueryStub

LONG_TERM = 64
LOOKS_S = 0.05


async def main(
    node_url: str,
    indexer_url: str,
    websocket_url: str,
    private_key: str,
    side: str,
    ticker: str,
    size: str,
    offset_percent: str,
) -> None:
    network = make_insecure(local_node, indexer_url, websocket_url, node_url)
    node, indexer = await NodeClient.connect(network.node), IndexerClient(network.rest_indexer)
    key = KeyPair.from_hex(private_key)
    address = Wallet(key, 0, 0).address
    account = await node.get_account(address)
    wallet = Wallet(key, account.account_number, account.sequence)
    market = Market((await indexer.markets.get_perpetual_markets(ticker))["markets"][ticker])
    book = await indexer.markets.get_perpetual_market_orderbook(ticker)
    middle = (float(book["bids"][0]["price"]) + float(book["asks"][0]["price"])) / 2
    order_id = market.order_id(address, 0, secrets.randbits(32), LONG_TERM)
    order = market.order(
        order_id,
        OrderType.LIMIT,
        Order.Side.SIDE_BUY if side == "buy" else Order.Side.SIDE_SELL,
        size=float(size),
        price=middle * (1 + float(offset_percent) / 100),
        time_in_force=Order.TimeInForce.TIME_IN_FORCE_UNSPECIFIED,
        reduce_only=False,
        good_til_block_time=since_now(days=28),
    )
    answer = await node.place_order(wallet, order)
    assert answer.tx_response.code == 0, answer.tx_response.raw_log
    state = QueryStub(node.channel)
    while True:
        await asyncio.sleep(LOOKS_S)
        try:
            state.StatefulOrder(QueryStatefulOrderRequest(order_id=order_id))
            break
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
    print(json.dumps({"state": "OPEN", "client_id": order_id.client_id, "subticks": order.subticks}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:9]))
