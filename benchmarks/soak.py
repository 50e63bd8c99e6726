"""Follows an account and its markets for an hour, with every connection cut each minute, and counts what was not told.

`soak.py --duration 1h --rate 2000 --venue hyperliquid` starts a sandbox, trades there by itself, and runs two commands
of ours through a relay: `stream orders,fills,positions,balances,events` and `stream book,bbo,trades,... PAIR...`. The
relay brings the messages of both up to the rate and cuts the connections (soak_relay.py). Afterwards the account's
orders and fills as the venue's own HTTP API lists them are held against what the commands printed. The sums are printed
as JSON; exit 1 when something private was lost, told twice or told otherwise. Needs /proc for memory and CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import msgspec
from soak_relay import Relay

from latentspeed_cli import config
from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import LatentspeedError
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.home import Home, Options, VenueInfo
from latentspeed_cli.session import open_connector

VENUES = ("hyperliquid", "dydx_v4")
PRIVATE = "orders,fills,positions,balances,events"
PUBLIC = "book,bbo,trades,candles,ticker,funding"
PAIRS = (*(f"{coin}-USD" for coin in ("BTC", "ETH", "SOL", "AVAX", "LTC", "ARB", "DOGE", "SUI", "LINK", "XRP")),)
NOTIONAL = Decimal(50)
# A chain takes few resting orders; one of so many is one, and is cancelled when so many more have come.
RESTING = {"hyperliquid": 3, "dydx_v4": 40}
AGE = 4
LOOK_S = 5.0
OVERLAP_MS = 30_000
PAST_BLOCKS = 150
POLL_S = 0.05
OUTAGE_S = 1.0
SETTLE_S = 30.0
READY_S = 60.0
LINE_BYTES = 1 << 22
OPEN, FILLED, ENDED = "open", "filled", "ended"
TOLD = {"FILLED": FILLED, "CANCELLED": ENDED, "EXPIRED": ENDED, "FAILED": ENDED}
AT_VENUE = {"open": OPEN, "filled": FILLED, "OPEN": OPEN, "FILLED": FILLED, "UNTRIGGERED": OPEN}
# Where a record says when it was made, and not what it is about.
OF_THE_TELLING = ("seq", "received_ts_ns", "received_ts_iso")


class Fill(msgspec.Struct, frozen=True):
    order: str
    side: str
    price: Decimal
    amount: Decimal


class Order(msgspec.Struct, frozen=True):
    state: str
    executed: Decimal


UNFILLED = Order(ENDED, Decimal(0))


class Truth:
    """What the venue's HTTP API says of the account, in words of its own, read by nothing of ours."""

    def __init__(self, name: str, info: VenueInfo) -> None:
        self.fills: dict[str, Fill] = {}
        self.orders: dict[str, Order] = {}
        self._url = info.base_url
        self._address = info.accounts[0].address
        self._read = self._hyperliquid if name == "hyperliquid" else self._dydx
        self._since_ms = int(time() * 1000)

    async def look(self) -> None:
        """Read what is new. It has to come often: lists have an end."""
        since_ms, self._since_ms = self._since_ms - OVERLAP_MS, int(time() * 1000)
        await asyncio.to_thread(self._read, since_ms)

    def _hyperliquid(self, since_ms: int) -> None:
        for row in self._ask("/info", {"type": "userFillsByTime", "user": self._address, "startTime": since_ms}):
            fill_id = f"{row['time']}-{row['coin']}-{row['tid']}-{row['oid']}"
            side = {"B": "buy", "A": "sell"}[row["side"]]
            self.fills[fill_id] = Fill(str(row["oid"]), side, Decimal(row["px"]), Decimal(row["sz"]))
        found: dict[str, tuple[tuple[int, bool], Order]] = {}
        for row in self._ask("/info", {"type": "historicalOrders", "user": self._address}):
            state = AT_VENUE.get(row["status"], ENDED)
            order = row["order"]
            latest = (row["statusTimestamp"], state != OPEN)
            executed = Decimal(order["origSz"]) - Decimal(order["sz"])
            if str(order["oid"]) not in found or latest > found[str(order["oid"])][0]:
                found[str(order["oid"])] = latest, Order(state, executed)
        self.orders |= {order_id: order for order_id, (_, order) in found.items()}

    def _dydx(self, since_ms: int) -> None:
        where, before = f"address={self._address}&subaccountNumber=0", ""
        while True:
            rows = self._ask(f"/v4/fills?{where}&limit=1000{before}")["fills"]
            for row in rows:
                fill = Fill(row["orderId"], row["side"].lower(), Decimal(row["price"]), Decimal(row["size"]))
                self.fills[row["id"]] = fill
            oldest = rows[-1]["createdAt"] if rows else ""
            if len(rows) < 1000 or oldest < datetime.fromtimestamp(since_ms / 1000, UTC).isoformat():
                break
            before = f"&createdBeforeOrAt={oldest}"
        # Without a filter a thousand rows could be those of orders that have long been known.
        past = int(self._ask("/v4/height")["height"]) - PAST_BLOCKS
        now = datetime.fromtimestamp(time(), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        kinds = f"goodTilBlockAfter={past}", f"goodTilBlockTimeAfter={now}"
        for row in [row for kind in kinds for row in self._ask(f"/v4/orders?{where}&limit=1000&{kind}")]:
            self.orders[row["id"]] = Order(AT_VENUE.get(row["status"], ENDED), Decimal(row["totalFilled"]))

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(
            Request(self._url + path, data=data, headers={"Content-Type": "application/json"}), timeout=10
        ) as reply:
            return json.load(reply)


class Command:
    """One run of `latentspeed stream`, and what it printed."""

    def __init__(self, folder: Path, venue: str, words: tuple[str, ...]) -> None:
        self.records: Counter[str] = Counter()
        self.controls: Counter[str] = Counter()
        self.fills: dict[str, Fill] = {}
        self.fills_told: Counter[str] = Counter()
        self.orders: dict[str, Order] = {}
        self.orders_told: Counter[bytes] = Counter()
        self.rss_kib: list[int] = []
        self.cores = 0.0
        self._folder = folder
        self._words = ("stream", *words, "-x", venue, "-o", "ndjson")
        self._reading: asyncio.Task[None]
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LATENTSPEED_")}
        places = {f"LATENTSPEED_{kind}_DIR": str(self._folder) for kind in ("STATE", "CONFIG", "CACHE")}
        with (self._folder / "stderr").open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "latentspeed_cli", *self._words),
                env=kept | places | {"LATENTSPEED_NETWORK": "sandbox"},
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES,
            )
        self._reading = asyncio.create_task(self._read())

    async def end(self) -> None:
        """Stop it as Ctrl-C does. Raises SystemExit when it had ended by itself."""
        self.check()
        self.cores = self._cpu_s()
        self._process.send_signal(signal.SIGINT)
        await self._reading
        if await self._process.wait() not in (0, 130):
            raise SystemExit(f"{' '.join(self._words)} ended with {self._process.returncode}\n{self._errors()}")

    def check(self) -> None:
        if self._process.returncode is not None:
            raise SystemExit(f"{' '.join(self._words)} ended: {self._process.returncode}\n{self._errors()}")

    def kill(self) -> None:
        with suppress(AttributeError, ProcessLookupError):  # it was never started, or has ended
            self._process.kill()

    def look(self) -> None:
        """Note its memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        self.rss_kib.append(int(status.partition("VmRSS:")[2].split()[0]))

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _errors(self) -> str:
        return (self._folder / "stderr").read_text()[-2000:]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            schema = line[11:30].partition(b'"')[0].decode()
            self.records[schema] += 1
            if schema in ("fill", "order", "control"):
                self._note(schema, json.loads(line))

    def _note(self, schema: str, said: dict[str, Any]) -> None:
        if schema == "control":
            self.controls[said["kind"]] += 1
        elif schema == "fill":
            fill = Fill(said["exchange_order_id"], said["side"], Decimal(said["price"]), Decimal(said["amount"]))
            self.fills[said["fill_id"]] = fill
            self.fills_told[said["fill_id"]] += 1
        elif said["exchange_order_id"] is not None:
            state = TOLD.get(said["state"], OPEN)
            self.orders[said["exchange_order_id"]] = Order(state, Decimal(said["executed_amount"]))
            about = {name: value for name, value in said.items() if name not in OF_THE_TELLING}
            self.orders_told[msgspec.json.encode(about)] += 1


class Load:
    """Somebody with a journal of their own who trades for the account: `rate` orders a second, in turns over pairs."""

    def __init__(self, connector: PerpetualDerivativeBase, rate: float) -> None:
        self.sent = 0
        self.refused: Counter[str] = Counter()
        self._connector = connector
        self._rate = rate
        self._resting: list[InFlightOrder] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send orders until cancelled."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for number in range(1 << 40):
            await asyncio.sleep(began_s + number / self._rate - loop.time())
            self._spawn(self._order(number))
            if len(self._resting) > AGE:
                self._spawn(self._cancel(self._resting.pop(0)))

    async def end(self) -> None:
        """Wait for what is on its way, and cancel what rests."""
        await asyncio.gather(*self._tasks)
        await asyncio.gather(*(self._cancel(order) for order in self._resting))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _order(self, number: int) -> None:
        every = RESTING[self._connector.name]
        rests = number % every == every - 1
        turn, place = divmod(number, len(PAIRS))
        intent = OrderIntent(
            trading_pair=PAIRS[place],
            side=TradeType.BUY if (turn + place) % 2 else TradeType.SELL,
            order_type=OrderType.LIMIT if rests else OrderType.MARKET,
            notional=NOTIONAL,
            # Of those that rest, some are close enough to be filled.
            price_expression=None
            if not rests
            else "best"
            if number // every % 2
            else "mid-1%"
            if (turn + place) % 2
            else "mid+1%",
        )
        try:
            outcome = await self._connector.place_order(intent, despite_unknown=True)
        except LatentspeedError as error:
            self.refused[str(error)[:80]] += 1
            return
        self.sent += 1
        if outcome.error is not None:
            self.refused[str(outcome.error)[:80]] += 1
        elif rests:
            self._resting.append(outcome.order)

    async def _cancel(self, order: InFlightOrder) -> None:
        try:
            await self._connector.cancel(order)
        except LatentspeedError as error:  # it was filled meanwhile, mostly; its own state says what is true
            self.refused[str(error)[:80]] += 1


def go_through(folder: Path, sandbox: Path, venue: str, port: int) -> None:
    """A state folder whose sandbox is the one that runs, with this port in front of the venue's HTTP and WebSocket."""
    shared, own = Home(sandbox), Home(folder)
    shared.share(folder)
    running = shared.running()
    assert running is not None
    known = running.info.venues[venue]
    assert known.ws_url is not None
    moved = msgspec.structs.replace(
        known,
        base_url=_at(known.base_url, port),
        ws_url=_at(known.ws_url, port),
    )
    info = msgspec.structs.replace(running.info, venues={**running.info.venues, venue: moved})
    own.info.unlink()
    own.write(msgspec.structs.replace(running, info=info))


