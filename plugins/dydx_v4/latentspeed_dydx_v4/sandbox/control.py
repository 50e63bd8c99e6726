"""The control API of this venue: what a test or a demo may do to it, outside the venue's own paths."""

from __future__ import annotations

from typing import NamedTuple

from latentspeed_cli.errors import UsageError
from latentspeed_cli.sandbox.commands import Arguments, Commands, Count, Nothing

from . import engine, keys, ledger, transfers
from .chain import Chain
from .feeds import Feeds
from .indexer import Indexer
from .market import Market
from .node import Node
from .numbers import plain, units
from .refusals import REGISTERED, Refused
from .rest import Rest
from .sockets import Sockets
from .universe import STATUS_NAMES, USDC_DENOM
from .world import World

_NS = 1_000_000_000


class Venue(NamedTuple):
    """What the commands work on."""

    world: World
    chain: Chain
    node: Node
    indexer: Indexer
    rest: Rest
    sockets: Sockets
    feeds: Feeds

    def make_block(self, time_ns: int) -> None:
        self.feeds.committed(self.chain.commit(time_ns))


class Fund(Arguments):
    """Add dollars to a subaccount, or (wallet) coins to the address; an unknown address becomes an account."""

    address: str
    amount: str
    subaccount: int = 0
    wallet: bool = False


class Price(Arguments):
    """Set prices of a market. mid moves the path there for good; oracle stays until cleared."""

    ticker: str
    mid: str | None = None
    oracle: str | None = None
    clear: bool = False


class SeedBook(Arguments):
    """Replace the background quotes of a market by these [price, size] levels, until `clear`."""

    ticker: str
    bids: tuple[tuple[str, str], ...] = ()
    asks: tuple[tuple[str, str], ...] = ()
    clear: bool = False


class TradeFlow(Arguments):
    """A background trade now: buys lift offers up to price, sells hit bids down to price."""

    ticker: str
    side: str
    size: str
    price: str


class Blocks(Arguments):
    blocks: int = 1


class Reject(Arguments):
    """Refuse the next `count` broadcasts with a code."""

    codespace: str = "sdk"
    code: int = 20
    detail: str = ""
    count: int = 1


class Unavailable(Arguments):
    """Answer the next calls with gRPC Unavailable, before the node sees them or (after) once it did its work."""

    count: int = 1
    after: bool = False


class Lag(Arguments):
    seconds: float


class Late(Arguments):
    """Delay, drop or double off-chain (BEST_EFFORT_*) messages from here on; all default: as usual."""

    seconds: float = 0.0
    drop: bool = False
    duplicate: bool = False


class MarketStatus(Arguments):
    """Of a market, as ACTIVE or FINAL_SETTLEMENT. (The shell has a fault of the name "status".)"""

    ticker: str
    status: str


class Ticker(Arguments):
    ticker: str
    on: bool = True


class Router(Arguments):
    """Register an order router, as a vote on the chain does."""

    address: str


class Sequence(Arguments):
    """Set an account's number or sequence."""

    address: str
    number: int | None = None
    sequence: int | None = None


class Funding(Arguments):
    """Settle funding in the next block; rate (1-hour, such as "0.00001") is what the hour's rate is taken to be."""

    ticker: str | None = None
    rate: str | None = None


def _market(venue: Venue, ticker: str) -> Market:
    market = venue.world.by_ticker.get(ticker)
    if market is None:
        raise UsageError(f"no such market: {ticker}")
    return market


def _subticks(market: Market, given: str) -> int:
    return units(given, market.spec.price_exponent)


def _quantums(market: Market, given: str) -> int:
    return units(given, market.spec.atomic_resolution)


