"""What goes wrong in one world: kinds of faults, each on or off by the seed, each with a rate drawn from the seed."""

from __future__ import annotations

from collections import Counter
from random import Random

from ...entropy import SeededEntropy

# Kinds of faults -> rates to choose from, a chance per occasion (a request, a frame, a disk step, a process).
REQUESTS: dict[str, tuple[float, ...]] = {
    "connect_failed": (0.02, 0.1, 0.3),
    "request_lost": (0.02, 0.1, 0.3),
    "request_late": (0.02, 0.1, 0.3),
    "request_twice": (0.05, 0.3),
    "reply_lost": (0.02, 0.1, 0.3),
    "reply_late": (0.02, 0.1, 0.3),
    "refused_for_rate": (0.02, 0.1, 0.3),
    "failed_before": (0.02, 0.1, 0.3),
    "failed_after": (0.02, 0.1, 0.3),
    "garbage": (0.02, 0.1, 0.3),
    "odd_shape": (0.02, 0.1, 0.3),
}
READS: dict[str, tuple[float, ...]] = {
    "not_found": (0.1, 0.4),
    "incomplete_list": (0.1, 0.4),
    "fills_lag": (0.1, 0.4),
    "bad_book": (0.1, 0.4),
}
STREAMS: dict[str, tuple[float, ...]] = {
    "socket_refused": (0.1, 0.4),
    "socket_cut": (0.005, 0.02),
    "socket_half_open": (0.005, 0.02),
    "frame_twice": (0.05, 0.3),
    "frame_late": (0.05, 0.3),
    "frame_lost": (0.02, 0.1),
    "frame_garbage": (0.01,),
    "ack_lost": (0.1, 0.3),
}
VENUE: dict[str, tuple[float, ...]] = {
    "venue_restart": (0.5,),
    "cancel_lost": (0.1, 0.4),
    "nonce_refused": (0.05, 0.2),
    "block_stall": (0.5,),
    "mempool_dropped": (0.5,),
    "blocks_without_us": (0.5,),
    "indexer_lag": (0.5,),
    "offchain_lost": (0.5,),
    "offchain_twice": (0.5,),
    "node_restarted": (0.5,),
}
HOST: dict[str, tuple[float, ...]] = {
    "kill_at_disk_step": (0.1, 0.4),
    "kill_before_send": (0.03, 0.1),
    "kill_after_send": (0.03, 0.1),
    "stop_signal": (0.1, 0.3),
    "power_loss": (0.4,),
    "disk_full": (0.002, 0.02),
    "disk_error": (0.002, 0.02),
    "sync_error": (0.01, 0.05),
    "clock_skew": (0.5,),
    "clock_step": (0.2,),
}
# Refusals that last a while. Drawn behind all others, so that worlds in which they are off stay as they were.
REFUSALS: dict[str, tuple[float, ...]] = {
    "post_only_window": (0.5,),
    "budget_end": (0.5,),
}
KINDS: dict[str, tuple[float, ...]] = REQUESTS | READS | STREAMS | VENUE | HOST | REFUSALS
SHARE_OF_CALM_WORLDS = 0.08


class Faults:
    """The faults of one seed. injected: how many struck, by kind. only: kinds that may be on; None for all. sure: kinds
    that are on, whatever the seed; it draws their rates alone.

    Each part of a world draws from a generator of its own, so that a change in one leaves the others as they were.
    """

    def __init__(self, seed: str, only: frozenset[str] | None = None, sure: frozenset[str] = frozenset()) -> None:
        self._seed = seed
        self._chances: dict[str, Random] = {}
        self.injected: Counter[str] = Counter()
        self.healed = False
        draw = self.chance("plan")
        calm = draw.random() < SHARE_OF_CALM_WORLDS
        share = draw.choice((0.1, 0.25, 0.5))
        self.rates: dict[str, float] = {}
        for kind, rates in KINDS.items():
            is_on, rate = draw.random() < share, draw.choice(rates)
            if kind in sure or (is_on and not calm and (only is None or kind in only)):
                self.rates[kind] = rate

    def chance(self, part: str) -> Random:
        """The generator of one part of the world."""
        found = self._chances.get(part)
        if found is None:
            found = self._chances[part] = SeededEntropy(f"{self._seed}/{part}").random
        return found

    def threatens(self, kind: str) -> bool:
        """Whether this fault is to happen, if there is an occasion yet; whoever brings it about counts it."""
        rate = self.rates.get(kind)
        return rate is not None and not self.healed and self.chance(kind).random() < rate

    def strikes(self, kind: str) -> bool:
        """Whether this fault happens on this occasion. Counts it."""
        if not self.threatens(kind):
            return False
        self.injected[kind] += 1
        return True

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        self.healed = True

    @property
    def is_calm(self) -> bool:
        return not self.rates