def _at(url: str, port: int) -> str:
    return url.replace(f":{urlsplit(url).port}", f":{port}", 1)


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    for _ in range(round(seconds / POLL_S)):
        if condition():
            break
        await asyncio.sleep(POLL_S)
    return condition()


def verdict(truth: Truth, account: Command) -> dict[str, dict[str, int]]:
    """What was lost, told twice, or told otherwise than the venue has it."""
    strange = [account.orders[one] for one in account.orders.keys() - truth.orders.keys()]
    impossible = [order for order in strange if order != UNFILLED]
    return {
        "fills": {
            "at_venue": len(truth.fills),
            "told": account.fills_told.total(),
            "lost": len(truth.fills.keys() - account.fills.keys()),
            "doubled": account.fills_told.total() - len(account.fills_told),
            "unknown_to_venue": len(account.fills.keys() - truth.fills.keys()),
            "different": sum(
                truth.fills[one] != account.fills[one] for one in truth.fills.keys() & account.fills.keys()
            ),
        },
        "orders": {
            "at_venue": len(truth.orders),
            "told": len(account.orders),
            "records": account.orders_told.total(),
            "lost": len(truth.orders.keys() - account.orders.keys()),
            # A state that was told again: more was known of how it came about, and no record shows that.
            "repeated": account.orders_told.total() - len(account.orders_told),
            # dYdX keeps no row of a short-term order that was never filled.
            "unlisted": len(strange) - len(impossible),
            "unknown_to_venue": len(impossible),
            "different": sum(
                truth.orders[one] != account.orders[one] for one in truth.orders.keys() & account.orders.keys()
            ),
        },
    }


