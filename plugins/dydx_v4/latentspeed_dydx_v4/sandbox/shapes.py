"""The JSON the indexer shows: rows as in REST, and as in messages of v4_subaccounts (sections 7.3, 8.3)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from . import rows
from .numbers import decimal, iso, plain, text, usdc
from .rows import FillRow, OrderRow, PaymentRow, PositionRow, SubaccountRow, TransferRow
from .state import IOC, LONG_TERM, POST_ONLY, SHORT_TERM, STOP_LOSS, Order

if TYPE_CHECKING:
    from .world import World

REASON = "ORDER_REMOVAL_REASON_"
RATE_EXPONENT = -9


def side(is_buy: bool) -> str:
    return "BUY" if is_buy else "SELL"


# ---- orders --------------------------------------------------------------------------------------


def order_type(order: Order) -> str:
    """A market order is LIMIT too."""
    if order.flags in (SHORT_TERM, LONG_TERM) or not order.condition:
        return "LIMIT"
    return "STOP_LIMIT" if order.condition == STOP_LOSS else "TAKE_PROFIT"


def _terms(world: World, order: Order) -> dict[str, Any]:
    """What a placement fixed."""
    spec = world.markets[order.pair].spec
    found: dict[str, Any] = {
        "id": rows.id_of(order),
        "subaccountId": rows.subaccount_id(order.owner, order.number),
        "clientId": str(order.client_id),
        "clobPairId": str(order.pair),
        "side": side(order.is_buy),
        "size": spec.size(order.quantums),
        "price": spec.price(order.subticks),
        "type": order_type(order),
        "timeInForce": "IOC" if order.time_in_force == IOC else "GTT",
        "postOnly": order.time_in_force == POST_ONLY,
        "reduceOnly": order.reduce_only,
        "orderFlags": str(order.flags),
        "ticker": spec.ticker,
        "clientMetadata": str(order.client_metadata),
    }
    if order.good_til_block is not None:
        found["goodTilBlock"] = str(order.good_til_block)
    if order.good_til_block_time is not None:
        found["goodTilBlockTime"] = iso(order.good_til_block_time * 1_000_000_000)
    if order.trigger:
        found["triggerPrice"] = spec.price(order.trigger)
    if order.builder:
        found["builderAddress"] = order.builder
        found["feePpm"] = str(order.builder_fee_ppm)
    return found


def rest_order(world: World, order: Order, row: OrderRow | None) -> dict[str, Any]:
    """A row of /v4/orders: from the database, from the cache, or status from the one and terms from the other."""
    found = _terms(world, order)
    found["status"] = row.status if row else "BEST_EFFORT_OPENED"
    found["totalFilled"] = world.markets[order.pair].spec.size(row.filled if row else 0)
    if row is not None:
        found["createdAtHeight"] = str(row.created_height)
        found["updatedAt"] = iso(row.updated_ns)
        found["updatedAtHeight"] = str(row.updated_height)
    found["subaccountNumber"] = order.number
    return found


def ws_order(
    world: World,
    order: Order,
    row: OrderRow | None,
    *,
    status: str,
    reason: str | None = None,
    onchain: bool = False,
    filled: int | None = None,
    optimistic: int | None = None,
) -> dict[str, Any]:
    """An order in a message. onchain: with the times of the row; a fill's message has null for what does not apply."""
    spec = world.markets[order.pair].spec
    found = _terms(world, order)
    found["status"] = status
    if onchain and filled is not None and reason is None:
        found = {"goodTilBlock": None, "goodTilBlockTime": None, "triggerPrice": None, **found}
    if filled is not None:
        found["totalFilled"] = spec.size(filled)
    if optimistic is not None:
        found["totalOptimisticFilled"] = spec.size(optimistic)
    if reason is not None:
        found["removalReason"] = REASON + reason
    if row is not None:
        found["createdAtHeight"] = str(row.created_height)
        found["updatedAt"] = iso(row.updated_ns)
        found["updatedAtHeight"] = str(row.updated_height)
    return found


