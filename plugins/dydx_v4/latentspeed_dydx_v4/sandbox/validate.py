"""What is wrong with a message: first by itself (ValidateBasic), then against the state. Order as in section 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import keys
from .engine import SHORT_BLOCK_WINDOW
from .numbers import iso
from .refusals import Refused, clob, go_id, go_order, sdk
from .state import (
    CONDITIONAL,
    FILL_OR_KILL,
    IOC,
    LONG_TERM,
    SHORT_TERM,
    STOP_LOSS,
    TAKE_PROFIT,
    TWAP,
    Order,
)
from .tx_messages import (
    MsgAddAuthenticator,
    MsgBatchCancel,
    MsgCancelOrder,
    MsgCreateTransfer,
    MsgDepositToSubaccount,
    MsgPlaceOrder,
    MsgRemoveAuthenticator,
    MsgSend,
    MsgUpdateLeverage,
    MsgWithdrawFromSubaccount,
    OrderId,
    SubaccountId,
)
from .wire import Message

if TYPE_CHECKING:
    from .market import Market
    from .world import World

MAX_SUBACCOUNT = 128_000
STATEFUL_WINDOW_S = 95 * 86_400
MAX_BATCH = 100
MAX_AUTHENTICATOR_DATA = 1_024
_FLAGS = (SHORT_TERM, CONDITIONAL, LONG_TERM, TWAP)


def order_of(message: MsgPlaceOrder) -> Order:
    """The order of a placement that has passed basic()."""
    given = message.order
    assert given is not None
    order_id = given.order_id or OrderId()
    subaccount = order_id.subaccount_id or SubaccountId()
    builder = given.builder_code_parameters
    return Order(
        owner=subaccount.owner,
        number=subaccount.number,
        client_id=order_id.client_id,
        flags=order_id.order_flags,
        pair=order_id.clob_pair_id,
        is_buy=given.side == 1,
        quantums=given.quantums,
        subticks=given.subticks,
        good_til_block=given.good_til_block,
        good_til_block_time=given.good_til_block_time,
        time_in_force=given.time_in_force,
        reduce_only=given.reduce_only,
        client_metadata=given.client_metadata,
        condition=given.condition_type,
        trigger=given.conditional_order_trigger_subticks,
        builder=builder.builder_address if builder else "",
        builder_fee_ppm=builder.fee_ppm if builder else 0,
        router=given.order_router_address,
    )


def signer(message: Message) -> str:
    """The address that has to sign a message."""
    if isinstance(message, MsgPlaceOrder):
        return _owner(message.order.order_id if message.order else None)
    if isinstance(message, MsgCancelOrder):
        return _owner(message.order_id)
    if isinstance(message, MsgBatchCancel | MsgUpdateLeverage):
        return message.subaccount_id.owner if message.subaccount_id else ""
    if isinstance(message, MsgCreateTransfer):
        sender = message.transfer.sender if message.transfer else None
        return sender.owner if sender else ""
    if isinstance(message, MsgWithdrawFromSubaccount):
        return message.sender.owner if message.sender else ""
    if isinstance(message, MsgSend):
        return message.from_address
    if isinstance(message, MsgDepositToSubaccount | MsgAddAuthenticator | MsgRemoveAuthenticator):
        return message.sender
    raise sdk(6)


def _owner(order_id: OrderId | None) -> str:
    return order_id.subaccount_id.owner if order_id and order_id.subaccount_id else ""


# ---- by itself -----------------------------------------------------------------------------------


def basic(message: Message) -> None:
    """ValidateBasic. Raises Refused."""
    if isinstance(message, MsgPlaceOrder):
        _place(message)
    elif isinstance(message, MsgCancelOrder):
        _cancel(message)
    elif isinstance(message, MsgBatchCancel):
        _batch(message)
    elif isinstance(message, MsgUpdateLeverage):
        _leverage(message)
    elif isinstance(message, MsgCreateTransfer):
        _transfer(message)
    elif isinstance(message, MsgDepositToSubaccount):
        _wallet(message.sender, message.recipient, message.asset_id, message.quantums)
    elif isinstance(message, MsgWithdrawFromSubaccount):
        _wallet(message.recipient, message.sender, message.asset_id, message.quantums)
    elif isinstance(message, MsgSend):
        _send(message)
    elif isinstance(message, MsgAddAuthenticator):
        if keys.address_bytes(message.sender) is None:
            raise Refused("dydxaccountplus", 2, message.sender)
        if len(message.data) > MAX_AUTHENTICATOR_DATA:
            raise Refused("dydxaccountplus", 3, f"received {len(message.data)} bytes")


def _subaccount(subaccount: SubaccountId | None) -> SubaccountId:
    found = subaccount or SubaccountId()
    if keys.address_bytes(found.owner) is None:
        raise Refused("subaccounts", 201, "invalid SubaccountId Owner")
    if found.number > MAX_SUBACCOUNT:
        raise Refused("subaccounts", 200)
    return found


def _place(message: MsgPlaceOrder) -> None:
    order = message.order
    if order is None or order.order_id is None:
        raise Refused("subaccounts", 201, "invalid SubaccountId Owner")
    if order.time_in_force == FILL_OR_KILL:
        raise clob(48, "Fill-or-kill has been deprecated")
    _subaccount(order.order_id.subaccount_id)
    flags = order.order_id.order_flags
    if order.side not in (0, 1, 2):
        raise clob(3, f"invalid order side ({order.side})")
    if order.time_in_force not in (0, 1, 2):
        raise clob(44, f"invalid time in force ({order.time_in_force})")
    if order.condition_type not in (0, STOP_LOSS, TAKE_PROFIT):
        raise clob(6000, f"invalid condition type ({order.condition_type})")
    if order.side == 0:
        raise clob(3, "UNSPECIFIED is not a valid order side")
    if order.quantums == 0:
        raise clob(4, "order size quantums cannot be 0")
    if order.order_router_address and keys.address_bytes(order.order_router_address) is None:
        raise clob(11000, f"order router address is invalid: {order.order_router_address}")
    if flags == SHORT_TERM and not order.good_til_block:
        raise clob(5, "order goodTilBlock cannot be 0")
    if flags in (CONDITIONAL, LONG_TERM, TWAP) and not order.good_til_block_time:
        raise clob(3001, "stateful order goodTilBlockTime cannot be 0")
    if flags not in _FLAGS:
        raise clob(3000, f"invalid order flag {flags}")
    if flags == LONG_TERM and order.time_in_force == IOC:
        raise clob(3002)
    if order.reduce_only and (order.time_in_force != IOC or flags == LONG_TERM):
        raise clob(9003, "reduce only orders must be short term IOC orders")
    if order.subticks == 0 and flags != TWAP:
        raise clob(6, "order subticks cannot be 0 for this order type")
    _condition(order.condition_type, order.conditional_order_trigger_subticks, flags == CONDITIONAL)
    builder = order.builder_code_parameters
    if builder and (keys.address_bytes(builder.builder_address) is None or not 1 <= builder.fee_ppm <= 10_000):
        raise clob(50, f"builder address or fee ppm is invalid: {builder.builder_address} {builder.fee_ppm}")
    if flags == TWAP:
        _twap(message)


def _condition(condition: int, trigger: int, is_conditional: bool) -> None:
    if is_conditional and condition == 0:
        raise clob(6000, "condition type cannot be unspecified")
    if is_conditional and trigger == 0:
        raise clob(6001, "conditional order trigger subticks cannot be 0")
    if not is_conditional and condition != 0:
        raise clob(6000, "condition type specified for non-conditional order")
    if not is_conditional and trigger != 0:
        raise clob(6001, "conditional order trigger subticks greater than 0 for non-conditional order")


def _twap(message: MsgPlaceOrder) -> None:
    twap = message.order.twap_parameters if message.order else None
    if twap is None:
        raise clob(12, "TWAP order must have TWAP parameters set")
    if not 300 <= twap.duration <= 86_400:
        raise clob(12, f"TWAP order duration {twap.duration} must be between 300 and 86400")
    if not 30 <= twap.interval <= 3_600:
        raise clob(12, f"TWAP order interval {twap.interval} must be between 30 and 3600")
    if twap.duration % twap.interval:
        raise clob(12, "TWAP order duration must be a multiple of the interval")
    if twap.price_tolerance >= 1_000_000:
        raise clob(12, "TWAP order price tolerance must be less than 1000000")


def _cancel(message: MsgCancelOrder) -> None:
    order_id = message.order_id or OrderId()
    subaccount = _subaccount(order_id.subaccount_id)
    name = go_id(subaccount.owner, subaccount.number, order_id.client_id, order_id.order_flags, order_id.clob_pair_id)
    if order_id.order_flags == SHORT_TERM:
        if not message.good_til_block:
            raise clob(5, f"cancellation goodTilBlock cannot be 0, orderId {name}")
    elif order_id.order_flags in _FLAGS:
        if not message.good_til_block_time:
            raise clob(3001, f"stateful cancellation goodTilBlockTime cannot be 0, orderId {name}")
    else:
        raise clob(3000, f"orderId: {name}")


def _batch(message: MsgBatchCancel) -> None:
    _subaccount(message.subaccount_id)
    if not message.good_til_block:
        raise clob(5, "batch cancel goodTilBlock cannot be 0")
    if not message.short_term_cancels:
        raise clob(45, "Batch cancel cannot have zero orders specified.")
    pairs: set[int] = set()
    count = 0
    for batch in message.short_term_cancels:
        if batch.clob_pair_id in pairs:
            raise clob(45, f"Batch cancel cannot have 2 order batches with the same clob pair id: {batch.clob_pair_id}")
        pairs.add(batch.clob_pair_id)
        if not batch.client_ids:
            raise clob(45, "Order Batch cannot have zero client ids.")
        seen: set[int] = set()
        for client_id in batch.client_ids:
            if client_id in seen:
                raise clob(45, f"Batch Cancel Clob pair id {batch.clob_pair_id} has duplicate client ids: {client_id}")
            seen.add(client_id)
        count += len(seen)
    if count > MAX_BATCH:
        raise clob(45, f"Batch cancel cannot have over {MAX_BATCH} orders. Order count: {count}")


def _leverage(message: MsgUpdateLeverage) -> None:
    subaccount = message.subaccount_id or SubaccountId()
    if keys.address_bytes(subaccount.owner) is None:
        raise clob(11001, "subaccount owner is not a valid address")
    if not message.clob_pair_leverage:
        raise clob(11002, "clob pair leverage cannot be empty")
    ids = [entry.clob_pair_id for entry in message.clob_pair_leverage]
    if len(set(ids)) != len(ids):
        raise clob(11002, "duplicate clob pair ids are not allowed")
    if any(entry.custom_imf_ppm == 0 or entry.custom_imf_ppm > 1_000_000 for entry in message.clob_pair_leverage):
        raise clob(11002, "custom imf ppm must be between 1 and 1000000")


def _transfer(message: MsgCreateTransfer) -> None:
    transfer = message.transfer
    sender = _subaccount(transfer.sender if transfer else None)
    recipient = _subaccount(transfer.recipient if transfer else None)
    assert transfer is not None
    if sender == recipient:
        raise Refused("sending", 1)
    if transfer.asset_id != 0:
        raise Refused("sending", 1101)
    if transfer.amount == 0:
        raise Refused("sending", 2)


def _wallet(wallet: str, subaccount: SubaccountId | None, asset: int, amount: int) -> None:
    if keys.address_bytes(wallet) is None:
        raise Refused("sending", 6)
    _subaccount(subaccount)
    if asset != 0:
        raise Refused("sending", 1101)
    if amount == 0:
        raise Refused("sending", 2)


def _send(message: MsgSend) -> None:
    for address in (message.from_address, message.to_address):
        if keys.address_bytes(address) is None:
            raise Refused("sdk", 7, f"invalid address: {address}")
    if not message.amount or any(not is_amount(coin.amount) or int(coin.amount) == 0 for coin in message.amount):
        raise sdk(10, ",".join(coin.amount + coin.denom for coin in message.amount))


def is_amount(given: str) -> bool:
    """Whether a coin's amount is a number of at most 256 bits."""
    return given.isdecimal() and len(given) < 78


