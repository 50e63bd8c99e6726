"""The life of a sandbox, with real processes: started once, found by all, ended on request or by idleness."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path

import pytest

from latentspeed_cli.errors import AccountBusy, ConfigError, ConnectFailed, PluginError, UsageError
from latentspeed_cli.sandbox import supervisor
from latentspeed_cli.sandbox.accounts import ADDRESSES, PRIVATE_KEYS
from latentspeed_cli.sandbox.home import Home, Lock, Options, StoreUnreadable

ANY_PORT = Options(port=0, scenario="bench")


def post(url: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5) as answer:
        content: bytes = answer.read()
    return content


def count(state_dir: Path) -> int:
    """Add one to the counting venue's count."""
    return int(post(supervisor.status(state_dir).venues["counter"].base_url + "/count"))


def gone(state_dir: Path, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while Home(state_dir).is_locked():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_nothing_runs_in_a_new_folder(state_dir: Path) -> None:
    info = supervisor.status(state_dir)
    assert (info.running, info.venues) == (False, {})
    assert supervisor.stop(state_dir) is False
    assert not state_dir.exists()


def test_start_tells_where_it_listens_and_stop_ends_it(state_dir: Path) -> None:
    info = supervisor.start(state_dir, ANY_PORT)
    assert info.running
    assert info.scenario == "bench"
    venue = info.venues["counter"]
    assert venue.base_url.startswith("http://127.0.0.1:")
    assert venue.ws_url == "ws" + venue.base_url.removeprefix("http") + "/count/ws"
    assert [account.address for account in venue.accounts] == list(ADDRESSES)
    assert [account.private_key for account in venue.accounts] == list(PRIVATE_KEYS)
    assert supervisor.status(state_dir) == info
    assert count(state_dir) == 1
    assert supervisor.stop(state_dir) is True
    assert not supervisor.status(state_dir).running
    with pytest.raises(OSError, match="refused"):
        post(venue.base_url + "/count")


def test_its_files_are_for_their_owner_only(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state_dir.iterdir()}
    assert modes.pop("sandbox.json") == 0o600
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700


def test_the_server_does_not_inherit_the_users_keys(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTSPEED_HYPERLIQUID_KEY", "0xsecret")
    supervisor.start(state_dir, ANY_PORT)
    found = Home(state_dir).running()
    assert found is not None
    environment = Path(f"/proc/{found.pid}/environ")
    if environment.exists():
        assert b"0xsecret" not in environment.read_bytes()
    assert "0xsecret" not in (state_dir / "sandbox.log").read_text()


def test_accounts_and_instance_outlive_a_restart(state_dir: Path) -> None:
    first = supervisor.start(state_dir, ANY_PORT)
    assert [count(state_dir), count(state_dir)] == [1, 2]
    supervisor.stop(state_dir)
    second = supervisor.start(state_dir, ANY_PORT)
    assert second.instance == first.instance
    assert count(state_dir) == 3


def test_what_was_answered_outlives_a_kill(state_dir: Path) -> None:
    first = supervisor.start(state_dir, ANY_PORT)
    for _ in range(50):
        last = count(state_dir)
    found = Home(state_dir).running()
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    assert gone(state_dir, 5)
    assert supervisor.status(state_dir).running is False
    again = supervisor.start(state_dir, ANY_PORT)
    assert again.instance == first.instance
    assert count(state_dir) == last + 1


def test_a_crash_on_order_keeps_the_work_and_loses_the_reply(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    supervisor.control(state_dir).call("counter", "crash", path="/count")
    with pytest.raises((OSError, HTTPException)):
        count(state_dir)
    assert gone(state_dir, 5)
    supervisor.start(state_dir, ANY_PORT)
    assert count(state_dir) == 2


def test_ensure_starts_one_says_so_once_and_finds_it_again(state_dir: Path) -> None:
    notes: list[str] = []
    first = supervisor.ensure(state_dir, notify=notes.append)
    second = supervisor.ensure(state_dir, notify=notes.append)
    assert first == second
    assert len(notes) == 1
    assert first.venues["counter"].base_url in notes[0]
    assert "30 idle minutes" in notes[0]


def test_of_many_commands_at_once_one_starts_it(state_dir: Path) -> None:
    notes: list[str] = []
    with ThreadPoolExecutor(30) as threads:
        found = list(threads.map(lambda _: supervisor.ensure(state_dir, notify=notes.append), range(30)))
    assert len(notes) == 1
    assert len({info.instance for info in found}) == 1
    assert (state_dir / "sandbox.log").read_text().count("listens at") == 1


def test_of_many_processes_at_once_one_starts_it(state_dir: Path) -> None:
    program = (
        "import sys, pathlib; from latentspeed_cli.sandbox import supervisor; "
        "print(supervisor.ensure(pathlib.Path(sys.argv[1]), notify=sys.stderr.write).instance)"
    )
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(state_dir)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(12)
    ]
    said = [command.communicate(timeout=60) for command in commands]
    assert {command.returncode for command in commands} == {0}
    assert len({out for out, _ in said}) == 1
    assert sum(bool(err) for _, err in said) == 1


def test_it_ends_when_nobody_asks_for_anything(state_dir: Path) -> None:
    supervisor.ensure(state_dir, notify=lambda _: None, idle_s=1.5)
    for _ in range(4):
        time.sleep(0.5)
        count(state_dir)
    assert gone(state_dir, 3)
    assert not (state_dir / "sandbox.json").exists()


def test_start_keeps_one_that_would_have_ended(state_dir: Path) -> None:
    auto = supervisor.ensure(state_dir, notify=lambda _: None, idle_s=1.5)
    assert supervisor.start(state_dir, Options()) == auto
    assert not gone(state_dir, 2)
    found = Home(state_dir).running()
    assert found is not None
    assert found.idle_s is None


def test_a_start_that_asks_for_another_one_than_runs_is_refused(state_dir: Path) -> None:
    supervisor.start(state_dir, Options(port=0, seed=7))
    for options in (Options(seed=8), Options(scenario="venue"), Options(port=1)):
        with pytest.raises(UsageError, match="runs already"):
            supervisor.start(state_dir, options)
    assert supervisor.start(state_dir, Options(seed=7, scenario="default")).running


def test_a_port_in_use_is_exit_2_and_without_a_wish_another_one_is_taken(state_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    supervisor.start(other, ANY_PORT)
    try:
        taken = Home(other).running()
        assert taken is not None
        with pytest.raises(UsageError, match=f"port {taken.port} is in use") as caught:
            supervisor.start(state_dir, Options(port=taken.port, seed=99))
        assert caught.value.exit_code == 2
        assert not supervisor.status(state_dir).running
        # The failed start decided nothing: another seed is still free to choose.
        supervisor.start(state_dir, Options(port=0, seed=5))
    finally:
        supervisor.stop(other)


def test_two_folders_hold_two_sandboxes_whatever_the_usual_port_does(state_dir: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    try:
        one, two = (supervisor.ensure(folder, notify=lambda _: None) for folder in (state_dir, other))
        assert one.instance != two.instance
        assert one.venues["counter"].base_url != two.venues["counter"].base_url
    finally:
        supervisor.stop(other)


def test_the_seed_of_an_instance_stays(state_dir: Path) -> None:
    supervisor.start(state_dir, Options(port=0, seed=7))
    supervisor.stop(state_dir)
    supervisor.start(state_dir, Options(port=0))
    found = Home(state_dir).running()
    assert found is not None
    assert found.seed == 7
    supervisor.stop(state_dir)
    with pytest.raises(UsageError, match="has seed 7, not 8") as caught:
        supervisor.start(state_dir, Options(port=0, seed=8))
    assert "reset --seed 8" in (caught.value.hint or "")


def test_an_unknown_scenario_is_exit_2(state_dir: Path) -> None:
    with pytest.raises(UsageError, match="unknown scenario 'moon'"):
        supervisor.start(state_dir, Options(port=0, scenario="moon"))


def test_reset_of_a_running_one_starts_afresh_on_the_same_port(state_dir: Path) -> None:
    first = supervisor.start(state_dir, Options(port=0, seed=7))
    count(state_dir)
    second = supervisor.reset(state_dir)
    assert second.running
    assert second.instance != first.instance
    assert second.venues == first.venues
    found = Home(state_dir).running()
    assert found is not None
    assert (found.seed, found.idle_s) == (7, None)
    assert count(state_dir) == 1
    assert [path.name for path in (state_dir / "sandbox.archive").iterdir()] == [f"{first.instance}.db"]


def test_reset_without_one_running_makes_a_new_instance(state_dir: Path) -> None:
    first = supervisor.start(state_dir, ANY_PORT)
    count(state_dir)
    supervisor.stop(state_dir)
    begun = supervisor.reset(state_dir, seed=3)
    assert (begun.running, begun.scenario) == (False, "bench")
    assert begun.instance not in (None, first.instance)
    again = supervisor.start(state_dir, Options(port=0))
    assert again.instance == begun.instance
    assert count(state_dir) == 1


@pytest.mark.parametrize("damage", ["file", "row"])
def test_a_damaged_store_is_exit_3_and_reset_is_the_way_out(state_dir: Path, damage: str) -> None:
    supervisor.start(state_dir, ANY_PORT)
    count(state_dir)
    supervisor.stop(state_dir)
    store = state_dir / "sandbox.db"
    if damage == "file":
        store.write_bytes(b"garbage" * 1000)
    else:
        from latentspeed_cli.sandbox.model import StoredRow
        from latentspeed_cli.sandbox.store import Store

        opened = Store.open(store)
        opened.write([("counter", StoredRow("counter", "count", b"{not a number"))])
        opened.close()
    content = store.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreUnreadable) as caught:
            supervisor.ensure(state_dir, notify=lambda _: None)
        assert caught.value.exit_code == 3
        assert "sandbox reset" in (caught.value.hint or "")
    supervisor.reset(state_dir)
    assert [path.read_bytes() for path in (state_dir / "sandbox.archive").glob("*.db")] == [content]
    supervisor.start(state_dir, Options(port=0))
    assert count(state_dir) == 1


def test_files_left_by_a_dead_one_mislead_nobody(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    found = Home(state_dir).running()
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    assert gone(state_dir, 5)
    assert (state_dir / "sandbox.json").exists()
    with pytest.raises(ConnectFailed):
        supervisor.control(state_dir)
    assert supervisor.stop(state_dir) is False
    # Somebody who has the lock and is not ready yet is not mistaken for the dead one.
    lock = Home(state_dir).take()
    assert lock is not None
    assert Home(state_dir).running() is None
    lock.close()


def test_a_process_without_the_lock_is_never_signalled(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    supervisor.stop(state_dir)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (state_dir / "sandbox.lock").write_text(f"{bystander.pid}\n")
        assert supervisor.stop(state_dir) is False
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_one_of_another_version_can_still_be_stopped(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    (state_dir / "sandbox.json").write_text('{"format": "of the future"}')
    with pytest.raises(AccountBusy, match="another version") as caught:
        supervisor.ensure(state_dir, notify=lambda _: None)
    assert "sandbox stop" in (caught.value.hint or "")
    assert supervisor.stop(state_dir) is True
    assert supervisor.start(state_dir, ANY_PORT).running


def test_in_the_foreground_it_needs_the_place_for_itself(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    with pytest.raises(AccountBusy, match="runs already"):
        supervisor.take(state_dir)
    supervisor.stop(state_dir)
    lock = supervisor.take(state_dir)
    assert isinstance(lock, Lock)
    lock.close()


def test_a_folder_that_cannot_be_made_is_exit_2(tmp_path: Path, site: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        supervisor.ensure(tmp_path / "file" / "state", notify=lambda _: None)


def test_a_broken_connector_does_not_stop_the_others(state_dir: Path, site: Path) -> None:
    metadata = site / "broken_venue-1.0.dist-info"
    metadata.mkdir()
    (site / "broken_venue.py").write_text("raise RuntimeError('no')")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-venue\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[latentspeed.connectors]\nbroken = broken_venue\n")
    info = supervisor.start(state_dir, ANY_PORT)
    assert "counter" in info.venues
    with pytest.raises(PluginError) as raised:
        info.venue("broken")
    assert "latentspeed sandbox stop" in str(raised.value.hint), "it may run since before the connector was installed"
    assert "broken" in (state_dir / "sandbox.log").read_text()


def test_the_way_to_a_running_one_imports_nothing_of_weight(state_dir: Path) -> None:
    supervisor.start(state_dir, ANY_PORT)
    program = (
        "import sys, pathlib; from latentspeed_cli.sandbox import supervisor; "
        "supervisor.ensure(pathlib.Path(sys.argv[1]), notify=print); "
        "print(*sorted({'aiohttp', 'apsw', 'eth_account', 'coincurve', 'websockets'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(state_dir)], capture_output=True, text=True, timeout=30, check=True
    )
    assert said.stdout.strip() == ""


@pytest.mark.usefixtures("hyperliquid")
def test_hyperliquid_comes_up_and_keeps_its_prices(state_dir: Path) -> None:
    info = supervisor.start(state_dir, Options(port=0, seed=11))
    venue = info.venues["hyperliquid"]
    assert venue.ws_url.endswith("/ws")
    assert [account.address for account in venue.accounts] == list(ADDRESSES)

    def ask(**query: str) -> object:
        request = urllib.request.Request(
            supervisor.status(state_dir).venues["hyperliquid"].base_url + "/info",
            data=json.dumps(query).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    mids = ask(type="allMids")
    assert isinstance(mids, dict)
    assert float(mids["BTC"]) > 0
    state = ask(type="clearinghouseState", user=ADDRESSES[0])
    assert isinstance(state, dict)
    assert float(state["marginSummary"]["accountValue"]) == 100_000
    supervisor.stop(state_dir)
    supervisor.start(state_dir, Options(port=0))
    again = ask(type="clearinghouseState", user=ADDRESSES[0])
    assert isinstance(again, dict)
    assert again["marginSummary"] == state["marginSummary"]