def bare_order(world: World, order: Order, status: str, reason: str) -> dict[str, Any]:
    """The removal of an order the indexer no longer knows."""
    return {
        "id": rows.id_of(order),
        "subaccountId": rows.subaccount_id(order.owner, order.number),
        "clientId": str(order.client_id),
        "clobPairId": str(order.pair),
        "orderFlags": str(order.flags),
        "ticker": world.markets[order.pair].spec.ticker,
        "status": status,
        "removalReason": REASON + reason,
    }


# ---- fills ---------------------------------------------------------------------------------------


def _fill(world: World, fill: FillRow) -> dict[str, Any]:
    spec = world.markets[fill.pair].spec
    found: dict[str, Any] = {
        "id": fill.id,
        "side": side(fill.is_buy),
        "liquidity": "TAKER" if fill.is_taker else "MAKER",
        "type": fill.kind,
        "price": spec.price(fill.price),
        "size": spec.size(fill.size),
        "fee": usdc(fill.fee),
        "affiliateRevShare": "0",
        "createdAt": iso(fill.time_ns),
        "createdAtHeight": str(fill.height),
    }
    if fill.order is not None:
        found["orderId"] = fill.order
        found["clientMetadata"] = str(fill.metadata)
    if fill.builder:
        found["builderFee"] = usdc(fill.builder_fee)
        found["builderAddress"] = fill.builder
    return found


def rest_fill(world: World, fill: FillRow) -> dict[str, Any]:
    spec = world.markets[fill.pair].spec
    found = {
        **_fill(world, fill),
        "market": spec.ticker,
        "marketType": "PERPETUAL",
        "subaccountNumber": fill.number,
        "positionSizeBefore": spec.size(abs(fill.before)),
    }
    if fill.before:
        found["entryPriceBefore"] = fill.entry_before
        found["positionSideBefore"] = "LONG" if fill.before > 0 else "SHORT"
    return found


def ws_fill(world: World, fill: FillRow) -> dict[str, Any]:
    spec = world.markets[fill.pair].spec
    return {
        **_fill(world, fill),
        "subaccountId": rows.subaccount_id(fill.owner, fill.number),
        "clobPairId": str(fill.pair),
        "quoteAmount": usdc(fill.quote),
        "eventId": fill.event,
        "transactionHash": fill.tx_hash,
        "ticker": spec.ticker,
    }


# ---- positions and subaccounts -------------------------------------------------------------------


def _pnl(world: World, row: PositionRow) -> tuple[str, str]:
    """(realised, unrealised): realised has the funding in it."""
    spec = world.markets[row.pair].spec
    sign = 1 if row.is_long else -1
    entry, exit_ = Decimal(row.entry), Decimal(row.exit or "0")
    closed = decimal(row.closed, spec.atomic_resolution)
    realised = (exit_ - entry) * sign * closed + decimal(row.net_funding, -6)
    oracle = decimal(world.oracle(row.pair), spec.price_exponent)
    unrealised = (oracle - entry) * decimal(row.size, spec.atomic_resolution)
    return text(realised), text(unrealised)


def _position(world: World, row: PositionRow) -> dict[str, Any]:
    spec = world.markets[row.pair].spec
    return {
        "market": spec.ticker,
        "status": row.status,
        "side": "LONG" if row.is_long else "SHORT",
        "size": spec.size(row.size),
        "maxSize": spec.size(row.max_size),
        "entryPrice": row.entry,
        "exitPrice": row.exit,
        "sumOpen": spec.size(row.opened),
        "sumClose": spec.size(row.closed),
        "netFunding": usdc(row.net_funding),
    }


def rest_position(world: World, row: PositionRow) -> dict[str, Any]:
    realised, unrealised = _pnl(world, row)
    return {
        **_position(world, row),
        "realizedPnl": realised,
        "unrealizedPnl": unrealised,
        "createdAt": iso(row.created_ns),
        "createdAtHeight": str(row.created_height),
        "closedAt": None if row.closed_ns is None else iso(row.closed_ns),
        "subaccountNumber": row.number,
    }