# ---- against the state ---------------------------------------------------------------------------


def market_of(world: World, pair: int) -> Market:
    market = world.markets.get(pair)
    if market is None:
        raise clob(8, f"Clob {pair} is not a valid clob")
    return market


def window(world: World, good_til_block: int) -> None:
    """The good-til-block of a short-term message against the next height."""
    height = world.next_height
    if good_til_block < height:
        raise clob(10, f"GoodTilBlock {good_til_block} is less than the current blockHeight {height}")
    if good_til_block > height + SHORT_BLOCK_WINDOW:
        raise clob(
            11,
            f"The GoodTilBlock {good_til_block} exceeds the current blockHeight {height} "
            f"plus ShortBlockWindow {SHORT_BLOCK_WINDOW}",
        )


def against_state(world: World, order: Order) -> None:
    """What every placement must satisfy, before its kind is looked at."""
    market = market_of(world, order.pair)
    spec = market.spec
    if order.subticks % spec.tick:
        raise clob(
            12, f"Order subticks {order.subticks} must be a multiple of the ClobPair's SubticksPerTick {spec.tick}"
        )
    if order.quantums % spec.step:
        raise clob(
            12, f"Order Quantums {order.quantums} must be a multiple of the ClobPair's StepBaseQuantums {spec.step}"
        )
    if market.status == 6:
        raise clob(
            34,
            f"Order {go_order(order)} disallowed, trading is disabled for clob pair with status "
            "STATUS_FINAL_SETTLEMENT",
        )
    if market.status == 5 and not order.is_short_term:
        raise clob(34, f"Order {go_order(order)} must not be stateful for clob pair with status STATUS_INITIALIZING")
    if market.status == 5 and order.time_in_force != 2:
        raise clob(34, f"Order {go_order(order)} must be post-only for clob pair with status STATUS_INITIALIZING")
    if order.is_short_term:
        assert order.good_til_block is not None
        window(world, order.good_til_block)
        return
    assert order.good_til_block_time is not None
    time_window(world, order.good_til_block_time)
    if order.trigger % spec.tick:
        raise clob(
            12,
            f"Conditional order trigger subticks {order.trigger} must be a multiple of the ClobPair's "
            f"SubticksPerTick {spec.step}",
        )


def time_window(world: World, until_s: int) -> None:
    """The good-til-block-time of a placement against the last block's time."""
    before = world.block_time_s
    if until_s <= before:
        raise clob(3003, f"GoodTilBlockTime {until_s} is less than the previous blockTime {before}")
    end = before + STATEFUL_WINDOW_S
    if until_s > end:
        raise clob(
            3004, f"GoodTilBlockTime {until_s} exceeds the previous blockTime plus StatefulOrderTimeWindow {end}"
        )


def cancel_time_window(world: World, message: MsgCancelOrder) -> None:
    until_s = message.good_til_block_time or 0
    if until_s <= world.block_time_s:
        raise clob(3003)
    end = world.block_time_s + STATEFUL_WINDOW_S
    if until_s > end:
        shown = iso(end * 1_000_000_000).replace("T", " ").replace(".000Z", " +0000 UTC")
        raise clob(
            3004,
            f"GoodTilBlockTime {until_s} exceeds the previous blockTime plus StatefulOrderTimeWindow {shown}. "
            f"MsgCancelOrder: {message.order_id}",
        )
