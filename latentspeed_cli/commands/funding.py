"""`funding`: what the account paid and was paid for its positions; with --rates the hourly rates of markets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..clock import NS_PER_S
from ..errors import Exit, UsageError
from .call import of
from .grammar import VerbCommand, verb_app
from .reads import Limit, PairOption, Pairs, Since, Until, filter_of, named, reading

if TYPE_CHECKING:
    from ..records import FundingPaymentRecord, FundingRateRecord
    from .call import Call
    from .reads import Filter

app = verb_app()

DEFAULT_PAYMENTS_NS = 7 * 86_400 * NS_PER_S
DEFAULT_RATES_NS = 86_400 * NS_PER_S


@app.command(cls=VerbCommand)
def funding(
    ctx: typer.Context,
    names: Pairs = None,
    rates: Annotated[
        bool, typer.Option("--rates", help="Rates of the markets instead: past hours, then the one that runs.")
    ] = False,
    pair: PairOption = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> Exit:
    """List funding payments of the last seven days, or with --rates the hourly rates of the last day."""
    from ..records import FundingPaymentList, FundingPaymentRecord, FundingRateList, FundingRateRecord

    call = of(ctx)
    wanted = filter_of(names, pair, since=since, until=until, limit=limit)
    if rates:
        if not wanted.names:
            raise UsageError("--rates needs a trading pair", hint="latentspeed funding BTC-USD --rates")
        output = call.show_as(FundingRateRecord)
        output.show(FundingRateList(items=call.run(_rates(call, wanted))))
    else:
        output = call.show_as(FundingPaymentRecord)
        output.show(FundingPaymentList(items=call.run(_payments(call, wanted))))
    return Exit.OK


async def _rates(call: Call, wanted: Filter) -> tuple[FundingRateRecord, ...]:
    from ..records import funding_rate_record

    end_ns = wanted.now_ns if wanted.until_ns is None else wanted.until_ns
    start_ns = end_ns - DEFAULT_RATES_NS if wanted.since_ns is None else wanted.since_ns
    async with reading(call, public=True) as connector:
        pairs = await named(connector, wanted.names)
        found = [
            funding_rate_record(rate, venue=connector.name, network=connector.domain)
            for pair in pairs
            for rate in await connector.funding_rates(pair, start_ns=start_ns, end_ns=end_ns)
        ]
        if wanted.until_ns is None:
            found += [
                funding_rate_record(context, venue=connector.name, network=connector.domain)
                for context in await connector.context(pairs)
            ]
        found.sort(key=lambda rate: (rate.ts_ns, rate.trading_pair))
        return tuple(wanted.latest(found))


async def _payments(call: Call, wanted: Filter) -> tuple[FundingPaymentRecord, ...]:
    from ..records import funding_payment_record

    end_ns = wanted.now_ns if wanted.until_ns is None else wanted.until_ns
    start_ns = end_ns - DEFAULT_PAYMENTS_NS if wanted.since_ns is None else wanted.since_ns
    async with reading(call, public=False) as connector:
        pairs = frozenset(await named(connector, wanted.names))
        found = await connector.funding_payments(start_ns=start_ns, end_ns=wanted.until_ns)
        kept = [payment for payment in found if wanted.holds(payment.trading_pair, payment.ts_ns, pairs)]
        return tuple(
            funding_payment_record(
                payment, venue=connector.name, network=connector.domain, account=connector.account or ""
            )
            for payment in wanted.latest(kept)
        )
