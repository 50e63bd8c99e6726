"""The control API of this venue: what a test or a demo may do to it, outside the venue's own paths."""

from __future__ import annotations

from typing import Any, NamedTuple

from latentspeed_cli.errors import UsageError
from latentspeed_cli.sandbox.commands import Arguments, Commands, Count, Nothing

from . import engine, timers
from .market import Market
from .numbers import ShapeError, parse_decimal, shown
from .sockets import Sockets
from .texttypes import address
from .world import World


class Venue(NamedTuple):
    """What the commands work on."""

    world: World
    sockets: Sockets


class Fund(Arguments):
    """Add dollars to an account (perp, or spot); an unknown address becomes an account."""

    address: str
    amount: str
    spot: bool = False


class Price(Arguments):
    """Set prices of a coin. mid moves the path there for good; mark and oracle stay until cleared."""

    coin: str
    mid: str | None = None
    mark: str | None = None
    oracle: str | None = None
    clear: bool = False


class SeedBook(Arguments):
    """Replace the background quotes of a coin by these [price, size] levels, until `clear`."""

    coin: str
    bids: tuple[tuple[str, str], ...] = ()
    asks: tuple[tuple[str, str], ...] = ()
    clear: bool = False


class TradeFlow(Arguments):
    """A background trade now: buys lift offers up to px, sells hit bids down to px."""

    coin: str
    side: str
    sz: str
    px: str


class Reject(Arguments):
    """Refuse the next `count` orders (or, with `whole`, actions) with a text."""

    text: str
    count: int = 1
    whole: bool = False


class Volume(Arguments):
    """Set the dollars an account has traded since inception."""

    address: str
    amount: str


class Requests(Arguments):
    """Set the actions an account has used up."""

    address: str
    used: int


class Delist(Arguments):
    coin: str


class Funding(Arguments):
    """Settle funding now; premium (a rate such as "0.0001") is what the hour's average is taken to be."""

    coin: str | None = None
    premium: str | None = None


def _market(venue: Venue, coin: str) -> Market:
    market = venue.world.by_coin.get(coin)
    if market is None:
        raise UsageError(f"no such coin: {coin}")
    return market


def _fund(venue: Venue, given: Fund) -> object:
    world = venue.world
    owner = address(given.address)
    account = world.accounts.get(owner) or world.open_account(owner)
    if given.spot:
        account.spot_usdc += parse_decimal(given.amount)
    else:
        account.cash += parse_decimal(given.amount, 6)
    world.touch(account)
    world.add_history(owner, "ledger", {"type": "deposit", "usdc": shown(parse_decimal(given.amount, 6), 6)})
    return None


def _price(venue: Venue, given: Price) -> object:
    market, world = _market(venue, given.coin), venue.world
    if given.clear:
        market.shift, market.mark_override, market.oracle_override = 0, None, None
    if given.mark is not None:
        market.mark_override = parse_decimal(given.mark)
    if given.oracle is not None:
        market.oracle_override = parse_decimal(given.oracle)
    step = market.flow.step_at(world.elapsed())
    if given.mid is not None:
        market.shift = parse_decimal(given.mid) - market.flow.touch(step).mid
    engine.move_to(world, market, market.flow.touch(step, market.shift))
    timers.run(world)
    return {"mark": shown(market.mark(world.elapsed())), "mid": shown(market.mid2(world.elapsed()) // 2)}


def _seed_book(venue: Venue, given: SeedBook) -> object:
    market, world = _market(venue, given.coin), venue.world
    if given.clear:
        market.seeded = None
    else:
        sides = {True: given.bids, False: given.asks}
        market.seeded = {
            side: {parse_decimal(price): (parse_decimal(size), 1) for price, size in levels}
            for side, levels in sides.items()
        }
        bids, asks = market.seeded[True], market.seeded[False]
        if bids and asks and max(bids) >= min(asks):
            market.seeded = None
            raise UsageError("the book would be crossed")
    engine.move_to(world, market, market.flow.touch(market.flow.step_at(world.elapsed()), market.shift))
    return None


def _trade(venue: Venue, given: TradeFlow) -> object:
    market, world = _market(venue, given.coin), venue.world
    if given.side not in {"buy", "sell"}:
        raise UsageError("side is buy or sell")
    world.next_action()
    engine.advance(world, market)
    market.lay_quotes(world.elapsed())
    done = engine.background_trade(
        world, market, is_buy=given.side == "buy", limit=parse_decimal(given.px), size=parse_decimal(given.sz)
    )
    return {"traded": shown(done)}


def _rate_limit(venue: Venue, given: Count) -> object:
    venue.world.forced_429 += given.count
    return None


def _reject(venue: Venue, given: Reject) -> object:
    target = venue.world.forced_refusals if given.whole else venue.world.refusals
    target.extend([given.text] * given.count)
    return None


def _volume(venue: Venue, given: Volume) -> object:
    account = _account(venue, given.address)
    account.volume = parse_decimal(given.amount, 6)
    venue.world.touch(account)
    return None


def _requests(venue: Venue, given: Requests) -> object:
    account = _account(venue, given.address)
    account.requests = given.used
    venue.world.touch(account)
    return None


def _account(venue: Venue, owner: str) -> Any:
    account = venue.world.accounts.get(address(owner))
    if account is None:
        raise UsageError(f"no such account: {owner}")
    return account


def _delist(venue: Venue, given: Delist) -> object:
    market, world = _market(venue, given.coin), venue.world
    for order in [*market.resting.values(), *market.triggers.values()]:
        engine.cancel(world, market, order, "delistedCanceled")
    market.delisted = True
    engine.move_to(world, market, market.look(world.elapsed()))
    return None


def _funding(venue: Venue, given: Funding) -> object:
    world = venue.world
    if given.coin is not None and given.premium is not None:
        negative = given.premium.startswith("-")
        value = parse_decimal(given.premium.removeprefix("-"), 10)
        _market(venue, given.coin).premium_override = -value if negative else value
    timers.settle_funding(world, (world.now_ns - timers.FUNDING_DELAY_NS) // timers.HOUR_NS)
    return None


def _expire(venue: Venue, given: Nothing) -> object:
    numbers = list(venue.sockets.connections)
    for number in numbers:
        venue.sockets.expire(number)
    return len(numbers)


COMMANDS: Commands[Venue] = Commands(
    {
        "fund": (Fund, _fund),
        "price": (Price, _price),
        "seed_book": (SeedBook, _seed_book),
        "trade": (TradeFlow, _trade),
        "rate_limit": (Count, _rate_limit),
        "reject": (Reject, _reject),
        "volume": (Volume, _volume),
        "requests": (Requests, _requests),
        "delist": (Delist, _delist),
        "funding": (Funding, _funding),
        "expire": (Nothing, _expire),
    },
    misfits=(ShapeError,),
)
