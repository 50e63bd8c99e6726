"""From the venue's metadata to markets and their rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from latentspeed_cli.connector.venue import Markets
from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.core.trading_rule import TradingRule

from .constants import (
    BUILDER_ASSET_BLOCK,
    BUILDER_ASSET_OFFSET,
    LIMIT_NOTIONAL_FACTOR,
    MAX_MARKET_NOTIONAL_ELSE,
    MAX_MARKET_NOTIONALS,
    MIN_NOTIONAL,
    PERP_MAX_DECIMALS,
    PRICE_SIGNIFICANT_FIGURES,
    SPOT_ASSET_OFFSET,
)
from .payloads import Asset, Meta, SpotMeta

SPOT_REFUSAL = "spot markets are listed, but not traded by this connector yet"
BUILDER_REFUSAL = "builder-deployed markets are listed, but not traded by this connector yet"


def perp_markets(meta: Meta) -> Iterator[Market]:
    """COIN-USD. The asset id is the position in the universe; delisted entries keep their places."""
    for asset_id, asset in enumerate(meta.universe):
        yield _perp(asset, asset_id, "perp", "the market is delisted" if asset.is_delisted else None)


def builder_markets(metas: Iterable[Meta]) -> Iterator[Market]:
    """dex:COIN-USD. metas: one per dex, in the order of perpDexs; the first is the venue's own and is left out."""
    for dex, meta in enumerate(metas):
        if dex > 0:
            offset = BUILDER_ASSET_OFFSET + dex * BUILDER_ASSET_BLOCK
            for position, asset in enumerate(meta.universe):
                yield _perp(asset, offset + position, "builder", BUILDER_REFUSAL)


def _perp(asset: Asset, asset_id: int, kind: str, refusal: str | None) -> Market:
    return Market(
        trading_pair=f"{asset.name}-USD",
        symbol=asset.name,
        asset_id=asset_id,
        size_decimals=asset.sz_decimals,
        max_leverage=asset.max_leverage,
        is_active=not asset.is_delisted,
        kind=kind,
        refusal=refusal,
    )


def spot_markets(meta: SpotMeta) -> Iterator[Market]:
    """BASE-QUOTE. Token names are not unique: pairs that would share a name all carry their index, none is guessed."""
    tokens = {token.index: token for token in meta.tokens}
    known = [pair for pair in meta.universe if all(index in tokens for index in pair.tokens)]
    names = {pair.index: "-".join(tokens[index].name for index in pair.tokens) for pair in known}
    uses = Counter(names.values())
    for pair in known:
        name = names[pair.index]
        yield Market(
            trading_pair=name if uses[name] == 1 else f"{name}@{pair.index}",
            symbol=pair.name,
            asset_id=SPOT_ASSET_OFFSET + pair.index,
            size_decimals=tokens[pair.tokens[0]].sz_decimals,
            kind="spot",
            refusal=SPOT_REFUSAL,
        )


def trading_rule(market: Market) -> TradingRule:
    """At most 5 significant figures and 6 - size decimals for prices, whole lots for sizes, 10 quote units at least."""
    step = Decimal(1).scaleb(-market.size_decimals)
    market_cap = next(
        (cap for leverage, cap in MAX_MARKET_NOTIONALS if market.max_leverage >= leverage), MAX_MARKET_NOTIONAL_ELSE
    )
    return TradingRule(
        trading_pair=market.trading_pair,
        amount_step=step,
        min_amount=step,
        min_notional=MIN_NOTIONAL,
        price_tick=Decimal(1).scaleb(min(market.size_decimals - PERP_MAX_DECIMALS, 0)),
        price_significant_figures=PRICE_SIGNIFICANT_FIGURES,
        max_notional_limit=market_cap * LIMIT_NOTIONAL_FACTOR,
        max_notional_market=market_cap,
    )


def markets(found: Iterable[Market]) -> Markets:
    """All of them by name, and the rules of those that the connector trades."""
    symbols = SymbolMap(found)
    return Markets(symbols=symbols, rules={m.trading_pair: trading_rule(m) for m in symbols if m.kind == "perp"})
