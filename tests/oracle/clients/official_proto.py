"""What v4-proto, the venue's generated protobuf code, makes of the questions of test_official_proto.py.

Runs in the environment of dydx-v4-client: `official_proto.py QUESTIONS`, a JSON object of
definitions (full names of messages), methods (paths), values (name and JSON value of a message) and transactions.
The answers go to stdout as one JSON object under the same names; bytes are hex text.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from dydx_v4_client.key_pair import KeyPair
from dydx_v4_client.node.builder import Builder, TxOptions
from dydx_v4_client.wallet import Wallet
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, json_format, message_factory
from v4_proto.cosmos.auth.v1beta1 import query_pb2 as auth
from v4_proto.cosmos.bank.v1beta1 import query_pb2 as bank
from v4_proto.cosmos.bank.v1beta1 import tx_pb2 as bank_tx
from v4_proto.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint
from v4_proto.cosmos.crypto.secp256k1 import keys_pb2 as keys
from v4_proto.cosmos.tx.v1beta1 import service_pb2 as service
from v4_proto.dydxprotocol.accountplus import query_pb2 as accountplus
from v4_proto.dydxprotocol.accountplus import tx_pb2 as accountplus_tx
from v4_proto.dydxprotocol.clob import query_pb2 as clob
from v4_proto.dydxprotocol.clob import tx_pb2 as clob_tx
from v4_proto.dydxprotocol.feetiers import query_pb2 as feetiers
from v4_proto.dydxprotocol.perpetuals import query_pb2 as perpetuals
from v4_proto.dydxprotocol.prices import query_pb2 as prices
from v4_proto.dydxprotocol.sending import tx_pb2 as sending_tx
from v4_proto.dydxprotocol.stats import query_pb2 as stats
from v4_proto.dydxprotocol.subaccounts import query_pb2 as subaccounts

# Importing a module puts its messages into the default pool.
MODULES = (
    *(auth, bank, bank_tx, tendermint, keys, service, accountplus, accountplus_tx, clob, clob_tx),
    *(feetiers, perpetuals, prices, sending_tx, stats, subaccounts),
)
POOL = descriptor_pool.Default()


def definition(name: str) -> str | None:
    """A message's DescriptorProto; None when this version knows no such message."""
    try:
        found = POOL.FindMessageTypeByName(name)
    except KeyError:
        return None
    proto = descriptor_pb2.DescriptorProto()
    found.CopyToProto(proto)
    return str(proto.SerializeToString().hex())


def method(path: str) -> str | None:
    """Full name of a method's answer; None when this version knows no such method."""
    service_name, _, name = path.removeprefix("/").partition("/")
    found = POOL.FindServiceByName(service_name).methods_by_name.get(name)
    return str(found.output_type.full_name) if found else None


def encoded(question: dict[str, Any]) -> str:
    made = message_factory.GetMessageClass(POOL.FindMessageTypeByName(question["name"]))()
    json_format.ParseDict(question["value"], made)
    return str(made.SerializeToString(deterministic=True).hex())


def transaction(question: dict[str, Any]) -> str:
    """A transaction as the client's own builder makes and signs it; its default memo is taken out."""
    wallet = Wallet(KeyPair.from_hex(question["key"]), question["account_number"], question["sequence"])
    options = TxOptions(question["authenticators"], question["sequence"], question["account_number"])
    message = any_pb2.Any(type_url=question["type_url"], value=bytes.fromhex(question["message"]))
    builder = Builder(question["chain_id"], "", memo="")
    fee = builder.fee(1_000_000)
    made = builder.build_transaction(wallet, [message], fee, options if question["authenticators"] else None)
    return str(made.SerializeToString().hex())


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    answers = {
        "definitions": {name: definition(name) for name in asked["definitions"]},
        "methods": {path: method(path) for path in asked["methods"]},
        "values": [encoded(question) for question in asked["values"]],
        "transactions": [transaction(question) for question in asked["transactions"]],
    }
    json.dump(answers, sys.stdout)
