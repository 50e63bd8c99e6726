"""The node's queries, read with cosmpy's own protobuf classes where it has them."""

from __future__ import annotations

from typing import Any

from cosmpy.protos.cosmos.auth.v1beta1 import auth_pb2
from cosmpy.protos.cosmos.auth.v1beta1 import query_pb2 as auth_query
from cosmpy.protos.cosmos.bank.v1beta1 import query_pb2 as bank_query
from cosmpy.protos.cosmos.base.tendermint.v1beta1 import query_pb2 as tendermint_query
from cosmpy.protos.cosmos.crypto.secp256k1.keys_pb2 import PubKey
from cosmpy.protos.cosmos.tx.v1beta1 import service_pb2
from latentspeed_dydx_v4.sandbox import node_messages as m
from latentspeed_dydx_v4.sandbox import query_messages as q
from latentspeed_dydx_v4.sandbox import tx_messages as t
from latentspeed_dydx_v4.sandbox import wire
from latentspeed_dydx_v4.sandbox.accounts import ADDRESSES
from latentspeed_dydx_v4.sandbox.queries import serializable
from latentspeed_dydx_v4.sandbox.universe import USDC_DENOM

LOT, TICK = 1_000_000, 100_000
LOW = 80_000 * TICK
TX = "/cosmos.tx.v1beta1.Service/"


def account(venue: Any, address: str) -> Any:
    request = auth_query.QueryAccountRequest(address=address)
    answer = venue.grpc("/cosmos.auth.v1beta1.Query/Account", request, auth_query.QueryAccountResponse())
    assert answer.account.type_url == "/cosmos.auth.v1beta1.BaseAccount"
    return auth_pb2.BaseAccount.FromString(answer.account.value)


def test_accounts_show_the_committed_sequence_and_the_key_once_it_signed(venue: Any) -> None:
    fresh = account(venue, ADDRESSES[3])
    assert (fresh.account_number, fresh.sequence, fresh.HasField("pub_key")) == (3, 0, False)
    venue.place("buy", LOT, LOW, "long", key=1)
    assert account(venue, ADDRESSES[1]).sequence == 0
    venue.block()
    known = account(venue, ADDRESSES[1])
    assert known.sequence == 1
    assert PubKey.FromString(known.pub_key.value).key == venue.wallets[1].public_key().public_key_bytes


def test_an_address_that_never_had_a_coin_has_no_account(venue: Any) -> None:
    stranger = "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art"
    body = auth_query.QueryAccountRequest(address=stranger).SerializeToString()
    code, text = venue.model.grpc("/cosmos.auth.v1beta1.Query/Account", body, venue.now_ns)
    assert (code, text) == (5, f"account {stranger} not found".encode())


def test_the_latest_block(venue: Any) -> None:
    venue.pass_time(1.28)
    answer = venue.grpc(
        "/cosmos.base.tendermint.v1beta1.Service/GetLatestBlock",
        tendermint_query.GetLatestBlockRequest(),
        tendermint_query.GetLatestBlockResponse(),
    )
    assert answer.block.header.height == answer.sdk_block.header.height == 50_000_002
    assert answer.block.header.chain_id == "localdydxprotocol"
    assert answer.block.header.time.ToNanoseconds() == 1_790_000_001_280_000_000
    node = venue.grpc(
        "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo",
        tendermint_query.GetNodeInfoRequest(),
        tendermint_query.GetNodeInfoResponse(),
    )
    assert node.default_node_info.network == "localdydxprotocol"


def test_balances(venue: Any) -> None:
    request = bank_query.QueryBalanceRequest(address=ADDRESSES[0], denom=USDC_DENOM)
    one = venue.grpc("/cosmos.bank.v1beta1.Query/Balance", request, bank_query.QueryBalanceResponse())
    assert (one.balance.denom, one.balance.amount) == (USDC_DENOM, "1000000000")
    every = venue.grpc(
        "/cosmos.bank.v1beta1.Query/AllBalances",
        bank_query.QueryAllBalancesRequest(address=ADDRESSES[0]),
        bank_query.QueryAllBalancesResponse(),
    )
    assert {coin.denom for coin in every.balances} == {USDC_DENOM, "adv4tnt"}


