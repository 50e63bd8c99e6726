"""What the shell offers after a tab. Every answer comes from files of this machine; trouble means no offer."""

from __future__ import annotations

import typer

from .grammar import Given


def pairs(ctx: typer.Context, args: object, incomplete: str) -> list[str]:
    """Trading pairs of the venue that is meant, as they were last read."""
    from ..completion import trading_pairs

    return trading_pairs(_said(ctx), incomplete)


def open_ids(ctx: typer.Context, args: object, incomplete: str) -> list[str]:
    """Client order ids of the orders that are not done, as the journal has them."""
    from ..completion import open_order_ids

    return open_order_ids(_said(ctx), incomplete)


def sides(ctx: object, args: object, incomplete: str) -> list[str]:
    """Buy and sell."""
    return ["buy", "sell"]


def _said(ctx: typer.Context) -> dict[str, str | None]:
    given = ctx.obj
    if not isinstance(given, Given):
        return {}
    return {name: given.text(name) for name in ("venue", "network", "profile", "account")}
