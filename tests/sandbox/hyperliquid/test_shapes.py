"""Keys and types of the answers equal those of recorded traffic."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from latentspeed_cli.sandbox.accounts import ADDRESSES

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings" / "hyperliquid"
pytestmark = [pytest.mark.recordings, pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings here")]

DECIMAL = re.compile(r"-?\d+\.\d+")
# Keys that appear only in some situations, on either side.
SOMETIMES = {
    "cloid", "reduceOnly", "builderFee", "liquidation", "isDelisted", "onlyIsolated", "marginMode", "spread", "rawUsd",
    "nRequestsSurplus", "isSnapshot", "fast",
}  # fmt: skip
# Keys that one side gained or lost over the years.
DRIFT = {"maxTradeSzs", "collateralToken", "cumFunding", "maxLeverage", "crossMaintenanceMarginUsed", "dayBaseVlm"}


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where two JSON values differ in shape. Numbers in strings must look alike; of lists the first element counts."""
    if ours is None or theirs is None:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{where}: {sorted(ours.keys() ^ theirs.keys() - SOMETIMES - DRIFT)}"]
        found = [] if not (ours.keys() ^ theirs.keys()) - SOMETIMES - DRIFT else found
        for key in ours.keys() & theirs.keys():
            found += differences(ours[key], theirs[key], f"{where}.{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        return differences(ours[0], theirs[0], f"{where}[0]") if ours and theirs else []
    if type(ours) is not type(theirs):
        return [f"{where}: {ours!r} against {theirs!r}"]
    if isinstance(ours, str) and bool(DECIMAL.fullmatch(ours)) != bool(DECIMAL.fullmatch(theirs)):
        return [f"{where}: {ours!r} against {theirs!r}"]
    return []


def frames(name: str, channel: str) -> list[Any]:
    lines = [json.loads(line) for line in (RECORDINGS / "ws" / name).read_text().splitlines() if line.strip()]
    return [line["data"] for line in lines if line["channel"] == channel]


def cassette(name: str, request_type: str | None = None) -> list[Any]:
    """Answers in a recorded YAML cassette of the SDK, as JSON."""
    loaded = yaml.safe_load((RECORDINGS / "http-info" / name).read_text())
    found = []
    for item in loaded["interactions"]:
        body = item["response"]["body"]
        text = body["string"] if isinstance(body, dict) else body
        if request_type is None or json.loads(item["request"]["body"])["type"] == request_type:
            found.append(json.loads(text))
    return found


def bytex(what: str) -> Any:
    items = json.loads((RECORDINGS / "http-info/bytex_mainnet_2026-09-25.json").read_text())
    [found] = [item["response"] for item in items if item["what"].startswith(what)]
    return found


@pytest.fixture
def busy(moving: Any) -> Any:
    """A venue where account 0 has a position, fills and an open order."""
    moving.place(moving.order("buy", "0.01", "85000", "Ioc", cloid="0x" + "ab" * 16))
    moving.rest("buy", "0.01", "80000", cloid="0x" + "cd" * 16)
    return moving


@pytest.mark.parametrize(
    ("what", "request_"),
    [
        ("meta", {"type": "meta"}),
        ("l2Book", {"type": "l2Book", "coin": "BTC"}),
        ("clearinghouseState", {"type": "clearinghouseState", "user": ADDRESSES[0]}),
        (
            "candleSnapshot",
            {
                "type": "candleSnapshot",
                "req": {"coin": "BTC", "interval": "1h", "startTime": 1_789_900_000_000, "endTime": 1_790_000_000_000},
            },
        ),
        ("fundingHistory", {"type": "fundingHistory", "coin": "BTC", "startTime": 1_789_900_000_000}),
    ],
)
def test_mainnet_2026(busy: Any, what: str, request_: dict[str, Any]) -> None:
    assert differences(busy.info(**request_), bytex(what)) == []


def test_meta_entries_are_the_recorded_ones(busy: Any) -> None:
    """Names, decimals, leverage and tables of every listed perp are mainnet's."""
    recorded = cassette("go_Meta.yaml")[0]
    known = {entry["name"]: entry for entry in recorded["universe"]}
    ours = busy.info(type="meta")
    for entry in ours["universe"]:
        if entry["name"] in known:
            assert entry == known[entry["name"]]
    assert [entry["name"] for entry in ours["universe"][:5]] == [e["name"] for e in recorded["universe"][:5]]
    assert ours["marginTables"] == [table for table in recorded["marginTables"] if table[0] >= 50]


def test_contexts(busy: Any) -> None:
    recorded = json.loads((RECORDINGS / "http-info/go_MetaAndAssetCtxs.trimmed.json").read_text())[0]["response"]
    assert differences(busy.info(type="metaAndAssetCtxs")[1], recorded[1]) == []
    assert len(busy.info(type="metaAndAssetCtxs")[1]) == len(busy.info(type="meta")["universe"])
    recorded = json.loads((RECORDINGS / "http-info/go_SpotMetaAndAssetCtxs.trimmed.json").read_text())["response"]
    ours = busy.info(type="spotMetaAndAssetCtxs")
    assert differences(ours[0], recorded[0]) == []
    assert differences(ours[1], recorded[1]) == []
    assert busy.info(type="spotMeta") == ours[0]


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("sdk_test_get_frontend_open_orders.yaml", {"type": "frontendOpenOrders"}),
        ("sdk_test_historical_orders.yaml", {"type": "historicalOrders"}),
        ("sdk_test_user_rate_limit.yaml", {"type": "userRateLimit"}),
    ],
)
def test_sdk_cassettes(busy: Any, name: str, request_: dict[str, Any]) -> None:
    [recorded] = cassette(name, request_["type"])
    assert differences(busy.info(**request_, user=ADDRESSES[0]), recorded) == []


