"""`leverage PAIR [VALUE]`: what is set for a market; with a value it is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..clock import SystemClock, iso
from ..core.decimals import plain
from ..core.words import nearest
from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Pair, reading
from .words import count_of

if TYPE_CHECKING:
    from decimal import Decimal

    from ..connector.perpetual import PerpetualDerivativeBase
    from ..core.symbols import Market
    from ..records import LeverageRecord
    from .call import Call

app = verb_app()

MARGINS = ("cross", "isolated")


@app.command(cls=VerbCommand)
def leverage(
    ctx: typer.Context,
    pair: Pair,
    value: Annotated[str | None, typer.Argument(help="Whole number to set; without it, it is read.")] = None,
    margin: Annotated[str | None, typer.Option(help="cross or isolated; the market's present one by default.")] = None,
    timeout: Annotated[str | None, typer.Option(help="How long to wait for the venue, 15s by default.")] = None,
) -> Exit:
    """Show or set the leverage of a market."""
    from ..records import LeverageRecord

    call = of(ctx)
    call.options = {"timeout": timeout}
    wanted = count_of(value, "leverage")
    if margin is not None and margin not in MARGINS:
        raise UsageError(f"--margin: {margin[:60]!r} is not known", hint=nearest(margin, MARGINS))
    if margin is not None and wanted is None:
        raise UsageError("--margin goes with a value", hint=f"latentspeed leverage {pair} 5 --margin {margin}")
    output = call.show_as(LeverageRecord)
    output.show(call.run(_read(call, pair) if wanted is None else _set(call, pair, wanted, margin)))
    return Exit.OK


async def _read(call: Call, name: str) -> LeverageRecord:
    async with reading(call, public=False) as connector:
        return await read_leverage(connector, name)


async def read_leverage(connector: PerpetualDerivativeBase, name: str) -> LeverageRecord:
    """What is set for a market now."""
    market = await connector.reader.market(name)
    return _record(connector, market, await connector.get_leverage(market.trading_pair), changed=False)


async def _set(call: Call, name: str, value: int, margin: str | None) -> LeverageRecord:
    from ..config import check_may_change
    from ..session import open_connector

    check_may_change(call.settings)
    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        market = await connector.reader.market(name)
        before = await connector.get_leverage(market.trading_pair)
        chosen = margin or before[1]
        found = await connector.set_leverage(market.trading_pair, value, cross=chosen == "cross")
        return _record(connector, market, found, changed=found != before)


def _record(
    connector: PerpetualDerivativeBase, market: Market, found: tuple[Decimal, str], *, changed: bool
) -> LeverageRecord:
    from ..records import LeverageRecord

    value, margin = found
    now_ns = SystemClock().now_ns()
    return LeverageRecord(
        venue=connector.name,
        network=connector.domain,
        account=connector.account or "",
        trading_pair=market.trading_pair,
        leverage=plain(value),
        margin="isolated" if margin == "isolated" else "cross",
        max_leverage=market.max_leverage,
        changed=changed,
        ts_ns=now_ns,
        ts_iso=iso(now_ns),
    )
