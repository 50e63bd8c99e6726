"""`journal list|show|export|verify`: the operation log of a network, as it is on disk. No venue is asked."""

from __future__ import annotations

from typing import Annotated

import typer

from ..clock import SystemClock
from ..core.ids import check_client_order_id
from ..errors import IdConflict, OrderNotFound
from ..records import FactList, FactRecord, VerifiedRecord, fact_record
from .call import of
from .grammar import VerbCommand, verb_app
from .words import count_of, moment_of

app = verb_app("Show, export and verify the operation log.")

DEFAULT_LIMIT = 50
Since = Annotated[str | None, typer.Option("--since", help="Written since: a time, or how long ago, as 24h.")]
Until = Annotated[str | None, typer.Option("--until", help="Written until: the same.")]


@app.command("list", cls=VerbCommand)
def list_(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(help="Only facts of this kind, as intent, fill or proof.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[str | None, typer.Option(help="At most so many, the latest; 50 by default.")] = None,
) -> None:
    """List the latest facts.

    What was going to be sent, and what was heard about it.
    """
    from ..session import open_inspector

    call = of(ctx)
    now_ns = SystemClock().now_ns()
    since_ns, until_ns = moment_of(since, "--since", now_ns=now_ns), moment_of(until, "--until", now_ns=now_ns)
    most = count_of(limit, "--limit") or DEFAULT_LIMIT
    output = call.show_as(FactRecord)
    with open_inspector(call.settings) as inspector:
        found = inspector.latest_facts(limit=most, kind=kind, since_ns=since_ns, until_ns=until_ns) if inspector else []
        output.show(FactList(items=tuple(fact_record(fact, network=call.settings.network) for fact in found)))


@app.command("show", cls=VerbCommand)
def show(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Client id, a unique prefix of one, or venue id.")],
) -> None:
    """Show every fact about one order."""
    from ..session import open_inspector

    call = of(ctx)
    text = check_client_order_id(id_)
    output = call.show_as(FactRecord)
    with open_inspector(call.settings) as inspector:
        known = inspector.find(text) if inspector else []
        if not inspector or not known:
            raise OrderNotFound(f"the journal knows no order as {text}")
        if len(known) > 1:
            names = ", ".join(sorted(order.client_order_id for order in known)[:5])
            raise IdConflict(f"{text!r} fits {len(known)} orders", hint=f"give more of the id; among them {names}")
        facts = inspector.facts(known[0].client_order_id)
        output.show(FactList(items=tuple(fact_record(fact, network=call.settings.network) for fact in facts)))


@app.command("export", cls=VerbCommand)
def export(ctx: typer.Context, since: Since = None, until: Until = None) -> None:
    """Write all facts as lines of JSON, oldest first."""
    from ..session import open_inspector

    call = of(ctx)
    now_ns = SystemClock().now_ns()
    first_ns, last_ns = moment_of(since, "--since", now_ns=now_ns), moment_of(until, "--until", now_ns=now_ns)
    output = call.show_as(FactRecord, streaming=True)
    with open_inspector(call.settings) as inspector:
        for fact in inspector.facts() if inspector else ():
            if (first_ns is None or fact.ts_ns >= first_ns) and (last_ns is None or fact.ts_ns <= last_ns):
                output.row(fact_record(fact, network=call.settings.network))


@app.command("verify", cls=VerbCommand)
def verify(ctx: typer.Context) -> None:
    """Check that every fact follows from the one before.

    Exit 11 names the first that does not.
    """
    from ..session import journal_path, open_inspector

    call = of(ctx)
    output = call.show_as(VerifiedRecord)
    with open_inspector(call.settings) as inspector:
        facts = inspector.verify() if inspector else 0
        archive = inspector.verify_archive() if inspector else {}
        last = inspector.latest_facts(limit=1) if inspector else []
        output.show(
            VerifiedRecord(
                network=call.settings.network,
                instance=inspector.instance if inspector else "",
                path=str(journal_path(call.settings)),
                facts=facts,
                archived_instances=len(archive),
                archived_facts=sum(archive.values()),
                last_hash=last[0].hash.hex() if last else None,
            )
        )
