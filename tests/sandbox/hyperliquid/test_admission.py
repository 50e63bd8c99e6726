"""Who may act: signer, vault, nonce, expiry, agents, rate limits, and the order of these checks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account

from latentspeed_cli.sandbox.accounts import ADDRESSES

STRANGER = "0x0123456789012345678901234567890123456789012345678901234567890123"
STRANGER_ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
AGENT = "0xe908f86dbb4d55ac876378565aafeabc187f6690f046459397b17d9b9a19688e"
AGENT_ADDRESS = "0xcd49bbac6e85fdeb167eb7ca41a945d2b8758f6f"
OTHER = "0x822e9959e022b78423eb653a62ea0020cd283e71a2a8133a6ff2aeffaf373cff"
OTHER_ADDRESS = "0xe5ca49fb3bd9a581f0d1ef9cb5d7177da08bf901"
NOOP = {"type": "noop"}
OK = {"status": "ok", "response": {"type": "default"}}


def err(text: str) -> dict[str, str]:
    return {"status": "err", "response": text}


def test_a_known_signer_may_act(venue: Any) -> None:
    assert venue.act(NOOP) == OK


def test_an_unknown_signer_does_not_exist_and_uses_no_nonce(venue: Any) -> None:
    envelope = venue.sign(NOOP, key=STRANGER)
    for _ in range(2):
        assert venue.post(envelope) == err(f"User or API Wallet {STRANGER_ADDRESS} does not exist.")


def test_a_signature_that_recovers_nobody(venue: Any) -> None:
    envelope = venue.sign(NOOP)
    envelope["signature"]["r"] = "0x0"
    assert venue.post(envelope) == err("Unable to recover signer.")


def test_an_unpadded_signature_is_taken(venue: Any) -> None:
    for _ in range(600):
        envelope = venue.sign(NOOP)
        if len(envelope["signature"]["r"]) < 66:
            break
    assert len(envelope["signature"]["r"]) < 66
    assert venue.post(envelope) == OK


def test_a_foreign_vault_is_not_registered_and_uses_no_nonce(venue: Any) -> None:
    envelope = venue.sign(NOOP, vault=ADDRESSES[1])
    for _ in range(2):
        assert venue.post(envelope) == err(f"Vault not registered: {ADDRESSES[1]}")


class TestNonces:
    def test_duplicate(self, venue: Any) -> None:
        envelope = venue.sign(NOOP)
        assert venue.post(envelope) == OK
        assert venue.post(envelope) == err(f"Invalid nonce: duplicate nonce {envelope['nonce']}")

    def test_the_window(self, venue: Any) -> None:
        now = venue.now_ns // 1_000_000
        day = 86_400_000
        low, high = now - 2 * day, now + day
        assert venue.act(NOOP, nonce=low) == err(f"Invalid nonce: nonce too low {low} < {low}")
        assert venue.act(NOOP, nonce=high) == err(f"Invalid nonce: nonce too high {high} > {high}")
        assert venue.act(NOOP, nonce=low + 1) == OK
        assert venue.act(NOOP, nonce=high - 1) == OK

    def test_hundred_in_flight_out_of_order(self, venue: Any) -> None:
        base = venue.now_ns // 1_000_000
        for offset in [*range(0, 100, 2), *range(99, 0, -2)]:
            assert venue.act(NOOP, nonce=base + offset) == OK
        assert venue.act(NOOP, nonce=base + 100) == OK
        # The hundred highest are now base+1 to base+100: base is forgotten, but below them all.
        assert venue.act(NOOP, nonce=base) == err(f"Invalid nonce: nonce too low {base} < {base + 1}")
        assert venue.act(NOOP, nonce=base + 1) == err(f"Invalid nonce: duplicate nonce {base + 1}")

    def test_each_signer_has_its_own(self, venue: Any) -> None:
        nonce = venue.now_ns // 1_000_000
        assert venue.act(NOOP, key=0, nonce=nonce) == OK
        assert venue.act(NOOP, key=1, nonce=nonce) == OK

    def test_a_refusal_after_admission_uses_the_nonce(self, venue: Any) -> None:
        action = {"type": "order", "orders": [venue.order("buy", "0.00001", "80000")], "grouping": "na"}
        envelope = venue.sign(action)
        assert "error" in venue.post(envelope)["response"]["data"]["statuses"][0]
        assert venue.post(envelope) == err(f"Invalid nonce: duplicate nonce {envelope['nonce']}")


class TestExpiry:
    def test_passed(self, venue: Any) -> None:
        now = venue.now_ns // 1_000_000
        envelope = venue.sign(NOOP, expires=now - 1)
        assert venue.post(envelope) == err("Action already expired")
        assert venue.post(envelope) == err(f"Invalid nonce: duplicate nonce {envelope['nonce']}")
        assert venue.act(NOOP, expires=now) == OK

    def test_costs_five(self, venue: Any) -> None:
        before = venue.info(type="userRateLimit", user=ADDRESSES[0])["nRequestsUsed"]
        venue.act(NOOP, expires=venue.now_ns // 1_000_000 - 1)
        assert venue.info(type="userRateLimit", user=ADDRESSES[0])["nRequestsUsed"] == before + 5

    def test_it_is_part_of_the_hash(self, venue: Any) -> None:
        envelope = venue.sign(NOOP, expires=venue.now_ns // 1_000_000 + 1_000)
        envelope["expiresAfter"] += 1
        assert "does not exist." in venue.post(envelope)["response"]


class TestAgents:
    def approve(self, venue: Any, address: str, name: str | None = None, key: int = 0) -> Any:
        fields = {"agentAddress": address} if name is None else {"agentAddress": address, "agentName": name}
        return venue.user_signed("approveAgent", key=key, **fields)

    def test_an_agent_acts_for_its_master(self, venue: Any) -> None:
        assert self.approve(venue, AGENT_ADDRESS) == OK
        oid = venue.rest("buy", "0.01", "80000", key=AGENT)
        assert venue.status(oid)["order"]["status"] == "open"
        assert venue.info(type="userRole", user=AGENT_ADDRESS) == {"role": "agent", "data": {"user": ADDRESSES[0]}}
        assert venue.info(type="openOrders", user=AGENT_ADDRESS) == []
        assert venue.info(type="extraAgents", user=ADDRESSES[0]) == []

    def test_names_expiry_and_listing(self, venue: Any) -> None:
        until = venue.now_ns // 1_000_000 + 60_000
        assert self.approve(venue, AGENT_ADDRESS, f"bot valid_until {until}") == OK
        assert venue.info(type="extraAgents", user=ADDRESSES[0]) == [
            {"name": "bot", "address": AGENT_ADDRESS, "validUntil": until}
        ]
        assert venue.act(NOOP, key=AGENT) == OK
        venue.now_ns += 61_000_000_000
        assert venue.act(NOOP, key=AGENT) == err(f"User or API Wallet {AGENT_ADDRESS} does not exist.")

    def test_replaced(self, venue: Any) -> None:
        self.approve(venue, AGENT_ADDRESS, "bot")
        assert self.approve(venue, OTHER_ADDRESS, "bot") == OK
        assert venue.act(NOOP, key=OTHER) == OK
        assert venue.act(NOOP, key=AGENT) == err(f"Must deposit before performing actions. User: {ADDRESSES[0]}")

    def test_removed(self, venue: Any) -> None:
        self.approve(venue, AGENT_ADDRESS, "bot")
        assert self.approve(venue, "0x" + "0" * 40, "bot") == OK
        assert venue.act(NOOP, key=AGENT) == err(f"User or API Wallet {AGENT_ADDRESS} does not exist.")
        assert self.approve(venue, OTHER_ADDRESS, "bot") == err("User has pending agent removal")
        venue.now_ns += 5_000_000_000
        assert self.approve(venue, OTHER_ADDRESS, "bot") == OK

    def test_refusals(self, venue: Any) -> None:
        for number in range(3):
            assert self.approve(venue, "0x" + f"{number + 1:040x}", f"bot{number}") == OK
        assert self.approve(venue, AGENT_ADDRESS, "one too many") == err(
            "Too many extra agents for cumulative volume traded. Current limit is 3"
        )
        assert self.approve(venue, "0x" + f"{1:040x}") == err("Extra agent already used.")
        past = venue.now_ns // 1_000_000 - 1
        assert self.approve(venue, AGENT_ADDRESS, f"bot1 valid_until {past}") == err(
            "Agent valid_until already expired."
        )

    def test_user_signed_by_an_agent_acts_on_the_agents_own_account(self, venue: Any) -> None:
        self.approve(venue, AGENT_ADDRESS)
        answer = venue.user_signed("usdSend", key=AGENT, destination=ADDRESSES[1], amount="1")
        assert answer == err(f"Must deposit before performing actions. User: {AGENT_ADDRESS}")

    def test_reserving_weight_is_not_for_agents(self, venue: Any) -> None:
        self.approve(venue, AGENT_ADDRESS)
        answer = venue.act({"type": "reserveRequestWeight", "weight": 10}, key=AGENT)
        assert answer["response"].startswith("Must deposit before performing actions. User: ")
        assert venue.act({"type": "reserveRequestWeight", "weight": 10}) == OK

    def test_they_outlive_a_restart(self, venue: Any, make_venue: Any) -> None:
        self.approve(venue, AGENT_ADDRESS, "bot")
        again = make_venue(rows=venue.rows(), now_ns=venue.now_ns)
        assert again.act(NOOP, key=AGENT) == OK


class TestSubAccounts:
    def make(self, venue: Any) -> str:
        venue.control("volume", address=ADDRESSES[0], amount="100000")
        answer = venue.act({"type": "createSubAccount", "name": "one"})
        assert answer["response"]["type"] == "createSubAccount"
        return str(answer["response"]["data"])

    def test_need_volume(self, venue: Any) -> None:
        assert venue.act({"type": "createSubAccount", "name": "one"}) == err(
            "Cannot create sub-accounts until enough volume traded. Required: $100000. Traded: $0."
        )

    def test_trade_through_vault_address(self, venue: Any) -> None:
        sub = self.make(venue)
        assert venue.info(type="userRole", user=sub) == {"role": "subAccount", "data": {"master": ADDRESSES[0]}}
        transfer = {"type": "subAccountTransfer", "subAccountUser": sub, "isDeposit": True, "usd": 1_000_000_000}
        assert venue.act(transfer) == OK
        [status] = venue.place(venue.order("buy", "0.01", "80000"), vault=sub)
        assert [order["oid"] for order in venue.info(type="openOrders", user=sub)] == [status["resting"]["oid"]]
        [listed] = venue.info(type="subAccounts", user=ADDRESSES[0])
        assert listed["clearinghouseState"]["marginSummary"]["accountValue"] == "1000.0"

    def test_invalid_transfer(self, venue: Any) -> None:
        action = {"type": "subAccountTransfer", "subAccountUser": ADDRESSES[1], "isDeposit": True, "usd": 1}
        assert venue.act(action) == err(f"Invalid sub-account transfer from {ADDRESSES[0]} to {ADDRESSES[1]}")


class TestLimits:
    def test_address_limit_lets_one_through_every_ten_seconds(self, make_venue: Any) -> None:
        from latentspeed_cli.sandbox.model import Scenario

        venue = make_venue(Scenario(name="venue", limits_factor=1, flow=False))
        venue.control("requests", address=ADDRESSES[0], used=10_000)
        assert venue.act(NOOP) == OK
        text = (
            "Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0. "
            "Place taker orders to free up 1 request per USDC traded."
        )
        assert venue.act(NOOP) == err(text)
        assert venue.act({"type": "cancel", "cancels": [{"a": 0, "o": 1}]})["status"] == "ok"
        venue.now_ns += 10_000_000_000
        assert venue.act(NOOP) == OK

    def test_a_batch_counts_its_items(self, venue: Any) -> None:
        venue.place(*[venue.order("buy", "0.01", "80000")] * 3)
        assert venue.info(type="userRateLimit", user=ADDRESSES[0])["nRequestsUsed"] == 3

    def test_over_200_items(self, venue: Any) -> None:
        action = {"type": "cancel", "cancels": [{"a": 0, "o": 1}] * 201}
        assert venue.act(action) == err("Signed action over weight limit of 200.")

    def test_ip_weight(self, make_venue: Any) -> None:
        from latentspeed_cli.sandbox.model import Scenario

        venue = make_venue(Scenario(name="venue", limits_factor=1, flow=False))
        for _ in range(60):
            assert venue.http("/info", b'{"type":"meta"}')[0] == 200
        assert venue.http("/info", b'{"type":"meta"}') == (429, b"null")
        assert venue.http("/exchange", json.dumps(venue.sign(NOOP)).encode()) == (429, b"null")
        venue.now_ns += 60_000_000_000
        assert venue.http("/info", b'{"type":"meta"}')[0] == 200

    def test_forced_429(self, venue: Any) -> None:
        venue.control("rate_limit", count=2)
        assert [venue.http("/info", b'{"type":"meta"}')[0] for _ in range(3)] == [429, 429, 200]


@pytest.mark.parametrize(
    ("amount", "text"), [("100001", "Insufficient balance for token transfer"), ("0.0000001", "Invalid send")]
)
def test_sends_that_are_refused(venue: Any, amount: str, text: str) -> None:
    assert venue.user_signed("usdSend", destination=ADDRESSES[1], amount=amount) == err(text)


def test_sends_move_money_and_make_accounts(venue: Any) -> None:
    new = Account.from_key(STRANGER).address.lower()
    assert venue.user_signed("usdSend", destination=new, amount="250.5") == OK
    state = venue.info(type="clearinghouseState", user=new)
    assert state["withdrawable"] == "250.5"
    assert venue.act(NOOP, key=STRANGER) == OK
    [update] = venue.info(type="userNonFundingLedgerUpdates", user=new, startTime=0)
    assert update["delta"] == {
        "type": "internalTransfer",
        "usdc": "250.5",
        "user": ADDRESSES[0],
        "destination": new,
        "fee": "0.0",
    }


def test_dollars_move_between_perp_and_spot(venue: Any) -> None:
    assert venue.user_signed("usdClassTransfer", amount="1000", toPerp=False) == OK
    assert venue.info(type="spotClearinghouseState", user=ADDRESSES[0])["balances"] == [
        {"coin": "USDC", "token": 0, "total": "1000.0", "hold": "0.0", "entryNtl": "0.0"}
    ]
    assert venue.info(type="clearinghouseState", user=ADDRESSES[0])["withdrawable"] == "99000.0"
    assert venue.user_signed("usdClassTransfer", amount="2000", toPerp=True) == err(
        "Insufficient balance for token transfer"
    )


def test_builder_fee_needs_approval(venue: Any) -> None:
    builder = {"b": ADDRESSES[2], "f": 10}
    order = venue.order("buy", "0.01", "84100", "Ioc")
    assert venue.place(order, builder=builder) == [{"error": "Builder fee has not been approved"}]
    assert venue.user_signed("approveBuilderFee", maxFeeRate="0.01%", builder=ADDRESSES[2]) == OK
    assert venue.info(type="maxBuilderFee", user=ADDRESSES[0], builder=ADDRESSES[2]) == 10
    assert venue.info(type="approvedBuilders", user=ADDRESSES[0]) == [ADDRESSES[2]]
    [status] = venue.place(order, builder=builder)
    assert status["filled"]["totalSz"] == "0.01"
    [fill] = venue.info(type="userFills", user=ADDRESSES[0])
    assert fill["builderFee"] == "0.084012"
    assert fill["fee"] == "0.462066"
    assert venue.place(order, builder={"b": ADDRESSES[2], "f": 11}) == [{"error": "Builder fee has not been approved"}]


def test_what_a_popular_client_sends_first(venue: Any) -> None:
    assert venue.act({"type": "setReferrer", "code": "CCXT1"}) == OK
    assert venue.act({"type": "setReferrer", "code": "NOBODY"}) == err("Referral code not registered")
    assert venue.info(type="userAbstraction", user=ADDRESSES[0]) == "default"
    assert venue.info(type="perpDexs") == [None]
