"""What is checked while a world runs: each request as it leaves, each event that is told, each result that is given."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from decimal import Decimal

import msgspec

from ...connector.perpetual import PerpetualDerivativeBase
from ...core.events import Event, OrderEvent, OrderFilledEvent
from ...core.flow import Request
from ...core.in_flight_order import InFlightOrder, OrderIntent
from ...core.order_state import PRECEDENCE
from ...core.types import OrderState
from ...errors import Exit, LatentspeedError
from ...records import OrderRecord, order_record
from .network import Party
from .site import Sent, Standing, Truth
from .world import World

MAX_REQUESTS_A_SECOND = 60
# How far prices may come down while a world lasts.
LEEWAY = Decimal("0.9")
_RANK = {state: rank for rank, state in enumerate(PRECEDENCE)}  # the lower, the more final
_json = msgspec.json.Encoder().encode
# These promise that the run left nothing live (reliability.md, section 6).
NOTHING_LIVE = frozenset(
    {
        Exit.USAGE,
        Exit.INVALID,
        Exit.REJECTED,
        Exit.NOT_FOUND,
        Exit.AUTH,
        Exit.UNREACHABLE,
        Exit.RATE_LIMITED,
        Exit.BUSY,
        Exit.JOURNAL,
        Exit.ID_CONFLICT,
        Exit.GUARD,
        Exit.PLUGIN,
    }
)


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """An order that users of a world may place, any number of times. It is one order all the same."""

    client_order_id: str
    intent: OrderIntent


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended. standing: how the order stood at the venue at that very moment; None: it was not there."""

    process: str
    verb: str
    client_order_id: str
    exit: Exit
    record: OrderRecord | None
    standing: Standing | None
    executed: Decimal
    took_s: float
    said: str


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was handed to the network."""

    process: str
    sent: Sent
    digest: str


class Watch:
    """The checks of one world. results, leaves: what the checks at the end need."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.results: list[Result] = []
        self.leaves: list[Leave] = []
        self.twins: dict[str, list[Planned]] = {}
        self.outputs: list[bytes] = []
        self.secrets: set[str] = set()
        self._books: dict[str, bool] = {}
        self._recent: dict[str, deque[float]] = defaultdict(deque)
        self._best: dict[tuple[str, str], tuple[Decimal, int]] = {}
        self._fills_told: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._nonces: dict[int, str] = {}
        self._last_blocks: dict[str, int] = {}

    def twin_of(self, client_order_id: str) -> str:
        """The venue's id of an order; "" when nobody placed it yet."""
        return next((twin for twin, [one, *_] in self.twins.items() if one.client_order_id == client_order_id), "")

    def expect(self, connector: PerpetualDerivativeBase, planned: Planned) -> None:
        """Somebody asks for this order: from now on the venue may meet it."""
        account = self._world.site.account
        twin = connector.venue_client_id(planned.client_order_id, network="sandbox", account=account)
        wanted = self.twins.setdefault(twin, [])
        has_left = any(leave.sent.kind == "place" and leave.sent.twin == twin for leave in self.leaves)
        if planned not in wanted and not has_left:
            wanted.append(planned)

    # The network's side

    def asked(self, process: Party, request: Request) -> None:
        """I17: no process asks faster than a venue would bear."""
        now_s, recent = self._world.loop.time(), self._recent[process.name]
        recent.append(now_s)
        while recent[0] < now_s - 1.0:
            recent.popleft()
        if len(recent) > MAX_REQUESTS_A_SECOND:
            self._world.broken("I17", f"{process.name} sends {len(recent)} requests within a second")
            recent.clear()

    def leaving(self, process: Party, request: Request, sent: Sent) -> None:
        world = self._world
        self.secrets.update(world.site.secrets(request))
        digest = hashlib.sha256(request.body).hexdigest()
        self.leaves.append(Leave(process=process.name, sent=sent, digest=digest))
        # A fence changes nothing that has to be remembered: it belongs to an order that was going to be sent.
        if sent.kind != "fence" and not world.disk.holds(_mark(sent, digest)):
            world.broken("I9", f"{sent.kind} {sent.twin} leaves, and a loss of power now would leave no trace of it")
        if sent.nonce is not None and sent.kind != "fence":
            known = self._nonces.setdefault(sent.nonce, digest)
            if known != digest:
                world.broken("I11", f"nonce {sent.nonce} is used for two changes")
        if sent.kind == "place":
            self._placement(process, sent)
        if sent.last_block is not None:
            self._check_last_block(process, sent, sent.last_block)

    def _check_last_block(self, process: Party, sent: Sent, block: int) -> None:
        """I13: a cancel holds until the last block of its order; the venue takes a shorter one, which does nothing."""
        of_order = sent.exchange_order_id or ""
        if sent.kind == "place":
            self._last_blocks[of_order] = block
        elif block < self._last_blocks.get(of_order, 0):
            self._world.broken("I13", f"{process.name} cancels until block {block} what lives longer: {sent}")

    def _placement(self, process: Party, sent: Sent) -> None:
        world = self._world
        if process.stopped:
            world.broken("I22", f"{process.name} sends {sent.twin} after its signal")
        if not self._books.get(process.name, True):
            world.broken("I18", f"{process.name} prices {sent.twin} by a bad book")
        wanted = [one for one in self.twins.get(sent.twin or "", ()) if _fits(one.intent, sent)]
        if not wanted:
            world.broken("I13", f"an order leaves that nobody asked for: {sent}")
            return
        if (cap := world.guards.max_order_notional) is not None and self._least_value(wanted[0], sent) > cap:
            world.broken("I13", f"an order leaves that is above the cap of {cap}: {sent}")
        # Of several orders that were asked for by one id, the first that leaves is the one that may leave.
        self.twins[sent.twin or ""] = wanted

    def _least_value(self, planned: Planned, sent: Sent) -> Decimal:
        """In quote units, what an order is worth at least, by prices that the market was at when it began."""
        low, _ = self._world.site.touch[planned.intent.trading_pair]
        return (sent.size or Decimal(0)) * Decimal(low) * LEEWAY

    def answered(self, process: Party, sent: Sent, *, is_a_lie: bool) -> None:
        """I18 wants to know whether a process has ever been shown a good book."""
        if sent.kind == "book":
            self._books[process.name] = self._books.get(process.name, False) or not is_a_lie

    # The product's side

    def told(self, process: Party, event: Event) -> None:
        """An event as a listener hears it."""
        if process.dead or not isinstance(event, OrderEvent):
            return
        order, world = event.order, self._world
        world.trace.note(process.name, f"{type(event).__name__} {order.client_order_id} {order.state.value}")
        self._look(process, order)
        if isinstance(event, OrderFilledEvent):
            told = self._fills_told[process.name, order.client_order_id]
            if event.trade.fill_id in told:
                world.broken("I3", f"{process.name} is told of fill {event.trade.fill_id} twice")
            told.add(event.trade.fill_id)

    def hear(self, line: str) -> None:
        """A line of the product's log."""
        self.outputs.append(line.encode())

    def _look(self, process: Party, order: InFlightOrder) -> None:
        key, state = (process.name, order.client_order_id), order.state
        executed, rank = self._best.get(key, (Decimal(0), len(PRECEDENCE)))
        if order.executed_amount < executed:
            self._world.broken("I6", f"{key}: executed falls from {executed} to {order.executed_amount}")
        was_done = rank < len(PRECEDENCE) and PRECEDENCE[rank].is_done
        again = was_done and PRECEDENCE[rank] is OrderState.FAILED  # a new attempt of an order that never landed
        if was_done and not again and _RANK[state] > rank:
            self._world.broken("I6", f"{key}: {PRECEDENCE[rank].value} becomes {state.value}")
        self._best[key] = order.executed_amount, _RANK[state]

    def ended(
        self,
        process: Party,
        verb: str,
        client_order_id: str,
        *,
        order: InFlightOrder | None,
        error: LatentspeedError | None,
        replayed: bool = False,
        began_s: float,
    ) -> None:
        """A command gives its result to whoever started it. client_order_id: as it was typed."""
        if process.dead:
            return
        world = self._world
        if order is not None and order.client_order_id != client_order_id:
            world.broken("I8", f"{process.name}: {verb} {client_order_id} speaks of {order.client_order_id}")
            client_order_id = order.client_order_id  # whose record it is: that has to be true
        record = None if order is None else order_record(order, replayed=replayed)
        truth = world.truth()
        twin = self.twin_of(client_order_id)
        found = truth.of_twin(twin)
        result = Result(
            process=process.name,
            verb=verb,
            client_order_id=client_order_id,
            exit=Exit.OK if error is None else error.exit,
            record=record,
            standing=found[0].standing if found else None,
            executed=executed_of(truth, twin),
            took_s=world.loop.time() - began_s,
            said=str(error or ""),
        )
        self.results.append(result)
        self.outputs.append(result.said.encode())
        state = "" if order is None else order.state.value
        world.trace.note(process.name, f"{verb} {client_order_id} ends {result.exit.name} {state} {result.said}")
        if record is not None:
            self._show(record)

    def _show(self, record: OrderRecord) -> None:
        """I21: what goes to stdout can be read again, and is the same then."""
        data = _json(record)
        self.outputs.append(data)
        try:
            same = msgspec.json.decode(data, type=OrderRecord) == record
        except msgspec.DecodeError as error:
            self._world.broken("I21", f"a record cannot be read: {error}")
        else:
            if not same:
                self._world.broken("I21", f"a record reads as another one: {data!r}")


def _mark(sent: Sent, digest: str) -> bytes:
    """What the journal must hold before a change leaves: the hash of an order's bytes, the nonce of any other change.

    Some cancels bear none.
    """
    if sent.kind == "place":
        return digest.encode()
    return b"cancel_intent" if sent.nonce is None else f'"nonce":{sent.nonce}'.encode()


def _fits(intent: OrderIntent, sent: Sent) -> bool:
    """Whether this is what was typed."""
    return intent.amount in (None, sent.size) and intent.price in (None, sent.price)


def executed_of(truth: Truth, twin: str) -> Decimal:
    """How much of an order was executed, as the venue has it."""
    ids = {order.exchange_order_id for order in truth.of_twin(twin)}
    return sum((fill.amount for fill in truth.fills if fill.exchange_order_id in ids), Decimal(0))
