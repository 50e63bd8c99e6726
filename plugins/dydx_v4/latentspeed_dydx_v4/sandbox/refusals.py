"""Why the chain refuses a transaction: codespaces, codes, registered texts, and Go's way to print (section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .state import Order

REGISTERED: dict[tuple[str, int], str] = {
    ("sdk", 2): "tx parse error",
    ("sdk", 4): "unauthorized",
    ("sdk", 5): "insufficient funds",
    ("sdk", 6): "unknown request",
    ("sdk", 7): "invalid address",
    ("sdk", 8): "invalid pubkey",
    ("sdk", 9): "unknown address",
    ("sdk", 10): "invalid coins",
    ("sdk", 11): "out of gas",
    ("sdk", 12): "memo too large",
    ("sdk", 13): "insufficient fee",
    ("sdk", 14): "maximum number of signatures exceeded",
    ("sdk", 15): "no signatures supplied",
    ("sdk", 18): "invalid request",
    ("sdk", 19): "tx already in mempool",
    ("sdk", 20): "mempool is full",
    ("sdk", 21): "tx too large",
    ("sdk", 30): "tx timeout height",
    ("sdk", 31): "unknown extension options",
    ("sdk", 32): "incorrect account sequence",
    ("sdk", 38): "not found",
    ("clob", 3): "Invalid order side",
    ("clob", 4): "Invalid order quantums",
    ("clob", 5): "Invalid order goodTilBlock",
    ("clob", 6): "Invalid order subticks",
    ("clob", 7): "Attempt to place an order that is already canceled",
    ("clob", 8): "ClobPair ID does not reference a valid CLOB",
    ("clob", 9): ("A cancel already exists in the memclob for this order with a greater than or equal GoodTilBlock"),
    ("clob", 10): "The next block height is greater than the GoodTilBlock of the message",
    ("clob", 11): "The GoodTilBlock of the message is further than ShortBlockWindow blocks into the future",
    ("clob", 12): "MsgPlaceOrder is invalid",
    ("clob", 20): "Replacing an existing order failed",
    ("clob", 24): "Order is fully filled",
    ("clob", 29): "Invalid stateful order cancellation",
    ("clob", 32): "Existing stateful order cancellation has higher-or-equal priority than the new one",
    ("clob", 34): "Order conflicts with ClobPair status",
    ("clob", 44): "invalid time in force",
    ("clob", 45): "Invalid batch cancel message",
    ("clob", 47): "CLOB has not been initialized",
    ("clob", 48): "This field has been deprecated",
    ("clob", 49): "Invalid TWAP order placement",
    ("clob", 50): "Invalid builder code",
    ("clob", 2001): "Reduce-only orders cannot increase the position size",
    ("clob", 2003): "Post-only order would cross one or more maker orders",
    ("clob", 2004): "IOC order is already filled, remaining size is cancelled.",
    ("clob", 2005): "Order would violate isolated subaccount constraints.",
    ("clob", 3000): "Invalid order flags",
    ("clob", 3001): "Invalid order goodTilBlockTime",
    ("clob", 3002): "Stateful orders cannot require immediate execution",
    ("clob", 3003): "The block time is greater than the GoodTilBlockTime of the message",
    ("clob", 3004): "The GoodTilBlockTime of the message is further than StatefulOrderTimeWindow into the future",
    ("clob", 3005): "Existing stateful order has higher-or-equal priority than the new one",
    ("clob", 3006): "Stateful order does not exist",
    ("clob", 3007): "Stateful order collateralization check failed",
    ("clob", 3008): "Stateful order was previously cancelled and therefore cannot be placed",
    ("clob", 3009): "Stateful order was previously removed and therefore cannot be placed",
    ("clob", 3010): "Stateful order cancellation failed because the order was already removed from state",
    ("clob", 5001): "Block rate limit exceeded",
    ("clob", 6000): "Conditional type is invalid",
    ("clob", 6001): "Conditional order trigger subticks is invalid",
    ("clob", 9003): "Reduce-only is currently disabled for non-IOC orders",
    ("clob", 10001): "Subaccount cannot open more orders due to equity tier limit.",
    ("clob", 11000): "Invalid order router address",
    ("clob", 11001): "Invalid address",
    ("clob", 11002): "Invalid update leverage",
    ("clob", 11003): "Leverage exceeds maximum allowed for perpetual",
    ("subaccounts", 102): "failed to apply subaccount updates",
    ("subaccounts", 200): "subaccount id number cannot exceed 128000",
    ("subaccounts", 201): "subaccount id owner is an invalid address",
    ("sending", 1): "Sender is the same as recipient",
    ("sending", 2): "Invalid transfer amount",
    ("sending", 6): "Account address is invalid",
    ("sending", 1101): "Non-USDC asset transfer not implemented",
    ("revshare", 8): "order router rev share not found",
    ("dydxaccountplus", 1): "Authenticator is not found",
    ("dydxaccountplus", 2): "Invalid account address",
    ("dydxaccountplus", 3): "Authenticator data exceeds maximum length",
    ("dydxaccountplus", 5): "Error initializing authenticator",
    ("dydxaccountplus", 6): "The transaction has multiple signers",
    ("dydxaccountplus", 100): "Signature verification failed",
    ("dydxaccountplus", 101): "Message type verification failed",
    ("dydxaccountplus", 102): "Clob pair id verification failed",
    ("dydxaccountplus", 103): "Subaccount verification failed",
    ("dydxaccountplus", 104): "AllOf verification failed",
    ("dydxaccountplus", 105): "AnyOf verification failed",
}
# CometBFT's own answers carry no text.
_SILENT = {19, 20, 21}


class Refused(Exception):
    """The chain refuses. `raw_log` is what it says."""

    def __init__(self, codespace: str, code: int, detail: str = "", *, plain: bool = False) -> None:
        self.codespace = codespace
        self.code = code
        registered = "" if plain else REGISTERED[codespace, code]
        silent = codespace == "sdk" and code in _SILENT
        self.raw_log = "" if silent else ": ".join(part for part in (detail, registered) if part)
        super().__init__(self.raw_log)


class Panic(Exception):
    """A handler panics: gRPC Internal for a query."""


def clob(code: int, detail: str = "") -> Refused:
    return Refused("clob", code, detail)


def sdk(code: int, detail: str = "") -> Refused:
    return Refused("sdk", code, detail)


def go_subaccount(owner: str, number: int) -> str:
    return f"{{Owner:{owner} Number:{number}}}"


def go_order_id(order: Order) -> str:
    """The order id in Go's %+v."""
    return go_id(order.owner, order.number, order.client_id, order.flags, order.pair)


