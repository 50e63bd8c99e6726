"""Trading pair <-> venue symbol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from ..errors import OrderRefused


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One market as the venue names it.

    trading_pair: "BTC-USD". symbol: the venue's own spelling. asset_id: the venue's number for it.
    is_active: false for delisted or halted markets, which are listed but not traded.
    kind: "perp", "spot" or "builder". refusal: why the toolkit does not trade it, or None.
    """

    trading_pair: str
    symbol: str
    asset_id: int
    size_decimals: int
    max_leverage: int = 1
    is_active: bool = True
    kind: str = "perp"
    refusal: str | None = None


MAX_NAME_LENGTH = 64


def pairs_key(venue: str, network: str) -> str:
    """Under which key a cache holds the trading pairs of a venue, one a line, for a shell to complete."""
    return f"pairs of {venue} {network}"


class SymbolMap:
    """All markets of a venue, found by trading pair or by the venue's own spelling.

    A name that fits several markets, or none, is refused, never guessed.
    """

    def __init__(self, markets: Iterable[Market]) -> None:
        self._by_pair: dict[str, Market] = {}
        self._by_symbol: dict[str, Market] = {}
        self._by_name: dict[str, list[Market]] = {}
        for market in markets:
            self._by_pair.setdefault(market.trading_pair, market)
            self._by_symbol.setdefault(market.symbol, market)
            for name in {market.trading_pair.upper(), market.symbol.upper()}:
                self._by_name.setdefault(name, []).append(market)

    def __iter__(self) -> Iterator[Market]:
        return iter(self._by_pair.values())

    def __len__(self) -> int:
        return len(self._by_pair)

    def find(self, name: str) -> Market:
        """The market a person means by `name`, upper or lower case. Raises OrderRefused when none or several fit.

        Only a name that is exactly the venue's may hold other letters than ASCII's: case folding would turn look-alikes
        such as a dotless i into the letter they imitate.
        """
        exact = self._by_pair.get(name)
        if exact is not None:
            return exact
        if len(name) > MAX_NAME_LENGTH:
            raise OrderRefused(f"unknown trading pair {name[:MAX_NAME_LENGTH]!r}...")
        if not name.isascii():
            foreign = ", ".join(f"U+{ord(letter):04X}" for letter in name if not letter.isascii())
            raise OrderRefused(
                f"unknown trading pair {name!r}", hint=f"it holds letters that only look right: {foreign}"
            )
        found = {market.trading_pair: market for market in self._by_name.get(name.upper(), ())}
        if len(found) == 1:
            return next(iter(found.values()))
        if found:
            raise OrderRefused(f"{name!r} is ambiguous", hint="one of: " + ", ".join(sorted(found)))
        raise OrderRefused(f"unknown trading pair {name!r}", hint=self._nearest(name))

    def pair(self, trading_pair: str) -> Market:
        """The market of an exact trading pair. Raises KeyError."""
        return self._by_pair[trading_pair]

    def by_symbol(self, symbol: str) -> Market | None:
        """The market with the venue's own spelling `symbol`, or None."""
        return self._by_symbol.get(symbol)

    def _nearest(self, name: str) -> str | None:
        from difflib import get_close_matches

        near = get_close_matches(name.upper(), sorted(self._by_name), n=3)
        pairs = sorted({market.trading_pair for spelling in near for market in self._by_name[spelling]})
        return "did you mean " + " or ".join(pairs) + "?" if pairs else None
