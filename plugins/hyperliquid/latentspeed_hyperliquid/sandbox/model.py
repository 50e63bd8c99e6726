"""The venue model: hands each request to its part, keeps the time, and collects what is to be stored and sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_cli.sandbox.model import Close, HttpRequest, HttpResponse, SandboxAccount, Scenario, Send, StoredRow

from . import control, engine, exchange, info, limits, requests, texts, timers
from .jsontext import BadJson, decode
from .market import resting_of
from .market_views import UnknownCoin
from .numbers import ShapeError
from .sockets import Sockets
from .world import World

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "*",
    "Vary": "origin, access-control-request-method, access-control-request-headers",
}
IDLE_DUE_NS = 500_000_000
TEXT = "text/plain"


class HyperliquidModel:
    """Implements latentspeed_cli.sandbox.model.VenueModel."""

    name = "hyperliquid"
    http_paths = ("/info", "/exchange")
    ws_paths = ("/ws",)

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.world = World(scenario)
        self.sockets = Sockets(self.world, self._post)
        self.controlled = control.Venue(self.world, self.sockets)
        self._block_ns = scenario.block_ns["hyperliquid"]
        self._next_block_ns = 0
        self._weights = limits.Window(limits.IP_WEIGHT, scenario.limits_factor)

    def accounts(self) -> tuple[SandboxAccount, ...]:
        return tuple(
            SandboxAccount(index=index, address=address, private_key=key)
            for index, (address, key) in enumerate(zip(ADDRESSES, PRIVATE_KEYS, strict=True))
        )

    # ---- state -----------------------------------------------------------------------------------

    def load(self, rows: Iterable[StoredRow], now_ns: int) -> None:
        world = self.world
        world.now_ns = now_ns
        if not world.load(rows):
            world.start(now_ns)
            return
        # No funding for the time the venue was down.
        world.counters.funding_hour = (now_ns - timers.FUNDING_DELAY_NS) // timers.HOUR_NS
        for order in world.live_orders():
            market = world.markets[order.asset]
            if order.is_trigger:
                market.triggers[order.oid] = order
            else:
                market.resting[order.oid] = order
                market.book.add(resting_of(order))
                if not order.reduce_only:
                    sizes = world.user_orders(order.user).open_sizes
                    key = (order.asset, order.is_buy)
                    sizes[key] = sizes.get(key, 0) + order.sz

    def changed_rows(self) -> list[StoredRow]:
        return self.world.changed_rows()

    def outbox(self) -> list[Send | Close]:
        out, self.sockets.outbox = self.sockets.outbox, []
        return out

    # ---- HTTP ------------------------------------------------------------------------------------

    def http(self, request: HttpRequest, now_ns: int) -> HttpResponse:
        self.world.now_ns = now_ns
        if request.method != "POST":
            return HttpResponse(status=405, body=b"", content_type="", headers=HEADERS)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
            return _text(415, texts.BAD_CONTENT_TYPE)
        try:
            raw = decode(request.body)
            kind = "info" if request.path == "/info" else "action"
            status, answer = self._answer(kind, raw, request.peer)
        except BadJson:
            return _text(400, texts.BAD_JSON)
        except ShapeError:
            return _text(422, texts.BAD_SHAPE)
        finally:
            self.sockets.flush_news()
        return HttpResponse(status=status, body=msgspec.json.encode(answer), headers=HEADERS)

    def _answer(self, kind: str, raw: object, peer: str) -> tuple[int, object]:
        """(HTTP status, answer). Raises ShapeError."""
        if self.world.forced_429 > 0:
            self.world.forced_429 -= 1
            return 429, None
        now_ns = self.world.now_ns
        if kind == "action":
            if not self._weights.admit(peer, 1 + _items(raw) // 40, now_ns):
                return 429, None
            return 200, exchange.handle(self.world, raw)
        request = requests.read(raw)
        asking, _ = info.weight(request, None)
        if not self._weights.admit(peer, asking, now_ns):
            return 429, None
        try:
            answer = info.handle(self.world, request)
        except (UnknownCoin, info.ServerError):
            return 500, None
        self._weights.charge(peer, info.weight(request, answer)[1])
        return 200, answer

    def _post(self, kind: str, payload: object, peer: str) -> dict[str, object]:
        """A request that came over the socket: the same parts, another wrapping."""
        try:
            status, answer = self._answer(kind, payload, peer)
        except ShapeError:
            return {"type": "error", "payload": f"422 Unprocessable Entity: {texts.BAD_SHAPE}"}
        if status == 429:
            return {"type": "error", "payload": "429 Too Many Requests"}
        if status == 500:
            return {"type": "error", "payload": "500 Internal Server Error"}
        if kind == "action":
            return {"type": "action", "payload": answer}
        name = payload.get("type") if isinstance(payload, dict) else payload[0] if isinstance(payload, list) else None
        return {"type": "info", "payload": {"type": name, "data": answer}}

    # ---- WebSocket -------------------------------------------------------------------------------

    def ws_open(self, connection: int, path: str, peer: str, now_ns: int) -> HttpResponse | None:
        self.world.now_ns = now_ns
        if self.sockets.open(connection, peer):
            return None
        return HttpResponse(status=429, body=b"null", headers=HEADERS)

    def ws_frame(self, connection: int, text: str, now_ns: int) -> None:
        self.world.now_ns = now_ns
        self.sockets.frame(connection, text)
        self.sockets.flush_news()

    def ws_close(self, connection: int, now_ns: int) -> None:
        self.world.now_ns = now_ns
        self.sockets.close(connection)

    # ---- time ------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> int:
        """Blocks end on multiples of the block time. Without watchers there is little to do, and seldom."""
        world = self.world
        world.now_ns = now_ns
        active = bool(self.sockets.connections)
        for market in world.markets:
            if market.watched:
                active = True
                engine.advance(world, market)
        timers.run(world)
        self.sockets.flush_news()
        if now_ns >= self._next_block_ns:
            self.sockets.flush_block()
            self._next_block_ns = (now_ns // self._block_ns + 1) * self._block_ns
        self.sockets.flush_timed()
        return self._next_block_ns if active else now_ns + IDLE_DUE_NS

    # ---- control ---------------------------------------------------------------------------------

    def control(self, command: str, arguments: Mapping[str, object], now_ns: int) -> object:
        self.world.now_ns = now_ns
        try:
            return control.COMMANDS.run(self.controlled, command, arguments)
        finally:
            self.sockets.flush_news()


def _items(raw: object) -> int:
    """How many items an action lists, before its shape is known."""
    action = raw.get("action") if isinstance(raw, dict) else None
    if not isinstance(action, dict):
        return 0
    return max((len(value) for value in action.values() if isinstance(value, list)), default=0)


def _text(status: int, body: str) -> HttpResponse:
    return HttpResponse(status=status, body=body.encode(), content_type=TEXT, headers=HEADERS)
