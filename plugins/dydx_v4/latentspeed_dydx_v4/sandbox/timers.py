"""What comes with the clock: hourly funding, and liquidation of subaccounts below their maintenance margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import engine, ledger
from .numbers import ceil_div
from .state import IOC, Order, Paid

if TYPE_CHECKING:
    from .world import World

HOUR_NS = 3_600_000_000_000
RATE_ONE = 10**9
LIQUIDATION_FEE_BOUND_PPM = 100_000


def run(world: World) -> None:
    """End of block: funding when an hour is over."""
    hour = world.counters.block_time_ns // HOUR_NS
    if hour > world.counters.funding_hour:
        settle_funding(world, hour)


def settle_funding(world: World, hour: int) -> None:
    """Pay the hour that ends at `hour`. Longs pay a positive rate; the chain rounds against the subaccount."""
    world.counters.funding_hour = hour
    for key in sorted(world.subaccounts):
        subaccount = world.subaccounts[key]
        for pair, size in ledger.sizes_of(subaccount).items():
            rate = world.markets[pair].funding_rate(hour - 1)
            price = world.oracle(pair)
            owed = ceil_div(size * price * rate, ledger.QUOTE_ONE * RATE_ONE)
            if owed:
                ledger.pay(world, subaccount, -owed)
            world.items.append(Paid(subaccount.owner, subaccount.number, pair, size, rate, price, -owed))


def liquidate(world: World) -> None:
    """After a block: positions of a subaccount below maintenance are sold into the book, worst first.

    Simplified: no insurance fund and no deleveraging; what the book does not take stays until the next block.
    """
    for key in sorted(world.subaccounts):
        subaccount = world.subaccounts[key]
        if not subaccount.positions:
            continue
        risk = ledger.risk_of(world, subaccount)
        if risk.net >= risk.maintenance:
            continue
        sizes = ledger.sizes_of(subaccount)
        pair = max(sizes, key=lambda pair: (abs(ledger.notional(sizes[pair], world.oracle(pair))), -pair))
        price, tick = world.oracle(pair), world.markets[pair].spec.tick
        is_buy = sizes[pair] < 0
        bound = price * LIQUIDATION_FEE_BOUND_PPM // 1_000_000
        order = Order(
            owner=subaccount.owner,
            number=subaccount.number,
            client_id=0,
            flags=0,
            pair=pair,
            is_buy=is_buy,
            quantums=abs(sizes[pair]),
            subticks=max((price + bound if is_buy else price - bound) // tick * tick, tick),
            time_in_force=IOC,
        )
        engine.liquidate(world, order)
