"""Market data as /info and the feeds show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentspeed_cli.sandbox.flow import NS_PER_DAY, mix
from latentspeed_cli.sandbox.matching import Level

from . import requests as r
from . import universe
from .market import Market, Trade
from .numbers import E8, notional, shown

if TYPE_CHECKING:
    from .world import World

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
MAX_ROWS = 500
MAX_CANDLES = 5_000
SAMPLES = 6
FUNDING_DELAY_MS = 15

INTERVAL_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": 24 * HOUR_MS,
    "3d": 72 * HOUR_MS,
    "1w": 168 * HOUR_MS,
    "1M": 720 * HOUR_MS,
}


class UnknownCoin(Exception):
    """A coin the venue does not list, where it answers HTTP 500."""


def hour_of(world: World) -> int:
    return world.now_ms // HOUR_MS


def rate(value: int) -> str:
    """A rate of 1e-10 as text."""
    return shown(value, 10)


def half(value2: int) -> str:
    """Half of an integer of 1e-8, as text (it may need nine decimals)."""
    return shown(value2 * 5, 9)


def meta(world: World, request: object = None) -> dict[str, object]:
    return universe.meta(frozenset(market.name for market in world.markets if market.delisted))


def meta_and_contexts(world: World, request: object = None) -> list[object]:
    return [meta(world), [context(world, market) for market in world.markets]]


def spot_meta(world: World, request: object) -> dict[str, object]:
    return universe.spot_meta()


def spot_meta_and_contexts(world: World, request: object) -> list[object]:
    return [universe.spot_meta(), universe.spot_contexts()]


def context(world: World, market: Market) -> dict[str, object]:
    """One market's context: funding, volume and prices."""
    elapsed, hour = world.elapsed(), hour_of(world)
    volume = market.day_volume(hour)
    mark = market.mark(elapsed)
    bid, ask = market.best(elapsed)
    open_book = bid is not None and ask is not None and not market.delisted
    oracle = market.oracle(elapsed, hour)
    return {
        "funding": rate(0 if market.delisted else market.funding_rate(hour)),
        "openInterest": shown(market.open_interest(hour)),
        "prevDayPx": shown(market.spec.base_price if market.delisted else market.day_ago(elapsed)),
        "dayNtlVlm": shown(notional(mark, volume), 6),
        "premium": rate(market.premium(hour)) if open_book else None,
        "oraclePx": shown(oracle),
        "markPx": shown(mark),
        "midPx": half(bid + ask) if open_book and bid is not None and ask is not None else None,
        "impactPxs": [shown(bid), shown(ask)] if open_book and bid is not None and ask is not None else None,
        "dayBaseVlm": shown(volume),
    }


def all_mids(world: World, request: object = None) -> dict[str, str]:
    elapsed = world.elapsed()
    mids = {market.name: half(market.mid2(elapsed)) for market in world.markets if not market.delisted}
    for context_ in universe.spot_contexts():
        mids[str(context_["coin"])] = str(context_["markPx"])
    return mids


def level(item: Level) -> dict[str, object]:
    return {"px": shown(item.price), "sz": shown(item.size), "n": item.count}


def aggregation_allowed(figures: int | None, mantissa: int | None) -> bool:
    """nSigFigs 2 to 5 or none; mantissa 2 or 5, only with five figures."""
    if figures is not None and not 2 <= figures <= 5:
        return False
    return mantissa is None or (figures == 5 and mantissa in {2, 5})


def book(
    world: World, market: Market, *, figures: int | None = None, mantissa: int | None = None, depth: int = 20
) -> dict[str, object]:
    """`l2Book` data."""
    elapsed = world.elapsed()
    if figures is None:
        bids, asks = market.levels(elapsed, depth)
    else:
        bids, asks = market.aggregated(elapsed, figures, mantissa)
    data: dict[str, object] = {
        "coin": market.name,
        "time": world.now_ms,
        "levels": [[level(item) for item in bids[:depth]], [level(item) for item in asks[:depth]]],
    }
    if figures is not None:
        bid, ask = market.best(elapsed)
        data["spread"] = shown(ask - bid) if bid is not None and ask is not None else "0.0"
    return data


def l2_book(world: World, request: r.L2Book) -> object:
    if not aggregation_allowed(request.nSigFigs, request.mantissa):
        raise UnknownCoin("aggregation")
    market = world.by_coin.get(request.coin)
    if market is None:
        return (
            {"coin": request.coin, "time": world.now_ms, "levels": [[], []]}
            if request.coin in universe.SPOT_NAMES
            else None
        )
    return book(world, market, figures=request.nSigFigs, mantissa=request.mantissa)


