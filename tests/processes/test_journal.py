"""`journal list|show|export|verify` on a journal as the verbs leave it."""

from __future__ import annotations

import hashlib
import json

import apsw
import pytest

from .conftest import RESTING, Trader


def test_the_log_tells_an_order_from_intent_to_end(trader: Trader) -> None:
    name = trader.id("told")
    placed = trader.call(*RESTING, "--client-id", name).json
    assert trader.call("cancel", name).code == 0
    listed = trader.call("journal", "list", "--limit", "1000").json["items"]
    kinds = [fact["kind"] for fact in listed]
    assert kinds[:2] == ["intent", "attempt"]
    assert "cancel_intent" in kinds
    assert [fact["seq"] for fact in listed] == list(range(1, len(listed) + 1))
    assert listed[0]["detail"].startswith("buy 0.01 BTC-USD at ")
    shown = trader.call("journal", "show", name[:10]).json["items"]
    assert shown == listed
    assert trader.call("journal", "show", placed["exchange_order_id"]).json["items"] == listed
    assert [fact["kind"] for fact in trader.call("journal", "list", "--kind", "intent").json["items"]] == ["intent"]
    assert len(trader.call("journal", "list", "--limit", "2").json["items"]) == 2
    assert trader.call("journal", "list", "--until", "1h").json["items"] == []
    assert trader.call("journal", "list", "-o", "table").out.count("\n") == len(listed) + 2


def test_an_export_can_be_verified_by_anybody(trader: Trader) -> None:
    assert trader.call(*RESTING).code == 0
    lines = trader.call("journal", "export", "-o", "ndjson").out.splitlines()
    verified = trader.call("journal", "verify").json
    assert verified["facts"] == len(lines)
    before = hashlib.sha256(f"latentspeed journal\0sandbox\0{verified['instance']}".encode()).digest()
    for fact in map(json.loads, lines):
        attempt = "" if fact["attempt"] is None else fact["attempt"]
        head = f"{fact['seq']}\0{fact['ts_ns']}\0{fact['client_order_id'] or ''}\0{attempt}\0{fact['kind']}\0"
        body = json.dumps(fact["body"], separators=(",", ":"), ensure_ascii=False)
        before = hashlib.sha256(before + head.encode() + body.encode()).digest()
        assert before.hex() == fact["hash"]
    assert before.hex() == verified["last_hash"]


def test_no_signature_is_ever_in_it(trader: Trader) -> None:
    assert trader.call(*RESTING).code == 0
    assert trader.call("cancel", "--all").code == 0
    said = trader.call("journal", "export").out
    assert "signature" not in said
    assert trader.info.accounts[0].private_key.removeprefix("0x") not in said


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("UPDATE facts SET body = CAST(replace(CAST(body AS TEXT), 'BTC', 'ETH') AS BLOB) WHERE seq = 4", "number 4"),
        ("DELETE FROM facts WHERE seq = 3", "number 3"),
        ("UPDATE facts SET ts_ns = ts_ns + 1 WHERE seq = 1", "number 1"),
        ("UPDATE facts SET body = X'7B' WHERE seq = 2", "number 2"),
        ("UPDATE facts SET kind = 3 WHERE seq = 5", "number 5"),
        ("UPDATE orders SET state = 'FILLED'", "table orders"),
    ],
)
def test_damage_is_named_by_its_first_fact(trader: Trader, damage: str, says: str) -> None:
    for _ in range(2):
        assert trader.call(*RESTING).code == 0
    path = trader.state / "journal-sandbox.db"
    connection = apsw.Connection(str(path))
    connection.execute(damage)
    connection.close()
    ended = trader.call("journal", "verify")
    assert ended.code == 11
    assert says in ended.error["message"], ended.err
    path.unlink()  # what this run left at the venue is taken back with a new journal


def test_a_damaged_file_and_one_that_is_none(trader: Trader) -> None:
    path = trader.state / "journal-sandbox.db"
    assert trader.call("journal", "verify").json["facts"] == 0
    assert trader.call("journal", "list").json["items"] == []
    assert trader.call("journal", "export").out == ""
    assert not path.exists()  # looking makes nothing
    path.write_bytes(b"not a database" * 1000)
    for words in (("verify",), ("list",), ("export",), ("show", "x")):
        assert trader.call("journal", *words).code == 11
    path.unlink()
    assert trader.call("journal", "show", "x").code == 6
    assert trader.call("journal", "show", "../x").code == 3
    assert trader.call("journal", "list", "--limit", "0").code == 2


def test_it_is_read_without_a_venue(trader: Trader) -> None:
    assert trader.call(*RESTING).code == 0
    trader.control("status", count=1000, status=503)
    assert trader.call("journal", "list").json["items"]
    assert trader.call("journal", "verify").code == 0
