"""`doctor`: looks at everything a command needs and says what to do about what is wrong. Changes nothing.

Every check runs, whatever the others found; the exit code is that of the first that failed, since the others may follow
from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from .. import config, plugins
from ..core.pricing import MAX_CLOCK_SKEW_S
from ..errors import CredentialError, Exit, LatentspeedError, OrderRefused, ProtocolError, TransportError, VenueError
from ..records import FindingList, FindingRecord, Verdict
from .call import of
from .grammar import VerbCommand, verb_app
from .outcome import is_undecided

if TYPE_CHECKING:
    from ..config import Settings
    from ..connector.perpetual import PerpetualDerivativeBase
    from .call import Call

app = verb_app()

MB = 1_000_000
LITTLE_DISK = 1_000 * MB
NO_DISK = 50 * MB
LARGE_SKEW_MS = 1_000
SLOW_MS = 2_000
MUCH_OF_A_LIMIT = 0.9


@app.command(cls=VerbCommand)
def doctor(ctx: typer.Context) -> Exit:
    """Check configuration, disk, journal, plugins, key, venue, clock, limits; exit as the first failure would."""
    call = of(ctx)
    try:
        settings = call.settings
    except LatentspeedError as error:
        output = call.error_output()
        output.check(FindingRecord)
        findings = [_failed("configuration", error)]
    else:
        output = call.show_as(FindingRecord)
        key = _key(settings)
        findings = [_configuration(settings), *_disk(settings), *_plugins(settings), key]
        findings += call.run(_venue(call, has_key=key.verdict == "ok"))
    output.show(FindingList(items=tuple(findings)), ok=all(finding.code == 0 for finding in findings))
    worst = next((finding.code for finding in findings if finding.code), 0)
    return next(exit_ for exit_ in Exit if exit_.code == worst)


# On this machine


def _configuration(settings: Settings) -> FindingRecord:
    where = settings.config_path if settings.config_path.exists() else f"no {settings.config_path}"
    profile = f"profile {settings.profile}" if settings.profile else "no profile"
    told = f"{where}; {profile}; {settings.venue} on {settings.network}"
    guards = settings.guards
    if settings.network == "mainnet" and guards.max_order_notional is None:
        return _warning("configuration", told, "set max_order_notional in the guards of the profile")
    return _ok("configuration", told)


def _disk(settings: Settings) -> list[FindingRecord]:
    try:
        config.ensure_folder(settings.state_dir)
        free = config.free_bytes(settings.state_dir)
    except LatentspeedError as error:
        return [_failed("disk", error)]
    told = f"{settings.state_dir}, {free // MB:,} MB free"
    if free < NO_DISK:
        finding = _finding("disk", "failed", told, "make room: no order is sent that cannot be journaled", Exit.JOURNAL)
    elif free < LITTLE_DISK:
        finding = _warning("disk", told, "make room soon: no order is sent that cannot be journaled")
    else:
        finding = _ok("disk", told)
    return [finding, _journal(settings)]


def _journal(settings: Settings) -> FindingRecord:
    from ..session import open_inspector

    try:
        with open_inspector(settings) as journal:
            if journal is None:
                return _ok("journal", "none yet; the first order makes one")
            journal.check_ends()
            undecided = len(journal.undecided())
    except LatentspeedError as error:
        error.hint = error.hint or "see `latentspeed journal verify`"
        return _failed("journal", error)
    if undecided:
        return _warning("journal", f"{undecided} undecided orders", "run `latentspeed reconcile`")
    return _ok("journal", "no undecided order")


def _plugins(settings: Settings) -> list[FindingRecord]:
    """The chosen connector must load; another one that does not is worth a word."""
    found = []
    try:
        chosen = plugins.find(settings.venue)
        plugins.check_allowed(chosen, settings.network)
    except LatentspeedError as error:
        found.append(_failed("plugin", error, subject_of=settings.venue))
    for info in plugins.discover():
        try:
            plugins.load(info.name)
        except LatentspeedError as error:
            if info.name == settings.venue:
                if not found:
                    found.append(_failed("plugin", error, subject_of=info.name))
            else:
                found.append(_warning(f"plugin {info.name}", str(error), error.hint or "reinstall it"))
        else:
            found.append(_ok(f"plugin {info.name}", f"{info.distribution} {info.version}"))
    return found


def _key(settings: Settings) -> FindingRecord:
    """Whether there is a key that can be read. That it may act for the account is asked at the venue."""
    from .. import keys

    if settings.network == "sandbox":
        return _ok("key", "the sandbox's own; yours is not read there")
    try:
        variables = plugins.load(settings.venue).spec.key_variables
    except LatentspeedError:
        return _finding("key", "skipped", "the connector does not load", None, Exit.OK)
    try:
        source = keys.choose(settings.key, variables)
        keys.load(source)
    except CredentialError as error:
        if settings.key is None and str(error) == "no key":
            return _warning("key", "none; prices can be read without one", error.hint)
        return _failed("key", error)
    return _ok("key", f"readable, from {source}")


# At the venue


async def _venue(call: Call, *, has_key: bool) -> list[FindingRecord]:
    from ..session import open_connector

    try:
        async with open_connector(
            call.settings, sign=has_key, public=not has_key, notify=call.output.note
        ) as connector:
            found = await _reach(connector)
            if found[0].code == 0:
                found += [await _account(connector, has_key=has_key), await _limits(connector)]
            return found
    except LatentspeedError as error:
        return [_failed("venue", error)]


async def _reach(connector: PerpetualDerivativeBase) -> list[FindingRecord]:
    from .status import trip_to

    where = connector.web_utils.base_url
    try:
        markets = await connector.reader.markets(fresh=True)
        trip = await trip_to(connector)
    except LatentspeedError as error:
        return [_failed("venue", error, subject_of=where)]
    told = f"{where}, {len(markets.rules)} markets, {trip.latency_ms} ms"
    slow = trip.latency_ms is not None and trip.latency_ms > SLOW_MS
    reached = _warning("venue", told, "the way to the venue is slow") if slow else _ok("venue", told)
    return [reached, _clock(trip.skew_ms)]


def _clock(skew_ms: int | None) -> FindingRecord:
    if skew_ms is None:
        return _finding("clock", "skipped", "the venue does not tell its time", None, Exit.OK)
    told = f"{skew_ms} ms before the venue's" if skew_ms >= 0 else f"{-skew_ms} ms behind the venue's"
    if abs(skew_ms) > MAX_CLOCK_SKEW_S * 1_000:
        return _finding("clock", "failed", told, "set the clock, with NTP: no order is placed like this", Exit.GUARD)
    if abs(skew_ms) > LARGE_SKEW_MS:
        return _warning("clock", told, f"set the clock, with NTP: beyond {MAX_CLOCK_SKEW_S} s no order is placed")
    return _ok("clock", told)


async def _account(connector: PerpetualDerivativeBase, *, has_key: bool) -> FindingRecord:
    """Whether the key may act for the account, and what is there."""
    if connector.account is None:
        return _finding("account", "skipped", "none is configured", None, Exit.OK)
    try:
        if has_key:
            await connector.check_identity()
        state = await connector.account_state()
        open_orders = await connector.open_orders()
    except LatentspeedError as error:
        return _failed("account", error)
    undecided = sum(map(is_undecided, connector.in_flight_orders.values()))
    told = f"{connector.account}, worth {state.account_value}, {len(open_orders)} open orders, {undecided} undecided"
    if not state.account_value:
        return _warning("account", told, "nothing is there to trade with: deposit, or correct the account")
    return _ok("account", told)


async def _limits(connector: PerpetualDerivativeBase) -> FindingRecord:
    try:
        allowance = await connector.reader.allowance()
    except (OrderRefused, CredentialError) as error:
        return _finding("limits", "skipped", str(error), None, Exit.OK)
    except (VenueError, TransportError, ProtocolError) as error:
        return _failed("limits", error)
    told = f"{allowance.used:,} of {allowance.most:,} used, of {allowance.of}"
    if allowance.used >= allowance.most:
        return _finding("limits", "failed", told, "wait, or ask the venue for more", Exit.RATE_LIMITED)
    if allowance.used > allowance.most * MUCH_OF_A_LIMIT:
        return _warning("limits", told, "send less: little is left")
    return _ok("limits", told)


# Findings


def _finding(subject: str, verdict: Verdict, detail: str, advice: str | None, exit_: Exit) -> FindingRecord:
    return FindingRecord(subject=subject, verdict=verdict, detail=detail, advice=advice, code=exit_.code)


def _ok(subject: str, detail: str) -> FindingRecord:
    return _finding(subject, "ok", detail, None, Exit.OK)


def _warning(subject: str, detail: str, advice: str | None) -> FindingRecord:
    return _finding(subject, "warning", detail, advice, Exit.OK)


def _failed(subject: str, error: LatentspeedError, *, subject_of: str | None = None) -> FindingRecord:
    told = str(error) if subject_of is None or subject_of in str(error) else f"{subject_of}: {error}"
    advice = _ADVICE["venue" if isinstance(error, TransportError | ProtocolError) else subject]
    return _finding(subject, "failed", told, error.hint or advice, error.exit)


_ADVICE = {
    "configuration": "correct config.toml, or the variable that is named",
    "disk": "set LATENTSPEED_STATE_DIR to a folder that can be written",
    "journal": "see `latentspeed journal verify`",
    "plugin": "see `latentspeed connectors check`",
    "key": "see the section on keys of the documentation",
    "venue": "check the network, or whether the venue is up",
    "account": "correct the account or the key of the profile",
    "limits": "try again in a while",
}
