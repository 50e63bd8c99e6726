"""Seeded prices and background flow, for any venue.

Everything here is a pure function of (seed, symbol, step): the path needs no history, so a candle of last week costs as
much as one of this minute, a restart continues where the clock is, and the same seed gives the same tape. Prices and
sizes are integers in units the venue model chooses; no floats, so every machine computes the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import isqrt

import msgspec

from .matching import Book, Resting

NS_PER_S = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_S

_MASK = (1 << 64) - 1
_MIX_START = 0x9E3779B97F4A7C15
_ONE = 1 << 20  # fixed point of the path's logarithm: about one part in a million


def mix(*parts: int, state: int = _MIX_START) -> int:
    """A well spread 64-bit number from integers (splitmix64, folded). state: what mix() gave for those before."""
    for part in parts:
        state = ((state ^ (part & _MASK)) * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


@lru_cache(maxsize=1024)
def seed_of(seed: int, text: str) -> int:
    """A sub-seed for a name."""
    return mix(seed, *text.encode())


class MarketFlow(msgspec.Struct, frozen=True, kw_only=True):
    """How one market moves.

    base_price: the price at step 0. tick_size: legal price distance at a price. lot: smallest size. depth: typical
    size of a level near the touch. trade: typical size of a background trade. volatility_ppm: daily standard deviation,
    parts per million. step_ns: length of a step; phase_ns staggers markets. spread_ticks: usual width of the touch.
    """

    symbol: str
    base_price: int
    tick_size: Callable[[int], int]
    lot: int
    depth: int
    trade: int
    volatility_ppm: int = 30_000
    step_ns: int = 490_000_000
    phase_ns: int = 0
    spread_ticks: int = 1
    trades_per_hundred_steps: int = 70


class FlowTrade(msgspec.Struct, frozen=True):
    """A background trade: is_buy is the aggressor's side."""

    is_buy: bool
    size: int
    number: int


class Touch(msgspec.Struct, frozen=True):
    """Where the background market stands at one step."""

    step: int
    mid: int
    bid: int
    ask: int


