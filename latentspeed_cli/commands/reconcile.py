"""`reconcile`: decide every order whose outcome is open, and bring the journal up to what the venue knows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import check_may_change
from ..errors import Exit, LatentspeedError, OutcomeUnknown
from ..records import DecisionList, DecisionRecord, decision_record
from .call import of
from .grammar import VerbCommand, verb_app
from .outcome import is_undecided

if TYPE_CHECKING:
    from ..connector.sweeper import Sweep
    from .call import Call

app = verb_app()

AGAIN = "give `latentspeed reconcile` again, with a longer --timeout if need be"


@app.command(cls=VerbCommand)
def reconcile(
    ctx: typer.Context,
    timeout: Annotated[str | None, typer.Option(help="How long to try, 15s by default.")] = None,
) -> Exit:
    """Decide every undecided order; say nothing when there is nothing to say.

    Cancels that were begun are finished, orders of other programs are adopted as external. Nothing is placed. Exit 5
    while any order is undecided.
    """
    call = of(ctx)
    call.options = {"timeout": timeout}
    output = call.show_as(DecisionRecord)
    check_may_change(call.settings)
    sweep = call.run(_sweep(call))
    items = tuple(decision_record(item.order, item.finding.value, before=item.before) for item in sweep.found)
    error = _trouble(sweep)
    if items or output.chosen:
        return output.finish(DecisionList(items=items), error)
    if error is not None:
        raise error
    return Exit.OK


async def _sweep(call: Call) -> Sweep:
    from ..session import open_connector

    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        try:
            return await connector.reconcile(timeout_s=call.settings.timeout_s)
        except asyncio.CancelledError:
            if call.stopped is None or not any(map(is_undecided, connector.in_flight_orders.values())):
                raise
            raise OutcomeUnknown("stopped by a signal while orders are undecided", hint=AGAIN) from None


def _trouble(sweep: Sweep) -> LatentspeedError | None:
    """Why there is still something to do. An order that may be live outweighs a venue that does not answer."""
    undecided = sweep.undecided
    if not undecided:
        return sweep.trouble
    many = f"{len(undecided)} orders are" if len(undecided) > 1 else f"order {undecided[0].client_order_id} is"
    why = f": {sweep.trouble}" if sweep.trouble is not None else ""
    return OutcomeUnknown(
        f"{many} still undecided{why}",
        hint=AGAIN,
        client_order_id=undecided[0].client_order_id if len(undecided) == 1 else None,
    )