def _fund(venue: Venue, given: Fund) -> object:
    world = venue.world
    if keys.address_bytes(given.address) is None:
        raise UsageError(f"not an address: {given.address}")
    amount = units(given.amount, -6)
    if given.wallet:
        transfers.give(world, given.address, USDC_DENOM, amount)
        return None
    if given.address not in world.accounts:
        world.open_account(given.address)
    ledger.pay(world, world.subaccount(given.address, given.subaccount), amount)
    venue.indexer.granted(given.address, given.subaccount, amount)
    return None


def _price(venue: Venue, given: Price) -> object:
    market, world = _market(venue, given.ticker), venue.world
    if given.clear:
        market.shift, market.oracle_override = 0, None
    if given.oracle is not None:
        market.oracle_override = _subticks(market, given.oracle)
    step = market.flow.step_at(world.elapsed())
    if given.mid is not None:
        market.shift = _subticks(market, given.mid) - market.flow.touch(step).mid
    world.new_oracles()
    engine.move_to(world, market, market.flow.touch(step, market.shift))
    return {"oracle": market.spec.price(world.oracle(market.pair))}


def _seed_book(venue: Venue, given: SeedBook) -> object:
    market, world = _market(venue, given.ticker), venue.world
    if given.clear:
        market.seeded = None
    else:
        sides = {True: given.bids, False: given.asks}
        seeded = {
            side: {_subticks(market, price): (_quantums(market, size), 1) for price, size in levels}
            for side, levels in sides.items()
        }
        if seeded[True] and seeded[False] and max(seeded[True]) >= min(seeded[False]):
            raise UsageError("the book would be crossed")
        market.seeded = seeded
    engine.move_to(world, market, market.flow.touch(market.flow.step_at(world.elapsed()), market.shift))
    return None


def _trade(venue: Venue, given: TradeFlow) -> object:
    market, world = _market(venue, given.ticker), venue.world
    if given.side not in {"buy", "sell"}:
        raise UsageError("side is buy or sell")
    engine.advance(world, market)
    market.lay_quotes(world.elapsed())
    done = engine.background_trade(
        world,
        market,
        is_buy=given.side == "buy",
        limit=_subticks(market, given.price),
        size=_quantums(market, given.size),
    )
    return {"traded": market.spec.size(done)}


def _rate_limit(venue: Venue, given: Count) -> object:
    venue.rest.forced_429 += given.count
    return None


def _geoblock(venue: Venue, given: Count) -> object:
    venue.rest.forced_403 += given.count
    venue.sockets.block_accounts += given.count
    return None


def _fail_snapshots(venue: Venue, given: Count) -> object:
    venue.sockets.fail_snapshots += given.count
    return None


def _reject(venue: Venue, given: Reject) -> object:
    if (given.codespace, given.code) not in REGISTERED:
        raise UsageError(f"no such code: {given.codespace} {given.code}")
    venue.chain.forced += [Refused(given.codespace, given.code, given.detail) for _ in range(given.count)]
    return None


def _unavailable(venue: Venue, given: Unavailable) -> object:
    if given.after:
        venue.node.unavailable_after += given.count
    else:
        venue.node.unavailable_before += given.count
    return None


def _restarted(venue: Venue, given: Count) -> object:
    venue.chain.at_height_zero += given.count
    return None


def _halt(venue: Venue, given: Nothing) -> object:
    venue.chain.halted = True
    return None


def _resume(venue: Venue, given: Nothing) -> object:
    """The chain goes on from here: the time it stood still brings no blocks."""
    venue.chain.halted = False
    venue.make_block(venue.world.now_ns)
    return None


def _block(venue: Venue, given: Blocks) -> object:
    """Make blocks now, whatever the clock says; times stay a block apart at least."""
    counters = venue.world.counters
    for _ in range(given.blocks):
        venue.make_block(max(counters.block_time_ns + 1, venue.world.now_ns))
    return {"height": counters.height}


def _hold(venue: Venue, given: Blocks) -> object:
    venue.chain.hold_blocks = given.blocks
    return None


