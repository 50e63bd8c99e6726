"""dYdX's own protobuf messages, defined here, in a descriptor pool of their own.

The generated package of the venue cannot share a process with cosmpy: both register other contents under one file name
in the default pool. Field numbers: proto/dydxprotocol of v4-chain, protocol v9.6.1.
The path of an order writes its bytes by hand (encode.py) and is tested against this; people are shown a request by it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

_KINDS = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "uint32": _KINDS.TYPE_UINT32,
    "uint64": _KINDS.TYPE_UINT64,
    "fixed32": _KINDS.TYPE_FIXED32,
    "bool": _KINDS.TYPE_BOOL,
    "string": _KINDS.TYPE_STRING,
    "bytes": _KINDS.TYPE_BYTES,
}
_ENUMS = {
    "clob.Side": ("SIDE_UNSPECIFIED", "SIDE_BUY", "SIDE_SELL"),
    "clob.TimeInForce": (
        "TIME_IN_FORCE_UNSPECIFIED",
        "TIME_IN_FORCE_IOC",
        "TIME_IN_FORCE_POST_ONLY",
        "TIME_IN_FORCE_FILL_OR_KILL",
    ),
    "clob.ConditionType": ("CONDITION_TYPE_UNSPECIFIED", "CONDITION_TYPE_STOP_LOSS", "CONDITION_TYPE_TAKE_PROFIT"),
}
# Fields as "number kind name"; * repeats one, ? makes it a member of the oneof `good_til`.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "subaccounts.SubaccountId": ("1 string owner", "2 uint32 number"),
    "clob.OrderId": (
        "1 subaccounts.SubaccountId subaccount_id",
        "2 fixed32 client_id",
        "3 uint32 order_flags",
        "4 uint32 clob_pair_id",
    ),
    "clob.TwapParameters": ("1 uint32 duration", "2 uint32 interval", "3 uint32 price_tolerance"),
    "clob.BuilderCodeParameters": ("1 string builder_address", "2 uint32 fee_ppm"),
    "clob.Order": (
        "1 clob.OrderId order_id",
        "2 clob.Side side",
        "3 uint64 quantums",
        "4 uint64 subticks",
        "5 uint32? good_til_block",
        "6 fixed32? good_til_block_time",
        "7 clob.TimeInForce time_in_force",
        "8 bool reduce_only",
        "9 uint32 client_metadata",
        "10 clob.ConditionType condition_type",
        "11 uint64 conditional_order_trigger_subticks",
        "12 clob.TwapParameters twap_parameters",
        "13 clob.BuilderCodeParameters builder_code_parameters",
        "14 string order_router_address",
    ),
    "clob.MsgPlaceOrder": ("1 clob.Order order",),
    "clob.MsgCancelOrder": (
        "1 clob.OrderId order_id",
        "2 uint32? good_til_block",
        "3 fixed32? good_til_block_time",
    ),
    "clob.OrderBatch": ("1 uint32 clob_pair_id", "2 uint32* client_ids"),
    "clob.MsgBatchCancel": (
        "1 subaccounts.SubaccountId subaccount_id",
        "2 clob.OrderBatch* short_term_cancels",
        "3 uint32 good_til_block",
    ),
    "clob.LeverageEntry": ("1 uint32 clob_pair_id", "2 uint32 custom_imf_ppm"),
    "clob.MsgUpdateLeverage": (
        "1 subaccounts.SubaccountId subaccount_id",
        "2 clob.LeverageEntry* clob_pair_leverage",
    ),
    "sending.Transfer": (
        "1 subaccounts.SubaccountId sender",
        "2 subaccounts.SubaccountId recipient",
        "3 uint32 asset_id",
        "4 uint64 amount",
    ),
    "sending.MsgCreateTransfer": ("1 sending.Transfer transfer",),
    "accountplus.TxExtension": ("1 uint64* selected_authenticators",),
}
_PACKAGE = "dydxprotocol"


def _file() -> descriptor_pb2.FileDescriptorProto:
    """All of it as one file. The real one is split by package; only full names count on the wire, in type URLs."""
    file = descriptor_pb2.FileDescriptorProto(name="latentspeed/dydxprotocol.proto", syntax="proto3", package=_PACKAGE)
    # A message's package is part of its name, so each package is a message that holds the others.
    packages: dict[str, Any] = {}
    for name in (*_ENUMS, *_MESSAGES):
        package, _, _ = name.partition(".")
        if package not in packages:
            packages[package] = file.message_type.add(name=package)
    for name, values in _ENUMS.items():
        package, _, short = name.partition(".")
        enum = packages[package].enum_type.add(name=short)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        package, _, short = name.partition(".")
        message = packages[package].nested_type.add(name=short)
        for field in fields:
            _add_field(message, field)
    return file


def _add_field(message: Any, text: str) -> None:
    number, kind, name = text.split()
    repeated, member = kind.endswith("*"), kind.endswith("?")
    kind = kind.rstrip("*?")
    field = message.field.add(name=name, number=int(number))
    field.label = _KINDS.LABEL_REPEATED if repeated else _KINDS.LABEL_OPTIONAL
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _KINDS.TYPE_ENUM if kind in _ENUMS else _KINDS.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    if member:
        if not message.oneof_decl:
            message.oneof_decl.add(name="good_til")
        field.oneof_index = 0


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    return pool


@cache
def message(name: str) -> Any:
    """The class of a message, by its type URL or its name behind "dydxprotocol.", as "clob.MsgPlaceOrder"."""
    full = name.removeprefix("/").removeprefix(_PACKAGE + ".")
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{full}"))


def shown(type_url: str, body: bytes) -> dict[str, Any]:
    """A message as people read it: the names of its fields as the chain spells them."""
    found = json_format.MessageToDict(message(type_url).FromString(body), preserving_proto_field_name=True)
    return {"@type": type_url, **found}
