"""Our protobuf definitions and hand-written bytes judged by v4-proto, the venue's generated code, and its own client's
transaction builder. clients/official_proto.py answers.

dydx-v4-client 1.1.5 pins v4-proto 8.2. The chain of today is newer: what it moved or added since is listed here, so
that a newer v4-proto makes these tests fail until the lists are shortened.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from google.protobuf import descriptor_pb2
from latentspeed_dydx_v4 import encode, proto
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.constants import UPDATE_LEVERAGE
from latentspeed_dydx_v4.sandbox import node_messages as n
from latentspeed_dydx_v4.sandbox import query_messages as q
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox import wire
from latentspeed_dydx_v4.sandbox.accounts import PRIVATE_KEYS
from latentspeed_dydx_v4.sandbox.model import DydxModel

from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.model import SCENARIOS

from .conftest import RunClient
from .dydx_messages import ADDRESS, AUTHENTICATOR, ENCODED, OWNER, SIGNED

pytestmark = pytest.mark.oracle

# Where v4-proto 8.2 is behind protocol v9.6.1, which the sheet describes.
NEWER_MESSAGES = {
    "dydxprotocol.clob.TwapParameters",
    "dydxprotocol.clob.LeverageEntry",
    "dydxprotocol.clob.MsgUpdateLeverage",
}
# TWAP took field 12, where builder codes had been.
MOVED_FIELDS = {("dydxprotocol.clob.Order", "builder_code_parameters"): (13, 12)}
NEWER_FIELDS = {
    ("dydxprotocol.clob.Order", "twap_parameters"),
    ("dydxprotocol.clob.Order", "order_router_address"),
    ("dydxprotocol.clob.BlockRateLimitConfiguration", "max_leverage_updates_per_n_blocks"),
}
NEWER_METHODS = {"/dydxprotocol.clob.Query/Leverage"}

CLIENT_MESSAGES = (
    *("subaccounts.SubaccountId", "clob.OrderId", "clob.TwapParameters", "clob.BuilderCodeParameters", "clob.Order"),
    *("clob.MsgPlaceOrder", "clob.MsgCancelOrder", "clob.OrderBatch", "clob.MsgBatchCancel", "clob.LeverageEntry"),
    *("clob.MsgUpdateLeverage", "sending.Transfer", "sending.MsgCreateTransfer", "accountplus.TxExtension"),
)
# The messages of the local chain that no type URL leads to, by their names in the venue's definitions.
ENVELOPE: dict[str, type[wire.Message]] = {
    "cosmos.tx.v1beta1.TxRaw": t.TxRaw,
    "cosmos.tx.v1beta1.TxBody": t.TxBody,
    "cosmos.tx.v1beta1.AuthInfo": t.AuthInfo,
    "cosmos.tx.v1beta1.SignDoc": t.SignDoc,
    "cosmos.crypto.secp256k1.PubKey": t.PubKey,
    "cosmos.auth.v1beta1.BaseAccount": n.BaseAccount,
    "cosmos.tx.v1beta1.BroadcastTxRequest": n.BroadcastTxRequest,
    "dydxprotocol.accountplus.TxExtension": t.TxExtension,
}
ANSWERS: dict[str, type[wire.Message]] = {
    "/cosmos.auth.v1beta1.Query/Account": n.AccountResponse,
    "/cosmos.tx.v1beta1.Service/BroadcastTx": n.BroadcastTxResponse,
    "/cosmos.tx.v1beta1.Service/GetTx": n.GetTxResponse,
    "/cosmos.tx.v1beta1.Service/Simulate": n.SimulateResponse,
    "/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock": n.LatestBlockResponse,
    "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo": n.NodeInfoResponse,
    "/cosmos.bank.v1beta1.Query/Balance": n.BalanceResponse,
    "/cosmos.bank.v1beta1.Query/AllBalances": n.BalancesResponse,
    "/dydxprotocol.clob.Query/ClobPair": q.ClobPairResponse,
    "/dydxprotocol.clob.Query/ClobPairAll": q.ClobPairsResponse,
    "/dydxprotocol.clob.Query/NextClobPairId": q.NextClobPairIdResponse,
    "/dydxprotocol.clob.Query/EquityTierLimitConfiguration": q.EquityTiersResponse,
    "/dydxprotocol.clob.Query/BlockRateLimitConfiguration": q.RateRulesResponse,
    "/dydxprotocol.clob.Query/StatefulOrder": q.StatefulOrderResponse,
    "/dydxprotocol.clob.Query/Leverage": q.LeverageResponse,
    "/dydxprotocol.subaccounts.Query/Subaccount": q.SubaccountResponse,
    "/dydxprotocol.subaccounts.Query/SubaccountAll": q.SubaccountsResponse,
    "/dydxprotocol.perpetuals.Query/Perpetual": q.PerpetualResponse,
    "/dydxprotocol.perpetuals.Query/AllPerpetuals": q.PerpetualsResponse,
    "/dydxprotocol.perpetuals.Query/AllLiquidityTiers": q.LiquidityTiersResponse,
    "/dydxprotocol.prices.Query/MarketPrice": q.MarketPriceResponse,
    "/dydxprotocol.prices.Query/AllMarketPrices": q.MarketPricesResponse,
    "/dydxprotocol.prices.Query/MarketParam": q.MarketParamResponse,
    "/dydxprotocol.feetiers.Query/UserFeeTier": q.UserFeeTierResponse,
    "/dydxprotocol.feetiers.Query/PerpetualFeeParams": q.FeeParamsResponse,
    "/dydxprotocol.stats.Query/UserStats": q.UserStatsResponse,
    "/dydxprotocol.accountplus.Query/GetAuthenticators": q.AuthenticatorsResponse,
    "/dydxprotocol.accountplus.Query/AccountState": q.AccountStateResponse,
}
_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in descriptor_pb2.FieldDescriptorProto.Type.items()
}


class FieldOf(NamedTuple):
    """What makes a field's bytes. kind: a scalar's name, or "message" or "enum"; type_name: of which."""

    number: int
    kind: str
    repeated: bool
    type_name: str


def fields_of(definition: Any) -> dict[str, FieldOf]:
    """The fields of a DescriptorProto by name."""
    return {
        field.name: FieldOf(
            field.number, _TYPES[field.type], field.label == field.LABEL_REPEATED, field.type_name.removeprefix(".")
        )
        for field in definition.field
    }


def wire_fields(message: type[wire.Message]) -> dict[str, FieldOf]:
    """The same of a message of the local chain; type_name is left to the walk."""
    return {
        field.name: FieldOf(field.number, "message" if field.is_message else field.kind, field.repeated, "")
        for field in message.FIELDS
    }


# ---- what is asked -------------------------------------------------------------------------------


def signer_of(index: int) -> DydxV4Auth:
    """The key of an account, acting for the first."""
    return DydxV4Auth(DydxV4Config(network="sandbox", key=Secret(PRIVATE_KEYS[index]), account=ADDRESS))


@pytest.fixture(scope="module")
def told(run_dydx_client: RunClient) -> dict[str, Any]:
    """What v4-proto says. Definitions are read here into DescriptorProtos."""
    names = {f"dydxprotocol.{name}" for name in CLIENT_MESSAGES} | ENVELOPE.keys()
    names |= {url.removeprefix("/") for url in t.MESSAGES}
    found: dict[str, Any] = {}
    answer: dict[str, Any] = {}
    # A definition names others; ask until all are there.
    while wanted := names - found.keys():
        questions: dict[str, Any] = {"definitions": sorted(wanted), "methods": [], "values": [], "transactions": []}
        if not answer:
            questions["methods"] = sorted(ANSWERS)
            questions["values"] = [
                {"name": f"dydxprotocol.{name}", "value": value} for _, name, value in ENCODED.values()
            ]
            questions["transactions"] = [
                {
                    "type_url": item["type_url"],
                    "message": item["message"].hex(),
                    "account_number": item["account_number"],
                    "sequence": item["sequence"],
                    "key": PRIVATE_KEYS[item["by"]],
                    "chain_id": "localdydxprotocol",
                    "authenticators": [AUTHENTICATOR] if item["by"] else [],
                }
                for item in SIGNED
            ]
        reply = run_dydx_client("official_proto.py", json.dumps(questions))
        answer = answer or reply
        names |= {name for name in answer["methods"].values() if name}
        for name, text in reply["definitions"].items():
            found[name] = text and descriptor_pb2.DescriptorProto.FromString(bytes.fromhex(text))
            for field in found[name].field if text else ():
                if field.type == field.TYPE_MESSAGE:
                    names.add(field.type_name.removeprefix("."))
    return {**answer, "definitions": found}


def fields_there(told: dict[str, Any], name: str) -> dict[str, FieldOf]:
    """A message's fields as v4-proto has them, brought up to today's chain by the lists above."""
    fields = fields_of(told["definitions"][name])
    for (message, field), (now, before) in MOVED_FIELDS.items():
        if message == name:
            assert fields[field].number == before, "v4-proto has caught up: shorten MOVED_FIELDS"
            fields[field] = fields[field]._replace(number=now)
    newer = {field for message, field in NEWER_FIELDS if message == name}
    assert not newer & fields.keys(), "v4-proto has caught up: shorten NEWER_FIELDS"
    return fields


# ---- definitions ---------------------------------------------------------------------------------


def test_only_what_is_listed_is_newer_than_v4_proto(told: dict[str, Any]) -> None:
    assert {name for name, found in told["definitions"].items() if found is None} == NEWER_MESSAGES
    assert {path for path, name in told["methods"].items() if name is None} == NEWER_METHODS


@pytest.mark.parametrize("name", CLIENT_MESSAGES)
def test_the_clients_definitions_are_the_venues(told: dict[str, Any], name: str) -> None:
    full = f"dydxprotocol.{name}"
    if full in NEWER_MESSAGES:
        return
    ours = descriptor_pb2.DescriptorProto()
    proto.message(name).DESCRIPTOR.CopyToProto(ours)
    mine, theirs = fields_of(ours), fields_there(told, full)
    for field in [field for message, field in NEWER_FIELDS if message == full]:
        del mine[field]
    assert {field: found._replace(type_name="") for field, found in mine.items()} == {
        field: found._replace(type_name="") for field, found in theirs.items()
    }
    messages = {field for field, found in theirs.items() if found.kind == "message"}
    assert {mine[field].type_name for field in messages} == {theirs[field].type_name for field in messages}


@pytest.mark.parametrize("name", sorted(ENVELOPE) + sorted(url.removeprefix("/") for url in t.MESSAGES))
def test_the_local_chain_reads_what_the_venue_writes(told: dict[str, Any], name: str) -> None:
    """Every field, so that strict reading refuses nothing that the chain takes."""
    compare(told, name, ENVELOPE.get(name) or t.MESSAGES["/" + name], complete=name in CHECKED_WHOLLY, seen=set())


# Of the others the local chain knows the fields it uses.
CHECKED_WHOLLY = {url.removeprefix("/") for url in t.MESSAGES} | {
    "cosmos.tx.v1beta1.TxRaw",
    "cosmos.tx.v1beta1.SignDoc",
    "cosmos.crypto.secp256k1.PubKey",
    "dydxprotocol.accountplus.TxExtension",
}


@pytest.mark.parametrize("path", sorted(ANSWERS))
def test_the_local_chain_answers_in_the_venues_messages(told: dict[str, Any], path: str) -> None:
    name = told["methods"][path]
    if path not in NEWER_METHODS:
        compare(told, name, ANSWERS[path], complete=False, seen=set())


def test_every_method_of_the_local_chain_was_compared() -> None:
    assert set(DydxModel(SCENARIOS["default"]).grpc_methods) == ANSWERS.keys()


def compare(told: dict[str, Any], name: str, message: type[wire.Message], *, complete: bool, seen: set[str]) -> None:
    """Hold a message of the local chain, and all that it holds, to v4-proto's."""
    if name in seen or name in NEWER_MESSAGES:
        return
    seen.add(name)
    theirs = fields_there(told, name)
    ours = wire_fields(message)
    for field in [field for of, field in NEWER_FIELDS if of == name]:
        del ours[field]
    assert ours.keys() <= theirs.keys(), name
    if complete:
        assert ours.keys() == theirs.keys(), name
    assert ours == {field: theirs[field]._replace(type_name="") for field in ours}, name
    for member in message.FIELDS:
        if member.is_message and member.name in theirs:
            compare(told, theirs[member.name].type_name, member.kind, complete=complete, seen=seen)


# ---- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ENCODED)
def test_bytes_written_by_hand_are_those_of_generated_code(told: dict[str, Any], label: str) -> None:
    assert ENCODED[label][0].hex() == told["values"][list(ENCODED).index(label)]


@pytest.mark.parametrize("index", range(len(SIGNED)))
def test_transactions_are_those_of_the_official_builder(told: dict[str, Any], index: int) -> None:
    item = SIGNED[index]
    raw = signer_of(item["by"]).sign(
        item["type_url"],
        item["message"],
        account_number=item["account_number"],
        sequence=item["sequence"],
        authenticator=AUTHENTICATOR if item["by"] else None,
    )
    assert raw.hex() == told["transactions"][index]


def test_leverage_is_written_as_the_definitions_say() -> None:
    """v4-proto 8.2 knows no MsgUpdateLeverage: the definitions, which are held to the sheet, judge it."""
    body = encode.update_leverage(OWNER, 1, 5)
    read = proto.message(UPDATE_LEVERAGE).FromString(body)
    (entry,) = read.clob_pair_leverage
    assert (read.subaccount_id.owner, entry.clob_pair_id, entry.custom_imf_ppm) == (ADDRESS, 1, 200_000)
    assert read.SerializeToString(deterministic=True) == body