def _drop_mempool(venue: Venue, given: Nothing) -> object:
    waiting = list(venue.world.mempool)
    for item in waiting:
        if item in venue.world.mempool:
            venue.chain.evict(item)
    return {"dropped": len(waiting)}


def _lag(venue: Venue, given: Lag) -> object:
    venue.world.lag_ns = int(given.seconds * _NS)
    return None


def _late(venue: Venue, given: Late) -> object:
    world = venue.world
    world.late_ns, world.drop_offchain, world.double_offchain = int(given.seconds * _NS), given.drop, given.duplicate
    return None


def _crossed(venue: Venue, given: Ticker) -> object:
    market = _market(venue, given.ticker)
    (venue.feeds.keep_stale.add if given.on else venue.feeds.keep_stale.discard)(market.spec.ticker)
    return None


def _snapshot_gap(venue: Venue, given: Ticker) -> object:
    venue.feeds.gaps.add(_market(venue, given.ticker).spec.ticker)
    return None


def _market_status(venue: Venue, given: MarketStatus) -> object:
    market = _market(venue, given.ticker)
    numbers = {name: number for number, name in STATUS_NAMES.items()}
    if given.status not in numbers:
        raise UsageError(f"no such status: {given.status}")
    market.status = numbers[given.status]
    market.quoted = None
    venue.feeds.market_changed(market)
    return None


def _router(venue: Venue, given: Router) -> object:
    if keys.address_bytes(given.address) is None:
        raise UsageError(f"not an address: {given.address}")
    venue.world.routers.add(given.address)
    venue.world.touch("router", given.address, given.address)
    return None


def _sequence(venue: Venue, given: Sequence) -> object:
    account = venue.world.accounts.get(given.address)
    if account is None:
        raise UsageError(f"no such account: {given.address}")
    if given.number is not None:
        account.number = given.number
    if given.sequence is not None:
        account.sequence = account.check_sequence = given.sequence
    venue.world.touch_account(account)
    return None


def _funding(venue: Venue, given: Funding) -> object:
    if given.ticker is not None and given.rate is not None:
        _market(venue, given.ticker).rate_override = units(given.rate, -9)
    venue.world.items = []
    venue.world.counters.funding_hour -= 1
    venue.make_block(max(venue.world.counters.block_time_ns + 1, venue.world.now_ns))
    return None


def _state(venue: Venue, given: Nothing) -> object:
    """Where things stand: heights, the mempool, what rests, what a node was handed since it started."""
    world = venue.world
    return {
        "height": world.counters.height,
        "indexer_height": venue.indexer.height,
        "broadcasts": venue.node.broadcasts,
        "mempool": len(world.mempool),
        "short_term": len(world.short),
        "stateful": len(world.stateful),
        "lag_s": plain(world.lag_ns, -9),
    }


COMMANDS: Commands[Venue] = Commands(
    {
        "fund": (Fund, _fund),
        "price": (Price, _price),
        "seed_book": (SeedBook, _seed_book),
        "trade": (TradeFlow, _trade),
        "rate_limit": (Count, _rate_limit),
        "geoblock": (Count, _geoblock),
        "fail_snapshots": (Count, _fail_snapshots),
        "reject": (Reject, _reject),
        "unavailable": (Unavailable, _unavailable),
        "restarted": (Count, _restarted),
        "halt": (Nothing, _halt),
        "resume": (Nothing, _resume),
        "block": (Blocks, _block),
        "hold": (Blocks, _hold),
        "drop_mempool": (Nothing, _drop_mempool),
        "lag": (Lag, _lag),
        "late": (Late, _late),
        "crossed": (Ticker, _crossed),
        "snapshot_gap": (Ticker, _snapshot_gap),
        "market_status": (MarketStatus, _market_status),
        "router": (Router, _router),
        "sequence": (Sequence, _sequence),
        "funding": (Funding, _funding),
        "state": (Nothing, _state),
    }
)
