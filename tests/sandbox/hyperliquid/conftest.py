"""A venue in the hand: a model, a clock that the test moves, and ten accounts that can sign."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from latentspeed_hyperliquid.sandbox import actions, signatures
from latentspeed_hyperliquid.sandbox.model import HyperliquidModel
from latentspeed_hyperliquid.sandbox.user_actions import UserAction

from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_cli.sandbox.model import SCENARIOS, Close, HttpRequest, Scenario, Send, StoredRow

START_NS = 1_790_000_000_000_000_000
QUIET = Scenario(name="quiet", flow=False)
MS = 1_000_000


class Venue:
    """The model behind a test. Amounts and prices are wire strings; `at` is milliseconds after the start."""

    def __init__(self, scenario: Scenario = QUIET, rows: list[StoredRow] | None = None, now_ns: int = START_NS) -> None:
        self.model = HyperliquidModel(scenario)
        self.now_ns = now_ns
        self.model.load(rows or [], now_ns)
        self.nonce = now_ns // MS
        self.next_socket = 1
        self.frames: dict[int, list[Any]] = {}
        self.closes: list[Close] = []

    # time

    def wait(self, milliseconds: int) -> None:
        """Let time pass in steps of at most a block."""
        end = self.now_ns + milliseconds * MS
        while self.now_ns < end:
            self.now_ns = min(end, self.now_ns + 70 * MS)
            self.model.tick(self.now_ns)
            self.collect()

    # HTTP

    def http(
        self, path: str, body: bytes, *, method: str = "POST", content: str = "application/json"
    ) -> tuple[int, bytes]:
        request = HttpRequest(
            method=method, path=path, query={}, headers={"content-type": content}, body=body, peer="127.0.0.1"
        )
        answer = self.model.http(request, self.now_ns)
        self.collect()
        return answer.status, answer.body

    def info(self, **request: Any) -> Any:
        status, body = self.http("/info", json.dumps(request).encode())
        assert status == 200, (status, body)
        return json.loads(body)

    def post(self, envelope: dict[str, Any]) -> Any:
        status, body = self.http("/exchange", json.dumps(envelope).encode())
        assert status == 200, (status, body)
        return json.loads(body)

    def sign(
        self,
        action: dict[str, Any],
        *,
        key: int | str = 0,
        nonce: int | None = None,
        vault: str | None = None,
        expires: int | None = None,
    ) -> dict[str, Any]:
        """A complete signed body. key: index of a fixed account, or a private key."""
        if nonce is None:
            self.nonce = nonce = max(self.nonce + 1, self.now_ns // MS)
        envelope: dict[str, Any] = {"action": action, "nonce": nonce, "signature": {"r": "0x0", "s": "0x0", "v": 27}}
        if vault is not None:
            envelope["vaultAddress"] = vault
        if expires is not None:
            envelope["expiresAfter"] = expires
        if "signatureChainId" in action:
            stamp = "time" if action["type"] in {"usdSend", "withdraw3", "spotSend"} else "nonce"
            action = envelope["action"] = {**action, stamp: nonce}
        _, typed = actions.read(json.loads(json.dumps(envelope)))
        message = (
            signatures.user_message(typed)
            if isinstance(typed, UserAction)
            else signatures.l1_message(typed, nonce, vault, expires)
        )
        signed = Account.sign_message(message, PRIVATE_KEYS[key] if isinstance(key, int) else key)
        envelope["signature"] = {"r": hex(signed.r), "s": hex(signed.s), "v": signed.v}
        return envelope

    def act(self, action: dict[str, Any], **how: Any) -> Any:
        return self.post(self.sign(action, **how))

    def user_signed(self, kind: str, *, key: int | str = 0, **fields: Any) -> Any:
        return self.act({"type": kind, "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet", **fields}, key=key)

    # orders

    @staticmethod
    def order(side: str, size: str, price: str, tif: str = "Gtc", **more: Any) -> dict[str, Any]:
        """One wire order; asset 0 (BTC) unless told otherwise."""
        found: dict[str, Any] = {
            "a": more.get("asset", 0),
            "b": side == "buy",
            "p": price,
            "s": size,
            "r": more.get("reduce", False),
            "t": {"limit": {"tif": tif}},
        }
        if "trigger" in more:
            found["t"] = {"trigger": more["trigger"]}
        if "cloid" in more:
            found["c"] = more["cloid"]
        return found

    def place(self, *orders: dict[str, Any], grouping: Any = "na", key: int | str = 0, **how: Any) -> list[Any]:
        """The statuses of an order action."""
        action = {"type": "order", "orders": list(orders), "grouping": grouping}
        if "builder" in how:
            action["builder"] = how.pop("builder")
        answer = self.act(action, key=key, **how)
        assert answer["status"] == "ok", answer
        assert answer["response"]["type"] == "order"
        statuses: list[Any] = answer["response"]["data"]["statuses"]
        return statuses

    def rest(self, *args: Any, key: int | str = 0, **more: Any) -> int:
        """Place an order that must rest. Its oid."""
        [status] = self.place(self.order(*args, **more), key=key)
        return int(status["resting"]["oid"])

    def cancel(self, oid: int, *, asset: int = 0, key: int | str = 0) -> Any:
        answer = self.act({"type": "cancel", "cancels": [{"a": asset, "o": oid}]}, key=key)
        return answer["response"]["data"]["statuses"][0]

    def status(self, oid: int | str, key: int = 0) -> Any:
        return self.info(type="orderStatus", user=ADDRESSES[key], oid=oid)

    def position(self, key: int = 0, coin: str = "BTC") -> Any:
        state = self.info(type="clearinghouseState", user=ADDRESSES[key])
        found = [item["position"] for item in state["assetPositions"] if item["position"]["coin"] == coin]
        return found[0] if found else None

    def touch(self, coin: str = "BTC") -> tuple[str, str]:
        """Best bid and best ask, as legal wire prices."""
        bids, asks = self.info(type="l2Book", coin=coin)["levels"]
        return bids[0]["px"].removesuffix(".0"), asks[0]["px"].removesuffix(".0")

    # WebSocket

    def connect(self) -> int:
        number = self.next_socket
        self.next_socket += 1
        assert self.model.ws_open(number, "/ws", "127.0.0.1", self.now_ns) is None
        self.frames[number] = []
        return number

    def send(self, number: int, message: Any) -> list[Any]:
        """Send a frame; what came back at once."""
        before = len(self.frames[number])
        text = message if isinstance(message, str) else json.dumps(message)
        self.model.ws_frame(number, text, self.now_ns)
        self.collect()
        return self.frames[number][before:]

    def subscribe(self, number: int, **subscription: Any) -> list[Any]:
        return self.send(number, {"method": "subscribe", "subscription": subscription})

    def take(self, number: int, channel: str | None = None) -> list[Any]:
        """Frames so far (of a channel), removed from the list."""
        found = [frame for frame in self.frames[number] if channel in (None, frame.get("channel"))]
        self.frames[number] = [frame for frame in self.frames[number] if frame not in found]
        return found

    def collect(self) -> None:
        for item in self.model.outbox():
            if isinstance(item, Send):
                self.frames.setdefault(item.connection, []).append(json.loads(item.text))
            else:
                self.closes.append(item)

    # restart

    def rows(self) -> list[StoredRow]:
        return self.model.changed_rows()

    def control(self, command: str, **arguments: Any) -> Any:
        result = self.model.control(command, arguments, self.now_ns)
        self.collect()
        return result


@pytest.fixture
def venue() -> Venue:
    """A quiet venue: prices stand still, the book is refilled, nobody trades."""
    return Venue()


@pytest.fixture
def moving() -> Venue:
    """A venue with background flow."""
    return Venue(SCENARIOS["default"])


@pytest.fixture(scope="session")
def make_venue() -> Callable[..., Venue]:
    return Venue


@pytest.fixture
def addresses() -> tuple[str, ...]:
    return ADDRESSES
