"""The tour of one venue: what `demo` does there, and what should come of it."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing, suppress
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from ..clock import monotonic_s
from ..connector.parts import OrderOutcome
from ..connector.streams import Channel, Control, ControlKind
from ..core.decimals import plain
from ..core.ids import new_client_order_id
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.types import OrderState, OrderType, TimeInForce, TradeType
from ..entropy import SystemEntropy

if TYPE_CHECKING:
    from ..config import Settings
    from ..connector.perpetual import PerpetualDerivativeBase

STEPS = 8  # that a tour tells when nothing breaks it off
# Three ticks from the best bid it takes the market a while to come by, and a part of one leaves room for what it does
# between a look at the book and an order.
AMOUNT, PART, PRICE = Decimal(1), Decimal("0.5"), "best-3tick"
COUNTERPARTY = 1  # which of the sandbox's published accounts trades against the tour's own order
TRIES = 5
FIGURES = Context(prec=10)
PATIENCE_S = 5.0
TAKEN_WITHIN_S = 1.5
READY = "ready"
LIFE = ["OPEN", "PARTIALLY_FILLED", "CANCELLED"]


class Tell(Protocol):
    """Takes a step that was done. command: without the program's name. held: it went as it should."""

    def __call__(self, title: str, command: str, told: str, *, held: bool) -> None: ...


