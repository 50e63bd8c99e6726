"""`demo`: a whole order life on the local exchange, checked while it is told."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from ..clock import monotonic_s
from ..connector.streams import Channel, Control, ControlKind
from ..core.decimals import plain
from ..core.ids import new_client_order_id
from ..core.in_flight_order import InFlightOrder, OrderIntent
from ..core.types import OrderState, OrderType, TimeInForce, TradeType
from ..entropy import SystemEntropy
from ..errors import Exit, LatentspeedError, UsageError
from ..records import DemoRecord, DemoStep
from .call import of
from .grammar import VerbCommand, verb_app

if TYPE_CHECKING:
    from ..connector.perpetual import PerpetualDerivativeBase
    from .call import Call

app = verb_app()

AMOUNT, PART = Decimal("0.5"), Decimal("0.2")
LESS = Decimal("0.02")
COUNTERPARTY = 1  # which of the sandbox's published accounts trades against the tour's own order
TRIES = 5
PATIENCE_S = 10.0
READY = "ready"
LIFE = ["OPEN", "PARTIALLY_FILLED", "CANCELLED"]


class Story:
    """The steps so far. Each is printed when it happened, and remembers whether it went as told."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.steps: list[DemoStep] = []

    def tell(self, title: str, command: str, told: str, *, held: bool) -> None:
        step = DemoStep(title=title, command=command, told=told, held=held)
        self.steps.append(step)
        if self._call.output.format == "table":
            mark = "" if held else "  <- not as it should be"
            self._call.output.text(f"\n{len(self.steps)}. {title}\n   $ {command}\n   {told}{mark}")


class Heard:
    """What the stream of the account's orders told: "ID STATE" -> when it came, in seconds; each once."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        self._news = asyncio.Event()

    async def follow(self, own: PerpetualDerivativeBase) -> None:
        async with aclosing(own.stream((Channel.ORDERS,))) as items:
            async for item in items:
                if isinstance(item, Control) and item.kind is ControlKind.BACKFILLED:
                    self._hear(READY)
                elif isinstance(item, InFlightOrder):
                    self._hear(f"{item.client_order_id} {item.state.value}")

    def _hear(self, told: str) -> None:
        if told not in self.told:
            self.told[told] = monotonic_s()
            self._news.set()

    async def wait_for(self, told: str) -> None:
        """Wait a moment for news that is on its way; whoever needs it checks it afterwards."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while told not in self.told:
                    self._news.clear()
                    await self._news.wait()


@app.command(cls=VerbCommand)
def demo(ctx: typer.Context, pair: Annotated[str, typer.Argument(help="Trading pair.")] = "BTC-USD") -> Exit:
    """Walk a whole order life on the local exchange: placed, partly filled, cancelled, streamed, found again."""
    call = of(ctx)
    call.show_as(DemoRecord)
    settings = call.settings
    if settings.network != "sandbox":
        raise UsageError("the tour takes place on the sandbox only", hint="leave --network out")
    started_s = monotonic_s()
    story = Story(call)
    call.run(_tour(call, story, pair))
    held = all(step.held for step in story.steps)
    took_ms = round((monotonic_s() - started_s) * 1000)
    if call.output.format == "table":
        call.output.text(f"\nDone in {took_ms / 1000:.1f} s." if held else "\nThis did not go as it should.")
    else:
        call.output.show(
            DemoRecord(
                venue=settings.venue, network=settings.network, held=held, took_ms=took_ms, steps=tuple(story.steps)
            )
        )
    if not held:
        raise LatentspeedError("the tour did not go as told", hint="run it again, and tell us if it stays so")
    return Exit.OK


async def _tour(call: Call, story: Story, name: str) -> None:
    from ..session import open_connector

    other = msgspec.structs.replace(call.settings, sandbox_account=COUNTERPARTY)
    async with (
        open_connector(call.settings, sign=True, notify=call.output.note) as own,
        open_connector(other, sign=True) as counterparty,
    ):
        pair = (await own.reader.market(name)).trading_pair
        book = await own.book(pair)
        story.tell(
            "A local exchange with real rules and a moving market; no key, no account, nothing at risk",
            f"latentspeed stream book {pair} --count 1",
            f"best bid {plain(book.bids[0].price)}, best ask {plain(book.asks[0].price)}",
            held=book.bids[0].price < book.asks[0].price,
        )
        heard = Heard()
        following = asyncio.create_task(heard.follow(own))
        try:
            await heard.wait_for(READY)
            order = await _life(story, own, counterparty, pair)
            await heard.wait_for(f"{order.client_order_id} CANCELLED")
            news = {
                told.partition(" ")[2]: at_s
                for told, at_s in heard.told.items()
                if told.startswith(order.client_order_id)
            }
            first_s = min(news.values(), default=0.0)
            story.tell(
                "All of it was streamed while it happened",
                "latentspeed stream orders -o ndjson",
                ", ".join(f"{state} at {at_s - first_s:.3f} s" for state, at_s in news.items()),
                held=[state for state in news if state in LIFE] == LIFE,
            )
        finally:
            following.cancel()
        await _again(story, call, order)
        await _market(story, own, pair)


