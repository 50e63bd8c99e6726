"""HTTP framing: statuses and bodies that are not JSON, and what the parser overlooks."""

from __future__ import annotations

import json
from typing import Any

import pytest

SHAPE = b"Failed to deserialize the JSON body into the target type"


def test_wrong_method_is_405_and_empty(venue: Any) -> None:
    assert venue.http("/info", b"", method="GET") == (405, b"")


@pytest.mark.parametrize("content", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_wrong_content_type_is_415(venue: Any, content: str) -> None:
    answer = venue.http("/info", b'{"type":"meta"}', content=content)
    assert answer == (415, b"Expected request with `Content-Type: application/json`")


@pytest.mark.parametrize("content", ["application/json; charset=utf-8", "application/vnd.api+json", "Application/JSON"])
def test_json_content_types_are_taken(venue: Any, content: str) -> None:
    assert venue.http("/info", b'{"type":"meta"}', content=content)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"type":"l2Book","coin":"\\ud800"}',
        b'{"action":{"type":"setReferrer","code":"\\uDFff"}}',
    ],
)
@pytest.mark.parametrize("path", ["/info", "/exchange"])
def test_no_json_is_400(venue: Any, path: str, body: bytes) -> None:
    assert venue.http(path, body) == (400, b"Failed to parse the request body as JSON")


@pytest.mark.parametrize(
    "request_",
    [
        {},
        [],
        "meta",
        {"type": "nothing"},
        {"type": "l2Book"},
        {"type": "l2Book", "coin": 5},
        {"type": "userFees", "user": "0x12"},
        {"type": "userFees", "user": "0X14c6c22e4ab2024d45168fa67c747bd65c2e56ae"},
        {"type": "orderStatus", "user": "0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae", "oid": "0x12"},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0, "endTime": 1}},
        ["userRole"],
        ["userRole", "0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae", 3, 4],
        {"type": "userFillsByTime", "user": "0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae"},
        {"type": "userFillsByTime", "user": "0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae", "startTime": -1},
        {"type": "orderStatus", "user": "0x14c6c22e4ab2024d45168fa67c747bd65c2e56ae", "oid": -1},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", "startTime": -1, "endTime": 1}},
        {"type": "fundingHistory", "coin": "BTC", "startTime": -1},
    ],
)
def test_wrong_shape_on_info_is_422(venue: Any, request_: Any) -> None:
    assert venue.http("/info", json.dumps(request_).encode()) == (422, SHAPE)


def test_info_overlooks_extra_fields_and_what_follows(venue: Any, addresses: tuple[str, ...]) -> None:
    assert venue.http("/info", b'  {"type":"meta","unknown":1} trailing')[0] == 200
    assert venue.http("/info", b'{"type":"meta","type":"meta"}') == (422, SHAPE)
    upper = addresses[0][2:].upper()
    positional = venue.http("/info", json.dumps(["userRole", upper]).encode())
    assert positional == (200, b'{"role":"user"}')


def test_a_whole_character_in_two_escapes_is_taken(venue: Any) -> None:
    assert venue.http("/info", b'{"type":"recentTrades","coin":"\\ud83d\\ude00"}') == (200, b"[]")


def spoilt(venue: Any, change: Any) -> tuple[int, bytes]:
    """A signed order with its envelope changed after signing."""
    action = {"type": "order", "orders": [venue.order("buy", "0.01", "80000")], "grouping": "na"}
    envelope = venue.sign(action)
    change(envelope)
    found: tuple[int, bytes] = venue.http("/exchange", json.dumps(envelope).encode())
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.update(extra=1),
        lambda e: e["action"].update(extra=1),
        lambda e: e["action"].update(type="nothing"),
        lambda e: e.pop("nonce"),
        lambda e: e.update(nonce="1"),
        lambda e: e["action"].pop("grouping"),
        lambda e: e["action"].update(grouping="other"),
        lambda e: e["action"]["orders"][0].update(p=80000),
        lambda e: e["action"]["orders"][0].update(p="-80000"),
        lambda e: e["action"]["orders"][0].update(p="8e4"),
        lambda e: e["action"]["orders"][0].update(p=""),
        lambda e: e["action"]["orders"][0].update(p="1.000000001"),
        lambda e: e["action"]["orders"][0].update(s="+1"),
        lambda e: e["action"]["orders"][0].update(s="1."),
        lambda e: e["action"]["orders"][0].update(s="\uff11"),
        lambda e: e["action"]["orders"][0].update(a="0"),
        lambda e: e["action"]["orders"][0].update(c="0x12"),
        lambda e: e["action"]["orders"][0].update(t={}),
        lambda e: e["action"]["orders"][0].update(t={"limit": {"tif": "Fok"}}),
        lambda e: e["action"]["orders"][0].pop("r"),
        lambda e: e.update(vaultAddress="0x12"),
        lambda e: e["signature"].pop("v"),
    ],
)
def test_wrong_shape_on_exchange_is_422_before_the_signature(venue: Any, change: Any) -> None:
    assert spoilt(venue, change) == (422, SHAPE)


def test_fractional_leverage_is_422(venue: Any) -> None:
    envelope = venue.sign({"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5})
    envelope["action"]["leverage"] = 5.5
    assert venue.http("/exchange", json.dumps(envelope).encode()) == (422, SHAPE)


def test_exchange_overlooks_extra_fields_in_orders_and_signature(venue: Any) -> None:
    def change(envelope: dict[str, Any]) -> None:
        envelope["action"]["orders"][0]["note"] = "x"
        envelope["signature"]["note"] = "x"
        envelope["vaultAddress"] = None
        envelope["expiresAfter"] = None

    status, body = spoilt(venue, change)
    assert status == 200
    assert b"resting" in body


def test_positional_form_is_not_for_exchange(venue: Any) -> None:
    assert venue.http("/exchange", b'["order"]') == (422, SHAPE)


@pytest.mark.parametrize(
    "request_",
    [
        {"type": "candleSnapshot", "req": {"coin": "NOPE", "interval": "1m", "startTime": 0, "endTime": 1}},
        {"type": "fundingHistory", "coin": "NOPE", "startTime": 0},
        {"type": "metaAndAssetCtxs", "dex": "nope"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 1},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 1},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
        {"type": "l2Book", "coin": "BTC", "mantissa": 2},
    ],
)
def test_what_the_venue_answers_with_500(venue: Any, request_: Any) -> None:
    assert venue.http("/info", json.dumps(request_).encode()) == (500, b"null")


def test_unknown_coin_of_a_book_is_null_and_a_delisted_one_empty(venue: Any) -> None:
    assert venue.info(type="l2Book", coin="btc") is None
    assert venue.info(type="l2Book", coin="MATIC")["levels"] == [[], []]


def test_headers_allow_browsers(venue: Any) -> None:
    from latentspeed_cli.sandbox.model import HttpRequest

    request = HttpRequest(
        method="POST",
        path="/info",
        query={},
        headers={"content-type": "application/json"},
        body=b'{"type":"meta"}',
        peer="127.0.0.1",
    )
    answer = venue.model.http(request, venue.now_ns)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.content_type == "application/json"
    assert answer.body.startswith(b'{"universe":[{"szDecimals":5,"name":"BTC",')
