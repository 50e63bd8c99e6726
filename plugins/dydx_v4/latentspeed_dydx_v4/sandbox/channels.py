"""The channels of the indexer's WebSocket: their ids, snapshots and versions (section 8.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import account_views, keys, market_views
from .numbers import iso
from .params import HttpError

if TYPE_CHECKING:
    from .indexer import Indexer

MARKETS, BOOK, TRADES, CANDLES = "v4_markets", "v4_orderbook", "v4_trades", "v4_candles"
SUBACCOUNTS, PARENTS, HEIGHT = "v4_subaccounts", "v4_parent_subaccounts", "v4_block_height"
VERSIONS = {
    MARKETS: "1.0.0",
    BOOK: "1.0.0",
    TRADES: "2.1.0",
    CANDLES: "1.0.0",
    SUBACCOUNTS: "3.0.0",
    PARENTS: "3.0.0",
    HEIGHT: "1.0.0",
}
# Subscriptions of one connection to a channel.
LIMITS = {MARKETS: 32, BOOK: 32, TRADES: 32, CANDLES: 32, SUBACCOUNTS: 256, PARENTS: 256, HEIGHT: 1}
WITHOUT_ID = (MARKETS, HEIGHT)
SNAPSHOT_ROWS = 1_000


def is_id(indexer: Indexer, channel: str, given: str) -> bool:
    """Whether an id can belong to a channel. A malformed address passes: its snapshot fails, for ever."""
    if channel in (BOOK, TRADES):
        return given in indexer.world.by_ticker
    if channel == CANDLES:
        ticker, slash, resolution = given.partition("/")
        return bool(slash) and ticker in indexer.world.by_ticker and resolution in market_views.RESOLUTIONS
    if channel in (SUBACCOUNTS, PARENTS):
        address, slash, number = given.partition("/")
        most = 128_000 if channel == SUBACCOUNTS else 128
        return bool(address and slash) and number.isdecimal() and len(number) < 20 and int(number) < most
    return True


class SnapshotFailed(Exception):
    """The indexer cannot fetch what a subscription starts with."""


def snapshot(indexer: Indexer, channel: str, given: str) -> dict[str, Any]:
    """What a subscription starts with. Raises SnapshotFailed."""
    world = indexer.world
    if channel == MARKETS:
        return market_views.markets(world)
    if channel == BOOK:
        return market_views.orderbook(world, given)
    if channel == TRADES:
        market = world.by_ticker[given]
        made = market_views.recent(indexer, market)[-SNAPSHOT_ROWS:]
        return {"trades": [market_views.trade(market, item, with_height=True) for item in reversed(made)]}
    if channel == CANDLES:
        ticker, _, resolution = given.partition("/")
        found = world.by_ticker[ticker]
        return {"candles": market_views.candle_rows(world, found, resolution, SNAPSHOT_ROWS)}
    if channel == HEIGHT:
        return {"height": str(indexer.height), "time": iso(indexer.time_ns)}
    return _account(indexer, channel, given)


def _account(indexer: Indexer, channel: str, given: str) -> dict[str, Any]:
    address, _, number = given.partition("/")
    if keys.address_bytes(address) is None:
        raise SnapshotFailed(given)
    try:
        if channel == SUBACCOUNTS:
            numbers: tuple[int, ...] = (int(number),)
            found = account_views.subaccount(indexer, address, int(number))
        else:
            numbers = account_views.children(indexer, address, int(number))
            found = account_views.parent_subaccount(indexer, address, int(number))
    except HttpError:
        return {}
    orders = account_views.snapshot_orders(indexer, address, numbers)
    return {**found, "orders": orders, "blockHeight": str(indexer.height)}
