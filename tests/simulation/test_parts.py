"""The parts of the simulator: time that jumps, a disk that forgets, faults that follow from the seed."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest

from latentspeed_cli.testing.simulator.disk import Disk
from latentspeed_cli.testing.simulator.faults import Faults
from latentspeed_cli.testing.simulator.host import HostClock, open_journal, template
from latentspeed_cli.testing.simulator.loop import RealWait, Stuck, VirtualLoop


def test_time_jumps_to_the_next_timer() -> None:
    loop = VirtualLoop()

    async def sleeper() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert loop.run_until_complete(sleeper()) == 86_400
    loop.close()


def test_waiting_for_nobody_is_an_error_and_not_a_standstill() -> None:
    loop = VirtualLoop()
    with pytest.raises(Stuck, match="everybody waits"):
        loop.run_until_complete(loop.create_future())
    loop.close()


def test_a_thread_is_refused() -> None:
    loop = VirtualLoop()

    async def work() -> None:
        await asyncio.to_thread(len, ())

    with pytest.raises(RealWait):
        loop.run_until_complete(work())
    loop.close()


def test_tasks_are_ordered_by_their_number_in_a_set() -> None:
    loop = VirtualLoop()

    async def work() -> list[int]:
        tasks = {asyncio.create_task(asyncio.sleep(0)) for _ in range(5)}
        await asyncio.wait(tasks)
        return [hash(task) for task in tasks]

    numbers = loop.run_until_complete(work())
    assert numbers == sorted(numbers)
    loop.close()


def test_faults_follow_from_the_seed_and_can_be_kept_out() -> None:
    assert Faults("a/1").rates == Faults("a/1").rates
    assert len({tuple(Faults(f"a/{seed}").rates) for seed in range(20)}) > 10
    assert not Faults("a/1", frozenset()).rates
    assert all(Faults(f"a/{seed}", frozenset({"reply_lost"})).rates.keys() <= {"reply_lost"} for seed in range(20))


class Machine:
    """A disk with one database on it."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.disk = Disk(faults or Faults("disk", frozenset()))
        self.mount = self.disk.mount(lambda step: None)
        self.connection = self.open()

    def open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.disk.path), vfs=self.mount.name)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def die(self) -> None:
        """The process is killed, and its connection goes with it."""
        self.mount.dead = True
        with suppress(apsw.IOError):
            self.connection.close()

    def come_back(self) -> None:
        self.mount.dead = False

    def rows(self) -> list[str]:
        return [text for (text,) in self.open().execute("SELECT text FROM t")]


@pytest.fixture
def machine() -> Machine:
    made = Machine()
    made.connection.execute("CREATE TABLE t (text)")
    made.connection.execute("INSERT INTO t VALUES ('first')")
    return made


def test_what_was_committed_survives_a_loss_of_power(machine: Machine) -> None:
    assert machine.disk.holds(b"first")
    machine.die()
    machine.disk.lose_power()
    machine.come_back()
    assert machine.rows() == ["first"]
    machine.disk.close()


def test_what_was_not_synced_does_not_survive_it(machine: Machine) -> None:
    machine.connection.execute("PRAGMA synchronous=OFF")
    machine.connection.execute("INSERT INTO t VALUES ('second')")
    assert machine.rows() == ["first", "second"]
    assert not machine.disk.holds(b"second")
    machine.disk.close()


def test_a_dead_process_writes_nothing(machine: Machine) -> None:
    machine.mount.dead = True
    with pytest.raises(apsw.IOError):
        machine.connection.execute("INSERT INTO t VALUES ('late')")
    machine.die()
    machine.come_back()
    assert machine.rows() == ["first"]
    machine.disk.close()


def test_the_folder_goes_with_the_disk(machine: Machine) -> None:
    machine.connection.close()
    machine.disk.close()
    assert not Path(machine.disk.folder).exists()


def test_closing_the_journal_on_a_full_disk_is_no_error() -> None:
    """Found by the simulator: it turned a filled order into exit 11, nothing sent."""
    disk, loop = Disk(Faults("disk", frozenset()), template=template()), VirtualLoop()
    full = False

    def fill_up(step: str) -> None:
        if full:
            raise apsw.FullError("no room")

    journal = open_journal(disk, disk.mount(fill_up), HostClock(loop, lambda: 0))
    nonce = journal.reserve_nonce("somebody")
    full = True
    journal.close()
    full = False
    with closing(open_journal(disk, disk.mount(fill_up), HostClock(loop, lambda: 0))) as again:
        assert again.verify() == 1
        assert again.reserve_nonce("somebody") > nonce
    disk.close()
    loop.close()