# Octaves of the noise: from a quarter of a second up to about fifty days, each four times the one before.
_OCTAVES = tuple(NS_PER_S // 4 * 4**k for k in range(13))


_MEMORY = 20_000


@lru_cache(maxsize=256)
def _points_of(seed: int) -> dict[int, int]:
    """Lattice points of the noise, by index and octave. Models of one seed share them: they are what they are."""
    return {}


@lru_cache(maxsize=256)
def _mids_of(seed: int, base_price: int, volatility_ppm: int) -> dict[int, int]:
    """The price by elapsed nanoseconds, shared likewise."""
    return {}


class Flow:
    """One market's path, trades and quotes."""

    def __init__(self, seed: int, market: MarketFlow) -> None:
        self.market = market
        self.seed = seed_of(seed, market.symbol)
        self._points = _points_of(self.seed)
        self._mids = _mids_of(self.seed, market.base_price, market.volatility_ppm)
        self._levels: dict[int, tuple[int, tuple[int, int]]] = {}  # a level's size and the step at which it changes
        # A random walk's deviation grows with the square root of time; so does each octave's amplitude. The shortest
        # ones are damped: a touch that stands still now and then lets orders at it fill bit by bit.
        amplitudes = [
            market.volatility_ppm * isqrt(period * 10**12 // NS_PER_DAY) // (3_000 if period < 10 * NS_PER_S else 1_000)
            for period in _OCTAVES
        ]
        self._octaves = list(zip(range(len(_OCTAVES)), _OCTAVES, amplitudes, strict=True))
        self._octave_states = [mix(self.seed, octave) for octave in range(len(_OCTAVES))]
        self._origin = self._noise(0)

    # ---- the path --------------------------------------------------------------------------------

    def _new_point(self, octave: int, index: int) -> int:
        if len(self._points) > _MEMORY:
            self._points.clear()
        value = mix(index, state=self._octave_states[octave]) % (2 * _ONE) - _ONE
        self._points[index * 16 + octave] = value
        return value

    def _noise(self, elapsed_ns: int) -> int:
        """The logarithm of the path, in 1e-9, before the origin is taken off."""
        total = 0
        known = self._points.get
        for octave, period, amplitude in self._octaves:
            index, rest = divmod(elapsed_ns, period)
            left, right = known(index * 16 + octave), known((index + 1) * 16 + octave)
            if left is None:
                left = self._new_point(octave, index)
            if right is None:
                right = self._new_point(octave, index + 1)
            part = rest * _ONE // period
            weight = part * part // _ONE * (3 * _ONE - 2 * part) // _ONE
            total += amplitude * (left + (right - left) * weight // _ONE) // _ONE
        return total

    def mid(self, elapsed_ns: int) -> int:
        """The price after elapsed_ns (negative: before the start)."""
        known = self._mids.get(elapsed_ns)
        if known is not None:
            return known
        x = self._noise(elapsed_ns) - self._origin
        one = 10**9
        # exp(x) by its series: x stays well inside one, and integers give the same on every machine.
        x2 = x * x // one
        x3 = x2 * x // one
        factor = one + x + x2 // 2 + x3 // 6 + x3 * x // one // 24
        if len(self._mids) > _MEMORY:
            self._mids.clear()
        self._mids[elapsed_ns] = mid = max(self.market.base_price * factor // one, 1)
        return mid

    # ---- steps -----------------------------------------------------------------------------------

    def step_at(self, elapsed_ns: int) -> int:
        """The step that is current at a time."""
        return (elapsed_ns - self.market.phase_ns) // self.market.step_ns

    def step_start(self, step: int) -> int:
        """When a step begins, in elapsed nanoseconds."""
        return step * self.market.step_ns + self.market.phase_ns

    def touch(self, step: int, shift: int = 0) -> Touch:
        """Mid, best bid and best ask at a step. shift is added to the path."""
        mid = max(self.mid(self.step_start(step)) + shift, 1)
        tick = self.market.tick_size(mid)
        width = self.market.spread_ticks
        if mix(self.seed, 1, step) % 4 == 0:
            width += mix(self.seed, 2, step) % (width + 1)
        bid = max((mid - width * tick // 2) // tick * tick, tick)
        return Touch(step, mid, bid, bid + width * tick)

    def trades(self, step: int) -> tuple[FlowTrade, ...]:
        """The background trades of a step: mostly small, now and then large, leaning the way the path goes."""
        draw = mix(self.seed, 3, step)
        count = 0
        while draw % 100 < self.market.trades_per_hundred_steps and count < 4:
            count += 1
            draw = mix(draw, 3)
        if not count:
            return ()
        rising = self.mid(self.step_start(step + 1)) >= self.mid(self.step_start(step))
        trades = []
        for number in range(count):
            word = mix(self.seed, 4, step, number)
            is_buy = (word % 100 < 65) == rising
            trades.append(FlowTrade(is_buy, self._spread_size(self.market.trade, word >> 8), number))
        return tuple(trades)

    def burst(self, step: int, number: int) -> int:
        """How much background takers bring against an order that the path has just crossed: about a level's size."""
        return self._spread_size(self.market.depth, mix(self.seed, 7, step, number))

    def _spread_size(self, typical: int, word: int) -> int:
        """A size from 1/32 to about eight times the typical one, whole lots, at least one."""
        scale = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 160, 256, 8)[word & 15]
        jitter = 64 + (word >> 4) % 64
        return max(typical * scale * jitter // (32 * 96) // self.market.lot, 1) * self.market.lot

    # ---- quotes ----------------------------------------------------------------------------------

    def ladder(self, touch: Touch, is_buy: bool) -> dict[int, tuple[int, int]]:
        """price -> (size, count) of one side, best first: 20 neighbouring ticks, then coarser steps outwards.

        A level's size depends on its price and slowly on time, not on its distance: a moving touch changes few levels.
        """
        best = touch.bid if is_buy else touch.ask
        tick = self.market.tick_size(best)
        sign = -1 if is_buy else 1
        prices = [best + sign * tick * k for k in range(20)]
        for coarse in (10, 100):
            unit = tick * coarse
            edge = prices[-1] // unit * unit if is_buy else -(-prices[-1] // unit) * unit
            prices += [edge + sign * unit * k for k in range(1, 9)]
        levels: dict[int, tuple[int, int]] = {}
        for place, price in enumerate(prices):
            if price <= 0:
                break
            levels[price] = self._level(price, is_buy, 0 if place < 20 else 1 if place < 28 else 2, touch.step)
        return levels

    def _level(self, price: int, is_buy: bool, zone: int, step: int) -> tuple[int, int]:
        key = price * 8 + is_buy * 4 + zone
        known = self._levels.get(key)
        if known is not None and step < known[0] and step >= known[0] - 64:
            return known[1]
        name = mix(self.seed, 5, price, is_buy)
        epoch = (step + name % 64) // 64
        word = mix(name, epoch)
        depth = self.market.depth * 4**zone
        size = self._spread_size(depth, word)
        level = (size, 1 + (word >> 32) % (2 + min(size * 4 // depth, 40)))
        if len(self._levels) > 2_000:
            self._levels.clear()
        self._levels[key] = ((epoch + 1) * 64 - name % 64, level)
        return level


class Quoter:
    """Keeps a flow's ladder on a book, changing only what differs. Its orders have negative ids."""

    def __init__(self, flow: Flow, owners: tuple[str, ...]) -> None:
        self.flow = flow
        self.owners = owners
        self._quotes: dict[bool, dict[int, list[Resting]]] = {True: {}, False: {}}
        self._next_id = -1

    def withdraw(self, book: Book, ladders: dict[bool, dict[int, tuple[int, int]]]) -> None:
        """Take away quotes at prices that are no longer quoted. First, so that nothing crosses."""
        for is_buy, ladder in ladders.items():
            quotes = self._quotes[is_buy]
            for price in [price for price in quotes if price not in ladder]:
                for order in quotes.pop(price):
                    book.remove(order.order_id)

    def quote(self, book: Book, ladders: dict[bool, dict[int, tuple[int, int]]]) -> None:
        """Bring each level to its size: what is added joins the end of the queue, what is too much leaves it."""
        for is_buy, ladder in ladders.items():
            quotes = self._quotes[is_buy]
            for price, (size, count) in ladder.items():
                orders = quotes.get(price)
                if orders is None:
                    orders = quotes[price] = []
                missing = size - sum(order.size for order in orders)
                if missing > 0:
                    orders[:] = [order for order in orders if order.size > 0]
                    self._add(book, orders, is_buy, price, missing, count)
                while missing < 0:
                    last = orders[-1]
                    cut = min(-missing, last.size)
                    if cut:
                        book.reduce(last.order_id, cut)
                    if last.size <= 0:
                        orders.pop()
                    missing += cut

    def _add(self, book: Book, orders: list[Resting], is_buy: bool, price: int, size: int, count: int) -> None:
        shown = sum(order.count for order in orders)
        owner = self.owners[mix(self.flow.seed, 6, price) % len(self.owners)]
        order = Resting(self._next_id, owner, is_buy, price, size, max(count - shown, 1))
        self._next_id -= 1
        orders.append(order)
        book.add(order)
