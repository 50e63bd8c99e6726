from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from latentspeed_hyperliquid.connector import HyperliquidPerpetual

from latentspeed_cli.errors import OrderRefused

from .conftest import walk


def asset(name: str, decimals: int, leverage: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "szDecimals": decimals, "maxLeverage": leverage, "marginTableId": leverage, **more}


META = {
    "universe": [
        asset("BTC", 5, 40),
        asset("OLD", 1, 20, isDelisted=True),
        asset("ETH", 4, 25),
        asset("kPEPE", 0, 10),
        asset("TINY", 2, 3, onlyIsolated=True, marginMode="noCross"),
    ],
    "marginTables": [[56, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 40}]}]],
    "collateralToken": 0,
}


def token(index: int, name: str, decimals: int) -> dict[str, Any]:
    more = {"weiDecimals": 8, "tokenId": f"0x{index:032x}", "isCanonical": False, "evmContract": None, "fullName": None}
    return {"index": index, "name": name, "szDecimals": decimals, **more}


SPOT = {
    "tokens": [token(0, "USDC", 8), token(1, "PURR", 0), token(5, "HYPE", 2), token(6, "HYPE", 3), token(7, "USDH", 2)],
    "universe": [
        {"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True},
        {"tokens": [5, 0], "name": "@107", "index": 107, "isCanonical": False},
        {"tokens": [6, 0], "name": "@108", "index": 108, "isCanonical": False},
        {"tokens": [5, 7], "name": "@230", "index": 230, "isCanonical": False},
        {"tokens": [99, 0], "name": "@231", "index": 231, "isCanonical": False},
    ],
}
BUILDER = {"universe": [asset("xyz:NVDA", 3, 10), asset("xyz:BTC", 5, 20)], "marginTables": [], "collateralToken": 360}


def test_asset_ids_count_delisted_markets(connector: HyperliquidPerpetual) -> None:
    asked, found = walk(connector.markets_flow(), META)
    assert asked == [{"type": "meta"}]  # one cheap request is all an order needs
    assert {m.trading_pair: m.asset_id for m in found.symbols} == {
        "BTC-USD": 0,
        "OLD-USD": 1,
        "ETH-USD": 2,
        "kPEPE-USD": 3,
        "TINY-USD": 4,
    }
    old = found.symbols.pair("OLD-USD")
    assert (old.is_active, old.refusal) == (False, "the market is delisted")
    assert found.symbols.find("kpepe-usd").trading_pair == "kPEPE-USD"


@pytest.mark.parametrize(
    ("pair", "step", "tick", "market_cap"),
    [
        ("BTC-USD", "0.00001", "0.1", "30000000"),
        ("ETH-USD", "0.0001", "0.01", "30000000"),
        ("OLD-USD", "0.1", "0.00001", "5000000"),
        ("kPEPE-USD", "1", "0.000001", "2000000"),
        ("TINY-USD", "0.01", "0.0001", "500000"),
    ],
)
def test_rules(connector: HyperliquidPerpetual, pair: str, step: str, tick: str, market_cap: str) -> None:
    rule = walk(connector.markets_flow(), META)[1].rules[pair]
    assert (rule.amount_step, rule.min_amount) == (Decimal(step), Decimal(step))
    assert (rule.price_tick, rule.price_significant_figures) == (Decimal(tick), 5)
    assert (rule.min_notional, rule.max_notional_market) == (Decimal(10), Decimal(market_cap))
    assert rule.max_notional_limit == 10 * Decimal(market_cap)


@pytest.mark.parametrize(
    ("pair", "price", "legal"),
    [
        ("BTC-USD", "79449", True),
        ("BTC-USD", "8123.4", True),
        ("BTC-USD", "79449.2", False),
        ("BTC-USD", "123456", True),
        ("OLD-USD", "1234.5", True),
        ("OLD-USD", "0.01234", True),
        ("OLD-USD", "1234.56", False),
        ("OLD-USD", "12345.6", False),
        ("OLD-USD", "0.012345", False),
        ("kPEPE-USD", "0.001234", True),
        ("kPEPE-USD", "0.0012345", False),
    ],
)
def test_prices_of_the_documentation(connector: HyperliquidPerpetual, pair: str, price: str, legal: bool) -> None:
    rule = walk(connector.markets_flow(), META)[1].rules[pair]
    if legal:
        rule.check_price(Decimal(price))
    else:
        with pytest.raises(OrderRefused):
            rule.check_price(Decimal(price))


def test_spot_and_builder_markets_are_listed_and_refused(connector: HyperliquidPerpetual) -> None:
    asked, found = walk(connector.all_markets_flow(), META, SPOT, [META, BUILDER])
    assert [ask["type"] for ask in asked] == ["meta", "spotMeta", "allPerpMetas"]
    listed = {m.trading_pair: (m.symbol, m.asset_id, m.kind) for m in found.symbols if m.kind != "perp"}
    assert listed == {
        "PURR-USDC": ("PURR/USDC", 10_000, "spot"),
        "HYPE-USDC@107": ("@107", 10_107, "spot"),  # two tokens share a name: neither pair gets it
        "HYPE-USDC@108": ("@108", 10_108, "spot"),
        "HYPE-USDH": ("@230", 10_230, "spot"),
        "xyz:NVDA-USD": ("xyz:NVDA", 110_000, "builder"),
        "xyz:BTC-USD": ("xyz:BTC", 110_001, "builder"),
    }
    assert all(m.refusal for m in found.symbols if m.kind != "perp")
    assert set(found.rules) == {"BTC-USD", "OLD-USD", "ETH-USD", "kPEPE-USD", "TINY-USD"}
    assert found.symbols.find("BTC-USD").kind == "perp"


def test_trading_a_listed_market_is_refused(connector: HyperliquidPerpetual, make_order: Any) -> None:
    connector.symbols = walk(connector.all_markets_flow(), META, SPOT, [META, BUILDER])[1].symbols
    for pair in ("PURR-USDC", "xyz:NVDA-USD"):
        with pytest.raises(OrderRefused, match="not traded") as caught:
            next(connector.place_flow(make_order(trading_pair=pair)))
        assert caught.value.exit_code == 3
