"""One market as it runs: its book, its path, its prices and its tape. Knows no accounts.

Where nobody watched, its history is made from the path.
"""

from __future__ import annotations

from collections import deque

import msgspec

from latentspeed_cli.sandbox.flow import NS_PER_DAY, Flow, MarketFlow, mix, seed_of
from latentspeed_cli.sandbox.matching import Level, Resting
from latentspeed_cli.sandbox.model import Scenario
from latentspeed_cli.sandbox.quoted import QuotedMarket

from .numbers import E8, shown
from .state import Order
from .universe import PerpSpec

NS_PER_MS = 1_000_000
TAPE = 30
LOOK_BACK_STEPS = 60
LEVELS = 20
RATE_ONE = 10**10  # funding rates and premiums are integers of 1e-10

FLOW_ACCOUNTS = tuple(f"0x{mix(7, n):016x}{mix(8, n):016x}{mix(9, n) >> 32:08x}" for n in range(12))
MAKERS, TAKERS = FLOW_ACCOUNTS[:6], FLOW_ACCOUNTS[6:]


class Trade(msgspec.Struct, frozen=True):
    """A public trade. users is [buyer, seller]; side is the aggressor's."""

    coin: str
    side: str
    px: str
    sz: str
    time: int
    hash: str
    tid: int
    users: tuple[str, str]


class Bar(msgspec.Struct):
    """What users' trades add to the candles of one minute."""

    high: int
    low: int
    volume: int = 0
    count: int = 0


