"""What the shell offers after a tab. Every answer comes from files of this machine; trouble means no offer."""

from __future__ import annotations

from collections.abc import Sequence


def pairs(ctx: object, args: Sequence[str], incomplete: str) -> list[str]:
    """Trading pairs of the venue that is meant, as they were last read."""
    from ..completion import trading_pairs

    return trading_pairs(args, incomplete)


def open_ids(ctx: object, args: Sequence[str], incomplete: str) -> list[str]:
    """Client order ids of the orders that are not done, as the journal has them."""
    from ..completion import open_order_ids

    return open_order_ids(args, incomplete)


def profiles(ctx: object, args: Sequence[str], incomplete: str) -> list[str]:
    """Names of the profiles in config.toml."""
    from ..completion import profile_names

    return profile_names(incomplete)
