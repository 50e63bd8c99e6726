"""dYdX v4 as the simulator sees it: transactions in protobuf over gRPC, reads as JSON from the indexer.

A short-term order that never filled leaves no trace at the venue. So what the node accepted is noted as it passes by,
and what became of it is read from the model's own memory. Shapes: proto/dydxprotocol/clob and proto/cosmos/tx of
v4-chain; the indexer's documentation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import msgspec

from ...core.flow import Reply, Request
from ...keys import Secret
from ...sandbox.model import VenueModel
from .site import Command, Sent, Site, Standing, Trouble, TrueFill, TrueOrder, Truth

OWNER = "dydx1y8an57mylhme5qx8easytfcggnr9mw046tqxcl"
# A published key of the sandbox, like the ten of sandbox/accounts.py.
KEY = "1f6940269a1bba400038d0ccb96ffe268a80af297c6737d706b4fef0b646d529"
BROADCAST = "/cosmos.tx.v1beta1.Service/BroadcastTx"
_NAMESPACE = UUID("0f9da948-a6fb-4c45-9edc-4685c3f3317d")
# clob pair id -> exponent of a quantum, and of a subtick
_QUANTUM = {0: -10, 1: -9}
_SUBTICK = {0: -5, 1: -6}
_TIMESTAMP_FLOOR = 1 << 40


class DydxSite(Site):
    name = "dydx_v4"
    account = OWNER
    key = KEY
    expiries = (3, 8, 15, 20, 30, 600)
    triggers = True
    loses_cancels = True  # code 0 is one node's opinion
    numbers_frames = True
    sizes: Mapping[str, tuple[str, ...]] = {"BTC-USD": ("0.001", "0.02", "0.3"), "ETH-USD": ("0.01", "0.2", "2")}

    touch: Mapping[str, tuple[str, str]] = {"BTC-USD": ("83800", "84200"), "ETH-USD": ("2905", "2920")}
    troubles: Mapping[str, Trouble] = {
        "block_stall": Trouble(begin=("halt", {}), end=("resume", {})),
        "mempool_dropped": Trouble(begin=("drop_mempool", {})),
        "blocks_without_us": Trouble(begin=("hold", {"blocks": 4}), end=("hold", {"blocks": 0})),
        "indexer_lag": Trouble(begin=("lag", {"seconds": 12.0}), end=("lag", {"seconds": 0.2})),
        "offchain_lost": Trouble(begin=("late", {"drop": True}), end=("late", {})),
        "offchain_twice": Trouble(begin=("late", {"duplicate": True}), end=("late", {})),
        "post_only_window": Trouble(
            begin=("market_status", {"ticker": "BTC-USD", "status": "POST_ONLY"}),
            end=("market_status", {"ticker": "BTC-USD", "status": "ACTIVE"}),
        ),
        "node_restarted": Trouble(begin=("restarted", {"count": 2})),
    }

    def __init__(self) -> None:
        self.config_fields = {
            "base_url": "http://127.0.0.1:3002",
            "ws_url": "ws://127.0.0.1:3002/v4/ws",
            "node_url": "127.0.0.1:9090",
            "key": Secret(KEY),
        }

    def read(self, request: Request) -> Sent:
        path = urlsplit(request.url).path
        if path == BROADCAST:
            return _transaction(request.body)
        pieces = path.strip("/").split("/")[1:]
        match pieces:
            case ["orders", name]:
                return Sent(kind="status", twin=name)
            case ["orders"]:
                return Sent(kind="open_orders")
            case ["fills"]:
                return Sent(kind="fills")
            case ["orderbooks", *_]:
                return Sent(kind="book")
        return Sent(kind="other")

    def accepts(self, sent: Sent, reply: Reply) -> bool:
        return sent.kind == "place" and reply.status == 0 and not _code(reply.body)

    def landed(self, model: VenueModel, sent: Sent, body: bytes) -> bool:
        """One that rests in memory has at once, any other when a block holds it."""
        if sent.nonce is None:
            return True
        memory: Any = model
        result = memory.world.txs.get(hashlib.sha256(dict(_fields(body))[1]).hexdigest().upper())
        return result is not None and not result.code

    def truth(self, model: VenueModel, now_ns: int, accepted: Mapping[str, Sent]) -> Truth:
        memory: Any = model
        world, indexer = memory.world, memory.indexer
        fills = [_fill(row) for row in indexer.fills.get(f"{OWNER}/0", ())]
        live = {
            _order_id(order.client_id, order.pair, order.flags): order
            for kept in (world.short, world.stateful, world.uncommitted)
            for order in kept.values()
            if order.owner == OWNER
        }
        orders = []
        for twin, sent in accepted.items():
            name = sent.exchange_order_id or ""
            row = indexer.orders.get(name)
            executed = sum((fill.amount for fill in fills if fill.exchange_order_id == name), Decimal(0))
            orders.append(
                TrueOrder(
                    twin=twin,
                    exchange_order_id=name,
                    standing=_standing(sent, name in live, executed, None if row is None else row.status),
                    amount=sent.size or Decimal(0),
                )
            )
        return Truth(orders=tuple(orders), fills=tuple(fills))

    def refusal(self, sent: Sent) -> Reply:
        said = _bytes(3, b"sdk") + _number(4, 32) + _bytes(6, b"account sequence mismatch, expected 7, got 6")
        return Reply(status=0, body=_bytes(1, _bytes(2, b"0" * 64) + said), headers={}, received_ns=0)

    def cancel_taken(self, sent: Sent) -> Reply:
        return Reply(status=0, body=_bytes(1, _bytes(2, b"0" * 64)), headers={}, received_ns=0)

    def rate_refusal(self, request: Request) -> Reply:
        if request.url.startswith("grpc"):
            return Reply(status=8, body=b"too many requests", headers={}, received_ns=0)
        return Reply(status=429, body=b'{"errors":[{"msg":"Too many requests"}]}', headers={}, received_ns=0)

    def failure(self, request: Request) -> Reply:
        status = 14 if request.url.startswith("grpc") else 502
        return Reply(status=status, body=b"upstream failed", headers={}, received_ns=0)

    def lie(self, kind: str, sent: Sent, reply: Reply, chance: Random) -> Reply:
        if kind == "not_found":
            body = b'{"errors":[{"msg":"Unable to find order id"}]}'
            return msgspec.structs.replace(reply, status=404, body=body)
        said = msgspec.json.decode(reply.body)
        if kind == "incomplete_list":
            said = [row for row in said if chance.random() < 0.5]
        elif kind == "fills_lag":
            rows = said.get("fills", [])
            said["fills"] = rows[chance.randrange(len(rows) + 1) :]
        elif kind == "bad_book":
            said["asks" if chance.random() < 0.5 else "bids"] = []  # a crossed one is the client's to uncross
        return msgspec.structs.replace(reply, body=msgspec.json.encode(said))

    def market_moves(self, chance: Random) -> list[Command]:
        ticker = chance.choice(sorted(self.touch))
        low, high = self.touch[ticker]
        is_buy = chance.random() < 0.5
        size = chance.choice(("0.002", "0.01", "0.4") if ticker == "BTC-USD" else ("0.02", "0.3", "3"))
        side = "buy" if is_buy else "sell"
        if chance.random() < 0.1:  # the oracle's price, which is what sets off stops
            return [("price", {"ticker": ticker, "oracle": high if is_buy else low})]
        return [("trade", {"ticker": ticker, "side": side, "size": size, "price": high if is_buy else low})]

    def is_ack(self, text: str) -> bool:
        return text.startswith('{"type":"subscribed"')

    def secrets(self, request: Request) -> tuple[str, ...]:
        """The signature is the third field of the transaction."""
        if urlsplit(request.url).path != BROADCAST:
            return ()
        raw = dict(_fields(request.body))[1]
        signature = dict(_fields(raw))[3]
        return (signature.hex(),)


def _standing(sent: Sent, is_live: bool, executed: Decimal, status: str | None) -> Standing:
    if executed >= (sent.size or Decimal(0)):
        return "filled"
    if is_live and not sent.is_ioc:
        return "open"
    return "cancelled" if status is not None or executed else "gone"


def _fill(row: Any) -> TrueFill:
    return TrueFill(
        fill_id=row.id,
        exchange_order_id=row.order or "",
        amount=Decimal(row.size).scaleb(_QUANTUM[row.pair]),
    )


def _order_id(client_id: int, pair: int, flags: int) -> str:
    subaccount = uuid5(_NAMESPACE, f"{OWNER}-0")
    return str(uuid5(_NAMESPACE, f"{subaccount}-{client_id}-{pair}-{flags}"))


# Protobuf, as far as it takes to read an order


def _transaction(body: bytes) -> Sent:
    """What a BroadcastTxRequest carries."""
    raw = dict(_fields(dict(_fields(body))[1]))
    [(kind, message)] = [
        (dict(_fields(value))[1], dict(_fields(value))[2]) for number, value in _fields(raw[1]) if number == 1
    ]
    signer = dict(_fields(dict(_fields(raw[2]))[1]))
    sequence: int = signer.get(3, 0)
    nonce = sequence if sequence >= _TIMESTAMP_FLOOR else None
    if kind.endswith(b"MsgPlaceOrder"):
        order = dict(_fields(dict(_fields(message))[1]))
        client_id, flags, pair = _id_of(order[1])
        return Sent(
            kind="place",
            twin=f"{client_id}-{order.get(9, 0)}",
            nonce=nonce,
            size=Decimal(order[3]).scaleb(_QUANTUM[pair]),
            price=Decimal(order[4]).scaleb(_SUBTICK[pair]),
            is_ioc=order.get(7, 0) == 1 and not flags,
            exchange_order_id=_order_id(client_id, pair, flags),
            last_block=order.get(5),
        )
    if kind.endswith(b"MsgBatchCancel"):
        return Sent(kind="cancel", nonce=nonce)
    if kind.endswith(b"MsgCancelOrder"):
        cancel = dict(_fields(message))
        client_id, flags, pair = _id_of(cancel[1])
        name = _order_id(client_id, pair, flags)
        return Sent(kind="cancel", nonce=nonce, exchange_order_id=name, last_block=cancel.get(2))
    return Sent(kind="other", nonce=nonce)


def _id_of(data: bytes) -> tuple[int, int, int]:
    found = dict(_fields(data))
    return found.get(2, 0), found.get(3, 0), found.get(4, 0)


def _code(body: bytes) -> int:
    """Of a BroadcastTxResponse."""
    code: int = dict(_fields(dict(_fields(body))[1])).get(4, 0)
    return code


def _fields(body: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and values: numbers as int, everything else as bytes."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        match tag & 7:
            case 0:
                value, at = _varint(body, at)
                yield tag >> 3, value
            case 2:
                length, at = _varint(body, at)
                yield tag >> 3, body[at : at + length]
                at += length
            case kind:
                length = 8 if kind == 1 else 4
                yield tag >> 3, int.from_bytes(body[at : at + length], "little")
                at += length


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _bytes(number: int, data: bytes) -> bytes:
    return _packed(number << 3 | 2) + _packed(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _packed(number << 3) + _packed(value)


def _packed(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
