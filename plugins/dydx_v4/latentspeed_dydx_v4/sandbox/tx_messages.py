"""What a transaction is made of: the cosmos envelope and the messages this chain takes (sections 2.2 and 4)."""

from __future__ import annotations

from typing import ClassVar

from .wire import Field, Message


class AnyMessage(Message, frozen=True, kw_only=True):
    """google.protobuf.Any."""

    type_url: str = ""
    value: bytes = b""
    FIELDS: ClassVar = (Field(1, "type_url", "string"), Field(2, "value", "bytes"))


class TxBody(Message, frozen=True, kw_only=True):
    messages: tuple[AnyMessage, ...] = ()
    memo: str = ""
    timeout_height: int = 0
    extension_options: tuple[AnyMessage, ...] = ()
    non_critical_extension_options: tuple[AnyMessage, ...] = ()
    FIELDS: ClassVar = (
        Field(1, "messages", AnyMessage, repeated=True),
        Field(2, "memo", "string"),
        Field(3, "timeout_height", "uint64"),
        Field(1023, "extension_options", AnyMessage, repeated=True),
        Field(2047, "non_critical_extension_options", AnyMessage, repeated=True),
    )


class Single(Message, frozen=True, kw_only=True):
    mode: int = 0
    FIELDS: ClassVar = (Field(1, "mode", "enum"),)


class ModeInfo(Message, frozen=True, kw_only=True):
    single: Single | None = None
    FIELDS: ClassVar = (Field(1, "single", Single),)


class SignerInfo(Message, frozen=True, kw_only=True):
    public_key: AnyMessage | None = None
    mode_info: ModeInfo | None = None
    sequence: int = 0
    FIELDS: ClassVar = (
        Field(1, "public_key", AnyMessage),
        Field(2, "mode_info", ModeInfo),
        Field(3, "sequence", "uint64"),
    )


class Coin(Message, frozen=True, kw_only=True):
    denom: str = ""
    amount: str = ""
    FIELDS: ClassVar = (Field(1, "denom", "string"), Field(2, "amount", "string"))


class Fee(Message, frozen=True, kw_only=True):
    amount: tuple[Coin, ...] = ()
    gas_limit: int = 0
    payer: str = ""
    granter: str = ""
    FIELDS: ClassVar = (
        Field(1, "amount", Coin, repeated=True),
        Field(2, "gas_limit", "uint64"),
        Field(3, "payer", "string"),
        Field(4, "granter", "string"),
    )


class AuthInfo(Message, frozen=True, kw_only=True):
    signer_infos: tuple[SignerInfo, ...] = ()
    fee: Fee | None = None
    FIELDS: ClassVar = (Field(1, "signer_infos", SignerInfo, repeated=True), Field(2, "fee", Fee))


class TxRaw(Message, frozen=True, kw_only=True):
    body_bytes: bytes = b""
    auth_info_bytes: bytes = b""
    signatures: tuple[bytes, ...] = ()
    FIELDS: ClassVar = (
        Field(1, "body_bytes", "bytes"),
        Field(2, "auth_info_bytes", "bytes"),
        Field(3, "signatures", "bytes", repeated=True),
    )


class SignDoc(Message, frozen=True, kw_only=True):
    body_bytes: bytes = b""
    auth_info_bytes: bytes = b""
    chain_id: str = ""
    account_number: int = 0
    FIELDS: ClassVar = (
        Field(1, "body_bytes", "bytes"),
        Field(2, "auth_info_bytes", "bytes"),
        Field(3, "chain_id", "string"),
        Field(4, "account_number", "uint64"),
    )


class PubKey(Message, frozen=True, kw_only=True):
    """cosmos.crypto.secp256k1.PubKey."""

    key: bytes = b""
    FIELDS: ClassVar = (Field(1, "key", "bytes"),)


class TxExtension(Message, frozen=True, kw_only=True):
    selected_authenticators: tuple[int, ...] = ()
    FIELDS: ClassVar = (Field(1, "selected_authenticators", "uint64", repeated=True),)


