"""One market as it runs: its book, its path, its oracle and its tape. Knows no accounts.

Where nobody watched, its history is made from the path. `elapsed` is nanoseconds since the instance began.
"""

from __future__ import annotations

from collections import deque

import msgspec

from latentspeed_cli.sandbox.flow import NS_PER_DAY, Flow, MarketFlow, mix, seed_of
from latentspeed_cli.sandbox.matching import Level, Resting
from latentspeed_cli.sandbox.model import Scenario
from latentspeed_cli.sandbox.quoted import QuotedMarket

from .universe import MarketSpec

TAPE = 1_000
LOOK_BACK_STEPS = 400
# Event numbers of background trades that nobody saw happen: above those of a block's matches, a range for each market.
UNSEEN = 0x4000
MAKER = "flow"
RATE_ONE = 10**9  # funding rates are integers of 1e-9: an eighth of one ppm is 125


class Trade(msgspec.Struct, frozen=True):
    """A public trade as it is committed: is_buy is the taker's side, number its event index in the block."""

    is_buy: bool
    price: int
    size: int
    height: int
    number: int
    time_ns: int
    kind: str = "LIMIT"

    @property
    def id(self) -> str:
        return event_id(self.height, self.number)


class Fresh(msgspec.Struct, frozen=True):
    """A trade that waits for its block."""

    is_buy: bool
    price: int
    size: int
    kind: str


class Bar(msgspec.Struct):
    """What users' trades add to the candles of one minute."""

    high: int
    low: int
    volume: int = 0
    count: int = 0


def event_id(height: int, number: int) -> str:
    """24 hex digits: height, transaction index + 2 (the proposer's operations are index 0), event index."""
    return f"{height:08x}00000002{number:08x}"


