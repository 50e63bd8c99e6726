"""The same as dydx_sign_order.py with dydx-v4-client: what NodeClient.place_order does between its order and its call.

`client_sign_order.py COUNT [NODE]`, in the environment of that client. It asks the node for the sequence before every
order, unless there is no NODE: then it only builds and signs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter_ns

from dydx_v4_client.indexer.rest.constants import OrderType
from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.network import local_node, make_insecure
from dydx_v4_client.node.builder import Builder
from dydx_v4_client.node.client import NodeClient, SequenceManager
from dydx_v4_client.node.market import Market
from dydx_v4_client.node.message import place_order
from dydx_v4_client.wallet import Wallet
from v4_proto.dydxprotocol.clob.order_pb2 import Order

# The first account of the local chain; its key is published and holds nothing.
KEY = "1f6940269a1bba400038d0ccb96ffe268a80af297c6737d706b4fef0b646d529"
CHAIN_ID = "localdydxprotocol"
ACCOUNT_NUMBER = 12
FIRST_SEQUENCE = 1_700_000_000_000
GOOD_TIL_S = 1_767_225_600
LONG_TERM = 64
WARM_UP = 200
MARKET = {
    "clobPairId": "1",
    "atomicResolution": -9,
    "quantumConversionExponent": -9,
    "stepBaseQuantums": 1_000_000,
    "subticksPerTick": 100_000,
}


async def sequences(node: str) -> SequenceManager:
    network = make_insecure(local_node, "", "", node)
    return (await NodeClient.connect(network.node)).sequence_manager


async def main(count: int, node: str | None) -> None:
    manager = None if node is None else await sequences(node)
    wallet = Wallet(KeyPair.from_hex(KEY), ACCOUNT_NUMBER, FIRST_SEQUENCE)
    address = wallet.address
    builder = Builder(CHAIN_ID, "", memo="")
    market = Market(MARKET)
    taken = []
    tx = ""
    for number in range(-min(count, WARM_UP), count):
        client_id = number & 0xFFFF if number else 1
        before = perf_counter_ns()
        if manager is None:
            wallet.sequence = FIRST_SEQUENCE + number
        else:
            await manager.before_send(wallet)
        order = market.order(
            market.order_id(address, 0, client_id, LONG_TERM),
            OrderType.LIMIT,
            Order.Side.SIDE_SELL,
            size=1.5,
            price=3000.1,
            time_in_force=Order.TimeInForce.TIME_IN_FORCE_UNSPECIFIED,
            reduce_only=False,
            post_only=True,
            good_til_block_time=GOOD_TIL_S,
        )
        raw = builder.build(wallet, place_order(order)).SerializeToString()
        after = perf_counter_ns()
        if number >= 0:
            taken.append(after - before)
        if number == 0:
            tx = raw.hex()
    json.dump({"ns": taken, "tx": tx}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