class SubaccountId(Message, frozen=True, kw_only=True):
    owner: str = ""
    number: int = 0
    FIELDS: ClassVar = (Field(1, "owner", "string"), Field(2, "number", "uint32"))


class OrderId(Message, frozen=True, kw_only=True):
    subaccount_id: SubaccountId | None = None
    client_id: int = 0
    order_flags: int = 0
    clob_pair_id: int = 0
    FIELDS: ClassVar = (
        Field(1, "subaccount_id", SubaccountId),
        Field(2, "client_id", "fixed32"),
        Field(3, "order_flags", "uint32"),
        Field(4, "clob_pair_id", "uint32"),
    )


class TwapParameters(Message, frozen=True, kw_only=True):
    duration: int = 0
    interval: int = 0
    price_tolerance: int = 0
    FIELDS: ClassVar = (
        Field(1, "duration", "uint32"),
        Field(2, "interval", "uint32"),
        Field(3, "price_tolerance", "uint32"),
    )


class BuilderCodeParameters(Message, frozen=True, kw_only=True):
    builder_address: str = ""
    fee_ppm: int = 0
    FIELDS: ClassVar = (Field(1, "builder_address", "string"), Field(2, "fee_ppm", "uint32"))


class OrderMessage(Message, frozen=True, kw_only=True):
    """dydxprotocol.clob.Order."""

    order_id: OrderId | None = None
    side: int = 0
    quantums: int = 0
    subticks: int = 0
    good_til_block: int | None = None
    good_til_block_time: int | None = None
    time_in_force: int = 0
    reduce_only: bool = False
    client_metadata: int = 0
    condition_type: int = 0
    conditional_order_trigger_subticks: int = 0
    twap_parameters: TwapParameters | None = None
    builder_code_parameters: BuilderCodeParameters | None = None
    order_router_address: str = ""
    FIELDS: ClassVar = (
        Field(1, "order_id", OrderId),
        Field(2, "side", "enum"),
        Field(3, "quantums", "uint64"),
        Field(4, "subticks", "uint64"),
        Field(5, "good_til_block", "uint32", optional=True),
        Field(6, "good_til_block_time", "fixed32", optional=True),
        Field(7, "time_in_force", "enum"),
        Field(8, "reduce_only", "bool"),
        Field(9, "client_metadata", "uint32"),
        Field(10, "condition_type", "enum"),
        Field(11, "conditional_order_trigger_subticks", "uint64"),
        Field(12, "twap_parameters", TwapParameters),
        Field(13, "builder_code_parameters", BuilderCodeParameters),
        Field(14, "order_router_address", "string"),
    )


class MsgPlaceOrder(Message, frozen=True, kw_only=True):
    order: OrderMessage | None = None
    FIELDS: ClassVar = (Field(1, "order", OrderMessage),)


class MsgCancelOrder(Message, frozen=True, kw_only=True):
    order_id: OrderId | None = None
    good_til_block: int | None = None
    good_til_block_time: int | None = None
    FIELDS: ClassVar = (
        Field(1, "order_id", OrderId),
        Field(2, "good_til_block", "uint32", optional=True),
        Field(3, "good_til_block_time", "fixed32", optional=True),
    )


class OrderBatch(Message, frozen=True, kw_only=True):
    clob_pair_id: int = 0
    client_ids: tuple[int, ...] = ()
    FIELDS: ClassVar = (Field(1, "clob_pair_id", "uint32"), Field(2, "client_ids", "uint32", repeated=True))


class MsgBatchCancel(Message, frozen=True, kw_only=True):
    subaccount_id: SubaccountId | None = None
    short_term_cancels: tuple[OrderBatch, ...] = ()
    good_til_block: int = 0
    FIELDS: ClassVar = (
        Field(1, "subaccount_id", SubaccountId),
        Field(2, "short_term_cancels", OrderBatch, repeated=True),
        Field(3, "good_til_block", "uint32"),
    )


class LeverageEntry(Message, frozen=True, kw_only=True):
    clob_pair_id: int = 0
    custom_imf_ppm: int = 0
    FIELDS: ClassVar = (Field(1, "clob_pair_id", "uint32"), Field(2, "custom_imf_ppm", "uint32"))


