"""Requests of the node's gRPC services, and the answers of the cosmos ones (fact sheet section 3)."""

from __future__ import annotations

from typing import ClassVar

from .tx_messages import AnyMessage, AuthInfo, Coin, OrderId, TxBody
from .wire import Field, Message


class Timestamp(Message, frozen=True, kw_only=True):
    seconds: int = 0
    nanos: int = 0
    FIELDS: ClassVar = (Field(1, "seconds", "int64"), Field(2, "nanos", "int32"))


class Page(Message, frozen=True, kw_only=True):
    """PageResponse: everything is on one page."""

    next_key: bytes = b""
    total: int = 0
    FIELDS: ClassVar = (Field(1, "next_key", "bytes"), Field(2, "total", "uint64"))


# ---- requests ------------------------------------------------------------------------------------


class ByAddress(Message, frozen=True, kw_only=True):
    """Any request whose field 1 is an address, and 2 a denom."""

    address: str = ""
    denom: str = ""
    FIELDS: ClassVar = (Field(1, "address", "string"), Field(2, "denom", "string"))


class ByNumber(Message, frozen=True, kw_only=True):
    """Any request whose field 1 is a number."""

    id: int = 0
    FIELDS: ClassVar = (Field(1, "id", "uint32"),)


class BySubaccount(Message, frozen=True, kw_only=True):
    owner: str = ""
    number: int = 0
    FIELDS: ClassVar = (Field(1, "owner", "string"), Field(2, "number", "uint32"))


class ByOrder(Message, frozen=True, kw_only=True):
    order_id: OrderId | None = None
    FIELDS: ClassVar = (Field(1, "order_id", OrderId),)


class BroadcastTxRequest(Message, frozen=True, kw_only=True):
    tx_bytes: bytes = b""
    mode: int = 0
    FIELDS: ClassVar = (Field(1, "tx_bytes", "bytes"), Field(2, "mode", "enum"))


class SimulateRequest(Message, frozen=True, kw_only=True):
    tx: bytes = b""
    tx_bytes: bytes = b""
    FIELDS: ClassVar = (Field(1, "tx", "bytes"), Field(2, "tx_bytes", "bytes"))


class ByHash(Message, frozen=True, kw_only=True):
    hash: str = ""
    FIELDS: ClassVar = (Field(1, "hash", "string"),)


# ---- cosmos answers ------------------------------------------------------------------------------


class BaseAccount(Message, frozen=True, kw_only=True):
    address: str = ""
    pub_key: AnyMessage | None = None
    account_number: int = 0
    sequence: int = 0
    FIELDS: ClassVar = (
        Field(1, "address", "string"),
        Field(2, "pub_key", AnyMessage),
        Field(3, "account_number", "uint64"),
        Field(4, "sequence", "uint64"),
    )


class AccountResponse(Message, frozen=True, kw_only=True):
    account: AnyMessage | None = None
    FIELDS: ClassVar = (Field(1, "account", AnyMessage),)


class TxResponse(Message, frozen=True, kw_only=True):
    height: int = 0
    txhash: str = ""
    codespace: str = ""
    code: int = 0
    raw_log: str = ""
    gas_wanted: int = 0
    gas_used: int = 0
    tx: AnyMessage | None = None
    timestamp: str = ""
    FIELDS: ClassVar = (
        Field(1, "height", "int64"),
        Field(2, "txhash", "string"),
        Field(3, "codespace", "string"),
        Field(4, "code", "uint32"),
        Field(6, "raw_log", "string"),
        Field(9, "gas_wanted", "int64"),
        Field(10, "gas_used", "int64"),
        Field(11, "tx", AnyMessage),
        Field(12, "timestamp", "string"),
    )


class BroadcastTxResponse(Message, frozen=True, kw_only=True):
    tx_response: TxResponse | None = None
    FIELDS: ClassVar = (Field(1, "tx_response", TxResponse),)


class CosmosTx(Message, frozen=True, kw_only=True):
    body: TxBody | None = None
    auth_info: AuthInfo | None = None
    signatures: tuple[bytes, ...] = ()
    FIELDS: ClassVar = (
        Field(1, "body", TxBody),
        Field(2, "auth_info", AuthInfo),
        Field(3, "signatures", "bytes", repeated=True),
    )


class GetTxResponse(Message, frozen=True, kw_only=True):
    tx: CosmosTx | None = None
    tx_response: TxResponse | None = None
    FIELDS: ClassVar = (Field(1, "tx", CosmosTx), Field(2, "tx_response", TxResponse))


class GasInfo(Message, frozen=True, kw_only=True):
    gas_wanted: int = 0
    gas_used: int = 0
    FIELDS: ClassVar = (Field(1, "gas_wanted", "uint64"), Field(2, "gas_used", "uint64"))


class Empty(Message, frozen=True, kw_only=True):
    pass


class SimulateResponse(Message, frozen=True, kw_only=True):
    gas_info: GasInfo | None = None
    result: Empty | None = None
    FIELDS: ClassVar = (Field(1, "gas_info", GasInfo), Field(2, "result", Empty))


class Header(Message, frozen=True, kw_only=True):
    chain_id: str = ""
    height: int = 0
    time: Timestamp | None = None
    FIELDS: ClassVar = (
        Field(2, "chain_id", "string"),
        Field(3, "height", "int64"),
        Field(4, "time", Timestamp),
    )


class BlockMessage(Message, frozen=True, kw_only=True):
    header: Header | None = None
    FIELDS: ClassVar = (Field(1, "header", Header),)


class BlockId(Message, frozen=True, kw_only=True):
    hash: bytes = b""
    FIELDS: ClassVar = (Field(1, "hash", "bytes"),)


class LatestBlockResponse(Message, frozen=True, kw_only=True):
    block_id: BlockId | None = None
    block: BlockMessage | None = None
    sdk_block: BlockMessage | None = None
    FIELDS: ClassVar = (
        Field(1, "block_id", BlockId),
        Field(2, "block", BlockMessage),
        Field(3, "sdk_block", BlockMessage),
    )


class NodeInfo(Message, frozen=True, kw_only=True):
    network: str = ""
    version: str = ""
    FIELDS: ClassVar = (Field(4, "network", "string"), Field(5, "version", "string"))


class VersionInfo(Message, frozen=True, kw_only=True):
    name: str = ""
    app_name: str = ""
    version: str = ""
    FIELDS: ClassVar = (Field(1, "name", "string"), Field(2, "app_name", "string"), Field(3, "version", "string"))


class NodeInfoResponse(Message, frozen=True, kw_only=True):
    default_node_info: NodeInfo | None = None
    application_version: VersionInfo | None = None
    FIELDS: ClassVar = (
        Field(1, "default_node_info", NodeInfo),
        Field(2, "application_version", VersionInfo),
    )


class BalanceResponse(Message, frozen=True, kw_only=True):
    balance: Coin | None = None
    FIELDS: ClassVar = (Field(1, "balance", Coin),)


class BalancesResponse(Message, frozen=True, kw_only=True):
    balances: tuple[Coin, ...] = ()
    pagination: Page | None = None
    FIELDS: ClassVar = (Field(1, "balances", Coin, repeated=True), Field(2, "pagination", Page))
