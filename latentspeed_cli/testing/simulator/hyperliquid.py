"""Hyperliquid as the simulator sees it. Shapes: the venue's API pages Exchange endpoint and Info endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from ...core.flow import Reply, Request
from ...keys import Secret
from ...sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from ...sandbox.model import HttpRequest, VenueModel
from .site import Command, Kind, Sent, Site, Standing, Trouble, TrueFill, TrueOrder, Truth, json_of

POST_ONLY_WINDOW = "Only post-only orders allowed immediately after network upgrade"
BASE_URL = "http://127.0.0.1:3001"
_READS: dict[str, Kind] = {
    "orderStatus": "status",
    "frontendOpenOrders": "open_orders",
    "openOrders": "open_orders",
    "userFillsByTime": "fills",
    "userFills": "fills",
    "l2Book": "book",
}
_STANDINGS: dict[str, Standing] = {
    "open": "open",
    "triggered": "open",
    "filled": "filled",
    "expired": "expired",
}


class HyperliquidSite(Site):
    name = "hyperliquid"
    account = ADDRESSES[0]
    key = PRIVATE_KEYS[0].removeprefix("0x")
    sizes: Mapping[str, tuple[str, ...]] = {"SOL-USD": ("0.2", "1.5", "12"), "ETH-USD": ("0.01", "0.2", "1.25")}

    touch: Mapping[str, tuple[str, str]] = {"SOL-USD": ("138", "139"), "ETH-USD": ("2905", "2920")}

    troubles: Mapping[str, Trouble] = {
        "post_only_window": Trouble(begin=("reject", {"text": POST_ONLY_WINDOW, "count": 2})),
        "budget_end": Trouble(
            begin=("requests", {"address": ADDRESSES[0], "used": 1_000_000_000}),
            end=("requests", {"address": ADDRESSES[0], "used": 0}),
        ),
    }

    def __init__(self) -> None:
        self.config_fields = {"base_url": BASE_URL, "key": Secret(PRIVATE_KEYS[0])}

    def read(self, request: Request) -> Sent:
        body: dict[str, Any] = msgspec.json.decode(request.body)
        if not request.changes:
            name = body["type"]
            return Sent(kind=_READS.get(name, "other"), twin=_text(body.get("oid")))
        action, nonce = body["action"], body["nonce"]
        kind = action["type"]
        if kind == "order":
            [order] = action["orders"]
            size, price = Decimal(order["s"]), Decimal(order["p"])
            return Sent(kind="place", twin=order.get("c"), nonce=nonce, size=size, price=price)
        if kind == "cancelByCloid":
            return Sent(kind="cancel", twin=action["cancels"][0]["cloid"], nonce=nonce)
        return Sent(kind="cancel" if kind == "cancel" else "fence", nonce=nonce)

    def accepts(self, sent: Sent, reply: Reply) -> bool:
        if sent.kind != "place" or reply.status != 200:
            return False
        said = msgspec.json.decode(reply.body)
        return said["status"] == "ok" and "error" not in said["response"]["data"]["statuses"][0]

    def truth(self, model: VenueModel, now_ns: int, accepted: Mapping[str, Sent]) -> Truth:
        rows = _ask(model, now_ns, type="historicalOrders", user=self.account)
        orders = [_order(row) for row in rows if not row["status"].lower().endswith("rejected")]
        fills = _ask(model, now_ns, type="userFills", user=self.account)
        return Truth(orders=tuple(orders), fills=tuple(map(_fill, fills)))

    def refusal(self, sent: Sent) -> Reply:
        return _said({"status": "err", "response": f"Invalid nonce: duplicate nonce {sent.nonce}"})

    def cancel_taken(self, sent: Sent) -> Reply:
        return _said({"status": "ok", "response": {"type": "cancel", "data": {"statuses": ["success"]}}})

    def rate_refusal(self, request: Request) -> Reply:
        return Reply(status=429, body=b"null", headers={}, received_ns=0)

    def failure(self, request: Request) -> Reply:
        return Reply(status=502, body=b"<html>Bad Gateway</html>", headers={}, received_ns=0)

    def lie(self, kind: str, sent: Sent, reply: Reply, chance: Random) -> Reply:
        if kind == "not_found":
            return msgspec.structs.replace(reply, body=b'{"status":"unknownOid"}')
        said = msgspec.json.decode(reply.body)
        if kind == "incomplete_list":
            said = [row for row in said if chance.random() < 0.5]
        elif kind == "fills_lag":
            said = said[: chance.randrange(len(said))] if said else said
        elif kind == "bad_book":
            said = _bad_book(said, chance)
        return msgspec.structs.replace(reply, body=msgspec.json.encode(said))

    def market_moves(self, chance: Random) -> list[Command]:
        pair = chance.choice(sorted(self.touch))
        low, high = self.touch[pair]
        is_buy = chance.random() < 0.5
        size = chance.choice(("0.1", "0.9", "15"))
        coin, side = pair.removesuffix("-USD"), "buy" if is_buy else "sell"
        return [("trade", {"coin": coin, "side": side, "sz": size, "px": high if is_buy else low})]

    def is_ack(self, text: str) -> bool:
        return text.startswith('{"channel":"subscriptionResponse"')

    def secrets(self, request: Request) -> tuple[str, ...]:
        if not request.changes:
            return ()
        signature = msgspec.json.decode(request.body)["signature"]
        return (signature["r"].removeprefix("0x"), signature["s"].removeprefix("0x"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _said(body: object) -> Reply:
    return Reply(status=200, body=msgspec.json.encode(body), headers={}, received_ns=0)


def _ask(model: VenueModel, now_ns: int, **body: object) -> Any:
    """What the venue itself answers, to nobody's ears but ours."""
    request = HttpRequest(
        method="POST",
        path="/info",
        query={},
        headers={"content-type": "application/json"},
        body=msgspec.json.encode(body),
        peer="simulator",
    )
    return json_of(model.http(request, now_ns))


def _order(row: dict[str, Any]) -> TrueOrder:
    order = row["order"]
    return TrueOrder(
        twin=order.get("cloid"),
        exchange_order_id=str(order["oid"]),
        standing=_STANDINGS.get(row["status"], "cancelled"),
        amount=Decimal(order["origSz"]),
    )


def _fill(row: dict[str, Any]) -> TrueFill:
    return TrueFill(
        fill_id=f"{row['time']}-{row['coin']}-{row['tid']}-{row['oid']}",
        exchange_order_id=str(row["oid"]),
        amount=Decimal(row["sz"]),
    )


def _bad_book(book: dict[str, Any], chance: Random) -> dict[str, Any]:
    """Crossed, empty on one side, or old."""
    bids, asks = book["levels"]
    fate = chance.randrange(3)
    if fate == 0 and bids and asks:
        book["levels"] = [[{**bids[0], "px": asks[0]["px"]}, *bids], asks]
    elif fate == 1:
        book["levels"] = [bids, []]
    else:
        book["time"] -= 60_000
    return book
