"""The promises that are checked when a world has healed: journal against venue, results against truth.

The numbers are those of the reliability contract. What can be seen at once is checked by watch.py instead.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import closing
from decimal import Decimal

from ...core.in_flight_order import InFlightOrder
from ...core.types import OrderState
from ...errors import Exit, LatentspeedError
from ...journal import Journal
from ...journal.facts import CANCEL_INTENT, Attempt, decode_body
from .host import open_journal
from .site import Standing, TrueOrder, Truth
from .watch import NOTHING_LIVE, Result, Watch, executed_of
from .world import Violation, World

_STATES: dict[Standing, frozenset[OrderState]] = {
    "open": frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED}),
    "filled": frozenset({OrderState.FILLED, OrderState.EXPIRED}),
    "cancelled": frozenset({OrderState.CANCELLED, OrderState.EXPIRED}),
    "gone": frozenset({OrderState.CANCELLED, OrderState.EXPIRED, OrderState.FAILED}),
    "expired": frozenset({OrderState.EXPIRED}),
}


DISK_TROUBLE = frozenset({"disk_full", "disk_error", "sync_error"})
# A command's own time (15 s), what it waits for another run's classification, and the reads ahead of it.
MAX_TOOK_S = 15.0 + 30.0 + 25.0


def check_equal(world: World) -> list[Violation]:
    """I2 and I4: what the journal says is what the venue says."""
    found: list[Violation] = []

    def differs(invariant: str, said: str) -> None:
        found.append(Violation(invariant=invariant, at_s=world.loop.time(), said=said))

    truth = world.truth()
    try:
        with closing(_journal(world)) as journal:
            for order in journal.orders():
                _compare(order, truth, differs)
    except LatentspeedError as error:
        differs("I10", f"the journal needs repair: {error}")
    return found


def _compare(order: InFlightOrder, truth: Truth, differs: object) -> None:
    say = differs
    assert callable(say)
    there = truth.of_twin(order.venue_client_id)
    name = order.client_order_id
    if not there:
        # An immediate order that met nobody is refused by the venue, and EXPIRED by our definition; so is one of which
        # only its last block tells that it cannot be live any more.
        ends_by_itself = order.is_ioc or order.good_til_block is not None
        met_nobody = order.state is OrderState.EXPIRED and ends_by_itself and not order.executed_amount
        if order.state is not OrderState.FAILED and not met_nobody:
            say("I4", f"{name} is {order.state.value}, and the venue never had it")
        return
    at_venue = there[0]
    fills = truth.fills_of(at_venue.exchange_order_id)
    known = {fill_id: fill.amount for fill_id, fill in order.facts.fills.items()}
    if known != {fill_id: fill.amount for fill_id, fill in fills.items()}:
        say("I2", f"{name} has fills {sorted(known)}, at the venue they are {sorted(fills)}")
    executed = sum((fill.amount for fill in fills.values()), Decimal(0))
    if order.executed_amount != executed:
        say("I2", f"{name} has {order.executed_amount} executed, at the venue it is {executed}")
    if order.state not in _expected(order, at_venue, executed):
        say("I4", f"{name} is {order.state.value}, at the venue it is {at_venue.standing}, {executed} executed")
    if order.exchange_order_id != at_venue.exchange_order_id:
        say("I4", f"{name} is order {order.exchange_order_id}, at the venue {at_venue.exchange_order_id}")


def _expected(order: InFlightOrder, at_venue: TrueOrder, executed: Decimal) -> frozenset[OrderState]:
    if executed >= order.amount:
        return frozenset({OrderState.FILLED})
    if at_venue.standing == "open":
        return frozenset({OrderState.PARTIALLY_FILLED if executed else OrderState.OPEN})
    if order.is_ioc:
        return frozenset({OrderState.EXPIRED})
    return _STATES[at_venue.standing]


def check_quiet(world: World, watch: Watch) -> None:
    """I8: nothing moves any more, and nothing was mended yet; a run that promised that it left nothing live left none.

    What rests now is cancelled before the end, where it could no longer be told from what never came to rest.
    """
    resting = {order.twin: order for order in world.truth().orders if order.standing == "open"}
    senders = _senders(watch)
    for result in watch.results:
        twin = watch.twin_of(result.client_order_id)
        alone = result.verb == "place" and senders.get(twin) == {result.process}
        if alone and result.exit in NOTHING_LIVE and twin in resting:
            name = f"{result.process}: place {result.client_order_id} gave {result.exit.name}"
            world.broken("I8", f"{name}, and its order rests as {resting[twin].exchange_order_id}")


def check_end(world: World, watch: Watch) -> None:
    """Everything else, when every order has been ended."""
    truth = world.truth()
    for twin, accepted in sorted(world.venue.accepted.items()):
        # The network may bring the same bytes twice; that is one order, whatever the venue makes of it.
        count = len({body for sent, body in accepted if world.site.landed(world.venue.model, sent, body)})
        if count > 1:
            world.broken("I1", f"{twin}: {count} placements of one id became orders")
    try:
        with closing(_journal(world)) as journal:
            journal.verify()
            _check_attempts(world, watch, journal)
            _check_cancels(world, watch, journal)
            for known in journal.orders():
                _check_ended(world, known)
    except LatentspeedError as error:
        world.broken("I10", f"the journal needs repair: {error}")
    for order in truth.orders:
        if order.standing == "open":
            world.broken("I5", f"order {order.exchange_order_id} {order.twin} is open still")
    for difference in check_equal(world):
        world.broken(difference.invariant, difference.said)
    _check_results(world, watch, truth)
    check_secrets(world, watch)
    for said in world.loop.troubles:
        world.broken("I16", f"nobody caught: {said}")


def _check_attempts(world: World, watch: Watch, journal: Journal) -> None:
    """I1, I9: what left was an attempt in the journal, and left once for each."""
    attempts = Counter(
        body.body_sha256 for fact in journal.facts() if isinstance(body := decode_body(fact.kind, fact.body), Attempt)
    )
    sent = Counter(leave.digest for leave in watch.leaves if leave.sent.kind == "place")
    for digest, count in sent.items():
        if count > attempts[digest]:
            world.broken("I1", f"a placement left {count} times, for {attempts[digest]} attempts in the journal")


def _check_cancels(world: World, watch: Watch, journal: Journal) -> None:
    """I9: of an order whose cancel left, the journal has an intent for each of them; also where these bear no nonce."""
    intents = Counter(fact.client_order_id for fact in journal.facts() if fact.kind == CANCEL_INTENT)
    ids = {order.exchange_order_id: order.client_order_id for order in journal.orders()}
    left = Counter(leave.sent.exchange_order_id for leave in watch.leaves if leave.sent.kind == "cancel")
    for name, count in left.items():
        if name is not None and count > intents[ids.get(name)]:
            world.broken("I9", f"{count} cancels of order {name} left, for {intents[ids.get(name)]} in the journal")


def _check_ended(world: World, order: InFlightOrder) -> None:
    if not order.is_done:
        world.broken("I5", f"{order.client_order_id} has not ended: {order.state.value}")
    elif not order.evidence:
        world.broken("I7", f"{order.client_order_id} is {order.state.value} without evidence")
    if order.network != "sandbox":
        world.broken("I12", f"{order.client_order_id} is of network {order.network}")


def check_secrets(world: World, watch: Watch) -> None:
    """I14: neither the key nor a signature is anywhere but in the requests."""
    kept = [bytes(image.durable) for image in world.disk.images.values()]
    for secret in (world.site.key, *sorted(watch.secrets)):
        if any(form in data for form in _forms(secret) for data in (*kept, *watch.outputs)):
            world.broken("I14", f"a secret was written down or shown: {secret[:6]}...")


def _forms(secret: str) -> tuple[bytes, ...]:
    """How a secret, given in hex digits, may look: those, its bytes, and these in base64 and as Python shows them."""
    raw = bytes.fromhex(secret.zfill(-(-len(secret) // 2) * 2))
    return secret.encode(), raw, b64encode(raw).rstrip(b"="), repr(raw)[2:-1].encode()


def check_stream(world: World, who: str, streamed: Collection[str]) -> None:
    """I3: a stream from the beginning on tells every fill of the account. streamed: fill ids."""
    wanted = {fill.fill_id for fill in world.truth().fills}
    if set(streamed) != wanted:
        missing = sorted(wanted - set(streamed))
        world.broken("I3", f"{who} was told {len(streamed)} fills of {len(wanted)}; missing are {missing}")


def ends_untold(world: World, told: Mapping[str, InFlightOrder]) -> list[str]:
    """I3: a stream tells how every order ended of which the venue shows that. told: what it told last, by venue id."""
    found, truth = [], world.truth()
    for order in truth.orders:
        name, last = f"{order.exchange_order_id} {order.twin}", told.get(order.exchange_order_id)
        if order.standing in ("open", "gone"):
            continue
        executed = sum((fill.amount for fill in truth.fills_of(order.exchange_order_id).values()), Decimal(0))
        if last is None:
            found.append(f"never told of {name}, which is {order.standing}")
        elif last.state not in _expected(last, order, executed):
            found.append(f"told last that {name} is {last.state.value}, and it is {order.standing}")
    return found


def _check_results(world: World, watch: Watch, truth: Truth) -> None:
    """I8: what commands said was true when they said it."""
    senders = _senders(watch)
    for result in watch.results:
        _check_result(world, watch, truth, result, senders)


def _senders(watch: Watch) -> dict[str, set[str]]:
    """Which processes sent a placement, by twin."""
    senders: dict[str, set[str]] = {}
    for leave in watch.leaves:
        if leave.sent.kind == "place" and leave.sent.twin is not None:
            senders.setdefault(leave.sent.twin, set()).add(leave.process)
    return senders


def _check_result(world: World, watch: Watch, truth: Truth, result: Result, senders: dict[str, set[str]]) -> None:
    name = f"{result.process}: {result.verb} {result.client_order_id} gave {result.exit.name}"
    twin = watch.twin_of(result.client_order_id)
    landed = truth.of_twin(twin)
    mine_alone = senders.get(twin) == {result.process}
    was_live = bool(landed) and (landed[0].standing != "cancelled" or bool(executed_of(truth, twin)))
    if result.verb == "place" and result.exit in NOTHING_LIVE and mine_alone and was_live:
        world.broken("I8", f"{name}, and its order landed: {landed[0].standing}")
    met_nobody = result.record is not None and result.record.state == "EXPIRED"  # as good as done for --wait done
    if result.exit is Exit.OK and result.verb == "place" and result.standing is None and not met_nobody:
        world.broken("I8", f"{name}, and the venue did not have it")
    if result.exit is Exit.OK and result.verb == "cancel" and result.standing == "open":
        world.broken("I8", f"{name}, and it was open")
    if result.exit is Exit.NOT_FOUND and result.verb == "cancel" and result.standing not in (None, "gone"):
        world.broken("I8", f"{name}, and the venue had it")
    # A cancel of an order that ends with a block cannot always be proved within the time of a command.
    if result.exit is Exit.UNKNOWN and world.faults.is_calm and not (result.verb == "cancel" and world.site.expiries):
        world.broken("I8", f"{name}, though nothing went wrong")
    if result.exit is Exit.INTERNAL:
        world.broken("I8", f"{name}: {result.said}")
    if result.exit is Exit.JOURNAL and not DISK_TROUBLE & world.faults.rates.keys():
        world.broken("I10", f"{name} on a good disk: {result.said}")
    if result.exit is Exit.BUSY:
        world.broken("I19", f"{name}: {result.said}")
    if result.took_s > MAX_TOOK_S:
        world.broken("I16", f"{name} after {result.took_s:.1f} s")
    record = result.record
    if record is not None and Decimal(record.executed_amount) > result.executed:
        world.broken("I8", f"{name}: {record.executed_amount} are executed, it said, and {result.executed} were")
    if record is not None and not record.may_be_live and result.standing == "open":
        world.broken("I8", f"{name}: it cannot be live, it said, and it was ({record.state})")


def _journal(world: World) -> Journal:
    return open_journal(world.disk, world.disk.mount(lambda step: None), world.clock)
