"""A tiny venue: deterministic, in memory, with just enough of everything that a conductor has to get right.

TinyVenue is the exchange, TinyHttp the way to it with its faults, TinyConnector the flows that speak to it.
"""

from __future__ import annotations

import asyncio
import enum
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from latentspeed_cli.connector.perpetual import PerpetualDerivativeBase
from latentspeed_cli.connector.venue import FenceVerdict, Markets
from latentspeed_cli.core.account import AccountState
from latentspeed_cli.core.decimals import plain
from latentspeed_cli.core.flow import Flow, Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder, OrderIntent
from latentspeed_cli.core.market_data import Candle, MarketContext, OrderBookSnapshot, PriceLevel, PublicTrade
from latentspeed_cli.core.rate_limit import Rate
from latentspeed_cli.core.reports import Evidence, OrderUpdate, Report, TradeUpdate
from latentspeed_cli.core.symbols import Market, SymbolMap
from latentspeed_cli.core.trading_rule import TradingRule
from latentspeed_cli.core.types import OrderType, TimeInForce, TradeType
from latentspeed_cli.errors import (
    AuthRejected,
    ConnectFailed,
    OrderRefused,
    OrderRejected,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    ReplyLost,
)

ACCOUNT = "0xaccount"
SIGNER = "0xsigner"
PAIR = "BTC-USD"
NS_PER_MS = 1_000_000
FEE_RATE = Decimal("0.001")


class ManualClock:
    """Wall time that moves when it is told to, and by a microsecond with every look."""

    def __init__(self, now_ns: int = 1_800_000_000_000_000_000) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        self.time_ns += 1_000
        return self.time_ns

    def advance(self, seconds: float) -> None:
        self.time_ns += int(seconds * 1_000_000_000)


class TinyOrder(msgspec.Struct, kw_only=True):
    oid: str
    cloid: str
    pair: str
    side: str
    amount: Decimal
    price: Decimal
    status: str  # open, filled, cancelled, unmatched, rejected
    ts_ns: int
    ioc: bool
    executed: Decimal = Decimal(0)


