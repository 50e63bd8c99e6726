"""Reads: every request answers, and books, histories and pages are what they say."""

from __future__ import annotations

from typing import Any
from typing import get_args as members

import pytest
from latentspeed_hyperliquid.sandbox import requests, subscriptions

from latentspeed_cli.sandbox.accounts import ADDRESSES

ME = ADDRESSES[0]
NOBODY = "0x00000000000000000000000000000000000000aa"
FIELDS: dict[str, Any] = {
    "user": ME,
    "coin": "BTC",
    "oid": 1,
    "id": 56,
    "startTime": 0,
    "builder": ADDRESSES[1],
    "source": ADDRESSES[1],
    "req": {"coin": "BTC", "interval": "1h", "startTime": 1_789_990_000_000, "endTime": 1_790_000_000_000},
}
KINDS = [kind.__struct_config__.tag for kind in members(requests.Info)]
OK = {"status": "ok", "response": {"type": "default"}}
CHANNELS = [kind.__struct_config__.tag for kind in members(subscriptions.AnySubscription)]


@pytest.fixture
def used(moving: Any) -> Any:
    """An account with a position, an isolated one, orders, fills and a sub-account."""
    moving.control("volume", address=ME, amount="100000")
    moving.act({"type": "createSubAccount", "name": "sub"})
    moving.act({"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 5})
    moving.place(moving.order("buy", "0.01", "85000", "Ioc"))
    moving.place(moving.order("sell", "0.1", "2800", "Ioc", asset=1))
    moving.rest("buy", "0.01", "80000")
    return moving


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("user", [ME, NOBODY])
def test_every_request_answers(used: Any, kind: str, user: str) -> None:
    shape = next(one for one in members(requests.Info) if one.__struct_config__.tag == kind)
    fields = {name: FIELDS[name] for name in shape.__struct_fields__ if name in FIELDS}
    if "user" in fields:
        fields["user"] = user
    answer = used.info(type=kind, **fields)
    if user == NOBODY and kind in {"openOrders", "userFills", "historicalOrders", "userFunding", "extraAgents"}:
        assert answer == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_is_acknowledged_and_survives_news(used: Any, channel: str) -> None:
    shape = next(one for one in members(subscriptions.AnySubscription) if one.__struct_config__.tag == channel)
    fields = {name: FIELDS[name] for name in shape.__struct_fields__ if name in FIELDS}
    if "interval" in shape.__struct_fields__:
        fields["interval"] = "1m"
    socket = used.connect()
    answer = used.subscribe(socket, type=channel, **fields)
    assert answer[0]["channel"] == "subscriptionResponse"
    name = "user" if channel == "userEvents" else channel
    assert all(frame["channel"] == name for frame in answer[1:])
    used.place(used.order("buy", "0.01", "85000", "Ioc"))
    used.wait(14_000)
    assert used.closes == []
    assert all(frame["channel"] in {name, "subscriptionResponse"} for frame in used.take(socket))


def test_an_unknown_user_is_an_empty_account(venue: Any) -> None:
    state = venue.info(type="clearinghouseState", user=NOBODY)
    assert state["marginSummary"]["accountValue"] == "0.0"
    assert state["assetPositions"] == []
    assert venue.info(type="userRole", user=NOBODY) == {"role": "missing"}
    assert venue.info(type="spotClearinghouseState", user=NOBODY) == {"balances": []}
    assert venue.info(type="preTransferCheck", user=NOBODY, source=ME)["userExists"] is False


def test_what_the_official_client_asks_of_stakes_and_auctions(venue: Any) -> None:
    summary = venue.info(type="delegatorSummary", user=ME)
    assert summary == {
        "delegated": "0.0",
        "undelegated": "0.0",
        "totalPendingWithdrawal": "0.0",
        "nPendingWithdrawals": 0,
    }
    for kind in ("delegations", "delegatorRewards", "delegatorHistory"):
        assert venue.info(type=kind, user=ME) == []
    auction = {"startTimeSeconds", "durationSeconds", "startGas", "currentGas", "endGas"}
    for kind in ("perpDeployAuctionStatus", "spotPairDeployAuctionStatus"):
        assert set(venue.info(type=kind)) == auction
    assert venue.info(type="spotDeployState", user=ME)["states"] == []


def test_margin_tables_one_by_one(venue: Any) -> None:
    for number, table in venue.info(type="meta")["marginTables"]:
        assert venue.info(type="marginTable", id=number) == table
    single = venue.info(type="marginTable", id=3)
    assert single["marginTiers"] == [{"lowerBound": "0.0", "maxLeverage": 3}]
    assert venue.http("/info", b'{"type":"marginTable","id":4000}') == (500, b"null")


def test_an_account_on_a_dex_that_does_not_exist_is_empty_now(used: Any) -> None:
    state = used.info(type="clearinghouseState", user=ME, dex="xyz")
    assert (state["assetPositions"], state["marginSummary"]["accountValue"]) == ([], "0.0")
    assert state["time"] == used.now_ns // 1_000_000
    assert used.info(type="clearinghouseState", user=ME, dex="")["assetPositions"]


class TestBooks:
    @pytest.fixture
    def seeded(self, venue: Any) -> Any:
        venue.control(
            "seed_book",
            coin="BTC",
            bids=[["83999", "1"], ["83995", "2"], ["83990", "4"], ["83100", "8"]],
            asks=[["84001", "1"], ["84005", "2"], ["84010", "4"], ["84900", "8"]],
        )
        return venue

    def levels(self, venue: Any, **how: Any) -> list[list[tuple[str, str, int]]]:
        book = venue.info(type="l2Book", coin="BTC", **how)
        return [[(level["px"], level["sz"], level["n"]) for level in side] for side in book["levels"]]

    @pytest.mark.parametrize(
        ("how", "bids", "asks"),
        [
            (
                {"nSigFigs": 4},
                [("83990.0", "7.0", 3), ("83100.0", "8.0", 1)],
                [("84010.0", "7.0", 3), ("84900.0", "8.0", 1)],
            ),
            (
                {"nSigFigs": 3},
                [("83900.0", "7.0", 3), ("83100.0", "8.0", 1)],
                [("84100.0", "7.0", 3), ("84900.0", "8.0", 1)],
            ),
            ({"nSigFigs": 2}, [("83000.0", "15.0", 4)], [("85000.0", "15.0", 4)]),
            (
                {"nSigFigs": 5, "mantissa": 5},
                [("83995.0", "3.0", 2), ("83990.0", "4.0", 1), ("83100.0", "8.0", 1)],
                [("84005.0", "3.0", 2), ("84010.0", "4.0", 1), ("84900.0", "8.0", 1)],
            ),
        ],
    )
    def test_aggregation_rounds_outwards(self, seeded: Any, how: Any, bids: Any, asks: Any) -> None:
        assert self.levels(seeded, **how) == [bids, asks]
        assert seeded.info(type="l2Book", coin="BTC", **how)["spread"] == "2.0"

    def test_plain_and_five_figures_are_the_same_here(self, seeded: Any) -> None:
        assert self.levels(seeded) == self.levels(seeded, nSigFigs=5)
        assert "spread" not in seeded.info(type="l2Book", coin="BTC")

    def test_orders_at_one_price_are_one_level(self, seeded: Any) -> None:
        seeded.rest("buy", "0.5", "83999")
        assert self.levels(seeded)[0][0] == ("83999.0", "1.5", 2)

    def test_mids_of_one_sided_books_are_the_last_trade(self, seeded: Any) -> None:
        assert seeded.info(type="allMids")["BTC"] == "84000.0"
        seeded.place(seeded.order("buy", "15", "84900", "Ioc"))
        seeded.control("seed_book", coin="BTC", bids=[["83999", "1"]])
        assert seeded.info(type="allMids")["BTC"] == "84900.0"
        context = seeded.info(type="metaAndAssetCtxs")[1][0]
        assert (context["midPx"], context["impactPxs"], context["premium"]) == (None, None, None)


class TestPages:
    def test_fills_by_time_include_both_ends_oldest_first(self, moving: Any) -> None:
        times = []
        for _ in range(4):
            moving.place(moving.order("buy", "0.01", "85000", "Ioc"))
            times.append(moving.now_ns // 1_000_000)
            moving.wait(140)
        found = moving.info(type="userFillsByTime", user=ME, startTime=times[1], endTime=times[2])
        assert [fill["time"] for fill in found] == times[1:3]
        back = moving.info(type="userFillsByTime", user=ME, startTime=0, reversed=True)
        assert [fill["time"] for fill in back] == times[::-1]

    def test_aggregation_sums_one_orders_fills(self, venue: Any) -> None:
        venue.control("seed_book", coin="BTC", asks=[["84000", "0.1"], ["84010", "0.3"]])
        venue.place(venue.order("buy", "0.4", "84010", "Ioc"))
        plain = venue.info(type="userFills", user=ME)
        [summed] = venue.info(type="userFills", user=ME, aggregateByTime=True)
        assert len(plain) == 2
        assert (summed["px"], summed["sz"], summed["tid"]) == ("84007.5", "0.4", plain[1]["tid"])
        fee = sum(round(float(fill["fee"]) * 10**6) for fill in plain)
        assert round(float(summed["fee"]) * 10**6) == fee

    def test_funding_history_is_at_most_500_rows(self, venue: Any) -> None:
        rows = venue.info(type="fundingHistory", coin="BTC", startTime=0)
        assert len(rows) == 500


class TestTransfers:
    def refused(self, answer: Any) -> str:
        assert answer["status"] == "err"
        return str(answer["response"])

    def test_withdrawing(self, venue: Any) -> None:
        assert venue.user_signed("withdraw3", destination=ME, amount="101") == OK
        assert venue.info(type="clearinghouseState", user=ME)["withdrawable"] == "99899.0"
        assert self.refused(venue.user_signed("withdraw3", destination=ME, amount="1000000")) == (
            "Insufficient balance for withdrawal"
        )
        [update] = venue.info(type="userNonFundingLedgerUpdates", user=ME, startTime=0)
        assert (update["delta"]["type"], update["delta"]["usdc"], update["delta"]["fee"]) == (
            "withdraw",
            "100.0",
            "1.0",
        )

    def test_spot_sends(self, venue: Any) -> None:
        venue.user_signed("usdClassTransfer", amount="50", toPerp=False)
        token = "USDC:0x6d1e7cde53ba9467b783cb7c530ce054"
        assert venue.user_signed("spotSend", destination=ADDRESSES[1], token=token, amount="20") == OK
        balances = venue.info(type="spotClearinghouseState", user=ADDRESSES[1])["balances"]
        assert balances[0]["total"] == "20.0"
        assert self.refused(venue.user_signed("spotSend", destination=ADDRESSES[1], token="PURR:0x1", amount="1")) == (
            "Unknown token PURR:0x1"
        )

    def test_sends_between_classes(self, venue: Any) -> None:
        fields = {"sourceDex": "", "destinationDex": "spot", "token": "USDC", "fromSubAccount": ""}
        assert venue.user_signed("sendAsset", destination=ME, amount="3", **fields) == OK
        assert self.refused(venue.user_signed("sendAsset", destination=ME, amount="0", **fields)) == (
            "Send amount cannot be zero"
        )
        bad = {**fields, "destinationDex": "xyz"}
        assert self.refused(venue.user_signed("sendAsset", destination=ME, amount="1", **bad)) == "Invalid perp DEX"

    def test_an_agents_send_stays_at_home(self, venue: Any) -> None:
        nonce = venue.now_ns // 1_000_000 + 5
        action = {
            "type": "agentSendAsset",
            "destination": ADDRESSES[1],
            "sourceDex": "",
            "destinationDex": "spot",
            "token": "USDC:0xeb62eee3685fc4c43992febcd9e75443",
            "amount": "1",
            "fromSubAccount": "",
            "nonce": nonce,
        }
        assert self.refused(venue.act(action, nonce=nonce)) == (
            "Agent can only send asset to same user or their sub-accounts."
        )
        assert venue.act({**action, "destination": ME, "nonce": nonce + 1}, nonce=nonce + 1) == OK

    def test_an_unknown_vault(self, venue: Any) -> None:
        dead = "0x000000000000000000000000000000000000dead"
        action = {"type": "vaultTransfer", "vaultAddress": dead, "isDeposit": True, "usd": 1}
        assert self.refused(venue.act(action)) == f"Vault not registered: {dead}"

    def test_twaps_are_refused_as_such(self, venue: Any) -> None:
        twap = {"a": 0, "b": True, "s": "1", "r": False, "m": 30, "t": True}
        answer = venue.act({"type": "twapOrder", "twap": twap})["response"]
        assert answer["type"] == "twapOrder"
        assert "error" in answer["data"]["status"]
        answer = venue.act({"type": "twapCancel", "a": 0, "t": 5})["response"]
        assert answer["data"]["status"] == {"error": "TWAP was never placed, already canceled, or filled."}