def examples(truth: Truth, account: Command, most: int = 5) -> list[str]:
    """Some of what is wrong, in words."""
    wrong = [
        f"fill {one}: {fill}, told {account.fills.get(one)}"
        for one, fill in truth.fills.items()
        if fill != account.fills.get(one)
    ]
    wrong += [f"fill {one}: told {times} times" for one, times in account.fills_told.items() if times > 1]
    wrong += [
        f"order {one}: {order}, told {account.orders.get(one)}"
        for one, order in truth.orders.items()
        if order != account.orders.get(one)
    ]
    wrong += [
        f"order {one}: {order}"
        for one, order in account.orders.items()
        if one not in truth.orders and order != UNFILLED
    ]
    return wrong[:: max(len(wrong) // most, 1)][: most + 1]


def is_whole(found: dict[str, dict[str, int]]) -> bool:
    return not any(
        part.get(name) for part in found.values() for name in ("lost", "doubled", "unknown_to_venue", "different")
    )


async def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run it. Raises SystemExit when it cannot go on."""
    loop = asyncio.get_running_loop()
    sandbox = folder / "sandbox"
    info = supervisor.start(sandbox, Options(port=0))
    venue = info.venues[options.venue]
    relay = Relay(urlsplit(venue.base_url).port or 0, options.rate)
    port = await relay.listen()
    truth = Truth(options.venue, venue)
    commands = []
    for name, words in (("account", (PRIVATE,)), ("markets", (PUBLIC, *PAIRS))):
        go_through(folder / name, sandbox, options.venue, port)
        commands.append(Command(folder / name, options.venue, words))
    account, markets = commands
    trader = folder / "trader"
    Home(sandbox).share(trader)
    places = {f"LATENTSPEED_{kind}_DIR": str(trader) for kind in ("STATE", "CONFIG", "CACHE")}
    settings = config.resolve({"venue": options.venue}, {"HOME": str(trader), **places})
    try:
        for command in commands:
            await command.start()
        if not await until(lambda: bool(account.controls["backfilled"] and markets.controls["connected"]), READY_S):
            raise SystemExit("the commands did not get ready")
        async with open_connector(settings, sign=True) as connector:
            load = Load(connector, options.orders)
            began_s, passed = loop.time(), relay.passed
            helpers = [
                asyncio.create_task(work) for work in (relay.keep_rate(), load.run(), _cuts(relay, options.cut_every))
            ]
            marks = [options.duration * share for share in (0.1, 0.5, 1.0)]
            while (now_s := loop.time() - began_s) < options.duration:
                await asyncio.sleep(min([LOOK_S, *(mark - now_s for mark in marks[:1])]))
                await truth.look()
                is_mark = bool(marks) and loop.time() - began_s >= marks[0]
                del marks[:is_mark]
                for command in commands:
                    command.check()
                    if is_mark:
                        command.look()
                for helper in helpers:
                    if helper.done():
                        helper.result()
                _tell(loop.time() - began_s, options.duration, relay, account)
            seconds = loop.time() - began_s
            messages = relay.passed - passed + relay.added
            added = relay.added
            for helper in helpers[1:]:
                helper.cancel()
            relay.refusing = False
            await load.end()
        await asyncio.sleep(LOOK_S)
        end_s = loop.time() + SETTLE_S
        while True:
            await truth.look()
            found = verdict(truth, account)
            if is_whole(found) or loop.time() > end_s:
                break
            await asyncio.sleep(1)
        helpers[0].cancel()
        life_s = loop.time() - began_s
        for command in commands:
            await command.end()
        found = verdict(truth, account)
    finally:
        for command in commands:
            command.kill()
    return {
        "venue": options.venue,
        "seconds": round(seconds, 1),
        "messages_per_second": round(messages / seconds, 1),
        "messages": {"from_sandbox": messages - added, "said_again": added},
        "cuts": relay.cuts,
        "orders_sent": load.sent,
        "refused": dict(load.refused),
        "commands": {
            name: {
                "records": dict(command.records),
                "controls": dict(command.controls),
                "rss_mib": [round(kib / 1024, 1) for kib in command.rss_kib],
                "cores": round(command.cores / life_s, 3),
            }
            for name, command in (("account", account), ("markets", markets))
        },
        **found,
        "examples": examples(truth, account),
        "whole": is_whole(found),
    }


async def _cuts(relay: Relay, every_s: float) -> None:
    """Cut everything, and let nobody in for a moment, as long as it runs."""
    while True:
        await asyncio.sleep(every_s - OUTAGE_S)
        relay.refusing = True
        relay.cut()
        await asyncio.sleep(OUTAGE_S)
        relay.refusing = False


def _tell(now_s: float, duration_s: float, relay: Relay, account: Command) -> None:
    if sys.stderr.isatty():
        messages = relay.passed + relay.added
        fills = account.fills_told.total()
        print(
            f"\r{now_s:.0f}/{duration_s:.0f} s, {messages} messages, {relay.cuts} cuts, {fills} fills ",
            end="",
            file=sys.stderr,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold what streams print against what the venue knows.")
    parser.add_argument("--venue", choices=VENUES, default="hyperliquid")
    parser.add_argument("--duration", type=lambda text: config.parse_duration(text, "--duration"), default=3600.0)
    parser.add_argument("--rate", type=float, default=2000.0, help="messages a second")
    parser.add_argument("--orders", type=float, default=5.0, help="orders a second")
    parser.add_argument("--cut-every", type=lambda text: config.parse_duration(text, "--cut-every"), default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latentspeed-soak-") as name:
        folder = Path(name)
        try:
            result = asyncio.run(soak(options, folder))
        finally:
            supervisor.stop(folder / "sandbox")
    json.dump(result, sys.stdout, indent=1)
    print()
    raise SystemExit(0 if result["whole"] else 1)


if __name__ == "__main__":
    main()