class Heard:
    """What the stream of the account's orders told: "ID STATE" -> when it came, in seconds; each once."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        self._news = asyncio.Event()

    async def follow(self, settings: Settings) -> None:
        """Listen as another run of the program would, which knows nothing of this one."""
        from ..session import open_connector

        async with (
            open_connector(settings, sign=False) as watcher,
            aclosing(watcher.stream((Channel.ORDERS,))) as items,
        ):
            async for item in items:
                if isinstance(item, Control) and item.kind is ControlKind.BACKFILLED:
                    self._hear(READY)
                elif isinstance(item, InFlightOrder):
                    self._hear(f"{item.client_order_id} {item.state.value}")

    def of(self, order: InFlightOrder) -> dict[str, float]:
        """The order's states as they were told."""
        found = {told.split(" ")[1]: at_s for told, at_s in self.told.items() if told.startswith(order.client_order_id)}
        return {state: at_s for state, at_s in found.items() if state in LIFE}

    def _hear(self, told: str) -> None:
        if told not in self.told:
            self.told[told] = monotonic_s()
            self._news.set()

    async def wait_for(self, *told: str, patience_s: float = PATIENCE_S) -> None:
        """Wait a moment for one of these news; whoever needs it checks it afterwards."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not self.told.keys() & set(told):
                    self._news.clear()
                    await self._news.wait()


async def tour(settings: Settings, name: str, tell: Tell) -> None:
    """Walk an order's life on the venue of `settings`, and tell its steps. Both accounts end as flat as they began.

    Raises what prevented an order before it was sent, and what reads raise.
    """
    from ..session import open_connector

    other = msgspec.structs.replace(settings, sandbox_account=COUNTERPARTY)
    async with open_connector(settings, sign=True) as own, open_connector(other, sign=True) as counterparty:
        heard = Heard()
        following = asyncio.create_task(heard.follow(settings))
        try:
            pair = (await own.reader.market(name)).trading_pair
            book = await own.book(pair)
            tell(
                "A local exchange with real rules and a moving market; no key, no account, nothing at risk",
                f"stream book {pair} --count 1",
                f"best bid {plain(book.bids[0].price)}, best ask {plain(book.asks[0].price)}",
                held=book.bids[0].price < book.asks[0].price,
            )
            await heard.wait_for(READY)
            order = await _life(tell, heard, own, counterparty, pair)
            await heard.wait_for(f"{order.client_order_id} CANCELLED")
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)  # what it heard is checked below
        news = heard.of(order)
        first_s = min(news.values(), default=0.0)
        tell(
            "All of it was streamed while it happened",
            "stream orders -o ndjson",
            ", ".join(f"{state} at {at_s - first_s:.3f} s" for state, at_s in news.items()),
            held=list(news) == LIFE,
        )
        client_order_id = f"demo-{new_client_order_id(SystemEntropy())[:12]}"
        found, first, _ = await asyncio.gather(
            _found_by_another_process(settings, order),
            _market(own, pair, TradeType.SELL, order.executed_amount, client_order_id),
            _buy_back(counterparty, pair),
        )
        _tell_again(tell, order, found)
        second = await _market(own, pair, TradeType.SELL, order.executed_amount, client_order_id)
        _tell_market(tell, first, second)


async def _life(
    tell: Tell, heard: Heard, own: PerpetualDerivativeBase, counterparty: PerpetualDerivativeBase, pair: str
) -> InFlightOrder:
    """Place an order that rests, let the counterparty take a part of it, cancel the rest.

    The market moves all the time: an order that is overtaken or taken whole is tried again with a fresh one.
    """
    for _ in range(TRIES):
        placed = await _resting(own, pair)
        intent = await _sale(counterparty, placed)
        counterparty.submit(intent)  # a venue may need its time to say that it met nobody; we hear before what it took
        ends = ("PARTIALLY_FILLED", "FILLED", "CANCELLED")
        await heard.wait_for(*(f"{placed.client_order_id} {end}" for end in ends), patience_s=TAKEN_WITHIN_S)
        taken = await own.refresh(placed)
        order = (await own.cancel(taken)).order
        if taken.state is OrderState.PARTIALLY_FILLED and order.state is OrderState.CANCELLED:
            break
    name, price = order.client_order_id, plain(order.price or Decimal(0))
    tell(
        "An order, placed to rest three ticks below the best bid",
        f"place buy {pair} {plain(AMOUNT)} {PRICE} --post-only",
        f"order {name} is {placed.state.value} at {price}",
        held=placed.state is OrderState.OPEN,
    )
    tell(
        "Another account sells through the bids ahead of it, and into it",
        f"place sell {pair} {plain(intent.amount or Decimal(0))} {price} --tif ioc",
        f"order {name} is {taken.state.value}: {plain(taken.executed_amount)} of {plain(taken.amount)} "
        f"at {shown_price(taken.average_price)}, fee {_fee(taken)}",
        held=taken.state is OrderState.PARTIALLY_FILLED,
    )
    tell(
        "The rest is cancelled; what was executed stays executed",
        f"cancel {name}",
        f"order {name} is {order.state.value}, {plain(order.executed_amount)} executed",
        held=order.state is OrderState.CANCELLED and bool(order.executed_amount),
    )
    return order


async def _buy_back(counterparty: PerpetualDerivativeBase, pair: str) -> None:
    """Leave the counterparty with nothing that it sold, for the tours to come."""
    for position in await counterparty.positions():
        if position.trading_pair == pair and position.amount < 0:
            await _market(counterparty, pair, TradeType.BUY, -position.amount)


async def _resting(own: PerpetualDerivativeBase, pair: str) -> InFlightOrder:
    """An order of ours near the best bid; each try is priced by a book of its own."""
    intent = OrderIntent(
        trading_pair=pair,
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=AMOUNT,
        price_expression=PRICE,
        post_only=True,
    )
    for _ in range(TRIES):
        await own.book(pair)
        order = (await own.place_order(intent)).order
        if order.state is OrderState.OPEN:
            break
    return order


async def _sale(counterparty: PerpetualDerivativeBase, order: InFlightOrder) -> OrderIntent:
    """What sells to everything that is bid ahead of `order`, and to a part of it."""
    book = await counterparty.book(order.trading_pair)
    price = order.price or Decimal(0)
    bid = sum((level.amount for level in book.bids if level.price >= price), Decimal(0))
    return OrderIntent(
        trading_pair=order.trading_pair,
        side=TradeType.SELL,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.IOC,
        amount=max(bid - AMOUNT, Decimal(0)) + PART,
        price=price,
    )


async def _found_by_another_process(settings: Settings, order: InFlightOrder) -> dict[str, Any]:
    """What another process knows of the order: it has nothing but the journal and the venue."""
    command = [sys.executable, "-m", "latentspeed_cli", "status", order.client_order_id, "-o", "json"]
    process = await asyncio.create_subprocess_exec(
        *command, "-x", settings.venue, "-n", "sandbox", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    told: dict[str, Any] = json.loads(out) if process.returncode == 0 else {}
    return told


def _tell_again(tell: Tell, order: InFlightOrder, told: dict[str, Any]) -> None:
    tell(
        "Another process finds the order again",
        f"status {order.client_order_id}",
        f"order {told.get('client_order_id')} is {told.get('state')}, {told.get('executed_amount')} executed",
        held=told.get("state") == order.state.value and told.get("executed_amount") == plain(order.executed_amount),
    )


async def _market(
    own: PerpetualDerivativeBase, pair: str, side: TradeType, amount: Decimal, client_order_id: str | None = None
) -> OrderOutcome | None:
    """Take the market for `amount`, if there is one."""
    if not amount:
        return None
    intent = OrderIntent(trading_pair=pair, side=side, order_type=OrderType.MARKET, tif=TimeInForce.IOC, amount=amount)
    return await own.place_order(intent, client_order_id=client_order_id, wait="filled")


def _tell_market(tell: Tell, first: OrderOutcome | None, second: OrderOutcome | None) -> None:
    """A market order, and the same command again: the second one sends nothing."""
    if first is None or second is None:
        return  # nothing was bought, so there is nothing to sell: an earlier step has told why
    order = first.order
    command = f"place sell {order.trading_pair} {plain(order.amount)} --type market --client-id {order.client_order_id}"
    tell(
        "A market order, bounded by its slippage, sells what was bought",
        command,
        f"order {order.client_order_id} is {order.state.value}: {plain(order.executed_amount)} at "
        f"{shown_price(order.average_price)}, fee {_fee(order)}",
        held=order.state is OrderState.FILLED,
    )
    tell(
        "The very same command once more: the id is known, so nothing is sent",
        command,
        f"replayed: order {order.client_order_id} is {second.order.state.value}",
        held=second.replayed and second.order.exchange_order_id == order.exchange_order_id,
    )


def shown_price(average: Decimal | None) -> str:
    """An average to the figures that a person reads; records have all of them."""
    return plain(FIGURES.plus(average or Decimal(0)))


def _fee(order: InFlightOrder) -> str:
    return " + ".join(f"{plain(amount)} {currency}" for currency, amount in order.fees.items()) or "0"
