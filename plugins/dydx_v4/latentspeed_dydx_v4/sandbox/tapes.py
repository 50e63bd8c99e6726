"""After a restart: public tapes and candles hold the trades of users again, which the indexer kept as fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .market import Trade
from .rows import FillRow
from .state import Block, Match

if TYPE_CHECKING:
    from .indexer import Indexer


def restore(indexer: Indexer) -> None:
    """Print every committed trade that a user took part in. Background trades come from the path."""
    made: dict[tuple[int, str], Trade] = {}
    for fills in indexer.fills.values():
        for fill in fills:
            made[fill.pair, fill.event] = _of_fill(fill)
    for item in indexer.world.pending:
        if isinstance(item.news, Block):
            for match in item.news.items:
                if isinstance(match, Match):
                    trade = _of_match(match, item.news)
                    made[match.pair, trade.id] = trade
    for (pair, _), trade in sorted(made.items(), key=lambda item: (item[1].height, item[1].number)):
        indexer.world.markets[pair].reprint(trade)


def _of_fill(fill: FillRow) -> Trade:
    return Trade(
        fill.is_buy == fill.is_taker,
        fill.price,
        fill.size,
        fill.height,
        int(fill.event[16:], 16),
        fill.time_ns,
        "LIMIT" if fill.kind == "LIMIT" else "LIQUIDATED",
    )


def _of_match(match: Match, block: Block) -> Trade:
    return Trade(match.is_buy, match.price, match.size, block.height, match.number, block.time_ns, match.kind)
