"""What the local venue lists: real names, size decimals and leverage limits, and prices as of late 2026.

The first eight perps stand at their mainnet ids, the delisted one included, because ids count every entry.
"""

from __future__ import annotations

import msgspec

from .numbers import E8

MAX_DECIMALS = 6


class PerpSpec(msgspec.Struct, frozen=True):
    """One perp. base_price in dollars x 1e8; volume: typical daily coins traded, interest: coins open."""

    asset: int
    name: str
    sz_decimals: int
    max_leverage: int
    margin_table: int
    base_price: int
    volume: int
    interest: int
    volatility_ppm: int
    spread_ticks: int = 1
    delisted: bool = False

    @property
    def px_decimals(self) -> int:
        return MAX_DECIMALS - self.sz_decimals

    @property
    def lot(self) -> int:
        """The smallest size, in 1e-8."""
        return int(10 ** (8 - self.sz_decimals))

    @property
    def px_unit(self) -> int:
        """The smallest step of a price this market shows, in 1e-8."""
        return int(10 ** (8 - self.px_decimals))

    def tick_size(self, price: int) -> int:
        """Distance of legal order prices near a price: five significant figures, the market's decimals, integers."""
        return min(max(int(10 ** (len(str(price)) - 5)) if price >= 10_000 else 1, self.px_unit), E8)


def _perp(
    asset: int,
    name: str,
    sz: int,
    leverage: int,
    table: int,
    price: str,
    volume: int,
    interest: int,
    ppm: int,
    ticks: int,
) -> PerpSpec:
    whole, _, fraction = price.partition(".")
    base = int(whole) * E8 + int(fraction.ljust(8, "0"))
    return PerpSpec(asset, name, sz, leverage, table, base, volume, interest, ppm, ticks, delisted=volume == 0)


PERPS: tuple[PerpSpec, ...] = (
    _perp(0, "BTC", 5, 40, 56, "84012.0", 36_000, 36_800, 24_000, 1),
    _perp(1, "ETH", 4, 25, 55, "2912.4", 720_000, 976_000, 34_000, 1),
    _perp(2, "ATOM", 2, 5, 5, "2.4371", 1_900_000, 2_400_000, 45_000, 2),
    _perp(3, "MATIC", 1, 20, 20, "0.3791", 0, 0, 1, 1),
    _perp(4, "DYDX", 1, 5, 5, "0.19214", 9_000_000, 12_000_000, 55_000, 3),
    _perp(5, "SOL", 2, 20, 54, "138.27", 4_100_000, 4_600_000, 42_000, 1),
    _perp(6, "AVAX", 2, 10, 52, "14.183", 2_100_000, 3_100_000, 46_000, 2),
    _perp(7, "BNB", 3, 10, 51, "871.2", 60_000, 75_000, 28_000, 2),
    _perp(8, "LTC", 2, 10, 52, "84.61", 210_000, 240_000, 36_000, 1),
    _perp(9, "ARB", 1, 10, 51, "0.21463", 41_000_000, 62_000_000, 55_000, 3),
    _perp(10, "DOGE", 0, 10, 52, "0.14583", 620_000_000, 510_000_000, 48_000, 2),
    _perp(11, "SUI", 1, 10, 52, "1.6231", 33_000_000, 42_000_000, 54_000, 2),
    _perp(12, "LINK", 1, 10, 52, "13.082", 3_400_000, 4_900_000, 45_000, 2),
    _perp(13, "XRP", 0, 20, 53, "2.1146", 71_000_000, 58_000_000, 38_000, 1),
    _perp(14, "HYPE", 2, 10, 52, "38.415", 9_300_000, 21_000_000, 52_000, 1),
    _perp(15, "kPEPE", 0, 10, 52, "0.004871", 11_000_000_000, 9_000_000_000, 60_000, 1),
)
BY_NAME: dict[str, PerpSpec] = {spec.name: spec for spec in PERPS}