class Market(QuotedMarket):
    """The running state of one perp."""

    def __init__(self, spec: PerpSpec, scenario: Scenario) -> None:
        self.spec = spec
        self.name = spec.name
        self.asset = spec.asset
        self.delisted = spec.delisted
        self.seed = seed_of(scenario.seed, spec.name)
        block = scenario.block_ns["hyperliquid"]
        lot = spec.lot
        flow = Flow(
            scenario.seed,
            MarketFlow(
                symbol=spec.name,
                base_price=spec.base_price,
                tick_size=spec.tick_size,
                lot=lot,
                depth=max(spec.volume * E8 // 60_000 // lot, 1) * lot,
                trade=max(spec.volume * E8 // 500_000 // lot, 1) * lot,
                volatility_ppm=spec.volatility_ppm,
                step_ns=block * (6 + spec.asset % 3),
                phase_ns=block * (spec.asset % 5),
                spread_ticks=spec.spread_ticks,
            ),
        )
        super().__init__(flow, MAKERS)
        self.mark_override: int | None = None
        self.oracle_override: int | None = None
        self.premium_override: int | None = None
        self.last_px: int | None = None
        self.resting: dict[int, Order] = {}
        self.triggers: dict[int, Order] = {}
        self.subscribers = 0
        self.fresh: list[Trade] = []
        self.shown_top: tuple[Level | None, Level | None] | None = None
        self._tape: deque[Trade] = deque(maxlen=TAPE)
        self._tape_step: int | None = None
        self.bars: dict[int, Bar] = {}

    # ---- the present -----------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        return not self.delisted

    @property
    def watched(self) -> bool:
        return bool(self.resting or self.triggers or self.subscribers) and not self.delisted

    def best_resting(self) -> tuple[int | None, int | None]:
        return (
            max((order.px for order in self.resting.values() if order.is_buy), default=None),
            min((order.px for order in self.resting.values() if not order.is_buy), default=None),
        )

    def top(self, elapsed: int) -> tuple[Level | None, Level | None]:
        """Best bid and best ask level."""
        book = self.lay_quotes(elapsed)
        bids, asks = book.levels(True, 1), book.levels(False, 1)
        return (bids[0] if bids else None, asks[0] if asks else None)

    def best(self, elapsed: int) -> tuple[int | None, int | None]:
        """Best bid and best ask price."""
        if not self.resting and self.seeded is None and not self.delisted:
            touch = self.look(elapsed)
            return touch.bid, touch.ask
        book = self.lay_quotes(elapsed)
        return book.best_price(True), book.best_price(False)

    def mid2(self, elapsed: int) -> int:
        """Twice the mid (it may have half a unit); with an empty side twice the last trade or the mark."""
        bid, ask = self.best(elapsed)
        if bid is None or ask is None:
            return 2 * (self.last_px if self.last_px is not None else self.mark(elapsed))
        return bid + ask

    def mark(self, elapsed: int) -> int:
        """The mark price: the path's, or what the control API says."""
        if self.mark_override is not None:
            return self.mark_override
        if self.delisted:
            return self.spec.base_price
        return self._round(self.look(elapsed).mid)

    def oracle(self, elapsed: int, hour: int) -> int:
        """The oracle price: the mark without the premium of the hour."""
        if self.oracle_override is not None:
            return self.oracle_override
        return max(self._round(self.mark(elapsed) * RATE_ONE // (RATE_ONE + self.premium(hour))), self.spec.px_unit)

    def _round(self, price: int) -> int:
        unit = self.spec.px_unit
        return max((price + unit // 2) // unit * unit, unit)

    def premium(self, hour: int) -> int:
        """The average premium of an hour, in 1e-10: usually within the clamp, now and then beyond."""
        if self.premium_override is not None:
            return self.premium_override
        word = mix(self.seed, 10, hour)
        reach = 3_000_000 if word % 8 else 12_000_000
        return (word >> 8) % (2 * reach) - reach

    def funding_rate(self, hour: int) -> int:
        """The hourly rate, in 1e-10: (premium + clamp(0.01 % - premium, +-0.05 %)) / 8, at most 4 %."""
        premium = self.premium(hour)
        rate = premium + max(-5_000_000, min(5_000_000, 1_000_000 - premium))
        return max(-400_000_000, min(400_000_000, rate // 8))

    # ---- the tape --------------------------------------------------------------------------------

    def flow_trades(self, step: int, start_ns: int) -> list[Trade]:
        """The background trades of a step as they print when no user takes part."""
        trades = self.flow.trades(step)
        if not trades or self.delisted:
            return []
        touch = self.flow.touch(step, self.shift)
        time = (start_ns + self.flow.step_start(step)) // NS_PER_MS
        return [
            self.flow_trade(step, t.number, t.is_buy, touch.ask if t.is_buy else touch.bid, t.size, time)
            for t in trades
        ]

    def flow_trade(self, step: int, number: int, is_buy: bool, price: int, size: int, time: int) -> Trade:
        """One background trade between two flow accounts."""
        word = mix(self.seed, 11, step, number)
        taker, maker = TAKERS[word % len(TAKERS)], MAKERS[(word >> 8) % len(MAKERS)]
        hash_ = f"0x{word:016x}{mix(word, 1):016x}{mix(word, 2):016x}{mix(word, 3):016x}"
        users = (taker, maker) if is_buy else (maker, taker)
        return Trade(
            self.name, "B" if is_buy else "A", shown(price), shown(size), time, hash_, mix(word, 4) >> 14, users
        )

    def catch_up_tape(self, elapsed: int, start_ns: int, *, including: bool = True) -> None:
        """Fill the tape with the background trades up to this moment's step."""
        last = self.flow.step_at(elapsed) - (0 if including else 1)
        first = last - LOOK_BACK_STEPS if self._tape_step is None else max(self._tape_step + 1, last - LOOK_BACK_STEPS)
        for step in range(first, last + 1):
            self._tape.extend(self.flow_trades(step, start_ns))
        self._tape_step = last if self._tape_step is None else max(last, self._tape_step)

    def print_trade(self, trade: Trade, price: int, size: int, *, by_user: bool) -> None:
        """A trade happened: tape, feed, and the candles when it was not the path's own."""
        self._tape.append(trade)
        self.fresh.append(trade)
        self.last_px = price
        if by_user:
            minute = trade.time // 60_000
            bar = self.bars.get(minute)
            if bar is None:
                if len(self.bars) > 5_000:
                    del self.bars[next(iter(self.bars))]
                bar = self.bars[minute] = Bar(price, price)
            bar.high, bar.low = max(bar.high, price), min(bar.low, price)
            bar.volume += size
            bar.count += 1

    def printed_step(self, step: int) -> None:
        """The background trades of a step are on the tape."""
        self._tape_step = step if self._tape_step is None else max(step, self._tape_step)

    def recent_trades(self, elapsed: int, start_ns: int) -> list[Trade]:
        """The last trades, oldest first."""
        if not self.watched or self._tape_step is None:
            self.catch_up_tape(elapsed, start_ns)
        return list(self._tape)

    # ---- books as shown --------------------------------------------------------------------------

    def levels(self, elapsed: int, depth: int = LEVELS) -> tuple[list[Level], list[Level]]:
        book = self.lay_quotes(elapsed)
        return book.levels(True, depth), book.levels(False, depth)

    def aggregated(self, elapsed: int, figures: int, mantissa: int | None) -> tuple[list[Level], list[Level]]:
        """Levels rounded to significant figures: bids down, asks up."""
        book = self.lay_quotes(elapsed)
        sides = []
        for is_buy in (True, False):
            merged: dict[int, list[int]] = {}
            for level in book.levels(is_buy):
                bucket = max(10 ** max(len(str(level.price)) - figures, 0) * (mantissa or 1), self.spec.px_unit)
                key = level.price // bucket * bucket if is_buy else -(-level.price // bucket) * bucket
                row = merged.setdefault(key, [0, 0])
                row[0] += level.size
                row[1] += level.count
            sides.append([Level(price, size, count) for price, (size, count) in list(merged.items())[:LEVELS]])
        return sides[0], sides[1]

    # ---- day figures -----------------------------------------------------------------------------

    def day_ago(self, elapsed: int) -> int:
        touch = self.flow.touch(self.flow.step_at(elapsed - NS_PER_DAY), self.shift)
        return touch.bid

    def day_volume(self, hour: int) -> int:
        """Coins traded in a day, in 1e-8."""
        lot = self.spec.lot
        return self.spec.volume * E8 * (700 + mix(self.seed, 12, hour) % 600) // 1_000 // lot * lot

    def open_interest(self, hour: int) -> int:
        lot = self.spec.lot
        return self.spec.interest * E8 * (950 + mix(self.seed, 13, hour) % 100) // 1_000 // lot * lot


def resting_of(order: Order) -> Resting:
    """The order as it lies on the book."""
    return Resting(order.oid, order.user, order.is_buy, order.px, order.sz)
