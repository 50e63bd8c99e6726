"""The indexer's REST: routes, limits, errors (section 7)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from latentspeed_cli.sandbox.model import HttpRequest, HttpResponse

from . import account_views as accounts
from . import market_views as markets
from . import params
from .numbers import NS_PER_MS, NS_PER_S, iso
from .params import HttpError, Query

if TYPE_CHECKING:
    from .indexer import Indexer
    from .world import World

WINDOW_NS = 10 * NS_PER_S
LIMIT, CANDLE_LIMIT = 100, 1_000
OWN_COUNTERS = ("orders", "fills", "sparklines", "historical-pnl", "pnl", "historicalFunding", "candles")
GEOBLOCKED = (
    "Because you appear to be a resident of, or trading from, a jurisdiction that violates our terms of use, "
    "or have engaged in activity that violates our terms of use, you have been blocked. You may withdraw your "
    "funds from the protocol at any time."
)
ACCOUNT_ROUTES = (
    "addresses",
    "perpetualPositions",
    "assetPositions",
    "orders",
    "fills",
    "transfers",
    "historical-pnl",
    "pnl",
    "fundingPayments",
    "tradeHistory",
)
_NOT_FOUND = HttpError(404, {"error": "Not Found", "errorCode": 404})


class Limiter:
    """Requests of a peer to one counter within ten seconds."""

    def __init__(self, factor: int | None) -> None:
        self._factor = factor
        self._times: dict[tuple[str, str], deque[int]] = {}

    def admit(self, peer: str, counter: str, now_ns: int) -> tuple[bool, dict[str, str]]:
        """(whether the request may pass, the headers that say how things stand)."""
        if self._factor is None:
            return True, {}
        limit = (CANDLE_LIMIT if counter == "candles" else LIMIT) * self._factor
        times = self._times.setdefault((peer, counter), deque())
        while times and times[0] <= now_ns - WINDOW_NS:
            times.popleft()
        admitted = len(times) < limit
        if admitted:
            times.append(now_ns)
        reset_ns = (times[0] if times else now_ns) + WINDOW_NS
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(limit - len(times)),
            "RateLimit-Reset": str(reset_ns // NS_PER_MS),
        }
        if not admitted:
            # Milliseconds, unlike the HTTP standard.
            headers["Retry-After"] = str(max((reset_ns - now_ns) // NS_PER_MS, 1))
        return admitted, headers


class Rest:
    """Answers requests. forced_429, forced_403: how many of the next requests are refused."""

    def __init__(self, world: World, indexer: Indexer) -> None:
        self.world = world
        self.indexer = indexer
        self.forced_429 = 0
        self.forced_403 = 0
        self._limits = Limiter(world.scenario.limits_factor)

    def handle(self, request: HttpRequest) -> HttpResponse:
        parts = [part for part in request.path.split("/") if part][1:]
        headers: dict[str, str] = {"Cache-Control": "public, max-age=1"}
        try:
            if request.method != "GET" or not parts:
                raise _NOT_FOUND
            counter = parts[0] if parts[0] in OWN_COUNTERS else "default"
            admitted, standing = self._limits.admit(request.peer, counter, self.world.now_ns)
            headers |= standing
            if not admitted or self.forced_429 > 0:
                self.forced_429 -= self.forced_429 > 0
                headers.setdefault("Retry-After", "10000")
                raise HttpError(429, {"errors": [{"msg": "Too many requests"}]})
            if self.forced_403 > 0 and parts[0] in ACCOUNT_ROUTES:
                self.forced_403 -= 1
                raise HttpError(403, {"errors": [{"code": "GEOBLOCKED", "msg": GEOBLOCKED}]})
            status, body = 200, self._route(parts, Query(request.query))
        except HttpError as error:
            status, body = error.status, error.body
        return HttpResponse(
            status=status,
            body=msgspec.json.encode(body),
            content_type="application/json; charset=utf-8",
            headers=headers,
        )

    def _route(self, parts: list[str], query: Query) -> Any:
        head, rest = parts[0], parts[1:]
        if head in ("height", "time") and not rest:
            return self._height() if head == "height" else self._time()
        handler = {"addresses": self._addresses, "orders": self._orders}.get(head)
        if handler is not None:
            return handler(rest, query)
        found = self._market(head, rest, query)
        if found is not None:
            return found
        if head in _OF_SUBACCOUNT:
            return self._of_subaccount(head, rest, query)
        return self._other(head, rest, query)

    def _height(self) -> dict[str, Any]:
        return {"height": str(self.indexer.height), "time": iso(self.indexer.time_ns)}

    def _time(self) -> dict[str, Any]:
        milliseconds = self.world.now_ns // NS_PER_MS
        epoch = msgspec.Raw(f"{milliseconds // 1000}.{milliseconds % 1000:03d}".encode())
        return {"iso": iso(self.world.now_ns), "epoch": epoch}

    def _market(self, head: str, rest: list[str], query: Query) -> Any:
        """Market data; None when it is no such path."""
        world = self.world
        if head == "perpetualMarkets" and not rest:
            return markets.perpetual_markets(world, query)
        if head == "sparklines" and not rest:
            return markets.sparklines(world, query)
        if head == "historicalFunding" and len(rest) == 1:
            return markets.historical_funding(world, rest[0], query)
        if len(rest) != 2:
            return None
        if (head, rest[0]) == ("orderbooks", "perpetualMarket"):
            return markets.orderbook(world, rest[1])
        if (head, rest[0]) == ("trades", "perpetualMarket"):
            return markets.trades(self.indexer, rest[1], query)
        if (head, rest[0]) == ("candles", "perpetualMarkets"):
            return markets.candles(world, rest[1], query)
        return None

    def _addresses(self, rest: list[str], query: Query) -> Any:
        if len(rest) == 1:
            return accounts.addresses(self.indexer, params.address(rest[0], location="params"))
        if len(rest) == 3 and rest[1] == "subaccountNumber":
            address = params.address(rest[0], location="params")
            return accounts.subaccount(self.indexer, address, params.subaccount(rest[2], location="params"))
        if len(rest) == 3 and rest[1] == "parentSubaccountNumber":
            address = params.address(rest[0], location="params")
            return accounts.parent_subaccount(self.indexer, address, params.parent(rest[2], location="params"))
        raise _NOT_FOUND

    def _orders(self, rest: list[str], query: Query) -> Any:
        if rest == ["parentSubaccountNumber"]:
            address = query.address()
            numbers = accounts.children(self.indexer, address, query.parent())
            return accounts.orders(self.indexer, address, numbers, query)
        if len(rest) == 1:
            return accounts.order(self.indexer, rest[0])
        if rest:
            raise _NOT_FOUND
        return accounts.orders(self.indexer, query.address(), (query.subaccount(),), query)

    def _of_subaccount(self, head: str, rest: list[str], query: Query) -> Any:
        """A list of a subaccount, or of a parent's subaccounts."""
        if head == "transfers" and rest == ["between"]:
            return accounts.transfers_between(self.indexer, query)
        if rest in (["parentSubaccountNumber"], ["parentSubaccount"]):
            address = query.address()
            numbers = accounts.children(self.indexer, address, query.parent())
        elif rest:
            raise _NOT_FOUND
        else:
            address, numbers = query.address(), (query.subaccount(),)
        return _OF_SUBACCOUNT[head](self.indexer, address, numbers, query)

    def _other(self, head: str, rest: list[str], query: Query) -> Any:
        if head in ("historicalTradingRewardAggregations", "historicalBlockTradingRewards") and len(rest) == 1:
            params.address(rest[0], location="params")
            return {"rewards": []}
        if head == "screen" and not rest:
            query.address()
            return {"restricted": False}
        if head == "compliance" and len(rest) == 2 and rest[0] == "screen":
            params.address(rest[1], location="params")
            return {"status": "COMPLIANT"}
        raise _NOT_FOUND


_Lister = Callable[["Indexer", str, tuple[int, ...], Query], Any]
_OF_SUBACCOUNT: dict[str, _Lister] = {
    "perpetualPositions": accounts.perpetual_positions,
    "assetPositions": lambda indexer, address, numbers, query: accounts.asset_positions(indexer, address, numbers),
    "fills": accounts.fills,
    "transfers": accounts.transfers,
    "fundingPayments": accounts.funding_payments,
    "historical-pnl": lambda indexer, address, numbers, query: accounts.pnl(indexer, address, numbers, query, old=True),
    "pnl": lambda indexer, address, numbers, query: accounts.pnl(indexer, address, numbers, query, old=False),
}
