"""Block rate limits and equity tiers. The venue's figures are multiplied by the scenario's factor; None: no limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ledger
from .refusals import clob, go_order_id, go_subaccount

if TYPE_CHECKING:
    from .state import Order
    from .world import World

# (blocks, messages): section 11.5; the short-term figure is that of the test genesis.
STATEFUL = ((1, 2), (100, 20))
SHORT_TERM = ((1, 400),)
LEVERAGE = ((1, 10),)
STATEFUL_NAME = "MaxStatefulOrdersPerNBlocks"
SHORT_TERM_NAME = "MaxShortTermOrdersAndCancelsPerNBlocks"
LEVERAGE_NAME = "MaxLeverageUpdatesPerNBlocks"
_USDC = 10**6
# (net collateral in quote quantums, open stateful orders)
EQUITY_TIERS = (
    (0, 0),
    (20 * _USDC, 10),
    (100 * _USDC, 20),
    (1_000 * _USDC, 40),
    (10_000 * _USDC, 100),
    (50_000 * _USDC, 200),
)


class BlockRate:
    """Counts messages per account over windows of blocks. It forgets at a restart, as a node does."""

    def __init__(self, name: str, rules: tuple[tuple[int, int], ...], factor: int | None) -> None:
        self.name = name
        self.rules = () if factor is None else tuple((blocks, limit * factor) for blocks, limit in rules)
        self._counts: dict[str, dict[int, int]] = {}

    def count(self, owner: str, height: int, amount: int = 1) -> None:
        """Count messages of an account at a height. Raises Refused (5001) once a window is over its limit."""
        if not self.rules:
            return
        counts = self._counts.setdefault(owner, {})
        counts[height] = counts.get(height, 0) + amount
        longest = max(blocks for blocks, _ in self.rules)
        for old in [known for known in counts if known <= height - longest]:
            del counts[old]
        several = any(blocks > 1 for blocks, _ in self.rules)
        for blocks, limit in self.rules:
            rate = sum(number for known, number in counts.items() if known > height - blocks)
            if rate > limit:
                raise clob(
                    5001,
                    f"Rate of {rate} exceeds configured block rate limit of {{NumBlocks:{blocks} Limit:{limit}}} for "
                    f"{self.name} and {'' if several else 'key '}{owner}",
                )


class RateLimits:
    """The three limiters of a node."""

    def __init__(self, factor: int | None) -> None:
        self.stateful = BlockRate(STATEFUL_NAME, STATEFUL, factor)
        self.short_term = BlockRate(SHORT_TERM_NAME, SHORT_TERM, factor)
        self.leverage = BlockRate(LEVERAGE_NAME, LEVERAGE, factor)


def tiers(factor: int | None) -> tuple[tuple[int, int], ...]:
    """(net collateral, limit), lowest first; no rows without limits."""
    return () if factor is None else tuple((usd, limit * factor) for usd, limit in EQUITY_TIERS)


def equity_tier(world: World, order: Order) -> None:
    """Raises Refused (10001) when the subaccount has as many open stateful orders as its collateral allows."""
    known = tiers(world.scenario.limits_factor)
    if not known:
        return
    subaccount = world.subaccount(order.owner, order.number)
    net = ledger.risk_of(world, subaccount).net
    limit = max((number for usd, number in known if net >= usd), default=0)
    if limit == 0:
        raise clob(
            10001,
            f"Opening order would exceed equity tier limit of 0, for subaccount "
            f"{go_subaccount(order.owner, order.number)} with net collateral {net}",
        )
    mine = order.subaccount
    count = sum(
        1 for kept in (world.stateful, world.uncommitted) for other in kept.values() if other.subaccount == mine
    )
    if count >= limit:
        raise clob(
            10001,
            f"Opening order would exceed equity tier limit of {limit}. Order count: {count}, total net collateral: "
            f"<nil>, order id: {go_order_id(order)}",
        )