def test_fees(busy: Any) -> None:
    recorded = json.loads((RECORDINGS / "http-info/rift_userFees_testnet.json").read_text())
    assert differences(busy.info(type="userFees", user=ADDRESSES[0]), recorded) == []


def test_predicted_fundings(busy: Any) -> None:
    recorded = json.loads((RECORDINGS / "http-info/tishden_misc.json").read_text())[0]["response"]
    ours = busy.info(type="predictedFundings")
    rows = dict(recorded[0][1])
    assert differences(dict(ours[0][1])["HlPerp"], rows["HlPerp"]) == []


def test_asset_data(busy: Any) -> None:
    path = RECORDINGS / "http-info/go_UserActiveAssetData.activeAssetData.json"
    recorded = json.loads(path.read_text())[0]["response"]
    assert differences(busy.info(type="activeAssetData", user=ADDRESSES[0], coin="HYPE"), recorded) == []


def test_open_orders(busy: Any) -> None:
    recorded = json.loads((RECORDINGS / "http-info/roq_info.jsonl").read_text().splitlines()[1])
    assert differences(busy.info(type="openOrders", user=ADDRESSES[0]), recorded) == []


@pytest.mark.parametrize(
    ("name", "subscription", "channel"),
    [
        ("roq_frames.jsonl", {"type": "l2Book", "coin": "BTC"}, "l2Book"),
        ("connector_testnet_2026-07-28.jsonl", {"type": "l2Book", "coin": "BTC", "fast": True}, "l2Book"),
        ("roq_frames.jsonl", {"type": "bbo", "coin": "SOL"}, "bbo"),
        ("roq_frames.jsonl", {"type": "trades", "coin": "SOL"}, "trades"),
        ("session_mainnet_slice.jsonl", {"type": "trades", "coin": "BTC"}, "trades"),
        ("roq_frames.jsonl", {"type": "activeAssetCtx", "coin": "SOL"}, "activeAssetCtx"),
        ("bytex_mainnet_2026-09-25.jsonl", {"type": "activeAssetCtx", "coin": "BTC"}, "activeAssetCtx"),
        ("bytex_mainnet_2026-09-25.jsonl", {"type": "candle", "coin": "BTC", "interval": "1m"}, "candle"),
        ("roq_frames.jsonl", {"type": "userFills", "user": ADDRESSES[0]}, "userFills"),
        ("copytrade_mainnet_userfills.trimmed.jsonl", {"type": "userFills", "user": ADDRESSES[0]}, "userFills"),
    ],
)
def test_first_frames(busy: Any, name: str, subscription: dict[str, Any], channel: str) -> None:
    socket = busy.connect()
    first = busy.subscribe(socket, **subscription)[1]
    assert first["channel"] == channel
    assert differences(first["data"], frames(name, channel)[0]) == []


def test_private_frames(busy: Any) -> None:
    socket = busy.connect()
    for kind in ("orderUpdates", "userEvents", "notification"):
        busy.subscribe(socket, type=kind, user=ADDRESSES[0])
    busy.place(busy.order("buy", "0.01", "85000", "Ioc", cloid="0x" + "ee" * 16))
    [message] = busy.take(socket, "orderUpdates")
    recorded = next(frame for frame in frames("roq_frames.jsonl", "orderUpdates") if len(frame) == 2)
    assert differences(message["data"], recorded) == []
    assert [entry["status"] for entry in message["data"]] == [entry["status"] for entry in recorded]
    [event] = busy.take(socket, "user")
    assert differences(event["data"], frames("roq_frames.jsonl", "user")[0]) == []


def test_answers_of_exchange(busy: Any) -> None:
    recorded = [json.loads(line) for line in (RECORDINGS / "http-exchange/roq_acks.jsonl").read_text().splitlines()]
    cloid = "0x" + "12" * 16
    resting = busy.act({"type": "order", "orders": [busy.order("buy", "0.01", "80000", cloid=cloid)], "grouping": "na"})
    assert differences(resting, recorded[0]) == []
    cloid = "0x" + "34" * 16
    order = busy.order("buy", "0.01", "85000", "Ioc", cloid=cloid)
    assert differences(busy.act({"type": "order", "orders": [order], "grouping": "na"}), recorded[1]) == []


def test_recorded_requests_have_the_recorded_shape_of_answer(busy: Any) -> None:
    """The venue's own answers to five signed requests, from an account that does not exist here."""
    path = RECORDINGS / "http-exchange/testnet_signed_requests_2026-09-07.json"
    for item in json.loads(path.read_text()):
        answer = busy.post(item["request"])
        if item["request"]["action"]["type"] in {"usdSend", "approveAgent"}:
            expected = f"Must deposit before performing actions. User: {item['recoveredSigner']}"
        else:
            expected = f"User or API Wallet {item['recoveredSigner']} does not exist."
        assert answer == {"status": "err", "response": expected}