def go_id(owner: str, number: int, client_id: int, flags: int, pair: int) -> str:
    return f"{{SubaccountId:{go_subaccount(owner, number)} ClientId:{client_id} OrderFlags:{flags} ClobPairId:{pair}}}"


_TIMES_IN_FORCE = {
    0: "TIME_IN_FORCE_UNSPECIFIED",
    1: "TIME_IN_FORCE_IOC",
    2: "TIME_IN_FORCE_POST_ONLY",
    3: "TIME_IN_FORCE_FILL_OR_KILL",
}
_CONDITIONS = {0: "CONDITION_TYPE_UNSPECIFIED", 1: "CONDITION_TYPE_STOP_LOSS", 2: "CONDITION_TYPE_TAKE_PROFIT"}


def go_order(order: Order) -> str:
    """An order in Go's %+v (the oneof prints its value here, the chain prints a pointer)."""
    good_til = (
        f"{{GoodTilBlock:{order.good_til_block}}}"
        if order.good_til_block is not None
        else f"{{GoodTilBlockTime:{order.good_til_block_time}}}"
    )
    return (
        f"{{OrderId:{go_order_id(order)} Side:{'SIDE_BUY' if order.is_buy else 'SIDE_SELL'} "
        f"Quantums:{order.quantums} Subticks:{order.subticks} GoodTilOneof:{good_til} "
        f"TimeInForce:{_TIMES_IN_FORCE.get(order.time_in_force, order.time_in_force)} "
        f"ReduceOnly:{str(order.reduce_only).lower()} ClientMetadata:{order.client_metadata} "
        f"ConditionType:{_CONDITIONS.get(order.condition, order.condition)} "
        f"ConditionalOrderTriggerSubticks:{order.trigger} TwapParameters:<nil> BuilderCodeParameters:<nil> "
        f"OrderRouterAddress:{order.router}}}"
    )
