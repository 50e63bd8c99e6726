"""Words for the shell to offer, read from files of this machine alone: fast, and silent about every trouble.

said: the global options among the words so far; they decide which venue, network and profile are meant, as they would
for the command.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import config
from .cache import MarketCache
from .clock import SystemClock
from .core.symbols import pairs_key
from .core.types import OrderState
from .errors import LatentspeedError

MAX_OFFERS = 500
_ALIVE = tuple(state for state in OrderState if not state.is_done)


def trading_pairs(said: Mapping[str, str | None], incomplete: str) -> list[str]:
    """Pairs of the venue that begin with `incomplete`."""
    try:
        settings = config.resolve(said)
    except LatentspeedError:
        return []
    data = MarketCache(settings.cache_dir).read(pairs_key(settings.venue, settings.network))
    if data is None:
        return []
    return [pair for pair in data[0].decode().split("\n") if pair.startswith(incomplete)][:MAX_OFFERS]


def open_order_ids(said: Mapping[str, str | None], incomplete: str) -> list[str]:
    """Ids of orders that are not done and begin with `incomplete`, the latest first."""
    try:
        settings = config.resolve(said)
        from .journal import Inspector

        path = settings.state_dir / f"journal-{settings.network}.db"
        journal = Inspector.open(path, network=settings.network, clock=SystemClock())
        if journal is None:
            return []
        try:
            orders = journal.orders(states=_ALIVE, limit=MAX_OFFERS)
        finally:
            journal.close()
    except LatentspeedError:
        return []
    ids = [order.client_order_id for order in orders if order.venue == settings.venue]
    return [one for one in ids if one.startswith(incomplete)]


def profile_names(incomplete: str) -> list[str]:
    """Profiles of config.toml that begin with `incomplete`."""
    try:
        return [name for name in config.profile_names() if name.startswith(incomplete)]
    except LatentspeedError:
        return []
