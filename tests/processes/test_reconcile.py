"""`reconcile`: what it decides, finishes and adopts, what it says, and when it says nothing."""

from __future__ import annotations

import signal
from pathlib import Path

from .conftest import RESTING, Sandbox, Trader, finish


def die_after_sending(trader: Trader, name: str, *words: str) -> None:
    ended = trader.run(*words, "--client-id", name, "--timeout", "6s", seam="send-after:1")
    assert ended.code == -signal.SIGKILL, ended.err


def test_nothing_to_say(trader: Trader) -> None:
    assert trader.call("reconcile").json == {"schema": "decisions", "schema_version": 1, "items": []}
    assert trader.call("place", "buy", "BTC-USD", "0.01", "mid-2%", "-o", "id").code == 0
    trader.environ["LATENTSPEED_OUTPUT"] = ""
    for words in ((), ("--quiet",)):
        ended = trader.call("reconcile", *words)
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_what_it_decides_has_its_evidence(trader: Trader) -> None:
    name = trader.id("taken")
    die_after_sending(trader, name, "place", "buy", "BTC-USD", "0.01", "--type", "market")
    ended = trader.call("reconcile", "--timeout", "30s")
    assert ended.code == 0, ended.err
    [decision] = ended.json["items"]
    assert (decision["client_order_id"], decision["finding"]) == (name, "decided")
    assert (decision["state_before"], decision["state"]) == ("PENDING_SUBMIT", "FILLED")
    assert (decision["may_be_live"], decision["executed_amount"], decision["next"]) == (False, "0.01", None)
    assert decision["evidence"]
    assert trader.call("reconcile").json["items"] == []


def test_two_at_once_agree(trader: Trader) -> None:
    name = trader.id("both")
    die_after_sending(trader, name, *RESTING)
    processes = [trader.start("reconcile", "--timeout", "30s") for _ in range(3)]
    ends = [finish(process) for process in processes]
    assert [ended.code for ended in ends] == [0, 0, 0], ends
    assert trader.call("status", name).json["state"] == "OPEN"
    assert trader.call("journal", "verify").code == 0


def test_a_running_order_is_its_own_run_to_tell(trader: Trader) -> None:
    """Before its lease is over nobody else may fence it: it would be refused when it arrives."""
    name = trader.id("slow")
    trader.trouble("delay_request", seconds=3)
    process = trader.start(*RESTING, "--client-id", name, "--timeout", "20s")
    trader.wait_for_strike()
    early = trader.call("reconcile", "--timeout", "1s")
    assert early.code == 5, early.err
    assert [item["finding"] for item in early.json["items"]] == ["undecided"]
    assert early.error["client_order_id"] == name
    assert "latentspeed reconcile" in early.error["hint"]
    placed = finish(process)
    assert (placed.code, placed.json["state"]) == (0, "OPEN"), placed.err
    assert trader.call("reconcile").json["items"] == []


def test_orders_of_other_programs_are_adopted_as_external(trader: Trader, sandbox: Sandbox, tmp_path: Path) -> None:
    other = Trader(tmp_path / "other", sandbox, trader.venue)
    placed = other.call(*RESTING).json
    ended = trader.call("reconcile")
    assert ended.code == 0, ended.err
    [adopted] = [item for item in ended.json["items"] if item["exchange_order_id"] == placed["exchange_order_id"]]
    assert (adopted["finding"], adopted["state_before"], adopted["state"]) == ("adopted", None, "OPEN")
    assert trader.call("status", adopted["client_order_id"]).json["external"] is True
    assert trader.call("reconcile").json["items"] == []

    assert other.call("cancel", placed["client_order_id"]).code == 0
    [changed] = trader.call("reconcile").json["items"]
    assert (changed["finding"], changed["state"]) == ("changed", "CANCELLED")


def test_a_fill_that_nobody_heard_is_a_change(trader: Trader) -> None:
    placed = trader.call("place", "buy", "BTC-USD", "0.01", "mid-0.1%", "--post-only").json
    trader.sell_to(placed)
    ended = trader.call("reconcile")
    assert ended.code == 0, ended.err
    [changed] = ended.json["items"]
    assert (changed["client_order_id"], changed["finding"]) == (placed["client_order_id"], "changed")
    assert (changed["state_before"], changed["state"]) == ("OPEN", "FILLED")
    facts = trader.call("journal", "show", placed["client_order_id"]).json["items"]
    assert [fact["kind"] for fact in facts].count("fill") >= 1


def test_a_venue_that_does_not_answer(trader: Trader) -> None:
    """Nothing undecided: 8. An order that may be live outweighs that: 5."""
    quiet = {"count": 1000, "status": 503}
    trader.control("status", **quiet)
    ended = trader.call("reconcile", "--timeout", "2s")
    assert (ended.code, ended.json["items"]) == (8, []), ended.err
    trader.control("clear")
    name = trader.id("unheard")
    die_after_sending(trader, name, *RESTING)
    trader.control("status", **quiet)
    ended = trader.call("reconcile", "--timeout", "3s")
    assert ended.code == 5, ended.err
    assert [item["finding"] for item in ended.json["items"]] == ["undecided"]
    trader.control("clear")
    assert trader.call("reconcile", "--timeout", "30s").code == 0
