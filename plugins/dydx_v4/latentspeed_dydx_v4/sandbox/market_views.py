"""Market data of the indexer: markets, books, trades, candles, funding (section 7.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from latentspeed_cli.sandbox.flow import mix

from .market import Market, Trade
from .numbers import decimal, iso, plain, text, usdc
from .params import Query, not_found, paged, ticker
from .shapes import RATE_EXPONENT
from .universe import STATUS_NAMES

if TYPE_CHECKING:
    from .indexer import Indexer
    from .world import World

NS_PER_S = 1_000_000_000
HOUR_NS = 3_600 * NS_PER_S
RESOLUTIONS = {
    "1MIN": 60 * NS_PER_S,
    "5MINS": 300 * NS_PER_S,
    "15MINS": 900 * NS_PER_S,
    "30MINS": 1_800 * NS_PER_S,
    "1HOUR": HOUR_NS,
    "4HOURS": 4 * HOUR_NS,
    "1DAY": 24 * HOUR_NS,
}
SAMPLES = 4
BOOK_DEPTH = 100


def _ppm(value: int) -> str:
    return plain(value, -6)


def market(world: World, found: Market) -> dict[str, Any]:
    """One entry of perpetualMarkets."""
    spec, hour = found.spec, world.hour()
    oracle = world.oracle(found.pair)
    volume = found.day_volume(hour)
    tier = spec.tier
    interest = spec.size(found.open_interest(hour))
    return {
        "clobPairId": str(spec.pair),
        "ticker": spec.ticker,
        "status": STATUS_NAMES[found.status],
        "oraclePrice": spec.price(oracle),
        "priceChange24H": spec.price(oracle - found.day_ago(world.elapsed())),
        "volume24H": usdc(volume * oracle // 10**9),
        "trades24H": volume // max(found.flow.market.trade, 1),
        "nextFundingRate": plain(found.funding_rate(hour), RATE_EXPONENT),
        "initialMarginFraction": _ppm(tier.initial_ppm),
        "maintenanceMarginFraction": text(decimal(tier.initial_ppm * tier.maintenance_ppm, -12)),
        "openInterest": interest,
        "atomicResolution": spec.atomic_resolution,
        "quantumConversionExponent": -9,
        "tickSize": spec.price(spec.tick),
        "stepSize": spec.size(spec.step),
        "stepBaseQuantums": spec.step,
        "subticksPerTick": spec.tick,
        "marketType": "ISOLATED" if spec.isolated else "CROSS",
        "openInterestLowerCap": str(tier.lower_cap // 10**6),
        "openInterestUpperCap": str(tier.upper_cap // 10**6),
        "baseOpenInterest": interest,
        "defaultFundingRate1H": "0",
    }


def markets(world: World, wanted: str | None = None, limit: int | None = None) -> dict[str, Any]:
    chosen = [world.by_ticker[wanted]] if wanted else list(world.markets.values())[:limit]
    return {"markets": {found.spec.ticker: market(world, found) for found in chosen}}


def perpetual_markets(world: World, query: Query) -> dict[str, Any]:
    return markets(world, query.ticker("ticker") or query.ticker("market"), query.limit())


def orderbook(world: World, name: str) -> dict[str, Any]:
    found = world.by_ticker.get(name)
    if found is None:
        raise not_found(f"{name} not found in markets of type PERPETUAL")
    bids, asks = found.levels(world.elapsed(), BOOK_DEPTH)
    spec = found.spec
    return {
        side: [{"price": spec.price(level.price), "size": spec.size(level.size)} for level in levels]
        for side, levels in (("bids", bids), ("asks", asks))
    }


# ---- trades --------------------------------------------------------------------------------------


def trade(found: Market, made: Trade, *, with_height: bool) -> dict[str, Any]:
    spec = found.spec
    shown = {
        "id": made.id,
        "side": "BUY" if made.is_buy else "SELL",
        "size": spec.size(made.size),
        "price": spec.price(made.price),
        "type": made.kind,
        "createdAt": iso(made.time_ns),
    }
    if with_height:
        shown["createdAtHeight"] = str(made.height)
    return shown


def recent(indexer: Indexer, found: Market) -> list[Trade]:
    """Trades of blocks the indexer has processed, oldest first."""
    world = indexer.world
    made = found.recent_trades(world.elapsed(), world.counters.start_ns, world.counters.start_height)
    return [item for item in made if item.height <= indexer.height]


def trades(indexer: Indexer, name: str, query: Query) -> dict[str, Any]:
    found = indexer.world.by_ticker[ticker(name)]
    height, before = query.integer("createdBeforeOrAtHeight"), query.time("createdBeforeOrAt")
    rows = [
        made
        for made in recent(indexer, found)
        if (height is None or made.height <= height) and (before is None or made.time_ns <= before)
    ]
    if query.page() is None:
        rows.reverse()
    shown, paging = paged(rows, query)
    return {"trades": [trade(found, made, with_height=True) for made in shown], **paging}


# ---- candles -------------------------------------------------------------------------------------


def candles(world: World, name: str, query: Query) -> dict[str, Any]:
    found = world.by_ticker[ticker(name)]
    resolution = query.one_of("resolution", tuple(RESOLUTIONS))
    return {"candles": candle_rows(world, found, resolution, query.limit(), query.time("fromISO"), query.time("toISO"))}


def candle_rows(
    world: World, found: Market, resolution: str, limit: int, start: int | None = None, end: int | None = None
) -> list[dict[str, Any]]:
    """Newest first; start inclusive, end exclusive."""
    length = RESOLUTIONS[resolution]
    last = world.now_ns // length
    if end is not None:
        last = min(last, (end - 1) // length)
    first = max(-(-start // length) if start is not None else 0, last - limit + 1)
    return [candle(world, found, resolution, number * length) for number in range(last, first - 1, -1)]


def candle(world: World, found: Market, resolution: str, opened_ns: int) -> dict[str, Any]:
    """One candle, made from the path and what users traded in it; the running one ends now."""
    length = RESOLUTIONS[resolution]
    spec = found.spec
    end_ns = min(opened_ns + length, world.now_ns)
    prices = [_price_at(world, found, opened_ns + (end_ns - opened_ns) * k // SAMPLES) for k in range(SAMPLES + 1)]
    high, low = max(prices), min(prices)
    part = max(end_ns - opened_ns, 1)
    word = mix(found.seed, 20, opened_ns // RESOLUTIONS["1MIN"], length)
    volume = found.day_volume(0) * part // (24 * HOUR_NS) * (600 + word % 800) // 1_000 // spec.step * spec.step
    count = max(volume // max(found.flow.market.trade, 1), 1) if volume else 0
    if found.bars:
        for minute in range(opened_ns // (60 * NS_PER_S), end_ns // (60 * NS_PER_S) + 1):
            bar = found.bars.get(minute)
            if bar is not None:
                high, low = max(high, bar.high), min(low, bar.low)
                volume += bar.volume
                count += bar.count
    middle = text(decimal(prices[0] * 2 + spec.tick, spec.price_exponent) / 2)
    return {
        "startedAt": iso(opened_ns),
        "ticker": spec.ticker,
        "resolution": resolution,
        "low": spec.price(low),
        "high": spec.price(high),
        "open": spec.price(prices[0]),
        "close": spec.price(prices[-1]),
        "baseTokenVolume": spec.size(volume),
        "usdVolume": usdc(volume * prices[-1] // 10**9),
        "trades": count,
        "startingOpenInterest": spec.size(found.open_interest(opened_ns // HOUR_NS)),
        "orderbookMidPriceOpen": middle,
        "orderbookMidPriceClose": text(decimal(prices[-1] * 2 + spec.tick, spec.price_exponent) / 2),
    }


def _price_at(world: World, found: Market, time_ns: int) -> int:
    """A price of the path on the tick grid."""
    elapsed = time_ns - world.counters.start_ns
    if not world.scenario.flow:
        elapsed = min(elapsed, 0)
    tick = found.spec.tick
    return max((_path(found, elapsed) + found.shift) // tick * tick, tick)


@lru_cache(maxsize=65_536)
def _path(found: Market, elapsed: int) -> int:
    return found.flow.mid(elapsed)


# ---- funding and small things --------------------------------------------------------------------


def historical_funding(world: World, name: str, query: Query) -> dict[str, Any]:
    """One row an hour, newest first."""
    found = world.by_ticker[ticker(name)]
    counters = world.counters
    before = query.time("effectiveBeforeOrAt")
    height = query.integer("effectiveBeforeOrAtHeight")
    last = min(before if before is not None else world.now_ns, world.now_ns) // HOUR_NS
    rows = []
    for hour in range(last, last - MAX_FUNDING_ROWS, -1):
        when = hour * HOUR_NS
        at = counters.start_height + (when - counters.start_ns) // world.block_ns
        if height is not None and at > height:
            continue
        rows.append(
            {
                "ticker": found.spec.ticker,
                "rate": plain(found.funding_rate(hour - 1), RATE_EXPONENT),
                "price": found.spec.price(max(_path(found, when - counters.start_ns) + found.shift, 1)),
                "effectiveAt": iso(when),
                "effectiveAtHeight": str(at),
            }
        )
        if len(rows) == query.limit():
            break
    return {"historicalFunding": rows}


MAX_FUNDING_ROWS = 1_000


def sparklines(world: World, query: Query) -> dict[str, Any]:
    period = query.one_of("timePeriod", ("ONE_DAY", "SEVEN_DAYS"), "ONE_DAY")
    step, count = (HOUR_NS, 24) if period == "ONE_DAY" else (4 * HOUR_NS, 42)
    now = world.now_ns // step * step
    return {
        found.spec.ticker: [found.spec.price(_price_at(world, found, now - step * k)) for k in range(count)]
        for found in world.markets.values()
    }
