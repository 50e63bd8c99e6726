"""Reads what a venue's HTTP API lists of an account, in the venue's own words, with nothing of our connectors."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from time import time
from typing import Any
from urllib.request import Request, urlopen

from soak_verdict import Fill, Listed, Order, State

from latentspeed_cli.sandbox.home import VenueInfo

# The longest list either venue gives.
HYPERLIQUID_ROWS, DYDX_ROWS = 2000, 1000
# A row is listed somewhat after the time that stands in it; so much is read again.
OVERLAP_MS = 30_000
# A short-term order is good for 20 blocks at most. So many blocks back, what ended was read several times over.
PAST_BLOCKS = 150
PATIENCE_S = 10
DYDX_STATES = {
    "OPEN": State.OPEN,
    "UNTRIGGERED": State.OPEN,
    "FILLED": State.FILLED,
    "CANCELED": State.ENDED,
    "BEST_EFFORT_CANCELED": State.ENDED,
}
# One node's word: the row goes without a trace when the order ends unfilled, and says another status otherwise.
RUMOUR = "BEST_EFFORT_OPENED"


class VenueReader:
    """What was read so far is in `listed`. Lists have an end, so it has to be read often.

    Raises SystemExit where a list may have ended before what is new, LookupError for a status that nobody described.
    """

    def __init__(self, venue: str, info: VenueInfo) -> None:
        self.listed = Listed()
        self._url = info.base_url
        self._address = info.accounts[0].address
        self._read = {"hyperliquid": self._hyperliquid, "dydx_v4": self._dydx}[venue]
        self._since_ms = int(time() * 1000)

    async def read(self) -> None:
        """Read what is new since the last time, and the positions."""
        since_ms, self._since_ms = self._since_ms - OVERLAP_MS, int(time() * 1000)
        await asyncio.to_thread(self._read, since_ms)

    def _hyperliquid(self, since_ms: int) -> None:
        fills = self._info("userFillsByTime", startTime=since_ms)
        if len(fills) >= HYPERLIQUID_ROWS:  # oldest first
            raise SystemExit("more fills at once than the venue lists; trade less")
        for row in fills:
            # The venue has no id of a fill; `tid` is that of the trade, which has two sides.
            self.listed.fills[f"{row['time']}-{row['coin']}-{row['tid']}-{row['oid']}"] = Fill(
                order_id=str(row["oid"]),
                trading_pair=f"{row['coin']}-USD",
                side={"B": "buy", "A": "sell"}[row["side"]],
                price=Decimal(row["px"]),
                amount=Decimal(row["sz"]),
                fee=Decimal(row["fee"]),
            )
        orders = self._info("historicalOrders")
        found: dict[str, tuple[tuple[int, bool], Order]] = {}
        for row in orders:  # an order may be there in several of its states
            state, order = _hyperliquid_state(row["status"]), row["order"]
            latest = (row["statusTimestamp"], state is not State.OPEN)
            if str(order["oid"]) not in found or latest > found[str(order["oid"])][0]:
                found[str(order["oid"])] = (
                    latest,
                    Order(
                        trading_pair=f"{order['coin']}-USD",
                        side={"B": "buy", "A": "sell"}[order["side"]],
                        price=Decimal(order["limitPx"]),
                        amount=Decimal(order["origSz"]),
                        state=state,
                        executed=Decimal(order["origSz"]) - Decimal(order["sz"]),
                    ),
                )
        if orders:
            self._expect_overlap(str(orders[-1]["order"]["oid"]), len(orders), HYPERLIQUID_ROWS)
        self.listed.orders |= {order_id: order for order_id, (_, order) in found.items()}
        held = [row["position"] for row in self._info("clearinghouseState")["assetPositions"]]
        self.listed.positions = {f"{row['coin']}-USD": Decimal(row["szi"]) for row in held}

    def _dydx(self, since_ms: int) -> None:
        where, before = f"address={self._address}&subaccountNumber=0", ""
        while True:
            rows = self._ask(f"/v4/fills?{where}&limit={DYDX_ROWS}{before}")["fills"]
            for row in rows:
                self.listed.fills[row["id"]] = Fill(
                    order_id=row["orderId"],
                    trading_pair=row["market"],
                    side=row["side"].lower(),
                    price=Decimal(row["price"]),
                    amount=Decimal(row["size"]),
                    fee=Decimal(row["fee"]),
                )
            if len(rows) < DYDX_ROWS or rows[-1]["createdAt"] < _iso(since_ms / 1000):
                break
            before = f"&createdBeforeOrAt={rows[-1]['createdAt']}"
        # A filter by block leaves out the long-term orders, and one by time the short-term ones.
        past = int(self._ask("/v4/height")["height"]) - PAST_BLOCKS
        for kind in (f"goodTilBlockAfter={past}", f"goodTilBlockTimeAfter={_iso(time())}"):
            rows = self._ask(f"/v4/orders?{where}&limit={DYDX_ROWS}&{kind}")
            if rows:
                self._expect_overlap(rows[-1]["id"], len(rows), DYDX_ROWS)
            self.listed.orders |= {
                row["id"]: Order(
                    trading_pair=row["ticker"],
                    side=row["side"].lower(),
                    price=Decimal(row["price"]),
                    amount=Decimal(row["size"]),
                    state=DYDX_STATES[row["status"]],
                    executed=Decimal(row["totalFilled"]),
                )
                for row in rows
                if row["status"] != RUMOUR
            }
        held = self._ask(f"/v4/perpetualPositions?{where}&status=OPEN")["positions"]
        signs = {"LONG": 1, "SHORT": -1}
        self.listed.positions = {row["market"]: abs(Decimal(row["size"])) * signs[row["side"]] for row in held}

    def _expect_overlap(self, oldest: str, rows: int, most: int) -> None:
        """A list, newest first, that is as long as it may be has to reach what was known already."""
        if rows >= most and oldest not in self.listed.orders:
            raise SystemExit("more orders at once than the venue lists; trade less")

    def _info(self, kind: str, **more: int) -> Any:
        return self._ask("/info", {"type": kind, "user": self._address, **more})

    def _ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data=data, headers={"Content-Type": "application/json"})
        with urlopen(request, timeout=PATIENCE_S) as reply:
            return json.load(reply)


def _hyperliquid_state(status: str) -> State:
    """The venue's documents name many ends, each of which says by its last word that it is one."""
    if status in ("open", "triggered"):
        return State.OPEN
    if status == "filled":
        return State.FILLED
    if status.endswith(("Rejected", "rejected", "Canceled", "canceled", "Cancel")):
        return State.ENDED
    raise LookupError(f"the venue lists an order as {status!r}")


def _iso(unix_s: float) -> str:
    """As the indexer writes a time, so that both compare as text."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