def test_transactions_are_found_once_they_are_in_a_block(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW, "long"))
    sent = venue.send(raw)
    request = service_pb2.GetTxRequest(hash=sent.txhash)
    code, text = venue.model.grpc(TX + "GetTx", request.SerializeToString(), venue.now_ns)
    assert (code, text) == (5, f"tx not found: {sent.txhash}".encode())
    venue.block()
    found = venue.grpc(TX + "GetTx", request, service_pb2.GetTxResponse())
    assert (found.tx_response.code, found.tx_response.height) == (0, venue.height)
    assert found.tx_response.txhash == sent.txhash
    assert found.tx.body.messages[0].type_url == "/dydxprotocol.clob.MsgPlaceOrder"
    assert found.tx.signatures[0] == wire.decode(t.TxRaw, raw).signatures[0]
    short = venue.submit(venue.order("buy", LOT, LOW))
    venue.block()
    request = service_pb2.GetTxRequest(hash=short.txhash)
    assert venue.model.grpc(TX + "GetTx", request.SerializeToString(), venue.now_ns)[0] == 5


def test_broadcast_modes(venue: Any) -> None:
    raw = venue.sign(venue.order("buy", LOT, LOW + 1))
    for mode in (0, 1):
        body = service_pb2.BroadcastTxRequest(tx_bytes=raw, mode=mode).SerializeToString()
        code, text = venue.model.grpc(TX + "BroadcastTx", body, venue.now_ns)
        assert (code, text) == (2, b"unsupported return type unspecified; supported types: sync, async")
    request = service_pb2.BroadcastTxRequest(tx_bytes=raw, mode=service_pb2.BROADCAST_MODE_ASYNC)
    assert venue.grpc(TX + "BroadcastTx", request, service_pb2.BroadcastTxResponse()).tx_response.code == 0
    empty = service_pb2.BroadcastTxRequest(mode=2).SerializeToString()
    assert venue.model.grpc(TX + "BroadcastTx", empty, venue.now_ns) == (3, b"invalid empty tx")


