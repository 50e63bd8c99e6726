"""What the watch makes of a result: whose record it is, and whether it may speak of that order at all."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.errors import Exit, OrderRefused
from latentspeed_cli.testing.simulator.faults import Faults
from latentspeed_cli.testing.simulator.invariants import check_quiet, check_secrets
from latentspeed_cli.testing.simulator.loop import VirtualLoop
from latentspeed_cli.testing.simulator.run import site_of
from latentspeed_cli.testing.simulator.site import Sent, Standing, TrueOrder, Truth
from latentspeed_cli.testing.simulator.trace import Trace
from latentspeed_cli.testing.simulator.watch import Leave, Planned, Result, Watch
from latentspeed_cli.testing.simulator.world import World

PROCESS: Any = SimpleNamespace(name="user", dead=False, stopped=False)


def watched(look: Callable[[World, Watch], None]) -> list[str]:
    """What is found broken while `look` tells the watch of an idle world what happens there."""
    loop, faults = VirtualLoop(), Faults("watch/1", frozenset())
    said: list[str] = []

    async def live() -> None:
        world = World(site_of("dydx_v4"), "watch/1", loop, faults, Trace(loop, keep=False))
        look(world, Watch(world))
        said.extend(f"{one.invariant}: {one.said}" for one in world.violations)
        world.venue.stop()
        world.disk.close()

    loop.run_until_complete(live())
    asyncio.set_event_loop(None)
    loop.close()
    return said


def an_order(client_order_id: str) -> InFlightOrder:
    return InFlightOrder(
        client_order_id=client_order_id,
        venue_client_id="10-1",
        venue="dydx_v4",
        network="sandbox",
        account="somebody",
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=Decimal(1),
        price=Decimal(1),
        created_ts_ns=0,
        facts=Facts(),
    )


@pytest.mark.parametrize(("verb", "typed"), [("place", "order-1"), ("status", "order-1"), ("status", "order-2")])
def test_a_record_of_another_order_is_no_answer(verb: str, typed: str) -> None:
    def look(world: World, watch: Watch) -> None:
        watch.ended(PROCESS, verb, typed, order=an_order("order-10"), error=None, began_s=0.0)
        assert [result.client_order_id for result in watch.results] == ["order-10"]

    assert watched(look) == [f"I8: user: {verb} {typed} speaks of order-10"]


OWN = Sent(kind="place", twin="10-1")
RESTING = TrueOrder(twin="10-1", exchange_order_id="7", standing="open", amount=Decimal(1))


@pytest.mark.parametrize(
    ("exit_", "standing", "others", "found"),
    [
        (Exit.REJECTED, "open", (), ["I8: user: place order-1 gave REJECTED, and its order rests as 7"]),
        (Exit.REJECTED, "cancelled", (), []),
        (Exit.REJECTED, "open", ("somebody else",), []),
        (Exit.UNKNOWN, "open", (), []),
        (Exit.OK, "open", (), []),
    ],
)
def test_an_order_that_came_to_rest_after_all_breaks_a_promise_though_it_is_cancelled_later(
    monkeypatch: pytest.MonkeyPatch, exit_: Exit, standing: Standing, others: tuple[str, ...], found: list[str]
) -> None:
    order = msgspec.structs.replace(RESTING, standing=standing)

    def look(world: World, watch: Watch) -> None:
        monkeypatch.setattr(world.venue, "truth", lambda: Truth(orders=(order,), fills=()))
        intent = OrderIntent(trading_pair="BTC-USD", side=TradeType.BUY, order_type=OrderType.LIMIT, amount=Decimal(1))
        watch.twins["10-1"] = [Planned(client_order_id="order-1", intent=intent)]
        for process in ("user", *others):
            watch.leaves.append(Leave(process=process, sent=OWN, digest=process))
        result = Result(
            process="user",
            verb="place",
            client_order_id="order-1",
            exit=exit_,
            record=None,
            standing=None,
            executed=Decimal(0),
            took_s=1.0,
            said="",
        )
        watch.results.append(result)
        check_quiet(world, watch)

    assert watched(look) == found


def test_the_words_of_an_error_are_searched_for_secrets() -> None:
    def look(world: World, watch: Watch) -> None:
        error = OrderRefused("refused: 4f2a")
        watch.ended(PROCESS, "place", "order-1", order=None, error=error, began_s=0.0)
        assert any(b"4f2a" in text for text in watch.outputs)

    assert watched(look) == []


@pytest.mark.parametrize(
    "form",
    [lambda key: key.hex(), lambda key: f"({b64encode(key).decode()})", lambda key: f"{[key]}"],
)
def test_a_key_is_found_in_whatever_form_it_is_shown(form: Callable[[bytes], str]) -> None:
    def look(world: World, watch: Watch) -> None:
        check_secrets(world, watch)
        watch.hear(f"sent {form(bytes.fromhex(world.site.key))}")
        check_secrets(world, watch)

    assert watched(look) == ["I14: a secret was written down or shown: 1f6940..."]
