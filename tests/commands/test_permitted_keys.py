"""A key that an account has permitted trades for it on the local chain; the account's own words decide how far."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from latentspeed_dydx_v4 import chain_state, tx
from latentspeed_dydx_v4.auth import signature
from latentspeed_dydx_v4.constants import ACCOUNT, BROADCAST_TX
from latentspeed_dydx_v4.node import AUTHENTICATORS, account_query, authenticators
from latentspeed_dydx_v4.protowire import data, number
from latentspeed_dydx_v4.sandbox.universe import USDC_DENOM
from latentspeed_dydx_v4.wallet import private_key

from latentspeed_cli.keys import Secret

from .conftest import Exchange, Terminal, leave_nothing

OWNER = 5
RESTING = ["place", "buy", "BTC-USD", "0.01", "mid-1%", "--post-only"]
FILTER = "/dydxprotocol.clob.MsgPlaceOrder"


class Owner:
    """The account that permits: it signs with its own key, which the command line does not have."""

    def __init__(self, exchange: Exchange) -> None:
        venue = exchange.venues[exchange.venue]
        assert venue.node_url is not None
        self.exchange = exchange
        self.address = venue.accounts[OWNER].address
        self.key = private_key(Secret(venue.accounts[OWNER].private_key))
        self.chain_id = venue.chain_id or ""
        self.trader_public_key = private_key(Secret(venue.accounts[0].private_key)).public_key.format()
        self.channel = grpc.insecure_channel(venue.node_url)

    def permit(self, kind: str, config: bytes) -> str:
        """Add an authenticator; its id."""
        before = self.ids()
        self._change("MsgAddAuthenticator", data(2, kind.encode()) + data(3, config))
        (added,) = self.ids() - before
        return str(added)

    def remove(self, one: int) -> None:
        self._change("MsgRemoveAuthenticator", number(2, one))

    def ids(self) -> set[int]:
        return {one.id for one in authenticators(self._ask(AUTHENTICATORS, account_query(self.address)))}

    def _change(self, name: str, rest: bytes) -> None:
        known = chain_state.account(self._ask(ACCOUNT, account_query(self.address)), self.address)
        body = tx.body(((f"/dydxprotocol.accountplus.{name}", data(1, self.address.encode()) + rest),))
        fee = tx.fee_of(200_000, ((USDC_DENOM, "5000"),))
        info = tx.auth_info(tx.signer_of(self.key.public_key.format()), time.time_ns() // 1_000_000, fee=fee)
        content = tx.content(body, info)
        signed = content + tx.signatures(signature(self.key, content + tx.domain(self.chain_id, known.number)))
        said = tx.broadcast_response(self._ask(BROADCAST_TX, tx.broadcast_request(signed)))
        assert said.code == 0, said.raw_log
        self.exchange.order("block", blocks=2)

    def _ask(self, method: str, body: bytes) -> bytes:
        answer: bytes = self.channel.unary_unary(f"/{method}")(body, timeout=10)
        return answer


@pytest.fixture
def owner(exchange: Exchange) -> Iterator[Owner]:
    owner = Owner(exchange.of("dydx_v4"))
    yield owner
    for one in owner.ids():
        owner.remove(one)
    owner.channel.close()


@pytest.fixture
def trader(tmp_path: Path, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A command line with a key of its own, which is not the owner's."""
    chain = exchange.of("dydx_v4")
    terminal = Terminal(tmp_path, chain, monkeypatch)
    sent = chain.sent()
    yield terminal
    leave_nothing(terminal, sent)


def test_a_permitted_key_trades_for_the_account_until_it_is_permitted_no_more(owner: Owner, trader: Terminal) -> None:
    for_owner = ["--account", owner.address, "-o", "json"]
    sent = owner.exchange.sent()
    assert trader.run([*RESTING, *for_owner]).code == 7
    assert owner.exchange.sent() == sent

    permitted = owner.permit("SignatureVerification", owner.trader_public_key)
    placed = trader.run([*RESTING, *for_owner])
    assert placed.code == 0, placed.err
    assert (placed.json["account"], placed.json["state"]) == (owner.address, "OPEN")
    assert trader.run(["status", placed.json["client_order_id"], *for_owner]).json["state"] == "OPEN"
    filled = trader.run(["place", "buy", "BTC-USD", "0.001", "--type", "market", *for_owner])
    assert (filled.code, filled.json["state"]) == (0, "FILLED"), filled.err
    cancelled = trader.run(["cancel", placed.json["client_order_id"], *for_owner])
    assert (cancelled.code, cancelled.json["state"]) == (0, "CANCELLED"), cancelled.err

    owner.remove(int(permitted))
    sent = owner.exchange.sent()
    refused = trader.run([*RESTING, *for_owner])
    assert refused.code == 7
    assert "not allowed to sign" in refused.error["message"]
    assert owner.exchange.sent() == sent


def test_the_profile_says_which_authenticator(owner: Owner, trader: Terminal) -> None:
    first = owner.permit("SignatureVerification", owner.trader_public_key)
    second = owner.permit("SignatureVerification", owner.trader_public_key)
    config = trader.home / "config.toml"
    for chosen, code in ((second, 0), (str(int(second) + 1), 7), (first, 0)):
        config.write_text(f'[profiles.a]\nauthenticator = "{chosen}"\n')
        config.chmod(0o600)
        trader.set("LATENTSPEED_CONFIG", str(config))
        shown = trader.run([*RESTING, "--dry-run", "-p", "a", "--account", owner.address, "-o", "json"])
        assert shown.code == code, shown.err
        if code == 0:
            assert shown.json["request"]["body"]["authenticator"] == int(chosen)


def test_what_a_filter_leaves_out_is_refused_by_the_chain(owner: Owner, trader: Terminal) -> None:
    """It may place and not cancel: the key is good, so only the chain can tell."""
    parts = (("SignatureVerification", owner.trader_public_key), ("MessageFilter", FILTER.encode()))
    config = json.dumps([{"type": kind, "config": base64.b64encode(part).decode()} for kind, part in parts])
    owner.permit("AllOf", config.encode())
    for_owner = ["--account", owner.address, "-o", "json"]
    placed = trader.run([*RESTING, *for_owner])
    assert placed.code == 0, placed.err
    cancel = ["cancel", placed.json["client_order_id"], *for_owner]
    refused = trader.run(cancel)
    assert (refused.code, refused.error["venue_code"]) == (7, "dydxaccountplus 104"), refused.err

    owner.permit("SignatureVerification", owner.trader_public_key)
    owner.remove(min(owner.ids()))
    assert trader.run(cancel).json["state"] == "CANCELLED"