class Market(QuotedMarket):
    """The running state of one perpetual."""

    def __init__(self, spec: MarketSpec, scenario: Scenario) -> None:
        self.spec = spec
        self.pair = spec.pair
        self.status = spec.status
        self.seed = seed_of(scenario.seed, spec.ticker)
        self.block_ns = scenario.block_ns["dydx_v4"]
        flow = Flow(
            scenario.seed,
            MarketFlow(
                symbol=spec.path,
                base_price=spec.base_price,
                tick_size=lambda price: spec.tick,
                lot=spec.step,
                depth=spec.quantums(max(spec.volume // 60_000, 1)),
                trade=spec.quantums(max(spec.volume // 500_000, 1)),
                volatility_ppm=spec.volatility_ppm,
                step_ns=self.block_ns,
                phase_ns=self.block_ns // 8 * (spec.pair % 7),
                spread_ticks=spec.spread_ticks,
            ),
        )
        super().__init__(flow, (MAKER,))
        self.oracle_override: int | None = None
        self.rate_override: int | None = None
        self.resting: dict[int, int] = {}  # book id of users' orders -> price, to keep quotes from crossing them
        self.sides: dict[int, bool] = {}
        self.conditionals = 0
        self.subscribers = 0
        self.fresh: list[Fresh] = []
        self._tape: deque[Trade] = deque(maxlen=TAPE)
        self._tape_step: int | None = None
        self.bars: dict[int, Bar] = {}

    # ---- the present -----------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        return self.status == 1

    @property
    def watched(self) -> bool:
        return bool(self.resting or self.conditionals or self.subscribers) and self.is_active

    def best_resting(self) -> tuple[int | None, int | None]:
        return (
            max((price for book_id, price in self.resting.items() if self.sides[book_id]), default=None),
            min((price for book_id, price in self.resting.items() if not self.sides[book_id]), default=None),
        )

    def rest(self, book_id: int, owner: str, is_buy: bool, price: int, size: int, elapsed: int) -> None:
        """Put a user's order on the book, quotes being there already."""
        self.lay_quotes(elapsed)
        self.put_back(book_id, owner, is_buy, price, size)

    def put_back(self, book_id: int, owner: str, is_buy: bool, price: int, size: int) -> None:
        """Put a user's order on the book."""
        self.book.add(Resting(book_id, owner, is_buy, price, size))
        self.resting[book_id] = price
        self.sides[book_id] = is_buy

    def unrest(self, book_id: int) -> bool:
        """Take a user's order off the book; False when it was not there."""
        self.book.remove(book_id)
        self.sides.pop(book_id, None)
        return self.resting.pop(book_id, None) is not None

    def levels(self, elapsed: int, depth: int = 100) -> tuple[list[Level], list[Level]]:
        book = self.lay_quotes(elapsed)
        return book.levels(True, depth), book.levels(False, depth)

    def best(self, elapsed: int) -> tuple[int | None, int | None]:
        """Best bid and best ask price."""
        book = self.lay_quotes(elapsed)
        return book.best_price(True), book.best_price(False)

    def oracle(self, elapsed: int) -> int:
        """The oracle price in subticks: the path's, or what the control API says."""
        if self.oracle_override is not None:
            return self.oracle_override
        return max(self.flow.mid(elapsed) + self.shift, 1)

    # ---- the tape --------------------------------------------------------------------------------

    def flow_trades(self, step: int, start_ns: int, start_height: int) -> list[Trade]:
        """The background trades of a step as they print when no user takes part: in the block after the step began."""
        trades = self.flow.trades(step) if self.is_active else ()
        if not trades:
            return []
        touch = self.flow.touch(step, self.shift)
        block = self.flow.step_start(step) // self.block_ns + 1
        time_ns, first = start_ns + block * self.block_ns, UNSEEN + 64 * self.pair
        return [
            Trade(t.is_buy, touch.ask if t.is_buy else touch.bid, t.size, start_height + block, first + place, time_ns)
            for place, t in enumerate(trades)
        ]

    def _fill_tape(self, last: int, start_ns: int, start_height: int) -> None:
        """Put the background trades of the steps up to `last` on the tape, which nobody watched."""
        first = last - LOOK_BACK_STEPS if self._tape_step is None else max(self._tape_step + 1, last - LOOK_BACK_STEPS)
        for step in range(first, last + 1):
            self._tape.extend(self.flow_trades(step, start_ns, start_height))
        self._tape_step = last if self._tape_step is None else max(last, self._tape_step)

    def begin_step(self, step: int, start_ns: int, start_height: int) -> bool:
        """A step is about to happen for all to see; False when its trades are on the tape already."""
        if self._tape_step is not None and step <= self._tape_step:
            return False
        self._fill_tape(step - 1, start_ns, start_height)
        self._tape_step = step
        return True

    def traded(self, is_buy: bool, price: int, size: int, minute: int | None, kind: str = "LIMIT") -> None:
        """A trade happened and waits for its block; minute: of the candle, when it was not the path's own trade."""
        self.fresh.append(Fresh(is_buy, price, size, kind))
        if minute is not None:
            self._draw(price, size, minute)

    def _draw(self, price: int, size: int, minute: int) -> None:
        bar = self.bars.get(minute)
        if bar is None:
            if len(self.bars) > 5_000:
                del self.bars[next(iter(self.bars))]
            bar = self.bars[minute] = Bar(price, price)
        bar.high, bar.low = max(bar.high, price), min(bar.low, price)
        bar.volume += size
        bar.count += 1

    def print_trades(self, trades: list[Trade]) -> None:
        """A block is committed with these trades."""
        self._tape.extend(trades)

    def reprint(self, trade: Trade) -> None:
        """A user's trade of an earlier run, oldest first."""
        self._tape.append(trade)
        self._draw(trade.price, trade.size, trade.time_ns // 60_000_000_000)

    def recent_trades(self, elapsed: int, start_ns: int, start_height: int) -> list[Trade]:
        """The last trades, oldest first."""
        last = self.flow.step_at(elapsed) - 2
        if self.watched and self.touch is not None:
            last = min(last, self.touch.step)  # later steps happen for all to see
        self._fill_tape(last, start_ns, start_height)
        return sorted(self._tape, key=lambda trade: (trade.height, trade.number))

    # ---- day figures and funding -----------------------------------------------------------------

    def day_ago(self, elapsed: int) -> int:
        return max(self.flow.mid(elapsed - NS_PER_DAY), 1)

    def day_volume(self, hour: int) -> int:
        """Quantums traded in a day."""
        coins = max(self.spec.volume // 30, 1)
        return self.spec.quantums(coins * (700 + mix(self.seed, 12, hour) % 600) // 1_000)

    def open_interest(self, hour: int) -> int:
        """Quantums open."""
        coins = self.spec.interest * (950 + mix(self.seed, 13, hour) % 100) // 1_000
        return self.spec.quantums(coins)

    def funding_rate(self, hour: int) -> int:
        """The 1-hour rate of an hour, in 1e-9: whole eighths of a ppm, within the usual clamp."""
        if self.rate_override is not None:
            return self.rate_override
        return (mix(self.seed, 10, hour) % 161 - 60) * 125

    def initial_ppm(self, hour: int, oracle: int) -> int:
        """Initial margin fraction: the tier's, raised linearly towards 1 between the open-interest caps."""
        tier = self.spec.tier
        if not tier.upper_cap:
            return tier.initial_ppm
        interest = self.open_interest(hour) * oracle // 10**9
        if interest <= tier.lower_cap:
            return tier.initial_ppm
        share = min((interest - tier.lower_cap) * 1_000_000 // (tier.upper_cap - tier.lower_cap), 1_000_000)
        return tier.initial_ppm + (1_000_000 - tier.initial_ppm) * share // 1_000_000
