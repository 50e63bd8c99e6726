"""What the local chain lists: real markets with their real parameters, at prices of late 2026.

Chain parameters are those of the live venue (fact sheet section 6, recording of August 2024). Coins that the local
Hyperliquid lists too take the same path there: same seed, same name, same base price.
"""

from __future__ import annotations

import msgspec

from .numbers import plain, units

QUANTUM_CONVERSION_EXPONENT = -9
USDC_DENOM = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
NATIVE_DENOM = "adv4tnt"
CHAIN_ID = "localdydxprotocol"

ACTIVE, INITIALIZING, FINAL_SETTLEMENT = 1, 5, 6
STATUS_NAMES = {1: "ACTIVE", 2: "PAUSED", 3: "CANCEL_ONLY", 4: "POST_ONLY", 5: "INITIALIZING", 6: "FINAL_SETTLEMENT"}


class LiquidityTier(msgspec.Struct, frozen=True):
    """Margin of a class of markets: ppm, ppm of the initial margin, and open-interest caps in quote quantums."""

    id: int
    name: str
    initial_ppm: int
    maintenance_ppm: int
    impact_notional: int
    lower_cap: int
    upper_cap: int


_M = 1_000_000_000_000  # a million USDC in quote quantums
LIQUIDITY_TIERS: tuple[LiquidityTier, ...] = (
    LiquidityTier(0, "Large-Cap", 20_000, 600_000, 10_000_000_000, 0, 0),
    LiquidityTier(1, "Small-Cap", 100_000, 500_000, 5_000_000_000, 20 * _M, 50 * _M),
    LiquidityTier(2, "Long-Tail", 200_000, 500_000, 2_500_000_000, 5 * _M, 10 * _M),
    LiquidityTier(3, "Safety", 1_000_000, 200_000, 2_500_000_000, 2 * _M, 5 * _M),
    LiquidityTier(4, "Isolated", 50_000, 600_000, 2_500_000_000, _M // 2, _M),
    LiquidityTier(5, "Mid-Cap", 50_000, 600_000, 10_000_000_000, 40 * _M, 100 * _M),
    LiquidityTier(6, "FX", 10_000, 500_000, 2_500_000_000, _M // 2, _M),
)


class MarketSpec(msgspec.Struct, frozen=True):
    """One perpetual market. base_price in subticks; volume, interest: coins a day and coins open.

    path: the name under which its price path is seeded.
    """

    pair: int
    ticker: str
    path: str
    atomic_resolution: int
    step: int
    tick: int
    tier: LiquidityTier
    base_price: int
    volume: int
    interest: int
    volatility_ppm: int
    spread_ticks: int
    status: int = ACTIVE
    isolated: bool = False

    @property
    def price_exponent(self) -> int:
        """price = subticks x 10^this; also the exponent of the oracle price."""
        return QUANTUM_CONVERSION_EXPONENT - 6 - self.atomic_resolution

    def size(self, quantums: int) -> str:
        return plain(quantums, self.atomic_resolution)

    def price(self, subticks: int) -> str:
        return plain(subticks, self.price_exponent)

    def quantums(self, coins: int) -> int:
        """Whole coins in quantums, to whole steps, at least one."""
        exact = units(str(coins), self.atomic_resolution) if self.atomic_resolution <= 0 else coins // 10
        return max(exact // self.step, 1) * self.step


def _market(
    pair: int,
    coin: str,
    resolution: int,
    tick: int,
    tier: int,
    price: str,
    volume: int,
    interest: int,
    ppm: int,
    spread: int = 1,
    *,
    path: str | None = None,
    status: int = ACTIVE,
    isolated: bool = False,
) -> MarketSpec:
    base = units(price, QUANTUM_CONVERSION_EXPONENT - 6 - resolution)
    return MarketSpec(
        pair,
        f"{coin}-USD",
        path or coin,
        resolution,
        1_000_000,
        tick,
        LIQUIDITY_TIERS[tier],
        base,
        volume,
        interest,
        ppm,
        spread,
        status,
        isolated,
    )


MARKETS: tuple[MarketSpec, ...] = (
    _market(0, "BTC", -10, 100_000, 0, "84012", 36_000, 700, 24_000),
    _market(1, "ETH", -9, 100_000, 0, "2912.4", 720_000, 16_000, 34_000),
    _market(2, "LINK", -6, 1_000_000, 1, "13.082", 3_400_000, 90_000, 45_000, 2),
    _market(3, "MATIC", -5, 1_000_000, 1, "0.3791", 1, 1, 1, status=FINAL_SETTLEMENT),
    _market(5, "SOL", -7, 1_000_000, 5, "138.27", 4_100_000, 92_000, 42_000),
    _market(6, "ADA", -5, 1_000_000, 1, "0.4107", 60_000_000, 2_100_000, 44_000, 2),
    _market(7, "AVAX", -7, 1_000_000, 1, "14.183", 2_100_000, 62_000, 46_000, 2),
    _market(9, "LTC", -7, 1_000_000, 1, "84.61", 210_000, 4_800, 36_000),
    _market(10, "DOGE", -4, 1_000_000, 1, "0.14583", 620_000_000, 10_200_000, 48_000, 2),
    _market(11, "ATOM", -6, 1_000_000, 1, "2.4371", 1_900_000, 48_000, 45_000, 2),
    _market(24, "ARB", -6, 1_000_000, 2, "0.21463", 41_000_000, 1_200_000, 55_000, 3),
    _market(28, "PEPE", 1, 1_000_000, 1, "0.000004871", 11_000_000_000_000, 180_000_000_000, 60_000, path="kPEPE"),
    _market(30, "SHIB", 0, 1_000_000, 1, "0.000008412", 900_000_000_000, 30_000_000_000, 52_000),
    _market(31, "SUI", -5, 1_000_000, 1, "1.6231", 33_000_000, 840_000, 54_000, 2),
    _market(32, "XRP", -5, 1_000_000, 1, "2.1146", 71_000_000, 1_160_000, 38_000),
    _market(37, "BNB", -8, 1_000_000, 1, "871.2", 60_000, 1_500, 28_000, 2),
    _market(63, "DYDX", -6, 1_000_000, 2, "0.19214", 9_000_000, 240_000, 55_000, 3),
    # A market whose position must be alone in a subaccount (section 11.4).
    _market(127, "ISO", -6, 1_000_000, 4, "1.25", 400_000, 20_000, 60_000, 2, isolated=True),
)
BY_PAIR: dict[int, MarketSpec] = {spec.pair: spec for spec in MARKETS}
BY_TICKER: dict[str, MarketSpec] = {spec.ticker: spec for spec in MARKETS}
