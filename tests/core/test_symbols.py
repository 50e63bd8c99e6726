"""A name that fits several markets, or none, is refused, never guessed."""

from __future__ import annotations

import pytest

from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.errors import OrderRefused


def market(trading_pair: str, symbol: str, asset_id: int = 0) -> Market:
    return Market(trading_pair=trading_pair, symbol=symbol, asset_id=asset_id, size_decimals=5)


MARKETS = [
    market("BTC-USD", "BTC"),
    market("ETH-USD", "ETH", 1),
    market("LINK-USD", "LINK", 2),
    market("kPEPE-USD", "kPEPE", 3),
    market("KPEPE-USD", "KPEPE", 4),
    market("HYPE-USDC", "@107", 10_107),
    market("PURR-USDC", "PURR/USDC", 10_000),
    market("ÅKTA-USDC", "@9", 10_009),
]


@pytest.fixture
def symbols() -> SymbolMap:
    return SymbolMap(MARKETS)


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("BTC-USD", "BTC-USD"),
        ("btc-usd", "BTC-USD"),
        ("BTC", "BTC-USD"),
        ("eth", "ETH-USD"),
        ("kPEPE-USD", "kPEPE-USD"),
        ("KPEPE-USD", "KPEPE-USD"),
        ("@107", "HYPE-USDC"),
        ("purr/usdc", "PURR-USDC"),
        ("ÅKTA-USDC", "ÅKTA-USDC"),
    ],
)
def test_names_that_fit(name: str, pair: str, symbols: SymbolMap) -> None:
    assert symbols.find(name).trading_pair == pair


def test_an_ambiguous_name_names_its_markets(symbols: SymbolMap) -> None:
    with pytest.raises(OrderRefused, match="'kpepe-usd' is ambiguous") as caught:
        symbols.find("kpepe-usd")
    assert caught.value.hint == "one of: KPEPE-USD, kPEPE-USD"
    assert caught.value.exit_code == 3


def test_a_wrong_name_gets_its_neighbours(symbols: SymbolMap) -> None:
    with pytest.raises(OrderRefused, match="unknown trading pair 'BTC-USDT'") as caught:
        symbols.find("BTC-USDT")
    assert "BTC-USD" in str(caught.value.hint)
    with pytest.raises(OrderRefused) as caught:
        symbols.find("ZZZZZZ")
    assert caught.value.hint is None


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("\u0412\u0422\u0421-USD", "U+0412, U+0422, U+0421"),
        ("l\u0131nk-usd", "U+0131"),
        ("lin\u212a-usd", "U+212A"),
        ("\uff22TC-USD", "U+FF22"),
        ("BTC\u200b-USD", "U+200B"),
        ("BTC-USD\u202e", "U+202E"),
    ],
)
def test_look_alike_letters(name: str, foreign: str, symbols: SymbolMap) -> None:
    with pytest.raises(OrderRefused) as caught:
        symbols.find(name)
    assert str(caught.value.hint).endswith(foreign)


@pytest.mark.parametrize("name", ["", " ", "BTC USD", "BTC-USD\n", "BTC-USD\x00", "\x1b[31mBTC", "B" * 1_000_000])
def test_hostile_names(name: str, symbols: SymbolMap) -> None:
    with pytest.raises(OrderRefused) as caught:
        symbols.find(name)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


def test_look_ups(symbols: SymbolMap) -> None:
    assert symbols.pair("ETH-USD").asset_id == 1
    found = symbols.by_symbol("@107")
    assert found is not None
    assert found.trading_pair == "HYPE-USDC"
    assert symbols.by_symbol("btc") is None
    assert [item.trading_pair for item in symbols] == [item.trading_pair for item in MARKETS]
    assert len(symbols) == len(MARKETS)
    with pytest.raises(KeyError):
        symbols.pair("btc-usd")