def recent_trades(world: World, request: r.RecentTrades) -> list[Trade]:
    """Newest first."""
    market = world.by_coin.get(request.coin)
    if market is None:
        return []
    return market.recent_trades(world.elapsed(), world.counters.start_ns)[::-1]


def margin_table(world: World, request: r.MarginTable) -> object:
    """Ids below 50 are single tiers of that maximum leverage. Raises UnknownCoin for a table that is not there."""
    if 0 < request.id < universe.FIRST_TABLE:
        return {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": request.id}]}
    found = dict(universe.margin_tables()).get(request.id)
    if found is None:
        raise UnknownCoin("margin table")
    return found


# ---- candles -------------------------------------------------------------------------------------


def candle_snapshot(world: World, request: r.CandleSnapshot) -> list[dict[str, object]]:
    wanted = request.req
    market = world.by_coin.get(wanted.coin)
    if market is None:
        raise UnknownCoin(wanted.coin)
    length = INTERVAL_MS[wanted.interval]
    last = min(wanted.endTime, world.now_ms) // length
    first = max(wanted.startTime // length, last - MAX_CANDLES + 1)
    return [candle(world, market, wanted.interval, number * length) for number in range(first, last + 1)]


def candle(world: World, market: Market, interval: str, opened_ms: int) -> dict[str, object]:
    """One candle, made from the path and what users traded in it; the running one ends now."""
    length = INTERVAL_MS[interval]
    now_ms = world.now_ms
    end_ms = min(opened_ms + length, now_ms)
    prices = [_price_at(world, market, opened_ms + (end_ms - opened_ms) * k // SAMPLES) for k in range(SAMPLES + 1)]
    high, low = max(prices), min(prices)
    spec = market.spec
    part = max(end_ms - opened_ms, 1)
    word = mix(market.seed, 20, opened_ms // MINUTE_MS, length)
    volume = spec.volume * E8 * part // (24 * HOUR_MS) * (600 + word % 800) // 1_000 // spec.lot * spec.lot
    count = max(volume // max(market.flow.market.trade, 1), 1) if volume else 0
    if length <= 24 * HOUR_MS and market.bars:
        for minute in range(opened_ms // MINUTE_MS, end_ms // MINUTE_MS + 1):
            bar = market.bars.get(minute)
            if bar is not None:
                high, low = max(high, bar.high), min(low, bar.low)
                volume += bar.volume
                count += bar.count
    return {
        "t": opened_ms,
        "T": opened_ms + length - 1,
        "s": market.name,
        "i": interval,
        "o": shown(prices[0]),
        "c": shown(prices[-1]),
        "h": shown(high),
        "l": shown(low),
        "v": shown(volume),
        "n": count,
    }


def _price_at(world: World, market: Market, time_ms: int) -> int:
    """A price of the path on the tick grid."""
    elapsed = time_ms * 1_000_000 - world.counters.start_ns
    if not world.scenario.flow:
        elapsed = min(elapsed, 0)
    price = market.flow.mid(elapsed) + market.shift if not market.delisted else market.spec.base_price
    tick = market.spec.tick_size(max(price, 1))
    return max(price // tick * tick, tick)


# ---- funding -------------------------------------------------------------------------------------


def funding_history(world: World, request: r.FundingHistory) -> list[dict[str, object]]:
    """One row an hour, oldest first, at most 500."""
    market = world.by_coin.get(request.coin)
    if market is None:
        raise UnknownCoin(request.coin)
    end = min(request.endTime if request.endTime is not None else world.now_ms, world.now_ms)
    first = -(-(request.startTime - FUNDING_DELAY_MS) // HOUR_MS)
    last = (end - FUNDING_DELAY_MS) // HOUR_MS
    rows: list[dict[str, object]] = []
    for hour in range(max(first, last - NS_PER_DAY // 1_000_000 // 1_000), last + 1):
        if len(rows) == MAX_ROWS:
            break
        rows.append(
            {
                "coin": market.name,
                "fundingRate": rate(market.funding_rate(hour - 1)),
                "premium": rate(market.premium(hour - 1)),
                "time": hour * HOUR_MS + FUNDING_DELAY_MS,
            }
        )
    return rows


def predicted_fundings(world: World, request: object) -> list[object]:
    hour = hour_of(world)
    return [
        [
            market.name,
            [
                ["BinPerp", None],
                [
                    "HlPerp",
                    {
                        "fundingRate": rate(market.funding_rate(hour)),
                        "nextFundingTime": hour * HOUR_MS,
                        "fundingIntervalHours": 1,
                    },
                ],
                ["BybitPerp", None],
            ],
        ]
        for market in sorted(world.markets, key=lambda market: market.name)
        if not market.delisted
    ]
