"""Markets, rules, books: what can be known without an account."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from decimal import Decimal
from itertools import pairwise

from ...connector.streams import Channel
from ...core.market_data import OrderBookSnapshot, PriceLevel
from ...core.types import TradeType
from ...errors import OrderRefused
from .expect import PATIENCE_S, equal, holds, raises
from .ground import Ground

SIGNERS = ("coincurve", "eth_account", "cosmpy")
DEPTH = 5


async def c01_markets_are_found_by_every_name_they_have(ground: Ground) -> None:
    """Every market is found by its trading pair, also in lower case, and by the venue's own spelling; each that can be
    traded has a rule, and a name that is none is refused.

    Holds: a name means one market, or is refused.
    """
    async with ground.trader(public=True, sign=False) as trader:
        markets = await trader.markets()
        holds("the venue has no market", len(markets.symbols))
        for market in markets.symbols:
            equal("by trading pair", markets.symbols.find(market.trading_pair), market)
            equal("by the venue's spelling", markets.symbols.by_symbol(market.symbol), market)
            if market.is_active and market.refusal is None:
                holds("a market without a rule", market.trading_pair in markets.rules, market)
        equal("in lower case", (await trader.reader.market(ground.pair.lower())).trading_pair, ground.pair)
        await raises(OrderRefused, trader.book("NO-SUCH"))


async def c02_rules_make_sense(ground: Ground) -> None:
    """Steps and minimums are above zero; a fitted amount is never larger, a fitted price never on the dearer side, and
    both are legal and stay as they are when they are fitted again.

    Holds: what is sent is at most what was asked for.
    """
    async with ground.trader(public=True, sign=False) as trader:
        for rule in (await trader.markets()).rules.values():
            holds("steps above zero", rule.amount_step > 0 and rule.price_tick > 0, rule)
            holds("minimums not below zero", rule.min_amount >= 0 and rule.min_notional >= 0, rule)
        rule = trader.rules[ground.pair]
        mid = (await trader.book(ground.pair)).bids[0].price
        for odd in (Decimal("1.0000000007"), Decimal("0.9137913791379137"), Decimal("1.5")):
            amount = rule.fit_amount(ground.amount * odd)
            rule.check_amount(amount)
            holds("a larger amount", amount <= ground.amount * odd, amount)
            equal("an amount fitted twice", rule.fit_amount(amount), amount)
            for side in TradeType:
                price = rule.fit_price(mid * odd, side)
                rule.check_price(price)
                holds("the dearer side", side.sign * (mid * odd - price) >= 0, side, price)
                equal("a price fitted twice", rule.fit_price(price, side), price)


async def c03_books_are_sorted_and_not_crossed(ground: Ground) -> None:
    """Bids fall, asks rise, the best bid is below the best ask, and every level is above zero and on the grid.

    Holds: no bad book is presented as a good one.
    """
    async with ground.trader(public=True, sign=False) as trader:
        for _ in range(3):
            _check_book(await trader.book(ground.pair))
            await asyncio.sleep(0.1)
        book = await trader.book(ground.pair)
        for level in (*book.bids[:DEPTH], *book.asks[:DEPTH]):
            trader.rules[ground.pair].check_price(level.price)


async def c04_the_streamed_book_is_the_book(ground: Ground) -> None:
    """A book that is read is, to its first levels, one that the stream tells too, and no streamed book is crossed.

    Holds: streams and reads show one and the same market.
    """
    streamed: set[tuple[PriceLevel, ...]] = set()
    async with ground.trader(public=True, sign=False) as trader, asyncio.timeout(PATIENCE_S):

        async def follow() -> None:
            async with aclosing(trader.stream((Channel.BOOK,), (ground.pair,))) as items:
                async for item in items:
                    if isinstance(item, OrderBookSnapshot):
                        _check_book(item)
                        streamed.add(_top(item))

        following = asyncio.create_task(follow())
        try:
            read: set[tuple[PriceLevel, ...]] = set()
            while not streamed & read and not following.done():
                read.add(_top(await trader.book(ground.pair)))
                await asyncio.sleep(0.02)
            holds("the stream ended", not following.done() or following.result())
        finally:
            following.cancel()


async def c05_prices_of_all_kinds_agree(ground: Ground) -> None:
    """Mark and index price are near the book's, recent trades are in the order of their time and near it as well.

    Holds: units are the same everywhere.
    """
    async with ground.trader(public=True, sign=False) as trader:
        mid = (await trader.book(ground.pair)).bids[0].price
        context = await trader.get_funding_info(ground.pair)
        trades = await trader.trades(ground.pair)
        near = [context.mark_price, context.index_price, *(trade.price for trade in trades)]
        for price in near:
            holds("a price far from the book's", abs(price - mid) < mid / 10, price, mid)
        times = [trade.ts_ns for trade in trades]
        holds(
            "trades are not in the order of their time", times == sorted(times) or times == sorted(times, reverse=True)
        )
        holds("funding is a rate, not a percentage", abs(context.funding_rate) < Decimal("0.05"), context.funding_rate)


async def c06_public_data_needs_no_key_and_no_signer(ground: Ground) -> None:
    """A process that streams a book has imported neither the connector's auth nor a library that signs.

    Holds: market data and the account's own data are independent of each other.
    """
    package = ground.plugin.info.target.rpartition(".")[0]
    command = ["stream", "book", ground.pair, "--count", "1", "-x", ground.venue, "-n", "sandbox"]
    names = (*SIGNERS, f"{package}.auth")
    code = (
        f"import sys; from latentspeed_cli.main import main; code = main({command!r}); "
        f"print('imported', *[name for name in {names!r} if name in sys.modules]); sys.exit(code)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=ground.environment(), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    equal("exit code", process.returncode, 0)
    equal("what it imported of a signer", out.decode().splitlines()[-1], "imported")


def _top(book: OrderBookSnapshot) -> tuple[PriceLevel, ...]:
    return tuple(
        PriceLevel(level.price.normalize(), level.amount.normalize())
        for level in (*book.bids[:DEPTH], *book.asks[:DEPTH])
    )


def _check_book(book: OrderBookSnapshot) -> None:
    holds("bids do not fall", all(one.price > next_.price for one, next_ in pairwise(book.bids)), book.bids)
    holds("asks do not rise", all(one.price < next_.price for one, next_ in pairwise(book.asks)), book.asks)
    if book.bids and book.asks:
        holds("the book is crossed", book.bids[0].price < book.asks[0].price, book.bids[0], book.asks[0])
    holds("an empty level", all(level.amount > 0 for level in (*book.bids, *book.asks)))
