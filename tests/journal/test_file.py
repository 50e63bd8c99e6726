"""The journal's file: private, one network's, one sandbox's, and never believed when it is damaged."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from latentspeed_cli.clock import Clock
from latentspeed_cli.core.drafts import Draft
from latentspeed_cli.core.reports import OrderUpdate, Report
from latentspeed_cli.errors import AccountBusy, JournalError
from latentspeed_cli.journal import Journal

Opened = Callable[..., Journal]
Drafts = Callable[..., Draft]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Private


def test_only_its_owner_may_read_it(path: Path, journal: Journal, draft: Drafts) -> None:
    journal.begin([draft()])
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        "journal.db": 0o600,
        "journal.db-wal": 0o600,
        "journal.db-shm": 0o600,
    }
    assert mode(path.parent) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path: Path, opened: Opened) -> None:
    opened().close()
    path.chmod(0o644)
    opened()
    assert mode(path) == 0o600


def test_places_where_no_journal_can_be(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    path.symlink_to("/dev/null")
    with pytest.raises(JournalError):
        opened()
    path.unlink()
    path.mkdir()
    with pytest.raises(JournalError):
        opened()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(JournalError):
        opened()
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file where the state folder should be")
    with pytest.raises(JournalError) as caught:
        opened()
    assert caught.value.exit_code == 11


def test_a_state_folder_that_cannot_be_made(clock: Clock) -> None:
    with pytest.raises(JournalError):
        Journal.open(Path("/proc/state/journal.db"), network="sandbox", instance="", clock=clock)


# One network, one instance


def test_another_network(opened: Opened) -> None:
    opened(network="testnet")
    with pytest.raises(JournalError, match="testnet, not mainnet"):
        opened(network="mainnet")


def test_a_newer_schema(path: Path, journal: Journal, opened: Opened) -> None:
    apsw.Connection(str(path)).execute("UPDATE meta SET schema_version = 2")
    with pytest.raises(JournalError, match="schema 2"):
        opened()


def test_somebody_elses_database(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    apsw.Connection(str(path)).execute("CREATE TABLE notes (text)")
    with pytest.raises(JournalError):
        opened()


def test_after_a_reset_the_journal_begins_anew_and_keeps_the_old_rows(
    path: Path, opened: Opened, draft: Drafts
) -> None:
    before = opened(instance="one")
    before.begin([draft()])
    facts = list(before.facts())
    after = opened(instance="two")
    assert not after.orders()
    assert not list(after.facts())
    assert not after.fills()
    assert after.begin([draft()])[0].fresh
    archived = apsw.Connection(str(path)).execute("SELECT * FROM archived_facts ORDER BY seq").fetchall()
    assert [(row[0], row[1], row[-1]) for row in archived] == [("one", fact.seq, fact.hash) for fact in facts]
    assert after.verify() == 2

    with pytest.raises(JournalError, match="reset"):  # a run that began before the reset
        before.begin([draft("order-2")])
    with pytest.raises(JournalError, match="reset"):  # and one that read the old address just before it
        opened(instance="one")
    assert [order.client_order_id for order in after.orders()] == ["order-1"]


# Busy


def test_a_journal_that_is_held_too_long(path: Path, opened: Opened, draft: Drafts) -> None:
    journal = opened(busy_timeout_s=0.05)
    holder = apsw.Connection(str(path))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(AccountBusy) as caught:
        journal.begin([draft()])
    assert caught.value.exit_code == 10
    assert journal.order("order-1") is None  # reading waits for nobody
    holder.execute("ROLLBACK")
    assert journal.begin([draft()])[0].fresh


# Trouble with the disk


class FaultyDisk(apsw.VFS):
    """The disk, until `failure` is set. syncs counts what reached it for good."""

    def __init__(self) -> None:
        super().__init__("faulty", "")
        self.failure: type[apsw.Error] | None = None
        self.fails_at = "write"
        self.syncs = 0

    def xOpen(self, name: Any, flags: list[int]) -> FaultyFile:
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:
        self.fail("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self.fail("sync")
        self.disk.syncs += 1
        super().xSync(flags)

    def fail(self, doing: str) -> None:
        if self.disk.failure is not None and self.disk.fails_at == doing:
            raise self.disk.failure("injected")


@pytest.fixture
def disk(path: Path) -> Iterator[FaultyDisk]:
    path.parent.mkdir()
    disk = FaultyDisk()
    yield disk
    disk.unregister()


@pytest.mark.parametrize("fails_at", ["write", "sync"])
@pytest.mark.parametrize("failure", [apsw.FullError, apsw.IOError])
def test_a_disk_that_fails_before_the_intent_is_durable(
    disk: FaultyDisk, opened: Opened, draft: Drafts, failure: type[apsw.Error], fails_at: str
) -> None:
    journal = opened(vfs="faulty")
    journal.begin([draft("before")])
    disk.failure, disk.fails_at = failure, fails_at
    with pytest.raises(JournalError) as caught:
        journal.begin([draft()])
    assert caught.value.exit_code == 11
    disk.failure = None
    assert journal.order("order-1") is None
    assert journal.begin([draft()])[0].fresh
    assert journal.verify() == 4


def test_an_intent_is_synced_once_however_many_are_in_the_group(
    disk: FaultyDisk, opened: Opened, draft: Drafts
) -> None:
    journal = opened(vfs="faulty")
    journal.begin([draft("first")])
    before = disk.syncs
    journal.begin([draft("one")])
    assert disk.syncs == before + 1
    journal.begin([draft(f"many-{number}") for number in range(50)])
    assert disk.syncs == before + 2


# Damage


@pytest.fixture
def full(path: Path, opened: Opened, draft: Drafts) -> Path:
    """A closed journal with some history."""
    with contextlib.closing(opened()) as journal:
        for number in range(12):
            journal.begin([draft(f"order-{number}")])
            accepted = OrderUpdate(
                report=Report.ACCEPTED, trading_pair="BTC-USD", ts_ns=1, exchange_order_id=str(number)
            )
            journal.record([accepted], client_order_id=f"order-{number}")
    return path


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE meta SET instance = 'onf'",
        "UPDATE facts SET body = replace(body, '95000.5', '95000.6') WHERE seq = 20",
        "UPDATE facts SET ts_ns = ts_ns + 1 WHERE seq = 1",
        "UPDATE facts SET kind = 'report' WHERE seq = 5",
        "UPDATE facts SET attempt = 2 WHERE seq = 2",
        "UPDATE facts SET client_order_id = 'order-1' WHERE seq = 2",
        "UPDATE facts SET body = 7 WHERE seq = 3",
        "DELETE FROM facts WHERE seq = 9",
        "DELETE FROM facts WHERE seq = 1",
    ],
)
def test_a_fact_that_was_changed_is_noticed_when_it_is_opened(full: Path, opened: Opened, damage: str) -> None:
    with contextlib.closing(apsw.Connection(str(full))) as connection:
        connection.execute(damage)
    with pytest.raises(JournalError, match="damaged"):
        opened()


def test_facts_that_were_changed_are_not_put_into_the_archive(full: Path, opened: Opened) -> None:
    with contextlib.closing(apsw.Connection(str(full))) as connection:
        connection.execute("UPDATE meta SET instance = 'onf'")
    with pytest.raises(JournalError, match="damaged"):
        opened(instance="two")


def test_an_order_that_was_changed_is_not_believed(full: Path, opened: Opened) -> None:
    with contextlib.closing(apsw.Connection(str(full))) as connection:
        connection.execute(
            "UPDATE orders SET body = CAST(replace(body, '95000.5', '15000.5') AS BLOB) WHERE number = 3"
        )
    journal = opened()
    for asking in (journal.verify, journal.orders, lambda: journal.order("order-2"), lambda: journal.find("order-2")):
        with pytest.raises(JournalError, match="damaged"):
            asking()
    assert journal.rebuild() == 36
    assert journal.verify() == 36


def test_not_a_database(path: Path, opened: Opened) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are not the bytes you are looking for" * 100)
    with pytest.raises(JournalError, match="damaged"):
        opened()


def test_random_damage_is_a_journal_error_or_harmless(full: Path, opened: Opened) -> None:
    """Whatever byte of the file rots: the same answers as before, or JournalError, and nothing else."""
    dice = random.Random(3)
    whole = full.read_bytes()
    with contextlib.closing(opened()) as journal:
        orders = journal.orders()
    noticed = 0
    for _ in range(150):
        rotten = bytearray(whole)
        for _ in range(dice.choice([1, 1, 40])):
            rotten[dice.randrange(len(rotten))] ^= 1 << dice.randrange(8)
        for file in full.parent.iterdir():
            file.unlink()
        full.write_bytes(rotten)
        try:
            with contextlib.closing(opened()) as journal:
                journal.verify()
                assert journal.orders() == orders
                assert len(journal.find("order")) == 12
        except JournalError:
            noticed += 1
    assert noticed > 50


def test_a_tail_that_was_never_committed_is_simply_gone(
    path: Path, journal: Journal, draft: Drafts, tmp_path: Path
) -> None:
    """A crash leaves any part of what was being written; the log is cut at many places, and its end garbled."""
    counts = []
    for number in range(6):
        journal.begin([draft(f"order-{number}")])
        counts.append(number + 1)
    log = Path(f"{path}-wal")
    size = log.stat().st_size
    seen = set()
    for cut in sorted({0, 10, 32, *range(40, size, 997), size}):
        crash = tmp_path / f"crash-{cut}"
        crash.mkdir()
        shutil.copy(path, crash / "journal.db")
        torn = log.read_bytes()[:cut]
        garbled = torn[:-5] + bytes(5) if 0 < cut < size else torn
        (crash / "journal.db-wal").write_bytes(garbled)
        with contextlib.closing(
            Journal.open(crash / "journal.db", network="sandbox", instance="one", clock=journal._clock)
        ) as survivor:
            names = sorted(order.client_order_id for order in survivor.orders())
            assert names == [f"order-{number}" for number in range(len(names))]
            assert survivor.verify() == 2 * len(names)
            assert survivor.begin([draft("next")])[0].fresh
            seen.add(len(names))
    assert seen == {0, *counts}


def test_an_unfinished_tail_is_told_once(
    path: Path, journal: Journal, clock: Clock, draft: Drafts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def open_copy() -> None:
        Journal.open(tmp_path / "crash.db", network="sandbox", instance="one", clock=clock).close()

    for number in range(3):
        journal.begin([draft(f"order-{number}")])
    shutil.copy(path, tmp_path / "crash.db")
    whole = Path(f"{path}-wal").read_bytes()
    log = tmp_path / "crash.db-wal"
    log.write_bytes(whole)
    open_copy()
    assert not caplog.records

    for cut in (1, 5_000):
        shutil.copy(path, tmp_path / "crash.db")
        log.write_bytes(whole[:-cut])
        caplog.clear()
        open_copy()
        open_copy()
        assert [record.levelname for record in caplog.records] == ["WARNING"]