class TinyVenue:
    """One market with a fixed touch. Nonces are used once; an order that comes after its expiry uses up its own."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.bid, self.ask, self.depth = Decimal(99), Decimal(101), Decimal(10)
        self.orders: dict[str, TinyOrder] = {}
        self.fills: list[dict[str, str]] = []
        self.nonces: set[int] = set()
        self.lowest_nonce = 0  # one below is refused, whether or not it was used
        self.leverage = (5, "cross")
        self.clock_offset_ns = 0
        self.hidden: set[str] = set()  # cloids that status, lists and fills deny

    def now_ns(self) -> int:
        return self.clock.now_ns() + self.clock_offset_ns

    def answer(self, kind: str, body: dict[str, Any]) -> Any:
        return getattr(self, f"on_{kind}")(body)

    def on_markets(self, body: dict[str, Any]) -> Any:
        return [PAIR, "ETH-USD"]

    def on_book(self, body: dict[str, Any]) -> Any:
        return {"ts_ns": self.now_ns(), "bid": str(self.bid), "ask": str(self.ask), "depth": str(self.depth)}

    def on_context(self, body: dict[str, Any]) -> Any:
        return {"mark": "100", "index": "100.5", "funding": "0.0001"}

    def on_account(self, body: dict[str, Any]) -> Any:
        return {"value": "1000"}

    def on_place(self, body: dict[str, Any]) -> Any:
        if body["expires_ms"] * NS_PER_MS < self.now_ns():
            self.nonces.add(body["nonce"])
            return {"error": "expired"}
        if body["nonce"] in self.nonces:
            return {"error": "nonce used"}
        self.nonces.add(body["nonce"])
        side, price, amount = body["side"], Decimal(body["price"]), Decimal(body["amount"])
        crosses = price >= self.ask if side == "buy" else price <= self.bid
        if crosses and body["post_only"]:
            return {"error": "post only would match"}
        if amount > 1_000:
            return {"error": "no margin"}
        order = TinyOrder(
            oid=str(len(self.orders) + 1),
            cloid=body["cloid"],
            pair=body["pair"],
            side=side,
            amount=amount,
            price=price,
            status="open",
            ts_ns=self.now_ns(),
            ioc=body["ioc"],
        )
        self.orders[order.oid] = order
        if crosses:
            self.fill(order, min(amount, self.depth), self.ask if side == "buy" else self.bid)
        if order.status == "open" and order.ioc:
            order.status = "filled" if order.executed else "unmatched"
        return self.describe(order)

    def fill(self, order: TinyOrder, amount: Decimal, price: Decimal) -> None:
        order.executed += amount
        if order.executed == order.amount:
            order.status = "filled"
        self.fills.append(
            {
                "id": f"f{len(self.fills) + 1}",
                "oid": order.oid,
                "cloid": order.cloid,
                "pair": order.pair,
                "side": order.side,
                "price": str(price),
                "amount": str(amount),
                "fee": str(price * amount * FEE_RATE),
                "ts_ns": str(self.now_ns()),
            }
        )

    def on_cancel(self, body: dict[str, Any]) -> Any:
        if body["nonce"] in self.nonces:
            return {"error": "nonce used"}
        self.nonces.add(body["nonce"])
        order = self.newest(body["cloid"])
        if order is None or order.status != "open":
            return {"error": "not live"}
        order.status = "cancelled"
        return self.describe(order)

    def on_fence(self, body: dict[str, Any]) -> Any:
        if body["nonce"] < self.lowest_nonce:
            return {"burned": "too low"}
        if body["nonce"] in self.nonces:
            return {"error": "nonce used"}
        self.nonces.add(body["nonce"])
        return {"burned": True}

    def on_status(self, body: dict[str, Any]) -> Any:
        order = self.orders.get(body["oid"] or "") or self.newest(body["cloid"])
        return None if order is None or order.cloid in self.hidden else self.describe(order)

    def on_open(self, body: dict[str, Any]) -> Any:
        orders = [order for order in self.orders.values() if order.status == "open" and order.cloid not in self.hidden]
        return [self.describe(order) for order in orders]

    def on_ended(self, body: dict[str, Any]) -> Any:
        orders = [order for order in self.orders.values() if order.status != "open" and order.ts_ns >= body["since_ns"]]
        return [self.describe(order) for order in orders if order.cloid not in self.hidden]

    def on_fills(self, body: dict[str, Any]) -> Any:
        return [
            fill for fill in self.fills if int(fill["ts_ns"]) >= body["since_ns"] and fill["cloid"] not in self.hidden
        ]

    def on_identity(self, body: dict[str, Any]) -> Any:
        return {}

    def on_leverage(self, body: dict[str, Any]) -> Any:
        self.leverage = (body["leverage"], "cross" if body["cross"] else "isolated")
        return {}

    def on_read_leverage(self, body: dict[str, Any]) -> Any:
        return self.leverage

    def newest(self, cloid: str) -> TinyOrder | None:
        found = [order for order in self.orders.values() if order.cloid == cloid]
        return found[-1] if found else None

    def by_cloid(self, cloid: str) -> list[TinyOrder]:
        return [order for order in self.orders.values() if order.cloid == cloid]

    def describe(self, order: TinyOrder) -> dict[str, Any]:
        return {name: str(getattr(order, name)) for name in TinyOrder.__struct_fields__}


class Fault(enum.Enum):
    """What the way to the venue does to one request."""

    REFUSED = "no connection: no byte left"
    LOST_BEFORE = "it never arrives, and nobody can tell"
    LOST_AFTER = "it arrives, the reply does not"
    GARBAGE = "it arrives, the reply is no sense"
    BROKEN_BEFORE = "500 by a proxy, it never arrives"
    BROKEN_AFTER = "500, and it was executed"
    LIMITED = "429, not accepted"
    HANGS = "it arrives, and no reply ever comes"
    TWICE = "it arrives twice, and the second answer is what we see"


class TinyHttp:
    """Http to a TinyVenue. faults: by kind of request, taken one by one. seen: called before a byte leaves."""

    def __init__(self, venue: TinyVenue) -> None:
        self.venue = venue
        self.faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.seen: Callable[[str, dict[str, Any]], None] | None = None
        self.gate: dict[str, asyncio.Event] = {}
        self.arrived: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def kinds(self, kind: str) -> list[dict[str, Any]]:
        return [body for sent, body in self.sent if sent == kind]

    async def send(self, request: Request) -> Reply:
        kind = request.url.rsplit("/", 1)[1]
        body = msgspec.json.decode(request.body)
        fault = self.faults[kind].popleft() if self.faults[kind] else None
        if fault is Fault.REFUSED:
            raise ConnectFailed("connection refused")
        self.sent.append((kind, body))
        if self.seen is not None:
            self.seen(kind, body)
        await asyncio.sleep(0)
        if fault is Fault.LIMITED:
            return self.reply(429, "slow down")
        if fault is Fault.BROKEN_BEFORE:
            return self.reply(502, "bad gateway")
        if fault is Fault.LOST_BEFORE:
            raise ReplyLost("connection reset")
        said = self.venue.answer(kind, body)
        self.arrived[kind].set()
        if kind in self.gate:
            await self.gate[kind].wait()
        if fault is Fault.HANGS:
            await asyncio.Event().wait()
        if fault is Fault.TWICE:
            said = self.venue.answer(kind, body)
        if fault is Fault.LOST_AFTER:
            raise ReplyLost("connection reset")
        if fault is Fault.BROKEN_AFTER:
            return self.reply(500, "oops")
        if fault is Fault.GARBAGE:
            return msgspec.structs.replace(self.reply(200, None), body=b"<html>")
        return self.reply(200, said)

    def reply(self, status: int, said: Any) -> Reply:
        return Reply(status=status, body=msgspec.json.encode(said), headers={}, received_ns=self.venue.clock.now_ns())


class TinyAuth:
    def __init__(self, signer: str = SIGNER, account: str = ACCOUNT) -> None:
        self.signer = signer
        self.account = account
        self.master = account


class TinyWebUtils:
    base_url = "http://tiny"
    ws_url = "ws://tiny"
    rate = Rate(weight=1_000_000, window_s=60)

    def check(self, reply: Reply, *, changes: bool) -> bytes:
        if reply.status == 429:
            raise RateLimited("slow down", retry_after_ms=1000)
        if reply.status >= 500:
            raise ReplyLost(f"the venue answered {reply.status}")
        return reply.body


class TinyConnector(PerpetualDerivativeBase):
    web_utils: TinyWebUtils

    def venue_client_id(self, client_order_id: str, *, network: str, account: str) -> str:
        return f"v-{client_order_id}"

    def check_supported(self, intent: OrderIntent) -> None:
        if intent.order_type not in (OrderType.LIMIT, OrderType.MARKET):
            raise OrderRefused("no such order here")

    def markets_flow(self) -> Flow[Markets]:
        names = yield from self.ask("markets")
        return Markets(
            symbols=SymbolMap(
                Market(trading_pair=name, symbol=name[:3], asset_id=i, size_decimals=3, max_leverage=10)
                for i, name in enumerate(names)
            ),
            rules={name: rule(name) for name in names},
        )

    def book_flow(self, trading_pair: str) -> Flow[OrderBookSnapshot]:
        said = yield from self.ask("book", pair=trading_pair)
        depth = Decimal(said["depth"])
        return OrderBookSnapshot(
            trading_pair=trading_pair,
            ts_ns=said["ts_ns"],
            bids=(PriceLevel(Decimal(said["bid"]), depth),),
            asks=(PriceLevel(Decimal(said["ask"]), depth),),
        )

    def context_flow(self, trading_pairs: Sequence[str]) -> Flow[tuple[MarketContext, ...]]:
        said = yield from self.ask("context")
        return tuple(
            MarketContext(
                trading_pair=pair,
                ts_ns=0,
                mark_price=Decimal(said["mark"]),
                index_price=Decimal(said["index"]),
                mid_price=None,
                funding_rate=Decimal(said["funding"]),
            )
            for pair in trading_pairs
        )

    def trades_flow(self, trading_pair: str) -> Flow[tuple[PublicTrade, ...]]:
        yield from self.ask("book", pair=trading_pair)
        return ()

    def candles_flow(self, trading_pair: str, interval: str, start_ns: int, end_ns: int) -> Flow[tuple[Candle, ...]]:
        yield from self.ask("book", pair=trading_pair)
        return ()

    def account_flow(self) -> Flow[AccountState]:
        value = Decimal((yield from self.ask("account"))["value"])
        return AccountState(
            account=ACCOUNT,
            ts_ns=0,
            account_value=value,
            total_notional=Decimal(0),
            margin_used=Decimal(0),
            withdrawable=value,
            balances=(),
            positions=(),
        )

    def open_orders_flow(self) -> Flow[tuple[OrderUpdate, ...]]:
        rows = yield from self.ask("open")
        return tuple(order_update(row) for row in rows)

    def order_status_flow(self, order: InFlightOrder) -> Flow[tuple[OrderUpdate, ...]]:
        row = yield from self.ask("status", oid=order.exchange_order_id, cloid=order.venue_client_id)
        return () if row is None else (order_update(row),)

    def ended_orders_flow(self, since_ns: int) -> Flow[tuple[OrderUpdate, ...]]:
        rows = yield from self.ask("ended", since_ns=since_ns)
        return tuple(order_update(row) for row in rows)

    def fills_flow(self, since_ns: int, until_ns: int | None = None) -> Flow[tuple[TradeUpdate, ...]]:
        rows = yield from self.ask("fills", since_ns=since_ns)
        return tuple(trade_update(row) for row in rows)

    def identity_flow(self) -> Flow[None]:
        yield from self.ask("identity")

    def place_flow(self, order: InFlightOrder) -> Flow[OrderUpdate]:
        assert order.price is not None
        said = yield from self.ask(
            "place",
            changes=True,
            nonce=order.nonce,
            expires_ms=order.expires_after_ms,
            cloid=order.venue_client_id,
            pair=order.trading_pair,
            side=order.side.value,
            amount=plain(order.amount),
            price=plain(order.price),
            post_only=order.post_only,
            ioc=order.is_ioc,
            signature="secret",
        )
        error = said.get("error")
        if error == "nonce used":
            raise OutcomeUnknown("nonce used", venue_code="nonce_used")
        if error == "expired":
            return OrderUpdate(
                report=Report.FAILED,
                trading_pair=order.trading_pair,
                ts_ns=0,
                attempt=order.attempt,
                reason="expired_before_accept",
                evidence=Evidence(kind="expired_before_accept", ts_ns=0, detail="expired"),
            )
        if error:
            raise OrderRejected(error)
        return order_update(said, attempt=order.attempt)

    def cancel_flow(self, order: InFlightOrder, *, nonce: int, attempt: int) -> Flow[OrderUpdate]:
        said = yield from self.ask("cancel", changes=True, nonce=nonce, cloid=order.venue_client_id)
        if said.get("error") == "not live":
            return OrderUpdate(
                report=Report.CANCEL_REFUSED,
                trading_pair=order.trading_pair,
                ts_ns=0,
                attempt=attempt,
                reason="not live",
            )
        if said.get("error"):
            raise OutcomeUnknown(said["error"])
        return order_update(said, attempt=attempt)

    def fence_flow(self, order: InFlightOrder) -> Flow[FenceVerdict]:
        said = yield from self.ask("fence", changes=True, nonce=order.nonce)
        return FenceVerdict(
            burned="burned" in said,
            used="error" in said,
            may_have_landed=said.get("burned") == "too low",
            detail=str(said),
        )

    def leverage_flow(self, trading_pair: str, leverage: int, *, cross: bool, nonce: int) -> Flow[None]:
        yield from self.ask("leverage", changes=True, leverage=leverage, cross=cross, nonce=nonce)

    def read_leverage_flow(self, trading_pair: str) -> Flow[tuple[Decimal, str]]:
        leverage, kind = yield from self.ask("read_leverage")
        return Decimal(leverage), kind

    def ask(self, kind: str, *, changes: bool = False, **fields: Any) -> Generator[Request, Reply, Any]:
        body = msgspec.json.encode(fields)
        reply = yield Request(url=f"http://tiny/{kind}", body=body, changes=changes)
        body = self.web_utils.check(reply, changes=changes)
        if reply.status == 403:
            raise AuthRejected("who are you")
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise ProtocolError("no sense", payload=body) from error


def rule(pair: str) -> TradingRule:
    return TradingRule(
        trading_pair=pair,
        amount_step=Decimal("0.001"),
        min_amount=Decimal("0.001"),
        min_notional=Decimal("0.1"),
        price_tick=Decimal("0.1"),
    )


_REPORTS = {
    "open": Report.ACCEPTED,
    "filled": Report.FILLED,
    "cancelled": Report.CANCELLED,
    "unmatched": Report.EXPIRED,
    "rejected": Report.FAILED,
}


def order_update(row: dict[str, Any], attempt: int | None = None) -> OrderUpdate:
    try:
        report = _REPORTS[row["status"]]
    except (KeyError, TypeError) as error:
        raise ProtocolError(f"no order: {row}") from error
    return OrderUpdate(
        report=report,
        trading_pair=row["pair"],
        ts_ns=int(row["ts_ns"]),
        venue_client_id=row["cloid"],
        exchange_order_id=row["oid"],
        attempt=attempt,
        reason="ioc_unmatched" if report is Report.EXPIRED else None,
        venue_filled_amount=Decimal(row["executed"]) or None,
        evidence=Evidence(kind="venue_reply", ts_ns=0, detail=row["status"]) if report is not Report.ACCEPTED else None,
        side=TradeType(row["side"]),
        amount=Decimal(row["amount"]),
        price=Decimal(row["price"]),
        created_ts_ns=int(row["ts_ns"]),
    )


def trade_update(row: dict[str, str]) -> TradeUpdate:
    return TradeUpdate(
        fill_id=row["id"],
        exchange_order_id=row["oid"],
        trading_pair=row["pair"],
        side=TradeType(row["side"]),
        price=Decimal(row["price"]),
        amount=Decimal(row["amount"]),
        fee=Decimal(row["fee"]),
        fee_currency="USDC",
        ts_ns=int(row["ts_ns"]),
        venue_client_id=row["cloid"],
    )


def limit(side: str = "buy", amount: str = "1", price: str = "95", **more: Any) -> OrderIntent:
    return OrderIntent(
        trading_pair=PAIR,
        side=TradeType(side),
        order_type=OrderType.LIMIT,
        amount=Decimal(amount),
        price=Decimal(price),
        **more,
    )


def market(side: str = "buy", amount: str = "1", **more: Any) -> OrderIntent:
    more = {"slippage_bps": 200, "tif": TimeInForce.IOC, **more}
    return OrderIntent(
        trading_pair=PAIR, side=TradeType(side), order_type=OrderType.MARKET, amount=Decimal(amount), **more
    )
