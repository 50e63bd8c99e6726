"""A local chain in the hand: a model, a clock that the test moves, and accounts that sign as cosmpy does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cosmpy.aerial.wallet import LocalWallet
from cosmpy.protos.cosmos.base.v1beta1.coin_pb2 import Coin
from cosmpy.protos.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from cosmpy.protos.cosmos.tx.signing.v1beta1 import signing_pb2
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2, tx_pb2
from google.protobuf import any_pb2
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox import wire
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_dydx_v4.sandbox.model import DydxModel
from latentspeed_dydx_v4.sandbox.universe import USDC_DENOM

from latentspeed_cli.sandbox.model import SCENARIOS, Close, HttpRequest, Scenario, Send, StoredRow

START_NS = 1_790_000_000_000_000_000
QUIET = Scenario(name="quiet", flow=False, indexer_lag_s=0.0)
MS = 1_000_000
TIF = {"gtt": 0, "ioc": 1, "post": 2, "fok": 3}
URLS = {cls: url for url, cls in t.MESSAGES.items()}


class Venue:
    """The model behind a test. Sizes and prices are quantums and subticks of BTC-USD unless `pair` says otherwise."""

    def __init__(self, scenario: Scenario = QUIET, rows: list[StoredRow] | None = None, now_ns: int = START_NS) -> None:
        self.model = DydxModel(scenario)
        self.now_ns = now_ns
        self.model.load(rows or [], now_ns)
        self.frames: dict[int, list[Any]] = {}
        self.closes: list[Close] = []
        self.next_socket = 1
        self.client_ids = iter(range(1, 10_000))
        self.wallets = {key: _wallet(key) for key in range(3)}

    # time

    def pass_time(self, seconds: float) -> None:
        end = self.now_ns + int(seconds * 1_000_000_000)
        while True:
            due = self.model.tick(self.now_ns)
            self.collect()
            if due > end:
                break
            self.now_ns = max(due, self.now_ns)
        self.now_ns = end

    def block(self, count: int = 1) -> None:
        """Make blocks now, and let the indexer hear of them."""
        self.control("block", blocks=count)

    @property
    def height(self) -> int:
        return self.model.world.counters.height

    @property
    def block_time_s(self) -> int:
        return self.model.world.block_time_s

    # gRPC

    def grpc(self, method: str, request: Any, response: Any) -> Any:
        """Call with cosmpy's own message classes; the decoded answer."""
        code, body = self.model.grpc(method, request.SerializeToString(), self.now_ns)
        self.collect()
        assert code == 0, (code, body)
        response.ParseFromString(body)
        return response

    def query(self, method: str, request: wire.Message, response: type[wire.Message]) -> Any:
        code, body = self.model.grpc(method, wire.encode(request), self.now_ns)
        self.collect()
        assert code == 0, (code, body)
        return wire.decode(response, body)

    # transactions

    def sign(
        self,
        *messages: wire.Message,
        key: int = 0,
        sequence: int | None = None,
        account_number: int | None = None,
        chain_id: str = "localdydxprotocol",
        gas: int = 0,
        fee: int = 0,
        timeout: int = 0,
        memo: str = "",
        owner: int | None = None,
        authenticators: tuple[int, ...] = (),
    ) -> bytes:
        """A TxRaw, sealed and signed by cosmpy's classes. owner: whose account signs when `key` is an API key."""
        account = self.model.world.accounts[ADDRESSES[key if owner is None else owner]]
        wallet = self.wallets[key]
        body = tx_pb2.TxBody(
            messages=[any_pb2.Any(type_url=URLS[type(m)], value=wire.encode(m)) for m in messages],
            memo=memo,
            timeout_height=timeout,
        )
        raw_body = body.SerializeToString()
        if authenticators:
            extension = wire.encode(t.TxExtension(selected_authenticators=authenticators))
            option = any_pb2.Any(type_url=t.EXTENSION_URL, value=extension).SerializeToString()
            raw_body += b"\xfa\x7f" + wire.varint(len(option)) + option
        public = any_pb2.Any(
            type_url=t.PUBLIC_KEY_URL,
            value=PubKey(key=wallet.public_key().public_key_bytes).SerializeToString(),
        )
        single = tx_pb2.ModeInfo.Single(mode=signing_pb2.SIGN_MODE_DIRECT)
        info = tx_pb2.SignerInfo(
            public_key=public,
            mode_info=tx_pb2.ModeInfo(single=single),
            sequence=account.check_sequence if sequence is None else sequence,
        )
        coins = [Coin(denom=USDC_DENOM, amount=str(fee))] if fee else []
        auth = tx_pb2.AuthInfo(signer_infos=[info], fee=tx_pb2.Fee(amount=coins, gas_limit=gas)).SerializeToString()
        document = tx_pb2.SignDoc(
            body_bytes=raw_body,
            auth_info_bytes=auth,
            chain_id=chain_id,
            account_number=account.number if account_number is None else account_number,
        ).SerializeToString()
        signature = wallet.signer().sign(document, deterministic=True)
        return bytes(
            tx_pb2.TxRaw(body_bytes=raw_body, auth_info_bytes=auth, signatures=[signature]).SerializeToString()
        )

    def send(self, raw: bytes) -> Any:
        """Broadcast, SYNC; the TxResponse as cosmpy reads it."""
        request = service_pb2.BroadcastTxRequest(tx_bytes=raw, mode=service_pb2.BROADCAST_MODE_SYNC)
        path = "/cosmos.tx.v1beta1.Service/BroadcastTx"
        return self.grpc(path, request, service_pb2.BroadcastTxResponse()).tx_response

    def submit(self, *messages: wire.Message, **how: Any) -> Any:
        return self.send(self.sign(*messages, **how))

    # messages

    def order(self, side: str, size: int, price: int, kind: str = "short", tif: str = "gtt", **more: Any) -> Any:
        """A placement. kind: short, long, conditional."""
        flags = {"short": 0, "conditional": 32, "long": 64}.get(kind, more.get("flags", 0))
        short = flags == 0
        order = t.OrderMessage(
            order_id=t.OrderId(
                subaccount_id=t.SubaccountId(owner=ADDRESSES[more.get("key", 0)], number=more.get("subaccount", 0)),
                client_id=more.get("client_id") or next(self.client_ids),
                order_flags=flags,
                clob_pair_id=more.get("pair", 0),
            ),
            side=1 if side == "buy" else 2,
            quantums=size,
            subticks=price,
            good_til_block=more.get("gtb", self.height + 10) if short else None,
            good_til_block_time=None if short else more.get("gtbt", self.block_time_s + 3600),
            time_in_force=TIF[tif],
            reduce_only=more.get("reduce", False),
            condition_type={"stop": 1, "take": 2}.get(more.get("condition", ""), 0),
            conditional_order_trigger_subticks=more.get("trigger", 0),
            client_metadata=more.get("metadata", 0),
        )
        return t.MsgPlaceOrder(order=order)

    def place(self, side: str, size: int, price: int, kind: str = "short", tif: str = "gtt", **more: Any) -> Any:
        """Place an order that must be accepted; the message."""
        message = self.order(side, size, price, kind, tif, **more)
        answer = self.submit(message, key=more.get("key", 0))
        assert answer.code == 0, answer.raw_log
        return message

    def cancel(self, placed: Any, *, gtb: int | None = None, gtbt: int | None = None, key: int = 0) -> Any:
        """Cancel an order; the TxResponse."""
        order = placed.order
        message = t.MsgCancelOrder(
            order_id=order.order_id,
            good_til_block=None if order.good_til_block is None else gtb or order.good_til_block,
            good_til_block_time=None if order.good_til_block_time is None else gtbt or order.good_til_block_time,
        )
        return self.submit(message, key=key)

    # REST

    def get(self, path: str, expect: int = 200, peer: str = "127.0.0.1", **query: Any) -> Any:
        request = HttpRequest(
            method="GET",
            path="/v4/" + path,
            query={name: str(value) for name, value in query.items()},
            headers={},
            body=b"",
            peer=peer,
        )
        response = self.model.http(request, self.now_ns)
        self.collect()
        assert response.status == expect, response.body
        self.headers = response.headers
        return json.loads(response.body)

    def rows(self, path: str, key: int = 0, **query: Any) -> Any:
        """A list of subaccount 0 of an account."""
        return self.get(path, address=ADDRESSES[key], subaccountNumber=0, **query)

    # WebSocket

    def connect(self) -> int:
        number = self.next_socket
        self.next_socket += 1
        self.frames[number] = []
        assert self.model.ws_open(number, "/v4/ws", "127.0.0.1", self.now_ns) is None
        self.collect()
        return number

    def say(self, number: int, message: Any) -> list[Any]:
        """Send a frame; what came back at once."""
        before = len(self.frames[number])
        text = message if isinstance(message, str) else json.dumps(message)
        self.model.ws_frame(number, text, self.now_ns)
        self.collect()
        return self.frames[number][before:]

    def subscribe(self, number: int, channel: str, id: str | None = None, batched: bool = False) -> Any:
        """Subscribe; the snapshot frame."""
        message = {"type": "subscribe", "channel": channel, "batched": batched} | ({"id": id} if id else {})
        return self.say(number, message)[-1]

    def take(self, number: int) -> list[Any]:
        found, self.frames[number] = self.frames[number], []
        return found

    def collect(self) -> None:
        for item in self.model.outbox():
            if isinstance(item, Send):
                self.frames.setdefault(item.connection, []).append(json.loads(item.text))
            elif isinstance(item, Close):
                self.closes.append(item)

    def control(self, command: str, **arguments: Any) -> Any:
        result = self.model.control(command, arguments, self.now_ns)
        self.collect()
        return result


def _wallet(index: int) -> LocalWallet:
    from cosmpy.crypto.keypairs import PrivateKey

    return LocalWallet(PrivateKey(bytes.fromhex(PRIVATE_KEYS[index])), prefix="dydx")


@pytest.fixture
def venue() -> Venue:
    """A quiet venue: prices stand still, the book is refilled, nobody trades; the indexer hears at once."""
    return Venue()


@pytest.fixture
def moving() -> Venue:
    """A venue with background flow and the usual lag."""
    return Venue(SCENARIOS["default"])


@pytest.fixture(scope="session")
def make_venue() -> Callable[..., Venue]:
    return Venue
