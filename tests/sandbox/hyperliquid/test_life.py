"""Seed, time and restart: the same tape, the same ids, nothing lost."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from latentspeed_cli.sandbox.accounts import ADDRESSES
from latentspeed_cli.sandbox.model import SCENARIOS, Scenario


def tape(venue: Any, milliseconds: int = 30_000) -> list[Any]:
    socket = venue.connect()
    for coin in ("BTC", "ETH"):
        for kind in ("trades", "bbo", "l2Book"):
            venue.subscribe(socket, type=kind, coin=coin)
    venue.wait(milliseconds)
    frames: list[Any] = venue.take(socket)
    return frames


def test_the_same_seed_gives_the_same_tape(make_venue: Any) -> None:
    first, second = make_venue(SCENARIOS["default"]), make_venue(SCENARIOS["default"])
    assert tape(first) == tape(second)


def test_another_seed_gives_another_tape(make_venue: Any) -> None:
    assert tape(make_venue(SCENARIOS["default"])) != tape(make_venue(Scenario(seed=2)))


def test_the_tape_does_not_depend_on_who_watches(make_venue: Any) -> None:
    watched, unwatched = make_venue(SCENARIOS["default"]), make_venue(SCENARIOS["default"])
    tape(watched, 20_000)
    unwatched.wait(20_000)
    assert watched.info(type="recentTrades", coin="BTC") == unwatched.info(type="recentTrades", coin="BTC")
    assert watched.info(type="allMids") == unwatched.info(type="allMids")


def test_users_do_not_move_the_path(make_venue: Any) -> None:
    calm, busy = make_venue(SCENARIOS["default"]), make_venue(SCENARIOS["default"])
    for venue in (calm, busy):
        socket = venue.connect()
        venue.subscribe(socket, type="bbo", coin="BTC")
    busy.place(busy.order("buy", "5", "85000", "Ioc"))
    for venue in (calm, busy):
        venue.wait(5_000)
    assert calm.info(type="allMids") == busy.info(type="allMids")


def test_the_path_crosses_a_resting_order_and_fills_it(make_venue: Any) -> None:
    venue = make_venue(SCENARIOS["default"])
    bid, ask = venue.touch()
    oids = [venue.rest("buy", "0.2", bid), venue.rest("sell", "0.2", ask)]
    venue.wait(120_000)
    assert [venue.status(oid)["order"]["status"] for oid in oids] == ["filled", "filled"]
    fills = venue.info(type="userFills", user=ADDRESSES[0])
    assert {fill["crossed"] for fill in fills} == {False}
    assert {fill["px"] for fill in fills} == {f"{bid}.0", f"{ask}.0"}


def test_an_order_at_the_touch_fills_bit_by_bit(make_venue: Any) -> None:
    partial = 0
    for seed in range(1, 9):
        venue = make_venue(Scenario(seed=seed))
        bid, _ = venue.touch()
        venue.rest("buy", "3", bid)
        venue.wait(60_000)
        fills = venue.info(type="userFills", user=ADDRESSES[0])
        partial += len(fills) > 1
    assert partial >= 4


def test_candles_join_and_hold_the_trades(make_venue: Any) -> None:
    venue = make_venue(SCENARIOS["default"])
    now = venue.now_ns // 1_000_000
    request = {"coin": "BTC", "interval": "5m", "startTime": now - 100 * 300_000, "endTime": now}
    rows = venue.info(type="candleSnapshot", req=request)
    assert len(rows) == 101
    for row, following in itertools.pairwise(rows):
        assert row["c"] == following["o"]
        assert row["T"] + 1 == following["t"]
        assert float(row["l"]) <= min(float(row["o"]), float(row["c"]))
        assert float(row["h"]) >= max(float(row["o"]), float(row["c"]))
    assert float(rows[-1]["c"]) == pytest.approx(float(venue.touch()[0]), rel=1e-4)
    whole = venue.info(type="candleSnapshot", req={**request, "interval": "1m", "startTime": 0})
    assert len(whole) == 5_000


def test_a_user_trade_shows_in_the_candle(venue: Any) -> None:
    venue.control("seed_book", coin="BTC", asks=[["85000", "1"]])
    venue.place(venue.order("buy", "1", "85000", "Ioc"))
    now = venue.now_ns // 1_000_000
    [row] = venue.info(type="candleSnapshot", req={"coin": "BTC", "interval": "1m", "startTime": now, "endTime": now})
    assert row["h"] == "85000.0"
    assert float(row["v"]) >= 1


def test_everything_outlives_a_restart(make_venue: Any) -> None:
    venue = make_venue(SCENARIOS["default"])
    cloid = "0x000000000000000000000000000000ff"
    oid = venue.rest("buy", "0.01", "80000", cloid=cloid)
    venue.place(venue.order("buy", "0.05", "85000", "Ioc"))
    venue.act({"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 3})
    used = venue.sign({"type": "noop"})
    venue.post(used)
    again = make_venue(SCENARIOS["default"], rows=venue.rows(), now_ns=venue.now_ns)
    questions: list[dict[str, Any]] = [
        {"type": "clearinghouseState", "user": ADDRESSES[0]},
        {"type": "openOrders", "user": ADDRESSES[0]},
        {"type": "historicalOrders", "user": ADDRESSES[0]},
        {"type": "userFills", "user": ADDRESSES[0]},
        {"type": "orderStatus", "user": ADDRESSES[0], "oid": cloid},
        {"type": "activeAssetData", "user": ADDRESSES[0], "coin": "ETH"},
        {"type": "userRateLimit", "user": ADDRESSES[0]},
    ]
    for question in questions:
        assert again.info(**question) == venue.info(**question), question
    assert again.post(used)["response"].startswith("Invalid nonce: duplicate nonce")
    again.nonce = venue.nonce
    assert again.rest("buy", "0.01", "80000") > oid
    assert again.cancel(oid) == "success"


def test_the_path_goes_on_after_a_restart(make_venue: Any) -> None:
    venue = make_venue(SCENARIOS["default"])
    rows = venue.rows()
    venue.wait(10_000)
    again = make_venue(SCENARIOS["default"], rows=rows, now_ns=venue.now_ns)
    assert again.info(type="allMids") == venue.info(type="allMids")


def test_rows_are_only_what_changed(venue: Any) -> None:
    assert len(venue.rows()) == 11  # ten accounts and the counters
    assert venue.rows() == []
    venue.rest("buy", "0.01", "80000")
    kinds = sorted(row.kind for row in venue.rows())
    assert kinds == ["account", "counters", "nonces", "order"]
    venue.info(type="meta")
    assert venue.rows() == []


def test_answers_are_the_same_under_the_same_history(make_venue: Any) -> None:
    def run() -> str:
        venue = make_venue(SCENARIOS["default"])
        answers = [venue.place(venue.order("buy", "0.01", "85000", "Ioc")) for _ in range(3)]
        answers.append(venue.info(type="userFills", user=ADDRESSES[0]))
        return json.dumps(answers)

    assert run() == run()


class TestControl:
    def test_fund(self, venue: Any) -> None:
        venue.control("fund", address=f"0x{7:040x}", amount="12.5")
        assert venue.info(type="clearinghouseState", user=f"0x{7:040x}")["withdrawable"] == "12.5"

    def test_price_moves_the_path_for_good(self, moving: Any) -> None:
        moving.control("price", coin="BTC", mid="50000")
        assert moving.touch()[0].startswith(("499", "500"))
        moving.wait(10_000)
        assert moving.touch()[0].startswith(("499", "500"))

    def test_price_fills_what_it_crosses(self, moving: Any) -> None:
        oid = moving.rest("buy", "0.1", "83000")
        moving.control("price", coin="BTC", mid="82000")
        assert moving.status(oid)["order"]["status"] == "filled"

    def test_delist(self, venue: Any) -> None:
        oid = venue.rest("buy", "0.01", "80000")
        venue.control("delist", coin="BTC")
        assert venue.status(oid)["order"]["status"] == "delistedCanceled"
        assert venue.info(type="meta")["universe"][0]["isDelisted"] is True
        assert venue.info(type="l2Book", coin="BTC")["levels"] == [[], []]

    @pytest.mark.parametrize(
        ("command", "arguments"),
        [
            ("dance", {}),
            ("fund", {}),
            ("fund", {"address": "x", "amount": "1"}),
            ("price", {"coin": "NOPE", "mid": "1"}),
        ],
    )
    def test_bad_commands(self, venue: Any, command: str, arguments: dict[str, Any]) -> None:
        from latentspeed_cli.errors import UsageError

        with pytest.raises(UsageError):
            venue.control(command, **arguments)
