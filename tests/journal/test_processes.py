"""Many real processes at one journal, and processes that are killed while they write."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latentspeed_cli.journal import Journal

WORKER = Path(__file__).with_name("worker.py")
Opened = Callable[..., Journal]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Starts a worker, which waits to be told to go."""
    workers: list[subprocess.Popen[str]] = []

    def start(name: str, what: str, count: int) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, str(WORKER), str(path), name, what, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                pipe.close()


def go(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()


def said(worker: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """What it says from here on; a line that the kill cut off is none."""
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.endswith("\n"):
            yield json.loads(line)


def run_at_once(workers: list[subprocess.Popen[str]]) -> list[list[dict[str, Any]]]:
    for worker in workers:
        assert next(said(worker)) == {"ready": True}
    for worker in workers:
        go(worker)
    told = [list(said(worker)) for worker in workers]
    assert [worker.wait(timeout=20) for worker in workers] == [0] * len(workers)
    return told


def test_eight_first_runs_with_the_same_ids_begin_each_once(start: Start, opened: Opened) -> None:
    """They also make the journal, all at once."""
    told = run_at_once([start(f"p{number}", "shared", 10) for number in range(8)])
    assert [len(lines) for lines in told] == [10] * 8
    fresh = Counter(line["id"] for lines in told for line in lines if line["fresh"])
    assert fresh == {f"shared-{number}": 1 for number in range(10)}
    nonces = {(line["id"], line["nonce"]) for lines in told for line in lines}
    assert len(nonces) == 10  # whoever came later was told the same
    journal = opened(instance="")
    assert journal.verify() == 20


def test_nonces_of_one_signer_are_unique_in_all_processes(start: Start, opened: Opened) -> None:
    told = run_at_once([start(f"p{number}", ("reserve", "own")[number % 2], 40) for number in range(4)])
    nonces = [line["nonce"] for lines in told for line in lines]
    assert len(set(nonces)) == 160
    assert all(lines == sorted(lines, key=lambda line: line["nonce"]) for lines in told)
    assert opened(instance="").verify() == 40 * 2 + 80 * 2


def test_a_process_that_is_killed_leaves_nothing_to_repair(start: Start, opened: Opened) -> None:
    dice = random.Random(11)
    durable: set[str] = set()
    for round_ in range(6):
        worker = start(f"r{round_}", "own", 1_000_000)
        lines = said(worker)
        next(lines)
        go(worker)
        for _ in range(dice.randint(1, 60)):
            durable.add(next(lines)["id"])
        worker.kill()
        durable |= {line["id"] for line in lines}
        with contextlib.closing(opened(instance="")) as journal:  # the lock died with its holder
            known = {order.client_order_id for order in journal.orders()}
            assert durable <= known
            assert len(known - durable) <= round_ + 1  # at most the one that was being told
            assert journal.verify() == 2 * len(known) + round_
            journal.reserve_nonce("another")
    assert len(durable) > 6
