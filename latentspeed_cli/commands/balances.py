"""`balances`: what the account holds; as it was seen last where the venue is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ..errors import Exit, LatentspeedError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import DOWN, reading, stale

if TYPE_CHECKING:
    from ..records import BalanceList
    from .call import Call

app = verb_app()


@app.command(cls=VerbCommand)
def balances(ctx: typer.Context) -> Exit:
    """List balances, what is free of each beside what there is."""
    from ..records import BalanceRecord

    call = of(ctx)
    output = call.show_as(BalanceRecord)
    return output.finish(*call.run(_read(call)))


async def _read(call: Call) -> tuple[BalanceList, LatentspeedError | None]:
    from ..records import BalanceList, balance_record

    async with reading(call, public=False) as connector:
        trouble: LatentspeedError | None = None
        try:
            state = await connector.account_state()
        except DOWN as error:
            last = connector.reader.last_account_state()
            if last is None:
                raise
            state, trouble = last, stale(error, "the account as it was seen last")
        records = tuple(
            balance_record(
                one, venue=connector.name, network=connector.domain, account=state.account, ts_ns=state.ts_ns
            )
            for one in state.balances
        )
        return BalanceList(items=records, stale=trouble is not None), trouble