async def _life(
    story: Story, own: PerpetualDerivativeBase, counterparty: PerpetualDerivativeBase, pair: str
) -> InFlightOrder:
    """Place an order that rests, let the counterparty take a part of it, cancel the rest.

    The market moves all the time: an order that is overtaken or taken whole is tried again with a fresh one.
    """
    for _ in range(TRIES):
        order = await _resting(own, pair)
        state, price = order.state, order.price or Decimal(0)
        sold = await _sell_into(counterparty, order)
        order = await own.refresh(order)
        if order.state is OrderState.PARTIALLY_FILLED:
            break
        await own.cancel(order)
    story.tell(
        "An order, placed to rest at the best bid",
        f"latentspeed place buy {pair} {plain(AMOUNT)} best --post-only",
        f"order {order.client_order_id} is {state.value} at {plain(price)}",
        held=state is OrderState.OPEN,
    )
    story.tell(
        "Another account sells through the bids ahead of it, and into it",
        f"latentspeed place sell {pair} {plain(sold)} {plain(price)} --tif ioc",
        f"order {order.client_order_id} is {order.state.value}: {plain(order.executed_amount)} of "
        f"{plain(order.amount)} at {plain(order.average_price or Decimal(0))}, fee {_fee(order)}",
        held=order.state is OrderState.PARTIALLY_FILLED,
    )
    order = (await own.cancel(order)).order
    story.tell(
        "The rest is cancelled; what was executed stays executed",
        f"latentspeed cancel {order.client_order_id}",
        f"order {order.client_order_id} is {order.state.value}, {plain(order.executed_amount)} executed",
        held=order.state is OrderState.CANCELLED and bool(order.executed_amount),
    )
    return order


async def _resting(own: PerpetualDerivativeBase, pair: str) -> InFlightOrder:
    """An order of ours at the best bid."""
    intent = OrderIntent(
        trading_pair=pair,
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=AMOUNT,
        price_expression="best",
        post_only=True,
    )
    outcome = await own.place_order(intent)
    for _ in range(TRIES):
        if outcome.order.state is OrderState.OPEN:
            break
        outcome = await own.place_order(intent)
    return outcome.order


async def _sell_into(counterparty: PerpetualDerivativeBase, order: InFlightOrder) -> Decimal:
    """Sell everything that is bid ahead of `order`, and a part of it. How much that was to be."""
    book = await counterparty.book(order.trading_pair)
    price = order.price or Decimal(0)
    bid = sum((level.amount for level in book.bids if level.price >= price), Decimal(0))
    amount = max(bid - AMOUNT, Decimal(0)) + PART
    await counterparty.place_order(
        OrderIntent(
            trading_pair=order.trading_pair,
            side=TradeType.SELL,
            order_type=OrderType.LIMIT,
            tif=TimeInForce.IOC,
            amount=amount,
            price=price,
        )
    )
    return amount


async def _again(story: Story, call: Call, order: InFlightOrder) -> None:
    """Ask another process what it knows: it has nothing but the journal and the venue."""
    command = [sys.executable, "-m", "latentspeed_cli", "status", order.client_order_id, "-o", "json"]
    process = await asyncio.create_subprocess_exec(
        *command, "-x", call.settings.venue, "-n", "sandbox", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    told: dict[str, Any] = json.loads(out) if process.returncode == 0 else {}
    story.tell(
        "Another process finds the order again",
        f"latentspeed status {order.client_order_id}",
        f"order {told.get('client_order_id')} is {told.get('state')}, {told.get('executed_amount')} executed",
        held=told.get("state") == order.state.value and told.get("executed_amount") == plain(order.executed_amount),
    )


async def _market(story: Story, own: PerpetualDerivativeBase, pair: str) -> None:
    """A market order, and the same command again: the second one sends nothing."""
    client_order_id = f"demo-{new_client_order_id(SystemEntropy())[:12]}"
    intent = OrderIntent(
        trading_pair=pair, side=TradeType.SELL, order_type=OrderType.MARKET, tif=TimeInForce.IOC, amount=LESS
    )
    command = f"latentspeed place sell {pair} {plain(LESS)} --type market --client-id {client_order_id}"
    first = await own.place_order(intent, client_order_id=client_order_id)
    order = first.order
    story.tell(
        "A market order, bounded by its slippage",
        command,
        f"order {client_order_id} is {order.state.value}: {plain(order.executed_amount)} at "
        f"{plain(order.average_price or Decimal(0))}, fee {_fee(order)}",
        held=order.state is OrderState.FILLED,
    )
    second = await own.place_order(intent, client_order_id=client_order_id)
    story.tell(
        "The very same command once more: the id is known, so nothing is sent",
        command,
        f"replayed: order {client_order_id} is {second.order.state.value}",
        held=second.replayed and second.order.exchange_order_id == order.exchange_order_id,
    )


def _fee(order: InFlightOrder) -> str:
    return " + ".join(f"{plain(amount)} {currency}" for currency, amount in order.fees.items()) or "0"
