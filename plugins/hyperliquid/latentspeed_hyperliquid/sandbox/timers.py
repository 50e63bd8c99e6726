"""What happens by itself: funding on the hour, liquidations, scheduled cancels and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import admin, engine, ledger, triggers
from .numbers import dollars, shown
from .state import Account, Order

if TYPE_CHECKING:
    from .world import World

HOUR_NS = 3_600_000_000_000
FUNDING_DELAY_NS = 15_000_000
MOST_HOURS = 48  # how many are settled after a jump of the clock
LIQUIDATION_EVERY_NS = 3_000_000_000
PARTIAL_ABOVE = 100_000_000_000  # dollars of 1e-6
PARTIAL_PERCENT = 20


def run(world: World) -> None:
    """Do what the time asks for, after the markets have moved."""
    if any(market.triggers for market in world.markets):
        triggers.fire(world)
    admin.fire_schedules(world)
    hour = (world.now_ns - FUNDING_DELAY_NS) // HOUR_NS
    while world.counters.funding_hour < hour:
        world.counters.funding_hour = max(world.counters.funding_hour + 1, hour - MOST_HOURS)
        world.touch_counters()
        settle_funding(world, world.counters.funding_hour)
    if world.now_ns >= world.next_liquidation_ns:
        world.next_liquidation_ns = world.now_ns + LIQUIDATION_EVERY_NS
        for account in list(world.accounts.values()):
            if account.positions:
                check_liquidation(world, account)
    triggers.after_fills(world)


def settle_funding(world: World, hour: int) -> None:
    """Pay the hour that ended: -size x oracle x rate, longs pay when the rate is positive."""
    elapsed = world.elapsed()
    time_ms = max((hour * HOUR_NS + FUNDING_DELAY_NS) // 1_000_000, 0)
    for account in world.accounts.values():
        for asset, position in sorted(account.positions.items()):
            market = world.markets[asset]
            rate = market.funding_rate(hour - 1)
            paid = ledger.funding_payment(position, market.oracle(elapsed, hour - 1), rate)
            if position.isolated:
                position.isolated_raw += paid
            else:
                account.cash += paid
            position.funding_all += paid
            position.funding_open += paid
            position.funding_change += paid
            delta: dict[str, object] = {
                "type": "funding",
                "coin": market.name,
                "usdc": dollars(paid),
                "szi": shown(position.size),
                "fundingRate": shown(rate, 10),
                "nSamples": None,
            }
            world.add_history(account.address, "funding", delta, time_ms=time_ms)
            event = {name: value for name, value in delta.items() if name != "type"}
            world.news.events.append((account.address, {"funding": {"time": time_ms, **event}}))
            world.touch(account)


# ---- liquidation ---------------------------------------------------------------------------------


def check_liquidation(world: World, account: Account) -> None:
    """Close what the margin no longer carries: cross positions together, isolated ones each for itself."""
    elapsed = world.elapsed()
    summary = ledger.Summary(world, account)
    if summary.maintenance > summary.value:
        cross = [asset for asset, position in account.positions.items() if not position.isolated]
        _liquidate(world, account, cross, summary.value, "Cross")
    for asset, position in list(account.positions.items()):
        if position.isolated:
            market = world.markets[asset]
            signed = ledger.value_of(position.size, market.mark(elapsed))
            equity = position.isolated_raw + signed
            if equity < ledger.maintenance(market.spec, abs(signed)):
                _liquidate(world, account, [asset], equity, "Isolated")


def _liquidate(world: World, account: Account, assets: list[int], value: int, kind: str) -> None:
    elapsed = world.elapsed()
    for order in list(world.user_orders(account.address).live.values()):
        if order.asset in assets:
            engine.cancel(world, world.markets[order.asset], order, "liquidatedCanceled")
    world.next_action()
    total = 0
    closed: list[dict[str, str]] = []
    for asset in assets:
        market = world.markets[asset]
        position = account.positions[asset]
        mark = market.mark(elapsed)
        worth = abs(ledger.value_of(position.size, mark))
        total += worth
        size = abs(position.size)
        partial = worth > PARTIAL_ABOVE and world.now_ms - world.partial_liquidations.get(account.address, 0) > 30_000
        if partial:
            size = max(size * PARTIAL_PERCENT // 100 // market.spec.lot, 1) * market.spec.lot
            world.partial_liquidations[account.address] = world.now_ms
        closed.append({"coin": market.name, "szi": shown(position.size)})
        _close(world, account, asset, size, mark)
    delta: dict[str, object] = {
        "type": "liquidation",
        "liquidatedNtlPos": dollars(total),
        "accountValue": dollars(value),
        "leverageType": kind,
        "liquidatedPositions": closed,
    }
    row = world.add_history(account.address, "ledger", delta)
    event: dict[str, object] = {
        "lid": row.number,
        "liquidator": "0x" + "0" * 40,
        "liquidated_user": account.address,
        "liquidated_ntl_pos": dollars(total),
        "liquidated_account_value": dollars(value),
    }
    world.news.events.append((account.address, {"liquidation": event}))
    world.touch(account)


def _close(world: World, account: Account, asset: int, size: int, mark: int) -> None:
    """A market order of the system against the book, at whatever the book pays."""
    market = world.markets[asset]
    is_buy = account.positions[asset].size < 0
    order = Order(
        oid=world.next_oid(),
        user=account.address,
        asset=asset,
        coin=market.name,
        is_buy=is_buy,
        px=mark * 2 if is_buy else market.spec.px_unit,
        sz=size,
        orig_sz=size,
        reduce_only=True,
        tif="LiquidationMarket",
        created_ms=world.now_ms,
        kind="Market",
    )
    world.remember(order)
    world.liquidating = {"liquidatedUser": account.address, "markPx": shown(mark), "method": "market"}
    try:
        engine.take(world, market, order, order.px)
    finally:
        world.liquidating = None
    world.set_status(order, "filled" if order.filled else "canceled", sz=0)
