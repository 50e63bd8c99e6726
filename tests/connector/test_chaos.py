"""Seeded trouble on every way to the venue: one id is one order, and nothing is called failed that is not."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from latentspeed_cli.connector.reconciler import is_undecided
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.types import OrderState
from latentspeed_cli.errors import LatentspeedError, OutcomeUnknown

from .conftest import Rig
from .venue import Fault, TinyConnector, TinyOrder, limit, market

SEEDS = 120
KINDS = ("place", "cancel", "fence", "status", "open", "fills", "book")
_STATES = {
    "filled": {OrderState.FILLED},
    "cancelled": {OrderState.CANCELLED},
    "unmatched": {OrderState.EXPIRED},
    "open": {OrderState.OPEN, OrderState.PARTIALLY_FILLED},
}


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_one_id_is_one_order_and_the_end_is_the_truth(rig: Rig, seed: int) -> None:
    chance = random.Random(seed)
    intents = {
        f"id-{n}": chance.choice([limit(), limit("sell", price="105"), market(), market("sell")]) for n in range(3)
    }
    for kind in KINDS:
        rig.http.faults[kind].extend(_faults(chance))
    rig.http.seen = lambda kind, body: rig.clock.advance(chance.choice([0, 0, 0.1, 3, 20]) if kind == "place" else 0)
    for _ in range(3):  # three runs, each doing some of it again
        async with rig.connector() as connector:
            for client_order_id in chance.sample(sorted(intents), 2):
                await _do(connector, client_order_id, intents[client_order_id], chance)
        for order in rig.venue.orders.values():
            if order.status == "open" and chance.random() < 0.3:
                rig.venue.fill(order, (order.amount - order.executed) / chance.choice([1, 2]), order.price)
        rig.clock.advance(chance.choice([0, 5, 60]))
    for client_order_id in intents:
        assert len(rig.venue.by_cloid(f"v-{client_order_id}")) <= 1

    rig.heal()
    rig.clock.advance(120)
    async with rig.connector() as connector:
        for client_order_id in intents:
            stored = connector.known(client_order_id)
            if stored is None:
                assert rig.venue.by_cloid(f"v-{client_order_id}") == []
                continue
            settled = await connector.resolve(stored)
            _check(settled, rig.venue.newest(f"v-{client_order_id}"), rig.venue.nonces)
    nonces = [body["nonce"] for kind, body in rig.http.sent if kind in ("place", "cancel")]
    assert len(nonces) == len(set(nonces))


async def _do(connector: TinyConnector, client_order_id: str, intent: OrderIntent, chance: random.Random) -> None:
    with suppress(LatentspeedError):  # whatever was refused: what is at the venue is looked at in the end
        outcome = await connector.place_order(
            intent,
            client_order_id=client_order_id,
            timeout_s=2,
            despite_unknown=chance.random() < 0.5,
        )
        _check_honest(outcome.order, outcome.error)
        if chance.random() < 0.4:
            ended = await connector.cancel(outcome.order, timeout_s=2)
            _check_honest(ended.order, ended.error)


def _check_honest(order: InFlightOrder, error: LatentspeedError | None) -> None:
    """No error but "unknown" may be told of an order that nobody knows about."""
    if order.outcome_unknown and not order.facts.accepted:
        assert isinstance(error, OutcomeUnknown), error


def _check(order: InFlightOrder, truth: TinyOrder | None, used_nonces: set[int]) -> None:
    if truth is None and is_undecided(order):
        # An expired order, or our own noop whose reply was lost, used its nonce: silence is no proof so soon after.
        assert order.nonce in used_nonces
        return
    if truth is None:
        assert order.state is OrderState.FAILED, (order.state, order.evidence)
        assert order.evidence
        return
    assert order.state is not OrderState.FAILED, order.evidence
    expected = set(_STATES[truth.status])
    if truth.ioc and truth.executed < truth.amount:
        expected = {OrderState.EXPIRED}
    assert order.state in expected | {OrderState.PENDING_CANCEL}, (order.state, truth)
    assert order.executed_amount == truth.executed
    assert order.contradiction is None
    if order.state.is_done:
        assert order.evidence


def _faults(chance: random.Random) -> list[Fault | None]:
    rate = chance.choice([0.0, 0.2, 0.6])
    faults = [fault for fault in Fault if fault is not Fault.HANGS]
    return [chance.choice(faults) if chance.random() < rate else None for _ in range(30)]
