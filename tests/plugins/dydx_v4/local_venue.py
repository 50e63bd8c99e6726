"""The local venue with a clock of its own, and the ways to it: flows, frames, and control."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
from latentspeed_dydx_v4 import chain_state, encode, identifiers, markets, tx
from latentspeed_dydx_v4.auth import DydxV4Auth
from latentspeed_dydx_v4.config import DydxV4Config
from latentspeed_dydx_v4.constants import ACCOUNT, BROADCAST_TX, CANCEL_ORDER, PLACE_ORDER
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_dydx_v4.sandbox.model import DydxModel
from latentspeed_dydx_v4.web_utils import DydxV4WebUtils

from latentspeed_cli.connector.streams import Channel, DataSource, Heartbeat, Resubscribe
from latentspeed_cli.core.flow import Reply, Request
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.symbols import SymbolMap
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.keys import Secret
from latentspeed_cli.sandbox.model import HttpRequest, Scenario, Send

START_NS = 1_790_000_000_000_000_000
BLOCK_NS = 640_000_000
STEP_NS = 20_000_000


class Venue:
    """One model. flow: whether its markets move by themselves."""

    def __init__(self, *, flow: bool = False, lag_s: float = 0.2) -> None:
        self.now_ns = START_NS
        self.model = DydxModel(Scenario(name="test", flow=flow, latency_s=0.0, indexer_lag_s=lag_s))
        self.model.load((), START_NS)
        self.frames: dict[int, list[str]] = {}
        self.pass_time(2 * BLOCK_NS)

    @property
    def address(self) -> str:
        return ADDRESSES[0]

    @property
    def height(self) -> int:
        return self.model.world.counters.height

    def control(self, command: str, **arguments: object) -> object:
        return self.model.control(command, arguments, self.now_ns)

    def send(self, request: Request) -> Reply:
        self.pass_time(STEP_NS)
        parts = urlsplit(request.url)
        if request.method == "GRPC":
            status, body = self.model.grpc(parts.path, request.body, self.now_ns)
            return Reply(status=status, body=body, headers={}, received_ns=self.now_ns)
        asked = HttpRequest(
            method=request.method,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers={},
            body=request.body,
            peer="127.0.0.1",
        )
        said = self.model.http(asked, self.now_ns)
        return Reply(status=said.status, body=said.body, headers=said.headers, received_ns=self.now_ns)

    def drive(self, flow: Generator[Request, Reply, Any]) -> Any:
        try:
            request = next(flow)
            while True:
                request = flow.send(self.send(request))
        except StopIteration as end:
            return end.value

    def pass_time(self, ns: int) -> None:
        until = self.now_ns + ns
        while self.now_ns < until:
            self.now_ns = min(self.now_ns + STEP_NS, until)
            self.model.tick(self.now_ns)
            self._collect()

    def pass_blocks(self, count: int) -> None:
        self.pass_time(count * BLOCK_NS)

    def _collect(self) -> None:
        for item in self.model.outbox():
            if isinstance(item, Send):
                self.frames.setdefault(item.connection, []).append(item.text)


class Listener:
    """One connection of a data source, which does what the transport would do."""

    def __init__(
        self, venue: Venue, source: DataSource, channels: Sequence[Channel], trading_pairs: Sequence[str] = ()
    ) -> None:
        self.venue, self.source = venue, source
        self.number = max(venue.frames, default=0) + 1
        self.messages = [one.message for one in source.subscriptions(channels, trading_pairs)]
        venue.frames[self.number] = []
        assert venue.model.ws_open(self.number, "/v4/ws", "127.0.0.1", venue.now_ns) is None
        for message in self.messages:
            self.say(message)

    def say(self, message: str) -> None:
        self.venue.model.ws_frame(self.number, message, self.venue.now_ns)

    def hear(self, *, lose: Callable[[dict[str, Any]], bool] = lambda said: False) -> list[object]:
        """What has come since the last time, but for frames that are lost."""
        self.venue.pass_time(STEP_NS)
        waiting = self.venue.frames[self.number]
        found: list[object] = []
        while waiting:
            frame = waiting.pop(0)
            if lose(json.loads(frame)):
                continue
            for item in self.source.decode(frame, self.venue.now_ns):
                if isinstance(item, Resubscribe):
                    for message in item.messages:
                        self.say(message)
                if not isinstance(item, Heartbeat):
                    found.append(item)
        return found


class Trader:
    """One of the fixed accounts: signs and sends, and knows what it sent."""

    def __init__(self, venue: Venue, symbols: SymbolMap, index: int = 0) -> None:
        self.venue, self.symbols = venue, symbols
        self.settings: dict[str, Any] = {
            "network": "sandbox",
            "base_url": "http://127.0.0.1:3001",
            "node_url": "127.0.0.1:3003",
            "account": ADDRESSES[index],
        }
        settings = DydxV4Config(key=Secret(PRIVATE_KEYS[index]), **self.settings)
        self.auth = DydxV4Auth(settings)
        self.web = DydxV4WebUtils(settings)
        self.owner = encode.subaccount(self.auth.owner, 0)
        self.orders = 0

    def order(self, **changes: Any) -> InFlightOrder:
        """A short-term order of the next ten blocks, unless good_til_ts_ns makes it another."""
        self.orders += 1
        name = f"order-{self.orders}"
        numbers = encode.client_numbers(name, network="sandbox", account=self.auth.owner)
        values: dict[str, Any] = {
            "client_order_id": name,
            "venue_client_id": identifiers.venue_client_id(*numbers),
            "venue": "dydx_v4",
            "network": "sandbox",
            "account": self.auth.account,
            "trading_pair": "BTC-USD",
            "side": TradeType.BUY,
            "order_type": OrderType.LIMIT,
            "amount": Decimal("0.01"),
            "price": None,
            "created_ts_ns": self.venue.now_ns,
            "attempt": 1,
            "facts": Facts(attempts=frozenset({1})),
        }
        if "good_til_ts_ns" not in changes:
            values["good_til_block"] = self.venue.height + 10
        made = InFlightOrder(**{**values, **changes})
        market = markets.of(self.symbols, made.trading_pair)
        ids = encode.id_of(made, market)
        subaccount = identifiers.subaccount_id(self.auth.owner, 0)
        uuid = identifiers.order_id(subaccount, ids.client_id, ids.clob_pair_id, ids.order_flags)
        return msgspec.structs.replace(made, exchange_order_id=uuid)

    def place(self, order: InFlightOrder) -> tx.TxResponse:
        message = encode.place_order(order, markets.of(self.symbols, order.trading_pair), self.owner)
        return self._broadcast(PLACE_ORDER, message)

    def cancel(self, order: InFlightOrder) -> tx.TxResponse:
        ids = encode.id_of(order, markets.of(self.symbols, order.trading_pair))
        message = encode.cancel_order(
            self.owner, ids, good_til_block=order.good_til_block, good_til_ts_ns=order.good_til_ts_ns
        )
        return self._broadcast(CANCEL_ORDER, message)

    def _broadcast(self, type_url: str, message: bytes) -> tx.TxResponse:
        said = self.venue.send(self.web.call(ACCOUNT, chain_state.account_query(self.auth.owner)))
        account = chain_state.account(said.body, self.auth.owner)
        raw = self.auth.sign(type_url, message, account_number=account.number, sequence=self.venue.now_ns // 1_000_000)
        answer = self.venue.send(self.web.call(BROADCAST_TX, tx.broadcast_request(raw), changes=True))
        assert answer.status == 0
        return tx.broadcast_response(answer.body)
