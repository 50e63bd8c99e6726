"""`wait`: until an order is what was asked for, or cannot be any more, or time is up. Replaces a script's loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..core.ids import check_client_order_id
from ..core.types import OrderState
from ..core.words import nearest
from ..errors import (
    EndedShort,
    Exit,
    LatentspeedError,
    NotYet,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    TransportError,
    UsageError,
)
from .call import of
from .complete import open_ids
from .grammar import VerbCommand, verb_app
from .outcome import is_undecided

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from ..core.in_flight_order import InFlightOrder
    from .call import Call
    from .placing import Wait

app = verb_app()

TARGETS: dict[str, Wait] = {"open": "open", "filled": "filled", "done": "done"}
DEFAULT_TIMEOUT = "90s"


def _targets(ctx: object, args: object, incomplete: str) -> list[str]:
    return list(TARGETS)


@app.command(cls=VerbCommand)
def wait(
    ctx: typer.Context,
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="Client id, a unique prefix of one, or venue id.", autocompletion=open_ids),
    ],
    for_: Annotated[
        str, typer.Option("--for", metavar="STATE", help="open, filled or done.", autocompletion=_targets)
    ] = "done",
    timeout: Annotated[str | None, typer.Option(help="How long to wait, 90s by default.")] = None,
) -> Exit:
    """Wait until an order is open, filled or done.

    Exit 19 when time ran out and the order is alive, 20 when it ended short of what was waited for.
    """
    from ..records import OrderRecord, order_record  # not above: a shell that completes ids waits for this module

    call = of(ctx)
    call.options = {"timeout": timeout or DEFAULT_TIMEOUT}
    text = check_client_order_id(id_)
    if for_ not in TARGETS:
        raise UsageError(f"--for: {for_[:60]!r} is not known", hint=nearest(for_, TARGETS))
    output = call.show_as(OrderRecord)
    order, error = call.run(_wait(call, text, TARGETS[for_]))
    return output.finish(order_record(order), error)


async def _wait(call: Call, text: str, target: Wait) -> tuple[InFlightOrder, LatentspeedError | None]:
    import asyncio

    from ..session import open_connector

    deadline = asyncio.get_running_loop().time() + call.settings.timeout_s
    async with open_connector(call.settings, sign=True, notify=call.output.note) as connector:
        order = await connector.find(text)
        if order is None:
            raise OrderNotFound(f"no order is known as {text}, here or at the venue")
        try:
            order = await _follow(connector, order, target, deadline=deadline)
        except asyncio.CancelledError:
            if call.stopped is None:
                raise
            order = connector.order(order.client_order_id) or order
            stopped = call.stopped("stopped by a signal while waiting", client_order_id=order.client_order_id)
            return order, _shortfall(order, target) if is_undecided(order) else stopped
        return order, _shortfall(order, target)


async def _follow(
    connector: PerpetualDerivativeBase, order: InFlightOrder, target: Wait, *, deadline: float
) -> InFlightOrder:
    """The order when it is what was waited for, or at `deadline` (the loop's time)."""
    import asyncio

    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(deadline):
            await connector.keep_up()
    except (TransportError, RateLimited, TimeoutError):
        pass  # without a stream it is read now and then
    while is_undecided(order) and loop.time() < deadline:
        order = await connector.resolve(order, timeout_s=deadline - loop.time())
    return (await connector.wait_for(order, target, timeout_s=max(deadline - loop.time(), 0.0))).order


def _shortfall(order: InFlightOrder, target: Wait) -> LatentspeedError | None:
    """In what the order falls short of `target`."""
    name, state = order.client_order_id, order.state
    if is_undecided(order):
        hint = f"latentspeed status {name}"
        return OutcomeUnknown("whether the order is live is not known", hint=hint, client_order_id=name)
    if state is OrderState.FILLED or (order.is_done and target == "done"):
        return None
    if target == "open" and (order.facts.accepted or order.executed_amount):
        return None
    if order.is_done:
        why = f" ({order.reason})" if order.reason else ""
        return EndedShort(f"the order ended {state.value}{why} before it was {target}", client_order_id=name)
    hint = f"latentspeed wait {name} --for {target}"
    return NotYet(f"the order is {state.value}, not yet {target}", hint=hint, client_order_id=name)
