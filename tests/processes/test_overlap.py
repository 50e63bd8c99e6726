"""Commands that overlap: two and ten processes at one journal, on both venues at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import RESTING, VENUES, Sandbox, Trader, finish


@pytest.mark.parametrize("copies", [2, 10])
def test_copies_of_one_command_and_others_beside_them(sandbox: Sandbox, tmp_path: Path, copies: int) -> None:
    """Both venues, one journal: the same line many times, other orders, and reconcile in between."""
    one, other = (Trader(tmp_path, sandbox, venue) for venue in VENUES)
    same = one.id("same")
    processes = [
        (trader, trader.start(*RESTING, "--client-id", f"{same}-{trader.venue}", "--timeout", "30s"))
        for _ in range(copies // 2)
        for trader in (one, other)
    ]
    processes += [(trader, trader.start(*RESTING, "--timeout", "30s")) for trader in (one, other)]
    processes += [(trader, trader.start("reconcile", "--timeout", "30s")) for trader in (one, other)]
    ends = [(trader, finish(process)) for trader, process in processes]
    assert [ended.code for _, ended in ends] == [0] * len(ends), ends
    for trader in (one, other):
        orders = [ended.json for who, ended in ends if who is trader and '"schema":"order"' in ended.out]
        named = [order for order in orders if order["client_order_id"].startswith(same)]
        assert len({order["exchange_order_id"] for order in named}) == 1
        assert [order["replayed"] for order in named].count(False) == 1
        assert [len(trader.at_venue(order)) for order in orders] == [1] * len(orders)
        assert trader.call("reconcile").json["items"] == []
    assert one.call("journal", "verify").code == 0
    nonces = [
        (fact["body"].get("scope") or fact["body"]["signer"], fact["body"]["nonce"])
        for fact in one.call("journal", "list", "--limit", "1000").json["items"]
        if fact["kind"] in ("attempt", "cancel_intent", "reserved")
    ]
    assert len(nonces) == len(set(nonces))
    for trader in (one, other):
        trader.end()


def test_cancels_that_overlap(trader: Trader) -> None:
    name = trader.call(*RESTING).json["client_order_id"]
    ends = [finish(process) for process in [trader.start("cancel", name, "--timeout", "30s") for _ in range(4)]]
    assert {ended.code for ended in ends} == {0}, ends
    assert {ended.json["state"] for ended in ends} == {"CANCELLED"}
    assert trader.call("reconcile").json["items"] == []
