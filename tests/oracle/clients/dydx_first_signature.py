"""Sends a micro-dollar to itself with dydx-v4-client: the chain knows an account's public key from then on.

Runs in the client's environment: `dydx_first_signature.py NODE_URL ADDRESS MNEMONIC`.
"""

from __future__ import annotations

import asyncio
import json
import sys

from dydx_v4_client.network import make_local
from dydx_v4_client.node.client import NodeClient
from dydx_v4_client.wallet import Wallet


async def main(node_url: str, address: str, words: str) -> str:
    network = make_local(node_url=node_url)
    node = await NodeClient.connect(network.node)
    wallet = await Wallet.from_mnemonic(node, words, address)
    answer = await node.send_token(wallet, address, address, 1, network.node.usdc_denom)
    for _ in range(100):
        if (await node.get_account(address)).pub_key.value:
            break
        await asyncio.sleep(0.1)
    return str(answer.tx_response.txhash)


if __name__ == "__main__":
    json.dump(asyncio.run(main(*sys.argv[1:4])), sys.stdout)