def ws_position(world: World, row: PositionRow, *, with_pnl: bool) -> dict[str, Any]:
    found = {
        "address": row.owner,
        "subaccountNumber": row.number,
        "positionId": row.id,
        **_position(world, row),
    }
    if with_pnl:
        found["realizedPnl"], found["unrealizedPnl"] = _pnl(world, row)
    return found


def asset(number: int, amount: int) -> dict[str, Any]:
    """A REST asset position; debt is SHORT with a positive size."""
    return {
        "symbol": "USDC",
        "side": "LONG" if amount >= 0 else "SHORT",
        "size": usdc(abs(amount)),
        "assetId": "0",
        "subaccountNumber": number,
    }


def ws_asset(owner: str, number: int, amount: int) -> dict[str, Any]:
    name = rows.named(f"{rows.subaccount_id(owner, number)}-0")
    return {"address": owner, "positionId": name, **asset(number, amount)}


def equity(world: World, row: SubaccountRow) -> tuple[Decimal, Decimal]:
    """(equity, free collateral) at the oracle prices, exact."""
    total, held = decimal(row.usdc, -6), Decimal(0)
    for pair, size in row.sizes.items():
        market = world.markets[pair]
        worth = decimal(size, market.spec.atomic_resolution) * decimal(world.oracle(pair), market.spec.price_exponent)
        total += worth
        held += abs(worth) * decimal(market.initial_ppm(world.hour(), world.oracle(pair)), -6)
    return total, total - held


def subaccount(world: World, row: SubaccountRow, positions: Iterable[PositionRow], height: int) -> dict[str, Any]:
    """height: of the last block the indexer has processed."""
    total, free = equity(world, row)
    return {
        "address": row.owner,
        "subaccountNumber": row.number,
        "equity": text(total),
        "freeCollateral": text(free),
        "openPerpetualPositions": {
            world.markets[position.pair].spec.ticker: rest_position(world, position) for position in positions
        },
        "assetPositions": {"USDC": asset(row.number, row.usdc)} if row.usdc else {},
        "marginEnabled": True,
        "updatedAtHeight": str(row.updated_height),
        "latestProcessedBlockHeight": str(height),
    }


# ---- money ---------------------------------------------------------------------------------------


def _end(address: str, number: int | None) -> dict[str, Any]:
    return {"address": address} if number is None else {"address": address, "subaccountNumber": number}


def _transfer(row: TransferRow, owner: str, number: int) -> dict[str, Any]:
    is_in = (row.recipient, row.recipient_number) == (owner, number)
    if row.sender_number is None:
        kind = "DEPOSIT"
    elif row.recipient_number is None:
        kind = "WITHDRAWAL"
    else:
        kind = "TRANSFER_IN" if is_in else "TRANSFER_OUT"
    return {
        "sender": _end(row.sender, row.sender_number),
        "recipient": _end(row.recipient, row.recipient_number),
        "size": usdc(row.size),
        "createdAt": iso(row.time_ns),
        "createdAtHeight": str(row.height),
        "symbol": "USDC",
        "type": kind,
        "transactionHash": row.tx_hash,
    }


def rest_transfer(row: TransferRow, owner: str, number: int) -> dict[str, Any]:
    return {"id": row.id, **_transfer(row, owner, number)}


def ws_transfer(row: TransferRow, owner: str, number: int) -> dict[str, Any]:
    return _transfer(row, owner, number)


def payment(world: World, row: PaymentRow) -> dict[str, Any]:
    spec = world.markets[row.pair].spec
    return {
        "createdAt": iso(row.time_ns),
        "createdAtHeight": str(row.height),
        "perpetualId": str(row.pair),
        "ticker": spec.ticker,
        "oraclePrice": spec.price(row.price),
        "size": spec.size(row.size),
        "side": "LONG" if row.size > 0 else "SHORT",
        "rate": plain(row.rate, RATE_EXPONENT),
        "payment": usdc(row.payment),
        "subaccountNumber": row.number,
        "fundingIndex": "0",
    }
