"""What outlives the process: everything that was stored, and nothing that was not."""

from __future__ import annotations

from typing import Any

from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES

from latentspeed_cli.sandbox.model import SCENARIOS, Scenario, StoredRow

LOT, TICK = 1_000_000, 100_000
LOW, MID, HIGH = 80_000 * TICK, 84_012 * TICK, 90_000 * TICK


class Disk:
    """Rows as the shell keeps them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], StoredRow] = {}

    def write(self, venue: Any) -> None:
        for row in venue.model.changed_rows():
            if row.value is None:
                self.rows.pop((row.kind, row.key), None)
            else:
                self.rows[row.kind, row.key] = row


def restarted(make_venue: Any, disk: Disk, old: Any, seconds: float = 0.0, scenario: Any = None) -> Any:
    disk.write(old)
    rows = [disk.rows[key] for key in sorted(disk.rows)]
    kept = scenario or old.model.scenario
    return make_venue(kept, rows, old.now_ns + int(seconds * 1e9))


def views(venue: Any) -> Any:
    paths = (
        "orders",
        "fills",
        "perpetualPositions",
        "assetPositions",
        "transfers",
        "fundingPayments",
        "historical-pnl",
    )
    return [venue.rows(path, key=key) for path in paths for key in (0, 1)]


def test_everything_shown_is_still_there(make_venue: Any, venue: Any) -> None:
    disk = Disk()
    venue.control("seed_book", ticker="BTC-USD", bids=[["83000", "1"]], asks=[["85000", "1"]])
    venue.place("buy", 4 * LOT, MID, "long")
    venue.block(2)
    venue.place("sell", 3 * LOT, MID, tif="ioc", key=1)
    venue.block()
    short = venue.place("buy", LOT, LOW, gtb=venue.height + 30)
    conditional = venue.place("sell", LOT, LOW, "conditional", condition="stop", trigger=83_000 * TICK)
    venue.block()
    venue.control("funding", ticker="BTC-USD", rate="0.0001")
    before = views(venue)
    again = restarted(make_venue, disk, venue)
    assert views(again) == before
    assert again.height == venue.height
    # The same orders are on the book and under the same rules.
    assert again.cancel(short).code == 0
    assert again.submit(conditional).code == 3005
    again.block()
    again.control("price", ticker="BTC-USD", mid="82000")
    again.block(2)
    statuses = {row["orderFlags"]: row["status"] for row in again.rows("orders", key=0)}
    assert statuses["32"] == "FILLED"


def test_what_waited_for_its_block_gets_there(make_venue: Any, venue: Any) -> None:
    disk = Disk()
    placed = venue.order("buy", LOT, LOW, "long")
    raw = venue.sign(placed)
    sent = venue.send(raw)
    venue.place("buy", LOT, HIGH, tif="ioc")
    again = restarted(make_venue, disk, venue)
    assert again.rows("fills")["fills"] == []
    assert again.submit(placed).code == 3005
    again.block()
    assert [row["status"] for row in again.rows("orders")] == ["OPEN", "FILLED"]
    assert len(again.rows("fills")["fills"]) == 1
    assert again.model.world.txs[sent.txhash].code == 0
    assert again.model.world.accounts[ADDRESSES[0]].sequence == 1


def test_used_nonces_and_sequences_stay_used(make_venue: Any, venue: Any) -> None:
    disk = Disk()
    nonce = venue.now_ns // 1_000_000
    assert venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=nonce).code == 0
    assert venue.submit(venue.order("buy", LOT, LOW, "long"), sequence=0).code == 0
    again = restarted(make_venue, disk, venue)
    assert again.submit(again.order("buy", LOT, LOW, "long", client_id=77), sequence=nonce).code == 32
    assert again.submit(again.order("buy", LOT, LOW, "long", client_id=78), sequence=0).code == 32
    assert again.submit(again.order("buy", LOT, LOW, "long", client_id=79), sequence=1).code == 0


def test_news_on_its_way_to_the_indexer_arrives(make_venue: Any) -> None:
    disk = Disk()
    venue = make_venue(Scenario(name="quiet", flow=False, indexer_lag_s=5))
    venue.place("buy", LOT, HIGH, tif="ioc")
    venue.block()
    assert venue.rows("fills")["fills"] == []
    again = restarted(make_venue, disk, venue, seconds=1)
    assert again.rows("fills")["fills"] == []
    assert int(again.get("height")["height"]) < again.height
    again.pass_time(5)
    assert len(again.rows("fills")["fills"]) == 1


def test_news_of_before_is_not_overtaken_by_what_has_less_lag(make_venue: Any) -> None:
    disk = Disk()
    venue = make_venue(Scenario(name="quiet", flow=False, indexer_lag_s=5))
    placed = venue.place("buy", LOT, LOW, "long")
    venue.block()
    again = restarted(make_venue, disk, venue, scenario=Scenario(name="quiet", flow=False, indexer_lag_s=0.0))
    assert again.cancel(placed).code == 0
    again.block()
    again.pass_time(6)
    assert [row["status"] for row in again.rows("orders")] == ["CANCELED"]


def test_time_that_nobody_saw_goes_by_on_the_chain(make_venue: Any, venue: Any) -> None:
    disk = Disk()
    venue.place("buy", LOT, LOW)
    venue.place("buy", LOT, LOW, "long")
    venue.block()
    again = restarted(make_venue, disk, venue, seconds=640)
    again.pass_time(1)
    assert again.height >= venue.height + 999
    assert [row["orderFlags"] for row in again.rows("orders")] == ["64"]


def test_a_path_goes_on_where_the_clock_is(make_venue: Any) -> None:
    disk = Disk()
    venue = make_venue(SCENARIOS["default"])
    venue.place("buy", 20 * LOT, 83_000 * TICK, "long")
    venue.pass_time(20)
    again = restarted(make_venue, disk, venue)
    venue.pass_time(10)
    again.pass_time(10)
    path = "orderbooks/perpetualMarket/BTC-USD"
    best = [venue.get(path)["bids"][0]["price"], again.get(path)["bids"][0]["price"]]
    assert best[0] == best[1]


def test_a_fresh_chain_is_not_written_twice(make_venue: Any, venue: Any) -> None:
    disk = Disk()
    again = restarted(make_venue, disk, venue)
    assert again.model.changed_rows() == []


def test_public_trades_and_candles_are_still_there(make_venue: Any, venue: Any) -> None:
    disk = Disk()
    venue.place("buy", 3 * LOT, HIGH, tif="ioc")
    venue.block()
    venue.place("sell", 2 * LOT, LOW, tif="ioc", key=1)

    def seen(of: Any) -> Any:
        trades = of.get("trades/perpetualMarket/BTC-USD", limit=4)["trades"]
        return trades, of.get("candles/perpetualMarkets/BTC-USD", resolution="1MIN", limit=1)["candles"]

    before = seen(venue)
    again = restarted(make_venue, disk, venue)
    assert seen(again) == before
    venue.block()
    again.block()
    assert seen(again) == seen(venue) != before
    fill = again.rows("fills", key=1)["fills"][0]
    trade = again.get("trades/perpetualMarket/BTC-USD", limit=1)["trades"][0]
    assert (trade["side"], trade["size"], trade["createdAtHeight"]) == ("SELL", "0.0002", fill["createdAtHeight"])
