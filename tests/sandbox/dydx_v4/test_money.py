"""Fees, margin, funding, transfers: to the micro-dollar (section 11)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from latentspeed_dydx_v4.sandbox import ledger, universe
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES
from latentspeed_dydx_v4.sandbox.numbers import ceil_div, plain, units

LOT, TICK = 1_000_000, 100_000
LOW, HIGH = 80_000 * TICK, 90_000 * TICK
HOUR_NS = 3_600 * 10**9


def subaccount(venue: Any, key: int = 0, number: int = 0) -> Any:
    return venue.get(f"addresses/{ADDRESSES[key]}/subaccountNumber/{number}")["subaccount"]


@pytest.mark.parametrize(
    ("subticks", "quantums", "quote", "taker", "maker"),
    [
        (2_437_000_000, 1_000_000, 2_437_000, 1_219, 244),
        (2_620_100_000, 1_000_000, 2_620_100, 1_311, 263),
        (2_477_600_000, 2_000_000, 4_955_200, 2_478, 496),
        (3_178_500_000, 2_000_000, 6_357_000, 3_179, 636),
    ],
)
def test_fees_are_rounded_up_as_recorded(
    venue: Any, subticks: int, quantums: int, quote: int, taker: int, maker: int
) -> None:
    assert subticks * quantums // ledger.QUOTE_ONE == quote
    assert ledger.fee(venue.model.world, "nobody", quote, taker=True) == taker
    assert ledger.fee(venue.model.world, "nobody", quote, taker=False) == maker


def test_rebates_are_rounded_towards_plus_infinity() -> None:
    assert ceil_div(748_496_000 * -90, 10**6) == -67_364
    assert ceil_div(18_256_000 * -90, 10**6) == -1_643


def test_numbers_as_the_indexer_writes_them() -> None:
    assert [plain(5, -1), plain(-70, -4), plain(0, -9), plain(25, 1), plain(100, -2)] == [
        "0.5",
        "-0.007",
        "0",
        "250",
        "1",
    ]
    assert units("0.0003", -10) == 3_000_000
    assert universe.BY_TICKER["BTC-USD"].price(8_991_900_000) == "89919"
    with pytest.raises(ValueError, match="too fine"):
        units("0.00000000001", -10)


def test_volume_lifts_the_fee_tier(venue: Any) -> None:
    account = venue.model.world.accounts[ADDRESSES[0]]
    account.taker_days[str(venue.now_ns // (24 * HOUR_NS))] = 6_000_000 * 10**6
    venue.place("buy", LOT, HIGH, tif="ioc")
    venue.block()
    assert venue.rows("fills")["fills"][0]["fee"] == "0.003361"  # 400 ppm of 8.4012


def test_equity_and_free_collateral(venue: Any) -> None:
    venue.place("buy", 100 * LOT, HIGH, tif="ioc")
    venue.block()
    venue.control("price", ticker="BTC-USD", oracle="85000")
    found = subaccount(venue)
    cash = Decimal(found["assetPositions"]["USDC"]["size"])
    assert Decimal(found["equity"]) == cash + Decimal("0.01") * 85_000
    assert Decimal(found["freeCollateral"]) == Decimal(found["equity"]) - Decimal("0.01") * 85_000 * Decimal("0.02")
    position = found["openPerpetualPositions"]["BTC-USD"]
    gained = (Decimal(85_000) - Decimal(position["entryPrice"])) * Decimal("0.01")
    assert Decimal(position["unrealizedPnl"]) == gained


def test_a_short_is_negative_and_debt_is_positive(venue: Any) -> None:
    venue.place("sell", 2 * LOT, LOW, tif="ioc")
    venue.block()
    position = subaccount(venue)["openPerpetualPositions"]["BTC-USD"]
    assert (position["side"], position["size"], position["maxSize"]) == ("SHORT", "-0.0002", "-0.0002")
    venue.place("buy", 15_000 * LOT, HIGH, tif="ioc", key=1)
    venue.block()
    asset = subaccount(venue, 1)["assetPositions"]["USDC"]
    assert asset["side"] == "SHORT"
    assert Decimal(asset["size"]) > 0


def test_a_position_that_turns_is_closed_and_opened_anew(venue: Any) -> None:
    venue.control("seed_book", ticker="BTC-USD", bids=[["84000", "1"]], asks=[["84010", "1"]])
    venue.place("buy", 2 * LOT, 84_010 * TICK, tif="ioc")
    venue.block()
    venue.place("sell", 5 * LOT, 84_000 * TICK, tif="ioc")
    venue.block()
    newest, oldest = venue.rows("perpetualPositions")["positions"]
    assert (newest["side"], newest["size"], newest["status"], newest["entryPrice"]) == (
        "SHORT",
        "-0.0003",
        "OPEN",
        "84000",
    )
    assert (oldest["status"], oldest["exitPrice"], oldest["realizedPnl"]) == ("CLOSED", "84000", "-0.002")


def test_margin_is_checked_and_reducing_is_always_allowed(venue: Any) -> None:
    world = venue.model.world
    broke = world.subaccount(ADDRESSES[0], 0)
    broke.usdc = 200 * 10**6
    world.changed(broke)
    venue.place("buy", 1_000 * LOT, HIGH, tif="ioc")  # 8,401 dollars: 168 of margin
    venue.block()
    assert subaccount(venue)["openPerpetualPositions"]["BTC-USD"]["size"] == "0.1"
    venue.control("price", ticker="BTC-USD", oracle="83000")
    assert ledger.judge(world, world.subaccount(ADDRESSES[0], 0), 0, LOT, -84 * 10**6 // 10) == ledger.STILL
    sold = ledger.judge(world, world.subaccount(ADDRESSES[0], 0), 0, -LOT, 83 * 10**6 // 10)
    assert sold == ledger.SUCCESS


def test_a_subaccount_below_maintenance_is_liquidated(venue: Any) -> None:
    world = venue.model.world
    subaccount_now = world.subaccount(ADDRESSES[0], 0)
    subaccount_now.usdc = 200 * 10**6
    world.changed(subaccount_now)
    venue.place("buy", 1_000 * LOT, HIGH, tif="ioc")
    venue.block()
    venue.control("price", ticker="BTC-USD", mid="82500")
    venue.block(3)
    assert subaccount(venue)["openPerpetualPositions"] == {}
    kinds = {fill["type"] for fill in venue.rows("fills")["fills"]}
    assert kinds == {"LIMIT", "LIQUIDATED"}
    assert all("orderId" not in fill for fill in venue.rows("fills")["fills"] if fill["type"] == "LIQUIDATED")


def test_isolated_markets_must_be_alone(venue: Any) -> None:
    pair = universe.BY_TICKER["ISO-USD"].pair
    venue.place("buy", LOT, HIGH, tif="ioc")
    venue.block()
    answer = venue.submit(venue.order("buy", LOT, 2 * 10**9, tif="ioc", pair=pair))
    assert (answer.codespace, answer.code) == ("clob", 2005)
    venue.control("fund", address=ADDRESSES[0], subaccount=128, amount="1000")
    venue.place("buy", LOT, 2 * 10**9, tif="ioc", pair=pair, subaccount=128)
    venue.block()
    parent = venue.get(f"addresses/{ADDRESSES[0]}/parentSubaccountNumber/0")["subaccount"]
    assert [child["subaccountNumber"] for child in parent["childSubaccounts"]] == [0, 128]
    assert "ISO-USD" in parent["childSubaccounts"][1]["openPerpetualPositions"]


def test_longs_pay_funding_and_it_is_on_the_position(venue: Any) -> None:
    venue.place("buy", 100 * LOT, HIGH, tif="ioc")
    venue.place("sell", 100 * LOT, LOW, tif="ioc", key=1)
    venue.block()
    before = [Decimal(subaccount(venue, key)["assetPositions"]["USDC"]["size"]) for key in (0, 1)]
    venue.control("funding", ticker="BTC-USD", rate="0.0001")
    paid, got = (Decimal(subaccount(venue, key)["assetPositions"]["USDC"]["size"]) - before[key] for key in (0, 1))
    assert paid == Decimal("-0.084012")
    assert got == Decimal("0.084012")
    [payment] = venue.rows("fundingPayments")["fundingPayments"]
    assert (payment["payment"], payment["rate"], payment["side"]) == ("-0.084012", "0.0001", "LONG")
    position = subaccount(venue)["openPerpetualPositions"]["BTC-USD"]
    assert (position["netFunding"], position["realizedPnl"]) == ("-0.084012", "-0.084012")


def test_funding_comes_with_the_hour(venue: Any) -> None:
    venue.place("buy", 100 * LOT, HIGH, tif="ioc")
    venue.pass_time(1)
    venue.now_ns = (venue.now_ns // HOUR_NS + 1) * HOUR_NS + 700_000_000
    venue.model.tick(venue.now_ns)
    assert len(venue.rows("fundingPayments")["fundingPayments"]) == 1


# ---- transfers -----------------------------------------------------------------------------------


def transfer(amount: int, key: int = 0, to: int = 1, number: int = 0) -> Any:
    return t.MsgCreateTransfer(
        transfer=t.Transfer(
            sender=t.SubaccountId(owner=ADDRESSES[key]),
            recipient=t.SubaccountId(owner=ADDRESSES[to], number=number),
            amount=amount,
        )
    )


def test_transfers_pay_gas_and_move_money(venue: Any) -> None:
    answer = venue.submit(transfer(12_500_000), gas=180_000, fee=4_500)
    assert answer.code == 0
    venue.block()
    assert subaccount(venue)["equity"] == "99987.5"
    assert subaccount(venue, 1)["equity"] == "100012.5"
    assert venue.model.world.accounts[ADDRESSES[0]].held(universe.USDC_DENOM) == 1_000_000_000 - 4_500
    [out] = venue.rows("transfers")["transfers"]
    [in_] = venue.rows("transfers", key=1)["transfers"]
    assert (out["type"], in_["type"], out["size"], out["transactionHash"]) == (
        "TRANSFER_OUT",
        "TRANSFER_IN",
        "12.5",
        answer.txhash,
    )
    between = venue.get(
        "transfers/between",
        sourceAddress=ADDRESSES[0],
        sourceSubaccountNumber=0,
        recipientAddress=ADDRESSES[1],
        recipientSubaccountNumber=0,
    )
    assert between["totalNetTransfers"] == "12.5"


def test_gas_and_fees_that_do_not_do(venue: Any) -> None:
    little = venue.submit(transfer(10**6), gas=180_000, fee=4_499)
    assert (little.code, little.raw_log.startswith("insufficient fees; got: 4499ibc/")) == (13, True)
    short = venue.submit(transfer(10**6), gas=1_000, fee=25)
    assert (short.code, short.raw_log.startswith("out of gas in location: ")) == (11, True)
    poor = venue.submit(transfer(10**6), gas=180_000, fee=10**10)
    assert (poor.code, poor.raw_log.endswith("insufficient funds")) == (5, True)


def test_a_transfer_without_collateral_fails_in_its_block(venue: Any) -> None:
    answer = venue.submit(transfer(200_000 * 10**6), gas=180_000, fee=4_500)
    assert answer.code == 0
    venue.block()
    found = venue.model.world.txs[answer.txhash]
    assert (found.codespace, found.code) == ("subaccounts", 102)
    assert found.raw_log.startswith(
        f"Subaccount with id {{Owner:{ADDRESSES[0]} Number:0}} failed with UpdateResult: NewlyUndercollateralized"
    )
    assert venue.model.world.accounts[ADDRESSES[0]].sequence == 1
    assert subaccount(venue)["equity"] == "100000"


def test_deposits_and_withdrawals(venue: Any) -> None:
    deposit = t.MsgDepositToSubaccount(
        sender=ADDRESSES[0], recipient=t.SubaccountId(owner=ADDRESSES[0], number=3), quantums=10**7
    )
    assert venue.submit(deposit, gas=180_000, fee=4_500).code == 0
    venue.block()
    withdraw = t.MsgWithdrawFromSubaccount(
        recipient=ADDRESSES[0], sender=t.SubaccountId(owner=ADDRESSES[0], number=3), quantums=4 * 10**6
    )
    assert venue.submit(withdraw, gas=180_000, fee=4_500).code == 0
    venue.block()
    assert subaccount(venue, 0, 3)["equity"] == "6"
    rows = venue.get("transfers", address=ADDRESSES[0], subaccountNumber=3)["transfers"]
    assert [row["type"] for row in rows] == ["WITHDRAWAL", "DEPOSIT"]
    assert rows[1]["sender"] == {"address": ADDRESSES[0]}


def test_a_first_coin_makes_an_account(venue: Any) -> None:
    stranger = "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art"
    send = t.MsgSend(
        from_address=ADDRESSES[0],
        to_address=stranger,
        amount=(t.Coin(denom=universe.USDC_DENOM, amount="5000"),),
    )
    assert venue.submit(send, gas=180_000, fee=4_500).code == 0
    venue.block()
    assert venue.model.world.accounts[stranger].number == 10


def test_leverage_is_a_floor_under_the_margin(venue: Any) -> None:
    message = t.MsgUpdateLeverage(
        subaccount_id=t.SubaccountId(owner=ADDRESSES[0]),
        clob_pair_leverage=(t.LeverageEntry(clob_pair_id=0, custom_imf_ppm=500_000),),
    )
    assert venue.submit(message).code == 0
    venue.block()
    # 3 BTC at 84,012: half of it is more than the account has.
    answer = venue.submit(venue.order("buy", 30_000 * LOT, 84_012 * TICK, "long"))
    assert answer.code == 3007
    low = t.MsgUpdateLeverage(
        subaccount_id=t.SubaccountId(owner=ADDRESSES[0]),
        clob_pair_leverage=(t.LeverageEntry(clob_pair_id=0, custom_imf_ppm=10_000),),
    )
    assert venue.submit(low).code == 11003


def test_profit_and_loss_is_written_at_first_and_every_hour(venue: Any) -> None:
    venue.block()
    [first] = venue.rows("historical-pnl")["historicalPnl"]
    assert (first["equity"], first["totalPnl"], first["netTransfers"]) == ("100000", "0", "100000")
    venue.control("fund", address=ADDRESSES[0], amount="50")
    venue.place("buy", 100 * LOT, HIGH, tif="ioc")
    venue.pass_time(2 * 3_600)
    rows = venue.rows("historical-pnl")["historicalPnl"]
    assert len(rows) == 3
    assert rows[-1] == first
    assert [row["netTransfers"] for row in rows[:2]] == ["100050", "100050"]
    for row in rows:
        assert Decimal(row["totalPnl"]) == Decimal(row["equity"]) - Decimal(row["netTransfers"])
    assert Decimal(rows[0]["totalPnl"]) < 0
    assert venue.rows("historical-pnl", limit=1)["historicalPnl"] == rows[:1]
    assert venue.rows("historical-pnl", createdBeforeOrAt=rows[1]["createdAt"])["historicalPnl"] == rows[1:]
    assert venue.rows("historical-pnl", createdOnOrAfterHeight=rows[1]["blockHeight"])["historicalPnl"] == rows[:2]
    newer = venue.rows("pnl")["pnl"]
    assert newer[0].keys() == {"equity", "totalPnl", "netTransfers", "createdAt", "createdAtHeight"}
    assert len(newer) == 3
    assert venue.rows("pnl", daily="true")["pnl"] == newer[:1]
    parent = venue.get("historical-pnl/parentSubaccountNumber", address=ADDRESSES[0], parentSubaccountNumber=0)
    assert parent["historicalPnl"] == rows