def test_simulate_says_what_gas_is_used(venue: Any) -> None:
    transfer = t.MsgCreateTransfer(
        transfer=t.Transfer(
            sender=t.SubaccountId(owner=ADDRESSES[0]),
            recipient=t.SubaccountId(owner=ADDRESSES[0], number=1),
            amount=10**6,
        )
    )
    request = service_pb2.SimulateRequest(tx_bytes=venue.sign(transfer))
    answer = venue.grpc(TX + "Simulate", request, service_pb2.SimulateResponse())
    gas = answer.gas_info.gas_used * 18 // 10
    assert venue.submit(transfer, gas=gas, fee=-(-gas * 25 // 1000)).code == 0
    stale = service_pb2.SimulateRequest(tx_bytes=venue.sign(transfer, sequence=9)).SerializeToString()
    code, text = venue.model.grpc(TX + "Simulate", stale, venue.now_ns)
    assert (code, text.endswith(b"incorrect account sequence with gas used: '0'")) == (2, True)


def test_markets_fees_and_limits(venue: Any) -> None:
    pair = venue.query("/dydxprotocol.clob.Query/ClobPair", m.ByNumber(id=1), q.ClobPairResponse).clob_pair
    assert (pair.step_base_quantums, pair.subticks_per_tick, pair.quantum_conversion_exponent) == (10**6, 10**5, -9)
    pairs = venue.query("/dydxprotocol.clob.Query/ClobPairAll", m.Empty(), q.ClobPairsResponse)
    assert {row.id: row.status for row in pairs.clob_pair}[3] == 6
    perpetual = venue.query("/dydxprotocol.perpetuals.Query/Perpetual", m.ByNumber(id=28), q.PerpetualResponse)
    assert perpetual.perpetual.params.atomic_resolution == 1
    price = venue.query("/dydxprotocol.prices.Query/MarketPrice", m.ByNumber(), q.MarketPriceResponse).market_price
    assert (price.price, price.exponent) == (84_012 * 10**5, -5)
    path = "/dydxprotocol.feetiers.Query/UserFeeTier"
    tier = venue.query(path, m.ByAddress(address=ADDRESSES[0]), q.UserFeeTierResponse).tier
    assert (tier.maker_fee_ppm, tier.taker_fee_ppm) == (100, 500)
    path = "/dydxprotocol.clob.Query/EquityTierLimitConfiguration"
    tiers = venue.query(path, m.Empty(), q.EquityTiersResponse).equity_tier_limit_config.stateful_order_equity_tiers
    assert [row.limit for row in tiers] == [0, 1_000, 2_000, 4_000, 10_000, 20_000]
    assert tiers[1].usd_tnc_required == serializable(20_000_000) == b"\x02\x01\x31\x2d\x00"
    path = "/dydxprotocol.clob.Query/BlockRateLimitConfiguration"
    rules = venue.query(path, m.Empty(), q.RateRulesResponse).block_rate_limit_config
    assert [(rule.num_blocks, rule.limit) for rule in rules.max_stateful_orders_per_n_blocks] == [
        (1, 200),
        (100, 2_000),
    ]


def test_serializable_integers() -> None:
    assert [serializable(value) for value in (0, 1, -1, 256, -256)] == [
        b"\x02",
        b"\x02\x01",
        b"\x03\x01",
        b"\x02\x01\x00",
        b"\x03\x01\x00",
    ]


def test_subaccounts_are_shown_as_committed(venue: Any) -> None:
    path, request = "/dydxprotocol.subaccounts.Query/Subaccount", m.BySubaccount(owner=ADDRESSES[0])
    venue.place("buy", LOT, 90_000 * TICK, tif="ioc")
    assert venue.query(path, request, q.SubaccountResponse).subaccount.perpetual_positions == ()
    venue.block()
    found = venue.query(path, request, q.SubaccountResponse).subaccount
    assert found.perpetual_positions[0].quantums == serializable(LOT)
    assert found.asset_positions[0].quantums == serializable(100_000_000_000 - 8_401_200 - 4_201)
    nobody = venue.query(path, m.BySubaccount(owner=ADDRESSES[0], number=77), q.SubaccountResponse).subaccount
    assert (nobody.asset_positions, nobody.id.number) == ((), 77)


def test_user_stats_count_both_sides(venue: Any) -> None:
    venue.place("buy", LOT, 90_000 * TICK, tif="ioc")
    request = m.ByAddress(address=ADDRESSES[0])
    stats = venue.query("/dydxprotocol.stats.Query/UserStats", request, q.UserStatsResponse).stats
    assert (stats.taker_notional, stats.maker_notional) == (8_401_200, 0)


def test_a_stateful_query_for_a_short_term_id_panics(venue: Any) -> None:
    body = wire.encode(m.ByOrder(order_id=t.OrderId(subaccount_id=t.SubaccountId(owner=ADDRESSES[0]), client_id=1)))
    code, text = venue.model.grpc("/dydxprotocol.clob.Query/StatefulOrder", body, venue.now_ns)
    assert (code, text.startswith(b"panic")) == (13, True)


def test_unknown_methods_and_unreadable_requests(venue: Any) -> None:
    assert venue.model.grpc("/dydxprotocol.vault.Query/Params", b"", venue.now_ns)[0] == 12
    assert venue.model.grpc(TX + "GetTx", b"\xff\xff", venue.now_ns)[0] == 13


def test_the_node_can_be_away_before_and_after_it_did_its_work(venue: Any) -> None:
    body = service_pb2.BroadcastTxRequest(tx_bytes=venue.sign(venue.order("buy", LOT, LOW)), mode=2).SerializeToString()
    venue.control("unavailable")
    assert venue.model.grpc(TX + "BroadcastTx", body, venue.now_ns)[0] == 14
    assert venue.rows("orders") == []
    venue.control("unavailable", after=True)
    assert venue.model.grpc(TX + "BroadcastTx", body, venue.now_ns)[0] == 14
    assert len(venue.rows("orders")) == 1
