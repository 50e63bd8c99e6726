"""`fills`: the fills of the account, oldest first, as the venue tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..clock import NS_PER_S, SystemClock
from ..errors import CredentialError, Exit
from ..records import FillList, FillRecord, fill_record
from .call import of
from .grammar import VerbCommand, verb_app
from .words import count_of, moment_of

if TYPE_CHECKING:
    from .call import Call

app = verb_app()

DEFAULT_PERIOD_NS = 7 * 86_400 * NS_PER_S


@app.command(cls=VerbCommand)
def fills(
    ctx: typer.Context,
    pair: Annotated[str | None, typer.Option(help="Only this trading pair.")] = None,
    since: Annotated[str | None, typer.Option(help="A time, or how long ago, as 24h; 7d by default.")] = None,
    until: Annotated[str | None, typer.Option(help="The same.")] = None,
    limit: Annotated[str | None, typer.Option(help="At most so many, the latest.")] = None,
) -> Exit:
    """List fills of the account."""
    call = of(ctx)
    now_ns = SystemClock().now_ns()
    since_ns = moment_of(since, "--since", now_ns=now_ns)
    until_ns = moment_of(until, "--until", now_ns=now_ns)
    most = count_of(limit, "--limit")
    output = call.show_as(FillRecord)
    start_ns = now_ns - DEFAULT_PERIOD_NS if since_ns is None else since_ns
    found = call.run(_read(call, pair, start_ns, until_ns))
    output.show(FillList(items=tuple(found[-most:] if most else found)))
    return Exit.OK


async def _read(call: Call, pair: str | None, since_ns: int, until_ns: int | None) -> list[FillRecord]:
    from ..session import open_connector

    async with open_connector(call.settings, sign=False, notify=call.output.note) as connector:
        if connector.account is None:
            raise CredentialError("fills need an account", hint="say --account, or configure a key")
        if pair is not None:
            pair = (await connector.reader.market(pair)).trading_pair
        return [
            fill_record(fill, venue=connector.name, network=connector.domain, account=connector.account)
            for fill in await connector.fills(since_ns=since_ns, until_ns=until_ns)
            if pair is None or fill.trading_pair == pair
        ]