FIRST_TABLE = 50
# Table id -> description and tiers (lower bound in dollars, leverage). Ids below 50 are a single tier of that leverage.
MARGIN_TABLES: dict[int, tuple[str, tuple[tuple[int, int], ...]]] = {
    50: ("", ((0, 50),)),
    51: ("tiered 10x", ((0, 10), (3_000_000, 5))),
    52: ("tiered 10x (2)", ((0, 10), (20_000_000, 5))),
    53: ("tiered 20x", ((0, 20), (40_000_000, 10))),
    54: ("tiered 20x (2)", ((0, 20), (70_000_000, 10))),
    55: ("tiered 25x", ((0, 25), (100_000_000, 15))),
    56: ("tiered 40x", ((0, 40), (150_000_000, 20))),
}


def tiers(spec: PerpSpec) -> tuple[tuple[int, int], ...]:
    """(lower bound in dollars, maximum leverage) of each margin tier."""
    if spec.margin_table < FIRST_TABLE:
        return ((0, spec.margin_table),)
    return MARGIN_TABLES[spec.margin_table][1]


def meta(delisted: frozenset[str]) -> dict[str, object]:
    """`{"type": "meta"}`. delisted: names delisted by the control API."""
    universe = []
    for spec in PERPS:
        entry: dict[str, object] = {
            "szDecimals": spec.sz_decimals,
            "name": spec.name,
            "maxLeverage": spec.max_leverage,
            "marginTableId": spec.margin_table,
        }
        if spec.delisted or spec.name in delisted:
            entry["isDelisted"] = True
        universe.append(entry)
    return {"universe": universe, "marginTables": margin_tables(), "collateralToken": 0}


def margin_tables() -> list[tuple[int, dict[str, object]]]:
    """Ids and tables, as `marginTables` lists them."""
    return [
        (
            number,
            {
                "description": description,
                "marginTiers": [{"lowerBound": f"{bound}.0", "maxLeverage": leverage} for bound, leverage in rows],
            },
        )
        for number, (description, rows) in MARGIN_TABLES.items()
    ]


USDC_TOKEN = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"

# name, size decimals, wei decimals, index, token id, canonical
_TOKENS = (
    ("USDC", 8, 8, 0, "0x6d1e7cde53ba9467b783cb7c530ce054", True),
    ("PURR", 0, 5, 1, "0xc1fb593aeffbeb02f85e0308e9956a90", True),
    ("HYPE", 2, 8, 150, "0x0d01dc56dcaaca66ad901c959b4011ec", False),
)
# name, base token, quote token, pair index, canonical, price
_PAIRS = (("PURR/USDC", 1, 0, 0, True, "0.14821"), ("@107", 150, 0, 107, False, "38.42"))


def spot_meta() -> dict[str, object]:
    """`{"type": "spotMeta"}`. Listed so that clients start; the sandbox does not trade spot."""
    return {
        "universe": [
            {"tokens": [base, quote], "name": name, "index": index, "isCanonical": canonical}
            for name, base, quote, index, canonical, _ in _PAIRS
        ],
        "tokens": [
            {
                "name": name,
                "szDecimals": size,
                "weiDecimals": wei,
                "index": index,
                "tokenId": token,
                "isCanonical": canonical,
                "evmContract": None,
                "fullName": None,
                "deployerTradingFeeShare": "0.0",
            }
            for name, size, wei, index, token, canonical in _TOKENS
        ],
    }


def spot_contexts() -> list[dict[str, object]]:
    """Contexts of the spot pairs, by `coin`."""
    return [
        {
            "prevDayPx": price,
            "dayNtlVlm": "0.0",
            "markPx": price,
            "midPx": None,
            "circulatingSupply": "596400647.8",
            "coin": name,
            "totalSupply": "596400654.3",
            "dayBaseVlm": "0.0",
        }
        for name, _, _, _, _, price in _PAIRS
    ]


SPOT_NAMES = frozenset(pair[0] for pair in _PAIRS)
