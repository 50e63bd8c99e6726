"""Follows an account and its markets for an hour, with every connection cut each minute, and counts what was not told.

`soak.py --duration 1h --rate 2000 --venue hyperliquid` starts a sandbox, trades there by itself (soak_trading.py), and
runs two commands of ours (soak_command.py): `stream orders,fills,positions,balances,events` and
`stream book,bbo,trades,... PAIR...`. Both go through a relay, which brings their messages up to the rate and cuts their
connections (soak_relay.py). Afterwards the account's orders, fills and positions as the venue's own HTTP API lists them
(soak_venue.py) are held against what was printed (soak_verdict.py); balances, events and market data are counted only.
The sums are printed as JSON; exit 1 when something was lost, told twice or told otherwise, and when nothing happened
that could have been. Needs /proc for memory and CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from figures import folders, sandbox, workplace
from soak_command import Command
from soak_relay import Relay
from soak_trading import PAIRS, Trader
from soak_venue import VenueReader
from soak_verdict import Verdict, compare

from latentspeed_cli import config
from latentspeed_cli.sandbox.home import Home, SandboxInfo
from latentspeed_cli.session import open_connector

VENUES = ("hyperliquid", "dydx_v4")
PRIVATE = "orders,fills,positions,balances,events"
PUBLIC = "book,bbo,trades,candles,ticker,funding"
# Often enough that no list of the venue ends before what is new.
LOOK_S = 5.0
POLL_S = 0.05
# Nobody gets in for so long after a cut: at five orders a second some come and end unseen.
OUTAGE_S = 1.0
# A connection that lasted for less than the line's 30 s of steadiness is opened again ever later, and cuts that follow
# sooner may come while there is none. So far apart, each strikes both commands.
EACH_STRIKES_S = 60.0
READY_S = 60.0
# What a stream has not told so long after the last order is lost.
SETTLE_S = 30.0
# Memory is noted after these shares of the time.
MEMORY_AT = (0.1, 0.5, 1.0)
EXAMPLES = 6


class Soak:
    """One run, from commands that are about to start until their records were held against the venue's lists."""

    def __init__(self, options: argparse.Namespace, folder: Path, info: SandboxInfo) -> None:
        venue = info.venue(options.venue)
        self._options = options
        self._folder = folder
        self._relay = Relay(urlsplit(venue.base_url).port or 0, options.rate)
        self._reader = VenueReader(options.venue, venue)
        self._account = Command(folder / "account", options.venue, (PRIVATE,))
        self._markets = Command(folder / "markets", options.venue, (PUBLIC, *PAIRS))
        self._commands = {"account": self._account, "markets": self._markets}

    async def run(self) -> dict[str, Any]:
        """What is printed. Raises SystemExit when it cannot go on."""
        loop = asyncio.get_running_loop()
        options, relay = self._options, self._relay
        shared, port = self._folder / "sandbox", await relay.listen()
        for name in self._commands:
            put_relay_before(shared, self._folder / name, options.venue, port)
        home = self._folder / "trader"
        Home(shared).share(home)
        settings = config.resolve({"venue": options.venue}, {"HOME": str(home), **folders(home)})
        rate: asyncio.Task[None] | None = None
        try:
            started_s = loop.time()
            for command in self._commands.values():
                await command.start()
            await self._get_ready()
            async with open_connector(settings, sign=True) as connector:
                trader = Trader(connector, options.orders)
                began_s, passed = loop.time(), relay.passed
                rate = asyncio.create_task(relay.keep_rate())
                work = [asyncio.create_task(trader.run()), asyncio.create_task(_cut(relay, options.cut_every))]
                await self._watch(began_s, [rate, *work])
                seconds, passed, added = loop.time() - began_s, relay.passed - passed, relay.added
                for task in work:
                    task.cancel()
                relay.refusing = False
                await trader.end()
            # The rate goes on, so that the rest is told under load too.
            await self._settle(trader)
            rate.cancel()
            life_s = loop.time() - started_s
            for command in self._commands.values():
                await command.end()
        finally:
            for command in self._commands.values():
                command.kill()
        verdict = self._verdict(trader)
        unproven = self._unproven(verdict)
        return {
            "venue": options.venue,
            "seconds": round(seconds, 1),
            "messages_per_second": round((passed + added) / seconds, 1),
            "messages": {"from_sandbox": passed, "said_again": added},
            "cuts": relay.cuts,
            "orders_sent": trader.sent,
            "refused": dict(trader.refused),
            "commands": {
                name: {
                    "records": dict(command.records),
                    "controls": dict(command.controls),
                    "rss_mib": [round(kib / 1024, 1) for kib in command.rss_kib],
                    "cores": round(command.cpu_s / life_s, 3),
                }
                for name, command in self._commands.items()
            },
            **verdict.counts,
            "examples": verdict.wrong[:: len(verdict.wrong) // EXAMPLES + 1],
            "unproven": unproven,
            "whole": not verdict.wrong and not unproven,
        }

    async def _get_ready(self) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + READY_S
        while not (self._account.controls["backfilled"] and self._markets.controls["connected"]):
            for command in self._commands.values():
                command.check()
            if loop.time() > end_s:
                complaints = [command.complaints() for command in self._commands.values()]
                raise SystemExit("\n".join(["the commands did not get ready", *complaints]))
            await asyncio.sleep(POLL_S)

    async def _watch(self, began_s: float, work: list[asyncio.Task[None]]) -> None:
        """Read the venue's lists until the time is over. Raises what ended any of the work, or a command."""
        loop = asyncio.get_running_loop()
        marks_s = [began_s + self._options.duration * share for share in MEMORY_AT]
        while marks_s:
            await asyncio.sleep(min(LOOK_S, max(marks_s[0] - loop.time(), 0)))
            await self._reader.read()
            for command in self._commands.values():
                command.check()
            for task in work:
                if task.done():
                    task.result()
            if loop.time() >= marks_s[0]:
                del marks_s[0]
                for command in self._commands.values():
                    command.note_memory()
            if sys.stderr.isatty():
                messages, fills = self._relay.passed + self._relay.added, self._account.records["fill"]
                said = f"{loop.time() - began_s:.0f} s, {messages} messages, {self._relay.cuts} cuts, {fills} fills "
                print(f"\r{said}", end="", file=sys.stderr)

    async def _settle(self, trader: Trader) -> None:
        """Wait until all is told, and a moment longer for what would be told once more."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + SETTLE_S
        await self._reader.read()
        while self._verdict(trader).wrong and loop.time() < end_s:
            await asyncio.sleep(1)
            await self._reader.read()
        await asyncio.sleep(LOOK_S)
        await self._reader.read()

    def _verdict(self, trader: Trader) -> Verdict:
        forgets_unfilled = self._options.venue == "dydx_v4"  # short-term orders, which live in the nodes' memory
        return compare(self._reader.listed, self._account.told, trader.acknowledged, forgets_unfilled=forgets_unfilled)

    def _unproven(self, verdict: Verdict) -> list[str]:
        """Why a run that found nothing wrong would say nothing."""
        counts, cuts = verdict.counts, self._relay.cuts
        reasons = [f"the venue lists no {what}" for what in ("fills", "orders") if not counts[what]["at_venue"]]
        if not cuts:
            reasons.append("nothing was cut")
        least = cuts if self._options.cut_every >= EACH_STRIKES_S else 1
        return reasons + [
            f"{name} reconnected {command.controls['reconnected']} times after {cuts} cuts"
            for name, command in self._commands.items()
            if command.controls["reconnected"] < least
        ]


def put_relay_before(shared: Path, folder: Path, venue: str, port: int) -> None:
    """Make `folder` a state folder with the sandbox of `shared`, whose HTTP and WebSocket it finds at this port."""
    there, here = Home(shared), Home(folder)
    there.share(folder)
    running = there.running()
    assert running is not None
    known = running.info.venue(venue)
    moved = msgspec.structs.replace(known, base_url=_at(known.base_url, port), ws_url=_at(known.ws_url, port))
    info = msgspec.structs.replace(running.info, venues={**running.info.venues, venue: moved})
    here.info.unlink()  # it is a link to that of the sandbox
    here.write(msgspec.structs.replace(running, info=info))


def _at(url: str, port: int) -> str:
    return url.replace(f":{urlsplit(url).port}", f":{port}", 1)


async def _cut(relay: Relay, every_s: float) -> None:
    """Cut every connection, and let nobody in for a moment, as long as it runs."""
    while True:
        await asyncio.sleep(every_s - OUTAGE_S)
        relay.refusing = True
        relay.cut()
        await asyncio.sleep(OUTAGE_S)
        relay.refusing = False


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold what streams print against what the venue knows.")
    parser.add_argument("--venue", choices=VENUES, default="hyperliquid")
    parser.add_argument("--duration", type=lambda text: config.parse_duration(text, "--duration"), default=3600.0)
    parser.add_argument("--rate", type=float, default=2000.0, help="messages a second, over both commands")
    parser.add_argument("--orders", type=float, default=5.0, help="orders a second")
    parser.add_argument("--cut-every", type=lambda text: config.parse_duration(text, "--cut-every"), default=60.0)
    options = parser.parse_args()
    if options.cut_every <= OUTAGE_S:
        parser.error(f"--cut-every has to be longer than the outage after a cut, {OUTAGE_S:g} s")
    with workplace("soak") as folder, sandbox(folder / "sandbox") as info:
        result = asyncio.run(Soak(options, folder, info).run())
    json.dump(result, sys.stdout, indent=1)
    print()
    raise SystemExit(0 if result["whole"] else 1)


if __name__ == "__main__":
    main()