class MsgUpdateLeverage(Message, frozen=True, kw_only=True):
    subaccount_id: SubaccountId | None = None
    clob_pair_leverage: tuple[LeverageEntry, ...] = ()
    FIELDS: ClassVar = (
        Field(1, "subaccount_id", SubaccountId),
        Field(2, "clob_pair_leverage", LeverageEntry, repeated=True),
    )


class Transfer(Message, frozen=True, kw_only=True):
    sender: SubaccountId | None = None
    recipient: SubaccountId | None = None
    asset_id: int = 0
    amount: int = 0
    FIELDS: ClassVar = (
        Field(1, "sender", SubaccountId),
        Field(2, "recipient", SubaccountId),
        Field(3, "asset_id", "uint32"),
        Field(4, "amount", "uint64"),
    )


class MsgCreateTransfer(Message, frozen=True, kw_only=True):
    transfer: Transfer | None = None
    FIELDS: ClassVar = (Field(1, "transfer", Transfer),)


class MsgDepositToSubaccount(Message, frozen=True, kw_only=True):
    sender: str = ""
    recipient: SubaccountId | None = None
    asset_id: int = 0
    quantums: int = 0
    FIELDS: ClassVar = (
        Field(1, "sender", "string"),
        Field(2, "recipient", SubaccountId),
        Field(3, "asset_id", "uint32"),
        Field(4, "quantums", "uint64"),
    )


class MsgWithdrawFromSubaccount(Message, frozen=True, kw_only=True):
    recipient: str = ""
    sender: SubaccountId | None = None
    asset_id: int = 0
    quantums: int = 0
    FIELDS: ClassVar = (
        Field(1, "recipient", "string"),
        Field(2, "sender", SubaccountId),
        Field(3, "asset_id", "uint32"),
        Field(4, "quantums", "uint64"),
    )


class MsgSend(Message, frozen=True, kw_only=True):
    """cosmos.bank.v1beta1.MsgSend."""

    from_address: str = ""
    to_address: str = ""
    amount: tuple[Coin, ...] = ()
    FIELDS: ClassVar = (
        Field(1, "from_address", "string"),
        Field(2, "to_address", "string"),
        Field(3, "amount", Coin, repeated=True),
    )


class MsgAddAuthenticator(Message, frozen=True, kw_only=True):
    sender: str = ""
    authenticator_type: str = ""
    data: bytes = b""
    FIELDS: ClassVar = (
        Field(1, "sender", "string"),
        Field(2, "authenticator_type", "string"),
        Field(3, "data", "bytes"),
    )


class MsgRemoveAuthenticator(Message, frozen=True, kw_only=True):
    sender: str = ""
    id: int = 0
    FIELDS: ClassVar = (Field(1, "sender", "string"), Field(2, "id", "uint64"))


PUBLIC_KEY_URL = "/cosmos.crypto.secp256k1.PubKey"
EXTENSION_URL = "/dydxprotocol.accountplus.TxExtension"

MESSAGES: dict[str, type[Message]] = {
    "/dydxprotocol.clob.MsgPlaceOrder": MsgPlaceOrder,
    "/dydxprotocol.clob.MsgCancelOrder": MsgCancelOrder,
    "/dydxprotocol.clob.MsgBatchCancel": MsgBatchCancel,
    "/dydxprotocol.clob.MsgUpdateLeverage": MsgUpdateLeverage,
    "/dydxprotocol.sending.MsgCreateTransfer": MsgCreateTransfer,
    "/dydxprotocol.sending.MsgDepositToSubaccount": MsgDepositToSubaccount,
    "/dydxprotocol.sending.MsgWithdrawFromSubaccount": MsgWithdrawFromSubaccount,
    "/cosmos.bank.v1beta1.MsgSend": MsgSend,
    "/dydxprotocol.accountplus.MsgAddAuthenticator": MsgAddAuthenticator,
    "/dydxprotocol.accountplus.MsgRemoveAuthenticator": MsgRemoveAuthenticator,
}
CLOB_MESSAGES = (MsgPlaceOrder, MsgCancelOrder, MsgBatchCancel, MsgUpdateLeverage)
